# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing a network, against an API server that is a dictionary of paths."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _removal
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Answer, Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._removal import RemovalError, find, remove

Json = dict[str, Any]
OURS = {"app.kubernetes.io/managed-by": "mintnet.kubernetes", "mintnet.io/network": "net"}


class Server(Api):
    """Deletes at once, except what is ``stuck``; a namespace takes its objects with it, and a claim its volume."""

    def __init__(self) -> None:
        self._workers = 1
        self.objects: dict[str, Json] = {}
        self.forbidden: set[str] = set()
        self.stuck: set[str] = set()
        self.deleted: list[tuple[str, Any]] = []

    def add(self, kind: str, name: str, labels: Json | None = None, namespace: str = "net", **content: Any) -> None:
        path = KINDS[kind].path(namespace, name)
        self.objects[path] = {"metadata": {"name": name, "labels": OURS if labels is None else labels}, **content}

    def volume(self, name: str, claim: str, namespace: str = "net", policy: str = "Delete") -> None:
        claim_ref = {"namespace": namespace, "name": claim}
        self.add("PersistentVolume", name, {}, spec={"claimRef": claim_ref, "persistentVolumeReclaimPolicy": policy})

    def request(
        self, doing: str, method: str, path: str, query: Any = None, body: Any = None, *rest: Any, **more: Any
    ) -> Answer:
        if path in self.forbidden:
            raise ClusterError(f"{doing}: forbidden", 403)
        if method == "DELETE":
            return self._delete(doing, path, body)
        if path in self.objects:
            return self._answer(self.objects[path])
        label = query and query["labelSelector"].split("=")
        found = [
            item
            for at, item in self.objects.items()
            if at.rpartition("/")[0] == path and (not label or item["metadata"]["labels"].get(label[0]) == label[1])
        ]
        if not found and path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
            raise ClusterError(f"{doing}: not found", 404)
        if not found and path.rpartition("/")[2] not in {kind.plural for kind in KINDS.values()}:
            raise ClusterError(f"{doing}: not found", 404)
        return self._answer({"items": found})

    @staticmethod
    def _answer(content: Json) -> Answer:
        return Answer(json.dumps(content).encode(), datetime.now(UTC))

    def _delete(self, doing: str, path: str, body: Any) -> Answer:
        if path not in self.objects:
            raise ClusterError(f"{doing}: not found", 404)
        self.deleted.append((path.rpartition("/")[2], body))
        if path not in self.stuck:
            claims = [path] if "/persistentvolumeclaims/" in path else []
            claims += [at for at in self.objects if at.startswith(f"{path}/") and "/persistentvolumeclaims/" in at]
            names = {at.rpartition("/")[2] for at in claims}
            for at in list(self.objects):
                held = self.objects[at].get("spec", {}).get("claimRef", {})
                if (
                    at == path
                    or at.startswith(f"{path}/")
                    or (held.get("namespace") == "net" and held["name"] in names)
                ):
                    del self.objects[at]
        return self._answer({})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(_removal, "SLEEP", 0.001)
    server = Server()
    server.add("Namespace", "net")
    server.add("StatefulSet", "tm")
    for number in range(2):
        server.add("Pod", f"tm-{number}")
        server.add("PersistentVolumeClaim", f"data-tm-{number}")
        server.volume(f"pv-{number}", f"data-tm-{number}")
        server.add("Service", f"tm-{number}")
    for name in ("tm-config", "tm-started", "tm-stopped", "tm-nodes", "tm-settings-1"):
        server.add("ConfigMap", name)
    server.add("Secret", "tm-keys")
    # What is not the network's.
    server.add("ConfigMap", "kube-root-ca.crt", {})
    server.add("Pod", "theirs", {})
    server.volume("pv-other", "data-tm-0", namespace="other")
    return server


def left(server: Server) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in server.objects)


def test_a_namespace_of_ours_goes_with_all_its_volumes(server: Server) -> None:
    found = find(server, "net")
    assert ("Namespace", "net") in found.objects
    assert found.volumes == ["pv-0", "pv-1"]
    remove(server, "net", found, 1)
    assert left(server) == ["pv-other"]
    assert find(server, "net").objects == []


@pytest.mark.parametrize("labels", [{}, {**OURS, "mintnet.io/network": "other"}, {"mintnet.io/network": "net"}])
def test_any_other_namespace_stays_with_what_is_not_ours(server: Server, labels: Json) -> None:
    server.add("Namespace", "net", labels)
    remove(server, "net", find(server, "net"), 1)
    assert left(server) == ["kube-root-ca.crt", "net", "pv-other", "theirs"]


def test_makers_go_before_what_they_make(server: Server) -> None:
    remove(server, "net", find(server, "net"), 1)
    order = [name for name, _options in server.deleted]
    assert order[:3] == ["tm", "tm-0", "tm-1"]
    assert order[-1] == "net"
    assert dict(server.deleted)["tm"] == {"propagationPolicy": "Background"}
    # Whoever has keys and no data must be known to have started.
    data = [order.index(name) for name in ("data-tm-0", "data-tm-1")]
    keys = [order.index(name) for name in ("tm-keys", "tm-config")]
    assert max(data) < min(keys)
    assert order[-2] == "tm-started"


@pytest.mark.parametrize("keep_keys", [False, True])
def test_a_chain_goes_and_its_place_stays(server: Server, keep_keys: bool) -> None:
    remove(server, "net", find(server, "net", chain_only=True, keep_keys=keep_keys), 1)
    kept = ["kube-root-ca.crt", "net", "pv-other", "theirs", "tm-0", "tm-1", "tm-nodes", "tm-settings-1"]
    assert left(server) == sorted(kept + ["tm-keys"] * keep_keys)
    assert KINDS["Pod"].path("net", "tm-0") not in server.objects


@pytest.mark.parametrize("chain_only", [False, True])
def test_a_sender_of_transactions_goes_before_its_pod(server: Server, chain_only: bool) -> None:
    server.add("Job", "transact")
    server.add("Pod", "transact-x7k2p")
    remove(server, "net", find(server, "net", chain_only=chain_only), 1)
    order = [name for name, _options in server.deleted]
    assert order.index("transact") < order.index("transact-x7k2p") < order.index("data-tm-0")


def test_volumes_that_their_class_keeps_are_named_and_not_waited_for(server: Server) -> None:
    server.volume("pv-1", "data-tm-1", policy="Retain")
    found = find(server, "net")
    assert (found.volumes, found.kept_volumes) == (["pv-0"], ["pv-1"])


def test_what_does_not_go_is_named(server: Server) -> None:
    server.stuck.add(KINDS["PersistentVolumeClaim"].path("net", "data-tm-1"))
    with pytest.raises(RemovalError, match=r"after 0.05 s these are still there: PersistentVolumeClaim data-tm-1"):
        remove(server, "net", find(server, "net", chain_only=True), 0.05)


def test_what_may_not_be_read_is_said(server: Server) -> None:
    server.forbidden.add(KINDS["PersistentVolume"].path())
    found = find(server, "net")
    assert found.not_verified == ["PersistentVolume: reading it is forbidden"]
    assert found.volumes == []


def test_nothing_there(server: Server) -> None:
    server.objects.clear()
    assert find(server, "net").objects == []
    assert find(server, "net", chain_only=True).objects == []


def test_groups_go_with_the_chain_and_their_keys(server: Server) -> None:
    for kind, name in (("StatefulSet", "sentry"), ("PersistentVolumeClaim", "data-sentry-0"), ("Service", "sentry-0")):
        server.add(kind, name)
    for name in ("sentry-keys", "sentry-keys-2"):
        server.add("Secret", name)
    remove(server, "net", find(server, "net", chain_only=True, keep_keys=True), 1)
    assert [name for name in left(server) if "sentry" in name] == ["sentry-0", "sentry-keys", "sentry-keys-2"]
    remove(server, "net", find(server, "net", chain_only=True), 1)
    assert [name for name in left(server) if "sentry" in name] == ["sentry-0"]
