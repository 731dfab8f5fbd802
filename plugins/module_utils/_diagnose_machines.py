# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What local machines and their journals say, for a bug report: it is there when the API server is away."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _podman
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnose import Collected
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_plan import CLUSTER

LINES = "2000"
#: What is asked inside of each machine: file → what it is, and the command.
QUESTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "system.txt": ("system, memory, load and pressure", (
        "sh", "-c", "uname -a; cat /etc/os-release; uptime; cat /proc/meminfo; grep . /proc/pressure/*",
    )),
    "disk.txt": ("file systems", ("df", "-hT")),
    "network.txt": ("addresses and routes", ("sh", "-c", "ip -brief address; ip route")),
    "units.txt": ("units that failed, and those of the cluster", (
        "sh", "-c", "systemctl --no-pager --failed; systemctl --no-pager status --lines=0 containerd kubelet",
    )),
    "kubelet.log": ("end of the kubelet's journal", ("journalctl", "--no-pager", "-n", LINES, "-u", "kubelet")),
    "containerd.log": ("end of containerd's journal", ("journalctl", "--no-pager", "-n", LINES, "-u", "containerd")),
    "control-plane.log": ("end of the control plane's logs", (
        "sh", "-c", 'for f in /var/log/pods/kube-system_*/*/*.log; do echo "== $f"; tail -n 200 "$f"; done',
    )),
}  # fmt: skip


def collect(into: Collected, cluster: str) -> None:
    into.attempt("machines/", partial(_machines, into, cluster))


def _machines(into: Collected, cluster: str) -> None:
    label = f"label={CLUSTER}={cluster}"
    found = _podman.listed("listing the machines", "ps", "-a", "--filter", label, "--format", "json")
    if not found:
        into.miss("machines/", f"podman has no machine of the cluster {cluster}")
    for row in found:
        name = str(row["Names"][0])
        into.attempt(f"machines/{name}/container.json", partial(_container, into, name))
        if row.get("State") != "running":
            into.miss(f"machines/{name}/", f"the machine is {row.get('State')}: make create starts it")
            continue
        for file, (what, command) in QUESTIONS.items():
            place = f"machines/{name}/{file}"
            into.attempt(place, partial(_ask, into, name, place, f"{what} of {name}", command))


def _container(into: Collected, name: str) -> None:
    for found in _podman.listed(f"looking at {name}", "inspect", "--type", "container", name):
        kept: dict[str, t.Any] = {key: found.get(key) for key in ("Created", "State", "Mounts", "NetworkSettings")}
        into.add(f"machines/{name}/container.json", f"{name} as podman has it", kept)


def _ask(into: Collected, name: str, place: str, what: str, command: tuple[str, ...]) -> None:
    answer = _podman.attempt(f"asking {name}", "podman", "exec", name, *command, timeout=30)
    said = answer.stdout or answer.stderr
    if not said.strip():
        into.miss(place, f"{command[0]} ended with {answer.returncode} and said nothing")
    else:
        into.add(place, what, said, keep_end=True)
