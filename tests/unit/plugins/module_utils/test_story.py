# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import clock, line, story, wrap


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (5.9, "0:05"),
        (60, "1:00"),
        (161.2, "2:41"),
        (3599, "59:59"),
        (3723, "1:02:03"),
        (36000, "10:00:00"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_line_has_its_text_in_one_column() -> None:
    assert line("cluster", "ready") == "cluster   ready"
    assert line("pods", "4 of 4\nheight 1") == "pods      4 of 4\n          height 1"
    assert line("next", "") == "next"
    assert line("a-long-label", "text") == "a-long-labeltext"


def test_wrap_folds_at_words_and_keeps_breaks_indents_and_long_words() -> None:
    text = "one two three four five\n\n  six seven eight nine\n- ten eleven twelve thirteen\n" + "x" * 40
    assert wrap(text, 30).splitlines() == [
        "one two three four",
        "five",
        "",
        "  six seven eight",
        "  nine",
        "- ten eleven twelve",
        "  thirteen",
        "x" * 40,
    ]


def test_story_leaves_out_what_has_no_text() -> None:
    assert story([("failed", "it"), ("next", ""), ("why", "a\nb")], 80) == "failed    it\nwhy       a\n          b"
