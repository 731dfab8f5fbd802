#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_tx
short_description: Send a transaction to a CometBFT network and wait for its block
version_added: 1.0.0
description:
  - Sends a transaction through one node, over RPC by way of the API server, and waits until a block has it.
  - It fails where the application refuses the transaction, with the application's code and words.
  - A key of the application can then be read back from every node.
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
  node:
    description: The node that gets the transaction.
    type: str
    default: tm-0
  tx:
    description:
      - The transaction as text. What it may be is up to the application; C(kvstore) takes C(key=value).
      - Exactly one of O(tx) and O(tx_base64) must be given.
    type: str
  tx_base64:
    description: The transaction's bytes in base64.
    type: str
  query:
    description: A key of the application that is read on each node of O(read_on), once it has executed the block.
    type: str
  read_on:
    description: Where O(query) is read, on V(all) nodes whose pod runs, or only on the O(node) of the transaction.
    type: str
    choices: [all, node]
    default: all
  wait_timeout:
    description: How many seconds to wait for the block, and again for the other nodes.
    type: float
    default: 60
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is sent.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - A node that still remembers the transaction does not take it again; then nothing is changed.
notes:
  - The node must index transactions, as it does by default.
"""

EXAMPLES = r"""
- name: Write a name, and read it on every node
  mintnet.kubernetes.cometbft_tx:
    context: mintnet
    network: mintnet
    tx: name=satoshi
    query: name
  register: sent

- name: Show where it was read
  ansible.builtin.debug:
    msg: "{{ sent.read | items2dict(key_name='node') }}"
"""

RETURN = r"""
hash:
  description: Hash of the transaction.
  returned: always
  type: str
  sample: 7E3A9B4A5F4B26A8F19E2E7B8F8A4C6F0D2A5B9C4E7F1A3D5C7E9F1B3D5F7A9B
height:
  description: Height of the block that has it.
  returned: when a block has it
  type: int
  sample: 42
code:
  description: The application's code, 0 where all is well.
  returned: when the application has said it
  type: int
  sample: 0
log:
  description: The application's words.
  returned: when the application has said it
  type: str
  sample: ""
node:
  description: The node that got it.
  returned: always
  type: str
  sample: tm-0
recorded:
  description:
    - Nodes to which the block gave a vote, and whose start was written down because of that, so that they are not
      started again without what they have signed.
  returned: when a block has it
  type: list
  elements: str
  sample: []
read:
  description: What O(query) gave on each node.
  returned: when O(query) is given, not in check mode
  type: list
  elements: dict
  contains:
    node:
      description: Name of the node.
      type: str
      sample: tm-1
    value:
      description: The value as text, or null where there is none or it is no text.
      type: str
      sample: satoshi
    value_base64:
      description: The value in base64, or null where there is none.
      type: str
      sample: c2F0b3NoaQ==
    height:
      description: The height up to which the node had executed blocks.
      type: int
      sample: 42
    error:
      description: Why the node could not be read, or nothing.
      type: str
      sample: ""
"""

import base64
import binascii
import hashlib
import typing as t
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import running
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import pod_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._tx import Clock, TxError, read, send
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import record_promoted


def _bytes(params: dict[str, t.Any]) -> bytes:
    if params["tx"] is not None:
        return str(params["tx"]).encode()
    try:
        return base64.b64decode(params["tx_base64"], validate=True)
    except binascii.Error as error:
        raise TxError(f"reading tx_base64: it is no base64: {error}") from error


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    tx = _bytes(params)
    if check_mode:
        return {"changed": True, "hash": hashlib.sha256(tx).hexdigest().upper(), "node": params["node"]}
    api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
    network, node, timeout = params["network"], params["node"], params["wait_timeout"]
    result = send(pod_proxy(api, network, node), node, tx, Clock(timeout))
    result["recorded"] = record_promoted(api, network, node, result["height"], Clock(timeout))
    if params["query"]:
        nodes = [node] if params["read_on"] == "node" else running(api, network)
        clock = Clock(timeout)
        reads = {
            name: partial(read, pod_proxy(api, network, name), name, params["query"].encode(), result["height"], clock)
            for name in nodes
        }
        result["read"] = list(api.side_by_side(reads).values())
    return result


SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "network": {"type": "str", "required": True},
        "node": {"type": "str", "default": "tm-0"},
        "tx": {"type": "str"},
        "tx_base64": {"type": "str"},
        "query": {"type": "str"},
        "read_on": {"type": "str", "choices": ["all", "node"], "default": "all"},
        "wait_timeout": {"type": "float", "default": 60},
    },
    "mutually_exclusive": [("tx", "tx_base64")],
    "required_one_of": [("tx", "tx_base64")],
}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
