# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig
short_description: Keep one cluster's context in a kubeconfig file
version_added: 1.0.0
description:
  - Adds a cluster, a user and a context, all of the same name, to a kubeconfig file, or takes them out.
  - The current context and every other entry stay as they are. Only when the current context is the one that is taken
    out, it becomes empty.
  - Entries carry a mark of this collection. An entry of the same name without it is neither changed nor removed.
  - The file is replaced as a whole, under the lock that C(kubectl) takes. Comments in it are lost, as with C(kubectl).
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  path:
    description: The kubeconfig file. It is created where it is missing, readable by its owner only.
    type: path
    required: true
  name:
    description: Name of the cluster, the user and the context.
    type: str
    required: true
  state:
    description: Whether the entries are there.
    type: str
    choices: [present, absent]
    default: present
  server:
    description: URL of the API server.
    type: str
  tls_server_name:
    description: The name in the server's certificate, where it differs from the one in O(server).
    type: str
    default: ""
  certificate_authority_data:
    description: Certificate of the cluster's authority, Base64 of PEM.
    type: str
  client_certificate_data:
    description: The client's certificate, Base64 of PEM.
    type: str
  client_key_data:
    description: The client's key, Base64 of PEM.
    type: str
  lock_timeout:
    description: Seconds to wait for the lock of the file.
    type: float
    default: 10
requirements:
  - PyYAML
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Client certificates and keys are hidden.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Add the context mintnet
  mintnet.kubernetes.kubeconfig:
    path: ~/.kube/config
    name: mintnet
    server: https://10.89.64.2:6443
    tls_server_name: api.mintnet.mintnet.internal
    certificate_authority_data: "{{ admin.clusters[0].cluster['certificate-authority-data'] }}"
    client_certificate_data: "{{ admin.users[0].user['client-certificate-data'] }}"
    client_key_data: "{{ admin.users[0].user['client-key-data'] }}"

- name: Take it out
  mintnet.kubernetes.kubeconfig:
    path: ~/.kube/config
    name: mintnet
    state: absent
"""

RETURN = r"""
path:
  description: The file.
  returned: always
  type: str
  sample: /home/user/.kube/config
context:
  description: Name of the context.
  returned: always
  type: str
  sample: mintnet
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _kubeconfig
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error

CREDENTIALS = ("server", "certificate_authority_data", "client_certificate_data", "client_key_data")
ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "server": {"type": "str"},
    "tls_server_name": {"type": "str", "default": ""},
    "certificate_authority_data": {"type": "str"},
    "client_certificate_data": {"type": "str"},
    "client_key_data": {"type": "str", "no_log": True},
    "lock_timeout": {"type": "float", "default": 10},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", CREDENTIALS)],
        supports_check_mode=True,
    )
    wanted = module.params
    path, name = Path(wanted["path"]), wanted["name"]
    try:
        # Looking takes no lock and makes no folder; only what is about to be written is read again under the lock.
        changed = _apply(module, path)
        if changed and not module.check_mode:
            with _kubeconfig.locked(path.resolve(), wanted["lock_timeout"]):
                changed = _apply(module, path, write=True)
    except MintnetError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        advice = "make it writable or name another file"
        module.fail_json(msg=str(system_error(f"writing {path}", error, advice)))
    module.exit_json(changed=bool(changed), path=str(path), context=name, diff=changed or {"before": "", "after": ""})


def _apply(module: AnsibleModule, path: Path, write: bool = False) -> dict[str, str] | None:
    """The difference, if any."""
    wanted, name = module.params, module.params["name"]
    before = _kubeconfig.load(path)
    if wanted["state"] == "absent":
        after = _kubeconfig.remove(before, name)
    else:
        credentials = _kubeconfig.Credentials(
            tls_server_name=wanted["tls_server_name"], **{key: wanted[key] for key in CREDENTIALS}
        )
        after = _kubeconfig.merge(before, name, credentials, str(path))
    if after == before:
        return None
    if write:
        _kubeconfig.save(path, after)
    header = f"{path} ({name})"
    return {
        "before_header": header,
        "after_header": header,
        "before": _kubeconfig.public(before, name),
        "after": _kubeconfig.public(after, name),
    }


if __name__ == "__main__":
    main()
