# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_info
short_description: Tell everything about a machine that the roles want to know
version_added: 1.0.0
description:
  - Reads the system, what the roles of this collection did to it, the images of containerd and the state of the
    cluster in a single call, so that a machine on which nothing differs costs one connection.
  - It changes nothing and returns no secrets. It runs on the machine as root.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.machine_check
  - module: mintnet.kubernetes.machine_install
"""

EXAMPLES = r"""
- name: See what the machine has
  mintnet.kubernetes.machine_info:
  register: mintnet_machine

- name: Say what differs from what was installed
  ansible.builtin.debug:
    msg: "{{ mintnet_machine.records.containerd.drift }}"
"""

RETURN = r"""
os:
  description: The operating system's C(id), C(version) and full C(name), as of C(/etc/os-release).
  returned: always
  type: dict
  sample: {id: debian, version: "12", name: Debian GNU/Linux 12 (bookworm)}
architecture:
  description: As Go and Kubernetes name it.
  returned: always
  type: str
  sample: amd64
kernel:
  description: Release of the running kernel.
  returned: always
  type: str
  sample: 6.1.0-28-amd64
kernel_modules:
  description: Whether the running kernel has loadable modules on this machine.
  returned: always
  type: bool
  sample: true
bridge_netfilter:
  description: Whether bridged packets can pass through iptables at this moment.
  returned: always
  type: bool
  sample: true
cgroup_version:
  description: V(1) for legacy or hybrid control groups, V(2) for unified ones.
  returned: always
  type: int
  sample: 2
cpus:
  description: Number of CPUs that processes may use.
  returned: always
  type: int
  sample: 4
memory_mb:
  description: Memory in MiB.
  returned: always
  type: int
  sample: 7946
swap_mb:
  description: Swap in MiB.
  returned: always
  type: int
  sample: 0
hostname:
  description: The host name.
  returned: always
  type: str
  sample: mintnet-1
address:
  description: The IPv4 address that the machine uses towards others, empty without a default route.
  returned: always
  type: str
  sample: 10.89.64.2
programs:
  description: Path of each program that the roles may need, empty where it is missing.
  returned: always
  type: dict
  sample: {haproxy: /usr/sbin/haproxy, runc: ""}
listening:
  description: TCP ports in use.
  returned: always
  type: list
  elements: int
  sample: [22, 6443]
root:
  description: Whether the module ran as root. If not, it does not see everything.
  returned: always
  type: bool
  sample: true
machine_id:
  description: The machine's own identifier, as of C(/etc/machine-id), empty where it has none.
  returned: always
  type: str
  sample: 3ce8e28dae284d138af3686ae2dbd382
macs:
  description: MAC addresses of the interfaces that have a default route.
  returned: always
  type: list
  elements: str
  sample: ["52:54:00:12:34:56"]
addresses:
  description: The IPv4 addresses of its interfaces, without loopback.
  returned: always
  type: list
  elements: str
  sample: [10.89.64.2]
clock:
  description: The time on the machine, in seconds since 1970 (UTC).
  returned: always
  type: float
  sample: 1795855174.2
asked:
  description:
    - When the controller asked, and when it had the answer, by its own clock, in seconds since 1970. C(clock) was read
      in between.
  returned: always
  type: list
  elements: float
  sample: [1795855173.8, 1795855174.4]
disk_free_mb:
  description: What is free of the disk of C(/var/lib), in MiB.
  returned: always
  type: int
  sample: 18432
kernel_missing:
  description:
    - What Kubernetes needs of the kernel, and the kernel neither has nor can load (C(br_netfilter), C(nf_conntrack),
      C(overlay)). Empty where the machine does not see what its kernel can load, as in a container.
  returned: always
  type: list
  elements: str
  sample: []
nameservers:
  description: The name servers that pods get from the machine.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.53]
others:
  description:
    - What else makes a cluster of the machine, by name. C(k0s), C(k3s), C(microk8s) and C(rke2) come with a folder of
      theirs, C(containerd) and C(kubelet) with the path of a program that runs and is not ours.
  returned: always
  type: dict
  sample: {k3s: /etc/rancher/k3s}
pod_networks:
  description: Files in C(/etc/cni/net.d). The first of them is the pod network.
  returned: always
  type: list
  elements: str
  sample: [10-mintnet.conflist]
records:
  description:
    - What M(mintnet.kubernetes.machine_install) left, by name. C(inputs) is the hash it was given, C(drift) says where
      the machine no longer is as it was left.
  returned: always
  type: dict
  sample: {containerd: {inputs: 3c2e…, drift: [containerd.service is failed]}}
images:
  description:
    - The images of containerd that Kubernetes sees, with the SHA-256 of the archive that each was imported from (empty
      for others).
  returned: always
  type: dict
  sample: {"localhost/kubernetes/pause:3.10.2": 91be…}
kubernetes:
  description: What there is of a cluster.
  returned: always
  type: dict
  contains:
    state:
      description: V(none), V(foreign) (not made by us), V(begun) (half made by us) or V(done).
      type: str
    cluster:
      description: Name of the cluster that we made or began here.
      type: str
    control_plane:
      description: Whether an API server runs here, or is to.
      type: bool
    leftovers:
      description: Files of a cluster that are there.
      type: list
      elements: str
    ca:
      description: The cluster's certificate authority, Base64 of PEM as in a kubeconfig file.
      type: str
    admin_sha256:
      description: SHA-256 of the administrator's client certificate (its Base64 text).
      type: str
    certificates_until:
      description:
        - When the first of the certificates ends that C(kubeadm certs renew all) would renew, in seconds since 1970.
        - V(0) where there is none, one that cannot be read, or a renewal that did not come to its end.
      type: int
    api:
      description:
        - What the API server of this machine says, where it has one. C(answers) once it is ready, else the C(reason);
          C(nodes) with C(name), C(ready), C(reason), C(pressures), C(version), C(arch), C(address) and C(pod_cidr);
          C(deployments) by C(NAMESPACE/NAME) with C(wanted), C(available) and C(inputs); of C(pods) those that are not
          ready, by C(NAMESPACE/NAME), and why; C(unsigned), by node, requests for serving certificates without
          an answer; the default C(storage_class); C(unsettled), in words what is still to come up.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_info import Machine


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, **Machine().info())


if __name__ == "__main__":
    main()
