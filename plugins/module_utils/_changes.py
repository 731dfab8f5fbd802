# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may change on a network that lives, and what would destroy its chain."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import digest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._consensus_params import KNOWN, typed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import FIRST, group_of, ordinal_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import parse_time
from ansible_collections.mintnet.kubernetes.plugins.module_utils._quantity import quantity

Json = dict[str, t.Any]


@dataclass(frozen=True)
class Wanted:
    """What the user's variables say about one network."""

    network: str
    chain_id: str
    nodes: int
    validators: int
    power: int
    powers: Json = field(default_factory=dict)
    genesis_time: str = ""
    initial_height: int = 1
    consensus_params: Json | None = None
    #: What a block may have at most, where its way to the application has a limit.
    block_bytes: int = 0
    app_state: t.Any = None
    ephemeral: bool = False
    volume_size: str = ""
    storage_class: str = ""
    #: What was asked of further groups, each with name, nodes, volume_size and storage_class.
    groups: Sequence[Json] = ()
    confirmed: bool = False
    #: Where keys lie: secret, or pod.
    custody: str = "secret"

    @property
    def asked(self) -> list[Asked]:
        """Of each group; the first one has the validators."""
        first = Asked(FIRST, self.nodes, self.volume_size, self.storage_class)
        return [
            first,
            *(Asked(item["name"], item["nodes"], item["volume_size"], item["storage_class"]) for item in self.groups),
        ]


@dataclass(frozen=True)
class Asked:
    """What is asked of one group."""

    name: str
    nodes: int
    volume_size: str
    storage_class: str

    @property
    def whom(self) -> str:
        return "it" if self.name == FIRST else f"its group {self.name}"

    @property
    def variables(self) -> str:
        """How the names of its variables begin."""
        return "cometbft_" if self.name == FIRST else f"cometbft_groups.{self.name}."


def compare(live: Json, wanted: Wanted) -> Json:
    """How many nodes there will be, what the user should know, and every reason to refuse."""
    if live["namespace"]["phase"] == "Terminating":
        held = live["namespace"].get("held_by")
        why = f" ({held})" if held else ""
        return {
            "faults": [f"the namespace {wanted.network} is still being deleted{why}: run again when it is gone"],
            "notes": [],
            "groups": {asked.name: asked.nodes for asked in wanted.asked},
            "nodes": [],
            "validators": wanted.validators,
        }
    groups = {item["name"]: item for item in live["groups"]}
    group = groups.get(FIRST)
    sizes: dict[str, int] = {}
    notes: list[str] = []
    faults: list[str] = []
    for asked in wanted.asked:
        sizes[asked.name], told, found = _nodes(groups.get(asked.name), asked, wanted.confirmed)
        notes += told
        faults += found
    nodes = sizes[FIRST]
    faults += _forgotten(live, sizes)
    notes += _stopped_notes(live)
    validators = wanted.validators
    genesis = live["genesis"]
    if live["custody"] not in (None, wanted.custody):
        lie = {"secret": "in the Secret tm-keys", "pod": "on the volumes of its pods"}
        faults.append(
            f"its keys lie {lie[live['custody']]}, cometbft_custody is {wanted.custody}: a key never moves; set "
            f"cometbft_custody={live['custody']}, or start a new chain with reset"
        )
    if genesis:
        # Where the application names them, there are as many as were asked for when the chain began.
        validators = len(genesis["validators"]) or (group["validators"] if group else 0) or wanted.validators
        faults += _genesis_faults(genesis, wanted, validators)
        if wanted.validators > validators and wanted.validators == wanted.nodes:
            joining = ", ".join(f"tm-{n}" for n in range(validators, nodes)) or "none"
            notes.append(f"the genesis has {validators} validators; further nodes join as full nodes: {joining}")
        faults += _power_lost(live, sizes)
        faults += _stopped_faults(live)
    elif group:
        faults.append(
            "its genesis, the ConfigMap tm-config, is gone: bring it back (every node tells it over RPC, at /genesis), "
            "or start a new chain with reset"
        )
    for asked in wanted.asked:
        if asked.name in groups:
            faults += _volume_faults(groups[asked.name], asked, ephemeral=wanted.ephemeral)
    names = [f"{name}-{number}" for name, count in sizes.items() for number in range(count)]
    return {"faults": faults, "notes": notes, "groups": sizes, "nodes": names, "validators": validators}


def _forgotten(live: Json, sizes: Mapping[str, int]) -> list[str]:
    """Groups that live and that nobody asks for any more."""
    faults = []
    for group in live["groups"]:
        name, count = group["name"], group["replicas"] or group["stopped"]
        if name not in sizes and count:
            faults.append(
                f"it has the group {name} of {count} nodes, which cometbft_groups does not name: name it there, with "
                "nodes: 0 where they shall stop"
            )
    return faults


def _nodes(group: Json | None, wanted: Asked, confirmed: bool) -> tuple[int, list[str], list[str]]:
    """What kubectl scale did is kept and named, and nodes are not taken away; only a confirmation does either."""
    variable = f"{wanted.variables}nodes"
    if group is None:
        return wanted.nodes, [], []
    live, ours = group["replicas"] or group["stopped"], group["nodes"]
    if live == wanted.nodes:
        return live, [], []
    if group["stopped"] > wanted.nodes and (confirmed or wanted.nodes != ours):
        fault = (
            f"{wanted.whom} is stopped, with {live} nodes, and {variable} is {wanted.nodes}: start it first "
            "(make start), so that it is known whether those that leave vote"
        )
        return live, [], [fault]
    if confirmed:
        return wanted.nodes, [], []
    if live == ours:
        if wanted.nodes > live:
            return wanted.nodes, [], []
        leaving = ", ".join(f"{wanted.name}-{number}" for number in range(wanted.nodes, live))
        fault = (
            f"{wanted.whom} runs {live} nodes, {variable} is {wanted.nodes}: set {variable}={live}, or confirm that "
            f"{leaving} shall stop (CONFIRM=yes)"
        )
        return live, [], [fault]
    if wanted.nodes == ours:
        note = (
            f"the StatefulSet {wanted.name} was scaled to {live} nodes by somebody else: kept "
            f"({variable} is {wanted.nodes}; mintnet_confirm=true, CONFIRM=yes, puts it back)"
        )
        return live, [note], []
    fault = (
        f"the StatefulSet {wanted.name} was scaled to {live} nodes by somebody else, the last run gave it {ours}, and "
        f"now {variable} is {wanted.nodes}: set {variable}={live}, or confirm the change (CONFIRM=yes)"
    )
    return live, [], [fault]


def _stopped_notes(live: Json) -> list[str]:
    """The network as a whole is started again, since it shall make blocks; single nodes stay as they were left."""
    notes = []
    count = sum(group["stopped"] for group in live["groups"])
    if count:
        notes.append(f"it was stopped by make stop, with {count} nodes: it is started again")
    stay = ", ".join(live["stopped"])
    if stay:
        verb = "stay" if len(live["stopped"]) > 1 else "stays"
        notes.append(f"{stay} {verb} stopped, until make start starts {'them' if verb == 'stay' else 'it'}")
    return notes


def _stopped_faults(live: Json) -> list[str]:
    power = live["power"]
    lost = sum(node["power"] for node in live["nodes"] if node["name"] in live["stopped"] and not node["answers"])
    left = power["total"] - lost
    if lost and left < power["needed"]:
        return [
            f"without what make stop has stopped ({', '.join(live['stopped'])}) {left} of {power['total']} power is "
            f"left, and {power['needed']} is needed for a block: start that first (make start)"
        ]
    return []


def _genesis_faults(genesis: Json, wanted: Wanted, live: int) -> list[str]:
    faults = []
    way_out = "choose another cometbft_network, or start a new chain with reset"
    if wanted.chain_id != genesis["chain_id"]:
        faults.append(f"it runs the chain {genesis['chain_id']}, cometbft_chain_id is {wanted.chain_id}: {way_out}")
    if wanted.validators < live:
        faults.append(
            f"its genesis has {live} validators, cometbft_validators is {wanted.validators} (cometbft_nodes "
            f"{wanted.nodes}): fewer would lose their power; {way_out}"
        )
    elif wanted.validators > live and wanted.validators != wanted.nodes:
        faults.append(
            f"its genesis has {live} validators, cometbft_validators is {wanted.validators}: a genesis does not grow; "
            "add nodes with cometbft_nodes and promote them with a transaction of the app"
        )
    ours = {f"tm-{number}" for number in range(live)}
    powers = [
        f"{item['name']} power {item['power']} (asked {power})"
        for item in genesis["validators"]
        if item["name"] in ours and item["power"] != (power := int(wanted.powers.get(item["name"], wanted.power)))
    ]
    if powers:
        shown = ", ".join(powers[:3]) + (f" and {len(powers) - 3} more" if len(powers) > 3 else "")
        faults.append(f"its genesis gives {shown}, which cometbft_power and cometbft_powers do not say: {way_out}")
    if wanted.genesis_time and parse_time(wanted.genesis_time) != parse_time(genesis["genesis_time"]):
        faults.append(
            f"its genesis time is {genesis['genesis_time']}, cometbft_genesis_time is {wanted.genesis_time}: {way_out}"
        )
    if wanted.initial_height and wanted.initial_height != genesis["initial_height"]:
        faults.append(
            f"its initial height is {genesis['initial_height']}, cometbft_initial_height is "
            f"{wanted.initial_height}: {way_out}"
        )
    size = int((genesis["consensus_params"].get("block") or {}).get("max_bytes") or KNOWN["block", "max_bytes"])
    if wanted.block_bytes and not 0 < size <= wanted.block_bytes:
        faults.append(
            f"its genesis has block.max_bytes = {size}, and over gRPC a node takes at most {wanted.block_bytes}: set "
            "cometbft_app_transport to unix or tcp, or start a new chain with reset"
        )
    for path, asked, there in _differences(wanted.consensus_params or {}, genesis["consensus_params"]):
        faults.append(f"its genesis has {path} = {there}, cometbft_consensus_params says {asked}: {way_out}")
    if wanted.app_state and digest(wanted.app_state) != genesis["app_state_sha256"]:
        faults.append(f"its genesis has another app_state than cometbft_app_state: {way_out}")
    return faults


def _differences(asked: Json, there: Json) -> list[tuple[str, str, str]]:
    """Parameters that were asked for and are otherwise; the file writes whole numbers, and durations, as text."""
    found = []
    for group, members in asked.items():
        others = there.get(group) or {}
        for name, value in (members if isinstance(members, dict) else {}).items():
            # A genesis without parameters has the defaults.
            other = others.get(name) if there else KNOWN.get((group, name))
            if typed(group, name, value) != typed(group, name, other):
                found.append((f"{group}.{name}", _plain(value), _plain(other)))
    return found


def _plain(value: t.Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _power_lost(live: Json, sizes: Mapping[str, int]) -> list[str]:
    """A node that votes may not be scaled away; kubectl scale may have done it already, which status tells."""
    total = live["power"]["total"]
    # A node that was promoted and does not answer cannot say that it is the one that votes.
    unknown = total - sum(node["power"] for node in live["nodes"])
    faults = []
    for node in live["nodes"]:
        group = group_of(node["name"])
        stays = group not in sizes or (ordinal_of(node["name"]) or 0) < sizes[group]
        if stays or node["reason"] == "scaled away":
            continue
        if node["power"]:
            faults.append(
                f"{node['name']} holds {node['power']} of {total} power: take its power away with a transaction of the "
                "app before it leaves"
            )
        elif unknown and not node["answers"]:
            faults.append(
                f"{node['name']} does not answer, and {unknown} of {total} power belong to no node that does: have it "
                "running before it leaves, so that it is known whether it votes"
            )
    return faults


def _volume_faults(group: Json, wanted: Asked, *, ephemeral: bool) -> list[str]:
    cannot = "volumes of a StatefulSet that exists cannot change: keep it, or choose another cometbft_network"
    whose, variables = "its" if wanted.name == FIRST else f"{wanted.whom}'s", wanted.variables
    if group["ephemeral"] != ephemeral:
        kept = "ephemeral" if group["ephemeral"] else "kept on claims"
        return [f"{whose} data is {kept}, cometbft_ephemeral is {str(ephemeral).lower()}: {cannot}"]
    if ephemeral:
        return []
    faults = []
    if quantity(group["volume_size"]) != quantity(wanted.volume_size):
        faults.append(
            f"{whose} volumes have {group['volume_size']}, {variables}volume_size is {wanted.volume_size}: {cannot}"
        )
    if wanted.storage_class and group["storage_class"] != wanted.storage_class:
        there = group["storage_class"] or "the default"
        faults.append(f"{whose} storage class is {there}, {variables}storage_class is {wanted.storage_class}: {cannot}")
    return faults


def min_available(powers: Sequence[int]) -> int:
    """How many validators must stay: all but the k heaviest that together hold less than a third of the power."""
    total, lost, count = sum(powers), 0, 0
    for power in sorted(powers, reverse=True):
        if (lost + power) * 3 >= total:
            break
        lost += power
        count += 1
    return len(powers) - count
