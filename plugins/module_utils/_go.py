# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON, times and durations in exactly the form in which Go, and so CometBFT, writes them."""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from fractions import Fraction

# Go escapes these, so that JSON can stand within HTML and JavaScript.
_ESCAPED = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")

MAX_INT64 = 2**63 - 1


def json_text(value: t.Any, indent: int | None = None) -> str:
    """The text of json.Marshal, or of json.MarshalIndent with so many blanks; no line end follows."""
    separators = (",", ": " if indent else ":")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return text.translate(_ESCAPED)


def time_text(text: str) -> str:
    """An RFC 3339 time as Go prints it in UTC: fractions without trailing zeros, down to nanoseconds."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time like 2026-01-01T12:00:00Z")
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T{clock}{zone.upper()}").astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time: {error}") from error
    digits = (fraction or "").rstrip("0")
    return moment.replace(tzinfo=None).isoformat() + (f".{digits}" if digits else "") + "Z"


def now_text() -> str:
    """Now, in whole seconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def nanoseconds(text: str) -> int:
    """What time.ParseDuration makes of a text such as 1m30s."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    parts = _DURATION_PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"{text!r} is not a duration like 500ms, 10s or 1m30s")
    # Fractions are exact where floats are not; Go cuts what is less than a nanosecond off each part.
    total = sign * sum(int(Fraction(number.rstrip(".")) * _UNITS[unit]) for number, unit in parts)
    if abs(total) > MAX_INT64:
        raise ValueError(f"{text!r} is too long: a duration is at most {MAX_INT64 // _UNITS['h']}h")
    return total
