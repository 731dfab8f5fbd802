# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes machines out of a cluster: drained, out of etcd, out of the list of nodes. Whatever is cut off, goes on later.

Runs on a control plane that stays: standard library only.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Collection, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _departure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._departure import Claim, Json, Leaver
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_members import Etcd
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_api import Ask, message, patiently
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import NETWORK_LABEL, STARTED

#: Seconds that a machine may take to be drained.
_DRAINING = 300.0
#: Seconds. Kubernetes takes a node for not ready when it was silent for 40 s, or 50 s in newer versions.
_SILENCE = 75.0


class DepartureError(MintnetError):
    """A machine could not leave."""


class Departing:
    """``stay`` are the listed machines, ``anew`` those of them that no longer have the cluster, ``reached`` machines
    that leave and answer; nothing is known of all others. ``addresses`` are those of ``stay``.
    """

    def __init__(
        self,
        ask: Ask,
        etcd: Etcd,
        *,
        stay: Collection[str],
        anew: Collection[str] = (),
        reached: Collection[str] = (),
        addresses: Collection[str] = (),
        context: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._etcd = etcd
        self._stay, self._anew, self._reached, self._addresses = stay, anew, reached, addresses
        self._context = context
        self._sleep = sleep
        self.did: list[str] = []

    def look(self) -> list[Leaver]:
        """Who leaves, in order; FaultsError where something forbids it."""
        members = self._etcd.members()
        nodes = self._list("/api/v1/nodes")
        strays = _departure.strays(members, nodes, self._stay, self._anew, self._addresses)
        leavers = sorted(
            [
                *(Leaver(one.label, gone=True, control_plane=True, stray=True) for one in strays),
                *self._leavers(_departure.going(nodes, self._stay, self._anew)),
            ],
            key=lambda one: one.order,
        )
        if found := _departure.faults(leavers, members, self._context):
            raise FaultsError("removing machines from the cluster", found)
        return leavers

    def _leavers(self, nodes: Sequence[Json]) -> list[Leaver]:
        if not nodes:
            return []
        volumes = self._list("/api/v1/persistentvolumes")
        claims = self._list("/api/v1/persistentvolumeclaims")
        networks = {(one["metadata"].get("labels") or {}).get(NETWORK_LABEL, "") for one in claims} - {""}
        started = {network: self._started(network) for network in networks}
        return [
            Leaver(
                name=node["metadata"]["name"],
                gone=self._gone(node),
                control_plane=_departure.control_plane(node),
                anew=node["metadata"]["name"] in self._anew,
                claims=tuple(_departure.claims_on(node, volumes, claims, started)),
                lonely=tuple(_departure.lonely(self._pods(node["metadata"]["name"]))),
            )
            for node in nodes
        ]

    def _started(self, network: str) -> Collection[str]:
        status, answer = self._call("GET", f"/api/v1/namespaces/{network}/configmaps/{STARTED}")
        return list(answer.get("data") or {}) if status == 200 else ()

    def _gone(self, node: Json) -> bool:
        """A machine that does not answer us may still serve the cluster: then its lease is renewed every 10 s."""
        name = node["metadata"]["name"]
        if name in self._reached:
            return False
        lease, waited = self._lease(name), 0.0
        while _departure.ready(node):
            if self._lease(name) != lease:
                return False
            if waited > _SILENCE:
                raise DepartureError(
                    f"removing {name} from the cluster: it is ready, and nothing was heard of it for {waited:.0f} s; "
                    "see that a controller manager runs (kubectl -n kube-system get pods), then run it again"
                )
            self._sleep(1)
            waited += 1
            status, found = self._call("GET", f"/api/v1/nodes/{name}")
            if status == 404:
                return True
            node = found
        return True

    def _lease(self, name: str) -> str:
        _status, answer = self._call("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")
        return str((answer.get("spec") or {}).get("renewTime", "")) if isinstance(answer, dict) else ""

    def remove(self, one: Leaver) -> None:
        """Out of etcd before it is out of the list of nodes: as long as it is in that, a later run finds it."""
        if not one.stray:
            self._leave(one)
        for member in self._etcd.members():
            if member.label == one.name:
                self._etcd.remove(member)
                self.did.append(f"removed {one.name} from etcd")
        if not one.stray:
            self._delete(f"/api/v1/nodes/{one.name}", f"removed the node {one.name}")
            # What is bound to a machine would be listed for minutes, etcd's with an address that others join by.
            self._drop(self._pods(one.name))

    def _leave(self, one: Leaver) -> None:
        self._merge(f"/api/v1/nodes/{one.name}", {"spec": {"unschedulable": True}}, f"cordoning {one.name}")
        if one.gone:
            self._give_up(one)
        else:
            self._drain(one)

    def _drain(self, one: Leaver) -> None:
        doing = f"draining {one.name}"
        refused: dict[str, str] = {}
        evicted: set[str] = set()
        waited = 0.0
        self._await_ready(one.name)
        while pods := [pod for pod in self._pods(one.name) if not _departure.stays_behind(pod)]:
            refused = {}
            for pod in pods:
                if pod["metadata"].get("deletionTimestamp"):
                    continue
                namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
                body = {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"namespace": namespace, "name": name},
                }
                status, answer = self._call("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)
                if status == 429:
                    refused[f"{namespace}/{name}"] = _budget(answer)
                elif status not in (200, 201, 404):
                    raise DepartureError(f"{doing}: evicting {namespace}/{name}: {status} {message(answer)}")
                elif status != 404:
                    evicted.add(f"{namespace}/{name}")
            if waited > _DRAINING:
                left = ", ".join(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in pods)
                why = "; ".join(f"{name} may not leave: {said}" for name, said in refused.items())
                raise DepartureError(
                    f"{doing}: after {_DRAINING:.0f} s pods are still there: {why or left}; run it again once all "
                    f"nodes are well (make status). {one.name} takes no new pods until then; "
                    f"{self._kubectl} uncordon {one.name} takes it back"
                )
            self._sleep(1)
            waited += 1
        if evicted:
            self.did.append(f"drained {one.name} of {', '.join(sorted(evicted))}")

    def _await_ready(self, name: str) -> None:
        """Pods leave a machine only with its kubelet, which may just have been started."""
        waited = 0.0
        while True:
            status, node = self._call("GET", f"/api/v1/nodes/{name}")
            if status == 404 or _departure.ready(node):
                return
            if waited > _DRAINING:
                raise DepartureError(
                    f"draining {name}: it answers, and its node is not ready; see journalctl --unit=kubelet there. If "
                    "it shall be given up with all that is on it, switch it off, and run it again"
                )
            self._sleep(1)
            waited += 1

    def _give_up(self, one: Leaver) -> None:
        """Its pods and volumes are no more, and the cluster waits for them until it is told so."""
        for claim in one.claims:
            self._delete(f"/api/v1/namespaces/{claim.namespace}/persistentvolumeclaims/{claim.name}", "")
        self._drop([*self._pods(one.name), *self._users(one.claims)])
        for claim in one.claims:
            # What would empty it waits for the machine.
            self._delete(
                f"/api/v1/persistentvolumes/{claim.volume}", f"gave up the volume of {claim.namespace}/{claim.name}"
            )

    def _drop(self, pods: Collection[Json]) -> None:
        """Without waiting for a kubelet."""
        for pod in pods:
            namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            self._delete(f"/api/v1/namespaces/{namespace}/pods/{name}", "", {"gracePeriodSeconds": 0})

    def _users(self, claims: Collection[Claim]) -> list[Json]:
        """Pods that wait for these claims, which are on no machine."""
        names = {(claim.namespace, claim.name) for claim in claims}
        return [
            pod
            for namespace in sorted({claim.namespace for claim in claims})
            for pod in self._list(f"/api/v1/namespaces/{namespace}/pods")
            if not pod["spec"].get("nodeName")
            and any(
                (namespace, (volume.get("persistentVolumeClaim") or {}).get("claimName")) in names
                for volume in pod["spec"].get("volumes") or []
            )
        ]

    @property
    def _kubectl(self) -> str:
        return "kubectl" + (f" --context {self._context}" if self._context else "")

    def _pods(self, name: str) -> list[Json]:
        return self._list(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")

    def _list(self, path: str) -> list[Json]:
        status, answer = self._call("GET", path)
        if status != 200:
            raise DepartureError(f"removing machines from the cluster: GET {path}: {status} {message(answer)}")
        return list(answer.get("items") or [])

    def _merge(self, path: str, change: Json, doing: str) -> None:
        status, answer = self._call("PATCH", path, change)
        if status not in (200, 404):
            raise DepartureError(f"{doing}: {status} {message(answer)}")

    def _delete(self, path: str, did: str, options: Json | None = None) -> None:
        status, answer = self._call("DELETE", path, options)
        # 409: it is on its way already.
        if status not in (200, 202, 404, 409):
            raise DepartureError(f"removing machines from the cluster: DELETE {path}: {status} {message(answer)}")
        if did and status in (200, 202):
            self.did.append(did)

    def _call(self, method: str, path: str, body: t.Any = None) -> tuple[int, t.Any]:
        return patiently(self._ask, "removing machines from the cluster", method, path, body)


def _budget(answer: t.Any) -> str:
    """Which budget refuses an eviction, in the API server's words."""
    causes = ((answer.get("details") or {}).get("causes") or []) if isinstance(answer, dict) else []
    return "; ".join(str(one["message"]) for one in causes if one.get("message")) or message(answer)
