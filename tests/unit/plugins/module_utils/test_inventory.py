# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the groups of an inventory contradict."""

from __future__ import annotations

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._inventory import faults


@pytest.mark.parametrize(
    ("groups", "fault"),
    [
        ({}, ""),
        ({"kube_control_plane": ["a"], "kube_node": ["b"], "kube_removed": ["c"]}, ""),
        ({"kube_control_plane": ["a"], "kube_remove": ["c"]}, "no such group; did you mean kube_removed?"),
        ({"kube_control_plane": ["a"], "kube-reset": ["c"]}, "no such group; did you mean kube_removed?"),
        ({"kube_removed": ["c"]}, "group kube_removed (with c): contradicts the group kube_control_plane"),
        (
            {"kube_control_plane": ["a"], "kube_node": ["c"], "kube_removed": ["c"]},
            "machine c: is in the groups kube_node and kube_removed",
        ),
        (
            {"kube_control_plane": ["a", "b"], "kube_removed": ["b"]},
            "machine b: is in the groups kube_control_plane and kube_removed",
        ),
        ({"kube_control_plane": ["a"], "kube_removed": ["C_c"]}, "machine C_c: must be a DNS name"),
    ],
)
def test_faults(groups: dict[str, list[str]], fault: str) -> None:
    found = faults(groups)
    assert len(found) == bool(fault)
    assert fault in "".join(found)
