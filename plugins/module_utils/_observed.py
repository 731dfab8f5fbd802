# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of a network: the cluster's objects, the nodes' answers, and how their texts are read."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import digest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import TEMPLATE, template_of, whole
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_sdk import plain
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import CONFIG, NODES, PUB_KEY
from ansible_collections.mintnet.kubernetes.plugins.module_utils._topology import lay_out

Json = dict[str, t.Any]

_HOLDING = (
    *("NamespaceContentRemaining", "NamespaceFinalizersRemaining"),
    *("NamespaceDeletionContentFailure", "NamespaceDeletionDiscoveryFailure"),
)


@dataclass(frozen=True)
class Block:
    id: str
    app_hash: str
    time: datetime
    txs: int = 0


@dataclass(frozen=True)
class NodeAnswer:
    """What one node said: /status, /net_info, and its newest blocks by height."""

    status: Json
    net_info: Json
    blocks: Mapping[int, Block]

    @property
    def height(self) -> int:
        return int(self.status["sync_info"]["latest_block_height"])

    @property
    def catching_up(self) -> bool:
        return bool(self.status["sync_info"]["catching_up"])

    @property
    def address(self) -> str:
        return str(self.status["validator_info"]["address"])

    @property
    def node_id(self) -> str:
        return str(self.status["node_info"]["id"])


@dataclass
class Observed:
    """A network as it was found: objects of the cluster, and each pod's answer (or why there is none)."""

    network: str
    now: datetime
    namespace: Json | None = None
    workloads: list[Json] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)
    config_maps: list[Json] = field(default_factory=list)
    services: list[Json] = field(default_factory=list)
    claims: list[Json] = field(default_factory=list)
    budgets: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    machines: list[Json] | None = None
    quotas: list[Json] | None = None
    #: Whether something that adds machines has taken notice of a pod that waits for one.
    growing: bool = False
    answers: dict[str, NodeAnswer | str] = field(default_factory=dict)
    #: The genesis that pods have made, where they make their own keys.
    served: str | None = None
    validators: list[Json] | None = None
    not_verified: list[str] = field(default_factory=list)
    #: Looked for where a node is in trouble: the end of its log, of its application's, and the genesis that it tells.
    logs: dict[str, str] = field(default_factory=dict)
    app_logs: dict[str, str] = field(default_factory=dict)
    geneses: dict[str, Json] = field(default_factory=dict)
    #: Nodes whose consensus waits for the answer of the application beside them.
    waiting: set[str] = field(default_factory=set)
    #: The height and the app hash at which each node's application says that it is.
    apps: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One node's row of the ConfigMap tm-nodes."""

    name: str
    moniker: str
    #: None where its pod makes it.
    node_id: str | None
    mode: str
    peers: tuple[str, ...]
    #: Whom it asks for peers, where it finds them by exchange.
    seeds: tuple[str, ...]
    #: Whom it does not tell others of.
    private: tuple[str, ...]


def parse_time(text: str) -> datetime:
    """RFC 3339 with up to nine digits of a second, of which Python keeps six."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00"))


def parse_blocks(blockchain: Json) -> dict[int, Block]:
    return {
        int(meta["header"]["height"]): Block(
            meta["block_id"]["hash"],
            meta["header"]["app_hash"],
            parse_time(meta["header"]["time"]),
            int(meta.get("num_txs") or 0),
        )
        for meta in blockchain.get("block_metas") or []
    }


def parse_rows(text: str) -> dict[str, Row]:
    rows = {}
    for line in text.splitlines():
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 5:
            raise MintnetError(
                f"reading the rows of the nodes in ConfigMap {NODES}: {line!r} is no row; delete the ConfigMap and run "
                "create again"
            )
        name, moniker, node_id, mode, *others = fields
        peers, seeds, private = map(_names, [*others, "-", "-"][:3])
        rows[name] = Row(name, moniker, None if node_id == "-" else node_id, mode, peers, seeds, private)
    return rows


def _names(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def parts(data: Mapping[str, str]) -> dict[str, str]:
    """The hash of what each node reads at its start of tm-nodes: its row, and what it has otherwise than its group."""
    found = {}
    for line in data.get("nodes", "").splitlines():
        name = line.partition(" ")[0]
        found[name] = hashlib.sha256(f"{line}\n{data.get(f'{name}.toml', '')}".encode()).hexdigest()
    return found


def read_by_nodes(config_maps: Iterable[Json], genesis: Json | None, names: Iterable[str]) -> dict[str, str]:
    """What nodes find in tm-nodes, and what those of pods that make their own keys lay out that have no row in it.

    Without any row they make a mesh. One that joins others that have rows dials those. ``genesis`` is what genesis_of
    gives.
    """
    config_maps = list(config_maps)
    data = data_of(config_maps, NODES)
    if genesis is None or custody_of(config_maps, ()) != "pod":
        return data
    validators = [item["name"] for item in genesis["validators"]]
    rows = data.get("nodes", "")
    if there := parse_rows(rows):
        private = {name for row in there.values() for name in row.private}
        told = [name for name in there if name not in private]
        peers = {name: told for name in names if name not in there and name not in validators}
        rows += "" if rows.endswith("\n") else "\n"
    else:
        places = lay_out(list(dict.fromkeys([*validators, *names])), validators, {"kind": "mesh"}).places
        peers = {name: place.persistent_peers for name, place in places.items()}
        rows = ""
    for name, others in peers.items():
        mode = "validator" if name in validators else "full"
        rows += f"{name} {name} - {mode} {','.join(others) or '-'} - -\n"
    return {**data, "nodes": rows}


def data_of(config_maps: Iterable[Json], name: str) -> dict[str, str]:
    return next((item.get("data") or {} for item in config_maps if item["metadata"]["name"] == name), {})


def custody_of(config_maps: Iterable[Json], workloads: Iterable[Json]) -> str | None:
    """Where the keys of a network lie, secret or pod; None where there is nothing yet that could have some."""
    containers = [
        item["name"]
        for workload in workloads
        for item in workload["spec"]["template"]["spec"].get("initContainers") or []
    ]
    head = data_of(config_maps, CONFIG)
    if TEMPLATE in head or PUB_KEY in containers:
        return "pod"
    return "secret" if head or containers else None


def genesis_of(config_maps: Iterable[Json], served: str | None = None) -> Json | None:
    """The public facts of the chain's genesis, or None where no chain exists yet.

    Where pods make their own keys they make it out of a template, which has neither addresses nor a sum.
    """
    config_maps = list(config_maps)
    doing, head = f"reading the genesis in ConfigMap {CONFIG}", data_of(config_maps, CONFIG)
    if TEMPLATE in head:
        return dict(_facts(template_of(doing, head))) | {"sha256": ""} if served is None else dict(_facts(served))
    text = whole(doing, head, config_maps)
    return None if text is None else dict(_facts(text))


@functools.lru_cache(maxsize=1)
def _facts(text: str) -> Json:
    """A genesis may be large, and it is looked at again and again while nodes start."""
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), **genesis_facts(json.loads(text))}


def genesis_facts(document: Json) -> Json:
    document = plain(document)
    return {
        "chain_id": document["chain_id"],
        "genesis_time": document["genesis_time"],
        "initial_height": int(document.get("initial_height") or 1),
        "consensus_params": document.get("consensus_params") or {},
        # It may have megabytes, which nobody wants to carry through a play.
        "app_state_sha256": None if document.get("app_state") is None else digest(document["app_state"]),
        "validators": [
            {"name": item.get("name", ""), "address": item.get("address", ""), "power": int(item["power"])}
            for item in document.get("validators") or []
        ],
    }


def holders_of(namespace: Json) -> str:
    """What keeps a namespace that is being deleted, in the cluster's words."""
    conditions = (namespace.get("status") or {}).get("conditions") or []
    return "; ".join(
        item.get("message", "") for item in conditions if item["type"] in _HOLDING and item["status"] == "True"
    )
