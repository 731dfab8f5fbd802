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
  - The file is the controller's, whatever the host, so that the key in it travels through no other file.
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
  servers:
    description:
      - URLs of all its API servers, where there are several. M(mintnet.kubernetes.kubeconfig_failover) takes one of
        them when O(server) does not answer.
    type: list
    elements: str
    default: []
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

import typing as t
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _kubeconfig
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

CREDENTIALS = ("server", "certificate_authority_data", "client_certificate_data", "client_key_data")
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "path": {"type": "path", "required": True},
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "server": {"type": "str"},
        "servers": {"type": "list", "elements": "str", "default": []},
        "tls_server_name": {"type": "str", "default": ""},
        "certificate_authority_data": {"type": "str"},
        "client_certificate_data": {"type": "str"},
        "client_key_data": {"type": "str", "no_log": True},
        "lock_timeout": {"type": "float", "default": 10},
    },
    "required_if": [("state", "present", CREDENTIALS)],
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    path, name = Path(params["path"]), params["name"]
    draft = _kubeconfig.beside(path)
    try:
        # Looking takes no lock and makes no folder; only what is about to be written is read again under the lock.
        changed = _apply(params, path)
        if (changed or draft.exists()) and not check_mode:
            with _kubeconfig.locked(path.resolve(), params["lock_timeout"]):
                # Of a run that was killed while it wrote.
                draft.unlink(missing_ok=True)
                changed = _apply(params, path, write=True)
    except OSError as error:
        raise system_error(f"writing {path}", error, "make it writable or name another file") from error
    diff = changed or {"before": "", "after": ""}
    return {"changed": bool(changed), "path": str(path), "context": name, "diff": diff}


def _apply(params: dict[str, t.Any], path: Path, write: bool = False) -> dict[str, str] | None:
    """The difference, if any."""
    name = params["name"]
    before = _kubeconfig.load(path)
    if params["state"] == "absent":
        after = _kubeconfig.remove(before, name)
    else:
        credentials = _kubeconfig.Credentials(
            tls_server_name=params["tls_server_name"],
            servers=tuple(params["servers"]),
            **{key: params[key] for key in CREDENTIALS},
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


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
