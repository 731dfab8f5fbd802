# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal on which the same is drawn again and again, until the user ends it with Ctrl-C.

Here that is a key like any other. As a signal it would end Ansible, and make with it, as something that went wrong.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import time
import typing as t
from collections.abc import Callable

HOME, CLEAR, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[H\x1b[2J", "\x1b[K", "\x1b[J"
#: The keys that end it: Ctrl-C, and what ends pagers.
ENDING = b"\x03qQ"


def terminal() -> int | None:
    """The terminal in whose foreground Ansible runs. Only its first process can tell; workers are cut off from it."""
    if not os.isatty(1) or os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        found = os.open(os.ttyname(1), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.tcgetpgrp(found) == os.getpgrp():
            return found
    except OSError:  # it is another session's
        pass
    os.close(found)
    return None


def frame(text: str, columns: int, rows: int) -> str:
    """What puts the text over the one before: from the top, with the rests of longer lines and of more lines wiped."""
    folded = [row[at : at + columns] for row in text.splitlines() for at in range(0, len(row) or 1, columns)]
    return HOME + "".join(f"{row}{CLEAR_LINE}\n" for row in folded[: max(rows - 1, 1)]) + CLEAR_BELOW


class Screen:
    """``write`` prints on the terminal, of which this is an open descriptor."""

    def __init__(self, terminal: int, write: Callable[[str], None]) -> None:
        self._terminal = terminal
        self._write = write
        self._handlers: dict[int, t.Any] = {}

    def __enter__(self) -> Screen:
        self._before = termios.tcgetattr(self._terminal)
        keys = termios.tcgetattr(self._terminal)
        keys[3] &= ~(termios.ICANON | termios.ECHO)
        keys[6][termios.VINTR] = bytes([os.fpathconf(self._terminal, "PC_VDISABLE") & 0xFF])
        for number in (signal.SIGINT, signal.SIGTERM):  # by which Ansible ends a worker, at once
            self._handlers[number] = signal.signal(number, self._ended)
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, keys)
        self._write(CLEAR)
        return self

    def __exit__(self, *_exc: object) -> None:
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _ended(self, number: int, stack: t.Any) -> None:
        self.__exit__()
        if callable(handler := self._handlers[number]):
            handler(number, stack)
        else:
            os.kill(os.getpid(), number)

    def draw(self, text: str) -> None:
        columns, rows = os.get_terminal_size(self._terminal)
        self._write(frame(text, columns or 80, rows or 24))

    def wait(self, seconds: float) -> bool:
        """Let the time pass; False as soon as the user ends it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                pressed = os.read(self._terminal, 64)
                if not pressed or any(key in ENDING for key in pressed):
                    return False
        return True
