# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of nodes as the user asks for them: what each one has, and what cannot be."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import MAX_VALIDATORS
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    FIRST,
    group_of,
    is_label,
    ordinal_of,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._topology import FULL, Group
from ansible_collections.mintnet.kubernetes.plugins.module_utils._values import CHECKS, at_least

Json = dict[str, t.Any]

#: Kubernetes labels the pods of a StatefulSet with its name, a dash and a hash of ten characters.
LONGEST = 52
_OFFICIAL = "cometbft/cometbft:v"
#: What a group has otherwise than the others is checked like the variable that speaks for all.
_LIKE_ALL = ("version", "image", "app_image", "resources", "volume_size", "storage_class", "node_selector")
_CHECKS: dict[str, Callable[[t.Any], t.Any]] = {
    "nodes": at_least(0, MAX_VALIDATORS),
    **{entry: CHECKS[f"cometbft_{entry}"] for entry in _LIKE_ALL},
}


def typed(group: Mapping[str, t.Any]) -> Json:
    """What a group says of itself. YAML reads a version as a number, and the command line a number as text."""
    own = {name: value for name, value in group.items() if value is not None}
    texts = {name: str(value) for name, value in own.items() if not isinstance(value, Mapping | list | tuple)}
    return {"mode": FULL, **own, **texts, "nodes": int(own.get("nodes", 1))}


def complete(groups: Sequence[Mapping[str, t.Any]], first: Mapping[str, t.Any]) -> list[Json]:
    """All groups, the one with the validators first: what another one does not say of itself is as in that one."""
    found = [dict(first)]
    for own in map(typed, groups):
        official = {"image": _OFFICIAL + own["version"]} if "version" in own else {}
        resources = {
            kind: {**first["resources"].get(kind, {}), **own.get("resources", {}).get(kind, {})}
            for kind in first["resources"]
        }
        found.append({**first, **official, **own, "resources": resources})
    return found


def names_of(groups: Sequence[Mapping[str, t.Any]]) -> list[str]:
    """The nodes of these groups."""
    return [f"{own['name']}-{number}" for own in map(typed, groups) for number in range(max(0, own["nodes"]))]


def modes_of(groups: Sequence[Mapping[str, t.Any]]) -> dict[str, Group]:
    return {own["name"]: Group(own["mode"], own.get("guards", ())) for own in map(typed, groups)}


def name_faults(groups: Sequence[Mapping[str, t.Any]]) -> list[str]:
    names = [str(group["name"]) for group in groups]
    return [f"cometbft_groups[{number}].name = {name!r}: {fault}" for number, name, fault in _wrong(names)]


def _wrong(names: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    for number, name in enumerate(names):
        if not is_label(name) or not name[0].isalpha() or len(name) > LONGEST:
            yield number, name, f"must be 1 to {LONGEST} of a-z, 0-9 and dashes, with a letter first and no dash last"
        elif ordinal_of(name) is not None:
            yield number, name, f"must not end in a dash and a number, as nodes of a group {group_of(name)} do"
        elif name == FIRST:
            yield number, name, "in use, by the nodes that cometbft_nodes counts; choose another one"
        elif name in names[:number]:
            yield number, name, "in use, by a group before it; choose another one"


def value_faults(groups: Sequence[Mapping[str, t.Any]]) -> list[str]:
    """What single entries must be."""
    return [
        f"cometbft_groups[{number}].{entry} = {_shown(own[entry])}: must be {wanted}"
        for number, own in enumerate(map(typed, groups))
        for entry, check in _CHECKS.items()
        if entry in own and (wanted := check(own[entry]))
    ]


def _shown(value: t.Any) -> str:
    return "a mapping" if isinstance(value, Mapping) else repr(value) if isinstance(value, str) else str(value)
