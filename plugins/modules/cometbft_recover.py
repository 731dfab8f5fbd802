#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_recover
short_description: Let a validator that lost its volume vote again
version_added: 1.0.0
description:
  - A validator that had started and whose volume holds no signing state is not started again, because it could sign a
    second time for a height that it has signed for. This module brings such a node back with an empty volume.
  - It waits until the other validators have decided every height that the node may have signed for, and gives it a
    signing state that refuses all of these. So more than two thirds of the power must be online without it.
  - A node that has not lost its state is left alone.
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
  node:
    description: Name of the node.
    type: str
    required: true
  wait_timeout:
    description: How many seconds the node may take until it has caught up.
    type: float
    default: 300
  wait_sleep:
    description: How many seconds pass between two looks.
    type: float
    default: 0.4
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - Nothing else may sign with the node's key meanwhile, such as a copy of the lost volume that is started elsewhere.
seealso:
  - module: mintnet.kubernetes.cometbft_roll
"""

EXAMPLES = r"""
- name: Bring tm-3 back, whose volume is lost
  mintnet.kubernetes.cometbft_recover:
    context: mintnet
    network: mintnet
    node: tm-3
"""

RETURN = r"""
lost:
  description: Whether the node had lost its signing state.
  returned: where there is such a node
  type: bool
  sample: true
network:
  description: What was seen last, as M(mintnet.kubernetes.cometbft_info) returns it.
  returned: when the node was recovered, or could not be
  type: dict
  sample: {network: mintnet, healthy: true, height: 3}
"""
