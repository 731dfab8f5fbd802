# SPDX-License-Identifier: GPL-3.0-or-later
"""What a group of nodes has: its own, and else what speaks for all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.filter.network_groups import network_groups

FIRST: dict[str, Any] = {
    "name": "tm",
    "mode": "full",
    "nodes": 4,
    "guards": [],
    "version": "0.40.0",
    "image": "registry.example.com/cometbft:v0.40.0",
    "config": {},
    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1"}},
    "node_selector": {"pool": "chain"},
}


def test_what_a_group_does_not_say_is_as_in_the_first() -> None:
    first, plain, own = network_groups(
        [
            {"name": "plain", "image": None},
            {
                **{"name": "own", "mode": "sentry", "nodes": "2", "guards": ["tm-0"], "node_selector": {}},
                "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
            },
        ],
        FIRST,
    )
    assert first == FIRST
    assert plain == {**FIRST, "name": "plain", "nodes": 1}
    assert own == {
        **FIRST,
        **{"name": "own", "mode": "sentry", "nodes": 2, "guards": ["tm-0"], "node_selector": {}},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }


def test_a_version_of_its_own_has_the_official_image_unless_one_is_named() -> None:
    groups = [{"name": "a", "version": "0.39.4"}, {"name": "b", "version": "0.39.4", "image": "mine:1"}]
    assert [group["image"] for group in network_groups(groups, FIRST)[1:]] == ["cometbft/cometbft:v0.39.4", "mine:1"]


@pytest.mark.parametrize("groups", [["sentry"], "sentry", [{"nodes": 1, "resources": 3}]])
def test_what_is_no_list_of_groups_is_refused(groups: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="needs a list of groups"):
        network_groups(groups, FIRST)
