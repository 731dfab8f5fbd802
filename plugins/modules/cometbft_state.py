#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_state
short_description: Stop and start a CometBFT network, or one of its nodes
version_added: 1.0.0
description:
  - Stops a network as a whole, so that it has no pods, or one of its nodes. Volumes, keys, genesis, names and settings
    are kept. That it was stopped on purpose is remembered in the cluster, so it is no failure.
  - The pod of a single node that is stopped stays and waits in its init container, whatever becomes of the pod or its
    machine. No other node is restarted.
  - A network that is started has as many nodes as when it was stopped. It is waited for until all of them make the same
    blocks; a single node, until it has caught up.
  - It is run by an action plugin on the controller, so it needs no connection.
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
  state:
    description:
      - V(stopped) lets them end as they would end for a restart.
      - V(started) starts what was stopped. Without O(node) that is the whole network and each single node.
    type: str
    choices:
      - started
      - stopped
    required: true
  node:
    description: Name of the one node that is meant. Without it the network as a whole is.
    type: str
    default: ''
  may_halt:
    description:
      - Whether no more than two thirds of the power may be left online, so that the chain stands still. Without it such
        a stop is refused.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds it may take.
    type: float
    default: 300
  wait_sleep:
    description: How many seconds pass between two looks.
    type: float
    default: 0.4
attributes:
  check_mode:
    support: full
    details:
      - It tells which nodes would be stopped or started, and the power that is left.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Validators whose data goes with their pod (ephemeral volumes) cannot be stopped, since without their signing state
    they are not started again.
seealso:
  - module: mintnet.kubernetes.cometbft_absent
  - module: mintnet.kubernetes.cometbft_info
"""

EXAMPLES = r"""
- name: Stop tm-3
  mintnet.kubernetes.cometbft_state:
    context: mintnet
    network: mintnet
    node: tm-3
    state: stopped

- name: Start whatever is stopped
  mintnet.kubernetes.cometbft_state:
    context: mintnet
    network: mintnet
    state: started
"""

RETURN = r"""
nodes:
  description: Names of the nodes that were, or would be, stopped or started; none where they are so already.
  returned: where there is such a network and node
  type: list
  elements: str
  sample:
    - tm-3
power:
  description:
    - Voting power before it, in all (C(total)), of answering nodes (C(online)), C(needed) for a block, and C(short).
    - Before a stop also what of it is C(left) afterwards.
  returned: where there is such a network and node
  type: dict
  sample: {total: 40, online: 40, needed: 27, short: 0, left: 30}
halts:
  description: Whether a stop leaves no more than two thirds of the power online.
  returned: where there is such a network and node
  type: bool
  sample: false
network:
  description: What was seen last, as M(mintnet.kubernetes.cometbft_info) returns it.
  returned: outside check mode
  type: dict
  sample: {network: mintnet, healthy: true, height: 3}
"""
