# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who leaves a cluster, in which order, and what forbids it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _departure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._departure import Claim, Leaver
from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_members import Member

SIGNING = Claim("mintnet", "data-tm-2", "pvc-2", "mintnet", "tm-2", signs=True)
FULL = Claim("other", "data-tm-4", "pvc-4", "other", "tm-4")
THEIRS = Claim("default", "data-db-0", "pvc-9")


def node(name: str, ready: str = "True", control_plane: bool = False) -> dict[str, t.Any]:
    labels = {"kubernetes.io/hostname": name}
    if control_plane:
        labels["node-role.kubernetes.io/control-plane"] = ""
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def volume(name: str, claim: str, hostname: str, policy: str = "Delete") -> dict[str, t.Any]:
    namespace, _slash, claim_name = claim.partition("/")
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [hostname]}]}
    return {
        "metadata": {"name": name},
        "spec": {
            "claimRef": {"namespace": namespace, "name": claim_name},
            "persistentVolumeReclaimPolicy": policy,
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    }


def claim(name: str, network: str = "") -> dict[str, t.Any]:
    namespace, _slash, claim_name = name.partition("/")
    labels = {"mintnet.io/network": network} if network else None
    return {"metadata": {"namespace": namespace, "name": claim_name, "labels": labels}}


def members(**live: bool) -> list[Member]:
    return [Member(str(number), name, lives) for number, (name, lives) in enumerate(live.items())]


def names(nodes: list[dict[str, t.Any]]) -> list[str]:
    return [one["metadata"]["name"] for one in nodes]


def test_who_is_not_listed_or_was_made_anew_leaves() -> None:
    nodes = [node("a"), node("b"), node("c")]
    assert names(_departure.going(nodes, ["a", "b", "c"], [])) == []
    assert names(_departure.going(nodes, ["a"], [])) == ["b", "c"]
    assert names(_departure.going(nodes, ["a", "b", "d"], ["b", "d"])) == ["b", "c"]


def test_the_gone_first_and_control_planes_last() -> None:
    leavers = [
        Leaver("a", gone=False, control_plane=True),
        Leaver("c", gone=False, control_plane=False),
        Leaver("b", gone=False, control_plane=False),
        Leaver("d", gone=True, control_plane=True),
    ]
    assert [one.name for one in sorted(leavers, key=lambda one: one.order)] == ["d", "b", "c", "a"]


def test_claims_of_a_machine() -> None:
    volumes = [
        volume("pvc-4", "other/data-tm-4", "a"),
        volume("pvc-2", "mintnet/data-tm-2", "a"),
        volume("pvc-3", "mintnet/data-tm-3", "b"),
        volume("pvc-9", "default/data-db-0", "a"),
        volume("released", "mintnet/data-tm-9", "a"),
        volume("retained", "mintnet/data-tm-8", "a", policy="Retain"),
        {"metadata": {"name": "anywhere"}, "spec": {"claimRef": {"namespace": "default", "name": "data-db-0"}}},
    ]
    claims = [
        claim("mintnet/data-tm-2", "mintnet"),
        claim("mintnet/data-tm-3", "mintnet"),
        claim("other/data-tm-4", "other"),
        claim("default/data-db-0"),
    ]
    started = {"mintnet": ["tm-2", "tm-3"], "other": ["tm-0"]}
    retained = Claim("mintnet", "data-tm-8", "retained")
    assert _departure.claims_on(node("a"), volumes, claims, started) == [THEIRS, SIGNING, retained, FULL]
    assert _departure.claims_on(node("c"), volumes, claims, started) == []


def test_a_host_name_may_differ_from_the_name_of_the_node() -> None:
    one = node("a")
    one["metadata"]["labels"]["kubernetes.io/hostname"] = "host-a"
    there = [volume("pvc-9", "default/data-db-0", "host-a")]
    assert _departure.claims_on(one, there, [claim("default/data-db-0")], {}) == [THEIRS]


@pytest.mark.parametrize(
    ("leaving", "found", "fault"),
    [
        (["a"], members(a=True, b=True, c=True), ""),
        (["a", "b"], members(a=True, b=True, c=True), ""),
        (["w"], members(a=True), ""),
        (["a"], members(a=True), "a is the last control plane"),
        (["a", "b"], members(a=True, b=True), "b is the last control plane"),
        # The dead one goes first, which only helps.
        (["c", "b"], members(a=True, b=True, c=False), ""),
        (
            ["b"],
            members(a=True, b=True, c=False),
            "without b, etcd would have 1 of 2 members that answer, and needs 2: bring c",
        ),
        (
            ["a"],
            members(a=True, b=True, c=True, d=False, e=False),
            "etcd would have 2 of 4 members that answer, and needs 3",
        ),
    ],
)
def test_quorum(leaving: list[str], found: list[Member], fault: str) -> None:
    leavers = [Leaver(name, gone=False, control_plane=True) for name in leaving]
    said = _departure.faults(leavers, found, "")
    assert len(said) == bool(fault)
    assert fault in "".join(said)


def test_volumes_of_a_machine_that_lives_forbid_it() -> None:
    one = Leaver("m-2", gone=False, control_plane=False, claims=(THEIRS, SIGNING, FULL))
    first, second, third = _departure.faults([one], [], "ours")
    assert "m-2 holds volumes of network mintnet, on its own disk: tm-2 (a validator, with its signing state)" in first
    assert "kubectl --context ours cordon m-2" in first
    assert "kubectl --context ours -n mintnet delete --wait=false pvc data-tm-2" in first
    assert "make recover NODE=tm-2 CONFIRM=yes" in first
    assert "network other, on its own disk: tm-4;" in second
    assert "recover" not in second
    assert "those of the claims default/data-db-0" in third


def test_of_a_machine_that_is_gone_they_are_named_as_lost() -> None:
    one = Leaver("m-2", gone=True, control_plane=True, claims=(THEIRS, SIGNING, FULL))
    assert _departure.faults([one], [], "ours") == []
    said = _departure.losses(one)
    assert (
        "the signing state of tm-2 of network mintnet is lost, which comes back by make recover NODE=…; make sure"
        in said
    )
    assert "tm-4 of network other fetch the chain again by themselves" in said
    assert "default/data-db-0 is lost" in said
    assert _departure.describe(one) == "m-2 (control plane, gone for good)"
    assert _departure.losses(Leaver("m-3", gone=True, control_plane=False)) == ""


def pod(name: str, owner: str = "", phase: str = "Running", mirror: bool = False) -> dict[str, t.Any]:
    return {
        "metadata": {
            "namespace": "n",
            "name": name,
            "ownerReferences": [{"kind": owner, "controller": True}] if owner else None,
            "annotations": {"kubernetes.io/config.mirror": "h"} if mirror else None,
        },
        "spec": {},
        "status": {"phase": phase},
    }


def test_pods_that_nobody_would_make_anew_forbid_it() -> None:
    pods = [
        pod("a"),
        pod("b", "StatefulSet"),
        pod("c", "DaemonSet"),
        pod("d", "Node", mirror=True),
        pod("e", phase="Succeeded"),
    ]
    assert _departure.lonely(pods) == ["n/a"]
    assert [one["metadata"]["name"] for one in pods if _departure.stays_behind(one)] == ["c", "d"]
    (fault,) = _departure.faults([Leaver("m", gone=False, control_plane=False, lonely=("n/a",))], [], "")
    assert fault == "m runs pods that nobody would make anew: n/a; delete them first"


def test_a_learner_counts_for_no_quorum() -> None:
    found = [*members(a=True, b=True, c=True), Member("9", "d", live=False, learner=True)]
    assert _departure.faults([Leaver("a", gone=False, control_plane=True)], found, "") == []
    assert _departure.faults([Leaver("d", gone=True, control_plane=True, stray=True)], found, "") == []


def test_what_is_only_a_member_of_etcd_is_called_so() -> None:
    one = Leaver("192.0.2.4", gone=True, control_plane=True, stray=True)
    assert _departure.describe(one) == "192.0.2.4 (member of etcd without a node)"


def test_a_machine_made_anew_whose_name_still_serves_is_told_so() -> None:
    (fault,) = _departure.faults([Leaver("m-2", gone=False, control_plane=False, anew=True, lonely=("n/a",))], [], "")
    assert "another machine serves the cluster under this name" in fault
    assert "switch the old one off" in fault
    assert _departure.faults([Leaver("m-2", gone=True, control_plane=False, anew=True)], [], "") == []
