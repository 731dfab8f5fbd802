# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces nodes one by one, each caught up before the next, with more than two thirds of the power online."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import holds, is_stuck
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import explain, observe_patiently
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import BUDGET, NODES
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import Observed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roll import (
    PEERS,
    REVISION,
    Plan,
    others_online,
    plan,
    quorum_without,
    redialling,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import node_of, report

#: A node dials a peer that it lost every 5 s; what is missing for longer than this is not dialled any more.
SETTLE = 15.0
#: What keeps a container from running and lasts this long does not pass by itself.
PATIENCE = 20.0


class RollError(MintnetError):
    """The roll stopped. ``result`` says which nodes were replaced and which are left, and the last state seen."""


class Roller:
    """``tell`` gets a line for each node that was replaced. ``min_available`` is the budget of a network at rest."""

    def __init__(
        self, api: Api, network: str, cause: str, min_available: int, tell: Callable[[str], None], sleep: float = 0.4
    ) -> None:
        self.api = api
        self.network = network
        self.cause = cause
        self.min_available = min_available
        self.tell = tell
        self.sleep = sleep
        #: Nodes without which the chain stands still, and that may be replaced all the same.
        self.may_halt: Collection[str] = ()
        self.replaced: list[str] = []
        self.changed = False
        self._seen: Observed | None = None

    def look(self, changing: Collection[str] = (), rows: Mapping[str, str] | None = None) -> Plan:
        """What would be replaced now; with ``rows``, if the nodes' rows were these."""
        until = time.monotonic() + SETTLE
        while True:
            network = self._look()
            # The controller has not seen the newest template yet, or a link is on its way back.
            unsettled = not all(group["revision"] for group in network["groups"]) or (
                self.cause == PEERS and redialling(network["nodes"])
            )
            if not unsettled:
                break
            if time.monotonic() > until:
                if self.cause == PEERS:
                    break
                raise RollError(
                    f"replacing nodes of the network {self.network}: the cluster has not taken notice of the newest "
                    f"template for {SETTLE:g} s, so nobody knows which nodes are of an older revision",
                    next="see whether kube-controller-manager runs (kubectl -n kube-system get pods), then run create "
                    "again",
                    network=network,
                )
            time.sleep(self.sleep)
        if rows is not None and self._seen:
            others = [item for item in self._seen.config_maps if item["metadata"]["name"] != NODES]
            asked = [*others, {"metadata": {"name": NODES}, "data": dict(rows)}]
            network = report(replace(self._seen, config_maps=asked))
        found = plan(network, self.cause, changing)
        return replace(found, order=self._still(found.order))

    def roll(self, timeout: float) -> Json:
        """Replace all that has to be; gives the network as it was seen last. ``timeout`` counts for each node."""
        found = self.look()
        if found.faults:
            raise FaultsError(f"replacing nodes of the network {self.network}", found.faults)
        unasked = [name for name in found.halting if name not in self.may_halt]
        if unasked:
            raise RollError(
                f"replacing nodes of the network {self.network}: the chain would stand still while "
                f"{', '.join(unasked)} restarts, which nobody has confirmed",
                next="run create again, which asks",
            )
        count = len(found.order)
        if count and self.cause == REVISION:
            # An evicted pod would come back with the newest template, whether that is sound or not.
            self._limit_disruptions(closed=True)
        while found.order:
            name = found.order[0]
            self._replace(name, name in found.halting, f"{len(self.replaced) + 1} of {count}", timeout)
            found = self.look()
        if self.cause == REVISION:
            self._limit_disruptions(closed=False)
        return self._look()

    def _replace(self, name: str, halting: bool, number: str, timeout: float) -> None:
        doing = f"replacing {name} ({number}) of the network {self.network}"
        deadline = time.monotonic() + timeout
        network = self._look()
        while not self._may_go(network, name, halting):
            if time.monotonic() > deadline:
                power = network["power"]
                raise self._stopped(
                    f"{doing}: it would leave the chain {quorum_without(network, name)} power short "
                    f"({power['online']} of {power['total']} online, more than two thirds, {power['needed']}, are "
                    f"needed): {'; '.join(network['reasons']) or 'a validator is not caught up'}",
                    "bring the other nodes back (make status names what they lack) and run create again",
                )
            time.sleep(self.sleep)
            network = self._look()
        if self.cause == REVISION and self._uid(name) and not node_of(network, name)["outdated"]:
            self.replaced.append(name)  # by another run, meanwhile
            return
        height, old = network["height"], self._uid(name)
        began = time.monotonic()
        if old:
            self._delete(doing, name, old)
        self.changed = True
        network = self._await(name, old, height, doing, deadline)
        self.replaced.append(name)
        took = time.monotonic() - began
        self.tell(f"{name} is replaced in {took:.0f} s · {number} · height {network['height']}")

    @staticmethod
    def _may_go(network: Json, name: str, halting: bool) -> bool:
        node = node_of(network, name)
        if not node["answers"] and not node["ready"]:
            return True  # nothing is lost by what does not work
        return others_online(network, name) if halting else quorum_without(network, name) == 0

    def _await(self, name: str, old: str, height: int, doing: str, deadline: float) -> Json:
        """Until the new pod holds the chain as it was when the old one went."""
        stuck_since: float | None = None
        while True:
            network = self._look()
            node = node_of(network, name)
            fresh = self._uid(name) not in ("", old) and not node["outdated"]
            connected = node["peers"] or not node["peers_expected"]
            pod = self._pod(name)
            if fresh and node["stopped"] and pod and holds(pod):
                return network  # it waits again, as it did before
            if fresh and connected and node["answers"] and not node["catching_up"] and node["height"] >= height:
                return network
            now = time.monotonic()
            stuck_since = (stuck_since or now) if fresh and pod and is_stuck(pod) else None
            if now > deadline or (stuck_since and now - stuck_since > PATIENCE):
                raise self._stopped(
                    f"{doing}: {node['reason'] or 'it does not catch up'}. {self._state(network)}",
                    "mend what is named and run create again, which goes on with this node; as long as the roll is "
                    "stopped, drains (evictions) of validators are refused",
                    name,
                )
            time.sleep(self.sleep)

    def _still(self, names: Collection[str]) -> list[str]:
        """Those of them that were not replaced in this run."""
        return [name for name in names if name not in self.replaced]

    def _left(self, network: Json) -> list[str]:
        return self._still(plan(network, self.cause).order)

    def _state(self, network: Json) -> str:
        left = self._left(network)
        others = f"{', '.join(left)} still run the older revision" if left else "all others are replaced"
        goes_on = "cannot go on" if network["power"]["short"] else "goes on"
        return f"{others}; the chain {goes_on} (height {network['height']})"

    def _stopped(self, message: str, advice: str, name: str = "") -> RollError:
        network = explain(self.api, self._seen) if self._seen else self._look()
        left = self._left(network)
        log = [f"{name}: {row}" for node in network["nodes"] if node["name"] == name for row in node["log"]]
        return RollError(message, replaced=self.replaced, left=left, network=network, log=log, next=advice)

    # Requests

    def _look(self) -> Json:
        self._seen = observe_patiently(self.api, self.network, self._seen, self.sleep)
        network = report(self._seen)
        if not network["exists"]:
            raise RollError(f"replacing nodes: {'; '.join(network['reasons'])}; create it first", network=network)
        return network

    def _pod(self, name: str) -> Json | None:
        pods = self._seen.pods if self._seen else []
        return next((pod for pod in pods if pod["metadata"]["name"] == name), None)

    def _uid(self, name: str) -> str:
        pod = self._pod(name)
        return str(pod["metadata"]["uid"]) if pod else ""

    def _delete(self, doing: str, name: str, uid: str) -> None:
        """Just this pod: one that somebody replaced meanwhile stays."""
        try:
            self.api.request(
                doing, "DELETE", KINDS["Pod"].path(self.network, name), body={"preconditions": {"uid": uid}}
            )
        except ClusterError as error:
            if error.status not in (404, 409):
                raise

    def _limit_disruptions(self, *, closed: bool) -> None:
        doing = f"{'closing' if closed else 'opening'} the disruption budget of {self.network}"
        try:
            budget = self.api.get(doing, "PodDisruptionBudget", self.network, BUDGET)
        except ClusterError as error:
            if error.status != 403:
                raise
            budget = None
        if budget is None:  # the user may not make one, or not even look
            return
        names: list[t.Any] = budget["spec"]["selector"]["matchExpressions"][0]["values"]
        wanted = len(names) if closed else self.min_available
        if budget["spec"].get("minAvailable") != wanted:
            patch = {"spec": {"minAvailable": wanted}}
            self.api.merge(doing, "PodDisruptionBudget", self.network, BUDGET, patch)
            self.changed = True
