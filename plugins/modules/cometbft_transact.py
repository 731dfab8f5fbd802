# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_transact
short_description: Send many transactions to a CometBFT network and count them in its blocks
version_added: 1.0.0
description:
  - Runs a Job that sends transactions from inside the network, tells how far it is, and says how many the nodes
    accepted and refused, with the words of the first refusals.
  - Then it looks for those that were accepted in the chain's blocks.
  - The Job is removed at the end, and one that an earlier run has left is removed before.
  - It fails where not all could be sent, none was accepted, or some that were accepted are in no block in the end.
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
  job:
    description:
      - The Job, of one pod. The role P(mintnet.kubernetes.cometbft#role) makes it from its variables
        C(cometbft_transact_…).
      - Its log has a line for each transaction, with the transaction's number, the node's name, and the answer of that
        node's C(broadcast_tx_sync).
    type: dict
    required: true
  first:
    description: The number of the first transaction.
    type: int
    default: 1
  count:
    description: How many transactions it sends.
    type: int
    required: true
  wait_timeout:
    description: How many seconds to wait for the blocks. The Job has a minute of them to start.
    type: float
    default: 300
  wait_sleep:
    description: How many seconds pass between two looks.
    type: float
    default: 0.5
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is sent, and the cluster is asked whether it would take the Job.
  diff_mode:
    support: none
  idempotent:
    support: none
seealso:
  - module: mintnet.kubernetes.cometbft_tx
"""

EXAMPLES = r"""
- name: Send a hundred transactions
  mintnet.kubernetes.cometbft_transact:
    context: mintnet
    network: mintnet
    job: "{{ lookup('ansible.builtin.template', 'job.yml.j2') | from_yaml }}"
    count: 100
  register: sent

- name: Show in which blocks they are
  ansible.builtin.debug:
    var: sent.blocks
"""

RETURN = r"""
sent:
  description: How many were sent.
  returned: outside check mode, as soon as the Job has ended
  type: int
  sample: 100
accepted:
  description: How many of them a node accepted.
  returned: outside check mode, as soon as the Job has ended
  type: int
  sample: 99
refused:
  description: How many of them were refused.
  returned: outside check mode, as soon as the Job has ended
  type: int
  sample: 1
refusals:
  description: Why, the most frequent reason first.
  returned: outside check mode, as soon as the Job has ended
  type: list
  elements: dict
  contains:
    words:
      description: What the node, its application, or the connection to it said.
      type: str
      sample: tx already exists in cache
    count:
      description: How often.
      type: int
      sample: 1
    number:
      description: The number of the first transaction that was refused so.
      type: int
      sample: 17
    node:
      description: The node that refused that one.
      type: str
      sample: tm-0
blocks:
  description: The blocks that hold accepted ones.
  returned: outside check mode, as soon as the Job has ended
  type: list
  elements: dict
  contains:
    height:
      description: The block's height.
      type: int
      sample: 131
    txs:
      description: How many of the transactions it holds.
      type: int
      sample: 10
missing:
  description: Numbers of the accepted ones that were in no block when the time was over.
  returned: outside check mode, as soon as the Job has ended
  type: list
  elements: int
  sample: []
"""
