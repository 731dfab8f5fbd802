# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_install
short_description: Put the files and units of a role on a machine
version_added: 1.0.0
description:
  - Writes files, unpacks archives, and enables and starts systemd units in a single call, and leaves a record of it in
    C(/var/lib/mintnet/records), which M(mintnet.kubernetes.machine_info) compares with the machine.
  - Files that an earlier call of the same O(name) wrote and that are no longer named are removed.
  - Where a file changed, the running units of this call are restarted, in the order of O(units).
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  name:
    description: Name of the record.
    type: str
    required: true
  inputs:
    description: Hash of all that the call was made from. It is only kept in the record.
    type: str
    required: true
  files:
    description: The files, each with exactly one of O(files[].content), O(files[].source) and O(files[].archive).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file goes. For an archive, the folder that it is unpacked into.
        type: str
        required: true
      content:
        description: Text of the file.
        type: str
      source:
        description: A file on the machine that is copied.
        type: path
      archive:
        description: A tar archive on the machine. Only its regular files count, with their modes.
        type: path
      sha256:
        description: SHA-256 of O(files[].source) or O(files[].archive), checked before anything is replaced.
        type: str
        default: ""
      mode:
        description: Mode of the file, in octal.
        type: str
        default: "0644"
  units:
    description:
      - Names of systemd units, in the order of starting. They are enabled, and started where they do not run.
      - A unit whose conditions do not hold yet stays stopped without a failure.
    type: list
    elements: str
    default: []
  records:
    description: Folder where it is remembered what was installed.
    type: path
    default: /var/lib/mintnet/records
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.machine_info
"""

EXAMPLES = r"""
- name: Install the container runtime
  mintnet.kubernetes.machine_install:
    name: containerd
    inputs: "{{ [files, units] | to_json | hash('sha256') }}"
    files:
      - path: /usr/local
        archive: /var/cache/mintnet/containerd.tar
        sha256: 1f0e26a2f3cb2b4d0a4d0b0a7b0a8b0ecab03cbd8b6d3b0f0f7f4f5f1e0c3d2b
      - path: /etc/containerd/config.toml
        content: |
          version = 3
    units:
      - containerd.service
"""

RETURN = r"""
did:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: [wrote /etc/containerd/config.toml, restarted containerd.service]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_install import (
    Installation,
    WantedFile,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_record import RECORDS

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "inputs": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "content": {"type": "str"},
            "source": {"type": "path"},
            "archive": {"type": "path"},
            "sha256": {"type": "str", "default": ""},
            "mode": {"type": "str", "default": "0644"},
        },
        "mutually_exclusive": [("content", "source", "archive")],
        "required_one_of": [("content", "source", "archive")],
    },
    "units": {"type": "list", "elements": "str", "default": []},
    "records": {"type": "path", "default": RECORDS},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    wanted = module.params
    installation = Installation(
        name=wanted["name"],
        inputs=wanted["inputs"],
        files=[WantedFile(**{**one, "mode": int(one["mode"], 8)}) for one in wanted["files"]],
        units=wanted["units"],
        check=module.check_mode,
        records=wanted["records"],
    )
    try:
        changed = installation.apply()
    except MintnetError as error:
        module.fail_json(msg=str(error), did=installation.did)
    except OSError as error:
        module.fail_json(msg=str(system_error(f"installing {wanted['name']}", error)), did=installation.did)
    module.exit_json(changed=changed, did=installation.did, diff=installation.diff)


if __name__ == "__main__":
    main()
