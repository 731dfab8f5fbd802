# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    is_label,
    line_of,
    nearest,
    unknown_version,
)


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("0.40.0", "0.40"),
        ("v0.39.4", "0.39"),
        ("0.38", "0.38"),
        ("0.40.1-rc1", "0.40"),
        ("0.4", None),
        ("0.37.18", None),
        ("1.0.1", None),
        ("0.40.", None),
        ("0.400", None),
        ("latest", None),
        ("", None),
    ],
)
def test_line(version: str, line: str | None) -> None:
    assert line_of(version) == line


def test_unknown_version_explains_what_yaml_does() -> None:
    assert "0.38, 0.39, 0.40" in unknown_version("0.4")
    assert "quotes" in unknown_version("0.4")


@pytest.mark.parametrize("name", ["a", "tm-0", "0", "a" * 63])
def test_label(name: str) -> None:
    assert is_label(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a/b", "..", "a" * 64, "ä", "a\n"])
def test_no_label(name: str) -> None:
    assert not is_label(name)


def test_nearest() -> None:
    assert nearest("timeout_comit", ["timeout_commit", "timeout_propose"]) == "; did you mean timeout_commit?"
    assert nearest("entirely", ["different"]) == ""
