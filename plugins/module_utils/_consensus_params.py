# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The consensus parameters of a genesis: what each release line knows, its defaults, and CometBFT's limits."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import MAX_INT64, nanoseconds
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import KEY_TYPES
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import nearest

MAX_BLOCK_BYTES = 100 * 1024 * 1024
MAX_AUTHORITY_LENGTH = 256

Params = dict[str, dict[str, t.Any]]


@dataclass(frozen=True)
class Line:
    """What a release line of CometBFT makes of consensus parameters."""

    name: str
    block_max_bytes: int
    has_authority: bool
    #: What one validator's signature takes in a commit at most.
    signature_bytes: int

    @property
    def key_types(self) -> tuple[str, ...]:
        return tuple(kind.name for kind in KEY_TYPES if self.name in kind.lines)

    @property
    def defaults(self) -> Params:
        params: Params = {
            "block": {"max_bytes": self.block_max_bytes, "max_gas": -1},
            "evidence": {
                "max_age_num_blocks": 100_000,
                "max_age_duration": 48 * 3600 * 10**9,
                "max_bytes": 1024 * 1024,
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": 0},
            "abci": {"vote_extensions_enable_height": 0},
        }
        return params | {"authority": {"authority": ""}} if self.has_authority else params


LINES = {
    line.name: line
    for line in (
        Line("0.38", 22020096, has_authority=False, signature_bytes=111),
        Line("0.39", 22020096, has_authority=True, signature_bytes=144),
        Line("0.40", 55600190, has_authority=True, signature_bytes=3358),
    )
}

#: One default of every parameter, which shows its type.
KNOWN = {
    (group, name): value
    for line in LINES.values()
    for group, members in line.defaults.items()
    for name, value in members.items()
}

#: What a block holds besides transactions, evidence and signatures: MaxOverheadForBlock, MaxHeaderBytes,
#: MaxCommitOverheadBytes.
BLOCK_OVERHEAD = 11 + 626 + 94


def _integer(value: t.Any) -> int:
    """A number, or a number in quotes as the genesis file has it."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{value!r} is no whole number")
    if isinstance(value, str) and not re.fullmatch("-?[0-9]+", value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _duration(value: t.Any) -> int:
    try:
        return _integer(value)
    except ValueError:
        if isinstance(value, str):
            return nanoseconds(value)
        raise


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _texts(value: t.Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{value!r} is no list of texts")
    return [str(item) for item in value]


def _reader(group: str, name: str, default: t.Any) -> Callable[[t.Any], t.Any]:
    if (group, name) == ("evidence", "max_age_duration"):
        return _duration
    readers: dict[type, Callable[[t.Any], t.Any]] = {int: _integer, str: _text, list: _texts}
    return readers[type(default)]


def typed(group: str, name: str, value: t.Any) -> t.Any:
    """A value as it is meant, whether it stands in a genesis or in somebody's variables; as it is, where it is none."""
    default = KNOWN.get((group, name))
    try:
        return value if default is None else _reader(group, name, default)(value)
    except ValueError:
        return value


def overlay(asked: Mapping[str, t.Any], line: Line, faults: list[str]) -> Params:
    """What was asked of the consensus parameters, with values of the right type."""
    params: Params = {}
    for group, members in ((str(group), members) for group, members in asked.items()):
        known = line.defaults.get(group)
        at = f"consensus_params.{group}"
        if known is None:
            faults.append(f"{at}: {_unknown(group, line)}")
        elif not isinstance(members, Mapping):
            faults.append(f"{at}: it takes members: {', '.join(known)}")
        else:
            for name, value in ((str(name), value) for name, value in members.items()):
                if name not in known:
                    faults.append(f"{at}.{name}: there is no such parameter{nearest(name, known)}")
                    continue
                try:
                    params.setdefault(group, {})[name] = _reader(group, name, known[name])(value)
                except ValueError as error:
                    faults.append(f"{at}.{name}: {error}")
    return params


def ignored(params: Params, line: Line) -> list[str]:
    """What an existing genesis sets and this line reads over."""
    names = {
        f"consensus_params.{group}.{name}" if group in line.defaults else f"consensus_params.{group}"
        for group, members in params.items()
        for name, value in members.items()
        if name not in line.defaults.get(group, {}) and value != KNOWN.get((group, name))
    }
    return sorted(names)


def as_read(params: Params | None, line: Line) -> Params:
    """What CometBFT makes of the parameters in a file: the defaults where there are none, and 0 for a missing one."""
    if params is None:
        return line.defaults
    return {
        group: {name: params.get(group, {}).get(name, type(default)()) for name, default in members.items()}
        for group, members in line.defaults.items()
    }


def _unknown(group: str, line: Line) -> str:
    others = [name for name, other in LINES.items() if group in other.defaults]
    if others:
        return f"only CometBFT {', '.join(others)} has it"
    return f"there are no such parameters{nearest(group, line.defaults)}"


def limit_faults(params: Params, line: Line, key_types: Iterable[str], count: int) -> Iterable[str]:
    """CometBFT's ConsensusParams.ValidateBasic, and what would stop the chain later.

    ``key_types`` are those that the validators use, ``count`` is how many validators there are.
    """
    block, evidence = params["block"], params["evidence"]
    size = MAX_BLOCK_BYTES if block["max_bytes"] == -1 else block["max_bytes"]
    needed = BLOCK_OVERHEAD + line.signature_bytes * count
    if size < 1:
        yield f"consensus_params.block.max_bytes: it is {size}, allowed are -1 and 1 to {MAX_BLOCK_BYTES}"
    elif size > MAX_BLOCK_BYTES:
        yield f"consensus_params.block.max_bytes: it is {size}, at most {MAX_BLOCK_BYTES} is allowed"
    elif size < needed:
        yield (
            f"consensus_params.block.max_bytes: it is {size}, but the signatures of {count} validators may take "
            f"{needed}, and the nodes would stop"
        )
    if block["max_gas"] < -1:
        yield f"consensus_params.block.max_gas: it is {block['max_gas']}, at least -1 is needed"
    for name in ("max_age_num_blocks", "max_age_duration"):
        if evidence[name] < 1:
            yield f"consensus_params.evidence.{name}: it is {evidence[name]}, at least 1 is needed"
    if evidence["max_bytes"] < 0 or evidence["max_bytes"] > size > 0:
        yield f"consensus_params.evidence.max_bytes: it is {evidence['max_bytes']}, allowed are 0 to {size} (a block)"
    yield from _key_type_faults(params["validator"]["pub_key_types"], line, set(key_types))
    if not 0 <= params["version"]["app"] < 2**64:
        yield f"consensus_params.version.app: it is {params['version']['app']}, allowed are 0 to {2**64 - 1}"
    height = params["abci"]["vote_extensions_enable_height"]
    if height < 0:
        yield f"consensus_params.abci.vote_extensions_enable_height: it is {height}, at least 0 is needed"
    length = len(params.get("authority", {}).get("authority", "").encode())
    if length > MAX_AUTHORITY_LENGTH:
        yield f"consensus_params.authority.authority: it has {length} bytes, at most {MAX_AUTHORITY_LENGTH} are allowed"
    for group, members in params.items():
        for name, value in members.items():
            if isinstance(value, int) and value > MAX_INT64 and (group, name) != ("version", "app"):
                yield f"consensus_params.{group}.{name}: it is {value}, at most {MAX_INT64} is allowed"


def _key_type_faults(allowed: Sequence[str], line: Line, used: set[str]) -> Iterable[str]:
    at = "consensus_params.validator.pub_key_types"
    unknown = [name for name in allowed if name not in line.key_types]
    if unknown or not allowed:
        what = f"this version does not know {', '.join(unknown)}" if unknown else "it is empty"
        yield f"{at}: {what}; known: {', '.join(line.key_types)}"
    elif not used <= set(allowed):
        yield f"{at}: it allows {', '.join(allowed)}, but validators have {', '.join(sorted(used - set(allowed)))}"
