# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a network, made from what was seen of it. No request is sent here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import (
    APP,
    INITS,
    Around,
    Trouble,
    app_of,
    initialized,
    pod_trouble,
    state_lost,
    workload_trouble,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._faults import Chain, fault_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import nanoseconds
from ansible_collections.mintnet.kubernetes.plugins.module_utils._logs import remedy, telling
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    BUDGET,
    GROUP_LABEL,
    MANAGED,
    NODES_ANNOTATION,
    STARTED,
    STOPPED,
    STOPPED_ANNOTATION,
    ZONE_LABEL,
    group_of,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import (
    Json,
    NodeAnswer,
    Observed,
    custody_of,
    data_of,
    genesis_of,
    holders_of,
    parse_rows,
    parse_time,
    parts,
    read_by_nodes,
)

#: A node that has run for fewer seconds is still dialling its peers.
DIALLING = 30
#: So many blocks a node tells at once.
RECENT = 20
#: Of a node beyond its group's replicas.
SCALED_AWAY = "scaled away"


def report(seen: Observed) -> Json:
    """The whole network as one dictionary, with the verdict and a diagnosis per node."""
    return _Report(seen).build()


def troubles(seen: Observed) -> dict[str, Trouble]:
    """What is wrong with which node, and where more may be said about it. One that catches up may do so for ever."""
    found = _Report(seen)
    late = {node["name"] for node in found.build()["nodes"] if node["catching_up"]}
    behind = Trouble(container="tm")
    return {name: trouble or behind for name, trouble in found.troubles.items() if trouble or name in late}


class _Report:
    def __init__(self, seen: Observed) -> None:
        self.seen = seen
        self.custody = custody_of(seen.config_maps, seen.workloads)
        self.genesis = genesis_of(seen.config_maps, seen.served)
        sizes = {item["metadata"]["name"]: int(item["spec"].get("replicas", 1)) for item in seen.workloads}
        names = (f"{name}-{number}" for name, size in sizes.items() for number in range(size))
        read = read_by_nodes(seen.config_maps, self.genesis, names)
        self.rows, self.parts = parse_rows(read.get("nodes", "")), parts(read)
        self.started = data_of(seen.config_maps, STARTED)
        self.pods = {pod["metadata"]["name"]: pod for pod in seen.pods}
        self.groups = [self._group(workload) for workload in seen.workloads]
        self.answers = {name: a for name, a in seen.answers.items() if isinstance(a, NodeAnswer)}
        self.expected = [f"{g['name']}-{n}" for g in self.groups for n in range(g["replicas"])]
        #: Those that make stop took away with the whole network, and those that it holds in their init container.
        self.away = [f"{g['name']}-{n}" for g in self.groups for n in range(g["stopped"])]
        self.held = [name for name in data_of(seen.config_maps, STOPPED) if name in (*self.expected, *self.away)]
        self.genesis_power = {v["name"]: v for v in (self.genesis or {}).get("validators", [])}
        self.power = (
            {v["address"]: int(v["voting_power"]) for v in seen.validators}
            if seen.validators is not None
            else {v["address"] or v["name"]: v["power"] for v in self.genesis_power.values()}
        )
        self.compared = self._common_height()
        self.chain = Chain(
            self.genesis, self.answers, self.compared, seen.geneses, seen.waiting, self._anew(), seen.apps
        )
        self.places: Json = {}
        self.troubles: dict[str, Trouble] = {}
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self.steps: list[str] = []

    def build(self) -> Json:
        nodes = [self._node(name) for name in self._names()]
        power = self._power(nodes)
        self.places = self._places(nodes)
        self._judge(nodes, power)
        seen = self.seen
        heights = [node["height"] for node in nodes if node["height"]]
        labels = (seen.namespace or {}).get("metadata", {}).get("labels") or {}
        return {
            "network": seen.network,
            "exists": bool(seen.workloads),
            "healthy": not self.reasons,
            "reasons": self.reasons,
            "next": self.steps,
            "notes": self.notes,
            "chain_id": self.genesis["chain_id"] if self.genesis else None,
            "height": max(heights, default=0),
            "compared_height": self.compared,
            "block_age": self._block_age(),
            "recent": self._recent(),
            "empty_blocks": self._empty_blocks(),
            "power": power,
            "places": self.places,
            "genesis": self.genesis,
            "custody": self.custody,
            "namespace": {
                "exists": seen.namespace is not None,
                "made": labels.get(MANAGED[0]) == MANAGED[1],
                "phase": (seen.namespace or {}).get("status", {}).get("phase"),
                "held_by": holders_of(seen.namespace or {}),
                "pod_security": labels.get("pod-security.kubernetes.io/enforce", ""),
            },
            "groups": self.groups,
            "nodes": nodes,
            "started": self.started,
            "stopped": sorted(self.held),
            "services": [
                {"name": item["metadata"]["name"], "cluster_ip": item["spec"].get("clusterIP", "")}
                for item in seen.services
            ],
            "budget": self._budget(),
            "not_verified": seen.not_verified + self._left_alone(labels),
        }

    # What exists

    def _left_alone(self, labels: Mapping[str, str]) -> list[str]:
        """What a namespace of somebody else may lack, because setting it would hit what else runs there."""
        if self.seen.namespace is None or labels.get(MANAGED[0]) == MANAGED[1]:
            return []
        enforced = labels.get("pod-security.kubernetes.io/enforce") or "nothing"
        return [f"the namespace is not ours: it enforces {enforced} of Pod Security; quota and limits are its owner's"]

    def _group(self, workload: Json) -> Json:
        spec, metadata, status = workload["spec"], workload["metadata"], workload.get("status") or {}
        claims = {item["metadata"]["name"]: item["spec"] for item in spec.get("volumeClaimTemplates") or []}
        data = claims.get("data") or {}
        annotations = metadata.get("annotations") or {}
        recorded, stopped = annotations.get(NODES_ANNOTATION), annotations.get(STOPPED_ANNOTATION)
        replicas = int(spec.get("replicas", 1))
        volumes = spec["template"]["spec"].get("volumes") or []
        # Until the controller has seen the newest template, its revision is that of the one before.
        current = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
        revision = status.get("updateRevision", "") if current else ""
        name = metadata["name"]
        return {
            "name": name,
            "replicas": replicas,
            "nodes": int(recorded) if recorded else None,
            # Whoever scales it up afterwards has started it.
            "stopped": int(stopped) if stopped and not replicas else 0,
            "holds": any(volume["name"] == "stopped" for volume in volumes),
            # In the genesis of an application that names them itself they are not to be read.
            "validators": sum(row.mode == "validator" for row in self.rows.values() if group_of(row.name) == name),
            "image": next((c["image"] for c in spec["template"]["spec"]["containers"] if c["name"] == "tm"), None),
            "revision": revision,
            "outdated": [
                pod["metadata"]["name"]
                for pod in self.seen.pods
                if pod["metadata"]["labels"].get(GROUP_LABEL) == name
                and (
                    (revision and pod["metadata"]["labels"].get("controller-revision-hash") != revision)
                    or self._reads_otherwise(pod)
                )
            ],
            "ephemeral": not data,
            "volume_size": data.get("resources", {}).get("requests", {}).get("storage"),
            "storage_class": data.get("storageClassName"),
            "settings": next((volume["configMap"]["name"] for volume in volumes if volume["name"] == "settings"), None),
        }

    def _reads_otherwise(self, pod: Json) -> bool:
        """Whether its row, or what it has of its own, has changed since it started: who read it tells."""
        for status in (pod.get("status") or {}).get("initContainerStatuses") or []:
            read = (status.get("state") or {}).get("terminated") or {}
            if status["name"] in INITS and read.get("exitCode") == 0 and read.get("message"):
                return str(read["message"]).strip() != self.parts.get(pod["metadata"]["name"])
        return False

    def _names(self) -> list[str]:
        def by_ordinal(name: str) -> tuple[str, int]:
            group, _dash, ordinal = name.rpartition("-")
            return (group, int(ordinal)) if ordinal.isdigit() else (name, -1)

        return sorted({*self.expected, *self.away, *self.rows, *self.pods}, key=by_ordinal)

    def _budget(self) -> Json | None:
        for item in self.seen.budgets:
            if item["metadata"]["name"] != BUDGET:
                continue
            return {
                "min_available": item["spec"].get("minAvailable"),
                "disruptions_allowed": (item.get("status") or {}).get("disruptionsAllowed"),
            }
        return None

    def _empty_blocks(self) -> bool:
        for group in self.groups:
            text = data_of(self.seen.config_maps, group["settings"] or "").get("config.toml", "")
            if re.search(r"^create_empty_blocks *= *false", text, re.MULTILINE):
                return False
            interval = re.search(r'^create_empty_blocks_interval *= *"(.+)"', text, re.MULTILINE)
            if interval and nanoseconds(interval[1]):
                return False  # they may be hours apart
        return True

    # What the nodes say

    def _common_height(self) -> int:
        """The greatest height whose block every answering node that has blocks still shows."""
        with_blocks = [set(answer.blocks) for answer in self.answers.values() if answer.height]
        return max(set.intersection(*with_blocks), default=0) if with_blocks else 0

    def _block_age(self) -> float | None:
        newest = max((b.time for a in self.answers.values() for b in a.blocks.values()), default=None)
        return None if newest is None else round((self.seen.now - newest).total_seconds(), 1)

    def _recent(self) -> Json:
        """How the newest blocks, of which a node tells 20, came. The first of a chain has the time of the genesis."""
        found = {height: block for a in self.answers.values() for height, block in a.blocks.items()}
        newest = [(height, found[height]) for height in sorted(found)[-RECENT:]]
        first = (self.genesis or {}).get("initial_height", 1)
        times = [block.time for height, block in newest if height > first]
        interval = (times[-1] - times[0]).total_seconds() / (len(times) - 1) if len(times) > 1 else None
        return {
            "blocks": len(newest),
            "txs": sum(block.txs for _height, block in newest),
            "interval": None if interval is None else round(interval, 2),
        }

    def _node(self, name: str) -> Json:
        pod = self.pods.get(name)
        answer = self.answers.get(name)
        row = self.rows.get(name)
        block = answer.blocks.get(self.compared) if answer else None
        address = answer.address if answer else self.genesis_power.get(name, {}).get("address")
        # Until its pod has told its key, a validator is known by its name.
        power = self.power.get(address or name, 0)
        linked, missing = self._links(name)
        statuses = [s for s in (pod or {}).get("status", {}).get("containerStatuses") or [] if s["name"] == "tm"]
        node = {
            "name": name,
            "mode": "validator" if power else row.mode if row and row.mode != "validator" else "full",
            "stopped": name in self.away or name in self.held,
            "power": power,
            "answers": answer is not None,
            "height": answer.height if answer else None,
            "catching_up": answer.catching_up if answer else None,
            "peers": int(answer.net_info["n_peers"]) if answer else None,
            # Who finds peers by exchange has some, though nobody can say which.
            "peers_expected": len(linked) or int(bool(row and row.seeds)),
            "peers_missing": missing,
            "dials": list(row.peers) if row else [],
            "block_id": block.id if block else None,
            "app_hash": block.app_hash if block else None,
            "node_id": answer.node_id if answer else None,
            "node_id_expected": row.node_id if row else None,
            "address": address,
            "version": answer.status["node_info"]["version"] if answer else None,
            "pod": self._phase(pod),
            "initialized": bool(pod and initialized(pod)),
            "ready": any(s.get("ready") for s in statuses),
            "restarts": sum(s.get("restartCount", 0) for s in statuses),
            "app": app_of(pod) if pod else None,
            "age": self._age(pod),
            "machine": (pod or {}).get("spec", {}).get("nodeName"),
            "outdated": any(name in group["outdated"] for group in self.groups),
            "state_lost": bool(pod and answer is None and state_lost(pod)),
        }
        trouble = self.troubles[name] = self._trouble(name, node, answer)
        lines = list(trouble.log) or telling(self.seen.logs.get(name, ""))
        lines += [f"{APP}: {line}" for line in telling(self.seen.app_logs.get(name, ""))]
        return {
            **node,
            "reason": trouble.reason or self._state_of(name, node),
            "log": lines,
            "next": remedy("\n".join(lines)) or trouble.next,
            "lasting": trouble.lasting,
        }

    @staticmethod
    def _phase(pod: Json | None) -> str:
        if pod is None:
            return "absent"
        return "Terminating" if pod["metadata"].get("deletionTimestamp") else str(pod["status"].get("phase", "Unknown"))

    def _age(self, pod: Json | None) -> int | None:
        started = (pod or {}).get("status", {}).get("startTime")
        return max(0, int((self.seen.now - parse_time(started)).total_seconds())) if started else None

    def _links(self, name: str) -> tuple[list[str], list[str]]:
        """Nodes that should be this one's peers (either side may have dialled), and those that are not."""
        own = self.rows[name].peers if name in self.rows else ()
        linked = [
            other
            for other in self.expected
            if other != name
            and other not in self.held
            and (other in own or (other in self.rows and name in self.rows[other].peers))
        ]
        answer = self.answers.get(name)
        if answer is None:
            return linked, []
        ids = {peer["node_info"]["id"] for peer in answer.net_info.get("peers") or []}
        return linked, [other for other in linked if other in self.rows and self._id_of(other) not in ids]

    def _id_of(self, name: str) -> str | None:
        """By which its peers know it: the id of its row, or, where its pod makes its keys, the one that it tells."""
        answer = self.answers.get(name)
        return self.rows[name].node_id or (answer.node_id if answer else None)

    def _anew(self) -> set[str]:
        """Nodes of pods with their own keys that a confirmed recovery lets go on with a new key, without a vote."""
        return {name for name, record in self.started.items() if self.custody == "pod" and " " in record}

    def _trouble(self, name: str, node: Json, answer: NodeAnswer | None) -> Trouble:
        if name not in self.expected:
            return Trouble()
        if answer:
            return fault_of(name, node, self.chain)
        if name in self.held:
            return Trouble()
        group = group_of(name)
        replicas = next((item["replicas"] for item in self.groups if item["name"] == group), 0)
        pod, seen = self.pods.get(name), self.seen
        around = Around(seen.claims, seen.events, seen.machines, seen.quotas, seen.growing)
        if pod is None:
            absent = Trouble(
                "the pod does not exist yet", f"see what its StatefulSet says: kubectl describe statefulset {group}"
            )
            return workload_trouble(group, replicas, around) or absent
        silent = Trouble(
            str(seen.answers.get(name) or "does not answer"), f"make logs NODE={name} shows more", container="tm"
        )
        return pod_trouble(pod, replicas, around) or silent

    def _state_of(self, name: str, node: Json) -> str:
        """What is worth knowing of a node that is not at fault."""
        if name in self.held and name in self.expected and node["initialized"]:
            return f"still runs, although it was stopped: make stop NODE={name} ends it"
        if node["stopped"]:
            return "stopped by make stop"
        if name not in self.expected:
            return SCALED_AWAY if self.groups else "no StatefulSet runs it"
        if node["catching_up"] and not self._first_block_ahead():
            return f"catching up at height {node['height']}"
        if node["peers_missing"] and (node["age"] or 0) >= DIALLING:
            return f"no connection to {', '.join(node['peers_missing'])}"
        return ""

    def _first_block_ahead(self) -> bool:
        return all(not answer.height for answer in self.answers.values())

    # The verdict

    def _power(self, nodes: Sequence[Json]) -> Json:
        total = sum(self.power.values())
        # Two nodes with one key have its power once.
        voting = {node["address"]: node["power"] for node in nodes if node["answers"] and not node["catching_up"]}
        online = sum(voting.values())
        needed = total * 2 // 3 + 1
        return {"total": total, "online": online, "needed": needed, "short": max(0, needed - online) if total else 0}

    def _places(self, nodes: Sequence[Json]) -> Json:
        """How much power each machine and each zone holds that has nodes; zones where the machines may be seen."""
        zones = {
            item["metadata"]["name"]: (item["metadata"].get("labels") or {}).get(ZONE_LABEL)
            for item in self.seen.machines or []
        }
        found: dict[str, dict[str, int]] = {"machines": {}, "zones": {}}
        for node in nodes:
            machine = node["machine"]
            for kind, place in (("machines", machine), ("zones", zones.get(machine))):
                if place:
                    found[kind][place] = found[kind].get(place, 0) + node["power"]
        return found

    def _judge_places(self, total: int) -> None:
        """A place without which no block is made, where there are others that could share its power."""
        labels = [item["metadata"].get("labels") or {} for item in self.seen.machines or []]
        count = {"machines": len(labels), "zones": len({one[ZONE_LABEL] for one in labels if ZONE_LABEL in one})}
        for kind, powers in self.places.items():
            for place, power in sorted(powers.items()):
                if max(count[kind], len(powers)) > 1 and power and power * 3 >= total:
                    what = f"{kind.removesuffix('s')} {place} holds {power} of {total} power"
                    self.notes.append(f"{what}, a third or more: without it no block is made")

    def _judge(self, nodes: Sequence[Json], power: Json) -> None:
        seen = self.seen
        if seen.namespace is None:
            self._blame(f"there is no namespace {seen.network}", "make create makes it")
            return
        if (seen.namespace.get("status") or {}).get("phase") == "Terminating":
            held = holders_of(seen.namespace)
            self._blame(
                f"the namespace {seen.network} is being deleted{f' ({held})' if held else ''}",
                "run create again when it is gone; what has a finalizer waits for whoever set it",
            )
            return
        if not seen.workloads:
            self._blame(f"no network runs in namespace {seen.network}", "make create makes one")
            return
        if self.genesis is None:
            self._blame(
                "the genesis, ConfigMap tm-config, is gone",
                "bring it back (every node tells it over RPC, at /genesis), or start a new chain with reset",
            )
        if not self.expected and not self.away:
            self.reasons.append("every node is scaled away: kubectl scale, or create with mintnet_confirm, starts them")
            return
        running = [node for node in nodes if node["name"] in self.expected and not node["stopped"]]
        if not running:
            self._blame("the network is stopped by make stop: no node runs", "make start starts it")
            return
        steps: dict[str, list[str]] = {}
        for node in running:
            if self.troubles[node["name"]]:
                self.reasons.append(f"{node['name']}: {node['reason']}")
                steps.setdefault(node["next"].replace(node["name"], "\0"), []).append(node["name"])
            elif node["reason"]:
                self.notes.append(f"{node['name']}: {node['reason']}")
        for step, names in steps.items():
            # The same for several nodes is said once, with the first of them in its commands.
            self.steps.append(f"{', '.join(names)}: {step.replace(chr(0), names[0])}")
        self._judge_blocks(nodes, power)
        gone = [node["name"] for node in nodes if node["reason"] == SCALED_AWAY]
        if gone:
            self.notes.append(f"{SCALED_AWAY}: {', '.join(gone)}")
        for node in nodes:
            if node["stopped"]:
                self.notes.append(f"{node['name']}: {node['reason']}")
        outdated = [name for group in self.groups for name in group["outdated"] if name in self.expected]
        if outdated:
            self.notes.append(f"{', '.join(outdated)} run an older revision: create replaces them one by one")
        self._judge_places(power["total"])

    def _blame(self, reason: str, step: str) -> None:
        self.reasons.append(reason)
        self.steps.append(step)

    def _judge_blocks(self, nodes: Sequence[Json], power: Json) -> None:
        here = [node for node in nodes if node["reason"] != SCALED_AWAY]
        if any(node["answers"] for node in here) and power["short"]:
            silent = [node for node in here if node["power"] and not node["answers"]]
            names = ", ".join(node["name"] for node in silent)
            stopped = ", ".join(node["name"] for node in silent if node["stopped"])
            self._blame(
                f"the quorum is short by {power['short']} power: {power['online']} of {power['total']} online, "
                f"more than two thirds ({power['needed']}) are needed"
                + (f"; stopped by make stop: {stopped}" if stopped else ""),
                f"bring back validators that hold {power['short']} of power or more"
                + (f", of {names}" if names else "")
                + (" (make start starts those that are stopped)" if stopped else "")
                + ": until then no block is made",
            )
            return
        if not self.answers:
            return
        if self._first_block_ahead():
            self.reasons.append("there is no block yet")
        elif self._empty_blocks() and (late := self._late()):
            self.reasons.append(late)

    def _late(self) -> str:
        """Why the newest block is too old, judged by how fast the last ones came."""
        newest = max(b.time for a in self.answers.values() for b in a.blocks.values())
        age = self.seen.now - newest
        return f"no block for {int(age.total_seconds())} s" if age > self.chain.patience else ""


def node_of(network: Json, name: str) -> Json:
    """One node of a report."""
    return next(node for node in network["nodes"] if node["name"] == name)


def wanted(network: Json) -> list[Json]:
    """The nodes that should run."""
    return [node for node in network["nodes"] if not node["stopped"] and node["reason"] != SCALED_AWAY]


def cut_off(network: Json, name: str) -> list[str]:
    """Validators that have no other peer than this node without a vote: no other one guards them now."""
    if node_of(network, name)["power"]:
        return []
    here = {node["name"] for node in network["nodes"] if node["answers"]}
    return [
        node["name"]
        for node in network["nodes"]
        if node["power"] and node["peers"] == 1 and [peer for peer in node["dials"] if peer in here] == [name]
    ]


def summary(network: Json) -> str:
    """How far the nodes are, in a few words."""
    expected = wanted(network)
    running = sum(node["pod"] == "Running" for node in expected)
    answering = [node for node in expected if node["answers"]]
    parts = [f"{running} of {len(expected)} running"]
    if answering:
        parts.append(f"{len(answering)} of {len(expected)} answering")
    return " · ".join(parts)


def heights(network: Json) -> tuple[int, int]:
    """The lowest and the highest height of the nodes that should run; 0 for one that does not answer."""
    values = [node["height"] or 0 for node in wanted(network)]
    return min(values, default=0), max(values, default=0)
