#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_info
short_description: Look at a CometBFT network on Kubernetes
version_added: 1.0.0
description:
  - Reads the objects of a network's namespace and asks every node over RPC, all at once, through the API server.
  - Returns one dictionary with a verdict, the reasons for it, and a row for each node.
  - A network that is unhealthy, or not there, is no failure of this module.
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
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_wait
  - plugin: mintnet.kubernetes.status_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at the network mintnet
  mintnet.kubernetes.cometbft_info:
    context: mintnet
    network: mintnet
  register: seen

- name: Go on only with a healthy network
  ansible.builtin.assert:
    that: seen.network.healthy
    fail_msg: "{{ seen.network.reasons | join('; ') }}"
"""

RETURN = r"""
network:
  description: What was seen.
  returned: success
  type: dict
  contains:
    network:
      description: Name of the network.
      type: str
      sample: mintnet
    exists:
      description: Whether there is a StatefulSet of the network.
      type: bool
      sample: true
    healthy:
      description: Whether every node answers, all agree, and blocks are made.
      type: bool
      sample: true
    reasons:
      description: Why the network is not healthy.
      type: list
      elements: str
      sample: ["tm-3: no machine takes it: 0/1 nodes are available"]
    next:
      description: What to do about the reasons.
      type: list
      elements: str
      sample: ["tm-3: ask for less with cometbft_resources, or add machines"]
    notes:
      description: What is worth knowing of a network that may be healthy all the same.
      type: list
      elements: str
      sample: ["scaled away: tm-4"]
    chain_id:
      description: Name of the chain, or null where there is no genesis yet.
      type: str
      sample: mintnet
    height:
      description: The greatest height that a node tells.
      type: int
      sample: 128
    compared_height:
      description: The greatest height whose block every node tells; at this height blocks are compared.
      type: int
      sample: 127
    block_age:
      description: Seconds since the newest block, by the API server's clock.
      type: float
      sample: 0.7
    recent:
      description: How the newest blocks came.
      type: dict
      contains:
        blocks:
          description: How many of them were looked at.
          type: int
          sample: 20
        interval:
          description: Seconds from one to the next, on average, or null where there are too few.
          type: float
          sample: 1.04
        txs:
          description: How many transactions are in them.
          type: int
          sample: 3
    empty_blocks:
      description: Whether blocks are made where there is no transaction.
      type: bool
      sample: true
    power:
      description: Voting power, in all (C(total)), of answering nodes (C(online)), C(needed) for a block, and C(short).
      type: dict
      sample: {total: 40, online: 40, needed: 27, short: 0}
    places:
      description:
        - Voting power by where its nodes run. RV(network.notes) warn of a machine or a zone that holds a third or
          more, where there are others.
        - Zones are known where the user may see the cluster's machines.
      type: dict
      sample: {machines: {m-1: 20, m-2: 20}, zones: {a: 40}}
    genesis:
      description: The public facts of the genesis, or null where there is none yet.
      type: dict
    custody:
      description: Where keys lie, V(secret) or, on the volumes of the pods that made them, V(pod); null where there are
        none.
      type: str
      sample: secret
    namespace:
      description: Whether the namespace exists, whether we made it, its phase, what keeps it while it is
        deleted, and its Pod Security standard.
      type: dict
      sample: {exists: true, made: true, phase: Active, held_by: "", pod_security: restricted}
    groups:
      description: The StatefulSets of the network.
      type: list
      elements: dict
    nodes:
      description: Each node as it runs, or as it should.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the node and of its pod.
          type: str
          sample: tm-0
        mode:
          description: Whether it is a V(validator) now, a V(sentry) or a V(seed), or a V(full) node.
          type: str
          sample: validator
        stopped:
          description: Whether it, or the network as a whole, was stopped on purpose.
          type: bool
          sample: false
        power:
          description: Its voting power.
          type: int
          sample: 10
        answers:
          description: Whether it answers over RPC.
          type: bool
          sample: true
        height:
          description: Its height.
          type: int
          sample: 128
        catching_up:
          description: Whether it still fetches blocks of the past.
          type: bool
          sample: false
        peers:
          description: How many peers it is connected to.
          type: int
          sample: 3
        peers_expected:
          description: How many it should be connected to.
          type: int
          sample: 3
        peers_missing:
          description: To which of them it is not.
          type: list
          elements: str
          sample: []
        block_id:
          description: Hash of its block at RV(network.compared_height).
          type: str
          sample: 5CF56A8C3AA42B7AA9DD4F79CF3ABB5AA4AEBCE8C61C6B2B4A2C9B2A0F7A45C9
        app_hash:
          description: The application's hash in the same block.
          type: str
          sample: "0000000000000000"
        node_id:
          description: Its identity among peers.
          type: str
          sample: 5f9b7b5c1c1b1f8a4f2e8f2c9e7a9d6b3c4d5e6f
        node_id_expected:
          description: The identity that its key gives it.
          type: str
          sample: 5f9b7b5c1c1b1f8a4f2e8f2c9e7a9d6b3c4d5e6f
        address:
          description: Address of its validator key.
          type: str
          sample: E74FBE24164CFC4F88E311C3AC92E63D0DC310D8
        version:
          description: Version of CometBFT that it runs.
          type: str
          sample: 0.40.0
        pod:
          description: Phase of its pod, V(Terminating), or V(absent).
          type: str
          sample: Running
        initialized:
          description: Whether the init container is through, where a node that is stopped waits.
          type: bool
          sample: true
        ready:
          description: Whether the pod's readiness probe succeeds, that is, whether the node has caught up.
          type: bool
          sample: true
        restarts:
          description: How often its container was restarted.
          type: int
          sample: 0
        app:
          description: The application's container beside it; null where the application is built into the node.
          type: dict
          contains:
            state:
              description: C(running), or C(waiting) or C(terminated) with the reason.
              type: str
              sample: running
            ready:
              description: Whether its readiness probe succeeds.
              type: bool
              sample: true
            restarts:
              description: How often it was restarted.
              type: int
              sample: 0
        age:
          description: Seconds since its pod was started.
          type: int
          sample: 341
        machine:
          description: The machine that its pod runs on.
          type: str
          sample: mintnet-1
        outdated:
          description: Whether its pod was made from an older template than the newest.
          type: bool
          sample: false
        reason:
          description: What is wrong with it or worth knowing.
          type: str
          sample: ""
        log:
          description: The lines at the end of its log that tell the cause, where something is wrong with it.
          type: list
          elements: str
          sample: []
        next:
          description: What to do about it.
          type: str
          sample: ""
        lasting:
          description: Whether only somebody's doing ends what is wrong, so that it makes no sense to wait.
          type: bool
          sample: false
    stopped:
      description: Names of the nodes that were stopped one by one, and that create leaves so.
      type: list
      elements: str
      sample: []
    not_verified:
      description: What the user of the context may not read.
      type: list
      elements: str
      sample: []
"""

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import read
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

SPEC: dict[str, t.Any] = {
    "argument_spec": {**_cluster.ARGUMENT_SPEC, "network": {"type": "str", "required": True}},
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
    return {"changed": False, "network": read(api, params["network"])}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
