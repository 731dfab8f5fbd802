# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops a network or one of its nodes on purpose, so that nobody takes it for a failure, and starts it again.

The network as a whole has no pods while it is stopped; its StatefulSets remember how many they had. A StatefulSet has
no gaps, so the pod of a single node stays, and its init container waits as long as the node is in a ConfigMap that
nothing but the stopping writes: that outlives the pod, its machine, and every change of the network.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import holds, initialized
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import explain, observe_patiently
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    STOPPED,
    STOPPED_ANNOTATION,
    group_of,
    nearest,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import Observed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._record import note, strike
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import (
    SCALED_AWAY,
    cut_off,
    node_of,
    report,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import Waiter

#: An init container that runs for so long does not pass, but waits; what else keeps a pod from it has so long to end.
WAITS = 1.5
PATIENCE = 20.0

STATE_STARTED, STATE_STOPPED = "started", "stopped"


class StopError(MintnetError):
    """It may not be, or did not end in time. ``result`` says what to do next, and may hold the last state seen."""


@dataclass(frozen=True)
class Plan:
    """Which nodes would be stopped or started, and what power is online afterwards, of so much that a block needs."""

    nodes: list[str] = field(default_factory=list)
    power: Json = field(default_factory=dict)
    #: Whether the chain stands still because of it.
    halts: bool = False


def plan_stop(network: Json, name: str = "") -> Plan:
    """Of the whole network, or of one node; StopError where that would lose something."""
    doing = _doing("stopping", network, name)
    _check(doing, network, name)
    if name:
        nodes = [] if name in network["stopped"] and not node_of(network, name)["initialized"] else [name]
    else:
        nodes = [
            node["name"]
            for node in network["nodes"]
            if _replicas(network, node["name"]) and node["reason"] != SCALED_AWAY
        ]
    _check_volumes(doing, network, nodes)
    if name and nodes and not _group(network, name)["holds"]:
        raise StopError(
            f"{doing}: its pods were made by an older version of this collection, and would not wait",
            next="run create first, which replaces the nodes one by one",
        )
    power = network["power"]
    names = dict.fromkeys([*nodes, *(cut for one in nodes for cut in cut_off(network, one))])
    going = [node_of(network, one) for one in names]
    left = max(0, power["online"] - sum(map(_online, going)))
    halts = left < power["needed"] and any(node["power"] or not name for node in going)
    return Plan(nodes, {**power, "left": left}, halts)


def plan_start(network: Json, name: str = "") -> Plan:
    """Of the whole network, which is everything that is stopped, or of one node."""
    _check(_doing("starting", network, name), network, name)
    nodes = [node["name"] for node in network["nodes"] if node["stopped"] and name in ("", node["name"])]
    return Plan(nodes, dict(network["power"]))


def _doing(verb: str, network: Json, name: str) -> str:
    return f"{verb} {f'{name} of ' if name else ''}the network {network['network']}"


def _check(doing: str, network: Json, name: str) -> None:
    """That there is what is meant."""
    if not network["exists"] or network["namespace"]["phase"] == "Terminating":
        steps = "; ".join(network["next"])
        raise StopError(f"{doing}: {'; '.join(network['reasons'])}", next=steps)
    if not name:
        return
    node = next((item for item in network["nodes"] if item["name"] == name), None)
    names = [item["name"] for item in network["nodes"] if item["reason"] != SCALED_AWAY]
    if node is None or node["reason"] == SCALED_AWAY:
        why = "it has no such node" if node is None else "that node is scaled away"
        raise StopError(f"{doing}: {why}; it has {', '.join(names) or 'none'}{nearest(name, names)}")
    if not _replicas(network, name):
        raise StopError(f"{doing}: the whole network is stopped", next="start it first: make start")


def _check_volumes(doing: str, network: Json, nodes: Sequence[str]) -> None:
    lost = [one for one in nodes if _group(network, one)["ephemeral"] and node_of(network, one)["power"]]
    if lost:
        raise StopError(
            f"{doing}: the data of {', '.join(lost)} goes with the pod (cometbft_ephemeral), and a validator without "
            "its signing state is not started again",
            next="start a new chain with reset, or remove the network with destroy",
        )


def _group(network: Json, name: str) -> Json:
    return next((group for group in network["groups"] if group["name"] == group_of(name)), {})


def _replicas(network: Json, name: str) -> int:
    return int(_group(network, name).get("replicas", 0))


def _online(node: Json) -> int:
    return int(node["power"]) if node["answers"] and not node["catching_up"] else 0


class Switch:
    """``tell`` gets a line at each step."""

    def __init__(self, api: Api, network: str, tell: Callable[[str], None], sleep: float = 0.4) -> None:
        self.api = api
        self.network = network
        self.tell = tell
        self.sleep = sleep
        self.changed = False
        self._seen: Observed | None = None

    def look(self) -> Json:
        self._seen = observe_patiently(self.api, self.network, self._seen, self.sleep)
        return report(self._seen)

    def _look_anew(self) -> Json:
        """Also at what does not move by itself."""
        self._seen = None
        return self.look()

    # Stopping

    def stop(self, name: str, timeout: float, *, may_halt: bool) -> Json:
        network = self._look_anew()
        doing = _doing("stopping", network, name)
        found = plan_stop(network, name)
        if found.halts and not may_halt:
            raise StopError(
                f"{doing}: {found.power['left']} of {found.power['total']} power would be left, and "
                f"{found.power['needed']} is needed for a block, so the chain would stand still, which nobody has "
                "confirmed",
                next="run make stop again, which asks; of the module, set may_halt",
            )
        deadline = time.monotonic() + timeout
        if name:
            return self._hold(doing, name, deadline) if found.nodes else network
        return self._empty(doing, deadline)

    def _empty(self, doing: str, deadline: float) -> Json:
        """Until no StatefulSet has a pod any more."""
        self._scale(doing, self._take_away)
        while True:
            network = self.look()
            left = [pod["metadata"]["name"] for pod in self._pods()]
            if not left:
                return network
            if time.monotonic() > deadline:
                raise StopError(
                    f"{doing}: {', '.join(left)} did not end in time",
                    next="they may still end by themselves: run it again; where a machine is gone for good: kubectl "
                    "delete node",
                    network=network,
                )
            time.sleep(self.sleep)

    @staticmethod
    def _take_away(workload: Json) -> Json | None:
        replicas = int(workload["spec"].get("replicas", 1))
        if not replicas:
            return None
        patch = _size(0, str(replicas))
        # Whatever becomes of the volumes of nodes that leave: these do not leave.
        patch["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenScaled": "Retain"}
        return patch

    def _hold(self, doing: str, name: str, deadline: float) -> Json:
        """Until its pod is one that waits; whoever comes up all the same has not read the newest entry yet."""
        note(self.api, doing, self.network, STOPPED, {name: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")})
        self.changed = True
        network = self._look_anew()
        since: float | None = None
        while True:
            pod, now = self._pod(name), time.monotonic()
            ending = bool(pod and pod["metadata"].get("deletionTimestamp"))
            if ending or (pod and initialized(pod)):
                since = None
                if pod and not ending:
                    self._delete(doing, pod)
            else:
                since = since or now
                if now - since > (WAITS if pod and holds(pod) else PATIENCE):
                    return network
            if now > deadline:
                raise self._late(doing, name, "it did not end")
            time.sleep(self.sleep)
            network = self.look()

    # Starting

    def start(self, name: str, timeout: float) -> Json:
        network = self._look_anew()
        doing = _doing("starting", network, name)
        found = plan_start(network, name)
        if not found.nodes:
            return network
        deadline = time.monotonic() + timeout
        held = [one for one in found.nodes if one in network["stopped"]]
        if held:
            strike(self.api, doing, self.network, STOPPED, held)
            self.changed = True
        if not name:
            self._scale(doing, self._bring_back)
        # It would find out by itself within about a minute; a new pod knows at once.
        for pod in self._pods():
            if pod["metadata"]["name"] in held and not initialized(pod):
                self._delete(doing, pod)
        self._seen = None
        if name:
            return self._await(doing, name, deadline)
        return Waiter(self.api, self.network, self.tell).wait(max(1.0, deadline - time.monotonic()), self.sleep)

    @staticmethod
    def _bring_back(workload: Json) -> Json | None:
        had = (workload["metadata"].get("annotations") or {}).get(STOPPED_ANNOTATION)
        return _size(int(had), "") if had and not workload["spec"].get("replicas", 1) else None

    def _await(self, doing: str, name: str, deadline: float) -> Json:
        """Until it has caught up; on a chain that stands still all the same, until it is where that is."""
        waiter = Waiter(self.api, self.network, self.tell)
        while True:
            network = self.look()
            waiter.record(network)
            node = node_of(network, name)
            there = node["answers"] and (node["height"] or 0) >= network["height"] - 1
            connected = node["peers"] or not node["peers_expected"]
            if there and (network["power"]["short"] or (connected and not node["catching_up"])):
                return network
            if time.monotonic() > deadline:
                raise self._late(doing, name, "it is not caught up")
            time.sleep(self.sleep)

    # Requests

    def _scale(self, doing: str, size: Callable[[Json], Json | None]) -> None:
        """Each StatefulSet, as it is now: one that somebody writes to meanwhile is read again."""
        for workload in self._seen.workloads if self._seen else []:
            found: Json | None = workload
            while found and (patch := size(found)):
                name = found["metadata"]["name"]
                patch["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
                try:
                    self.api.merge(doing, "StatefulSet", self.network, name, patch)
                    self.changed = True
                    break
                except ClusterError as error:
                    if error.status != 409:
                        raise
                found = self.api.get(doing, "StatefulSet", self.network, name)

    def _pods(self) -> list[Json]:
        return self._seen.pods if self._seen else []

    def _pod(self, name: str) -> Json | None:
        return next((pod for pod in self._pods() if pod["metadata"]["name"] == name), None)

    def _delete(self, doing: str, pod: Json) -> None:
        """Just this pod, with its farewell: one that somebody replaced meanwhile stays."""
        path = KINDS["Pod"].path(self.network, pod["metadata"]["name"])
        try:
            self.api.request(doing, "DELETE", path, body={"preconditions": {"uid": pod["metadata"]["uid"]}})
        except ClusterError as error:
            if error.status not in (404, 409):
                raise

    def _late(self, doing: str, name: str, what: str) -> StopError:
        network = explain(self.api, self._seen) if self._seen else self.look()
        node = node_of(network, name)
        return StopError(
            f"{doing}: {what} in time: {node['reason'] or node['pod']}",
            next=node["next"] or f"see make logs NODE={name}; run it again, nothing is lost",
            network=network,
        )


def _size(replicas: int, stopped: str) -> dict[str, t.Any]:
    return {"metadata": {"annotations": {STOPPED_ANNOTATION: stopped}}, "spec": {"replicas": replicas}}
