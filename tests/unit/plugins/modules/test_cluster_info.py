# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks live on a cluster, and that one which does not tell is not taken for an empty one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.modules import cluster_info

PARAMS = {"kubeconfig": "k", "context": "c", "dashboards": False, "networks": True}


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is asked for, and what it is answered with."""
    asked: list[Any] = []

    def answer(_self: Api, _doing: str, kind: str, namespace: str | None, selector: str) -> list[Any]:
        asked.append((kind, namespace, selector))
        return [{"metadata": {"namespace": name}} for name in ("two", "one", "two")]

    monkeypatch.setattr(_cluster, "connect", lambda *_named: _cluster.Cluster(None, "c"))
    monkeypatch.setattr(Api, "list", answer)
    return asked


def test_networks_are_the_namespaces_of_their_nodes(lists: list[Any]) -> None:
    assert cluster_info.run(PARAMS, False)["networks"] == ["one", "two"]
    assert lists == [("StatefulSet", None, "mintnet.io/network")]
    assert "networks" not in cluster_info.run({**PARAMS, "networks": False}, False)


def test_a_cluster_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_named: Any) -> Any:
        raise ClusterError("it does not answer")

    monkeypatch.setattr(_cluster, "connect", refused)
    found = cluster_info.run(PARAMS, False)
    assert found["networks"] is None
    assert found["changed"] is False
