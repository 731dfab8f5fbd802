# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_reset
short_description: Leave a machine as it was before a cluster was made on it
version_added: 1.0.0
description:
  - Ends all pods with C(kubeadm reset), stops and disables the units and removes the files that the records of
    M(mintnet.kubernetes.machine_install) name, and removes what Kubernetes, containerd and the pod network keep on
    the machine. Volumes of the role C(storage) are among it.
  - Packages of the system that were installed stay, and so do settings of the running kernel until it is started again.
  - A machine of another cluster, or with a cluster that was not made by this collection, is refused.
  - It runs on the machine as root. Out of its cluster the machine comes by M(mintnet.kubernetes.cluster_departure).
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  cluster:
    description: Name of the cluster that the machine belongs to.
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cluster_departure
  - module: mintnet.kubernetes.machine_install
"""

EXAMPLES = r"""
- name: Leave the machine as it was
  mintnet.kubernetes.machine_reset:
    cluster: mintnet
"""

RETURN = r"""
did:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: [ended all pods, disabled containerd.service, removed /etc/containerd/config.toml]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_reset import Reset


def main() -> None:
    module = AnsibleModule(argument_spec={"cluster": {"type": "str", "required": True}}, supports_check_mode=True)
    reset = Reset(module.params["cluster"], check=module.check_mode)
    try:
        changed = reset.apply()
    except MintnetError as error:
        module.fail_json(msg=str(error), did=reset.did)
    except OSError as error:
        module.fail_json(msg=str(system_error("resetting this machine", error)), did=reset.did)
    removed = "".join(f"{one.removeprefix('removed ')}\n" for one in reset.did if one.startswith("removed "))
    module.exit_json(changed=changed, did=reset.did, diff={"before": removed, "after": ""})


if __name__ == "__main__":
    main()
