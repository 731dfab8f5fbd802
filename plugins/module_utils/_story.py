# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of the story that a run tells: a label in the first column, then the text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 10
# Where output is not a terminal: long enough for most messages, short enough for a log viewer.
LOG_COLUMNS = 120

# Set by the callback: how many columns a line has.
columns = LOG_COLUMNS

# Set by the callback that keeps lines until the run's end; workers are forked from the process that set it.
keeps_last = False


def line(label: str, text: str) -> str:
    """One line of the story; further lines of the text are indented to its column."""
    head, *rest = text.splitlines() or [""]
    return "\n".join([(label.ljust(WIDTH) + head).rstrip(), *((" " * WIDTH + more).rstrip() for more in rest)])


def clock(seconds: float) -> str:
    """A duration as people read it: 0:05, 2:41, 1:02:03."""
    minutes, secs = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def wrap(text: str, columns: int) -> str:
    """The text folded to the story's column. Its own lines, indents and items stay apart, and words stay whole."""
    folded: list[str] = []
    for row in text.expandtabs().splitlines():
        indent = " " * (len(row) - len(row.lstrip().removeprefix("- ")))
        folded += textwrap.wrap(
            row,
            max(columns - WIDTH, 20),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]
    return "\n".join(folded)


def story(parts: Iterable[tuple[str, str]], columns: int) -> str:
    """Several labelled texts, folded; those without a text are left out."""
    return "\n".join(line(label, wrap(text, columns)) for label, text in parts if text)
