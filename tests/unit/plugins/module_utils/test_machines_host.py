# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import os
import resource
import shlex
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_host as on_host
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_host import Host

HOST = Host("Linux", root=True, cpus=2, memory_mib=8000, cgroup_version=1, can_raise_limits=False)
SUBNET = IPv4Network("10.89.9.0/24")

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
podman1\t0009590A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""

FIREWALL = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:NETAVARK_FORWARD - [0:0]
-A FORWARD -m comment --comment "netavark firewall plugin rules" -j NETAVARK_FORWARD
-A NETAVARK_FORWARD -d 10.89.97.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A NETAVARK_FORWARD -s 10.89.97.0/24 -j ACCEPT
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:NETAVARK-D6E594F126072 - [0:0]
:NETAVARK-HOSTPORT-DNAT - [0:0]
:NETAVARK-HOSTPORT-MASQ - [0:0]
:NETAVARK-HOSTPORT-SETMARK - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT
-A POSTROUTING -j NETAVARK-HOSTPORT-MASQ
-A POSTROUTING -s 10.89.97.0/24 -j NETAVARK-D6E594F126072
-A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
-A NETAVARK-D6E594F126072 -d 10.89.97.0/24 -j ACCEPT
-A NETAVARK-D6E594F126072 ! -d 224.0.0.0/4 -j MASQUERADE
-A NETAVARK-HOSTPORT-MASQ -m comment --comment "netavark portfw masq mark" -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A NETAVARK-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
COMMIT
"""
FRAME = [
    "-t filter -D FORWARD -m comment --comment 'netavark firewall plugin rules' -j NETAVARK_FORWARD",
    "-t nat -D PREROUTING -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT",
    "-t nat -D POSTROUTING -j NETAVARK-HOSTPORT-MASQ",
]
OWN = [
    "-t filter -D NETAVARK_FORWARD -d 10.89.97.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-t filter -D NETAVARK_FORWARD -s 10.89.97.0/24 -j ACCEPT",
    "-t nat -D POSTROUTING -s 10.89.97.0/24 -j NETAVARK-D6E594F126072",
]
OWN_CHAIN = ["-t nat -F NETAVARK-D6E594F126072", "-t nat -X NETAVARK-D6E594F126072"]


def sweep(saved: str, network: str = "mpriv", subnet: str = "10.89.97.0/24", *, alone: bool = True) -> list[str]:
    return [shlex.join(command) for command in on_host.sweep_commands(saved, network, [subnet], alone=alone)]


def test_rules_that_netavark_left_go_with_its_frame() -> None:
    commands = sweep(FIREWALL)
    assert commands[: len(OWN)] == OWN
    assert [one for one in commands if " -D " in one][len(OWN) :] == FRAME
    emptied = [one.split()[-1] for one in commands if " -F " in one]
    removed = [one.split()[-1] for one in commands if " -X " in one]
    assert emptied == removed
    assert sorted(removed) == sorted(["NETAVARK-D6E594F126072", *on_host.FRAME])
    assert not any("192.0.2.0" in one for one in commands)


def test_the_frame_stays_while_a_container_runs() -> None:
    assert sweep(FIREWALL, alone=False) == [*OWN, *OWN_CHAIN]


def test_rules_of_another_network_stay_with_the_frame() -> None:
    assert sweep(FIREWALL, "another", "10.1.0.0/24") == []


def test_an_empty_chain_without_a_way_to_it() -> None:
    saved = "*nat\n:NETAVARK-D6E594F126072 - [0:0]\nCOMMIT\n"
    assert sweep(saved) == OWN_CHAIN


def test_a_firewall_without_netavark() -> None:
    assert sweep("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s 10.89.97.0/24 -j ACCEPT\nCOMMIT\n") == []


def test_routes() -> None:
    assert [(device, str(network)) for device, network in on_host.routes(ROUTES)] == [
        ("eth0", "0.0.0.0/0"),
        ("podman1", "10.89.9.0/24"),
        ("eth0", "192.0.2.0/24"),
    ]
    assert not list(on_host.route_faults(SUBNET, ROUTES, "podman1"))
    (fault,) = on_host.route_faults(SUBNET, ROUTES, "podman2")
    assert "this host has a route to 10.89.9.0/24 by podman1: choose another with machines_subnet" in fault
    (fault,) = on_host.route_faults(IPv4Network("192.0.0.0/16"), ROUTES, "")
    assert "192.0.2.0/24 by eth0" in fault


def test_memory() -> None:
    meminfo = "MemTotal:       24684108 kB\nMemAvailable:    2097152 kB\n"
    assert not list(on_host.memory_faults(2, meminfo))
    (fault,) = on_host.memory_faults(3, meminfo)
    assert fault == "2560 MiB of memory are needed for 3 new machine(s), 2048 MiB are available: free some"


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        f_bavail, f_frsize = 1, on_host.MIB

    monkeypatch.setattr(os, "statvfs", lambda _path: Full)
    (fault,) = on_host.disk_faults(2, tmp_path / "not" / "there")
    assert fault == f"8192 MiB of disk are needed for 2 new machine(s), {tmp_path} has 1 MiB free: free some"


def test_system() -> None:
    assert not list(on_host.system_faults(HOST))
    assert "this is Darwin" in next(on_host.system_faults(dataclasses.replace(HOST, system="Darwin", root=False)))
    assert "sudo" in next(on_host.system_faults(dataclasses.replace(HOST, root=False)))


def test_commands_are_named_with_their_packages() -> None:
    absent = on_host.missing({"sh": "dash", "no-such-command": "nothing", "nor-this": "nothing"})
    assert absent == {"no-such-command": "nothing", "nor-this": "nothing"}
    assert list(on_host.command_faults(absent)) == [
        "not installed: no-such-command, nor-this (on Debian: apt-get install --no-install-recommends nothing)"
    ]
    assert not list(on_host.command_faults({}))


def test_capability() -> None:
    assert on_host.has_capability("Name:\tsh\nCapEff:\t000001ffffffffff\n", on_host.CAP_SYS_RESOURCE)
    assert not on_host.has_capability("CapEff:\t000001fffeffffff\n", on_host.CAP_SYS_RESOURCE)


def test_limits_are_set_only_where_they_cannot_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    hard = {resource.RLIMIT_NOFILE: 1000, resource.RLIMIT_NPROC: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda number: (0, hard[number]))
    assert on_host.limits(HOST) == ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=30000:30000"]
    assert on_host.limits(dataclasses.replace(HOST, can_raise_limits=True)) == []


def test_mounts_below() -> None:
    mountinfo = (
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "50 27 0:5 / /volumes/a/_data/pods/x rw - tmpfs tmpfs rw\n"
        "51 50 0:6 / /volumes/a/_data/pods/x/with\\040blank rw - tmpfs tmpfs rw\n"
        "52 27 0:7 / /volumes/ab/_data rw - tmpfs tmpfs rw\n"
    )
    assert on_host.mounts_below(mountinfo, [Path("/volumes/a/_data")]) == [
        "/volumes/a/_data/pods/x/with blank",
        "/volumes/a/_data/pods/x",
    ]


def test_older_than_boot(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    assert not on_host.is_older_than_boot(alive, "btime 2000")
    alive.touch()
    os.utime(alive, (1000, 1000))
    assert on_host.is_older_than_boot(alive, "cpu 1 2 3\nbtime 2000\n")
    assert not on_host.is_older_than_boot(alive, "btime 500")


def test_processes_beside_us_are_none_of_a_machine() -> None:
    assert not on_host.process_lives(os.getpid())
    assert not on_host.process_lives(0)
