# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local machines: containers with systemd, in podman.

All that has to be remembered about a machine is in the labels of its container, so podman's list of containers is the
only state. Nothing without the cluster's label is ever touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import io
import os
import tarfile
import time
import typing as t
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path, PurePosixPath

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_host as on_host
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_ssh import Access, keypair, scratch, write
from ansible_collections.mintnet.kubernetes.plugins.module_utils._podman import (
    EXITS,
    PodmanError,
    attempt,
    listed,
    podman,
    run,
    which,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import clock

LABEL = "io.mintnet."
CLUSTER = LABEL + "cluster"
NUMBER = LABEL + "machine"
ADDRESS = LABEL + "address"
SUBNET = LABEL + "subnet"
SHARED = LABEL + "shared-dir"
HOST_KEY = LABEL + "host-key"
#: On the image, from which its containers inherit it.
ROOTFS = LABEL + "rootfs"
IMAGE = "localhost/mintnet/machine"

#: Overlay does not work on overlay, so containerd needs a volume; mounts of the kubelet must be seen by all.
VOLUMES = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet:rshared", "etcd": "/var/lib/etcd"}
#: Addresses below are left for the gateway and for what may stand before several machines.
FIRST_ADDRESS = 10
HOSTS_BEGIN, HOSTS_END = "# The machines of this cluster", "# End of the machines"
BASE_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The machines of one cluster as they shall be."""

    cluster: str
    home: Path
    count: int = 1
    subnet: IPv4Network = dataclasses.field(default_factory=lambda: IPv4Network("10.89.64.0/24"))
    rootfs: str = ""
    sha256: str = ""
    shared_dir: str = ""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    masked_units: Sequence[str] = ()
    commands: Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: int = 60

    def name(self, number: int) -> str:
        return f"{self.cluster}-{number}"

    def address(self, number: int) -> IPv4Address:
        return self.subnet.network_address + FIRST_ADDRESS + number


@dataclasses.dataclass(frozen=True)
class Container:
    """A container as podman lists it."""

    id: str
    name: str
    state: str
    started: bool
    pid: int
    image: str
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
            labels=row["Labels"] or {},
            networks=row["Networks"] or [],
        )

    @property
    def condition(self) -> str:
        """The state, except that podman takes a machine for running whose processes and watcher were killed at once."""
        if self.state in ("running", "stopping") and not has_own_processes(self.pid):
            return "dead"
        return self.state


def has_own_processes(pid: int) -> bool:
    """Whether the process lives, in a process namespace that is not ours (its number may be another's by now)."""
    process = Path("/proc", str(pid))
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and (process / "ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


@dataclasses.dataclass(frozen=True)
class Step:
    """What is to be done about one machine: keep, start or make."""

    number: int
    name: str
    address: str
    action: str
    container: Container | None


def plan(wanted: Wanted, containers: Mapping[str, Container], volumes: Iterable[str] | None = None) -> list[Step]:
    """The steps for all machines. Without a list of volumes those of stopped machines are taken to be there."""
    steps = []
    for number in sorted({*range(1, wanted.count + 1), *numbers(wanted.cluster, containers.values())}):
        name = wanted.name(number)
        container = containers.get(name)
        lost = volumes is not None and not {f"{name}-{volume}" for volume in VOLUMES} <= set(volumes)
        if container is None or not container.started:
            action = "make"
        elif container.condition == "running":
            action = "keep"
        else:
            action = "make" if lost else "start"
        steps.append(Step(number, name, str(wanted.address(number)), action, container))
    return steps


def numbers(cluster: str, containers: Iterable[Container]) -> Iterator[int]:
    for container in containers:
        number = container.labels.get(NUMBER, "")
        if container.labels.get(CLUSTER) == cluster and number.isdigit():
            yield int(number)


def refusals(wanted: Wanted, containers: Mapping[str, Container]) -> Iterator[str]:
    """What is not ours to touch, or cannot be changed on machines that exist."""
    if not wanted.address(wanted.count) < wanted.subnet.broadcast_address:
        yield (
            f"the subnet {wanted.subnet} has no address for machine {wanted.count}: the first machine has the address "
            f"{wanted.address(1)}, and so on; choose a larger one with machines_subnet"
        )
    if len(wanted.name(wanted.count)) > 63:
        yield f"{wanted.name(wanted.count)} is too long for a machine's name: choose a shorter name for the cluster"
    for number in range(1, wanted.count + 1):
        container = containers.get(wanted.name(number))
        if container and container.labels.get(CLUSTER) != wanted.cluster:
            yield (
                f"podman has a container {container.name} that this collection did not make for the cluster "
                f"{wanted.cluster}: remove or rename it, or choose another name for the cluster"
            )
    subnets = {
        container.labels[SUBNET]
        for container in containers.values()
        if container.labels.get(CLUSTER) == wanted.cluster and SUBNET in container.labels
    }
    for subnet in subnets - {str(wanted.subnet)}:
        yield (
            f"the machines of cluster {wanted.cluster} were made with the subnet {subnet}, which cannot become "
            f"{wanted.subnet}: set machines_subnet back, or remove the cluster first"
        )


def notes(wanted: Wanted, steps: Iterable[Step]) -> Iterator[str]:
    """What of the wishes is not fulfilled, because machines that exist are kept."""
    for step in steps:
        if step.container is None or step.action == "make":
            continue
        if step.number > wanted.count:
            yield f"{step.name} is kept, though {wanted.count} are wanted: machines are only removed with their cluster"
        if (rootfs := step.container.labels.get(ROOTFS, "")) != wanted.sha256:
            yield (
                f"{step.name} keeps its root file system {rootfs[:12]}, a new one is {wanted.sha256[:12]}: "
                "only a new cluster gets it"
            )
        if (shared := step.container.labels.get(SHARED, "")) != wanted.shared_dir:
            yield f"{step.name} sees the folder {shared or '(none)'} of this host, not {wanted.shared_dir}"


def hosts(text: str, addresses: Mapping[str, str]) -> str:
    """/etc/hosts with the cluster's machines; lines of others stay."""
    lines, ours = [], False
    for line in text.splitlines():
        ours = ours or line == HOSTS_BEGIN
        if not ours:
            lines.append(line)
        ours = ours and line != HOSTS_END
    block = [HOSTS_BEGIN, *(f"{address} {name}" for name, address in addresses.items()), HOSTS_END]
    return "\n".join([*lines, *block, ""])


def archive(files: Mapping[str, tuple[str, int]], links: Mapping[str, str] | None = None) -> bytes:
    """A tar of files, with the folders that hold them, all of root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in sorted({parent for path in [*files, *(links or {})] for parent in PurePosixPath(path).parents}):
            if len(folder.parts) > 2:
                entry = tarfile.TarInfo(str(folder).lstrip("/"))
                entry.type, entry.mode = tarfile.DIRTYPE, 0o700 if folder.name == ".ssh" else 0o755
                tar.addfile(entry)
        for path, (text, mode) in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
        for path, target in (links or {}).items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()


def on_all(work: Callable[[Step], t.Any], steps: Sequence[Step]) -> None:
    """Do the same for several machines side by side; all of them are tried, and every fault is told."""
    if not steps:
        return
    faults = []
    with ThreadPoolExecutor(max_workers=min(len(steps), 8)) as pool:
        for future in [pool.submit(work, step) for step in steps]:
            try:
                future.result()
            except MintnetError as error:
                faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise FaultsError("setting up machines", [str(fault) for fault in faults])


class Machines:
    """The machines of one cluster, and what was done about them."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.access = Access(wanted.home, wanted.cluster)
        self.host = on_host.look()
        self.notes: list[str] = []
        self.began = time.monotonic()

    # What podman has

    def containers(self) -> dict[str, Container]:
        rows = listed("listing containers", "ps", "--all", "--no-trunc", "--format", "json")
        return {container.name: container for container in map(Container.from_row, rows)}

    def ours(self, containers: Mapping[str, Container]) -> list[Container]:
        return [one for one in containers.values() if one.labels.get(CLUSTER) == self.wanted.cluster]

    def is_ours(self, thing: Mapping[str, t.Any], labels: str) -> bool:
        return bool((thing.get(labels) or {}).get(CLUSTER) == self.wanted.cluster)

    def known(self, containers: Mapping[str, Container]) -> dict[str, str]:
        """Address and host key of each machine."""
        return {
            one.labels[ADDRESS]: one.labels[HOST_KEY]
            for one in sorted(self.ours(containers), key=lambda one: int(one.labels[NUMBER]))
        }

    # Making sure that they are there

    def present(self, check: bool) -> dict[str, t.Any]:
        wanted = self.wanted
        absent = on_host.missing(wanted.commands)
        faults = list(on_host.system_faults(self.host))
        able = not faults and not absent
        containers = {} if faults or "podman" in absent else self.containers()
        faults += refusals(wanted, containers)
        steps = plan(wanted, containers)
        complete = self.access.complete(self.known(containers))
        idle = complete and all(step.action == "keep" for step in steps)
        if idle and not faults and all(map(self.access.answers, (step.address for step in steps))):
            return self.result(steps, steps, containers, changed=False, ready=True)

        # Packages that can be installed are not missing yet when this is asked what it would do.
        if not (check and self.host.root and which("apt-get")):
            faults += on_host.command_faults(absent)
        if able:
            networks = listed("listing networks", "network", "ls", "--format", "json")
            volumes = listed("listing volumes", "volume", "ls", "--format", "json")
            steps = plan(wanted, containers, [volume["Name"] for volume in volumes])
            faults += self.host_faults(steps, networks, volumes)
            # When this is asked what it would do, it may not be built yet.
            if not check and any(step.action == "make" for step in steps) and not Path(wanted.rootfs).is_file():
                faults.append(f"the root file system {wanted.rootfs or '(none given)'} is not there: build it first")
        if faults:
            raise FaultsError("Making local machines", faults)
        if check:
            return self.result(
                steps, [], containers, changed=not idle, ready=False, missing_packages=sorted(set(absent.values()))
            )

        wanted.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            # Another run may have been at work until now.
            containers = self.containers()
            steps = plan(wanted, containers, [volume["Name"] for volume in volumes])
            self.converge(steps, networks, volumes)
            containers = self.containers()
            write(self.access.known_hosts, self.access.lines(self.known(containers)))
            self.wait(steps)
        return self.result(steps, plan(wanted, containers), containers, changed=not idle, ready=True)

    def host_faults(
        self,
        steps: Sequence[Step],
        networks: Sequence[Mapping[str, t.Any]],
        volumes: Sequence[Mapping[str, t.Any]],
    ) -> Iterator[str]:
        wanted = self.wanted
        network = next((one for one in networks if one["name"] == wanted.cluster), None)
        if network and not self.is_ours(network, "labels"):
            yield (
                f"podman has a network {wanted.cluster} that this collection did not make: "
                "remove or rename it, or choose another name for the cluster"
            )
        names = {f"{step.name}-{volume}" for step in steps for volume in VOLUMES}
        for volume in volumes:
            if volume["Name"] in names and not self.is_ours(volume, "Labels"):
                yield (
                    f"podman has a volume {volume['Name']} that this collection did not make: "
                    "remove it, or choose another name for the cluster"
                )
        device = str(network["network_interface"]) if network else None
        yield from on_host.route_faults(wanted.subnet, on_host.read("/proc/net/route"), device)
        yield from on_host.network_faults(wanted.subnet, networks, wanted.cluster)
        if any(step.action != "keep" for step in steps):
            yield from on_host.kernel_faults()
        if new := sum(step.action == "make" for step in steps):
            yield from on_host.memory_faults(new, on_host.read("/proc/meminfo"))
            yield from on_host.disk_faults(new, Path("/var/lib/containers"))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One run at a time per cluster."""
        handle = os.open(self.wanted.home, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def converge(
        self, steps: Sequence[Step], networks: Sequence[Mapping[str, t.Any]], volumes: Sequence[Mapping[str, t.Any]]
    ) -> None:
        wanted = self.wanted
        new = [step for step in steps if step.action == "make"]
        key = self.give_key(steps)
        if new:
            image = self.image()
            self.network(networks)
            left = [volume for volume in volumes if self.is_ours(volume, "Labels")]
            on_all(lambda step: self.make(step, image, key, steps, left), new)
        if wanted.shared_dir:
            # A container does not start without the folder that it mounts.
            Path(wanted.shared_dir).mkdir(parents=True, exist_ok=True)
        on_all(self.start, [step for step in steps if step.action == "start"])
        if new:
            on_all(lambda step: self.name_machines(step, steps), [step for step in steps if step.action != "make"])
        on_all(self.start, new)

    def give_key(self, steps: Sequence[Step]) -> str:
        """The public key of the cluster. A new one reaches the machines that exist before it counts."""
        folder = self.access.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self.access.key.exists():
            self.access.key.chmod(0o600)
            return self.access.public_key()
        with scratch() as place:
            private, public = keypair(place, "id_ed25519", f"mintnet {self.wanted.cluster}")
        for step in steps:
            if step.action != "make":
                self.copy_in(step.name, archive({"/root/.ssh/authorized_keys": (f"{public}\n", 0o600)}))
        write(self.access.key, private)
        return public

    def image(self) -> str:
        """The image of the wanted root file system, imported where it is not there yet."""
        sha256 = self.wanted.sha256
        there = podman(
            "looking for the image", "images", "--quiet", "--no-trunc", "--filter", f"label={ROOTFS}={sha256}"
        )
        if there:
            return there.split()[0]
        doing = f"importing the root file system {self.wanted.rootfs}"
        image = podman(
            doing,
            "import",
            "--quiet",
            *("--change", 'CMD ["/sbin/init"]', "--change", f"LABEL {ROOTFS}={sha256}"),
            self.wanted.rootfs,
            f"{IMAGE}:{sha256}",
        ).strip()
        layer = podman(doing, "image", "inspect", "--format", "{{index .RootFS.Layers 0}}", image).strip()
        if layer != f"sha256:{sha256}":
            podman(doing, "image", "rm", image)
            raise PodmanError(f"{doing}: its content is not {sha256}; remove the file, so that it is built again")
        return image

    def network(self, networks: Sequence[Mapping[str, t.Any]]) -> None:
        wanted = self.wanted
        subnet = str(wanted.subnet)
        for network in networks:
            if network["name"] == wanted.cluster:
                if [part["subnet"] for part in network["subnets"]] == [subnet]:
                    return
                podman("removing an unfinished network", "network", "rm", wanted.cluster)
        podman(
            f"making the network {wanted.cluster}",
            *("network", "create", "--disable-dns", "--subnet", subnet),
            *("--gateway", str(wanted.subnet.network_address + 1), "--label", f"{CLUSTER}={wanted.cluster}"),
            wanted.cluster,
        )

    def make(
        self, step: Step, image: str, key: str, steps: Sequence[Step], left: Sequence[Mapping[str, t.Any]]
    ) -> None:
        """A machine from nothing, ready to be started. What an unfinished attempt left is cleared first."""
        wanted, name = self.wanted, step.name
        if step.container:
            self.remove_containers([step.container.id])
        names = [f"{name}-{volume}" for volume in VOLUMES]
        self.remove_volumes([volume for volume in left if volume["Name"] in names])
        for volume in names:
            podman(f"making the volume {volume}", "volume", "create", "--label", f"{CLUSTER}={wanted.cluster}", volume)
        with scratch() as place:
            private, public = keypair(place, "ssh_host_ed25519_key", name)
        labels = {
            CLUSTER: wanted.cluster,
            NUMBER: str(step.number),
            ADDRESS: step.address,
            SUBNET: str(wanted.subnet),
            SHARED: wanted.shared_dir,
            HOST_KEY: " ".join(public.split()[:2]),
        }
        mounts = [f"{name}-{volume}:{target}" for volume, target in VOLUMES.items()]
        if wanted.shared_dir:
            Path(wanted.shared_dir).mkdir(parents=True, exist_ok=True)
            mounts.append(f"{wanted.shared_dir}:{wanted.shared_dir}:ro")
        podman(
            f"making the machine {name}",
            *("--runtime", "runc", "create", "--name", name, "--hostname", name),
            *(option for label, value in labels.items() for option in ("--label", f"{label}={value}")),
            *("--network", wanted.cluster, "--ip", step.address, "--no-hosts"),
            *("--privileged", "--cgroupns", "private", "--pids-limit", "-1", "--stop-signal", "SIGRTMIN+3"),
            *("--tmpfs", "/run", "--tmpfs", "/tmp", "--sysctl", "net.ipv4.ip_forward=1"),
            *on_host.systemd(self.host),
            *on_host.limits(self.host),
            *("--log-driver", "k8s-file", "--log-opt", "max-size=1mb"),
            *(option for mount in mounts for option in ("--volume", mount)),
            *(image, "/sbin/init"),
        )
        files = {path: (text, 0o644) for path, text in wanted.files.items()}
        files |= {
            "/etc/hosts": (hosts(BASE_HOSTS, {one.name: one.address for one in steps}), 0o644),
            "/etc/machine-id": (uuid.uuid4().hex + "\n", 0o444),
            "/etc/ssh/ssh_host_ed25519_key": (private, 0o600),
            "/root/.ssh/authorized_keys": (f"{key}\n", 0o600),
        }
        masked = {f"/etc/systemd/system/{unit}": "/dev/null" for unit in wanted.masked_units}
        self.copy_in(name, archive(files, masked))

    def copy_in(self, name: str, content: bytes) -> None:
        podman(f"copying files into the machine {name}", "cp", "-", f"{name}:/", data=content)

    def start(self, step: Step) -> None:
        container = step.container
        if container and step.action == "start":
            if container.condition == "paused":
                podman(f"starting the machine {step.name}", "unpause", step.name)
                return
            if container.condition == "dead":
                # Podman waits for ever for the watcher's word, which we give in its place.
                (Path(EXITS) / container.id).write_text("137")
            if container.condition == "stopping":
                attempt(f"waiting for the machine {step.name} to stop", "podman", "wait", container.id, timeout=60)
        self.access.hang_up(step.number)
        podman(f"starting the machine {step.name}", "start", step.name)

    def name_machines(self, step: Step, steps: Sequence[Step]) -> None:
        """Machines that were there before learn the names of new ones."""
        doing = f"naming machines in /etc/hosts of {step.name}"
        text = podman(doing, "exec", step.name, "cat", "/etc/hosts")
        new = hosts(text, {one.name: one.address for one in steps})
        if new != text:
            self.copy_in(step.name, archive({"/etc/hosts": (new, 0o644)}))

    # Waiting

    def wait(self, steps: Sequence[Step]) -> None:
        deadline = time.monotonic() + self.wanted.timeout

        def ready(step: Step) -> None:
            self.wait_boot(step, deadline)
            self.wait_login(step, deadline)

        on_all(ready, steps)

    def wait_boot(self, step: Step, deadline: float) -> None:
        doing = f"waiting for the machine {step.name} to boot"
        state = ""
        while (left := deadline - time.monotonic()) > 0:
            # Right after the start there is nobody yet to ask, and the answer is empty.
            with contextlib.suppress(PodmanError):
                said = attempt(
                    doing, "podman", "exec", step.name, "systemctl", "is-system-running", "--wait", timeout=left
                )
                state = said.stdout.strip()
            if state in ("running", "degraded"):
                break
            time.sleep(0.1)
        if state == "running":
            return
        units = attempt(doing, "podman", "exec", step.name, "systemctl", "--failed", "--plain", "--no-legend")
        failed = ", ".join(row.split()[0] for row in units.stdout.splitlines() if row.strip())
        if state == "degraded" and step.action != "make":
            # What its users installed is theirs, and the roles to come may repair it.
            self.notes.append(f"{step.name} runs, but not all of it: failed: {failed}")
            return
        if state == "degraded":
            cause = f"failed: {failed}"
        else:
            console = attempt(doing, "podman", "logs", "--tail", "5", step.name)
            cause = f"{state or 'no answer'} after {self.wanted.timeout} s; its console says: {console.stdout.strip()}"
        raise PodmanError(f"{doing}: {cause}", hint=f"podman exec -it {step.name} journalctl -b shows more")

    def wait_login(self, step: Step, deadline: float) -> None:
        said = "no answer"
        pushed = False
        while (left := deadline - time.monotonic()) > 0:
            if self.access.answers(step.address):
                if not (said := self.access.login(step.address, left)):
                    return
                if "Permission denied" in said and not pushed:
                    pushed = True
                    key = self.access.public_key()
                    self.copy_in(step.name, archive({"/root/.ssh/authorized_keys": (f"{key}\n", 0o600)}))
                    continue
            time.sleep(0.1)
        raise PodmanError(
            f"logging in to the machine {step.name} at {step.address}: {said}",
            hint=f"podman exec -it {step.name} systemctl status ssh shows more",
        )

    def result(
        self,
        before: Sequence[Step],
        after: Sequence[Step],
        containers: Mapping[str, Container],
        *,
        changed: bool,
        ready: bool,
        missing_packages: Sequence[str] = (),
    ) -> dict[str, t.Any]:
        did = {step.name: step.action for step in before}
        running = [step for step in after if step.action == "keep"]
        machines = []
        for step in running:
            container = containers[step.name]
            shared = container.labels.get(SHARED, "")
            machines.append(
                {
                    "name": step.name,
                    "number": step.number,
                    "did": did[step.name],
                    "rootfs": container.labels.get(ROOTFS, ""),
                    "shared": bool(shared) and shared == self.wanted.shared_dir,
                    "connection": self.access.variables(step.number, step.address),
                }
            )
        return {
            "changed": changed,
            "ready": ready,
            "machines": machines,
            "missing_packages": list(missing_packages),
            "summary": self.summary([did[step.name] for step in running]),
            "notes": [*notes(self.wanted, before), *self.notes],
            "host": dataclasses.asdict(self.host),
            "diff": {
                "before": {step.name: step.container.condition if step.container else "absent" for step in before},
                "after": {step.name: "running" for step in before},
            },
        }

    def summary(self, did: Sequence[str]) -> str:
        parts = [f"{len(did)} ready" if len(did) > 1 else "ready"]
        parts[0] += f" in {clock(time.monotonic() - self.began)}"
        if len(did) > 1 or "start" in did:
            parts += [f"{did.count(action)} {said}" for action, said in (("make", "new"), ("start", "started again"))]
        return " · ".join(part for part in parts if not part.startswith("0 "))

    # Making sure that they are gone

    def absent(self, check: bool) -> dict[str, t.Any]:
        wanted = self.wanted
        if "podman" in on_host.missing({"podman": "podman"}):
            containers: dict[str, Container] = {}
            networks, volumes, images = [], [], []
        else:
            if faults := list(on_host.system_faults(self.host)):
                raise FaultsError(f"Removing the machines of cluster {wanted.cluster}", faults)
            containers = self.containers()
            networks = [
                one
                for one in listed("listing networks", "network", "ls", "--format", "json")
                if self.is_ours(one, "labels")
            ]
            volumes = [
                one
                for one in listed("listing volumes", "volume", "ls", "--format", "json")
                if self.is_ours(one, "Labels")
            ]
            images = listed("listing images", "images", "--no-trunc", "--format", "json", "--filter", f"label={ROOTFS}")
        ours = self.ours(containers)
        others = [one for one in containers.values() if one not in ours]
        for network in networks:
            if guests := [one.name for one in others if network["name"] in one.networks]:
                raise PodmanError(
                    f"Removing the network {network['name']}: containers that this collection did not make use it: "
                    f"{', '.join(guests)}",
                    hint="remove these containers from the network first: podman network disconnect",
                )
        unused = [one["Id"].removeprefix("sha256:") for one in images]
        unused = [one for one in unused if one not in {other.image for other in others}]
        removed = [
            *(f"container {one.name}" for one in ours),
            *(f"volume {one['Name']}" for one in volumes),
            *(f"network {one['name']}" for one in networks),
            *(f"image {one[:12]}" for one in unused),
            *(f"folder {folder}" for folder in (self.access.folder, self.access.control) if folder.exists()),
        ]
        if removed and not check:
            with self.locked() if wanted.home.is_dir() else contextlib.nullcontext():
                self.access.hang_up()
                self.remove_containers([one.id for one in ours])
                self.remove_volumes(volumes)
                for network in networks:
                    podman(f"removing the network {network['name']}", "network", "rm", network["name"])
                    self.remove_bridge(network["network_interface"])
                for image in unused:
                    podman("removing the image of the machines", "image", "rm", image)
                if networks and not any(one.condition == "running" for one in others):
                    on_host.sweep_firewall()
                self.access.remove()
        return {
            "changed": bool(removed),
            "removed": removed,
            "diff": {"before": "".join(f"{one}\n" for one in removed), "after": ""},
        }

    def remove_containers(self, ids: Sequence[str]) -> None:
        """Podman gives up once on a container whose processes are gone already, and succeeds the next time."""
        for attempts_left in (2, 1, 0):
            there = [one for one in self.containers().values() if one.id in ids]
            if not there:
                return
            doing = f"removing {', '.join(one.name for one in there)}"
            command = ("podman", "rm", "--force", "--time", "0", *(one.id for one in there))
            if attempts_left:
                attempt(doing, *command)
            else:
                run(doing, *command)

    def remove_volumes(self, volumes: Sequence[Mapping[str, t.Any]]) -> None:
        if not volumes:
            return
        folders = [Path(volume["Mountpoint"]) for volume in volumes]
        on_host.unmount(on_host.mounts_below(on_host.read("/proc/self/mountinfo"), folders))
        names = [volume["Name"] for volume in volumes]
        podman(f"removing the volumes {', '.join(names)}", "volume", "rm", *names)

    def remove_bridge(self, device: str) -> None:
        """Netavark removes it with the last container, except where that died without a word."""
        if Path("/sys/class/net", device, "bridge").is_dir():
            run(f"removing the bridge {device}", "ip", "link", "delete", device)
