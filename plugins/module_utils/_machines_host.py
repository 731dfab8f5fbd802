# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host is like, and whether machines can run on it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import resource
import shlex
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._podman import attempt, run, which

MIB = 1024 * 1024
ELSEWHERE = "choose another with machines_subnet"
#: A machine with a control plane takes about 1.2 GiB, a further one about a third of that.
MEMORY_MIB = (1536, 512)
#: Images, unpacked, and the root file system take about 3 GiB on the first machine.
DISK_MIB = (6144, 2048)
CAP_SYS_RESOURCE = 24
#: Where limits cannot be raised, those that a process of ours has must do; lower ones so that they are there next time.
MODEST_LIMITS = {"nofile": (resource.RLIMIT_NOFILE, 20000), "nproc": (resource.RLIMIT_NPROC, 30000)}


@dataclasses.dataclass(frozen=True)
class Host:
    """What decides how a machine on this host must be set up."""

    system: str
    root: bool
    cpus: int
    memory_mib: int
    cgroup_version: int
    can_raise_limits: bool


def look() -> Host:
    return Host(
        system=platform.system(),
        root=os.geteuid() == 0,
        cpus=os.cpu_count() or 1,
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        cgroup_version=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        can_raise_limits=has_capability(read("/proc/self/status"), CAP_SYS_RESOURCE),
    )


def read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def has_capability(status: str, number: int) -> bool:
    rows = dict(row.split(":", 1) for row in status.splitlines() if ":" in row)
    return bool(int(rows.get("CapEff", "0"), 16) >> number & 1)


def systemd(host: Host) -> list[str]:
    """Options for podman about what systemd needs in a container."""
    if host.cgroup_version == 2:
        return ["--systemd", "always"]
    # With version 1, podman would show it the host's whole hierarchy of systemd: all machines would share one tree of
    # services, and the first to stop would clear away what the others need.
    return ["--systemd", "false", "--env", "container=podman"]


def process_lives(pid: int) -> bool:
    """Whether the process lives, in a process namespace that is not ours (its number may be another's by now)."""
    process = Path("/proc", str(pid))
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and (process / "ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return False


def is_older_than_boot(path: Path, stat: str) -> bool:
    """Whether a file was last written before this host was started, by the text of /proc/stat."""
    booted = next((int(row.split()[1]) for row in stat.splitlines() if row.startswith("btime ")), 0)
    try:
        return path.stat().st_mtime < booted
    except OSError:
        return False


def limits(host: Host) -> list[str]:
    """Options for podman, which without them raises the limits."""
    if host.can_raise_limits:
        return []
    options = []
    for name, (number, modest) in MODEST_LIMITS.items():
        hard = resource.getrlimit(number)[1]
        value = modest if hard == resource.RLIM_INFINITY else min(hard, modest)
        options += ["--ulimit", f"{name}={value}:{value}"]
    return options


# Faults: each is a sentence that says what to do


def missing(commands: Mapping[str, str]) -> dict[str, str]:
    """Commands that are not there, each with the package that brings it."""
    return {command: package for command, package in commands.items() if which(command) is None}


def command_faults(absent: Mapping[str, str]) -> Iterator[str]:
    if absent:
        packages = " ".join(sorted(set(absent.values())))
        yield f"not installed: {', '.join(absent)} (on Debian: apt-get install --no-install-recommends {packages})"


def system_faults(host: Host) -> Iterator[str]:
    if host.system != "Linux":
        yield f"local machines are containers with systemd, which only Linux runs, and this is {host.system}"
    elif not host.root:
        yield "root is needed, because machines mount and route as they like: run this with sudo"


def kernel_faults(host: Host) -> Iterator[str]:
    """Try each feature in network and mount namespaces that are gone at once; this also loads modules that can be."""
    for feature, trial in (
        ("veth", "ip link add name mn0 type veth peer name mn1"),
        ("bridge", "ip link add name mn0 type bridge"),
        ("nf_tables with masquerading", "iptables -w -t nat -A POSTROUTING -j MASQUERADE"),
        ("connection tracking", "iptables -w -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT"),
        (
            "overlay",
            "mount -t tmpfs mintnet /mnt && cd /mnt && mkdir l u w m && "
            "mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m",
        ),
    ):
        answer = attempt(f"Trying {feature}", "unshare", "--net", "--mount", "sh", "-c", trial, timeout=30)
        if answer.returncode:
            said = " ".join(answer.stderr.split())[-200:]
            yield f"the kernel has no {feature} ({said}): load the module or take another kernel"
    if host.cgroup_version == 1 and not Path("/sys/fs/cgroup/systemd").is_dir():
        yield (
            "the cgroup hierarchy of systemd is not mounted: "
            "mkdir /sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd"
        )


def memory_faults(new: int, meminfo: str) -> Iterator[str]:
    available = {
        name: int(value.split()[0]) // 1024 for name, value in (row.split(":") for row in meminfo.splitlines() if row)
    }.get("MemAvailable", 0)
    needed = MEMORY_MIB[0] + MEMORY_MIB[1] * (new - 1)
    if available < needed:
        yield f"{needed} MiB of memory are needed for {new} new machine(s), {available} MiB are available: free some"


def disk_faults(new: int, folder: Path) -> Iterator[str]:
    while not folder.exists():
        folder = folder.parent
    there = os.statvfs(folder)
    available = there.f_bavail * there.f_frsize // MIB
    needed = DISK_MIB[0] + DISK_MIB[1] * (new - 1)
    if available < needed:
        yield f"{needed} MiB of disk are needed for {new} new machine(s), {folder} has {available} MiB free: free some"


def routes(table: str) -> Iterator[tuple[str, IPv4Network]]:
    """Device and destination of each route in /proc/net/route."""
    for row in table.splitlines()[1:]:
        columns = row.split()
        address, mask = (socket.inet_ntoa(struct.pack("<I", int(columns[number], 16))) for number in (1, 7))
        yield columns[0], IPv4Network(f"{address}/{mask}")


def route_faults(subnet: IPv4Network, table: str, ours: str) -> Iterator[str]:
    for device, destination in routes(table):
        if destination.prefixlen and device != ours and destination.overlaps(subnet):
            yield f"the subnet {subnet} is in use: this host has a route to {destination} by {device}: {ELSEWHERE}"


def overlaps(subnet: IPv4Network, other: str) -> bool:
    return ":" not in other and subnet.overlaps(IPv4Network(other))


# What netavark leaves behind

#: Its chains that serve all networks, and those of them that hold rules of their own. It makes them again when needed.
FRAME = ("NETAVARK_FORWARD", "NETAVARK-HOSTPORT-DNAT", "NETAVARK-HOSTPORT-MASQ", "NETAVARK-HOSTPORT-SETMARK")
FILLED = FRAME[2:]


def sweep_firewall(network: str, subnets: Iterable[str], *, alone: bool) -> None:
    """Remove rules of a network, which stay where netavark was cut off, and if no container runs, unused chains."""
    if which("iptables-save"):
        saved = run("Reading the firewall's rules", "iptables-save").stdout
        for command in sweep_commands(saved, network, subnets, alone=alone):
            run(f"Removing firewall rules of the network {network}", "iptables", "-w", *command)


def sweep_commands(saved: str, network: str, subnets: Iterable[str], *, alone: bool) -> list[list[str]]:
    """Arguments for iptables, by what iptables-save says."""
    own = f"NETAVARK-{hashlib.sha512(network.encode()).hexdigest()[:13].upper()}"
    table, chains, rules = "", [], []
    for row in saved.splitlines():
        if row.startswith("*"):
            table = row[1:]
        elif row.startswith(":NETAVARK"):
            chains.append((table, row[1:].split()[0]))
        elif row.startswith("-A "):
            rules.append((table, shlex.split(row)[1:]))

    gone = [
        (table, rule)
        for table, rule in rules
        if (rule[0] == "NETAVARK_FORWARD" and set(rule) & set(subnets)) or (rule[0] != own and target(rule) == own)
    ]
    unused = [(table, name) for table, name in chains if name == own]
    others = any(name not in (*FRAME, own) for _table, name in chains) or any(
        rule[0] in FRAME and rule[0] not in FILLED and (table, rule) not in gone for table, rule in rules
    )
    if alone and not others:
        gone += [(table, rule) for table, rule in rules if rule[0] not in FRAME and target(rule) in FRAME]
        unused += [(table, name) for table, name in chains if name in FRAME]
    return [
        *(["-t", table, "-D", *rule] for table, rule in gone),
        *(["-t", table, "-F", name] for table, name in unused),
        *(["-t", table, "-X", name] for table, name in unused),
    ]


def target(rule: Sequence[str]) -> str:
    return rule[rule.index("-j") + 1] if "-j" in rule else ""


def mounts_below(mountinfo: str, folders: Iterable[Path]) -> list[str]:
    """Mount points in these folders, the deepest first."""
    points = [row.split()[4].encode().decode("unicode_escape") for row in mountinfo.splitlines()]
    return sorted(
        (point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)), reverse=True
    )


def unmount(points: Iterable[str]) -> None:
    for point in points:
        if attempt(f"Unmounting {point}", "umount", point, timeout=30).returncode:
            # Busy: it goes away with its last user.
            run(f"Unmounting {point}", "umount", "--lazy", point, timeout=30)


def remove_begun(container: str) -> None:
    """Remove what a podman that was killed had begun to start and does not know: process, watcher and network."""
    doing = f"Removing what was begun of the container {container[:12]}"
    answer = attempt(doing, "runc", "state", container, timeout=30)
    if answer.returncode:
        return
    configuration = json.loads(Path(json.loads(answer.stdout)["bundle"], "config.json").read_text())
    run(doing, "runc", "delete", "--force", container, timeout=60)
    for namespace in configuration["linux"]["namespaces"]:
        if namespace["type"] == "network" and (path := namespace.get("path")):
            # The watcher does this, too, and may have been faster.
            attempt(doing, "umount", "--lazy", path, timeout=30)
            Path(path).unlink(missing_ok=True)
