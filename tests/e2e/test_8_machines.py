# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of five machines, three of them control planes, under a network of five: each machine is lost in turn,
and then all at once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from surroundings import User

pytestmark = pytest.mark.long

FIVE = "ARGS='-e mintnet_machines=5 -e mintnet_control_planes=3 -e cometbft_nodes=5'"
NODES = [f"tm-{number}" for number in range(5)]


def machines(user: User) -> dict[str, dict[str, str]]:
    """Labels of the machines that are ready."""
    return {
        node["metadata"]["name"]: node["metadata"]["labels"]
        for node in user.get("nodes")
        if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"])
    }


def claims(user: User) -> set[str]:
    return {item["metadata"]["uid"] for item in user.get("persistentvolumeclaims")}


def places(user: User) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in user.get("pods -l tm=tm")}


def test_three_control_planes_and_two_nodes_from_nothing(user: User, clone: Path) -> None:
    run = user.run(f"make create {FIVE}", clone)
    user.note(f"three control planes and two nodes, five validators: {run.seconds:.0f} s")
    ready = machines(user)
    assert sorted(ready) == [f"{user.cluster}-{number}" for number in range(1, 6)]
    control = "node-role.kubernetes.io/control-plane"
    assert [name for name in sorted(ready) if control in ready[name]] == sorted(ready)[:3]
    # One validator on each machine.
    assert sorted(places(user)) == NODES
    assert len(set(places(user).values())) == 5
    user.agree()


def test_second_create_changes_nothing(user: User, clone: Path) -> None:
    before = user.objects(), user.pods()
    check = user.run(f"make create {FIVE[:-1]} --check'", clone)
    assert check.changed == 0
    run = user.run(f"make create {FIVE}", clone)
    assert run.changed == 0
    user.note(f"second create on five machines: {run.seconds:.0f} s")
    assert (user.objects(), user.pods()) == before


def test_one_of_each_kind_acts(user: User, clone: Path) -> None:
    """The leases name one scheduler and one controller manager, each on a control plane."""
    for name in ("kube-scheduler", "kube-controller-manager"):
        lease = user.get(f"lease {name}", "kube-system")
        assert lease["spec"]["holderIdentity"].split("_")[0] in sorted(machines(user))[:3]


def test_etcd_has_three_members(user: User, clone: Path) -> None:
    pods = [pod["metadata"]["name"] for pod in user.get("pods -l component=etcd", "kube-system")]
    assert sorted(pods) == [f"etcd-{user.cluster}-{number}" for number in (1, 2, 3)]


def test_pods_reach_pods_of_all_machines(user: User, clone: Path) -> None:
    for pod in user.get("pods -l tm=tm"):
        address = pod["status"]["podIP"]
        for other in NODES:
            user.kubectl(f"-n mintnet exec -c tm {other} -- curl -sf -m 5 http://{address}:26657/health")


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_machine_is_lost_and_comes_back(user: User, clone: Path, number: int) -> None:
    lost = f"{user.cluster}-{number}"
    (away,) = [node for node, place in places(user).items() if place == lost]
    others = [node for node in NODES if node != away]
    user.run(f"make tx TX='machine-{number}=before it was lost' NODE={away}", clone)
    height = max(user.height(node) for node in NODES)
    user.run(f"podman kill {lost}", user.home)
    # Status finds an API server that lives, and leads the user's context to it.
    found = user.wait("the API answers", lambda: user.run("make status", clone, code=None).output.count("tm-"), 60)
    gone_on = user.wait("the chain goes on", lambda: all(user.height(node) > height + 3 for node in others), 120)
    user.note(f"{lost} lost: status after {found:.1f} s, all others above the old height after {gone_on:.1f} s more")
    run = user.run(f"make create {FIVE}", clone)
    assert lost in machines(user)
    user.note(f"create has brought {lost} back in {run.seconds:.0f} s")
    user.agree()
    assert user.values(NODES, f"machine-{number}") == dict.fromkeys(NODES, "before it was lost")
    assert user.run(f"make create {FIVE}", clone).changed == 0


def test_all_machines_are_lost_at_once(user: User, clone: Path) -> None:
    """One create brings all of them back."""
    gap = user.longest_gap(2)
    user.note(f"longest time between two blocks while one machine after the other was lost: {gap:.1f} s")
    user.run("make tx TX='all=before they were lost'", clone)
    height, volumes = max(user.height(node) for node in NODES), claims(user)
    everything = [f"{user.cluster}-{number}" for number in range(1, 6)]
    user.run(f"podman kill {' '.join(everything)}", user.home)
    run = user.run(f"make create {FIVE}", clone)
    user.note(f"five machines lost at once: create has brought all back in {run.seconds:.0f} s")
    assert sorted(machines(user)) == everything
    assert sorted(places(user)) == NODES
    assert claims(user) == volumes
    assert user.agree() > height
    assert user.values(NODES, "all") == dict.fromkeys(NODES, "before they were lost")
    assert user.values(NODES, "machine-1") == dict.fromkeys(NODES, "before it was lost")
    assert user.run(f"make create {FIVE}", clone).changed == 0


def test_a_machine_is_lost_for_good_and_made_anew(user: User, clone: Path) -> None:
    """Its disk too: the machine joins under its old name, and its validator is recovered."""
    lost = f"{user.cluster}-5"
    (away,) = [node for node, place in places(user).items() if place == lost]
    volumes = " ".join(f"{lost}-{volume}" for volume in ("containerd", "etcd", "kubelet"))
    user.run(f"podman kill {lost}; podman rm --force {lost}; podman volume rm {volumes}", user.home)
    asked = user.run(f"make create {FIVE}", clone, code=1)
    assert f"{lost} (node, gone for good)" in " ".join(asked.output.split())
    run = user.run(f"make create {FIVE} CONFIRM=yes", clone, code=1)
    assert "make recover" in run.output
    assert lost in machines(user)
    user.run(f"make recover NODE={away} CONFIRM=yes", clone)
    user.run(f"make create {FIVE}", clone)
    user.agree()
    assert user.run(f"make create {FIVE}", clone).changed == 0


def test_nobody_has_signed_twice(user: User) -> None:
    user.nobody_signed_twice()


def test_the_cluster_goes_without_a_trace(user: User, clone: Path) -> None:
    user.run("make destroy-cluster CONFIRM=yes", clone)
