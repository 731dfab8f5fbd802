#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_check
short_description: See whether machines can make a cluster
version_added: 1.0.0
description:
  - Names every fault of all machines of a cluster in one table (machine, what is wrong, what to do), before anything
    on any of them is touched.
  - It judges what M(mintnet.kubernetes.machine_info) has told, and how that failed where a machine was not reached. It
    runs in Ansible's own process, connects to nothing and changes nothing.
  - A machine that has joined the cluster is not measured by what only joining needs, such as free ports.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  version:
    description: The version of Kubernetes that its machines shall run.
    type: str
    required: true
  arch:
    description:
      - The architecture that binaries and images are for. Empty where the machines decide it, all of them being alike.
    type: str
    default: ""
  port:
    description: The port of each machine's own balancer.
    type: int
    default: 8443
  machines:
    description: The machines, as the cluster shall have them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The machine's name in the inventory, and that of its node.
        type: str
        required: true
      probe:
        description: What M(mintnet.kubernetes.machine_info) returned for it, be it a failure.
        type: dict
        required: true
      control_plane:
        description: Whether it shall be a control plane.
        type: bool
        default: true
      address:
        description: The address that others reach it at. Empty where it is not known.
        type: str
        default: ""
      ignored:
        description:
          - Names of checks that may fail on it, those of kubeadm. C(Clock), C(DiskFree), C(MacAddress), C(MachineId),
            C(NameServers), C(OtherInstallations) and C(PodNetwork) are known besides.
        type: list
        elements: str
        default: []
      swap:
        description: Whether its kubelet may start although there is swap.
        type: bool
        default: false
      cgroup_v1:
        description: Whether its kubelet may start with control groups of version 1.
        type: bool
        default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.machine_info
"""

EXAMPLES = r"""
- name: See what the machine has
  mintnet.kubernetes.machine_info:
  register: seen
  ignore_unreachable: true
  ignore_errors: true

- name: See whether all machines can make a cluster
  mintnet.kubernetes.machine_check:
    cluster: mintnet
    version: 1.36.3
    machines:
      - name: machine-1
        probe: "{{ hostvars['machine-1'].seen }}"
        address: 192.0.2.11
      - name: machine-2
        probe: "{{ hostvars['machine-2'].seen }}"
        address: 192.0.2.12
        control_plane: false
  run_once: true
"""

RETURN = r"""
faults:
  description: What keeps the machines from making a cluster.
  returned: failure
  type: list
  elements: dict
  contains:
    machine:
      description: The machine's name.
      type: str
    wrong:
      description: What is wrong with it.
      type: str
    todo:
      description: What to do.
      type: str
    check:
      description: The name by which this can be ignored. Empty where it cannot.
      type: str
  sample:
    - machine: machine-1
      wrong: it has 1 CPU
      todo: give it at least 2
      check: NumCPU
"""

import typing as t
from dataclasses import asdict

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _story
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._preflight import Cluster, Machine, faults, table

MACHINE: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "probe": {"type": "dict", "required": True},
    "control_plane": {"type": "bool", "default": True},
    "address": {"type": "str", "default": ""},
    "ignored": {"type": "list", "elements": "str", "default": []},
    "swap": {"type": "bool", "default": False},
    "cgroup_v1": {"type": "bool", "default": False},
}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "cluster": {"type": "str", "required": True},
        "version": {"type": "str", "required": True},
        "arch": {"type": "str", "default": ""},
        "port": {"type": "int", "default": 8443},
        "machines": {"type": "list", "elements": "dict", "options": MACHINE, "required": True},
    },
}


def run(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    cluster = Cluster(params["cluster"], params["version"], params["arch"], params["port"])
    found = faults(cluster, [Machine(**one) for one in params["machines"]])
    if found:
        raise MintnetError(
            f"checking the machines of cluster {cluster.name}, on which nothing was changed:\n"
            + table(found, _story.columns - _story.WIDTH),
            faults=[asdict(fault) for fault in found],
        )
    return {"changed": False}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
