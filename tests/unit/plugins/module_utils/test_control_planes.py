# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control plane the others follow, and the routes between their pods."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._control_planes import lead, pod_routes


def info(state: str, answers: bool = False) -> dict[str, t.Any]:
    return {"kubernetes": {"state": state, "api": {"answers": answers}}}


@pytest.mark.parametrize(
    ("infos", "name"),
    [
        ({}, ""),
        ({"a": {}, "b": {}}, ""),
        ({"a": info("none"), "b": info("none")}, "a"),
        ({"a": {}, "b": info("none")}, "b"),
        ({"a": info("none"), "b": info("begun")}, "b"),
        # The first machine was made anew: it joins what the others have.
        ({"a": info("none"), "b": info("done"), "c": info("done", True)}, "c"),
        ({"a": info("begun"), "b": info("done")}, "b"),
        ({"a": info("done", True), "b": info("done", True)}, "a"),
    ],
)
def test_lead(infos: dict[str, dict[str, t.Any]], name: str) -> None:
    assert lead(infos) == name


def test_routes() -> None:
    nodes = [
        {"name": "m-2", "address": "192.0.2.12", "pod_cidr": "10.244.1.0/24"},
        {"name": "m-1", "address": "192.0.2.11", "pod_cidr": "10.244.0.0/24"},
        {"name": "m-3", "address": "192.0.2.13", "pod_cidr": "10.244.2.0/24"},
        {"name": "m-4", "address": "192.0.2.14", "pod_cidr": ""},
    ]
    assert pod_routes(nodes, "m-2") == [
        {"to": "10.244.0.0/24", "via": "192.0.2.11"},
        {"to": "10.244.2.0/24", "via": "192.0.2.13"},
    ]
