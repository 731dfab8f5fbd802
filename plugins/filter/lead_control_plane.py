# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lead_control_plane
short_description: Choose the control plane that the others follow
version_added: 1.0.0
description:
  - Of several control planes, the first whose API server answers, else the first that has the cluster, else the first
    that began it, else the first that was reached at all.
author:
  - mintnet developers (@mintnet)
options:
  _input:
    description:
      - What M(mintnet.kubernetes.machine_info) returned, by the names of the machines. Empty where a machine was
        not reached.
    type: dict
    required: true
seealso:
  - plugin: mintnet.kubernetes.pod_routes
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Choose the control plane
  ansible.builtin.debug:
    msg: "{{ {'machine-1': hostvars['machine-1'].mintnet_machine} | mintnet.kubernetes.lead_control_plane }}"
"""

RETURN = r"""
_value:
  description: The name of the machine. Empty where none was reached.
  type: str
"""

from ansible_collections.mintnet.kubernetes.plugins.module_utils._control_planes import lead


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"lead_control_plane": lead}
