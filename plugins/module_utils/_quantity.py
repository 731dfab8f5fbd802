# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities of Kubernetes, such as 100m and 2Gi."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

_SUFFIXES = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate(("m", "u", "n"), 1)},
}


def quantity(text: str | int) -> Decimal:
    """A quantity of Kubernetes (100m, 2Gi, 1.5) as a number."""
    value = str(text)
    for suffix, factor in _SUFFIXES.items():
        if value.endswith(suffix):
            return Decimal(value.removesuffix(suffix)) * factor
    return Decimal(value)


def plain(value: Decimal) -> str:
    """A number without a suffix and without trailing zeros."""
    return f"{value.normalize():f}"


def times(text: str | int, count: int) -> str:
    """A quantity multiplied, written the way the API server writes it back."""
    return _written(quantity(text) * count, str(text))


def total(texts: Sequence[str | int]) -> str:
    """The sum of quantities, written as the finest of them."""
    return _written(sum(map(quantity, texts), Decimal()), str(min(texts, key=lambda text: _unit(str(text)))))


def _unit(text: str) -> Decimal:
    return next((factor for suffix, factor in _SUFFIXES.items() if text.endswith(suffix)), Decimal(1))


def _written(value: Decimal, like: str) -> str:
    if like[-1:].isdigit() or like.endswith(("m", "u", "n")):
        # Nothing finer than a thousandth can be asked for: the server rounds up, too.
        return str(int(value)) if value == int(value) else f"{math.ceil(value * 1000)}m"
    suffixes = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki") if like.endswith("i") else ("E", "P", "T", "G", "M", "k")
    for suffix in suffixes:
        factor = _SUFFIXES[suffix]
        if value and value % factor == 0:
            return f"{int(value / factor)}{suffix}"
    return str(int(value))
