# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine tells of itself, from files as they lie on machines."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_fitness import (
    fitness,
    kernel_missing,
    nameservers,
    others,
    parse_default_routes,
    parse_kernel_modules,
    parse_machine_id,
    parse_own_addresses,
)

KERNEL = "6.1.0-28-amd64"
ID = "3ce8e28dae284d138af3686ae2dbd382"
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t014D590A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t004D590A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
cni0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.11
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
Local:
        |-- 192.0.2.11
           /32 host LOCAL
"""
DEP = """\
kernel/fs/overlayfs/overlay.ko.zst:
kernel/net/netfilter/nf-conntrack.ko: kernel/lib/libcrc32c.ko kernel/net/netfilter/nf_defrag_ipv6.ko
"""
BUILTIN = "kernel/net/bridge/br_netfilter.ko\n"
STUB = "# do not edit\nnameserver 127.0.0.53\noptions edns0\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "found"), [(f"{ID}\n", ID), ("uninitialized\n", ""), ("", ""), (ID[:-1], ""), (ID.upper(), "")]
)
def test_machine_id(text: str, found: str) -> None:
    assert parse_machine_id(text) == found


def test_only_interfaces_with_a_default_route_lead_elsewhere() -> None:
    assert parse_default_routes(ROUTES) == ["eth0"]
    assert parse_default_routes("") == []


def test_own_addresses_without_loopback_and_broadcast() -> None:
    assert parse_own_addresses(TRIE) == ["192.0.2.11"]
    assert parse_own_addresses("") == []


def test_kernel_modules() -> None:
    # What a module needs stands behind it, and has a line of its own.
    assert parse_kernel_modules(DEP) == {"overlay", "nf_conntrack"}
    assert parse_kernel_modules(BUILTIN) == {"br_netfilter"}


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"dep": DEP, "builtin": BUILTIN}, []),
        ({"dep": DEP}, ["br_netfilter"]),
        ({"dep": ""}, ["br_netfilter", "nf_conntrack", "overlay"]),
        # In a container, and with a kernel that has everything built in, there may be no such file.
        ({}, []),
    ],
)
def test_what_the_kernel_cannot_load(tmp_path: Path, files: dict[str, str], missing: list[str]) -> None:
    write(tmp_path, {f"lib/modules/{KERNEL}/modules.{name}": text for name, text in files.items()})
    assert kernel_missing(tmp_path, KERNEL) == missing


def test_what_the_kernel_has_need_not_be_loadable(tmp_path: Path) -> None:
    files = {f"lib/modules/{KERNEL}/modules.dep": "", "proc/filesystems": "nodev\toverlay\n\text4\n"}
    write(tmp_path, {**files, "proc/sys/net/netfilter/nf_conntrack_max": "262144\n"})
    assert kernel_missing(tmp_path, KERNEL) == ["br_netfilter"]
    (tmp_path / "proc/sys/net/bridge").mkdir()
    assert kernel_missing(tmp_path, KERNEL) == []


def test_pods_get_what_the_resolver_asks(tmp_path: Path) -> None:
    assert nameservers(tmp_path) == []
    write(tmp_path, {"etc/resolv.conf": STUB})
    assert nameservers(tmp_path) == ["127.0.0.53"]
    write(tmp_path, {"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"})
    assert nameservers(tmp_path) == ["192.0.2.53", "2001:db8::53"]


def process(root: Path, number: int, program: str, namespace: str = "pid:[1]") -> None:
    place = root / "proc" / str(number)
    write(place, {"comm": f"{Path(program.split()[0]).name}\n"})
    (place / "exe").symlink_to(program)
    (place / "ns").mkdir()
    (place / "ns/pid").symlink_to(namespace)


def test_other_installations(tmp_path: Path) -> None:
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[1]")
    process(tmp_path, 1, "/usr/lib/systemd/systemd")
    # Ours, and one that was replaced while it runs.
    process(tmp_path, 20, "/usr/local/bin/containerd")
    process(tmp_path, 21, "/usr/local/bin/kubelet (deleted)")
    # A container with a cluster of its own, as kind makes them.
    process(tmp_path, 30, "/usr/bin/kubelet", "pid:[2]")
    assert others(tmp_path) == {}
    process(tmp_path, 40, "/usr/bin/kubelet")
    process(tmp_path, 41, "/usr/bin/containerd")
    (tmp_path / "etc/rancher/k3s").mkdir(parents=True)
    (tmp_path / "var/lib/rancher/rke2").mkdir(parents=True)
    assert others(tmp_path) == {
        "containerd": "/usr/bin/containerd",
        "k3s": "/etc/rancher/k3s",
        "kubelet": "/usr/bin/kubelet",
        "rke2": "/var/lib/rancher/rke2",
    }


def test_all_of_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "etc/machine-id": f"{ID}\n",
            "etc/resolv.conf": "nameserver 192.0.2.53\n",
            "etc/cni/net.d/87-podman.conflist": "{}",
            "etc/cni/net.d/10-mintnet.conflist": "{}",
            "etc/cni/net.d/README": "",
            "proc/net/route": ROUTES,
            "proc/net/fib_trie": TRIE,
            "sys/class/net/eth0/address": "02:4d:0a:59:4d:0b\n",
            "sys/class/net/cni0/address": "02:4d:0a:59:4d:0c\n",
            "var/lib/x": "",
        },
    )
    before = time.time()
    found = fitness(tmp_path, KERNEL)
    assert before <= found.pop("clock") <= time.time()
    # As df tells it of the file system that these tests run on.
    assert 0 < found.pop("disk_free_mb") <= os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize // 2**20
    assert found == {
        "root": os.geteuid() == 0,
        "machine_id": ID,
        "macs": ["02:4d:0a:59:4d:0b"],
        "addresses": ["192.0.2.11"],
        "kernel_missing": [],
        "nameservers": ["192.0.2.53"],
        "others": {},
        "pod_networks": ["10-mintnet.conflist", "87-podman.conflist"],
    }


def test_a_machine_of_which_nothing_is_known(tmp_path: Path) -> None:
    found = fitness(tmp_path / "nowhere", KERNEL)
    assert found["machine_id"] == ""
    assert found["disk_free_mb"] == 0
    assert found["macs"] == found["addresses"] == found["nameservers"] == found["pod_networks"] == []
