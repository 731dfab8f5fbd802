# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _story

Act = t.Callable[..., dict[str, t.Any]]


def test_a_line_is_told_at_once(act: Act, capsys: pytest.CaptureFixture[str]) -> None:
    result = act("tell", {"label": "pods", "text": "4 of 4\nheight 1"})
    assert capsys.readouterr().out == "pods      4 of 4\n          height 1\n"
    assert result["changed"] is False
    assert "story_last" not in result


def test_raw_lines_are_told_as_they_are(act: Act, capsys: pytest.CaptureFixture[str]) -> None:
    act("tell", {"raw": "a  b\n  c"})
    assert capsys.readouterr().out == "a  b\n  c\n"


def test_last_lines_are_kept_only_where_somebody_keeps_them(
    act: Act, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = {"label": "next", "text": "make status", "last": True}
    monkeypatch.setattr(_story, "keeps_last", False)
    assert "story_last" not in act("tell", args)
    assert capsys.readouterr().out == "next      make status\n"
    monkeypatch.setattr(_story, "keeps_last", True)
    assert act("tell", args)["story_last"] == "next      make status"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("args", [{}, {"label": "a"}, {"text": "a"}, {"text": "a", "label": "b", "raw": "c"}])
def test_what_makes_no_line_is_refused(act: Act, args: dict[str, str]) -> None:
    with pytest.raises(AnsibleError):
        act("tell", args)
