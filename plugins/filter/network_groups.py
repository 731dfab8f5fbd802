# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._groups import complete

DOCUMENTATION = r"""
name: network_groups
short_description: Tell of each group of a network's nodes all that it has
version_added: 1.0.0
description:
  - Gives the group of the validators and, behind it, all further ones. What one of these does not say of itself is as
    in the first one, except that it is one node that follows the chain.
author:
  - mintnet developers (@mintnet)
positional: first
options:
  _input:
    description: The further groups, as the variable C(cometbft_groups) of the role C(cometbft) has them.
    type: list
    elements: dict
    required: true
  first:
    description: The group of the validators, with all entries, C(resources) with C(requests) and C(limits) among them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The images of all groups
  ansible.builtin.debug:
    msg: "{{ cometbft_groups | mintnet.kubernetes.network_groups(first) | map(attribute='image') }}"
  vars:
    first: {name: tm, nodes: 4, image: 'cometbft/cometbft:v0.40.0', resources: {requests: {}, limits: {}}}
"""

RETURN = r"""
_value:
  description: The groups.
  type: list
  elements: dict
"""


def network_groups(groups: t.Any, first: t.Any) -> list[dict[str, t.Any]]:
    try:
        return complete(groups, first)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"mintnet.kubernetes.network_groups needs a list of groups, and the first one with its resources "
            f"({type(error).__name__}: {error})"
        ) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"network_groups": network_groups}
