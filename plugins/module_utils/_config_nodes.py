# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The config.toml of every node of a network: one for each group, and how single nodes differ from their group's.

Over CometBFT's defaults come, in this order, what Kubernetes needs, what the topology needs, and what the user sets for
all, for a group, for a node. A node's own part is kept apart from the group's file, so that it restarts nobody else.
"""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._config import Config, Key, read
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_ignored import ignored
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import group_of, nearest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._topology import Group, Place, Topology, lay_out

INBOUND: Key = ("p2p", "max_num_inbound_peers")


@dataclass(frozen=True)
class Wanted:
    """What is asked for; nodes are in the order in which they join."""

    version: str
    block_time: str = "1s"
    proxy_app: str = "persistent_kvstore"
    abci: str = "socket"
    settings: t.Any = field(default_factory=dict)
    group_settings: Mapping[str, t.Any] = field(default_factory=dict)
    node_settings: Mapping[str, t.Any] = field(default_factory=dict)
    nodes: Sequence[str] = ()
    validators: Sequence[str] = ()
    topology: Mapping[str, t.Any] = field(default_factory=dict)
    #: Groups beside that of the validators, and the versions of those that have one of their own.
    groups: Mapping[str, Group] = field(default_factory=dict)
    group_versions: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Files:
    """A config.toml for all, one for each group, and one for each node."""

    basis: Config
    groups: dict[str, Config]
    nodes: dict[str, Config]
    topology: Topology
    warnings: list[str]

    def overlay(self, node: str) -> str:
        """What the node has otherwise than its group, as TOML; nothing for most."""
        config = self.nodes[node]
        return config.text(config.without(self.groups[group_of(node)]))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def build(wanted: Wanted) -> Files:
    """All faults of everything that is asked for are in the one error."""
    faults: list[str] = []
    bases = {
        version: Config.basis(
            version, block_time=wanted.block_time, proxy_app=wanted.proxy_app, abci=wanted.abci, faults=faults
        )
        for version in dict.fromkeys([wanted.version, *wanted.group_versions.values()])
    }
    names = list(dict.fromkeys([*map(group_of, wanted.nodes), *wanted.groups]))
    faults += _unknown("group_settings", wanted.group_settings, names, "group")
    faults += _unknown("group_versions", wanted.group_versions, names, "group")
    faults += _unknown("node_settings", wanted.node_settings, wanted.nodes, "node")

    for_all = {version: read(basis, wanted.settings, faults) for version, basis in bases.items()}
    # What no version takes is told once.
    faults = list(dict.fromkeys(faults))

    def version_of(group: str) -> str:
        return wanted.group_versions.get(group, wanted.version)

    of_groups = {
        name: read(bases[version_of(name)], settings, faults, where=f"group_settings.{name}.")
        for name, settings in wanted.group_settings.items()
    }
    of_nodes = {
        name: read(bases[version_of(group_of(name))], settings, faults, where=f"node_settings.{name}.", of_node=True)
        for name, settings in wanted.node_settings.items()
    }
    topology = Topology({}, 0, 0, 0, 0)
    try:
        topology = lay_out(wanted.nodes, wanted.validators, wanted.topology, wanted.groups)
    except FaultsError as error:
        of_others = ("nodes:", "validators:", "groups.", "groups:")
        faults += [fault if fault.startswith(of_others) else f"topology.{fault}" for fault in error.faults]
    if faults:
        raise FaultsError("checking the configuration", faults)

    def config_of(group: str, place: Place) -> Config:
        version = version_of(group)
        return _placed(bases[version], place).over(for_all[version]).over(of_groups.get(group, {}))

    groups = {name: config_of(name, topology.groups.get(name, Place())) for name in names}
    shared: dict[tuple[str, bool | None, bool], Config] = {}
    nodes: dict[str, Config] = {}
    for name in wanted.nodes:
        place, group = topology.places[name], group_of(name)
        kind = (group, place.pex, place.seed_mode)
        if kind not in shared:
            shared[kind] = config_of(group, place)
        nodes[name] = shared[kind].over(of_nodes[name]) if name in of_nodes else shared[kind]
    crowded = _crowded(nodes, topology)
    if crowded:
        raise FaultsError("checking the configuration", crowded)
    files = Files(bases[wanted.version].over(for_all[wanted.version]), groups, nodes, topology, [])
    files.warnings = _warnings(wanted, files, for_all, of_groups, of_nodes)
    return files


def _unknown(option: str, given: Iterable[str], known: Sequence[str], what: str) -> list[str]:
    return [f"{option}.{name}: there is no {what} {name}{nearest(name, known)}" for name in given if name not in known]


def _placed(basis: Config, place: Place) -> Config:
    """What the topology needs of a node."""
    values: dict[Key, t.Any] = {}
    reasons: dict[Key, str] = {}
    if place.pex is not None:
        values["p2p", "pex"] = place.pex
        reasons["p2p", "pex"] = "peers tell it of further peers" if place.pex else "it knows its sentries, nobody else"
    if place.seed_mode:
        values["p2p", "seed_mode"] = True
        reasons["p2p", "seed_mode"] = "it tells others of peers and hangs up"
    return basis.over(values, reasons) if values else basis


def _crowded(nodes: Mapping[str, Config], topology: Topology) -> list[str]:
    section, key = INBOUND
    rooms = {config.table[section][key] for config in nodes.values()}
    if topology.inbound_max <= min(rooms, default=topology.inbound_max):
        return []
    return [
        f"{section}.{key}: {min(rooms)}, and {topology.inbound_max} nodes that it need not take dial one node; raise "
        "it, or choose a topology with fewer peers for each node, such as regular"
    ]


def _warnings(
    wanted: Wanted,
    files: Files,
    for_all: Mapping[str, Mapping[Key, t.Any]],
    of_groups: Mapping[str, Mapping[Key, t.Any]],
    of_nodes: Mapping[str, Mapping[Key, t.Any]],
) -> list[str]:
    """Of what is set for several nodes, only what none of them uses."""

    def said(keys: Iterable[Key], configs: Iterable[tuple[str, Config]], where: str) -> list[str]:
        each = [ignored(version, config, keys, where) for version, config in configs]
        return [text for text in each[0] if all(text in others for others in each[1:])] if each else []

    def distinct(names: Iterable[str]) -> Iterable[tuple[str, Config]]:
        versions = {name: wanted.group_versions.get(group_of(name), wanted.version) for name in names}
        return {id(files.nodes[name]): (version, files.nodes[name]) for name, version in versions.items()}.values()

    found = said(for_all[wanted.version], distinct(files.nodes) or [(wanted.version, files.basis)], "")
    for name, values in of_groups.items():
        found += said(
            values, distinct(node for node in files.nodes if group_of(node) == name), f"group_settings.{name}."
        )
    for name, values in of_nodes.items():
        found += said(values, distinct([name]), f"node_settings.{name}.")
    return found
