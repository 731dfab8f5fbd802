#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_genesis
short_description: Make the genesis of a CometBFT chain, once
version_added: 1.0.0
description:
  - Makes the genesis document out of validators and parameters, checks all of CometBFT's limits and more, and reports
    every fault in one message. The same input gives the same bytes on every machine.
  - It is stored in an immutable ConfigMap (O(namespace)) or in a file (O(path)), or only returned.
  - A genesis that is stored is never changed. It is read back and compared; where it is another chain than the one
    asked for, the module fails and names each difference.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  namespace:
    description:
      - Namespace of the ConfigMap. It must exist.
      - At most one of O(namespace) and O(path) may be given.
    type: str
  config_map:
    description:
      - Name of the ConfigMap; its key is C(genesis.json).
      - The default is O(group) with C(-config) behind it.
    type: str
  group:
    description: Name of the group of nodes.
    type: str
    default: tm
  labels:
    description: Labels of the ConfigMap, set when it is made.
    type: dict
    default: {}
  path:
    description: Path of the file. Its directory must exist.
    type: path
  version:
    description:
      - Version of CometBFT, such as V(0.40.0), or its line, such as V("0.40").
      - It decides which consensus parameters there are, and their defaults.
    type: str
    required: true
  chain_id:
    description: Name of the chain, at most 50 bytes.
    type: str
    required: true
  genesis_time:
    description:
      - When the chain begins, as RFC 3339, such as V(2026-01-01T00:00:00Z).
      - The default is that of the stored genesis, else now, in whole seconds.
    type: str
  initial_height:
    description: Height of the first block.
    type: int
    default: 1
  validators:
    description:
      - The genesis validators, in their order. At most 10000, whose power is at most 1152921504606846975 in all.
      - It may be empty only where O(app_state) lets the application name them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name for people to read.
        type: str
        default: ""
      pub_key:
        description:
          - Public key as CometBFT writes it, with C(type) and C(value).
          - In check mode it may be null for a key that is still to be made.
        type: dict
        suboptions:
          type:
            description: Type of the key.
            type: str
            required: true
          value:
            description: The key in base64.
            type: str
            required: true
      address:
        description: Address of the key; it is checked if given.
        type: str
      power:
        description: Voting power; O(power) by default.
        type: int
  power:
    description: Voting power of each validator that names none of its own.
    type: int
    default: 10
  consensus_params:
    description:
      - Consensus parameters that differ from the defaults of O(version), in groups and with names as the genesis file
        has them, such as C(max_bytes) in C(block).
      - Numbers may be written as numbers or, as in the file, as strings.
      - The C(max_age_duration) in C(evidence) may be nanoseconds or a duration such as V(48h).
    type: dict
    default: {}
  app_state:
    description:
      - What the application receives at the chain's first start.
      - Its members are sorted by name, so that their order in YAML does not count.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    details:
      - As long as a validator's key is still to be made, the genesis is null.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_keys
  - module: mintnet.kubernetes.cometbft_config
notes:
  - A ConfigMap holds at most 1 MiB, which is enough for about 3500 validators.
"""

EXAMPLES = r"""
- name: Genesis of a chain in the ConfigMap tm-config
  mintnet.kubernetes.cometbft_genesis:
    context: mintnet
    namespace: mintnet
    chain_id: mintnet
    version: 0.40.0
    validators: "{{ keys.validators }}"
    consensus_params:
      block:
        max_bytes: 1048576

- name: The same file on every operator's machine
  mintnet.kubernetes.cometbft_genesis:
    path: ~/genesis.json
    chain_id: together-1
    version: 0.38.25
    genesis_time: "2026-01-01T12:00:00Z"
    validators:
      - name: alice
        power: 30
        pub_key:
          type: tendermint/PubKeyEd25519
          value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=
      - name: bob
        pub_key:
          type: tendermint/PubKeyEd25519
          value: P/V6GHuZrb8rs/k1oBorxc6vyXMlnzhJmv7LmjELDys=
  register: genesis

- name: Compare this with the other operators
  ansible.builtin.debug:
    var: genesis.sha256
"""

RETURN = r"""
genesis:
  description: Text of the genesis file, of the stored one where there is one.
  returned: success
  type: str
  sample: '{ "genesis_time": "2026-01-01T12:00:00Z", ... }'
sha256:
  description: SHA-256 of RV(genesis).
  returned: success
  type: str
  sample: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
chain_id:
  description: Name of the chain.
  returned: success
  type: str
  sample: mintnet
genesis_time:
  description: When the chain begins. It is null in check mode where the genesis is.
  returned: success
  type: str
  sample: "2026-01-01T12:00:00Z"
validators:
  description: The genesis validators.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name for people to read.
      type: str
      sample: tm-0
    address:
      description: Address of the key.
      type: str
      sample: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
    pub_key:
      description: Public key.
      type: dict
      sample:
        type: tendermint/PubKeyEd25519
        value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=
    power:
      description: Voting power.
      type: int
      sample: 10
"""

import hashlib
import typing as t
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import Request, Store, request, settle
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import ConfigMap, File
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve


def _request(params: dict[str, t.Any], check_mode: bool) -> Request:
    return request(
        version=params["version"],
        chain_id=params["chain_id"],
        validators=params["validators"],
        power=params["power"],
        time=params["genesis_time"],
        initial_height=params["initial_height"],
        consensus_params=params["consensus_params"],
        app_state=params["app_state"],
        allow_pending=check_mode,
    )


def _store(params: dict[str, t.Any]) -> Store | None:
    if params["path"] is not None:
        return File(Path(params["path"]))
    if params["namespace"] is not None:
        api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
        name = params["config_map"] or f"{params['group']}-config"
        return ConfigMap(api, params["namespace"], name, params["labels"])
    return None


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    asked = _request(params, check_mode)
    store = _store(params)
    outcome = settle(store, asked, dry_run=check_mode)
    validators = outcome.genesis.validators if outcome.genesis else asked.validators
    after = outcome.after
    return {
        "changed": store is not None and outcome.before is None,
        "genesis": after,
        "sha256": None if after is None else hashlib.sha256(after.encode()).hexdigest(),
        "chain_id": asked.chain_id,
        "genesis_time": outcome.genesis.time if outcome.genesis else asked.time,
        "validators": [validator.public for validator in validators],
        "diff": {
            "before": outcome.before or "",
            "after": f"the genesis waits for the keys of {', '.join(asked.pending)}\n" if after is None else after,
        },
    }


_PUB_KEY = {"type": {"type": "str", "required": True}, "value": {"type": "str", "required": True}}
_VALIDATOR = {
    "name": {"type": "str", "default": ""},
    "pub_key": {"type": "dict", "options": _PUB_KEY},
    "address": {"type": "str"},
    "power": {"type": "int"},
}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "namespace": {"type": "str"},
        "config_map": {"type": "str"},
        "group": {"type": "str", "default": "tm"},
        "labels": {"type": "dict", "default": {}},
        "path": {"type": "path"},
        "version": {"type": "str", "required": True},
        "chain_id": {"type": "str", "required": True},
        "genesis_time": {"type": "str"},
        "initial_height": {"type": "int", "default": 1},
        "validators": {"type": "list", "elements": "dict", "required": True, "options": _VALIDATOR},
        "power": {"type": "int", "default": 10},
        "consensus_params": {"type": "dict", "default": {}},
        "app_state": {"type": "dict", "default": {}},
    },
    "mutually_exclusive": [("namespace", "path")],
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
