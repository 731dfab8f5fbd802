# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MissingLibraryError

DOCUMENTATION = r"""
name: jmespath
short_description: Narrow data down with a JMESPath expression
version_added: 1.0.0
description:
  - Applies a JMESPath expression and returns what it finds.
  - A faulty expression is told with the place of its fault.
author:
  - mintnet developers (@mintnet)
requirements:
  - jmespath (the Python package)
positional: expression
options:
  _input:
    description: The data.
    type: raw
    required: true
  expression:
    description: The expression; an empty one returns the data as they are.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the heights of all nodes
  ansible.builtin.debug:
    msg: "{{ seen.network | mintnet.kubernetes.jmespath('nodes[].height') }}"
"""

RETURN = r"""
_value:
  description: What was found, or null.
  type: raw
"""


def jmespath(data: t.Any, expression: str) -> t.Any:
    if not expression.strip():
        return data
    try:
        from jmespath import search
        from jmespath.exceptions import JMESPathError
    except ImportError as error:
        raise AnsibleFilterError(str(MissingLibraryError("jmespath>=1.0.0", "querying", error))) from error
    try:
        return search(expression, data)
    except JMESPathError as error:
        raise AnsibleFilterError(f"reading the JMESPath expression {expression!r}: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"jmespath": jmespath}
