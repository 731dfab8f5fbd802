# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a node that answers: another chain, key, genesis or state than it should have, or no company."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from statistics import median

from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import APP, Trouble
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import Json, NodeAnswer

#: Blocks may be late by so much, or by ten times what they took lately.
PATIENCE = timedelta(seconds=30)
_SHOWN = 12


@dataclass(frozen=True)
class Chain:
    """What all nodes should agree with, and what those said that answer."""

    genesis: Json | None
    answers: Mapping[str, NodeAnswer]
    #: The height at which blocks are compared.
    compared: int
    #: The genesis that a node said it runs, as far as they were asked.
    told: Mapping[str, Json]
    #: Nodes whose consensus waits for their application.
    waiting: Collection[str] = ()
    #: Nodes that may have another key than the genesis says.
    anew: Collection[str] = ()
    #: The height and the app hash of applications, as far as they were asked.
    apps: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def pace(self) -> timedelta:
        """How long the last blocks took."""
        times = sorted({block.time for answer in self.answers.values() for block in answer.blocks.values()})
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        return timedelta(seconds=median(gaps)) if gaps else timedelta()

    @property
    def patience(self) -> timedelta:
        return max(PATIENCE, 10 * self.pace)

    @property
    def height(self) -> int:
        return max((answer.height for answer in self.answers.values()), default=0)


def fault_of(name: str, node: Json, chain: Chain) -> Trouble:
    """The first that applies, the most telling first."""
    answer = chain.answers[name]
    for look in (
        _chain_fault,
        _twin_fault,
        _key_fault,
        _genesis_fault,
        _block_fault,
        _hash_fault,
        _app_fault,
        _peer_fault,
        _height_fault,
    ):
        if fault := look(name, node, answer, chain):
            return fault
    return Trouble()


def _chain_fault(name: str, _node: Json, answer: NodeAnswer, chain: Chain) -> Trouble:
    chain_id = answer.status["node_info"]["network"]
    if not chain.genesis or chain_id == chain.genesis["chain_id"]:
        return Trouble()
    return Trouble(f"runs chain {chain_id}, the genesis says {chain.genesis['chain_id']}", _start_over(name))


def _twin_fault(name: str, _node: Json, answer: NodeAnswer, chain: Chain) -> Trouble:
    twins = sorted(
        other
        for other, theirs in chain.answers.items()
        if other != name and (theirs.node_id == answer.node_id or theirs.address == answer.address)
    )
    if not twins:
        return Trouble()
    return Trouble(
        f"has the same key as {', '.join(twins)}: stop one of them at once",
        "stop all but the one whose key it is (kubectl scale takes the last ones away), give each its own key in the "
        "Secret tm-keys, then run create again",
    )


def _key_fault(name: str, node: Json, answer: NodeAnswer, chain: Chain) -> Trouble:
    expected = node["node_id_expected"]
    advice = f"bring its own keys back into the Secret tm-keys, then start it anew: kubectl delete pod {name}"
    if expected and node["node_id"] != expected:
        return Trouble(
            f"reports node id {node['node_id']}, its key's is {expected}: it did not start with its own keys", advice
        )
    validators = (chain.genesis or {}).get("validators", [])
    ours = next((item for item in validators if item["name"] == name), None)
    if ours and ours["address"] and answer.address != ours["address"] and name not in chain.anew:
        return Trouble(f"signs as {answer.address}, the genesis says {ours['address']}", advice)
    return Trouble()


def _genesis_fault(name: str, _node: Json, _answer: NodeAnswer, chain: Chain) -> Trouble:
    told = chain.told.get(name)
    if not told or not chain.genesis:
        return Trouble()
    for key in ("genesis_time", "initial_height", "validators", "app_state_sha256"):
        theirs, ours = told[key], chain.genesis[key]
        if (theirs or None) != (ours or None):
            words = f"{theirs}, not {ours}" if key in ("genesis_time", "initial_height") else "another one"
            return Trouble(
                f"runs with another genesis than the network's: its {key.removesuffix('_sha256')} is {words}",
                _start_over(name),
            )
    return Trouble()


def _start_over(name: str) -> str:
    return (
        f"give {name} the genesis of ConfigMap tm-config and, as its data are another chain's, an empty volume "
        f"(kubectl delete --wait=false pvc data-{name}, then pod {name}); the record in ConfigMap tm-started keeps a "
        "validator that has signed from starting over"
    )


def _block_fault(name: str, node: Json, _answer: NodeAnswer, chain: Chain) -> Trouble:
    height = chain.compared
    for key, what, part in (("block_id", "block", "id"), ("app_hash", "app hash", "app_hash")):
        values = Counter(
            getattr(answer.blocks[height], part) for answer in chain.answers.values() if height in answer.blocks
        )
        if not node[key] or len(values) < 2:
            continue
        common, holders = values.most_common(1)[0]
        if node[key] != common:
            return Trouble(
                f"{what} {node[key][:_SHOWN]}… at height {height}, where {holders} nodes hold {common[:_SHOWN]}…",
                f"stop it before it misleads anybody, and see whether it runs the same application:"
                f" make logs NODE={name}",
                container="tm",
            )
    return Trouble()


def _hash_fault(name: str, node: Json, _answer: NodeAnswer, chain: Chain) -> Trouble:
    """Where too many applications differ, no further block is made, which would have told of it in its header."""
    if name not in chain.apps:
        return Trouble()
    height, ours = chain.apps[name]
    values = Counter(app_hash for at, app_hash in chain.apps.values() if at == height)
    common, holders = values.most_common(1)[0]
    most = 2 * holders > values.total()
    if len(values) < 2 or (most and ours == common):
        return Trouble()
    theirs = f"{holders} of {values.total()} have {common[:_SHOWN]}…" if most else "the others' have others"
    since = f"block {height}" if height >= (chain.genesis or {}).get("initial_height", 1) else "InitChain"
    return Trouble(
        f"its application has app hash {ours[:_SHOWN]}… after {since}, where {theirs}",
        "run the same application and version everywhere, and see whether what it computes depends on the time, on "
        f"chance or on its node: make logs NODE={name}{f' CONTAINER={APP}' if node['app'] else ''}",
        container=APP if node["app"] else "tm",
    )


def _app_fault(name: str, _node: Json, _answer: NodeAnswer, chain: Chain) -> Trouble:
    if name not in chain.waiting:
        return Trouble()
    return Trouble(
        "waits for its application, which has not answered a call of consensus yet",
        f"see what it does: make logs NODE={name} CONTAINER={APP}; where it only needs longer, give it more with "
        "cometbft_app_resources",
        container=APP,
    )


def _peer_fault(name: str, node: Json, _answer: NodeAnswer, _chain: Chain) -> Trouble:
    if not node["peers_expected"] or node["peers"]:
        return Trouble()
    return Trouble(
        f"no peers, of {node['peers_expected']}",
        f"see what stands between it and the others on port 26656 (NetworkPolicies, a firewall between the machines), "
        f"then start it anew so that it dials them again: kubectl delete pod {name}",
        container="tm",
    )


def _height_fault(name: str, node: Json, answer: NodeAnswer, chain: Chain) -> Trouble:
    """A node whose consensus has stopped goes on answering; what tells it is that the others went on without it."""
    if answer.catching_up or (chain.height - answer.height) * chain.pace <= chain.patience:
        return Trouble()
    return Trouble(
        f"stands at height {answer.height}, the network is at {chain.height}",
        f"see why it stopped: make logs NODE={name}; where its log says nothing, start it anew: "
        f"kubectl delete pod {name}",
        container="tm",
    )
