# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of local machines, what podman has, and what follows from both. Nothing here changes anything.

All that has to be remembered about a machine is in the labels of its container: podman's list is the only state.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_host import overlaps, process_lives

CLUSTER = "io.mintnet.cluster"
NUMBER = "io.mintnet.machine"
ADDRESS = "io.mintnet.address"
SUBNET = "io.mintnet.subnet"
SHARED = "io.mintnet.shared-dir"
HOST_KEY = "io.mintnet.host-key"
#: On the image, from which its containers inherit it.
ROOTFS = "io.mintnet.rootfs"
IMAGE = "localhost/mintnet/machine"

#: Overlay does not work on overlay, so containerd needs a volume; mounts of the kubelet must be seen by all.
VOLUMES = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet:rshared", "etcd": "/var/lib/etcd"}
#: Addresses below are left for the gateway and for what may stand before several machines.
FIRST_ADDRESS = 10


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The machines of one cluster as they shall be."""

    cluster: str
    home: Path
    subnet: IPv4Network
    count: int = 1
    rootfs: str = ""
    sha256: str = ""
    shared_dir: str = ""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    masked_units: Sequence[str] = ()
    commands: Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: int = 120

    def name(self, number: int) -> str:
        return f"{self.cluster}-{number}"

    def address(self, number: int) -> IPv4Address:
        return self.subnet.network_address + FIRST_ADDRESS + number

    def hardware_address(self, number: int) -> str:
        """One for each address: neighbours remember it for a while, also over a machine's restart."""
        return ":".join(f"{byte:02x}" for byte in (0x02, 0x4D, *self.address(number).packed))


@dataclasses.dataclass(frozen=True)
class Container:
    """A container as podman lists it."""

    id: str
    name: str
    state: str
    started: bool
    pid: int
    image: str
    reference: str
    labels: Mapping[str, str]
    networks: Sequence[str]

    @classmethod
    def from_row(cls, row: Mapping[str, t.Any]) -> Container:
        return cls(
            id=row["Id"],
            name=row["Names"][0],
            state=row["State"],
            # A time before 1970 stands for never.
            started=row["StartedAt"] > 0,
            pid=row["Pid"],
            image=row["ImageID"],
            reference=row["Image"],
            labels=row["Labels"] or {},
            networks=row["Networks"] or [],
        )

    @property
    def condition(self) -> str:
        """The state; but podman takes a container for running whose processes and watcher were killed at once."""
        if self.state in ("running", "stopping") and not process_lives(self.pid):
            return "dead"
        return self.state

    @property
    def is_remnant(self) -> bool:
        """Whether its making was cut off so early that podman has only its files, and not yet its labels."""
        return self.state == "storage" and self.reference.startswith(f"{IMAGE}:")


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as podman lists it."""

    name: str
    device: str
    subnets: Sequence[str]
    labels: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Mapping[str, t.Any]) -> Network:
        subnets = [part["subnet"] for part in row.get("subnets") or []]
        return cls(row["name"], row.get("network_interface") or "", subnets, row.get("labels") or {})


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume as podman lists it."""

    name: str
    folder: Path
    labels: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Mapping[str, t.Any]) -> Volume:
        return cls(row["Name"], Path(row["Mountpoint"]), row["Labels"] or {})


Thing = t.TypeVar("Thing", Container, Network, Volume)


def ours(cluster: str, things: Sequence[Thing]) -> list[Thing]:
    return [thing for thing in things if thing.labels.get(CLUSTER) == cluster]


@dataclasses.dataclass(frozen=True)
class Found:
    """What podman has. A first look is at containers alone: while they run, the rest is there."""

    containers: Sequence[Container] = ()
    networks: Sequence[Network] | None = None
    volumes: Sequence[Volume] | None = None

    def machines(self, cluster: str) -> dict[int, Container]:
        """The cluster's machines by number."""
        found = {int(one.labels[NUMBER]): one for one in ours(cluster, self.containers)}
        return dict(sorted(found.items()))

    def remnants(self, cluster: str) -> list[Container]:
        name = re.compile(re.escape(cluster) + "-[0-9]+")
        return [one for one in self.containers if one.is_remnant and name.fullmatch(one.name)]

    def has_volumes(self, machine: str) -> bool:
        return self.volumes is None or volume_names(machine) <= {volume.name for volume in self.volumes}


def volume_names(machine: str) -> set[str]:
    return {f"{machine}-{volume}" for volume in VOLUMES}


@dataclasses.dataclass(frozen=True)
class Step:
    """What is to be done about one machine: keep, start or make."""

    number: int
    name: str
    address: str
    action: str
    container: Container | None


def plan(wanted: Wanted, found: Found) -> list[Step]:
    """Also of surplus machines, which leave their cluster in an orderly way while they run. None is made for that."""
    machines = found.machines(wanted.cluster)
    steps = [
        Step(
            number,
            wanted.name(number),
            str(wanted.address(number)),
            action(machines.get(number), found.has_volumes(wanted.name(number))),
            machines.get(number),
        )
        for number in sorted({*range(1, wanted.count + 1), *machines})
    ]
    return [step for step in steps if step.number <= wanted.count or step.action != "make"]


def surplus(wanted: Wanted, found: Found) -> list[str]:
    """Names of the machines beyond those that are wanted, whatever state they are in.

    One whose removal was cut off may have nothing left but volumes.
    """
    numbers = {numbered(wanted.cluster, one.name) for one in ours(wanted.cluster, found.volumes or ())}
    return [
        wanted.name(number) for number in sorted({*found.machines(wanted.cluster), *numbers}) if number > wanted.count
    ]


def numbered(cluster: str, name: str) -> int:
    """The number of the machine that this is, or that this volume is of."""
    found = re.match(re.escape(cluster) + "-([0-9]+)", name)
    return int(found.group(1)) if found else 0


def action(container: Container | None, has_volumes: bool) -> str:
    """A machine that was never started has nothing to lose, and its making may not have come to an end."""
    if container is None or not container.started:
        return "make"
    if container.condition == "running":
        return "keep"
    return "start" if has_volumes else "make"


def known_hosts(wanted: Wanted, found: Found) -> dict[str, str]:
    """Address and host key of each machine."""
    return {one.labels[ADDRESS]: one.labels[HOST_KEY] for one in found.machines(wanted.cluster).values()}


def refusals(wanted: Wanted, found: Found) -> Iterator[str]:
    """What is not ours to touch, or cannot be changed on machines that exist."""
    another_name = "or choose another name for the cluster"
    last = wanted.name(wanted.count)
    if wanted.count < 1:
        yield f"{wanted.count} machines are asked for: there is at least one"
    if wanted.address(wanted.count) >= wanted.subnet.broadcast_address:
        yield (
            f"the subnet {wanted.subnet} has no address for {last}: machines have the addresses "
            f"{wanted.address(1)} and following; choose a larger one with machines_subnet"
        )
    if len(last) > 63:
        yield f"{last} is too long for the name of a host: choose a shorter name for the cluster"

    machines = {wanted.name(number) for number in range(1, wanted.count + 1)}
    things: list[tuple[str, Container | Network | Volume]] = [
        *(("container", one) for one in found.containers if one.name in machines and not one.is_remnant),
        *(("network", one) for one in found.networks or () if one.name == wanted.cluster),
        *(("volume", one) for one in found.volumes or () if one.name in set().union(*map(volume_names, machines))),
    ]
    for kind, one in things:
        if one.labels.get(CLUSTER) != wanted.cluster:
            yield f"podman has a {kind} {one.name} that was not made for this cluster: remove it, {another_name}"

    made_with = {one.labels[SUBNET] for one in found.machines(wanted.cluster).values()}
    for subnet in made_with - {str(wanted.subnet)}:
        yield (
            f"the machines of cluster {wanted.cluster} were made with the subnet {subnet}, which cannot become "
            f"{wanted.subnet}: set machines_subnet back, or remove the cluster first"
        )
    for network in found.networks or ():
        for subnet in network.subnets if network.name != wanted.cluster else ():
            if overlaps(wanted.subnet, subnet):
                yield (
                    f"podman's network {network.name} ({subnet}) uses the subnet {wanted.subnet}: "
                    "choose another with machines_subnet"
                )


def notes(wanted: Wanted, steps: Sequence[Step]) -> Iterator[str]:
    """What of the wishes is not fulfilled, because machines that exist are kept."""
    for step in steps:
        if step.container is None or step.action == "make":
            continue
        labels = step.container.labels
        if labels.get(ROOTFS) != wanted.sha256:
            yield f"{step.name} keeps its root file system: only new machines get the one of these versions"
        if labels.get(SHARED) != wanted.shared_dir:
            yield f"{step.name} sees the folder {labels.get(SHARED) or '(none)'} of this host, not {wanted.shared_dir}"
