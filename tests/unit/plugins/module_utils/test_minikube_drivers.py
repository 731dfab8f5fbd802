# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver is taken, and what stands in its way."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube_drivers import Host, choose, faults

LINUX = Host("Linux", True, 2, 8000, frozenset(), lambda _command: True)


def having(*programs: str, system: str = "Linux", root: bool = True, answers: bool = True) -> Host:
    return dataclasses.replace(
        LINUX, system=system, root=root, programs=frozenset(programs), answers=lambda _command: answers
    )


@pytest.mark.parametrize(
    ("host", "driver"),
    [
        (having("docker", "podman"), "docker"),
        (having("docker", "podman", answers=False), "podman"),
        (having("podman", "virsh", root=False), "podman"),
        (having("podman", "virsh", root=False, answers=False), "kvm2"),
        (having("vfkit", "qemu-system-aarch64", system="Darwin"), "vfkit"),
        (having("qemu-system-aarch64", system="Darwin"), "qemu"),
        (having("docker", "vfkit", system="Darwin", answers=False), "vfkit"),
    ],
)
def test_the_first_that_works(host: Host, driver: str) -> None:
    assert choose(host, "auto") == (driver, "the first that works here")


def test_none_that_works_says_what_to_do() -> None:
    with pytest.raises(MintnetError, match="none of docker, vfkit, qemu works here"):
        choose(having(system="Darwin"), "auto")


def test_what_is_named_is_taken_where_minikube_has_it() -> None:
    assert choose(having(), "none") == ("none", "as you asked")
    with pytest.raises(MintnetError, match="hyperkit is none that it has on Linux"):
        choose(having(), "hyperkit")


@pytest.mark.parametrize(
    ("host", "driver", "cpus", "memory", "said"),
    [
        (having("podman"), "podman", 1, 4096, "Kubernetes wants 2 CPUs"),
        (having("podman"), "podman", 2, 1000, "minikube_memory = 1000"),
        (having("podman"), "podman", 2, 9000, "to the 8000 MiB of this host"),
        (having(), "docker", 2, 4096, "needs the program docker"),
        (having("podman", root=False, answers=False), "podman", 2, 4096, "needs root, or sudo without a password"),
        (having(root=False), "none", 2, 4096, "the driver none needs root"),
    ],
)
def test_faults(host: Host, driver: str, cpus: int, memory: int, said: str) -> None:
    (fault,) = faults(host, driver, cpus, memory)
    assert said in fault


def test_hosts_that_are_fine_and_drivers_that_are_passed_through() -> None:
    assert not list(faults(having("podman"), "podman", 2, 4096))
    assert not list(faults(having(system="Darwin"), "vfkit", 1, 100))
