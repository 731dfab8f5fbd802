# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a pod asks for can ever be had: of the machines, and of a quota."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from ansible_collections.mintnet.kubernetes.plugins.module_utils._quantity import plain, quantity

Json = dict[str, t.Any]

_QUOTA = re.compile(r"exceeded quota: (?P<name>[^,\s]+), requested: (?P<requested>\S+), used:")


class MachineFault(NamedTuple):
    reason: str
    next: str


def machine_fault(machine: Json) -> MachineFault | None:
    """What is wrong with a machine that should run a pod."""
    name = machine.get("metadata", {}).get("name", "")
    for condition in machine.get("status", {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] != "True":
            said = condition.get("message") or condition.get("reason", "")
            return MachineFault(
                f"is not ready: {said}", f"start or repair the machine {name}; kubectl describe node {name} says more"
            )
    return None


def requests_of(pod: Json) -> dict[str, Decimal]:
    """CPU and memory that a pod asks for: those of its containers, or of one that comes before them if that is more."""
    spec = pod["spec"]
    return {
        name: max(
            sum((_request(container, name) for container in spec.get("containers") or []), Decimal()),
            *(_request(container, name) for container in spec.get("initContainers") or []),
            Decimal(),
        )
        for name in ("cpu", "memory")
    }


def _request(container: Json, name: str) -> Decimal:
    return quantity(((container.get("resources") or {}).get("requests") or {}).get(name, 0))


def is_for_good(pod: Json, replicas: int, machines: Iterable[Json] | None) -> bool:
    """Whether the machines, even if they were empty, have no room for so many such pods."""
    wanted = {name: value for name, value in requests_of(pod).items() if value}
    found = [machine["status"]["allocatable"] for machine in machines or []]
    if not found or not wanted:
        return False
    return (
        sum(min(int(quantity(item.get(name, 0)) / value) for name, value in wanted.items()) for item in found)
        < replicas
    )


def room_of(pod: Json, machines: Iterable[Json] | None) -> str:
    """What to do about too little room; nothing where the machines are unknown."""
    found = [machine["status"]["allocatable"] for machine in machines or []]
    if not found:
        return ""
    wanted = requests_of(pod)
    largest = {name: max((str(item.get(name, 0)) for item in found), key=quantity) for name in wanted}
    asked = f"a node asks for {plain(wanted['cpu'])} CPU and {_mebibytes(wanted['memory'])} of memory"
    most = f"the largest machine has {plain(quantity(largest['cpu']))} and {_mebibytes(quantity(largest['memory']))}"
    return f"ask for less with cometbft_resources, or add machines ({asked}, {most}); then run create again"


def _mebibytes(value: Decimal) -> str:
    return f"{int(value) >> 20}Mi"


def quota_is_for_good(said: str, nodes: int, quotas: Iterable[Json] | None) -> bool:
    """Whether the quota that an event names cannot hold all nodes, even if nobody else used any of it."""
    match = _QUOTA.search(said)
    if not match:
        return False
    hard: Mapping[str, t.Any] = next(
        (item["spec"].get("hard") or {} for item in quotas or [] if item["metadata"]["name"] == match["name"]), {}
    )
    for part in match["requested"].split(","):
        name, _equals, value = part.partition("=")
        if name in hard and quantity(value) * nodes > quantity(hard[name]):
            return True
    return False
