# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._table import table

DOCUMENTATION = r"""
name: status_table
short_description: Show the status of a CometBFT network as a table
version_added: 1.0.0
description:
  - Writes what M(mintnet.kubernetes.cometbft_info) returns as a table with a row for each node, and a verdict below it.
author:
  - mintnet developers (@mintnet)
options:
  _input:
    description: The dictionary C(network) of M(mintnet.kubernetes.cometbft_info).
    type: dict
    required: true
seealso:
  - module: mintnet.kubernetes.cometbft_info
"""

EXAMPLES = r"""
- name: Look at a network
  mintnet.kubernetes.cometbft_info:
    context: mintnet
    network: mintnet
  register: seen

- name: Show it
  mintnet.kubernetes.tell:
    raw: "{{ seen.network | mintnet.kubernetes.status_table }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def status_table(value: t.Any) -> str:
    try:
        return table(value)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "mintnet.kubernetes.status_table needs what cometbft_info returns as network "
            f"({type(error).__name__}: {error})"
        ) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_table": status_table}
