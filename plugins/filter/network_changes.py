# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._changes import Wanted, compare

DOCUMENTATION = r"""
name: network_changes
short_description: Hold what is asked for against a network that lives
version_added: 1.0.0
description:
  - Tells which of the things asked for would destroy a chain, what is kept, and how many nodes there will be.
author:
  - mintnet developers (@mintnet)
positional: wanted
options:
  _input:
    description: The network as M(mintnet.kubernetes.cometbft_info) returns it.
    type: dict
    required: true
  wanted:
    description:
      - What is asked for, with the members C(network), C(chain_id), C(nodes), C(validators), C(power) and, where they
        differ from nothing, C(powers), C(genesis_time), C(initial_height), C(consensus_params), C(block_bytes),
        C(app_state), C(ephemeral), C(volume_size), C(storage_class), C(confirmed), C(custody) and C(groups). Each of
        the latter has C(name), C(nodes), C(volume_size) and C(storage_class).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse what would destroy the chain
  ansible.builtin.fail:
    msg: "{{ faults | join('; ') }}"
  vars:
    faults: "{{ (info.network | mintnet.kubernetes.network_changes(wanted)).faults }}"
    wanted:
      network: mintnet
      chain_id: mintnet
      nodes: 4
      validators: 4
      power: 10
  when: faults | length > 0
"""

RETURN = r"""
_value:
  description:
    - A dictionary with C(faults) and C(notes) (lists of sentences), C(groups) (the number of nodes by the group's name)
      C(nodes) (their names) and C(validators) (the number of those).
  type: dict
"""


def network_changes(live: t.Any, wanted: t.Any) -> dict[str, t.Any]:
    if not isinstance(live, Mapping) or not isinstance(wanted, Mapping):
        raise AnsibleFilterError("mintnet.kubernetes.network_changes needs two dictionaries")
    try:
        asked = Wanted(**wanted)
    except TypeError as error:
        raise AnsibleFilterError(f"mintnet.kubernetes.network_changes: {error}") from error
    return compare(dict(live), asked)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"network_changes": network_changes}
