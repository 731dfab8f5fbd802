# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of machines: who has it, what is there, what is allowed, and what to do."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._preflight import (
    Cluster,
    Fault,
    Machine,
    faults,
    table,
)

Changes = dict[str, t.Any]

CLUSTER = Cluster("mintnet", "1.36.3")


def kubernetes(**changes: t.Any) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {"state": "none", "cluster": "", "control_plane": False, "leftovers": [], "ca": ""}
    return {**found, "api": {"answers": False, "nodes": []}, **changes}


def member(*nodes: tuple[str, str], control_plane: bool = True, cluster: str = "mintnet") -> Changes:
    """What a machine tells that has joined; a control plane lists the nodes, each with its version."""
    api = {"answers": bool(nodes), "nodes": [{"name": name, "version": version} for name, version in nodes]}
    return {"kubernetes": kubernetes(state="done", cluster=cluster, control_plane=control_plane, api=api)}


def machine(number: int = 1, wish: Changes | None = None, **changes: t.Any) -> Machine:
    """A new one that has no fault, but for these changes of what it tells, and of what is wished of it."""
    address = f"192.0.2.{number}"
    info = {
        "os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
        "architecture": "amd64",
        "kernel": "6.1.0-28-amd64",
        "cgroup_version": 2,
        "cpus": 2,
        "memory_mb": 1700,
        "swap_mb": 0,
        "hostname": f"host-{number}",
        "listening": [22],
        "root": True,
        "machine_id": f"{number:032x}",
        "macs": [f"52:54:00:00:00:{number:02x}"],
        "addresses": [address, "10.0.0.1"],
        "disk_free_mb": 3072,
        "kernel_missing": [],
        "nameservers": ["192.0.2.53"],
        "others": {},
        "pod_networks": ["87-podman.conflist"],
        "clock": 1000.5,
        "asked": [1000.0, 1001.0],
        "records": {},
        "kubernetes": kubernetes(),
    }
    return dataclasses.replace(Machine(f"m-{number}", {**info, **changes}, address=address), **(wish or {}))


def unseen(number: int = 1, **probe: t.Any) -> Machine:
    return Machine(f"m-{number}", probe)


def said(*machines: Machine, cluster: Cluster = CLUSTER) -> list[tuple[str, str]]:
    return [(fault.machine, f"{fault.wrong} → {fault.todo}") for fault in faults(cluster, machines)]


NODE = {"control_plane": False}
#: Each fault that one machine can have by itself, and the words that it must be told with.
ALONE: list[tuple[Machine, list[str]]] = [
    (machine(cpus=1), ["1 CPU", "at least 2"]),
    (machine(memory_mb=1699), ["1699 MiB", "at least 1700"]),
    (machine(disk_free_mb=3071), ["/var/lib", "3071 MiB are free", "at least 3072 MiB"]),
    (machine(swap_mb=512), ["512 MiB of swap", "swapoff -a", "failSwapOn"]),
    (machine(cgroup_version=1), ["control groups are version 1", "unified_cgroup_hierarchy=1", "failCgroupV1"]),
    (machine(kernel_missing=["br_netfilter", "overlay"]), ["6.1.0-28-amd64 lacks br_netfilter, overlay", "reboot"]),
    (machine(nameservers=["127.0.0.1", "::1"]), ["127.0.0.1, ::1", "/etc/resolv.conf", "CoreDNS"]),
    (machine(nameservers=[]), ["there is none", "/etc/resolv.conf"]),
    (machine(others={"k3s": "/etc/rancher/k3s"}), ["k3s", "/etc/rancher/k3s", "its own means"]),
    (machine(others={"containerd": "/usr/bin/containerd"}), ["containerd", "/usr/bin/containerd"]),
    (machine(pod_networks=["10-calico.conflist", "10-mintnet.conflist"]), ["/etc/cni/net.d/10-calico", "remove"]),
    (machine(listening=[22, 6443]), ["port 6443 is in use", "ss -ltnp sport = :6443"]),
    (machine(listening=[8443]), ["port 8443 is in use"]),
    (machine(listening=[10250], wish=NODE), ["port 10250 is in use"]),
    (machine(os={"id": "rocky", "name": "Rocky Linux 9"}), ["Rocky Linux 9", "Debian 12 or Ubuntu"]),
    (machine(architecture="riscv64"), ["riscv64", "amd64 or arm64"]),
    (machine(wish={"address": ""}), ["address is unknown", "kubeadm_address"]),
    (machine(wish={"address": "203.0.113.1"}), ["203.0.113.1", "192.0.2.1, 10.0.0.1", "kubeadm_address"]),
    (machine(root=False), ["not root", "ansible_become"]),
    (machine(clock=1007.1), ["6 s ahead of that of the controller", "5 s are allowed", "NTP"]),
    (machine(clock=940.0), ["60 s behind that of the controller"]),
    (
        machine(kubernetes=kubernetes(state="foreign", leftovers=["/etc/kubernetes/admin.conf"])),
        ["a Kubernetes cluster that we did not make (/etc/kubernetes/admin.conf)", "kubeadm reset"],
    ),
    (machine(**member(cluster="other")), ["belongs to the cluster other", "instead of mintnet"]),
    (machine(kubernetes=kubernetes(state="begun", cluster="other")), ["belongs to the cluster other"]),
    (machine(**member(("m-1", "v1.35.0"))), ["runs Kubernetes v1.35.0", "v1.36.3 is wanted", "make it anew"]),
    (machine(**member(control_plane=False)), ["a node of", "a control plane is wanted", "list it in kube_node"]),
    (machine(wish=NODE, **member()), ["a control plane of", "a node is wanted", "list it in kube_control_plane"]),
    (
        unseen(unreachable=True, msg="Failed to connect via ssh: ssh: connect to host h port 22: No route to host"),
        ["cannot be reached: ssh: connect to host h port 22: No route to host", "ansible_host"],
    ),
    (
        unseen(unreachable=True, msg="Failed to connect via ssh: root@h: Permission denied (publickey)."),
        ["refuses the login: root@h: Permission denied (publickey).", "ansible_ssh_private_key_file"],
    ),
    (unseen(unreachable=True, msg="via ssh: Host key verification failed."), ["host key", "known_hosts"]),
    (unseen(unreachable=True, msg="via ssh: Could not resolve hostname h"), ["name leads nowhere", "ansible_host"]),
    (unseen(unreachable=True), ["cannot be reached: nothing was said of why"]),
    (unseen(failed=True, msg="Task failed: Incorrect sudo password"), ["sudo password is wrong", "ask-become-pass"]),
    (unseen(failed=True, msg="Task failed: Missing sudo password"), ["sudo asks", "ask-become-pass"]),
    (unseen(failed=True, module_stderr="sudo: a password is required\n"), ["sudo asks", "ask-become-pass"]),
    (unseen(failed=True, msg="/bin/sh: 1: sudo: not found"), ["no sudo", "ansible_user"]),
    (unseen(failed=True, msg="jo is not in the sudoers file."), ["may not do sudo", "ansible_user"]),
    (
        unseen(failed=True, msg="The module interpreter '/usr/bin/python3' was not found."),
        ["no Python 3", "apt-get install python3", "ansible_python_interpreter"],
    ),
    (
        unseen(failed=True, msg="see stdout", module_stderr="/bin/sh: 1: /usr/bin/python3: not found"),
        ["no Python 3", "apt-get install python3"],
    ),
    (unseen(failed=True, msg="Traceback:\nMemoryError"), ["looking at it failed: MemoryError"]),
]


@pytest.mark.parametrize(("faulty", "words"), ALONE, ids=[" ".join(words)[:40] for _one, words in ALONE])
def test_a_fault(faulty: Machine, words: list[str]) -> None:
    ((name, text),) = said(faulty)
    assert name == "m-1"
    assert all(word in text for word in words), text
    # Beside a machine without faults it stays the only one.
    assert said(machine(2), faulty) == [(name, text)]


@pytest.mark.parametrize(
    "sound",
    [
        machine(),
        machine(wish=NODE),
        machine(os={"id": "ubuntu", "name": "Ubuntu 24.04"}, architecture="arm64"),
        machine(swap_mb=512, wish={"swap": True}),
        machine(cgroup_version=1, wish={"cgroup_v1": True}),
        machine(nameservers=["127.0.0.53", "fe80::1%eth0"]),
        # A node is no place for etcd and the API server.
        machine(listening=[2379, 6443, 10257], wish=NODE),
        # The balancer is ours since an earlier run, and so is all that a cut-off joining began.
        machine(listening=[8443], records={"kubeadm": {"inputs": "", "drift": []}}),
        machine(listening=[6443, 10250], kubernetes=kubernetes(state="begun", cluster="mintnet")),
        machine(listening=[6443, 10250], **member(("m-1", "v1.36.3"))),
        machine(wish=NODE, **member(control_plane=False)),
        # Only what a machine needs to join, and has no more.
        machine(
            cpus=1, memory_mb=900, disk_free_mb=10, clock=0.0, nameservers=[], kernel_missing=["overlay"], **member()
        ),
        machine(clock=1005.9),
        machine(clock=995.1),
        # An answer that took long leaves open when in between the clock was read.
        machine(clock=1020.0, asked=[1000.0, 1030.0]),
    ],
)
def test_no_fault(sound: Machine) -> None:
    assert said(sound) == []


@pytest.mark.parametrize(
    ("check", "faulty"),
    [
        ("NumCPU", machine(cpus=1)),
        ("Mem", machine(memory_mb=1000)),
        ("DiskFree", machine(disk_free_mb=1000)),
        ("SystemVerification", machine(kernel_missing=["overlay"])),
        ("NameServers", machine(nameservers=[])),
        ("OtherInstallations", machine(others={"k3s": "/etc/rancher/k3s"})),
        ("PodNetwork", machine(pod_networks=["05-cilium.conflist"])),
        ("Port-6443", machine(listening=[6443])),
        ("Clock", machine(clock=0.0)),
    ],
)
def test_a_check_is_ignored_by_its_name_on_its_machine(check: str, faulty: Machine) -> None:
    (found,) = faults(CLUSTER, [faulty])
    assert found.check == check
    ignoring = dataclasses.replace(faulty, ignored=[check])
    assert faults(CLUSTER, [ignoring]) == []
    assert faults(CLUSTER, [ignoring, machine(2, cpus=1)])[0].machine == "m-2"


def test_what_cannot_be_ignored_has_no_name() -> None:
    for faulty in (machine(root=False), machine(swap_mb=1), machine(architecture="mips"), unseen(unreachable=True)):
        (found,) = faults(CLUSTER, [faulty])
        assert found.check == ""


@pytest.mark.parametrize(
    ("kind", "changes", "todo"),
    [
        ("host name host-1", {"hostname": "host-1"}, "hostnamectl"),
        (f"machine id {1:032x}", {"machine_id": f"{1:032x}"}, "systemd-machine-id-setup"),
        ("MAC address 52:54:00:00:00:01", {"macs": ["52:54:00:00:00:01"]}, "interface"),
    ],
)
def test_what_each_must_have_alone(kind: str, changes: Changes, todo: str) -> None:
    found = said(machine(1), machine(2, **changes), machine(3))
    assert [name for name, _text in found] == ["m-1", "m-2"]
    for (_name, text), other in zip(found, ("m-2", "m-1"), strict=True):
        assert f"its {kind} is that of {other}, too" in text
        assert todo in text
    # Those that have joined live with it; one that is new has to do something about it.
    members = machine(1, **member()), machine(2, **{**member(), **changes})
    assert said(*members) == []
    ((name, text),) = said(*members, machine(3, **changes))
    assert name == "m-3"
    assert "is that of m-1, m-2, too" in text


def test_machines_that_tell_no_id_are_not_alike() -> None:
    assert said(machine(1, machine_id="", macs=[]), machine(2, machine_id="", macs=[])) == []


def test_one_machine_under_two_names_is_told_as_such() -> None:
    twin = dataclasses.replace(machine(1), name="m-2")
    (first, text), (second, _text) = said(machine(1), twin)
    assert (first, second) == ("m-1", "m-2")
    assert text.startswith("its address 192.0.2.1 is that of m-2, too")
    assert "list each machine once" in text


def test_architectures() -> None:
    mixed = [machine(1), machine(2, architecture="arm64"), machine(3)]
    found = said(*mixed)
    assert [name for name, _text in found] == ["m-1", "m-2", "m-3"]
    assert "its architecture is arm64, and that of m-1, m-3 is not → use machines of one architecture" in found[1][1]
    ((name, text),) = said(*mixed, cluster=dataclasses.replace(CLUSTER, arch="amd64"))
    assert name == "m-2"
    assert "is arm64, and binaries and images are for amd64 → set artifacts_arch to arm64" in text


def test_clocks_of_machines_among_themselves() -> None:
    """Both are right by the controller's, and not by one another's."""
    found = said(machine(1, clock=1005.5), machine(2, clock=996.0), machine(3))
    assert [name for name, _text in found] == ["m-1", "m-2"]
    assert "its clock is 8 s ahead of that of m-2" in found[0][1]
    assert "its clock is 8 s behind that of m-1" in found[1][1]
    # One that is wrong does not make the others wrong, and one that has joined is no fault of its own.
    assert [name for name, _text in said(machine(1, clock=2000.0), machine(2), machine(3))] == ["m-1"]
    assert [name for name, _text in said(machine(1, clock=1005.5, **member()), machine(2, clock=996.0))] == ["m-2"]


def test_a_node_that_is_lost_is_told_as_one() -> None:
    ((name, text),) = said(
        machine(1, **member(("m-1", "v1.36.3"), ("m-2", "v1.36.3"))), unseen(2, unreachable=True, msg="timed out")
    )
    assert name == "m-2"
    assert text.startswith("it is a node of cluster mintnet, and it cannot be reached: timed out → start it")
    assert "leave the cluster" in text


def test_a_node_runs_what_the_control_plane_says_of_it() -> None:
    lead = machine(1, **member(("m-1", "v1.36.3"), ("m-2", "v1.35.9")))
    ((name, text),) = said(lead, machine(2, wish=NODE, **member(control_plane=False)))
    assert name == "m-2"
    assert "runs Kubernetes v1.35.9" in text


def joined(*nodes: str, **changes: t.Any) -> Changes:
    """A control plane that lists these nodes, or a node, where there are none."""
    found = member(*((name, "v1.36.3") for name in nodes), control_plane=bool(nodes))
    return {"kubernetes": {**found["kubernetes"], **changes}}


@pytest.mark.parametrize("state", ["none", "begun"])
def test_no_cluster_is_made_beside_the_one_that_a_machine_has_joined(state: str) -> None:
    node = machine(2, wish=NODE, **joined())
    fresh = machine(1, kubernetes=kubernetes(state=state, cluster="mintnet" if state == "begun" else ""))
    ((name, text),) = said(fresh, node, machine(3, wish=NODE))
    assert name == "m-2"
    assert "a node of a cluster mintnet that no machine in kube_control_plane has" in text
    assert "in kube_control_plane again; if that is lost" in text
    assert "make destroy-cluster" in text
    # It is the control planes that make one, and all of them have to be known.
    assert said(node) == []
    assert said(machine(4, **joined("m-2", "m-4")), fresh, node) == []
    assert [name for name, _text in said(fresh, unseen(4, unreachable=True), node)] == ["m-4"]


def test_a_machine_of_another_cluster_of_the_same_name() -> None:
    lead = machine(1, **joined("m-1", "m-2", ca="one"))
    ((name, text),) = said(lead, machine(2, wish=NODE, **joined(ca="other")))
    assert name == "m-2"
    assert "it has joined another cluster mintnet than m-1 has" in text
    assert "list it in kube_removed, run create, then list it again (local machines: make destroy-cluster" in text
    assert said(lead, machine(2, wish=NODE, **joined(ca="one"))) == []
    # The one that answers has the cluster.
    silent = machine(3, **joined("m-3", ca="other", api={"answers": False, "nodes": []}))
    assert [name for name, _text in said(silent, lead)] == ["m-3"]


def test_a_machine_that_was_taken_out_does_not_come_back() -> None:
    lead = machine(1, **joined("m-1"))
    out = machine(2, wish=NODE, **joined())
    ((name, text),) = said(lead, out)
    assert name == "m-2"
    assert "it was taken out of the cluster mintnet" in text
    assert "list it in kube_removed (local machines: lower mintnet_machines), run create, then list it again" in text
    control = machine(2, **joined("m-2", api={"answers": False, "nodes": []}))
    assert [name for name, _text in said(lead, control)] == ["m-2"]
    # Where no control plane answers, nothing is known of it.
    assert said(machine(1, **joined("m-1", api={"answers": False, "nodes": []})), out) == []


@pytest.mark.parametrize("state", ["none", "begun"])
def test_a_machine_that_is_about_to_join_is_no_node_yet(state: str) -> None:
    joining = machine(2, kubernetes=kubernetes(state=state, cluster="mintnet" if state == "begun" else ""))
    assert said(machine(1, **joined("m-1", ca="one")), joining) == []


def test_all_faults_of_all_machines_in_one_table() -> None:
    found = faults(
        CLUSTER,
        [
            machine(1, cpus=1, memory_mb=512, listening=[10250, 2379]),
            machine(2),
            unseen(3, failed=True, msg="Missing sudo password"),
        ],
    )
    assert table(found, 90).splitlines() == [
        "machine  what is wrong                    what to do",
        "m-1      it has 1 CPU                     give it at least 2",
        "         it has 512 MiB of memory         give it at least 1700",
        "         its port 2379 is in use, which   see who listens there (ss -ltnp sport = :2379),",
        "         Kubernetes needs                 and stop that",
        "         its port 10250 is in use, which  see who listens there (ss -ltnp sport = :10250),",
        "         Kubernetes needs                 and stop that",
        "m-3      its sudo asks for a password     give it: ansible_become_password, or",
        "                                          --ask-become-pass; or let the user do sudo",
        "                                          without one",
    ]


@pytest.mark.parametrize("width", [40, 70, 110, 200])
def test_a_table_is_as_wide_as_its_place(width: int) -> None:
    found = [Fault("machine-1", "a " * 200, "b " * 90), Fault("machine-2", "x" * 20, "y")]
    rows = table(found, width).splitlines()
    assert max(map(len, rows)) <= max(width, 9 + 2 + 24 + 2 + 24)
    start = rows[0].index("what to do")
    assert {row[start - 2 : start] for row in rows[1:] if len(row) > start} == {"  "}
