#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_roll
short_description: Replace the nodes of a CometBFT network one by one
version_added: 1.0.0
description:
  - Replaces the pods that are of an older revision than their StatefulSet, or whose nodes lost peers that they do not
    dial any more. Each has caught up before the next one goes, and more than two thirds of the power stay online.
  - Nodes that do not work go first, then those without a vote, then validators, the lightest first. A new revision that
    does not work stops the roll at its first node, and the chain goes on.
  - While a roll is under way or stopped, the disruption budget allows no eviction of a validator, because an evicted
    pod comes back at the newest revision.
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
  cause:
    description:
      - V(revision) replaces pods of an older revision.
      - V(peers) replaces as few nodes as will do to bring missing connections between answering nodes back. A
        connection counts as missing when it does not come back by itself within 15 seconds.
    type: str
    choices:
      - revision
      - peers
    default: revision
  min_available:
    description: What the disruption budget allows when the roll is through, as the number of validators that must stay.
    type: int
    required: true
  changing:
    description: In check mode, the groups whose template would change, which the cluster cannot know yet.
    type: list
    elements: str
    default: []
  rows:
    description: In check mode, what the ConfigMap C(tm-nodes) would hold.
    type: dict
  may_halt:
    description:
      - Nodes that may be replaced although the chain stands still while they are away, as RV(halting) of a check run
        lists them. Without such a leave they are refused.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: How many seconds each node may take to be back and caught up.
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
      - It tells which nodes would be replaced, and in which order.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_wait
  - module: mintnet.kubernetes.cometbft_recover
"""

EXAMPLES = r"""
- name: Replace the nodes of an older revision
  mintnet.kubernetes.cometbft_roll:
    context: mintnet
    network: mintnet
    min_available: 3
"""

RETURN = r"""
replaced:
  description: Names of the nodes that were replaced, in this order.
  returned: outside check mode
  type: list
  elements: str
  sample:
    - tm-3
order:
  description: Names of the nodes that would be replaced, in this order.
  returned: in check mode
  type: list
  elements: str
  sample:
    - tm-3
    - tm-2
halting:
  description: Those of RV(order) without whom the chain stands still.
  returned: in check mode
  type: list
  elements: str
  sample: []
faults:
  description: Why some cannot be replaced.
  returned: in check mode
  type: list
  elements: str
  sample: []
left:
  description: Names of the nodes that are still to be replaced.
  returned: when the roll stopped
  type: list
  elements: str
  sample:
    - tm-2
network:
  description: What was seen last, as M(mintnet.kubernetes.cometbft_info) returns it.
  returned: outside check mode, as soon as something was seen
  type: dict
  sample: {network: mintnet, healthy: true, height: 3}
"""
