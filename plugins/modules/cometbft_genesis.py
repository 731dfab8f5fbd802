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
  - A genesis that exists elsewhere (O(src)) is taken byte for byte, after the same checks.
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
      - A genesis of more than 1 MiB is compressed and cut into ConfigMaps named after it, which its keys
        C(genesis.parts) and C(genesis.sha256) lead to.
      - The default is O(group) with C(-config) behind it.
    type: str
  group:
    description: Name of the group of nodes.
    type: str
    default: tm
  labels:
    description: Labels of the ConfigMaps, set when they are made.
    type: dict
    default: {}
  path:
    description:
      - Path of the file. Its directory must exist.
      - With it the module works on the host, else on the controller; O(src) and O(app_state_src) are read there.
    type: path
  manifests:
    description:
      - Folder in which the ConfigMaps are a file, as M(mintnet.kubernetes.manifests) writes it, in place of a cluster.
    type: path
  src:
    description:
      - A genesis that exists, as the path of a file, or as a URL together with O(sha256).
      - Its bytes are stored as they are, unless O(app_state_patch) asks for another app_state.
      - It must keep all limits, and must have what other options ask for. What they do not ask for may be as it likes.
    type: str
  sha256:
    description:
      - SHA-256 that the text of O(src) must have. With a URL it is required.
      - A genesis with this sum that is stored already is not fetched again.
    type: str
  job:
    description:
      - A Job that ends its log with the line C(--- genesis ---) and the genesis, as an object of Kubernetes in
        O(namespace). It is run where no genesis is stored, and what it prints is taken as O(src) would be.
      - Its name must say of what it is made, because a Job of that name that is there already is waited for.
    type: dict
  job_timeout:
    description: Seconds that O(job) may take.
    type: int
    default: 300
  block_bytes:
    description:
      - What C(block.max_bytes) of O(src) or O(job) may be at most.
      - Over gRPC a node takes 4 MiB in one answer of its application.
    type: int
  cosmos_sdk:
    description: Whether O(src) or O(job) may give the Cosmos SDK's own form of a genesis, which only its nodes read.
    type: bool
    default: false
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
      - Until then all nodes sleep, and do not answer. More than 90 days are refused, as a slip.
    type: str
  initial_height:
    description: Height of the first block, which is 1 by default.
    type: int
  template:
    description:
      - Whether the validators' keys are made by their pods, which then make the genesis, too. Instead of a genesis, all
        of it but the keys is stored in the ConfigMap, once. It has C(genesis.template) without validators, and in
        C(validators) the name and the power of one in each line.
      - The first of O(validators) fills the keys in, so that the bytes are those that this module would write.
      - The keys are of type ed25519. Of O(validators) only names and powers are taken.
    type: bool
    default: false
  validators:
    description:
      - The genesis validators, in their order. At most 10000, whose power is at most 1152921504606846975 in all.
      - It may be empty only where O(app_state) lets the application name them, or with O(src).
    type: list
    elements: dict
    default: []
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
        description: Voting power; by default what O(powers) and O(power) say.
        type: int
  power:
    description: Voting power of each validator that names none of its own.
    type: int
    default: 10
  powers:
    description: Voting power of single validators, by their names. It goes before O(power).
    type: dict
    default: {}
  consensus_params:
    description:
      - Consensus parameters that differ from the defaults of O(version), in groups and with names as the genesis file
        has them, such as C(max_bytes) in C(block).
      - Numbers may be written as numbers or, as in the file, as strings.
      - The C(max_age_duration) in C(evidence) may be nanoseconds or a duration such as V(48h).
      - The default of C(pub_key_types) in C(validator) is what types the validators' keys have.
    type: dict
    default: {}
  app_state:
    description:
      - What the application receives at the chain's first start.
      - Its members are sorted by name, so that their order in YAML does not count.
    type: dict
    default: {}
  app_state_src:
    description:
      - Path of a JSON file with what O(app_state) would say. Only one of the two may be given.
      - A number with more digits than a 64-bit floating point number keeps is refused.
    type: path
  app_state_patch:
    description:
      - A JSON merge patch (RFC 7396) over O(app_state), over O(app_state_src), or over what O(src) has.
      - Members are laid over those that are there; null removes one, and lists are replaced as a whole.
      - Over O(src) this writes the document anew, so that its bytes and its SHA-256 are others than those of O(src).
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
  - A ConfigMap holds at most 1 MiB, which is enough for about 3500 validators. Up to 32 more hold what is larger, in
    compressed form. Each node keeps the genesis in memory, which counts towards its limit.
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

- name: A state from a file, with one account more and one less
  mintnet.kubernetes.cometbft_genesis:
    chain_id: together-2
    version: 0.40.0
    genesis_time: "2026-01-01T12:00:00Z"
    validators:
      - name: alice
        pub_key:
          type: tendermint/PubKeyEd25519
          value: UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=
    app_state_src: ~/app_state.json
    app_state_patch:
      accounts:
        carol: 5
        mallory:

- name: Take the genesis of a chain that others have begun
  mintnet.kubernetes.cometbft_genesis:
    path: ~/taken.json
    src: ~/genesis.json
    sha256: "{{ genesis.sha256 }}"
    chain_id: together-1
    version: 0.38.25
"""

RETURN = r"""
genesis:
  description: Text of the genesis file, of the stored one where there is one. It is null with O(template).
  returned: success
  type: str
  sample: '{ "genesis_time": "2026-01-01T12:00:00Z", ... }'
sha256:
  description: SHA-256 of RV(genesis). It is null with O(template).
  returned: success
  type: str
  sample: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
config_maps:
  description:
    - The ConfigMaps that hold the genesis, or would in check mode; pods need all of them. It is only O(config_map)
      for a genesis of up to 1 MiB, and empty without O(namespace).
  returned: success
  type: list
  elements: str
  sample: [tm-config]
starts_in:
  description: Seconds for which a node that starts now waits for RV(genesis_time); 0 where that is past.
  returned: success
  type: int
  sample: 0
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

import json
import typing as t
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Objects
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import compose
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import CHECKING, Request, request, waits
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import existing
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_job import Maker, obtain
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_settle import Store, settle, sha256
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_source import is_url, load, read_text
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import ConfigMap, File, TemplateMap
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_template import powers_of, settle_template
from ansible_collections.mintnet.kubernetes.plugins.module_utils._manifests import GENESIS, Manifest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import nearest

#: A clock that is a little behind the nodes' is not worth a word.
WORTH_SAYING = 60


def _request(params: dict[str, t.Any], check_mode: bool, store: Store | None, maker: Maker | None) -> Request:
    src = params["src"]
    faults: list[str] = []
    file = params["app_state_src"]
    app_state = compose(
        params["app_state"],
        read_text(f"reading the app_state {file}", file) if file else None,
        None if src else params["app_state_patch"],
        faults,
    )
    asked = {name: params[name] for name in ("version", "chain_id", "power", "consensus_params")}
    asked["validators"] = _with_powers(params["validators"], params["powers"], faults)
    text = None
    if src:
        text = load(src, params["sha256"], store.read() if store and is_url(src) else None)
    elif maker and store:
        text = store.read() if check_mode else obtain(maker, params["job_timeout"], store.read)
        if text is None:
            return Request(params["chain_id"], None, 1, {}, {}, (), None, pending=(str(maker),))
    if text is not None:
        try:
            return existing(
                text,
                src or f"the log of {maker}",
                **asked,
                sdk=params["cosmos_sdk"],
                block_bytes=params["block_bytes"],
                time=params["genesis_time"],
                initial_height=params["initial_height"],
                app_state=app_state,
                app_state_patch=params["app_state_patch"],
                faults=faults,
            )
        except MintnetError:
            if maker and not check_mode:
                # Its next run shall make another one.
                maker.remove()
            raise
    if params["sha256"]:
        faults.append("sha256: there is no src that it could belong to")
    height = params["initial_height"]
    return request(
        **asked,
        time=params["genesis_time"],
        initial_height=1 if height is None else height,
        app_state=app_state,
        allow_pending=check_mode or params["template"],
        faults=faults,
    )


def _with_powers(
    validators: list[dict[str, t.Any]], powers: dict[str, t.Any], faults: list[str]
) -> list[dict[str, t.Any]]:
    names = [item["name"] for item in validators]
    for name, power in powers.items():
        if name not in names:
            faults.append(f"powers.{name}: there is no validator of this name{nearest(name, names)}")
        if isinstance(power, bool) or not str(power).isdecimal():
            faults.append(f"powers.{name}: {power!r} is no whole number")
    if faults:
        return validators
    return [
        {**item, "power": int(powers[item["name"]])} if item["power"] is None and item["name"] in powers else item
        for item in validators
    ]


def _store(params: dict[str, t.Any], api: Api | None) -> ConfigMap | File | None:
    if params["path"] is not None:
        return File(Path(params["path"]))
    place: Objects | None = api
    if params["manifests"] is not None:
        place = Manifest(Path(params["manifests"]), GENESIS, params["namespace"])
    if place is not None:
        name = params["config_map"] or f"{params['group']}-config"
        kind = TemplateMap if params["template"] else ConfigMap
        return kind(place, params["namespace"], name, params["labels"])
    return None


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    within = params["namespace"] is not None and params["manifests"] is None
    api = Api(_cluster.connect(params["kubeconfig"], params["context"])) if within else None
    store = _store(params, api)
    if params["template"] and isinstance(store, TemplateMap):
        return _template(params, check_mode, store)
    maker = Maker(api, params["job"]) if api and params["job"] else None
    asked = _request(params, check_mode, store, maker)
    outcome = settle(store, asked, dry_run=check_mode)
    if maker and not check_mode and outcome.before is None:
        maker.remove()
    genesis, after = outcome.genesis, outcome.after
    time = genesis.time if genesis else asked.time
    starts_in = int(waits(time).total_seconds()) if time else 0
    return {
        "changed": store is not None and outcome.before is None,
        "genesis": after,
        "sha256": None if after is None else sha256(after),
        "config_maps": store.names(after or "") if isinstance(store, ConfigMap) else [],
        "chain_id": asked.chain_id,
        "genesis_time": time,
        "starts_in": starts_in,
        "validators": [validator.public for validator in (genesis.validators if genesis else asked.validators)],
        "diff": {
            "before": outcome.before or "",
            "after": f"the genesis waits for {maker or 'the keys of ' + ', '.join(asked.pending)}\n"
            if after is None
            else after,
        },
        "warnings": [*asked.warnings, *_sleep(time, starts_in)],
    }


def _template(params: dict[str, t.Any], check_mode: bool, store: TemplateMap) -> dict[str, t.Any]:
    others = [name for name in ("src", "job") if params[name]]
    if others:
        raise FaultsError(
            CHECKING, [f"{name}: contradicts template, of which pods make the genesis" for name in others]
        )
    validators = [{**item, "pub_key": None, "address": None} for item in params["validators"]]
    asked = _request({**params, "validators": validators}, check_mode, store, None)
    powers = powers_of(_with_powers(validators, params["powers"], []), params["power"])
    before, after = settle_template(store, asked, powers, dry_run=check_mode)
    time = str(json.loads(after)["genesis_time"])
    starts_in = int(waits(time).total_seconds())
    return {
        "changed": before is None,
        "genesis": None,
        "sha256": None,
        "config_maps": store.names(after),
        "chain_id": asked.chain_id,
        "genesis_time": time,
        "starts_in": starts_in,
        "validators": [
            {"name": name, "address": None, "pub_key": None, "power": power} for name, power in powers.items()
        ],
        "diff": {"before": before or "", "after": after},
        "warnings": _sleep(time, starts_in),
    }


def _sleep(time: str | None, seconds: int) -> list[str]:
    if seconds <= WORTH_SAYING:
        return []
    return [f"the chain begins at {time}: nodes that start now sleep for {_span(seconds)}, without an answer"]


def _span(seconds: int) -> str:
    minutes = seconds // 60
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


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
        "manifests": {"type": "path"},
        "src": {"type": "str"},
        "sha256": {"type": "str"},
        "job": {"type": "dict"},
        "job_timeout": {"type": "int", "default": 300},
        "block_bytes": {"type": "int"},
        "cosmos_sdk": {"type": "bool", "default": False},
        "version": {"type": "str", "required": True},
        "chain_id": {"type": "str", "required": True},
        "genesis_time": {"type": "str"},
        "initial_height": {"type": "int"},
        "validators": {"type": "list", "elements": "dict", "default": [], "options": _VALIDATOR},
        "power": {"type": "int", "default": 10},
        "powers": {"type": "dict", "default": {}},
        "template": {"type": "bool", "default": False},
        "consensus_params": {"type": "dict", "default": {}},
        "app_state": {"type": "dict", "default": {}},
        "app_state_src": {"type": "path"},
        "app_state_patch": {"type": "dict", "default": {}},
    },
    "mutually_exclusive": [
        ("namespace", "path"),
        ("manifests", "path"),
        ("src", "job"),
        ("path", "job"),
        ("manifests", "job"),
    ],
    "required_by": {"job": ["namespace"], "manifests": ["namespace"]},
    "required_if": [("template", True, ["namespace"])],
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
