#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_keys
short_description: Make the keys of CometBFT nodes where they are missing
version_added: 1.0.0
description:
  - Makes a validator key and a node key (both ed25519) for each of many nodes in one call, byte for byte as CometBFT
    writes them, and returns their public parts.
  - The keys lie in a Kubernetes Secret (O(namespace)) or in a directory tree as C(cometbft testnet) lays it out
    (O(directory)).
  - A key that exists is read, checked and kept, whatever else is asked. Two runs at once never give a node two keys.
  - A damaged key, one that does not fit its address or its public part, and one that two nodes share are errors.
  - Private parts are neither returned nor logged.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  namespace:
    description:
      - Namespace of the Secret. It must exist.
      - Exactly one of O(namespace) and O(directory) is needed.
    type: str
  secret:
    description:
      - Name of the Secret. Its data keys are C(NAME.priv_validator_key.json) and C(NAME.node_key.json).
      - The default is O(group) with C(-keys) behind it.
      - Data keys are only ever added to it, and only if it has not changed since it was read.
    type: str
  labels:
    description: Labels of the Secret, set when it is made.
    type: dict
    default: {}
  directory:
    description:
      - Path of the tree. Below it, each node has C(NAME/config/priv_validator_key.json), C(NAME/config/node_key.json)
        and C(NAME/data/priv_validator_state.json), all with mode 0600.
      - The sign state is written together with a new validator key only. Where a validator key exists without it, the
        module fails, because a validator that forgets what it has signed may sign twice.
    type: path
  group:
    description: Name of the group that the nodes belong to; O(count) numbers its nodes.
    type: str
    default: tm
  count:
    description:
      - Number of nodes. They are named O(group) with C(-0), C(-1) and so on behind it.
      - Exactly one of O(count) and O(nodes) is needed.
    type: int
  nodes:
    description: Names of the nodes, each a DNS label.
    type: list
    elements: str
  validators:
    description:
      - Number of nodes that are genesis validators, counted from the first one; RV(validators) lists them.
      - All of them by default.
    type: int
requirements:
  - pynacl >= 1.5.0
attributes:
  check_mode:
    support: full
    details:
      - Nothing is made up. The public parts of keys that are still to be made are null.
  diff_mode:
    support: full
    details:
      - The difference holds names, addresses and node ids only.
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_genesis
  - module: mintnet.kubernetes.cometbft_config
notes:
  - One Secret holds at most 1 MiB, which is enough for about 2000 nodes.
"""

EXAMPLES = r"""
- name: Keys of seven nodes, four of them validators, in the Secret tm-keys
  mintnet.kubernetes.cometbft_keys:
    context: mintnet
    namespace: mintnet
    count: 7
    validators: 4
  register: keys

- name: Genesis with these validators
  mintnet.kubernetes.cometbft_genesis:
    context: mintnet
    namespace: mintnet
    chain_id: mintnet
    version: 0.40.0
    validators: "{{ keys.validators }}"

- name: The peers' addresses
  ansible.builtin.debug:
    msg: "{{ keys.nodes | map(attribute='node_id') | zip(keys.nodes | map(attribute='name')) | map('join', '@') }}"

- name: Keys of two nodes as files, to be used without Kubernetes
  mintnet.kubernetes.cometbft_keys:
    directory: ~/testnet
    nodes:
      - node0
      - node1
"""

RETURN = r"""
nodes:
  description: The public parts of every node that was asked for, in the order asked for.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: tm-0
    validator:
      description: Whether it is one of the genesis validators.
      type: bool
      sample: true
    address:
      description: Address of its validator key.
      type: str
      sample: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
    pub_key:
      description: Public part of its validator key, as CometBFT writes it.
      type: dict
      sample:
        type: tendermint/PubKeyEd25519
        value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=
    node_id:
      description: Id by which its peers know it, the address of its node key.
      type: str
      sample: 2583a80102cd0b58bfa8fbd114fbd8006ad00f9b
validators:
  description:
    - RV(nodes[].name), RV(nodes[].address) and RV(nodes[].pub_key) of the genesis validators, ready for
      O(mintnet.kubernetes.cometbft_genesis#module:validators).
  returned: success
  type: list
  elements: dict
  sample:
    - name: tm-0
      address: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
      pub_key:
        type: tendermint/PubKeyEd25519
        value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=
created:
  description: Names of the nodes that this run made a key for.
  returned: success
  type: list
  elements: str
  sample:
    - tm-0
would_create:
  description: Names of the nodes that a key would be made for.
  returned: in check mode
  type: list
  elements: str
  sample:
    - tm-0
"""

import typing as t
from collections import Counter
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_places import Directory, Secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import NodeKeys, Place, ensure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import is_label


def _names(params: dict[str, t.Any]) -> list[str]:
    """The nodes' names; every fault of what was asked in one error."""
    faults: list[str] = []
    names: list[str] = params["nodes"] or []
    if params["count"] is not None:
        if params["count"] < 1:
            faults.append(f"count is {params['count']}, at least 1 is needed")
        names = [f"{params['group']}-{number}" for number in range(params["count"])]
    if params["validators"] is not None and not 0 <= params["validators"] <= len(names):
        faults.append(f"validators is {params['validators']}, there are {len(names)} nodes")
    faults += [
        f"node {name} is there twice" for name in sorted({name for name, times in Counter(names).items() if times > 1})
    ]
    faults += [
        f"{name!r} is no name for a node: at most 63 lower-case letters, digits and dashes"
        for name in names
        if not is_label(name)
    ]
    if faults:
        raise FaultsError("checking what was asked", faults)
    return names


def _place(params: dict[str, t.Any]) -> Place:
    if params["directory"] is not None:
        return Directory(Path(params["directory"]))
    api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
    return Secret(api, params["namespace"], params["secret"] or f"{params['group']}-keys", params["labels"])


def _lines(nodes: list[NodeKeys]) -> str:
    """One line per node that has a key, for the difference."""
    return "".join(
        f"{node.name} address {node.validator.address if node.validator else '-'} node id {node.node_id or '-'}\n"
        for node in nodes
        if node.validator or node.node
    )


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    names = _names(params)
    outcome = ensure(_place(params), names, dry_run=check_mode)
    validators = len(names) if params["validators"] is None else params["validators"]
    nodes = [{**node.public, "validator": number < validators} for number, node in enumerate(outcome.after)]
    after = _lines(outcome.after)
    if check_mode:
        after += "".join(f"{name}: missing keys would be made\n" for name in outcome.made)
    result: dict[str, t.Any] = {
        "changed": bool(outcome.made),
        "nodes": nodes,
        "validators": [{key: node[key] for key in ("name", "address", "pub_key")} for node in nodes[:validators]],
        "created": [] if check_mode else outcome.made,
        "diff": {"before": _lines(outcome.before), "after": after},
    }
    if check_mode:
        result["would_create"] = outcome.made
    return result


SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "namespace": {"type": "str"},
        "secret": {"type": "str", "no_log": False},
        "labels": {"type": "dict", "default": {}},
        "directory": {"type": "path"},
        "group": {"type": "str", "default": "tm"},
        "count": {"type": "int"},
        "nodes": {"type": "list", "elements": "str"},
        "validators": {"type": "int"},
    },
    "mutually_exclusive": [("namespace", "directory"), ("count", "nodes")],
    "required_one_of": [("namespace", "directory"), ("count", "nodes")],
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
