#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig_failover
short_description: Lead a context to an API server that lives
version_added: 1.0.0
description:
  - Where the API server that a context of ours leads to takes no connection, the context is led to another server of
    the same cluster that does, as M(mintnet.kubernetes.kubeconfig) has noted them.
  - Where none does, everything stays as it is, and what is asked next says why.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  path:
    description: The kubeconfig file.
    type: path
    required: true
  name:
    description: Name of the context.
    type: str
    required: true
  timeout:
    description: Seconds that a server may take to accept a connection.
    type: float
    default: 2
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
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.kubeconfig
"""

EXAMPLES = r"""
- name: Find a server that lives
  mintnet.kubernetes.kubeconfig_failover:
    path: ~/.kube/config
    name: mintnet
"""

RETURN = r"""
server:
  description: The server that the context leads to, or in check mode would.
  returned: success
  type: str
  sample: https://10.89.64.12:6443
reason:
  description: In words, why it is another one. Empty where it is not.
  returned: success
  type: str
  sample: context mintnet leads to https://10.89.64.12:6443 now, because https://10.89.64.11:6443 does not answer
"""

import typing as t
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _kubeconfig
from ansible_collections.mintnet.kubernetes.plugins.module_utils._control_planes import first_open
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "path": {"type": "path", "required": True},
        "name": {"type": "str", "required": True},
        "timeout": {"type": "float", "default": 2},
        "lock_timeout": {"type": "float", "default": 10},
    },
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    path, name = Path(params["path"]), params["name"]
    servers = _kubeconfig.servers_of(_kubeconfig.load(path), name)
    chosen = first_open(servers, params["timeout"]) if servers else ""
    if not chosen or chosen == servers[0]:
        return {"changed": False, "server": servers[0] if servers else "", "reason": ""}
    if not check_mode:
        try:
            with _kubeconfig.locked(path.resolve(), params["lock_timeout"]):
                _kubeconfig.save(path, _kubeconfig.lead_to(_kubeconfig.load(path), name, chosen))
        except OSError as error:
            raise system_error(f"writing {path}", error, "make it writable or name another file") from error
    leads = "would lead" if check_mode else "leads"
    header = f"{path} ({name})"
    return {
        "changed": True,
        "server": chosen,
        "reason": f"context {name} {leads} to {chosen} now, because {servers[0]} does not answer",
        "diff": {
            "before_header": header,
            "after_header": header,
            "before": f"{servers[0]}\n",
            "after": f"{chosen}\n",
        },
    }


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
