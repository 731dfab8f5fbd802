#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_absent
short_description: Remove a CometBFT network from Kubernetes, or only its chain
version_added: 1.0.0
description:
  - Removes what carries the network's label C(mintnet.io/network), with the volumes of its claims, and waits until all
    of it is gone.
  - A namespace goes only if it was made for this network. In any other one, only the network's own objects go.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  network:
    description: Name of the network, which is that of its namespace.
    type: str
    required: true
  scope:
    description:
      - V(network) removes all of it.
      - V(chain) removes the nodes with their data, the genesis, the record of who has started, and the keys, so that a
        new chain can begin in the same place.
    type: str
    choices: [network, chain]
    default: network
  keep_keys:
    description:
      - Keep the keys when only the chain is removed.
      - With the same keys and the same name, votes of the old chain can be shown as double votes on the new one.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait until all of it is gone.
    type: float
    default: 180
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Remove the network mintnet
  mintnet.kubernetes.cometbft_absent:
    context: mintnet
    network: mintnet

- name: Make room for a new chain
  mintnet.kubernetes.cometbft_absent:
    context: mintnet
    network: mintnet
    scope: chain
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode, as C(Kind name).
  returned: success
  type: list
  elements: str
  sample: [StatefulSet tm, Pod tm-0, PersistentVolumeClaim data-tm-0, Namespace mintnet]
claims:
  description: How many of them are claims of volumes.
  returned: success
  type: int
  sample: 4
volumes:
  description: The volumes that went with them.
  returned: success
  type: list
  elements: str
  sample: [pvc-2c0f8e5e-0b5c-4f0e-9c55-2f8a44a1f0de]
kept_volumes:
  description: Volumes that their storage class keeps.
  returned: success
  type: list
  elements: str
  sample: []
not_verified:
  description: What the user of the context may not read.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._removal import find, remove


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
    network = params["network"]
    found = find(api, network, chain_only=params["scope"] == "chain", keep_keys=params["keep_keys"])
    if found.objects and not check_mode:
        remove(api, network, found, params["wait_timeout"])
    removed = [f"{kind} {name}" for kind, name in found.objects]
    return {
        "changed": bool(removed),
        "removed": removed,
        "claims": len(found.claims),
        "volumes": found.volumes,
        "kept_volumes": found.kept_volumes,
        "not_verified": found.not_verified,
        "diff": {"before": "".join(f"{line}\n" for line in removed), "after": ""},
    }


SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "network": {"type": "str", "required": True},
        "scope": {"type": "str", "choices": ["network", "chain"], "default": "network"},
        "keep_keys": {"type": "bool", "default": False, "no_log": False},
        "wait_timeout": {"type": "float", "default": 180},
    },
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
