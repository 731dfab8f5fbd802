# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells whether a machine can become one of a cluster. Runs on the machine: standard library only."""

from __future__ import annotations

import os
import re
import time
import typing as t
from pathlib import Path

#: Where other distributions of Kubernetes keep what is theirs.
DISTRIBUTIONS = {
    "k0s": ("/etc/k0s", "/var/lib/k0s"),
    "k3s": ("/etc/rancher/k3s", "/var/lib/rancher/k3s"),
    "microk8s": ("/var/snap/microk8s",),
    "rke2": ("/etc/rancher/rke2", "/var/lib/rancher/rke2"),
}
#: Programs of which a machine runs one, and where ours are.
PROGRAMS = ("containerd", "kubelet")
OURS = "/usr/local/bin"
#: What Kubernetes needs of the kernel, and what is there once the kernel has it.
FEATURES = {
    "br_netfilter": "/proc/sys/net/bridge",
    "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "overlay": "",
}


def fitness(root: Path, kernel: str) -> dict[str, t.Any]:
    """All of it, of a machine below ``root`` whose running kernel has this release."""
    return {
        "root": os.geteuid() == 0,
        "machine_id": parse_machine_id(_read(root / "etc/machine-id")),
        "macs": macs(root),
        "addresses": parse_own_addresses(_read(root / "proc/net/fib_trie")),
        "disk_free_mb": disk_free_mb(root / "var/lib"),
        "kernel_missing": kernel_missing(root, kernel),
        "nameservers": nameservers(root),
        "others": others(root),
        "pod_networks": sorted(path.name for path in (root / "etc/cni/net.d").glob("*.conf*")),
        "clock": time.time(),
    }


def macs(root: Path) -> list[str]:
    """Of the interfaces that lead elsewhere: bridges and the like have the same on many machines."""
    names = parse_default_routes(_read(root / "proc/net/route"))
    return sorted({mac for name in names if (mac := _read(root / "sys/class/net" / name / "address").strip())})


def disk_free_mb(folder: Path) -> int:
    """MiB that are free for others than root, too; kubelet counts these."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize // 2**20


def kernel_missing(root: Path, kernel: str) -> list[str]:
    """Features that the kernel neither has nor can load. A container does not see what its kernel can load."""
    modules = root / "lib/modules" / kernel
    if not (modules / "modules.dep").exists():
        return []
    loadable = {
        name for part in ("dep", "builtin") for name in parse_kernel_modules(_read(modules / f"modules.{part}"))
    }
    present = set(_read(root / "proc/filesystems").split())
    present |= {name for name, mark in FEATURES.items() if mark and (root / mark.lstrip("/")).exists()}
    return sorted(FEATURES.keys() - loadable - present)


def nameservers(root: Path) -> list[str]:
    """Those that pods get. As kubeadm does it: what systemd-resolved asks, and not its own address, where it runs."""
    resolved = root / "run/systemd/resolve/resolv.conf"
    return parse_nameservers(_read(resolved if resolved.exists() else root / "etc/resolv.conf"))


def others(root: Path) -> dict[str, str]:
    """What else makes a cluster of this machine, by name, each with the file by which it is known."""
    found = {
        name: path
        for name, paths in DISTRIBUTIONS.items()
        for path in reversed(paths)
        if (root / path.lstrip("/")).exists()
    }
    for process in (root / "proc").glob("[0-9]*"):
        name = _read(process / "comm").strip()
        if name in PROGRAMS and _same_namespace(root, process):
            program = _link(process / "exe").removesuffix(" (deleted)")
            if program and program != f"{OURS}/{name}":
                found[name] = program
    return found


def _same_namespace(root: Path, process: Path) -> bool:
    """A container may be a machine of its own."""
    return _link(process / "ns/pid") == _link(root / "proc/self/ns/pid")


def parse_machine_id(text: str) -> str:
    """Nothing where it is not set yet."""
    return text.strip() if re.fullmatch(r"[0-9a-f]{32}", text.strip()) else ""


def parse_default_routes(text: str) -> list[str]:
    """The interfaces in /proc/net/route that have a default route."""
    rows = (line.split() for line in text.splitlines()[1:])
    return [row[0] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]


def parse_own_addresses(text: str) -> list[str]:
    """The machine's IPv4 addresses in /proc/net/fib_trie, without loopback."""
    found = set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", text))
    return sorted(address for address in found if not address.startswith("127."))


def parse_kernel_modules(text: str) -> set[str]:
    """Names in modules.dep or modules.builtin, with underscores as the kernel has them."""
    return {name.replace("-", "_") for name in re.findall(r"^\S*?([^/\s]+)\.ko", text, re.MULTILINE)}


def parse_nameservers(text: str) -> list[str]:
    return re.findall(r"^\s*nameserver\s+(\S+)", text, re.MULTILINE)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
