# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._toml import dumps

DOCUMENTATION = r"""
name: to_toml
short_description: Turn a dictionary into TOML
version_added: 1.0.0
description:
  - Writes nested dictionaries as TOML tables.
author:
  - mintnet developers (@mintnet)
options:
  _input:
    description: The dictionary.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Render a configuration file
  ansible.builtin.debug:
    msg: "{{ {'version': 3, 'grpc': {'address': '/run/containerd/containerd.sock'}} | mintnet.kubernetes.to_toml }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def to_toml(value: t.Any) -> str:
    if not isinstance(value, dict):
        raise AnsibleFilterError(f"mintnet.kubernetes.to_toml needs a dictionary, not {type(value).__name__}")
    try:
        return dumps(value)
    except TypeError as error:
        raise AnsibleFilterError(f"mintnet.kubernetes.to_toml: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"to_toml": to_toml}
