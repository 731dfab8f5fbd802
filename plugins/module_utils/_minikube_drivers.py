# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which driver minikube uses on this host, and what stands in its way."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

#: In the order in which they are preferred, by system; the rest has to be named.
PREFERRED: Mapping[str, Sequence[str]] = {"Darwin": ("docker", "vfkit", "qemu"), "Linux": ("docker", "podman", "kvm2")}
NAMED: Mapping[str, Sequence[str]] = {
    "Darwin": ("podman", "krunkit", "parallels", "hyperkit", "virtualbox", "ssh"),
    "Linux": ("none", "qemu", "virtualbox", "ssh"),
}
#: Drivers whose nodes are containers.
CONTAINERS = ("docker", "podman")
_PROGRAMS = {"kvm2": ("virsh",), "vfkit": ("vfkit",), "qemu": ("qemu-system-x86_64", "qemu-system-aarch64")}
CPUS, MEMORY_MIB = 2, 1800
SECONDS = 6
Ask = Callable[[Sequence[str]], bool]


@dataclass(frozen=True)
class Host:
    """What the choice depends on."""

    system: str
    root: bool
    cpus: int
    memory_mib: int
    programs: frozenset[str]
    answers: Ask

    def has(self, driver: str) -> bool:
        """Whether it is there and works, as far as that is quickly seen."""
        if driver == "docker":
            return "docker" in self.programs and self.answers(["docker", "version", "--format", "{{.Server.Version}}"])
        if driver == "podman":
            return "podman" in self.programs and (self.root or self.answers(["sudo", "-n", "podman", "version"]))
        return bool(self.programs.intersection(_PROGRAMS.get(driver, ())))


def look() -> Host:
    names = ("docker", "podman", *(name for group in _PROGRAMS.values() for name in group))
    return Host(
        system=platform.system(),
        root=os.geteuid() == 0,
        cpus=os.cpu_count() or 1,
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024),
        programs=frozenset(name for name in names if shutil.which(name)),
        answers=answers,
    )


def at_hand() -> str:
    """The one that works here, or nothing."""
    try:
        return choose(look(), "auto")[0]
    except MintnetError:
        return ""


def answers(command: Sequence[str]) -> bool:
    try:
        return (
            subprocess.run(  # pylint: disable=ansible-bad-function
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def choose(host: Host, asked: str) -> tuple[str, str]:
    """The driver, and why it is that one."""
    known = (*PREFERRED.get(host.system, ()), *NAMED.get(host.system, ()))
    if asked != "auto":
        if asked not in known:
            raise MintnetError(
                f"Choosing the driver of minikube: {asked} is none that it has on {host.system}",
                hint=f"it has {', '.join(known)}",
            )
        return asked, "as you asked"
    for driver in PREFERRED.get(host.system, ()):
        if host.has(driver):
            return driver, "the first that works here"
    wanted = PREFERRED.get(host.system, ())
    raise MintnetError(
        f"Choosing the driver of minikube: none of {', '.join(wanted)} works here",
        hint="install and start one of them, or name another in minikube_driver",
    )


def faults(host: Host, driver: str, cpus: int, memory: int) -> Iterator[str]:
    """What would end the start, or a node that starts: only for drivers whose nodes share this host."""
    if driver not in (*CONTAINERS, "none") or host.system != "Linux":
        return
    if cpus < CPUS or host.cpus < CPUS:
        yield f"Kubernetes wants {CPUS} CPUs: this host has {host.cpus}, and minikube_cpus is {cpus}"
    if not MEMORY_MIB <= memory <= host.memory_mib:
        yield f"minikube_memory = {memory}: must be from {MEMORY_MIB} to the {host.memory_mib} MiB of this host"
    if driver in CONTAINERS and driver not in host.programs:
        yield f"the driver {driver} needs the program {driver}, which is not installed"
    elif driver == "podman" and not host.has("podman"):
        yield "the driver podman needs root, or sudo without a password for podman"
    if driver == "none" and not host.root:
        yield "the driver none needs root"
