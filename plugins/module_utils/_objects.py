# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply of many objects at once, and the truth about what it changes."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError

#: What must be there before the rest, and what comes after it: quotas and names before the pods that need them.
_FIRST = (("Namespace",), ("ResourceQuota", "LimitRange", "NetworkPolicy"))
_LAST = (("StatefulSet", "Deployment"),)
_WRITTEN_BY_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")

Key = tuple[str, str]


@dataclass
class Applied:
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    #: StatefulSets that were there, whose pods would be made otherwise from now on.
    restarts: list[str] = field(default_factory=list)
    before: dict[str, Json] = field(default_factory=dict)
    after: dict[str, Json] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.created or self.updated)


def apply(api: Api, definitions: Sequence[Json], optional: Collection[str], *, dry_run: bool = False) -> Applied:
    """Apply them in the order that their kinds need, side by side within each.

    Objects of the ``optional`` kinds are left out where the user may not make them.
    """
    check(definitions)
    doing = "reading what is there"
    there = api.side_by_side(
        {
            _key(item): partial(
                api.get, doing, item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]
            )
            for item in definitions
        }
    )
    outcome = Applied()
    missing = _missing_namespaces(api, definitions) if dry_run else set()
    for wave in filter(None, in_waves(definitions)):
        # The server cannot say what would become of an object in a namespace that it does not have.
        planned = [item for item in wave if item["metadata"].get("namespace") in missing]
        calls = {
            _key(item): partial(api.apply, _doing(item), item, dry_run=dry_run) for item in wave if item not in planned
        }
        results: dict[Key, Json | ClusterError] = {_key(item): item for item in planned}
        results |= api.side_by_side(calls)
        _note(outcome, wave, there, results, optional)
    return outcome


def _note(
    outcome: Applied,
    wave: Sequence[Json],
    there: dict[Key, Json | ClusterError | None],
    results: dict[Key, Json | ClusterError],
    optional: Collection[str],
) -> None:
    faults = []
    for item in wave:
        key, name = _key(item), f"{item['kind']} {item['metadata']['name']}"
        before, after = there[key], results[key]
        if isinstance(after, ClusterError):
            if after.status == 403 and after.reason == "Forbidden" and item["kind"] in optional:
                outcome.skipped.append(name)
            else:
                faults.append(after)
            continue
        if isinstance(before, ClusterError):
            raise before
        if before is None:
            outcome.created.append(name)
        elif visible(before) != visible(after):
            outcome.updated.append(name)
            if _template(before) != _template(after):
                outcome.restarts.append(item["metadata"]["name"])
        else:
            continue
        outcome.before[name] = {} if before is None else visible(before)
        outcome.after[name] = visible(after)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise FaultsError("applying objects", map(str, faults))


def check(definitions: Sequence[Json]) -> None:
    faults = []
    for number, item in enumerate(definitions, 1):
        kind, name = item.get("kind"), (item.get("metadata") or {}).get("name")
        if not kind or not name:
            faults.append(f"object {number} has no kind or no name")
        elif kind not in KINDS or item.get("apiVersion") != KINDS[kind].version or kind == "Secret":
            faults.append(f"{kind} {name}: {item.get('apiVersion')} {kind} is not among the kinds that are known")
        elif KINDS[kind].namespaced and not item["metadata"].get("namespace"):
            faults.append(f"{kind} {name} has no namespace")
    if faults:
        raise FaultsError("reading the definitions", faults)


def _missing_namespaces(api: Api, definitions: Sequence[Json]) -> set[str | None]:
    names = {item["metadata"].get("namespace") for item in definitions} - {None}
    found = api.side_by_side(
        {name: partial(api.get, "reading the namespace", "Namespace", None, name) for name in names}
    )
    return {name for name, answer in found.items() if answer is None}


def in_waves(definitions: Sequence[Json]) -> list[list[Json]]:
    """What is applied at once: namespaces, what pods are held to, what they need, and what makes them."""
    early, late = [kind for wave in _FIRST for kind in wave], [kind for wave in _LAST for kind in wave]
    middle = tuple(kind for kind in KINDS if kind not in early and kind not in late)
    return [[item for item in definitions if item["kind"] in kinds] for kinds in (*_FIRST, middle, *_LAST)]


def _key(item: Json) -> Key:
    return item["kind"], f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def _doing(item: Json) -> str:
    return f"applying {item['kind']} {item['metadata']['name']}"


def visible(item: Json) -> Json:
    """The object without what the server and its controllers write."""
    shown = {key: value for key, value in item.items() if key != "status"}
    shown["metadata"] = {key: value for key, value in item["metadata"].items() if key not in _WRITTEN_BY_SERVER}
    return t.cast(Json, json.loads(json.dumps(shown, sort_keys=True)))


def _template(item: Json) -> Json | None:
    return t.cast("Json | None", item["spec"].get("template") if item["kind"] == "StatefulSet" else None)
