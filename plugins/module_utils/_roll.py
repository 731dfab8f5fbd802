# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes have to be replaced, in which order, and what that costs the chain. No request is sent here.

The update strategy is OnDelete: an apply restarts nothing, and a node takes up its group's newest template, and dials
its peers anew, when its pod is replaced. Names of nodes are those of `cometbft_info`'s report, which ``network`` is.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import group_of, ordinal_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import (
    DIALLING,
    SCALED_AWAY,
    cut_off,
    node_of,
)

Json = dict[str, t.Any]

#: Why nodes are replaced: their pod is of an older revision, or they lost peers that they do not dial any more.
REVISION, PEERS = "revision", "peers"


@dataclass(frozen=True)
class Plan:
    """``order`` is one node after the other; those in ``halting`` stop the chain while they are away."""

    order: list[str] = field(default_factory=list)
    halting: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def plan(network: Json, cause: str, changing: Collection[str] = ()) -> Plan:
    """``changing`` are groups whose newest template the cluster does not have yet, in a check run."""
    # One that is stopped may have a pod that waits, and that comes to know the newest template like the others.
    nodes = {
        node["name"]: node
        for node in network["nodes"]
        if node["reason"] != SCALED_AWAY and not (node["stopped"] and node["pod"] == "absent")
    }
    ephemeral = {group["name"] for group in network["groups"] if group["ephemeral"]}
    if cause == REVISION:
        names = [name for name, node in nodes.items() if node["outdated"] or group_of(name) in changing]
    else:
        names = redialling(list(nodes.values()))
    # First those that are of no use as they are; then whoever has no vote, since a bad change stops at the first one,
    # one group after the other, and that of the validators last. Of validators the lightest come first, and of equals
    # the last, as Kubernetes itself does it.
    turns = sorted(network["groups"], key=lambda group: (group["validators"] > 0, group["name"]))
    turn = {group["name"]: number for number, group in enumerate(turns)}

    def place(name: str) -> tuple[t.Any, ...]:
        node = nodes[name]
        return node["answers"], node["power"], turn.get(group_of(name), 0), -(ordinal_of(name) or 0)

    order = sorted(names, key=place)
    lost = [name for name in order if nodes[name]["power"] and group_of(name) in ephemeral]
    return Plan(
        order,
        [name for name in order if nodes[name]["answers"] and _halts(network, nodes[name])],
        [
            f"the data of {name} goes with its pod (cometbft_ephemeral), and a validator without its signing state is "
            "not started again: start a new chain with reset"
            for name in lost
        ],
    )


def _halts(network: Json, node: Json) -> bool:
    """Whether too little power is left when everybody else is there who is not stopped."""
    power = network["power"]
    stopped = sum(item["power"] for item in network["nodes"] if item["stopped"] and not item["answers"])
    going = node["power"] + sum(node_of(network, name)["power"] for name in cut_off(network, node["name"]))
    return bool(going) and power["total"] - stopped - going < power["needed"]


def redialling(nodes: Sequence[Json]) -> list[str]:
    """As few nodes as will do whose restart brings all missing links back: a node dials when it starts."""
    settled = {node["name"] for node in nodes if node["answers"] and (node["age"] or 0) >= DIALLING}
    links = (frozenset((node["name"], other)) for node in nodes for other in node["peers_missing"])
    missing = {link for link in links if link <= settled}
    dialled = {node["name"]: {frozenset((node["name"], other)) for other in node["dials"]} for node in nodes}
    chosen: list[str] = []
    while missing:
        best = max(dialled, key=lambda name: len(dialled[name] & missing))
        if not dialled[best] & missing:
            break  # nobody is told to dial these
        chosen.append(best)
        missing -= dialled[best]
    return chosen


def quorum_without(network: Json, name: str) -> int:
    """How much power is short, of what is online now, when this node goes; 0 where the chain goes on."""
    going = [node_of(network, one) for one in (name, *cut_off(network, name))]
    gone = sum(node["power"] for node in going if node["answers"] and not node["catching_up"])
    power = network["power"]
    left: int = power["online"] - gone
    return max(0, int(power["needed"]) - left)


def others_online(network: Json, name: str) -> bool:
    """Whether every other validator votes that is not stopped."""
    return all(
        node["answers"] and not node["catching_up"]
        for node in network["nodes"]
        if node["power"] and node["name"] != name and not node["stopped"]
    )
