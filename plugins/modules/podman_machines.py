# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: podman_machines
short_description: Local machines with systemd, as containers of podman
version_added: 1.0.0
description:
  - Makes all machines of a cluster, or starts those that are stopped, and waits until they have booted and can be
    reached over SSH.
  - A machine is a privileged container with systemd, with an address of its own on the cluster's own network, and with
    volumes for what containerd, the kubelet and etcd keep.
  - What a killed run left unfinished is made anew. A machine that was ever started is kept with its data, whatever else
    is wanted of it.
  - Containers, volumes and networks are known by the label C(io.mintnet.cluster). What lacks it is never touched.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
requirements:
  - Linux, and root
  - podman with netavark, runc, and the other commands named by O(commands)
options:
  state:
    description:
      - With V(present), the machines run when the module returns.
      - With V(known), those that run are named, and nothing is changed or refused that only matters for making some.
        Where podman is not installed, there are none.
      - With V(absent), nothing of them is left, neither connections nor firewall rules. Their image goes with its last
        machine.
    type: str
    choices: [present, known, absent]
    default: present
  cluster:
    description:
      - The name of the cluster, and of its network.
      - The machines are called C(CLUSTER-1), C(CLUSTER-2), and so on.
    type: str
    required: true
  home:
    description: A folder for what is known of the cluster. Keys and known hosts are kept in its folder C(ssh).
    type: path
    required: true
  count:
    description: How many machines there shall be. Machines beyond it are kept, and named in RV(surplus).
    type: int
    default: 1
  above:
    description:
      - With O(state=absent), only machines whose number is above this one go, and all that is shared stays. V(0)
        stands for all machines and for everything.
    type: int
    default: 0
  subnet:
    description: The network's IPv4 range. The first machine has its 11th address, and so on.
    type: str
    default: 10.89.64.0/24
  rootfs:
    description: The root file system of new machines. It is needed with O(state=present).
    type: dict
    suboptions:
      path:
        description: A tar archive that is not compressed.
        type: path
        required: true
      sha256:
        description: Its checksum.
        type: str
        required: true
  shared_dir:
    description: A folder of this host that the machines see at the same path, and cannot write to.
    type: path
  files:
    description: Files of new machines, each path with its content.
    type: dict
    default: {}
  masked_units:
    description: Units of systemd that new machines must not start.
    type: list
    elements: str
    default: []
  commands:
    description: Commands that this host must have, each with the Debian package that brings it.
    type: dict
    default: {}
  timeout:
    description: How many seconds all machines together may take to boot.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    details: What this host lacks is named. Packages that root can install on Debian count as installed.
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Two machines
  mintnet.kubernetes.podman_machines:
    cluster: mintnet
    count: 2
    home: ~/.mintnet/clusters/mintnet
    rootfs:
      path: /var/cache/machine.tar
      sha256: 5a5d86eb36e9c1be0eed67adcf9b46d160a0c29470de8c26b81ba4359acafd8d

- name: The machines that run
  mintnet.kubernetes.podman_machines:
    cluster: mintnet
    home: ~/.mintnet/clusters/mintnet
    state: known

- name: No machines beyond the second one
  mintnet.kubernetes.podman_machines:
    cluster: mintnet
    home: ~/.mintnet/clusters/mintnet
    above: 2
    state: absent

- name: No machines any more
  mintnet.kubernetes.podman_machines:
    cluster: mintnet
    home: ~/.mintnet/clusters/mintnet
    state: absent
"""

RETURN = r"""
machines:
  description: The machines that run, in the order of their numbers.
  returned: when O(state=present) or O(state=known)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the machine, of its container and host.
      type: str
      sample: mintnet-1
    number:
      description: Its number in the cluster, from 1.
      type: int
      sample: 1
    did:
      description: What was done about it, C(keep), C(start) or C(make).
      type: str
      sample: make
    rootfs:
      description: Checksum of the root file system that it was made from.
      type: str
      sample: 5a5d86eb36e9c1be0eed67adcf9b46d160a0c29470de8c26b81ba4359acafd8d
    shared:
      description: Whether it sees O(shared_dir).
      type: bool
      sample: true
    connection:
      description: The variables by which Ansible connects to it.
      type: dict
      sample:
        ansible_host: 10.89.64.11
        ansible_user: root
surplus:
  description: Names of the machines beyond O(count), whatever state they are in, be it that only volumes are left.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
ready:
  description:
    - Whether all machines run and answer.
    - In check mode, V(false) says that there is something to do or to wait for.
  returned: when O(state=present)
  type: bool
  sample: true
missing_packages:
  description: Debian packages that are needed first.
  returned: when O(state=present), in check mode
  type: list
  elements: str
  sample: [podman]
summary:
  description: What was done, in a few words.
  returned: when O(state=present)
  type: str
  sample: 2 ready in 0:07 · 1 new
notes:
  description: Sentences about what was found or left as it is.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
host:
  description: What this host is like, as far as it decides how its machines must be set up.
  returned: when O(state=present) or O(state=known)
  type: dict
  contains:
    system:
      description: Name of the operating system's kernel.
      type: str
      sample: Linux
    root:
      description: Whether the module runs as root.
      type: bool
      sample: true
    cpus:
      description: Number of CPUs.
      type: int
      sample: 4
    memory_mib:
      description: Size of the memory.
      type: int
      sample: 16384
    cgroup_version:
      description: Which version of control groups is mounted, 1 or 2.
      type: int
      sample: 2
    can_raise_limits:
      description: Whether limits of processes can be raised here (C(CAP_SYS_RESOURCE)).
      type: bool
      sample: true
removed:
  description: What was there and is gone.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [container mintnet-1]
"""

import typing as t
from ipaddress import IPv4Network
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines import Machines
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_plan import Wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["present", "known", "absent"], "default": "present"},
        "cluster": {"type": "str", "required": True},
        "home": {"type": "path", "required": True},
        "count": {"type": "int", "default": 1},
        "above": {"type": "int", "default": 0},
        "subnet": {"type": "str", "default": "10.89.64.0/24"},
        "rootfs": {
            "type": "dict",
            "options": {"path": {"type": "path", "required": True}, "sha256": {"type": "str", "required": True}},
        },
        "shared_dir": {"type": "path"},
        "files": {"type": "dict", "default": {}},
        "masked_units": {"type": "list", "elements": "str", "default": []},
        "commands": {"type": "dict", "default": {}},
        "timeout": {"type": "int", "default": 120},
    },
    "required_if": [("state", "present", ["rootfs"])],
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    rootfs = params["rootfs"] or {"path": "", "sha256": ""}
    try:
        subnet = IPv4Network(params["subnet"])
    except ValueError as error:
        raise MintnetError(f"Reading the subnet: {error}", hint="give an IPv4 range such as 10.89.64.0/24") from error
    machines = Machines(
        Wanted(
            cluster=params["cluster"],
            home=Path(params["home"]),
            count=params["count"],
            subnet=subnet,
            rootfs=rootfs["path"],
            sha256=rootfs["sha256"],
            shared_dir=params["shared_dir"] or "",
            files=params["files"],
            masked_units=params["masked_units"],
            commands=params["commands"],
            timeout=params["timeout"],
        )
    )
    try:
        if params["state"] == "present":
            return machines.present(check=check_mode)
        if params["state"] == "known":
            return machines.known()
        return machines.absent(check=check_mode, above=params["above"])
    except OSError as error:
        raise system_error("Working on local machines", error) from error


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
