#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_check
short_description: See whether a cluster can carry a network
version_added: 1.0.0
description:
  - Looks at a cluster that somebody else made before anything is made on it, and names every fault in one message; its
    version, the user's rights in the namespace, storage classes, quotas, and the room on its machines.
  - What the user may not look at is no fault. It is listed as not verified.
  - It changes nothing. The user's rights are asked for by C(SelfSubjectAccessReview).
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  network:
    description: The network's namespace.
    type: str
    required: true
  nodes:
    description: How many nodes there will be.
    type: int
    required: true
  resources:
    description: What the container of a node asks for, with C(requests) and C(limits) as in a pod.
    type: dict
    default: {}
  volume_size:
    description: Size of each node's volume. Without it the nodes have none.
    type: str
  storage_class:
    description: The storage class of the volumes. Without it, the cluster must have a default.
    type: str
  groups:
    description: Further groups of nodes of the same network, which may be of other sizes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      nodes:
        description: How many nodes it will have.
        type: int
        required: true
      resources:
        description: What the container of one of them asks for.
        type: dict
        default: {}
      volume_size:
        description: Size of the volume of each of them.
        type: str
      storage_class:
        description: The storage class of these volumes.
        type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_info
"""

EXAMPLES = r"""
- name: See whether four nodes fit
  mintnet.kubernetes.cluster_check:
    context: company
    network: mintnet
    nodes: 4
    resources:
      requests: {cpu: 50m, memory: 64Mi}
    volume_size: 2Gi
"""

RETURN = r"""
version:
  description: The version of Kubernetes, empty where it was not told.
  returned: success
  type: str
  sample: v1.36.3
faults:
  description: What keeps the network from being made.
  returned: failure
  type: list
  elements: str
  sample:
    - it has no default storage class
notes:
  description: What may keep nodes from running, and may yet come right, such as machines without room.
  returned: success
  type: list
  elements: str
  sample: []
not_verified:
  description: What the user may not look at.
  returned: success
  type: list
  elements: str
  sample:
    - storage classes
"""

import typing as t
from dataclasses import replace

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster_check import Wish, check
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import FIRST

SIZE: dict[str, t.Any] = {
    "nodes": {"type": "int", "required": True},
    "resources": {"type": "dict", "default": {}},
    "volume_size": {"type": "str"},
    "storage_class": {"type": "str"},
}
GROUP: dict[str, t.Any] = {"name": {"type": "str", "required": True}, **SIZE}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "network": {"type": "str", "required": True},
        **SIZE,
        "groups": {"type": "list", "elements": "dict", "options": GROUP, "default": []},
    },
}


def _wish(network: str, group: str, asked: dict[str, t.Any]) -> Wish:
    volume, storage_class = asked["volume_size"] or "", asked["storage_class"] or ""
    return Wish(network, asked["nodes"], asked["resources"], volume, storage_class, group)


def run(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
    network = params["network"]
    wish = replace(
        _wish(network, FIRST, params), further=[_wish(network, one["name"], one) for one in params["groups"]]
    )
    found = check(api, wish)
    if found.faults:
        raise FaultsError(
            f"checking the cluster of context {params['context']}, on which nothing was changed", found.faults
        )
    return {"changed": False, "version": found.version, "notes": found.notes, "not_verified": found.not_verified}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
