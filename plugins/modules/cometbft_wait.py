# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_wait
short_description: Wait until a CometBFT network makes blocks
version_added: 1.0.0
description:
  - Waits until every node answers, all hold the same block and the same hash of the application at one height, and the
    heights rise. Meanwhile it tells how far they are.
  - Where the network makes no empty blocks and rests, it sends a transaction of its own.
  - Writes down, in the ConfigMap C(tm-started), which validators have started, because one that lost its volume
    may not vote again.
  - When the time is over it fails with a diagnosis of each node, the telling lines of logs, and what to do.
  - It fails earlier where a node has been for 30 seconds in a state that only somebody's doing ends, such as an image
    that does not exist or is for another kind of machine, more than the machines or a quota can give, or a storage
    class that is not there.
  - An API server that does not answer is waited for within the time.
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
  validators:
    description: Names of the validators, which a check run needs to know who would be written down.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: How many seconds to wait.
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
      - In check mode it looks once, and tells which of O(validators) would be written down.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_info
"""

EXAMPLES = r"""
- name: Wait for the network mintnet
  mintnet.kubernetes.cometbft_wait:
    context: mintnet
    network: mintnet
    wait_timeout: 120
"""

RETURN = r"""
recorded:
  description: Names of the validators that were written down as started, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [tm-0, tm-1]
network:
  description: What was seen last, as M(mintnet.kubernetes.cometbft_info) returns it.
  returned: always, as soon as something was seen
  type: dict
  sample: {network: mintnet, healthy: true, height: 3}
why:
  description: Why the network is not ready, what several nodes suffer from said once for all of them.
  returned: on failure
  type: list
  elements: str
  sample: ["waiting 9 s for the network mintnet (3 of 4 running)", "tm-3: no machine takes it: 0/1 nodes are available"]
log:
  description: Lines of the nodes' logs that tell the cause, each with the node's name.
  returned: on failure
  type: list
  elements: str
  sample: ["tm-1: panic: disk quota exceeded"]
next:
  description: What to do about it.
  returned: on failure
  type: list
  elements: str
  sample: ["tm-3: ask for less with cometbft_resources, or add machines"]
"""
