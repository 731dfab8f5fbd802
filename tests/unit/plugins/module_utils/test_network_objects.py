# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying many objects: the order, the truth about changes, and who may not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api as RealApi
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import TO_BE_MADE, ClusterError, connect
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import read
from ansible_collections.mintnet.kubernetes.plugins.module_utils._objects import apply

Json = dict[str, Any]
VERSIONS = {"StatefulSet": "apps/v1", "NetworkPolicy": "networking.k8s.io/v1"}


def thing(kind: str, name: str, namespace: str | None = "n", **fields: Any) -> Json:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **fields}


class Api:
    """Keeps what is applied, and writes into it what a server writes."""

    def __init__(self) -> None:
        self.there: dict[tuple[str, str], Json] = {}
        self.applied: list[str] = []
        self.refused: dict[str, ClusterError] = {}

    def get(self, _doing: str, kind: str, _namespace: str | None = None, name: str | None = None) -> Json | None:
        return copy.deepcopy(self.there.get((kind, name or "")))

    def apply(self, _doing: str, item: Json, *, dry_run: bool = False) -> Json:
        kind, name = item["kind"], item["metadata"]["name"]
        if kind in self.refused:
            raise self.refused[kind]
        self.applied.append(f"{kind} {name}")
        after = copy.deepcopy(item)
        after["metadata"].update(uid="1", resourceVersion=str(len(self.applied)), managedFields=[{}])
        after["status"] = {"seen": len(self.applied)}
        if not dry_run:
            self.there[(kind, name)] = after
        return after

    def side_by_side(self, calls: Mapping[Any, Callable[[], Any]]) -> dict[Any, Any]:
        found = {}
        for key, call in calls.items():
            try:
                found[key] = call()
            except ClusterError as error:
                found[key] = error
        return found


ALL = [
    thing("StatefulSet", "tm", spec={"replicas": 4}),
    thing("Service", "tm-0"),
    thing("ResourceQuota", "tm"),
    thing("Namespace", "n", None),
]


@pytest.fixture
def api() -> Any:
    return Api()


def test_what_others_need_comes_first(api: Any) -> None:
    outcome = apply(api, ALL, [])
    assert api.applied == ["Namespace n", "ResourceQuota tm", "Service tm-0", "StatefulSet tm"]
    assert outcome.created == api.applied
    assert outcome.before["Service tm-0"] == {}
    assert outcome.after["Service tm-0"] == thing("Service", "tm-0")


def test_what_the_server_writes_is_no_change(api: Any) -> None:
    apply(api, ALL, [])
    outcome = apply(api, ALL, [])
    assert (outcome.changed, outcome.created, outcome.updated, outcome.after) == (False, [], [], {})
    outcome = apply(api, [thing("StatefulSet", "tm", spec={"replicas": 5})], [])
    assert (outcome.created, outcome.updated) == ([], ["StatefulSet tm"])


def test_a_plan_for_a_namespace_that_is_missing_asks_nothing_of_the_server(api: Any) -> None:
    outcome = apply(api, ALL, [], dry_run=True)
    assert outcome.created == ["Namespace n", "ResourceQuota tm", "Service tm-0", "StatefulSet tm"]
    assert (api.applied, api.there) == (["Namespace n"], {})


def test_in_a_cluster_that_is_still_to_be_made_nothing_is_and_all_would_be() -> None:
    nowhere = RealApi(connect(None, TO_BE_MADE))
    network = read(nowhere, "n")
    assert (network["exists"], network["namespace"]["exists"], network["nodes"]) == (False, False, [])
    assert nowhere.get("looking", "Secret", "n", "tm-keys") is None
    assert nowhere.list("looking", "Pod", "n") == []
    outcome = apply(nowhere, ALL, [], dry_run=True)
    assert outcome.created == ["Namespace n", "ResourceQuota tm", "Service tm-0", "StatefulSet tm"]
    with pytest.raises(ClusterError, match="applying Namespace n: the cluster is still to be made"):
        apply(nowhere, ALL, [])
    with pytest.raises(ClusterError, match="making it: the cluster is still to be made"):
        nowhere.create("making it", thing("Service", "tm-0"))


def test_what_the_user_may_not_make_is_left_out_if_it_is_optional(api: Any) -> None:
    api.refused["ResourceQuota"] = ClusterError("applying: forbidden", 403, "Forbidden")
    outcome = apply(api, ALL, ["ResourceQuota"])
    assert outcome.skipped == ["ResourceQuota tm"]
    assert "StatefulSet tm" in api.applied
    api.applied.clear()
    with pytest.raises(ClusterError, match="forbidden"):
        apply(api, ALL, [])
    assert "StatefulSet tm" not in api.applied


def test_every_refusal_of_one_step_is_told(api: Any) -> None:
    for kind in ("Service", "ConfigMap"):
        api.refused[kind] = ClusterError(f"applying {kind}: no", 422, "Invalid")
    with pytest.raises(FaultsError, match=r"2 faults: .*Service: no.*ConfigMap: no"):
        apply(api, [thing("Service", "a"), thing("ConfigMap", "b")], [])


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"kind": "Service", "metadata": {}}, "object 1 has no kind or no name"),
        (thing("Secret", "keys"), "Secret keys: v1 Secret is not among the kinds that are known"),
        (thing("Job", "j"), "v1 Job is not among"),
        (thing("Service", "s", None), "Service s has no namespace"),
    ],
)
def test_definitions_that_are_refused(api: Any, item: Json, said: str) -> None:
    with pytest.raises(FaultsError, match=said):
        apply(api, [item], [])
    assert api.applied == []
