# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that these tests run on is judged as it is, and as one of several."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_info import Machine
from ansible_collections.mintnet.kubernetes.plugins.modules import machine_check

Run = t.Callable[..., dict[str, t.Any]]

UNREACHED = {"unreachable": True, "msg": "Failed to connect to the host via ssh: connection timed out"}


@pytest.fixture(scope="module")
def probe() -> dict[str, t.Any]:
    """What its only user could fault is set; all else is as this machine tells it."""
    began = time.time()
    found = Machine().info()
    fit = {
        "root": True,
        "cpus": 2,
        "memory_mb": 1700,
        "disk_free_mb": 99999,
        "swap_mb": 0,
        "others": {},
        "listening": [],
    }
    fit.update(architecture="amd64", os={"id": "debian", "version": "12", "name": "Debian"}, pod_networks=[])
    fit.update(nameservers=["192.0.2.53"], kernel_missing=[], cgroup_version=2, addresses=["192.0.2.1"])
    return {**found, "asked": [began, time.time()], **fit}


def check(run: Run, *machines: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    asked = {"cluster": "mintnet", "version": "1.36.3", "machines": list(machines), **options}
    results = [run(machine_check.main, asked, check=mode) for mode in (True, False)]
    assert results[0] == results[1]
    return results[1]


def test_a_machine_without_faults(run: Run, probe: dict[str, t.Any]) -> None:
    assert check(run, {"name": "m-1", "probe": probe, "address": "192.0.2.1"}) == {"changed": False}


def test_every_fault_of_every_machine(run: Run, probe: dict[str, t.Any]) -> None:
    result = check(
        run,
        {"name": "m-1", "probe": {**probe, "cpus": 1, "memory_mb": 512}, "address": "192.0.2.1", "ignored": ["Mem"]},
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
