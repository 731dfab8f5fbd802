#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: objects
short_description: Apply objects, many at once
version_added: 1.0.0
description:
  - Applies many Kubernetes objects on the server's side (server-side apply), side by side, in the order that their
    kinds need. A field that somebody else changed becomes ours again; a field that we do not name stays.
  - Unlike M(kubernetes.core.k8s) it tells in check mode what would become of objects in a namespace that is still to be
    made, and it takes about as long for a hundred objects as for one.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  definitions:
    description:
      - The objects, of the kinds that networks and the storage of clusters consist of.
      - Secrets are not among them, because results and differences show objects as they are.
    type: list
    elements: dict
    required: true
  optional:
    description: Kinds that are left out where the user has no right to make them; RV(skipped) lists them.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_absent
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: A namespace and what is in it
  mintnet.kubernetes.objects:
    context: mintnet
    definitions: "{{ lookup('ansible.builtin.template', 'network.yml.j2') | from_yaml_all | list }}"
    optional:
      - ResourceQuota
"""

RETURN = r"""
created:
  description: Kinds and names of the objects that were made, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - Service tm-0
updated:
  description: Kinds and names of the objects that were changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - ConfigMap tm-nodes
skipped:
  description: Kinds and names of the objects that the user may not make.
  returned: success
  type: list
  elements: str
  sample:
    - ResourceQuota tm
restarts:
  description:
    - Names of the StatefulSets whose pods would be made otherwise from now on. With the update strategy OnDelete, those
      that run stay as they are; M(mintnet.kubernetes.cometbft_roll) replaces them.
  returned: success
  type: list
  elements: str
  sample:
    - tm
"""

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._objects import apply

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "definitions": {"type": "list", "elements": "dict", "required": True},
        "optional": {"type": "list", "elements": "str", "default": []},
    },
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
    outcome = apply(api, params["definitions"], params["optional"], dry_run=check_mode)
    return {
        "changed": outcome.changed,
        "created": outcome.created,
        "updated": outcome.updated,
        "skipped": outcome.skipped,
        "restarts": outcome.restarts,
        "diff": {"before": outcome.before, "after": outcome.after},
    }


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
