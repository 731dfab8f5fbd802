# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pty
import sys
import termios
import time
import typing as t
from pathlib import Path

import pytest
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _story

Act = t.Callable[..., dict[str, t.Any]]
QUESTION = {"question": "Remove all?", "hint": "CONFIRM=yes"}


def test_who_said_yes_is_not_asked(act: Act, capsys: pytest.CaptureFixture[str]) -> None:
    result = act("confirm", {**QUESTION, "confirmed": "yes"})
    assert (result["changed"], result["asked"]) == (False, False)
    assert "failed" not in result
    assert capsys.readouterr().out == ""


def test_check_mode_says_what_it_would_ask(act: Act, capsys: pytest.CaptureFixture[str]) -> None:
    assert "failed" not in act("confirm", QUESTION, check=True)
    assert capsys.readouterr().out == "confirm   would ask: Remove all?\n"


def test_without_a_terminal_it_fails_in_words(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Display, "_stdin_fd", None)
    result = act("confirm", QUESTION)
    assert result["failed"] is True
    assert result["msg"] == ("Asked for confirmation (Remove all?): there is no terminal to ask on; nothing was done.")
    assert result["hint"] == "to go on, say so beforehand: CONFIRM=yes"


@pytest.mark.parametrize(
    ("keys", "code", "told"),
    [
        (b"yes\r", 0, "done "),
        (b"no\r", 2, "the answer was not yes; nothing was done"),
        (b"\x03", 2, "the question was interrupted; nothing was done"),
    ],
)
def test_on_a_terminal_it_asks(tmp_path: Path, keys: bytes, code: int, told: str) -> None:
    """By the real ansible-playbook, on a terminal of its own."""
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - mintnet.kubernetes.confirm: {question: 'Remove all?'}\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(
            {
                "ANSIBLE_COLLECTIONS_PATH": str(Path(_story.__file__).parents[5]),
                "ANSIBLE_HOME": str(tmp_path),
                "ANSIBLE_STDOUT_CALLBACK": "mintnet.kubernetes.story",
                "TERM": "xterm",
            }
        )
        os.execv(sys.executable, [sys.executable, "-m", "ansible.cli.playbook", "-i", "localhost,", str(playbook)])
    shown = b""
    answered = False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        shown += piece
        if not answered and b"(yes/no)\r\n" in shown:
            # Keys that were pressed before the question are thrown away by design.
            answered = _answer(terminal, keys)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    text = " ".join(shown.decode().replace("\x1b[0m", "").replace("\x1b[0;31m", "").split())
    assert "confirm Remove all? (yes/no)" in text
    assert told in text


def _answer(terminal: int, keys: bytes) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        # The prompt reads key by key: it has switched the terminal's line mode off.
        if not termios.tcgetattr(terminal)[3] & termios.ICANON:
            break
        time.sleep(0.01)
    time.sleep(0.2)
    os.write(terminal, keys)
    return True
