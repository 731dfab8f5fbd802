# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _quantity

DOCUMENTATION = r"""
name: sum_resources
short_description: Add the resources of containers
version_added: 1.0.0
description:
  - Adds what several containers request, and what limits them, quantity by quantity, as a quota does for their pod.
  - What one of the containers has no limit for has none in the sum.
author:
  - mintnet developers (@mintnet)
options:
  _input:
    description: The resources of each container, with C(requests) and C(limits).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: What a pod of two containers requests, 150m and 192Mi
  ansible.builtin.debug:
    msg: "{{ [node, app] | mintnet.kubernetes.sum_resources }}"
  vars:
    node: {requests: {cpu: 50m, memory: 64Mi}}
    app: {requests: {cpu: 100m, memory: 128Mi}}
"""

RETURN = r"""
_value:
  description: The sum, as resources.
  type: dict
"""


def sum_resources(containers: t.Any) -> dict[str, dict[str, str]]:
    try:
        requests, limits = ([each.get(kind) or {} for each in containers] for kind in ("requests", "limits"))
        # A request that is missing is none; a limit that is missing is no limit.
        return {"requests": _sum(requests, set().union(*requests)), "limits": _sum(limits, _common(limits))}
    except (ArithmeticError, AttributeError, TypeError) as error:
        raise AnsibleFilterError(
            "mintnet.kubernetes.sum_resources needs a list of resources, each with requests and limits, such as "
            "{requests: {cpu: 50m}}"
        ) from error


def _common(amounts: list[dict[str, t.Any]]) -> set[str]:
    return set.intersection(*map(set, amounts)) if amounts else set()


def _sum(amounts: list[dict[str, t.Any]], names: set[str]) -> dict[str, str]:
    return {name: _quantity.total([each[name] for each in amounts if name in each]) for name in sorted(names)}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"sum_resources": sum_resources}
