# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of dictionaries that answers as an API server does, and machines that leave it."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._departing import Departing, DepartureError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_members import Etcd, Member

Json = dict[str, t.Any]


class Cluster:
    """Objects by their paths. A pod that is evicted is gone at once, unless its budget forbids it."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.budget: Json | None = None
        self.requests: list[str] = []
        self.members = {"m-1": True}
        #: Addresses of members that have not started, and so have no name.
        self.learners: list[str] = []
        #: Nodes whose kubelet lives: each look at a lease finds it renewed.
        self.alive: set[str] = set()

    def add_node(self, name: str, *, ready: bool = True, control_plane: bool = False) -> None:
        labels = {
            "kubernetes.io/hostname": name,
            **({"node-role.kubernetes.io/control-plane": ""} if control_plane else {}),
        }
        status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        self.objects[f"/api/v1/nodes/{name}"] = {
            "metadata": {"name": name, "labels": labels},
            "spec": {},
            "status": status,
        }
        self.alive |= {name} if ready else set()

    def add_pod(self, node: str, name: str, owner: str = "StatefulSet", claim: str = "") -> None:
        self.objects[f"/api/v1/namespaces/mintnet/pods/{name}"] = {
            "metadata": {
                "namespace": "mintnet",
                "name": name,
                "ownerReferences": [{"kind": owner, "controller": True}],
            },
            "spec": {"nodeName": node, "volumes": [{"persistentVolumeClaim": {"claimName": claim}}] if claim else None},
            "status": {"phase": "Running"},
        }

    def add_volume(self, node: str, name: str) -> None:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
        self.objects[f"/api/v1/namespaces/mintnet/persistentvolumeclaims/data-{name}"] = {
            "metadata": {"namespace": "mintnet", "name": f"data-{name}", "labels": {"mintnet.io/network": "mintnet"}}
        }
        self.objects[f"/api/v1/persistentvolumes/pv-{name}"] = {
            "metadata": {"name": f"pv-{name}"},
            "spec": {
                "claimRef": {"namespace": "mintnet", "name": f"data-{name}"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            },
        }

    def __call__(self, method: str, path: str, body: t.Any) -> tuple[int, t.Any]:
        self.requests.append(f"{method} {path}")
        plain, _mark, query = path.partition("?")
        if method == "POST":
            pod = plain.removesuffix("/eviction")
            if self.budget:
                return 429, self.budget
            return (201, {}) if self.objects.pop(pod, None) else (404, {})
        if "/leases/" in plain:
            return 200, {"spec": {"renewTime": len(self.requests) if plain.rpartition("/")[2] in self.alive else "old"}}
        if plain in self.objects:
            if method == "DELETE":
                del self.objects[plain]
            if method == "PATCH":
                self.objects[plain]["spec"].update(body["spec"])
            return 200, self.objects.get(plain, {})
        kind = plain.rpartition("/")[2]
        if method != "GET" or kind not in ("nodes", "pods", "persistentvolumes", "persistentvolumeclaims"):
            return 404, {"message": "not found"}
        items = [one for name, one in self.objects.items() if name.split("/")[-2] == kind]
        if query:
            node = unquote(query).rpartition("=")[2]
            items = [one for one in items if one["spec"].get("nodeName") == node]
        return 200, {"items": items}

    def etcd(self, _host: str, _port: int) -> t.Callable[[str, str, t.Any], tuple[int, t.Any]]:
        def ask(_method: str, path: str, body: t.Any) -> tuple[int, t.Any]:
            self.requests.append(f"etcd {path}")
            if path.endswith("/list"):
                return 200, {
                    "members": [
                        {"ID": name, "name": name, "clientURLs": [f"https://{name}:2379"] if lives else []}
                        for name, lives in self.members.items()
                    ]
                    + [{"ID": host, "peerURLs": [f"https://{host}:2380"], "isLearner": True} for host in self.learners]
                }
            if path.endswith("/remove") and body["ID"] in self.learners:
                self.learners.remove(body["ID"])
                return 200, {}
            if path.endswith("/remove"):
                return (200, {}) if self.members.pop(body["ID"], None) is not None else (404, {})
            return 200, {"health": "true"}

        return ask


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster()
    found.add_node("m-1", control_plane=True)
    return found


def departing(cluster: Cluster, *stay: str, **options: t.Any) -> Departing:
    return Departing(cluster, Etcd(cluster.etcd), stay=stay, sleep=lambda _seconds: None, context="ours", **options)


def go(cluster: Cluster, *stay: str, **options: t.Any) -> list[str]:
    work = departing(cluster, *stay, **options)
    for one in work.look():
        work.remove(one)
    return work.did


def nodes(cluster: Cluster) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in cluster.objects if path.startswith("/api/v1/nodes/"))


def test_nobody_leaves(cluster: Cluster) -> None:
    assert departing(cluster, "m-1").look() == []
    assert cluster.requests == ["etcd /v3/cluster/member/list", "etcd /health", "GET /api/v1/nodes"]


def test_a_node_is_drained_and_deleted(cluster: Cluster) -> None:
    cluster.add_node("m-2")
    cluster.add_pod("m-2", "dns", "ReplicaSet")
    cluster.add_pod("m-2", "proxy", "DaemonSet")
    assert go(cluster, "m-1", reached=["m-2"]) == ["drained m-2 of mintnet/dns", "removed the node m-2"]
    assert nodes(cluster) == ["m-1"]
    assert [name for name in cluster.objects if "/pods/" in name] == []
    # Cordoned first, or its pods might come back to it.
    changes = [one for one in cluster.requests if not one.startswith(("GET", "etcd"))]
    assert changes[:2] == ["PATCH /api/v1/nodes/m-2", "POST /api/v1/namespaces/mintnet/pods/dns/eviction"]
    assert go(cluster, "m-1") == []


def test_a_control_plane_leaves_etcd_before_it_is_no_node_any_more(cluster: Cluster) -> None:
    cluster.add_node("m-2", control_plane=True)
    cluster.members["m-2"] = True
    assert go(cluster, "m-1", reached=["m-2"]) == ["removed m-2 from etcd", "removed the node m-2"]
    assert list(cluster.members) == ["m-1"]


def test_what_was_cut_off_goes_on(cluster: Cluster) -> None:
    cluster.add_node("m-2", control_plane=True)
    cluster.members["m-2"] = True
    work = departing(cluster, "m-1", reached=["m-2"])
    (one,) = work.look()
    del cluster.members["m-2"]  # and there it was killed
    work.remove(one)
    assert nodes(cluster) == ["m-1"]


def test_a_machine_that_does_not_answer_us_may_live(cluster: Cluster) -> None:
    cluster.add_node("m-2")
    (one,) = departing(cluster, "m-1").look()
    assert not one.gone


def test_a_machine_that_is_silent_is_gone_once_it_is_not_ready(cluster: Cluster) -> None:
    cluster.add_node("m-2")
    cluster.alive.clear()
    looks = 0

    def sleep(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 40:
            cluster.add_node("m-2", ready=False)

    work = Departing(cluster, Etcd(cluster.etcd), stay=["m-1"], sleep=sleep)
    (one,) = work.look()
    assert one.gone
    assert looks == 40


def test_a_machine_that_is_gone_is_given_up_with_its_volumes(cluster: Cluster) -> None:
    cluster.add_node("m-2", ready=False, control_plane=True)
    cluster.members["m-2"] = False
    cluster.add_volume("m-2", "tm-1")
    cluster.add_volume("m-1", "tm-0")
    cluster.add_pod("m-2", "tm-1", claim="data-tm-1")
    cluster.add_pod("m-1", "tm-0", claim="data-tm-0")
    cluster.add_pod("", "tm-5", claim="data-tm-1")
    cluster.objects["/api/v1/namespaces/mintnet/configmaps/tm-started"] = {"data": {"tm-1": "hash"}}
    work = departing(cluster, "m-1")
    (one,) = work.look()
    assert one.gone
    assert one.claims[0].signs
    work.remove(one)
    assert work.did == ["gave up the volume of mintnet/data-tm-1", "removed m-2 from etcd", "removed the node m-2"]
    left = [name for name in cluster.objects if "tm-1" in name or "tm-5" in name]
    assert left == []
    assert [name for name in cluster.objects if name.endswith("tm-0")] != []


def test_a_machine_that_was_made_anew_is_given_up_and_may_join_again(cluster: Cluster) -> None:
    cluster.add_node("m-2", ready=False)
    assert go(cluster, "m-1", "m-2", anew=["m-2"]) == ["removed the node m-2"]


def test_refused_before_anything_is_changed(cluster: Cluster) -> None:
    cluster.add_node("m-2")
    cluster.add_volume("m-2", "tm-1")
    with pytest.raises(FaultsError, match=r"m-2 holds volumes of network mintnet.*pvc data-tm-1"):
        go(cluster, "m-1", reached=["m-2"])
    assert [
        one for one in cluster.requests if not one.startswith(("GET", "etcd /v3/cluster/member/list", "etcd /health"))
    ] == []


def test_a_budget_is_respected_and_named(cluster: Cluster) -> None:
    cluster.add_node("m-2")
    cluster.add_pod("m-2", "tm-3")
    said = "The disruption budget tm needs 3 healthy pods and has 3 currently"
    cluster.budget = {"message": "Cannot evict pod", "details": {"causes": [{"message": said}]}}
    with pytest.raises(
        DepartureError, match=f"mintnet/tm-3 may not leave: {said}.*kubectl --context ours uncordon m-2"
    ):
        go(cluster, "m-1", reached=["m-2"])
    assert nodes(cluster) == ["m-1", "m-2"]


def test_members_and_whether_they_live(cluster: Cluster) -> None:
    cluster.members = {"m-1": True, "m-2": False}
    assert Etcd(cluster.etcd).members() == [Member("m-1", "m-1", True), Member("m-2", "m-2", False)]


def test_a_learner_that_is_left_of_a_joining_goes_and_one_that_joins_stays(cluster: Cluster) -> None:
    cluster.learners = ["192.0.2.4", "192.0.2.2"]
    here = {"addresses": ["192.0.2.1", "192.0.2.2"]}
    (one,) = departing(cluster, "m-1", "m-2", **here).look()
    assert (one.name, one.gone, one.stray) == ("192.0.2.4", True, True)
    assert go(cluster, "m-1", "m-2", **here) == ["removed 192.0.2.4 from etcd"]
    assert cluster.learners == ["192.0.2.2"]
    assert [one for one in cluster.requests if one.startswith(("PATCH", "DELETE"))] == []
    assert go(cluster, "m-1", "m-2", **here) == []


def test_a_learner_has_no_vote(cluster: Cluster) -> None:
    cluster.learners = ["192.0.2.4"]
    (_first, learner) = Etcd(cluster.etcd).members()
    assert learner == Member("192.0.2.4", "", live=False, host="192.0.2.4", learner=True)
    assert go(cluster, "m-1") == []  # nobody said which addresses are ours


def test_a_member_without_a_node_goes_unless_its_machine_is_listed(cluster: Cluster) -> None:
    cluster.members |= {"m-2": True, "m-3": False}
    assert go(cluster, "m-1", "m-2", "m-3") == []
    assert go(cluster, "m-1", "m-2") == ["removed m-3 from etcd"]
    # Its machine was made anew, and can only join as another member.
    cluster.members["m-3"] = False
    assert go(cluster, "m-1", "m-2", "m-3", anew=["m-3"]) == ["removed m-3 from etcd"]
    assert list(cluster.members) == ["m-1", "m-2"]


def test_a_name_under_which_another_machine_serves_is_refused(cluster: Cluster) -> None:
    cluster.add_node("m-2")
    cluster.add_volume("m-2", "tm-1")
    with pytest.raises(FaultsError, match=r"m-2 is listed, and has no cluster; but another machine serves") as caught:
        go(cluster, "m-1", "m-2", anew=["m-2"])
    assert "volumes" not in str(caught.value)
    assert nodes(cluster) == ["m-1", "m-2"]
