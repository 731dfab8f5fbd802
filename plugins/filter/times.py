# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _quantity

DOCUMENTATION = r"""
name: times
short_description: Multiply a quantity of Kubernetes
version_added: 1.0.0
description:
  - Multiplies a quantity such as C(50m) or C(64Mi) and writes the product the way the API server writes it.
author:
  - mintnet developers (@mintnet)
positional: count
options:
  _input:
    description: The quantity.
    type: str
    required: true
  count:
    description: How many times.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Memory of eight nodes, 512Mi
  ansible.builtin.debug:
    msg: "{{ '64Mi' | mintnet.kubernetes.times(8) }}"
"""

RETURN = r"""
_value:
  description: The product.
  type: str
"""


def times(quantity: t.Any, count: t.Any) -> str:
    try:
        return _quantity.times(str(quantity), int(count))
    except (ArithmeticError, ValueError) as error:
        raise AnsibleFilterError(f"mintnet.kubernetes.times: {quantity!r} is no quantity such as 50m or 2Gi") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"times": times}
