# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app_state of a genesis: JSON that somebody brings, and patches over it."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping
from decimal import Decimal


def read_json(text: str, *, exact: bool = False) -> t.Any:
    """What a JSON text says; ValueError where two readers could understand it differently.

    With ``exact``, numbers that would be written otherwise than they were read are refused, too.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_exact_float if exact else None,
        )
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character (a lone surrogate such as \\ud800)") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    return value


def _unique(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the member {twice} twice in one object")
    return members


def _no_number(text: str) -> t.NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _exact_float(text: str) -> float:
    number = float(text)
    try:
        exact = abs(number) < float("inf") and Decimal(text) == Decimal(repr(number))
    except ArithmeticError:  # its exponent is beyond all bounds
        exact = False
    if not exact:
        raise ValueError(f"the number {text} cannot be kept exactly; put it in quotes if the application allows that")
    return number


def ordered(state: t.Any, faults: list[str], at: str = "app_state") -> t.Any:
    """The same for every order in which members were written; None, with a fault, for what JSON cannot hold."""
    try:
        text = json.dumps(state, sort_keys=True, allow_nan=False, ensure_ascii=False)
        text.encode()
        return json.loads(text)
    except RecursionError:
        faults.append(f"{at}: it is nested too deeply")
    except UnicodeEncodeError:
        faults.append(f"{at}: it holds half a character (a lone surrogate)")
    except (TypeError, ValueError) as error:
        faults.append(f"{at}: {error}")
    return None


def digest(state: t.Any) -> str:
    """A SHA-256 that is the same for every order in which members were written."""
    return hashlib.sha256(json.dumps(plain(state), sort_keys=True).encode()).hexdigest()


def plain(value: t.Any) -> t.Any:
    """Ansible's own containers, whose items come to be when they are looked at, as json knows them."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def merge(target: t.Any, patch: t.Any) -> t.Any:
    """A JSON merge patch (RFC 7396): members are laid over those of the target, and null removes one."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def compose(
    inline: Mapping[str, t.Any] | None, file: str | None, patch: Mapping[str, t.Any] | None, faults: list[str]
) -> t.Any:
    """The app_state out of what was asked, or None: written inline or the text of a file, and a patch over it."""
    if inline and file is not None:
        faults.append("app_state_src: there is an app_state as well; give one of them, and a patch for what differs")
        return None
    state: t.Any = inline or None
    if file is not None:
        try:
            state = read_json(file, exact=True)
        except ValueError as error:
            faults.append(f"app_state_src: {error}")
            return None
        if not isinstance(state, dict):
            faults.append("app_state_src: it is no JSON object")
            return None
    return merge(state, patch) if patch else state
