# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All faults of all machines, as a program gets them and as people read them."""

from __future__ import annotations

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.modules import machine_check

Run = t.Callable[..., dict[str, t.Any]]

UNREACHED = {"unreachable": True, "msg": "Failed to connect to the host via ssh: connection timed out"}


PROBE: dict[str, t.Any] = {
    "os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
    "architecture": "amd64",
    "kernel": "6.1.0-28-amd64",
    "cgroup_version": 2,
    "cpus": 2,
    "memory_mb": 1700,
    "swap_mb": 0,
    "hostname": "m-1",
    "listening": [22],
    "root": True,
    "machine_id": "ab" * 16,
    "macs": [],
    "addresses": ["192.0.2.1"],
    "disk_free_mb": 9999,
    "kernel_missing": [],
    "nameservers": ["192.0.2.53"],
    "others": {},
    "pod_networks": [],
    "clock": 1000.5,
    "asked": [1000, 1001],
    "records": {},
    "kubernetes": {"state": "none", "cluster": "", "control_plane": False, "leftovers": [], "api": {"nodes": []}},
}


def check(run: Run, *machines: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    asked = {"cluster": "mintnet", "version": "1.36.3", "machines": list(machines), **options}
    results = [run(machine_check.main, asked, check=mode) for mode in (True, False)]
    assert results[0] == results[1]
    return results[1]


def test_a_machine_without_faults(run: Run) -> None:
    found = check(run, {"name": "m-1", "probe": PROBE, "address": "192.0.2.1"})
    assert not found["changed"]
    assert "faults" not in found


def test_every_fault_of_every_machine(run: Run) -> None:
    result = check(
        run,
        {"name": "m-1", "probe": {**PROBE, "cpus": 1, "memory_mb": 512}, "address": "192.0.2.1", "ignored": ["Mem"]},
        {"name": "m-2", "probe": UNREACHED, "control_plane": False},
        arch="amd64",
    )
    assert result["failed"]
    assert [(fault["machine"], fault["check"]) for fault in result["faults"]] == [("m-1", "NumCPU"), ("m-2", "")]
    head, *rows = result["msg"].splitlines()
    assert head == "checking the machines of cluster mintnet, on which nothing was changed:"
    assert rows[0].split("  ")[0] == "machine"
    assert [row.split()[0] for row in rows[1:] if not row.startswith(" ")] == ["m-1", "m-2"]


def test_arguments_are_checked(run: Run) -> None:
    assert "missing required arguments: probe" in check(run, {"name": "m-1"})["msg"]
