# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _changes

DOCUMENTATION = r"""
name: min_available
short_description: How many validators must stay
version_added: 1.0.0
description:
  - All validators but the heaviest that together hold less than a third of the power.
author:
  - mintnet developers (@mintnet)
options:
  _input:
    description: The power of each validator.
    type: list
    elements: int
    required: true
"""

EXAMPLES = r"""
- name: Of four equal validators, three must stay
  ansible.builtin.debug:
    msg: "{{ [10, 10, 10, 10] | mintnet.kubernetes.min_available }}"
"""

RETURN = r"""
_value:
  description: The number.
  type: int
"""


def min_available(powers: t.Iterable[t.Any]) -> int:
    return _changes.min_available([int(power) for power in powers])


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"min_available": min_available}
