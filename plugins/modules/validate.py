# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Find every fault of a run's variables before anything is touched
version_added: 1.0.0
description:
  - Takes all variables that the task sees, and names every fault in one message.
  - Finds names that begin like a variable of this collection and are none, with the nearest that is.
  - Finds values of a wrong type, values out of range, and values that contradict each other.
  - Finds Python packages and collections that the controller lacks, with the command that installs them.
  - Types and choices come from the argument specifications of the collection's roles.
  - Names that only resemble a variable of this collection are told as a warning.
  - It is run by an action plugin on the controller and reads files, nothing else. Values of secrets are not shown.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  machines:
    description: Further hosts whose variables are checked.
    type: list
    elements: str
    default: []
  groups:
    description:
      - The inventory's groups, each with its hosts.
      - A group that hardly differs from C(kube_control_plane), C(kube_node) or C(kube_removed) is a fault, and so are
        groups that contradict each other.
    type: dict
    default: {}
  contents:
    description:
      - Whether to read the files that a chain is made of as well (genesis, app_state, keys). What a URL leads to, or
        what is in a cluster, is not read.
      - Of a chain that lives, these files may be gone.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Check all variables
  mintnet.kubernetes.validate:
    machines: "{{ groups['kube_control_plane'] | default([]) }}"
"""

RETURN = r"""
faults:
  description: Every fault, one text each.
  returned: always
  type: list
  elements: str
  sample:
    - "cometbft_nodez: there is no such variable; did you mean cometbft_node or cometbft_nodes?"
    - "cometbft_validators = 5: must be at most cometbft_nodes, which is 4"
hint:
  description: What to do next.
  returned: when variables have faults
  type: str
  sample: ansible-doc -t role mintnet.kubernetes.ROLE describes every variable of a role
"""
