#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_keys_info
short_description: Show the public parts of the keys of CometBFT nodes
version_added: 1.0.0
description:
  - Reads and checks the keys that M(mintnet.kubernetes.cometbft_keys), or CometBFT itself, has made, and returns
    addresses, public keys, node ids and the addresses by which peers reach the nodes.
  - Private parts are neither returned nor logged.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
  - mintnet.kubernetes.keys
options:
  hosts:
    description:
      - Names or addresses by which peers reach the nodes, by the nodes' names. Without one it is the node's name.
    type: dict
    default: {}
  domain:
    description:
      - Is put behind a node's name, with a dot between them, where O(hosts) has none for it.
      - For example C(mintnet.svc.cluster.local), for peers in another namespace.
    type: str
  port:
    description: Port by which peers reach the nodes.
    type: int
    default: 26656
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_keys
notes:
  - Exactly one of O(namespace) and O(directory) is needed.
  - Without O(count) and O(nodes) all nodes that have a key are returned.
"""

EXAMPLES = r"""
- name: All keys of a network
  mintnet.kubernetes.cometbft_keys_info:
    context: mintnet
    namespace: mintnet
  register: keys

- name: Keys of a tree that CometBFT has made, with the addresses of its machines
  mintnet.kubernetes.cometbft_keys_info:
    directory: ~/testnet
    hosts:
      node0: 192.0.2.10
      node1: 192.0.2.11
  register: keys

- name: What goes into persistent_peers
  ansible.builtin.debug:
    msg: "{{ keys.nodes | map(attribute='peer') | join(',') }}"
"""

RETURN = r"""
nodes:
  description: The public parts of every node, in the order asked for.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: tm-0
    address:
      description: Address of its validator key, null if it has none.
      type: str
      sample: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
    pub_key:
      description: Public part of its validator key, as CometBFT writes it, null if it has none.
      type: dict
      sample:
        type: tendermint/PubKeyEd25519
        value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=
    key_type:
      description: Type of its validator key, null if it has none.
      type: str
      sample: ed25519
    node_id:
      description: Id by which its peers know it, null if it has no node key.
      type: str
      sample: 2583a80102cd0b58bfa8fbd114fbd8006ad00f9b
    peer:
      description: How its peers address it, null if it has no node key.
      type: str
      sample: 2583a80102cd0b58bfa8fbd114fbd8006ad00f9b@tm-0:26656
missing:
  description: Names of the nodes that lack a key.
  returned: success
  type: list
  elements: str
  sample: []
secrets:
  description: Names of the Secrets that hold the keys, in their order.
  returned: when O(namespace) is given
  type: list
  elements: str
  sample:
    - tm-keys
"""

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_request
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import NodeKeys, read_all
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_secret import Secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import nearest


def _shown(node: NodeKeys, params: dict[str, t.Any]) -> dict[str, t.Any]:
    host = str(params["hosts"].get(node.name) or "") or ".".join(filter(None, (node.name, params["domain"])))
    host = f"[{host}]" if ":" in host else host
    return {
        **node.public,
        "key_type": node.validator.type.name if node.validator else None,
        "peer": f"{node.node_id}@{host}:{params['port']}" if node.node_id else None,
    }


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    faults: list[str] = []
    names = _key_request.names_of(params, faults)
    if not 1 <= params["port"] <= 65535:
        faults.append(f"port is {params['port']}, allowed are 1 to 65535")
    if faults:
        raise FaultsError(_key_request.CHECKING, faults)
    place = _key_request.place_of(params)
    names = names or place.names()
    strange = [
        f"hosts: {name} is none of the nodes{nearest(str(name), names)}"
        for name in params["hosts"]
        if name not in names
    ]
    if strange:
        raise FaultsError(_key_request.CHECKING, strange)
    nodes = read_all(place, names)
    result: dict[str, t.Any] = {
        "changed": False,
        "nodes": [_shown(node, params) for node in nodes],
        "missing": [node.name for node in nodes if not (node.validator and node.node)],
    }
    if isinstance(place, Secret):
        result["secrets"] = place.secrets
    return result


SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_key_request.ARGUMENT_SPEC,
        "hosts": {"type": "dict", "default": {}},
        "domain": {"type": "str"},
        "port": {"type": "int", "default": 26656},
    },
    "mutually_exclusive": [("namespace", "directory"), ("count", "nodes")],
    "required_one_of": [("namespace", "directory")],
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
