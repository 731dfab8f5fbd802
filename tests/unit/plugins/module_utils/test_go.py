# SPDX-License-Identifier: GPL-3.0-or-later
"""All expected values were printed by Go itself."""

from __future__ import annotations

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text, nanoseconds, now_text, time_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1m30s", 90_000_000_000),
        ("1.5h", 5_400_000_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("0", 0),
        ("-1s", -1_000_000_000),
        ("+1s", 1_000_000_000),
        ("1h1ns", 3_600_000_000_001),
        ("1.0000000009s", 1_000_000_000),
        ("1us1µs1μs", 3000),
        ("9223372036s", 9_223_372_036_000_000_000),
    ],
)
def test_duration(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "1x", "s", "1 s", "1s ", "--1s", "1m30", "9999999999999999h", "1e3s", "٣s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.120+02:00", "2025-12-31T22:00:00.12Z"),
        ("2026-11-24T00:23:00.148421179Z", "2026-11-24T00:23:00.148421179Z"),
        # What YAML makes of a time without quotes.
        ("2026-01-01 00:00:00+00:00", "2026-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00Z"),
    ],
)
def test_time(text: str, expected: str) -> None:
    assert time_text(text) == expected
    assert time_text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-01T00:00:00.1234567890Z",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        time_text(text)


def test_now_is_in_whole_seconds_and_in_go_form() -> None:
    assert time_text(now_text()) == now_text()
    assert "." not in now_text()


def test_json_is_escaped_like_go() -> None:
    assert json_text('a<b>&\u2028\x7f\b\f\n"\\ä\x01') == '"a\\u003cb\\u003e\\u0026\\u2028\x7f\\b\\f\\n\\"\\\\ä\\u0001"'
    assert json_text({"a": [1, {}, []]}) == '{"a":[1,{},[]]}'
    assert json_text({"a": [1, {}]}, indent=2) == '{\n  "a": [\n    1,\n    {}\n  ]\n}'


def test_json_has_no_infinity() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text(float("inf"))
