# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory's groups contradict: a machine that would silently be left out is a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import is_label, nearest

CONTROL, NODE = "kube_control_plane", "kube_node"
#: Machines that leave their cluster and are cleaned.
REMOVED = "kube_removed"
#: What other tools call these groups, or once did.
OTHERS = {
    **{"kube_master": CONTROL, "kube_controller": CONTROL, "kube_worker": NODE, "kube_agent": NODE},
    **{"kube_absent": REMOVED, "kube_delete": REMOVED, "kube_deleted": REMOVED, "kube_reset": REMOVED},
}


def faults(groups: Mapping[str, Sequence[str]]) -> list[str]:
    found = []
    for group, hosts in sorted(groups.items()):
        if hosts and group not in (CONTROL, NODE, REMOVED) and (meant := _meant(group)):
            found.append(f"inventory group {group} (with {_listed(hosts)}): there is no such group{meant}")
    control, others, removed = (groups.get(group) or [] for group in (CONTROL, NODE, REMOVED))
    for group, hosts in ((NODE, others), (REMOVED, removed)):
        if hosts and not control:
            found.append(
                f"inventory group {group} (with {_listed(hosts)}): contradicts the group {CONTROL}, which has no "
                "machine; list at least one there"
                + (", or remove the cluster with destroy-cluster" if group == REMOVED else "")
            )
    for machine in sorted({*removed} & {*control, *others}):
        other = CONTROL if machine in control else NODE
        found.append(
            f"inventory machine {machine}: is in the groups {other} and {REMOVED}, which contradict each other; "
            "list it in one of them"
        )
    for machine in sorted({*control, *others, *removed}):
        if len(machine) > 253 or not all(map(is_label, machine.split("."))):
            found.append(
                f"inventory machine {machine}: must be a DNS name (a-z, 0-9, inner dashes, dots), since the cluster's "
                "node is called like it; the machine's own address and name go to ansible_host"
            )
    return found


def _meant(group: str) -> str:
    plain = group.lower().replace("-", "_").rstrip("s")
    if plain in OTHERS:
        return f"; did you mean {OTHERS[plain]}?"
    return nearest(group, (CONTROL, NODE, REMOVED), cutoff=0.8)


def _listed(hosts: Sequence[str]) -> str:
    return ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")
