#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_keys
short_description: Make or bring the keys of CometBFT nodes where they are missing
version_added: 1.0.0
description:
  - Makes a validator key and a node key for each of many nodes in one call, byte for byte as CometBFT writes them, or
    takes over keys that exist elsewhere, and returns their public parts.
  - The keys lie in Kubernetes Secrets (O(namespace)) or in a directory tree as C(cometbft testnet) lays it out
    (O(directory)), all files with mode 0600. With neither of them there is only a plan, in check mode.
  - A key that exists is read, checked and kept, whatever else is asked, unless O(regenerate) names it. Two runs at once
    never give a node two keys.
  - A damaged key, one that does not fit its address or its public part, one that two nodes share, and one that is not
    what was asked for are errors.
  - Private parts are neither returned nor logged.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
  - mintnet.kubernetes.keys
options:
  groups:
    description:
      - Numbers of nodes by the name of their group, in place of O(group) and O(count). The first group has the
        validators.
      - With O(namespace), each group has its keys in a Secret of its own, named like the group with C(-keys) behind
        it.
    type: dict
  manifests:
    description:
      - Folder in which the Secrets are a file, as M(mintnet.kubernetes.manifests) writes it, in place of a cluster.
      - The keys that the file has are kept as those of a cluster are.
    type: path
  encrypt:
    description:
      - Whether a key is added to the file of O(manifests) only with the whole file encrypted with Ansible Vault, which
        needs a password.
    type: bool
    default: false
  labels:
    description: Labels of the Secrets, set when they are made.
    type: dict
    default: {}
  validators:
    description:
      - Number of nodes that are genesis validators, counted from the first one; RV(validators) lists them.
      - All of them by default.
    type: int
  version:
    description:
      - Version of CometBFT that the nodes run, for example V(0.40.0). A validator key of a type that it does not know
        is refused.
      - Without it every type is allowed.
    type: str
  key_type:
    description:
      - Type of the validator keys. Node keys are always of type V(ed25519).
      - V(ed25519) and V(secp256k1) are known to all versions, V(secp256k1eth) and V(ml_dsa_65) to 0.40 only.
        C(bls12_381) is not supported, because no binary that this collection installs is built with it.
      - Where it is given, a validator key of another type that exists is an error. Where it is not, keys that are made
        are of type V(ed25519).
      - The genesis must allow the type, in C(consensus_params.validator.pub_key_types).
    type: str
  key_types:
    description: Types of the validator keys of single nodes, by their names. They go before O(key_type).
    type: dict
    default: {}
  sources:
    description:
      - Keys that are brought. What is not brought is made.
      - A key that is brought is checked like one that exists. Where the place holds another one, that is an error
        unless O(regenerate) names the other one.
      - A validator key that has signed blocks must not be used in two places, and not without its sign state. In
        O(directory) a sign state that lies there already is kept, else a fresh one is written.
    type: list
    elements: dict
    default: []
    suboptions:
      node:
        description: Name of the node.
        type: str
        required: true
      validator_key:
        description: Text of the file C(priv_validator_key.json).
        type: json
      validator_key_file:
        description:
          - Path of this file on the controller. It is looked for as C(src) of M(ansible.builtin.copy) is, and decrypted
            if it is encrypted with Ansible Vault.
        type: str
      validator_key_entry:
        description: Data key of O(sources[].secret) that holds this file.
        type: str
      node_key:
        description: Text of the file C(node_key.json).
        type: json
      node_key_file:
        description: Path of this file on the controller, found and decrypted like O(sources[].validator_key_file).
        type: str
      node_key_entry:
        description: Data key of O(sources[].secret) that holds this file.
        type: str
      secret:
        description: Name of a Secret that holds keys. It is only read.
        type: str
      secret_namespace:
        description: Namespace of O(sources[].secret). The default is O(namespace).
        type: str
      pub_key:
        description:
          - Public part of a validator key that somebody else keeps, for example a remote signer. It is what
            C(cometbft show-validator) prints.
          - No validator key is stored for this node.
        type: dict
  known:
    description:
      - Nodes that had keys already, as nodes of a chain that lives had. A key of theirs that is gone is an error unless
        it is brought with O(sources), because with another one they would be other nodes to the chain.
    type: list
    elements: str
    default: []
  seed:
    description:
      - Makes all keys that are not brought from this text and the node's name, so that they are the same everywhere.
      - Whoever knows the text has the private keys. It is for tests only, and refused without O(insecure).
      - It is not kept secret by this module.
    type: str
  insecure:
    description: Allows O(seed). RV(insecure) lists the nodes concerned.
    type: bool
    default: false
  regenerate:
    description:
      - Keys that are to be replaced, each named by what it is known by, so that a second run does not replace it again.
      - The old key is kept as a dated backup, in O(directory) beside the file, else in a Secret with C(-replaced)
        behind the name of O(secret).
      - The new key is the one in O(sources) if there is one. Else it is made, of the type that O(key_type) or
        O(key_types) says or the old one has.
      - The sign state stays as it is. A node that runs uses its new key after its next start.
    type: list
    elements: dict
    default: []
    suboptions:
      node:
        description: Name of the node.
        type: str
        required: true
      address:
        description: Address of its validator key that is to be replaced.
        type: str
      node_id:
        description: Its node id, if its node key is to be replaced.
        type: str
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
  - module: mintnet.kubernetes.cometbft_keys_info
  - module: mintnet.kubernetes.cometbft_genesis
  - module: mintnet.kubernetes.cometbft_config
notes:
  - Exactly one of O(count) and O(nodes) is needed.
  - In O(directory) the sign state is written together with a new validator key only. Where a validator key exists
    without it, the module fails, because a validator that forgets what it has signed may sign twice.
  - Keys of type V(ml_dsa_65) are made by a library in plain Python, which does not hide from others on the same machine
    how long it computes. Where that matters, bring a key that was made elsewhere.
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

- name: Validators with other types of keys
  mintnet.kubernetes.cometbft_keys:
    directory: ~/mixed
    version: 0.40.0
    count: 4
    key_type: secp256k1
    key_types:
      tm-2: ml_dsa_65
      tm-3: secp256k1eth

- name: Bring the keys of tm-0 (files that may be encrypted with Ansible Vault) and make those of tm-1
  mintnet.kubernetes.cometbft_keys:
    directory: ~/brought
    count: 2
    sources:
      - node: tm-0
        validator_key_file: alice/priv_validator_key.json
        node_key_file: alice/node_key.json

- name: A validator whose key a remote signer keeps
  mintnet.kubernetes.cometbft_keys:
    directory: ~/signer
    count: 1
    sources:
      - node: tm-0
        pub_key:
          type: tendermint/PubKeyEd25519
          value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=

- name: Keys that are the same in every run of a test, and no secret
  mintnet.kubernetes.cometbft_keys:
    directory: ~/reproducible
    count: 4
    seed: my test
    insecure: true

- name: A new validator key for one node; the old one is kept beside it
  mintnet.kubernetes.cometbft_keys:
    directory: ~/reproducible
    count: 4
    regenerate:
      - node: tm-2
        address: 3472700F867BE4F0EE371BB8F7510725EAF6127F
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
    key_type:
      description: Type of its validator key.
      type: str
      sample: ed25519
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
regenerated:
  description: Keys that this run has replaced.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: Name of the node.
      type: str
      sample: tm-2
    replaced:
      description: Address or node id of the old key.
      type: str
      sample: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
    backup:
      description: Where the old key is now.
      type: str
      sample: tm-2/config/priv_validator_key.json.E74FBE24164CFC4F88E311C3AC92E63D0DC310D8.20260101T120000Z
would_regenerate:
  description: Keys that would be replaced, as in RV(regenerated), without a backup.
  returned: in check mode
  type: list
  elements: dict
  sample:
    - node: tm-2
      replaced: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
insecure:
  description: Names of the nodes with a key that was made from O(seed). They must never guard anything of value.
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

import functools
import typing as t
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_request, _key_sources
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Objects
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import NodeKeys, Outcome, Place, ensure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_secret import Secret, Secrets, read_secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._manifests import SECRETS, Manifest, Vault
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import GROUP_LABEL, OF_KEYS


def _asked(params: dict[str, t.Any]) -> _key_sources.Request:
    """What was asked; every fault of it in one error."""
    faults: list[str] = []
    names = _key_request.names_of(params, faults)
    for group, count in (params["groups"] or {}).items():
        if isinstance(count, bool) or not str(count).isdecimal():
            faults.append(f"groups.{group} is {count!r}, a number of nodes is needed")
            continue
        names += _key_request.names_of({"nodes": None, "group": group, "count": int(count) or None}, faults)
    if params["validators"] is not None and not 0 <= params["validators"] <= len(names):
        faults.append(f"validators is {params['validators']}, there are {len(names)} nodes")

    @functools.cache
    def read(namespace: str, secret: str) -> t.Mapping[str, t.Any] | None:
        return read_secret(_key_request.connect(params), namespace, secret)

    asked = _key_sources.request(params, names, read, faults)
    if faults:
        raise FaultsError(_key_request.CHECKING, faults)
    return asked


def _lines(nodes: list[NodeKeys]) -> str:
    """One line per node that has a key, for the difference."""
    return "".join(
        f"{node.name} address {node.validator.address if node.validator else '-'} node id {node.node_id or '-'}\n"
        for node in nodes
        if node.validator or node.node
    )


def _difference(outcome: Outcome, check_mode: bool) -> dict[str, str]:
    after = _lines(outcome.after)
    if check_mode:
        after += "".join(f"{name}: missing keys would be made\n" for name in outcome.made)
        after += "".join(f"{old.entry.node}: {old.old_id} would be replaced\n" for old in outcome.replaced)
    return {"before": _lines(outcome.before), "after": after}


def _place(params: dict[str, t.Any], vault: Vault | None) -> Place:
    if params["manifests"] is None:
        if params["groups"] is None or params["namespace"] is None:
            return _key_request.place_of(params, params["labels"])
        objects: Objects = _key_request.connect(params)
    else:
        objects = Manifest(
            Path(params["manifests"]), SECRETS, params["namespace"], vault=vault, sealed=params["encrypt"]
        )
    if params["groups"] is None:
        return Secret(objects, params["namespace"], _key_request.secret_of(params), params["labels"])
    labels = {group: {**params["labels"], GROUP_LABEL: group} for group in params["groups"]}
    return Secrets({group: Secret(objects, params["namespace"], group + OF_KEYS, labels[group]) for group in labels})


def run(params: dict[str, t.Any], check_mode: bool, vault: Vault | None = None) -> dict[str, t.Any]:
    asked = _asked(params)
    place = _place(params, vault)
    outcome = ensure(place, asked.wanted, dry_run=check_mode)
    names = asked.wanted.names
    validators = len(names) if params["validators"] is None else params["validators"]
    nodes = [
        {
            **node.public,
            "key_type": node.validator.type.name if node.validator else None,
            "validator": number < validators,
        }
        for number, node in enumerate(outcome.after)
    ]
    regenerated = [{"node": old.entry.node, "replaced": old.old_id} for old in outcome.replaced]
    result: dict[str, t.Any] = {
        "changed": bool(outcome.made or outcome.replaced),
        "nodes": nodes,
        "validators": [{key: node[key] for key in ("name", "address", "pub_key")} for node in nodes[:validators]],
        "created": [] if check_mode else outcome.made,
        "regenerated": [],
        "insecure": asked.insecure,
        "diff": _difference(outcome, check_mode),
    }
    if check_mode:
        result |= {"would_create": outcome.made, "would_regenerate": regenerated}
    else:
        result["regenerated"] = [
            {**shown, "backup": old.backup} for shown, old in zip(regenerated, outcome.replaced, strict=True)
        ]
    if isinstance(place, Secret | Secrets):
        result["secrets"] = place.secrets
    if asked.insecure:
        result["warnings"] = [f"keys made from a seed are no secret: {len(asked.insecure)} nodes have them"]
    return result


SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_key_request.ARGUMENT_SPEC,
        **_key_sources.SPEC,
        "groups": {"type": "dict"},
        "manifests": {"type": "path"},
        "encrypt": {"type": "bool", "default": False},
        "labels": {"type": "dict", "default": {}},
        "validators": {"type": "int"},
    },
    "mutually_exclusive": [
        ("namespace", "directory"),
        ("manifests", "directory"),
        ("count", "nodes", "groups"),
        ("secret", "groups"),
    ],
    "required_by": {"manifests": ["namespace"]},
    "required_one_of": [("count", "nodes", "groups")],
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
