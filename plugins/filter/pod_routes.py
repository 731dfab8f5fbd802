# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pod_routes
short_description: List a machine's routes to the pods of others
version_added: 1.0.0
description:
  - The ranges of pods on all other machines, each with the address of its machine, as the role C(cni) takes them.
author:
  - mintnet developers (@mintnet)
positional: name
options:
  _input:
    description:
      - The cluster's nodes, as M(mintnet.kubernetes.machine_info) returns them, with C(name), C(address) and
        C(pod_cidr).
    type: list
    elements: dict
    required: true
  name:
    description: Name of the machine that the routes are for.
    type: str
    required: true
seealso:
  - plugin: mintnet.kubernetes.lead_control_plane
    plugin_type: filter
"""

EXAMPLES = r"""
- name: List routes
  ansible.builtin.debug:
    msg: "{{ nodes | mintnet.kubernetes.pod_routes('machine-1') }}"
  vars:
    nodes:
      - {name: machine-1, address: 192.0.2.11, pod_cidr: 10.244.0.0/24}
      - {name: machine-2, address: 192.0.2.12, pod_cidr: 10.244.1.0/24}
  # => [{"to": "10.244.1.0/24", "via": "192.0.2.12"}]
"""

RETURN = r"""
_value:
  description: The routes, each with C(to), a range, and C(via), an address.
  type: list
  elements: dict
"""

from ansible_collections.mintnet.kubernetes.plugins.module_utils._control_planes import pod_routes


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"pod_routes": pod_routes}
