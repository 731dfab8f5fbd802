# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a cluster from carrying a network, against an API server that is a dictionary."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Answer, Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import Cluster, ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster_check import NEEDED, Wish, check

Json = dict[str, Any]

RESOURCES = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
WISH = Wish("net", 4, RESOURCES, "2Gi")
DEFAULT = {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
OTHER = {"metadata": {"name": "slow"}}
MACHINE = {"metadata": {"name": "m"}, "spec": {}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi"}}}
QUOTA_PATH = "/api/v1/namespaces/net/resourcequotas"


class Server(Api):
    """Answers with what is in ``objects``; paths in ``forbidden`` and rights in ``denied`` are refused."""

    def __init__(self) -> None:
        super().__init__(Cluster(None, "theirs"))
        self._workers = 4
        self.objects: dict[str, Json] = {
            "/version": {"gitVersion": "v1.33.1-gke.5"},
            "/api/v1/namespaces/net": {"metadata": {"name": "net"}},
            "/apis/storage.k8s.io/v1/storageclasses": {"items": [DEFAULT, OTHER]},
            "/api/v1/nodes": {"items": [MACHINE]},
            QUOTA_PATH: {"items": []},
            "/api/v1/namespaces/net/pods": {"items": []},
        }
        self.forbidden: set[str] = set()
        self.denied: set[str] = set()
        self.asked: list[Json] = []

    def request(
        self, doing: str, method: str, path: str, query: Any = None, body: Any = None, *_: Any, **__: Any
    ) -> Answer:
        if path.endswith("/selfsubjectaccessreviews"):
            assert method == "POST"
            found = body["spec"]["resourceAttributes"]
            self.asked.append(found)
            resource = "/".join(part for part in (found["resource"], found.get("subresource")) if part)
            return self._answer({"status": {"allowed": f"{found['verb']} {resource}" not in self.denied}})
        assert method == "GET"
        if path in self.forbidden:
            raise ClusterError(f"{doing}: forbidden (403)", 403, "Forbidden")
        if path not in self.objects:
            raise ClusterError(f"{doing}: not found (404)", 404, "NotFound")
        return self._answer(self.objects[path])

    @staticmethod
    def _answer(content: Json) -> Answer:
        return Answer(json.dumps(content).encode(), datetime.now(UTC))


@pytest.fixture
def server() -> Server:
    return Server()


def test_cluster_that_can(server: Server) -> None:
    found = check(server, WISH)
    assert (found.version, found.faults, found.not_verified) == ("v1.33.1-gke.5", [], [])
    assert len(server.asked) == 1 + sum(map(len, NEEDED.values()))
    assert {
        "verb": "create",
        "group": "",
        "resource": "pods",
        "subresource": "proxy",
        "namespace": "net",
    } in server.asked
    assert {"verb": "patch", "group": "apps", "resource": "statefulsets", "namespace": "net"} in server.asked
    assert {"verb": "create", "group": "", "resource": "namespaces"} in server.asked


def test_user_of_one_namespace(server: Server) -> None:
    server.forbidden = {path for path in server.objects if path not in ("/version", "/api/v1/namespaces/net/pods")}
    server.denied = {"create namespaces"}
    found = check(server, WISH)
    assert found.faults == []
    assert found.not_verified == ["the namespace", "storage classes", "machines and their room", "quotas"]


def test_every_fault_at_once(server: Server) -> None:
    server.objects["/version"] = {"gitVersion": "v1.31.9"}
    del server.objects["/api/v1/namespaces/net"]
    server.objects["/apis/storage.k8s.io/v1/storageclasses"] = {"items": [OTHER]}
    server.objects["/api/v1/nodes"] = {
        "items": [{**MACHINE, "status": {"allocatable": {"cpu": "300m", "memory": "8Gi"}}}]
    }
    server.denied = {"create namespaces", "patch secrets", "create pods/proxy"}
    found = check(server, WISH)
    assert found.notes == [
        "its machines have no room for 4 nodes, unless more are added: ask for less with cometbft_resources, or add "
        "machines (a node asks for 0.1 CPU and 64Mi of memory, the largest machine has 0.3 and 8192Mi); then run "
        "create again"
    ]
    assert found.faults == [
        "it runs Kubernetes v1.31.9, and networks need 1.32 or newer; upgrade it",
        "there is no namespace net, and the user may not make it: ask for it, or name one that exists in "
        "cometbft_network",
        "the user of context theirs may not, in namespace net: patch secrets, create pods/proxy; ask for a Role that "
        "allows it",
        "it has no default storage class: name one in cometbft_storage_class (there are slow), or set "
        "cometbft_ephemeral for a network that may lose its data",
    ]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"storage_class": "slow"}, []),
        (
            {"storage_class": "none"},
            ["cometbft_storage_class = 'none': there is no such storage class; there are fast, slow"],
        ),
        ({"volume": "", "storage_class": "none"}, []),
    ],
)
def test_storage(server: Server, change: Json, faults: list[str]) -> None:
    assert check(server, dataclasses.replace(WISH, **change)).faults == faults


@pytest.mark.parametrize("spec", [{"unschedulable": True}, {"taints": [{"key": "a", "effect": "NoSchedule"}]}])
def test_no_machine_takes_pods(server: Server, spec: Json) -> None:
    server.objects["/api/v1/nodes"] = {"items": [{**MACHINE, "spec": spec}]}
    found = check(server, WISH)
    assert (found.faults, found.notes) == ([], ["no machine takes pods now: all are cordoned or tainted"])
    server.objects["/api/v1/namespaces/net/pods"] = {"items": [{"metadata": {"labels": {"tm": "tm"}}}] * 4}
    assert check(server, WISH).notes == []


@pytest.mark.parametrize(
    ("hard", "used", "said"),
    [
        ({"pods": "10"}, {"pods": "6"}, ""),
        ({"pods": "10"}, {"pods": "7"}, "allows 10 of pods, of which 7 are used, and 4 nodes need 4"),
        ({"requests.cpu": "300m"}, {}, "allows 300m of requests.cpu, of which 0 are used, and 4 nodes need 0.4"),
        ({"limits.memory": "2Gi"}, {}, ""),
        ({"limits.memory": "2047Mi"}, {}, "limits.memory"),
        ({"requests.storage": "7Gi"}, {}, "requests.storage"),
        ({"count/jobs.batch": "0"}, {}, ""),
    ],
)
def test_quotas(server: Server, hard: Json, used: Json, said: str) -> None:
    quota = {"metadata": {"name": "theirs"}, "spec": {"hard": hard}, "status": {"used": used}}
    server.objects[QUOTA_PATH] = {"items": [quota]}
    faults = check(server, WISH).faults
    assert len(faults) == bool(said)
    assert said in "".join(faults)
    # What runs already is counted in what is used.
    server.objects["/api/v1/namespaces/net/pods"] = {"items": [{"metadata": {"labels": {"tm": "tm"}}}] * 4}
    assert check(server, WISH).faults == []
    ours = {**quota, "metadata": {"name": "tm", "labels": {"mintnet.io/network": "net"}}}
    server.objects |= {QUOTA_PATH: {"items": [ours]}, "/api/v1/namespaces/net/pods": {"items": []}}
    assert check(server, WISH).faults == []


def test_server_that_does_not_answer(server: Server) -> None:
    server.objects.pop("/version")
    with pytest.raises(ClusterError, match="checking the cluster of context theirs: not found"):
        check(server, WISH)


def test_groups_of_other_sizes_need_room_too(server: Server) -> None:
    large = {"requests": {"cpu": "2", "memory": "64Mi"}, "limits": {"cpu": "2"}}
    groups = [Wish("net", 2, large, "2Gi", "", "archive"), Wish("net", 1, RESOURCES, "2Gi", "lost", "seed")]
    wish = dataclasses.replace(WISH, further=groups)
    (fault,) = check(server, wish).faults
    assert fault == "cometbft_groups.seed.storage_class = 'lost': there is no such storage class; there are fast, slow"
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": "4"}}, "status": {"used": {}}}
    server.objects[QUOTA_PATH] = {"items": [quota]}
    wish = dataclasses.replace(WISH, further=groups[:1])
    (fault,) = check(server, wish).faults
    assert "allows 4 of requests.cpu, of which 0 are used, and 6 nodes need 4.4: " in fault
    # Those that are there are in what is used.
    pods = [{"metadata": {"name": f"archive-{number}", "labels": {"tm": "archive"}}} for number in range(2)]
    server.objects["/api/v1/namespaces/net/pods"] = {"items": pods}
    assert check(server, wish).faults == []
    quota["status"] = {"used": {"requests.cpu": "4"}}
    assert len(check(server, wish).faults) == 1


def test_machines_without_room_for_one_group_or_for_all(server: Server) -> None:
    large = {"requests": {"cpu": "3"}, "limits": {}}
    for further, count in (
        ([Wish("net", 2, large, group="archive")], 2),
        ([Wish("net", 40, RESOURCES, group="more")], 44),
    ):
        (note,) = check(server, dataclasses.replace(WISH, further=further)).notes
        assert note.startswith(f"its machines have no room for {count} nodes, unless more are added: ")
    assert check(server, dataclasses.replace(WISH, further=[Wish("net", 1, large, group="archive")])).notes == []
