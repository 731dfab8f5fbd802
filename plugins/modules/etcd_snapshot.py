# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Take a snapshot of a cluster's etcd
version_added: 1.0.0
description:
  - Writes a snapshot of the etcd member on the machine, a control plane that kubeadm made, as C(etcdctl snapshot save)
    does. It needs neither of etcd's tools, and checks the sum that etcd sends behind the data.
  - The file holds everything that the cluster knows, its Secrets included, and is readable for its owner only.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  path:
    description: The file on the machine. Its folder is made, and a file that is there is replaced.
    type: path
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each snapshot is a new one.
"""

EXAMPLES = r"""
- name: Take a snapshot
  mintnet.kubernetes.etcd_snapshot:
    path: /var/lib/mintnet/snapshot.db
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
  sample: /var/lib/mintnet/snapshot.db
size:
  description: Its size in bytes.
  returned: when it was written
  type: int
  sample: 4562976
sha256:
  description: Its SHA-256.
  returned: when it was written
  type: str
  sample: 91be0c5a1a2f0d0a4d0b0a7b0a8b0ecab03cbd8b6d3b0f0f7f4f5f1e0c3d2b1f
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_snapshot import save

ARGUMENT_SPEC = {"path": {"type": "path", "required": True}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    path = module.params["path"]
    if module.check_mode:
        module.exit_json(changed=True, path=path)
    try:
        taken = save(Path(path))
    except MintnetError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, path=path, **taken._asdict())


if __name__ == "__main__":
    main()
