# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the containers of a pod ask for together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.filter.sum_resources import sum_resources


def resources(asked_cpu: str, asked_memory: str, **limits: str) -> dict[str, Any]:
    return {"requests": {"cpu": asked_cpu, "memory": asked_memory}, "limits": limits}


@pytest.mark.parametrize(
    ("containers", "requests", "limits"),
    [
        ([resources("50m", "64Mi", cpu="1")], {"cpu": "50m", "memory": "64Mi"}, {"cpu": "1"}),
        (
            [resources("50m", "64Mi", cpu="1"), resources("100m", "1Gi", cpu="500m")],
            {"cpu": "150m", "memory": "1088Mi"},
            {"cpu": "1500m"},
        ),
        # Without a limit of one there is none for both.
        ([resources("1", "1G", memory="1Gi"), resources("1", "1M")], {"cpu": "2", "memory": "1001M"}, {}),
        (
            [resources("1", "1Gi"), {"requests": {"ephemeral-storage": "1Gi"}}],
            {"cpu": "1", "ephemeral-storage": "1Gi", "memory": "1Gi"},
            {},
        ),
        ([], {}, {}),
    ],
)
def test_sum(containers: list[dict[str, Any]], requests: dict[str, str], limits: dict[str, str]) -> None:
    found = sum_resources(containers)
    assert found == {"requests": requests, "limits": limits}


@pytest.mark.parametrize("wrong", [None, [1], [{"requests": {"cpu": "many"}}]])
def test_what_is_no_resources(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="needs a list of resources"):
        sum_resources(wrong)
