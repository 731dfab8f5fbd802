# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing on a terminal: a real one, a pair of pseudo-terminals, on whose other end the test sits."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import typing as t
from collections.abc import Iterator

import pytest
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._screen import Screen, frame, terminal

Act = t.Callable[..., dict[str, t.Any]]


class Ended(Exception):
    pass


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The user's end, and ours."""
    user, ours = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 10, 0, 0))
    yield user, ours
    os.close(user)
    os.close(ours)


def test_ctrl_c_is_a_key_and_the_terminal_is_given_back(ends: tuple[int, int]) -> None:
    user, ours = ends
    before = termios.tcgetattr(ours)
    written: list[str] = []
    with Screen(ours, written.append) as screen:
        now = termios.tcgetattr(ours)
        assert not now[3] & (termios.ICANON | termios.ECHO)
        assert screen.wait(0.01)
        os.write(user, b"x")
        assert screen.wait(0.05)
        os.write(user, b"\x03")
        assert not screen.wait(5)
        screen.draw("a line")
    assert termios.tcgetattr(ours) == before
    assert written == ["\x1b[H\x1b[2J", "\x1b[Ha line\x1b[K\n\x1b[J"]


def test_q_ends_it_as_well(ends: tuple[int, int]) -> None:
    user, ours = ends
    with Screen(ours, lambda _text: None) as screen:
        os.write(user, b"q")
        assert not screen.wait(5)


def test_a_long_text_is_folded_and_cut_to_the_terminal(ends: tuple[int, int]) -> None:
    _user, ours = ends
    written: list[str] = []
    Screen(ours, written.append).draw("0123456789abc\n\nb\nc\nd")
    assert written == ["\x1b[H0123456789\x1b[K\nabc\x1b[K\n\x1b[K\nb\x1b[K\n\x1b[J"]
    assert frame("", 80, 24) == "\x1b[H\x1b[J"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_ansible_ends_it_the_terminal_is_given_back_first(ends: tuple[int, int], number: int) -> None:
    _user, ours = ends
    before = termios.tcgetattr(ours)
    found: list[t.Any] = []

    def ended(*_args: object) -> t.NoReturn:
        found.append(termios.tcgetattr(ours))
        raise Ended

    kept = signal.signal(number, ended)
    try:
        with pytest.raises(Ended), Screen(ours, lambda _text: None) as screen:
            os.kill(os.getpid(), number)
            screen.wait(5)
        assert signal.getsignal(number) is ended
    finally:
        signal.signal(number, kept)
    assert found == [before]


def test_only_a_terminal_in_whose_foreground_we_are_is_drawn_on(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a job that a shell has put into the background: its terminal is the shell's then."""
    _user, ours = ends
    monkeypatch.setenv("TERM", "xterm")
    kept = os.dup(1)
    try:
        os.dup2(ours, 1)
        assert terminal() is None  # it is no session of ours
        monkeypatch.setattr(os, "tcgetpgrp", lambda _descriptor: os.getpgrp())
        found = terminal()
        assert found is not None
        assert os.ttyname(found) == os.ttyname(ours)
        os.close(found)
        monkeypatch.setenv("TERM", "dumb")
        assert terminal() is None
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_a_cluster_that_cannot_be_reached_is_a_failure(act: Act) -> None:
    result = act("cometbft_watch", {"kubeconfig": "/nowhere", "context": "none", "network": "net"})
    assert result["failed"] is True
    assert "/nowhere" in result["msg"]
