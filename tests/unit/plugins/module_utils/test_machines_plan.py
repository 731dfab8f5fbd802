# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions about machines, over rows as podman 4.3 lists them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_plan
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_plan import (
    Container,
    Found,
    Network,
    Volume,
    Wanted,
    known_hosts,
    notes,
    numbered,
    plan,
    refusals,
    surplus,
    volume_names,
)

WANTED = Wanted("trial", Path("/home"), IPv4Network("10.89.9.0/24"), count=2, sha256="aa", shared_dir="/cache")
ALIVE = 4711


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_machines_plan, "process_lives", lambda pid: pid == ALIVE)


def row(name: str, labels: Mapping[str, str] | None, **other: Any) -> Container:
    return Container.from_row(
        {
            "Id": f"id-{name}",
            "Names": [name],
            "State": "running",
            "StartedAt": 1795480069,
            "Pid": ALIVE,
            "ImageID": "0377d2",
            "Image": "localhost/mintnet/machine:aa",
            "Labels": labels,
            "Networks": ["trial"],
            **other,
        }
    )


def machine(number: int, **other: Any) -> Container:
    labels = {
        "io.mintnet.cluster": "trial",
        "io.mintnet.machine": str(number),
        "io.mintnet.address": f"10.89.9.{10 + number}",
        "io.mintnet.subnet": "10.89.9.0/24",
        "io.mintnet.shared-dir": "/cache",
        "io.mintnet.host-key": f"ssh-ed25519 KEY{number}",
        "io.mintnet.rootfs": "aa",
    }
    return row(f"trial-{number}", {**labels, **other.pop("labels", {})}, **other)


def actions(found: Found, wanted: Wanted = WANTED) -> dict[str, str]:
    return {step.name: step.action for step in plan(wanted, found)}


def test_nothing_there() -> None:
    assert actions(Found()) == {"trial-1": "make", "trial-2": "make"}
    assert [step.address for step in plan(WANTED, Found())] == ["10.89.9.11", "10.89.9.12"]
    assert WANTED.hardware_address(2) == "02:4d:0a:59:09:0c"


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ({}, "keep"),
        ({"State": "exited", "Pid": 0}, "start"),
        ({"State": "stopped", "Pid": 0}, "start"),
        ({"State": "paused"}, "start"),
        # After a restart of the host podman says so of what ran before.
        ({"State": "created", "Pid": 0}, "start"),
        # Nobody told podman that the processes are gone.
        ({"State": "running", "Pid": 1}, "start"),
        ({"State": "created", "Pid": 0, "StartedAt": -62135596800}, "make"),
        ({"State": "initialized", "Pid": ALIVE, "StartedAt": -62135596800}, "make"),
    ],
)
def test_action_follows_from_the_state(state: Mapping[str, Any], action: str) -> None:
    volumes = [Volume(name, Path("/"), {}) for name in volume_names("trial-1")]
    assert actions(Found([machine(1, **state)], volumes=volumes))["trial-1"] == action
    assert actions(Found([machine(1, **state)]))["trial-1"] == action


def test_stopped_machine_without_its_volumes_is_made_anew() -> None:
    stopped, running = machine(1, State="exited"), machine(2)
    assert actions(Found([stopped, running], volumes=[])) == {"trial-1": "make", "trial-2": "keep"}


def test_dead_is_told_from_running() -> None:
    assert machine(1, Pid=1).condition == "dead"
    assert machine(1, State="stopping", Pid=1).condition == "dead"
    assert machine(1, State="stopping").condition == "stopping"
    assert machine(1).condition == "running"


def test_machines_beyond_the_count_run_until_they_have_left() -> None:
    found = Found([machine(3), machine(1), machine(4, State="exited", Pid=0)])
    assert actions(found, WANTED) == {"trial-1": "keep", "trial-2": "make", "trial-3": "keep", "trial-4": "start"}
    assert surplus(WANTED, found) == ["trial-3", "trial-4"]
    assert list(notes(WANTED, plan(WANTED, found))) == []


def test_none_is_made_that_is_too_many() -> None:
    found = Found([machine(1), machine(2), machine(3, State="created", StartedAt=-62135596800, Pid=0)])
    assert actions(found, WANTED) == {"trial-1": "keep", "trial-2": "keep"}
    assert surplus(WANTED, found) == ["trial-3"]


def test_volumes_alone_are_what_is_left_of_a_machine_that_is_too_many() -> None:
    volumes = [
        Volume("trial-2-etcd", Path("/"), {"io.mintnet.cluster": "trial"}),
        Volume("trial-10-etcd", Path("/"), {"io.mintnet.cluster": "trial"}),
        Volume("trial-4-etcd", Path("/"), {"io.mintnet.cluster": "trial"}),
        Volume("trial-1-7-etcd", Path("/"), {"io.mintnet.cluster": "trial-1"}),
        Volume("trial-8-etcd", Path("/"), {}),
    ]
    found = Found([machine(1), machine(2), machine(3)], volumes=volumes)
    assert surplus(WANTED, found) == ["trial-3", "trial-4", "trial-10"]
    # Nothing is made or started for that.
    assert list(actions(found, WANTED)) == ["trial-1", "trial-2", "trial-3"]


def test_the_number_of_what_belongs_to_a_machine() -> None:
    assert [numbered("a-1", name) for name in ("a-1-12", "a-1-3-etcd", "b-1")] == [12, 3, 0]


def test_machines_of_other_clusters_are_nothing_to_us() -> None:
    other = row("trial-1-1", {"io.mintnet.cluster": "trial-1", "io.mintnet.machine": "1"})
    assert not Found([other]).machines("trial")
    assert not list(refusals(WANTED, Found([other], [], [])))


def test_known_hosts_in_order_of_numbers() -> None:
    found = Found([machine(10), machine(2)])
    assert list(known_hosts(WANTED, found).items()) == [
        ("10.89.9.12", "ssh-ed25519 KEY2"),
        ("10.89.9.20", "ssh-ed25519 KEY10"),
    ]


def test_refuses_what_others_made() -> None:
    found = Found(
        [row("trial-2", None), row("trial-3", None), row("trial-1", {"io.mintnet.cluster": "another"})],
        [Network("trial", "podman1", ["10.89.9.0/24"], {})],
        [Volume("trial-1-etcd", Path("/"), {}), Volume("trial-1-mine", Path("/"), {})],
    )
    faults = list(refusals(WANTED, found))
    assert [fault.partition(" that was not made for this cluster")[0] for fault in faults] == [
        "podman has a container trial-2",
        "podman has a container trial-1",
        "podman has a network trial",
        "podman has a volume trial-1-etcd",
    ]


def test_refuses_another_subnet_for_machines_that_exist() -> None:
    found = Found([machine(1, labels={"io.mintnet.subnet": "10.1.0.0/24"})])
    assert list(refusals(WANTED, found)) == [
        "the machines of cluster trial were made with the subnet 10.1.0.0/24, which cannot become 10.89.9.0/24: "
        "set machines_subnet back, or remove the cluster first"
    ]


@pytest.mark.parametrize(
    ("subnets", "refused"),
    [(["10.89.0.0/16"], True), (["10.89.9.128/25"], True), (["10.89.10.0/24"], False), (["fd00::/64"], False)],
)
def test_refuses_the_subnet_of_another_network(subnets: list[str], refused: bool) -> None:
    found = Found(networks=[Network("other", "podman3", subnets, {}), Network("trial", "", ["10.89.9.0/24"], ours())])
    assert bool(list(refusals(WANTED, found))) == refused


def ours() -> dict[str, str]:
    return {"io.mintnet.cluster": "trial"}


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        (Wanted("trial", Path("/"), IPv4Network("10.0.0.0/28"), count=5), "has no address for trial-5"),
        (Wanted("trial", Path("/"), IPv4Network("10.0.0.0/28"), count=0), "there is at least one"),
        (Wanted("a" * 62, Path("/"), IPv4Network("10.0.0.0/24")), "too long for the name of a host"),
    ],
)
def test_refuses_what_cannot_be(wanted: Wanted, fault: str) -> None:
    assert [fault in said for said in refusals(wanted, Found())] == [True]


def test_last_address_of_a_small_subnet() -> None:
    assert not list(refusals(Wanted("trial", Path("/"), IPv4Network("10.0.0.0/28"), count=4), Found()))


def test_notes_what_machines_keep() -> None:
    old = machine(1, labels={"io.mintnet.rootfs": "bb", "io.mintnet.shared-dir": ""})
    assert list(notes(WANTED, plan(WANTED, Found([old])))) == [
        "trial-1 keeps its root file system: only new machines get the one of these versions",
        "trial-1 sees the folder (none) of this host, not /cache",
    ]


def test_remnants_are_files_of_our_image_under_our_names() -> None:
    early = {"State": "storage", "StartedAt": 0, "Pid": 0, "Networks": None}
    found = Found(
        [
            row("trial-1", None, **early),
            row("trial-x", None, **early),
            row("trial-1-1", None, **early),
            row("trial-2", None, **{**early, "Image": "docker.io/library/debian:12"}),
        ]
    )
    assert [one.name for one in found.remnants("trial")] == ["trial-1"]
    assert [fault.split()[4] for fault in refusals(WANTED, found)] == ["trial-2"]
