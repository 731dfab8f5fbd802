# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_watch
short_description: Watch the status of a CometBFT network
version_added: 1.0.0
description:
  - Shows what P(mintnet.kubernetes.status_table#filter) makes of a network, again and again.
  - On a terminal the table is drawn in place, until the user ends it with Ctrl-C (or C(q)), which is no failure.
  - Without a terminal a table is printed whenever there is a new block, or something else to tell.
  - A network that is unhealthy, or not there, is no failure of this module. An API server that goes away is waited for.
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
  wait_timeout:
    description:
      - After how many seconds it ends.
      - With V(0) it ends when the user ends it, and without a terminal after a minute.
    type: float
    default: 0
  wait_sleep:
    description: How many seconds pass between two looks.
    type: float
    default: 1
attributes:
  check_mode:
    support: full
    details:
      - In check mode it looks once.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_info
  - plugin: mintnet.kubernetes.status_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Watch the network mintnet for five minutes
  mintnet.kubernetes.cometbft_watch:
    context: mintnet
    network: mintnet
    wait_timeout: 300
"""

RETURN = r"""
network:
  description: What was seen last, as M(mintnet.kubernetes.cometbft_info) returns it.
  returned: success
  type: dict
  sample: {network: mintnet, healthy: true, height: 128}
looks:
  description: How often it was looked at.
  returned: success
  type: int
  sample: 30
"""
