# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local machines: containers with systemd, in podman. What lacks the cluster's label is never touched."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import time
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_files as files
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_host as on_host
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_plan import (
    ADDRESS,
    CLUSTER,
    HOST_KEY,
    IMAGE,
    NUMBER,
    ROOTFS,
    SHARED,
    SUBNET,
    VOLUMES,
    Container,
    Found,
    Network,
    Step,
    Volume,
    Wanted,
    known_hosts,
    notes,
    numbered,
    ours,
    plan,
    refusals,
    surplus,
    volume_names,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_ssh import Access, keypair, write
from ansible_collections.mintnet.kubernetes.plugins.module_utils._podman import (
    EXITS,
    STATE,
    PodmanError,
    attempt,
    listed,
    podman,
    run,
    which,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import clock

#: Podman's, which all clusters of a host share.
STORAGE = Path("/var/lib/containers")


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
        raise FaultsError("Setting up machines", [str(fault) for fault in faults])


class Machines:
    """The machines of one cluster, and what was done about them."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.access = Access(wanted.home, wanted.cluster)
        self.host = on_host.look()
        self.notes: list[str] = []
        self.holds: tuple[int, ...] = ()
        self.began = time.monotonic()

    # What podman has

    def glance(self, *options: str) -> Found:
        """Containers alone, which is enough to see whether something has to be done."""
        try:
            rows = listed("Listing containers", "ps", "--all", "--no-trunc", "--format", "json", *options)
        except PodmanError as error:
            if on_host.is_older_than_boot(STATE / "alive", on_host.read("/proc/stat")):
                hint = (
                    "this host keeps /run across restarts, which podman does not bear: remove what it has there with "
                )
                error.result["hint"] = hint + "rm -rf /run/libpod /run/containers /run/runc /run/netns/netns-*"
            raise
        return Found([Container.from_row(row) for row in rows])

    def look(self) -> Found:
        networks = listed("Listing networks", "network", "ls", "--format", "json")
        found = self.with_volumes(self.glance("--external"))
        return dataclasses.replace(found, networks=[Network.from_row(row) for row in networks])

    def with_volumes(self, found: Found) -> Found:
        volumes = listed("Listing volumes", "volume", "ls", "--format", "json")
        return dataclasses.replace(found, volumes=[Volume.from_row(row) for row in volumes])

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One run at a time per cluster."""
        with _files.locked(self.wanted.home) as handle:
            self.holds = (handle,)
            try:
                yield
            finally:
                self.holds = ()

    def change(self, doing: str, *arguments: str, temporary: Path | None = None) -> str:
        """A podman that makes or removes something. It holds the lock until it ends, even if this run is killed: what
        removes a volume forgets it first, and would then empty a new one of the same name.
        """
        return podman(doing, *arguments, temporary=temporary, holds=self.holds)

    def known(self) -> dict[str, t.Any]:
        """Those that run, whatever is wanted of them. It only looks."""
        installed = which("podman") is not None
        if installed and (faults := list(on_host.system_faults(self.host))):
            raise FaultsError(f"Looking for the machines of cluster {self.wanted.cluster}", faults)
        found = self.glance() if installed else Found()
        result = self.result(plan(self.wanted, found), found, changed=False, ready=True)
        return {name: result[name] for name in ("changed", "machines", "host")}

    # Making sure that they are there

    def present(self, check: bool) -> dict[str, t.Any]:
        absent = on_host.missing(self.wanted.commands)
        unable = list(on_host.system_faults(self.host))
        found = Found() if unable or "podman" in absent else self.glance()
        steps = plan(self.wanted, found)
        idle = self.is_complete(found) and all(step.action == "keep" for step in steps)
        if idle and not any(refusals(self.wanted, found)) and self.answer(steps):
            return self.result(steps, self.with_volumes(found), changed=False, ready=True)

        # What can be installed is not missing yet when this is asked what it would do.
        if not (check and self.host.root and which("apt-get")):
            unable += on_host.command_faults(absent)
        if not unable and not absent:
            found = self.look()
            steps = plan(self.wanted, found)
        faults = [*unable, *refusals(self.wanted, found)]
        if not unable and not absent:
            faults += self.host_faults(steps, found, check)
        if faults:
            raise FaultsError("Making local machines", faults)
        if check:
            result = self.result(steps, found, changed=not idle, ready=False)
            return {**result, "missing_packages": sorted(set(absent.values()))}

        self.wanted.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            # Another run may have been at work until now.
            found = self.look()
            steps = plan(self.wanted, found)
            self.converge(steps, found)
            found = self.with_volumes(self.glance())
            write(self.access.known_hosts, self.access.lines(known_hosts(self.wanted, found)))
            self.wait(steps)
        return self.result(steps, found, changed=not idle, ready=True)

    def is_complete(self, found: Found) -> bool:
        return self.access.is_complete(known_hosts(self.wanted, found))

    def answer(self, steps: Sequence[Step]) -> bool:
        return all(self.access.answers(step.address) for step in steps)

    def host_faults(self, steps: Sequence[Step], found: Found, check: bool) -> Iterator[str]:
        device = next((one.device for one in found.networks or () if one.name == self.wanted.cluster), "")
        yield from on_host.route_faults(self.wanted.subnet, on_host.read("/proc/net/route"), device)
        if any(step.action != "keep" for step in steps):
            yield from on_host.kernel_faults(self.host)
        if new := sum(step.action == "make" for step in steps):
            yield from on_host.memory_faults(new, on_host.read("/proc/meminfo"))
            yield from on_host.disk_faults(new, STORAGE)
            # When this is asked what it would do, the file may not be built yet.
            if not check and not Path(self.wanted.rootfs).is_file():
                yield f"the root file system {self.wanted.rootfs} is not there: build it first"

    def converge(self, steps: Sequence[Step], found: Found) -> None:
        new = [step for step in steps if step.action == "make"]
        old = [step for step in steps if step.action != "make"]
        self.access.clear()
        key = self.give_key(old)
        if self.wanted.shared_dir:
            # A container does not start without the folder that it mounts.
            Path(self.wanted.shared_dir).mkdir(parents=True, exist_ok=True)
        if new:
            self.clear(new, found)
            self.make_network(found)
            # All clusters of this host share the image: nobody removes it before it is used.
            with _files.locked(STORAGE):
                image = self.image()
                on_all(lambda step: self.make(step, image, key, steps), new)
        on_all(self.start, [step for step in old if step.action == "start"])
        if new:
            on_all(lambda step: self.name_machines(step.name, {one.name: one.address for one in steps}), old)
        on_all(self.start, new)

    def give_key(self, old: Sequence[Step]) -> str:
        """The public key of the cluster. A new one reaches the machines that exist before it counts."""
        if self.access.has_key():
            return self.access.public_key()
        with self.access.scratch("new") as folder:
            private, public = keypair(folder, "id_ed25519", f"mintnet {self.wanted.cluster}")
        for step in old:
            self.copy_in(step.name, files.login(public))
        write(self.access.key, private)
        return public

    def image(self) -> str:
        """The image of the wanted root file system, imported where it is not there yet."""
        sha256 = self.wanted.sha256
        doing = f"Importing the root file system {self.wanted.rootfs}"
        there = podman(doing, "images", "--quiet", "--no-trunc", "--filter", f"label={ROOTFS}={sha256}").split()
        if there:
            return there[0]
        # A podman that is killed leaves what it unpacks, which is found here by the next run.
        with self.access.scratch("image") as folder:
            image = self.change(
                doing,
                *("import", "--quiet", "--change", 'CMD ["/sbin/init"]', "--change", f"LABEL {ROOTFS}={sha256}"),
                *(self.wanted.rootfs, f"{IMAGE}:{sha256}"),
                temporary=folder,
            ).strip()
        layer = podman(doing, "image", "inspect", "--format", "{{index .RootFS.Layers 0}}", image).strip()
        if layer != f"sha256:{sha256}":
            self.change(doing, "image", "rm", image)
            raise PodmanError(f"{doing}: its content is not {sha256}; remove the file, so that it is built again")
        return image

    def clear(self, new: Sequence[Step], found: Found) -> None:
        """Remove what an unfinished attempt to make these machines left."""
        cluster = self.wanted.cluster
        names = {step.name for step in new}
        volumes = {volume for name in names for volume in volume_names(name)}
        containers = [*ours(cluster, found.containers), *found.remnants(cluster)]
        self.remove_containers([one for one in containers if one.name in names])
        self.remove_volumes([one for one in ours(cluster, found.volumes or ()) if one.name in volumes])
        self.remove_folders(self.forgotten(found))

    def make_network(self, found: Found) -> None:
        cluster, subnet = self.wanted.cluster, self.wanted.subnet
        for network in ours(cluster, found.networks or ()):
            if network.subnets == [str(subnet)]:
                return
            # No machine was made with it, or another subnet would have been refused.
            self.remove_networks([network], alone=False)
        self.change(
            f"Making the network {cluster}",
            *("network", "create", "--disable-dns", "--subnet", str(subnet), "--gateway", str(subnet[1])),
            *("--label", f"{CLUSTER}={cluster}", cluster),
        )

    def make(self, step: Step, image: str, key: str, steps: Sequence[Step]) -> None:
        """A machine from nothing, ready to be started."""
        wanted, name = self.wanted, step.name
        for volume in volume_names(name):
            self.change(
                f"Making the volume {volume}", "volume", "create", "--label", f"{CLUSTER}={wanted.cluster}", volume
            )
        with self.access.scratch(name) as folder:
            host_key, public = keypair(folder, "host_key", name)
        labels = {
            CLUSTER: wanted.cluster,
            NUMBER: step.number,
            ADDRESS: step.address,
            SUBNET: wanted.subnet,
            SHARED: wanted.shared_dir,
            HOST_KEY: " ".join(public.split()[:2]),
        }
        mounts = [f"{name}-{volume}:{target}" for volume, target in VOLUMES.items()]
        if wanted.shared_dir:
            mounts.append(f"{wanted.shared_dir}:{wanted.shared_dir}:ro")
        self.change(
            f"Making the machine {name}",
            *("--runtime", "runc", "create", "--name", name, "--hostname", name),
            *(option for label, value in labels.items() for option in ("--label", f"{label}={value}")),
            *("--network", wanted.cluster, "--ip", step.address, "--mac-address", wanted.hardware_address(step.number)),
            # Without --no-hosts, podman writes /etc/hosts anew at each start.
            *("--no-hosts", "--sysctl", "net.ipv4.ip_forward=1"),
            *("--privileged", "--cgroupns", "private", "--pids-limit", "-1", "--stop-signal", "SIGRTMIN+3"),
            *("--tmpfs", "/run", "--tmpfs", "/tmp", "--log-driver", "k8s-file", "--log-opt", "max-size=1mb"),
            *on_host.systemd(self.host),
            *on_host.limits(self.host),
            *(option for mount in mounts for option in ("--volume", mount)),
            *(image, "/sbin/init"),
        )
        names = files.with_machines(files.BASE_HOSTS, {one.name: one.address for one in steps})
        self.copy_in(name, files.machine(wanted.files, wanted.masked_units, names, host_key, key))

    def copy_in(self, name: str, content: bytes) -> None:
        # Podman keeps what it reads in a temporary file for ever, and keys are in it.
        with self.access.scratch(f"copy-{name}") as folder:
            podman(f"Copying files into the machine {name}", "cp", "-", f"{name}:/", data=content, temporary=folder)

    def start(self, step: Step) -> None:
        doing = f"Starting the machine {step.name}"
        condition = step.container.condition if step.container and step.action == "start" else "made"
        if condition == "paused":
            podman(doing, "unpause", step.name)
            return
        if condition == "stopping":
            attempt(doing, "podman", "wait", step.name, timeout=60)
        if step.container:
            self.declare_dead(step.container)
        self.access.hang_up(step.number)
        try:
            podman(doing, "start", step.name)
        except PodmanError as error:
            if "IPAM" in str(error):
                error.result["hint"] = (
                    "podman takes the address for taken, because it was killed while it started a machine; stop all "
                    "containers and remove /run/containers/networks/ipam.db, or restart this host"
                )
            raise

    def declare_dead(self, container: Container) -> None:
        """Podman waits for ever for the word of a watcher that was killed, too; so we give it: killed."""
        if container.condition == "dead":
            (EXITS / container.id).write_text("137")

    def name_machines(self, name: str, addresses: Mapping[str, str]) -> None:
        """Machines that were there before learn the names of new ones, and forget those of others."""
        there = podman(f"Reading /etc/hosts of the machine {name}", "exec", name, "cat", files.HOSTS)
        wanted = files.with_machines(there, addresses)
        if wanted != there:
            self.copy_in(name, files.archive({files.HOSTS: (wanted, 0o644)}))

    # Waiting

    def wait(self, steps: Sequence[Step]) -> None:
        deadline = time.monotonic() + self.wanted.timeout
        on_all(lambda step: self.wait_for(step, deadline), steps)

    def wait_for(self, step: Step, deadline: float) -> None:
        """Wait until a machine can be logged in to and has booted."""
        doing = f"Waiting for the machine {step.name} at {step.address}"
        said, key_given = "no answer", False
        while (left := deadline - time.monotonic()) > 0:
            if not self.access.answers(step.address):
                time.sleep(0.05)
                continue
            # It may answer before it has booted, and then waits for the rest.
            state, said = self.access.ask(step.address, "systemctl is-system-running --wait", left)
            if state == "running":
                return
            if state == "degraded":
                self.tell_failed(step, doing)
                return
            if "Permission denied" in said and not key_given:
                self.copy_in(step.name, files.login(self.access.public_key()))
                key_given = True
            said = state or said or "no answer"
            time.sleep(0.1)
        console = attempt(doing, "podman", "logs", "--tail", "5", step.name).stdout.strip()
        raise PodmanError(
            f"{doing}: not ready after {self.wanted.timeout} s: {said}"
            + (f"; its console ends with: {console}" if console else ""),
            hint=f"podman exec -it {step.name} systemctl status shows more; machines_timeout is the time it may take",
        )

    def tell_failed(self, step: Step, doing: str) -> None:
        units = attempt(doing, "podman", "exec", step.name, "systemctl", "--failed", "--plain", "--no-legend").stdout
        failed = ", ".join(row.split()[0] for row in units.splitlines() if row.strip())
        if step.action == "make":
            raise PodmanError(f"{doing}: failed: {failed}", hint=f"podman exec -it {step.name} journalctl -b shows why")
        # What was installed on it is for other roles to repair.
        self.notes.append(f"{step.name} runs, but not all of it: {failed} failed")

    def result(self, steps: Sequence[Step], found: Found, *, changed: bool, ready: bool) -> dict[str, t.Any]:
        did = {step.number: step.action for step in steps}
        running = {
            number: container
            for number, container in found.machines(self.wanted.cluster).items()
            if container.condition == "running"
        }
        return {
            "changed": changed,
            "ready": ready,
            "machines": [
                {
                    "name": one.name,
                    "number": number,
                    "did": did[number],
                    "rootfs": one.labels.get(ROOTFS, ""),
                    "shared": bool(self.wanted.shared_dir) and one.labels[SHARED] == self.wanted.shared_dir,
                    "connection": self.access.variables(number, one.labels[ADDRESS]),
                }
                for number, one in running.items()
            ],
            "surplus": surplus(self.wanted, found),
            "missing_packages": [],
            "summary": self.summary([did[number] for number in running]),
            "notes": [*notes(self.wanted, steps), *self.notes],
            "host": dataclasses.asdict(self.host),
            "diff": {
                "before": {step.name: step.container.condition if step.container else "absent" for step in steps},
                "after": {step.name: "running" for step in steps},
            },
        }

    def summary(self, did: Sequence[str]) -> str:
        several = len(did) > 1
        parts = [f"{len(did)} ready" if several else "ready", "in", clock(time.monotonic() - self.began)]
        if several and "make" in did:
            parts += ["·", str(did.count("make")), "new"]
        if "start" in did:
            parts += ["·", *([str(did.count("start"))] if several else []), "started again"]
        return " ".join(parts)

    # Making sure that they are gone

    def absent(self, check: bool, above: int = 0) -> dict[str, t.Any]:
        """All of them, or those whose number is above that; what all share stays with those that stay."""
        if which("podman") and (faults := list(on_host.system_faults(self.host))):
            raise FaultsError(f"Removing the machines of cluster {self.wanted.cluster}", faults)
        with self.locked() if self.wanted.home.is_dir() and not check else contextlib.nullcontext():
            return self.reduce(check, above) if above else self.remove(check)

    def reduce(self, check: bool, above: int) -> dict[str, t.Any]:
        cluster = self.wanted.cluster
        found = self.look()
        containers = [*ours(cluster, found.containers), *found.remnants(cluster)]
        going = [one for one in containers if numbered(cluster, one.name) > above]
        volumes = [one for one in ours(cluster, found.volumes or ()) if numbered(cluster, one.name) > above]
        folders = [path for path in self.forgotten(found) if numbered(cluster, path.name) > above]
        staying = [one for one in ours(cluster, found.containers) if one not in going]
        removed = [
            *(f"container {one.name}" for one in going),
            *(f"volume {one.name}" for one in volumes),
            *(f"folder {one}" for one in folders),
        ]
        if removed and not check:
            # First, since nobody would come back to it once the machines are gone.
            addresses = {one.name: one.labels[ADDRESS] for one in staying}
            for one in staying:
                if one.condition == "running":
                    self.name_machines(one.name, addresses)
            for one in going:
                self.access.hang_up(numbered(cluster, one.name))
            self.remove_containers(going)
            self.remove_volumes(volumes)
            self.remove_folders(folders)
            write(self.access.known_hosts, self.access.lines(known_hosts(self.wanted, self.glance())))
        return self.removal(removed)

    @staticmethod
    def removal(removed: Sequence[str]) -> dict[str, t.Any]:
        return {
            "changed": bool(removed),
            "removed": list(removed),
            "diff": {"before": "".join(f"{one}\n" for one in removed), "after": ""},
        }

    def remove(self, check: bool) -> dict[str, t.Any]:
        cluster = self.wanted.cluster
        installed = which("podman") is not None
        found = self.look() if installed else Found()
        containers = [*ours(cluster, found.containers), *found.remnants(cluster)]
        networks = ours(cluster, found.networks or ())
        volumes = ours(cluster, found.volumes or ())
        others = [one for one in found.containers if one not in containers]
        for network in networks:
            if guests := [one.name for one in others if network.name in one.networks]:
                raise PodmanError(
                    f"Removing the network {network.name}: containers of others use it: {', '.join(guests)}",
                    hint=f"take them out of it with: podman network disconnect {network.name} CONTAINER",
                )
        objects = [
            *(f"container {one.name}" for one in containers),
            *(f"volume {one.name}" for one in volumes),
            *(f"network {one.name}" for one in networks),
        ]
        forgotten = self.forgotten(found) if installed else []
        folders = [
            *(f"folder {one}" for one in forgotten),
            *(f"folder {one}" for one in (self.access.folder, self.access.control) if one.exists()),
        ]
        # Where nothing of this cluster is, an image is another one's to remove.
        there = bool(objects or folders)
        images = self.unused_images(others) if there and check and installed else []
        if there and not check:
            self.access.hang_up()
            self.remove_containers(containers)
            self.remove_volumes(volumes)
            self.remove_folders(forgotten)
            self.remove_networks(networks, alone=not any(one.condition == "running" for one in others))
            images = self.remove_images() if installed else []
            self.access.remove()
        return self.removal([*objects, *(f"image {one[:12]}" for one in images), *folders])

    def unused_images(self, users: Sequence[Container]) -> list[str]:
        rows = listed("Listing images", "images", "--no-trunc", "--format", "json", "--filter", f"label={ROOTFS}")
        return sorted({row["Id"].removeprefix("sha256:") for row in rows} - {one.image for one in users})

    def remove_images(self) -> list[str]:
        """Those that no cluster uses any more, of which others may be made or removed at the same moment."""
        with _files.locked(STORAGE):
            images = self.unused_images(self.glance("--external").containers)
            for image in images:
                self.change("Removing the image of the machines", "image", "rm", "--ignore", image)
        return images

    def remove_containers(self, containers: Sequence[Container]) -> None:
        if containers:
            for one in containers:
                self.declare_dead(one)
                if not one.started:
                    on_host.remove_begun(one.id)
            names = ", ".join(one.name for one in containers)
            self.change(f"Removing {names}", "rm", "--force", "--time", "0", *(one.id for one in containers))

    def remove_volumes(self, volumes: Sequence[Volume]) -> None:
        if volumes:
            folders = [volume.folder for volume in volumes]
            on_host.unmount(on_host.mounts_below(on_host.read("/proc/self/mountinfo"), folders))
            self.change("Removing volumes of machines", "volume", "rm", *(volume.name for volume in volumes))

    def forgotten(self, found: Found) -> list[Path]:
        """What is left of volumes whose removal was killed. Podman forgets a volume before it removes what it holds,
        and a new one of the same name would begin with that.
        """
        place = Path(podman("Looking for volumes", "info", "--format", "{{.Store.VolumePath}}").strip())
        name = re.compile(rf"{re.escape(self.wanted.cluster)}-\d+-({'|'.join(VOLUMES)})")
        known = {one.name for one in found.volumes or ()}
        return sorted(path for path in place.glob("*") if name.fullmatch(path.name) and path.name not in known)

    def remove_folders(self, folders: Sequence[Path]) -> None:
        on_host.unmount(on_host.mounts_below(on_host.read("/proc/self/mountinfo"), folders))
        for folder in folders:
            shutil.rmtree(folder)

    def remove_networks(self, networks: Sequence[Network], *, alone: bool) -> None:
        """The network last, so that a run that was cut off is known by it."""
        for network in networks:
            if Path("/sys/class/net", network.device, "bridge").is_dir():
                # Netavark removes it with the last container, except where that died without a word.
                run(f"Removing the bridge {network.device}", "ip", "link", "delete", network.device)
            on_host.sweep_firewall(network.name, network.subnets, alone=alone)
            self.change(f"Removing the network {network.name}", "network", "rm", network.name)
