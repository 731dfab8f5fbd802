# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a network's status, and queries."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mintnet.kubernetes.plugins.filter.jmespath import jmespath
from ansible_collections.mintnet.kubernetes.plugins.filter.status_table import status_table
from ansible_collections.mintnet.kubernetes.plugins.module_utils._table import duration

Json = dict[str, Any]


def node(name: str, **other: Any) -> Json:
    return {
        "name": name,
        "mode": "validator",
        "power": 10,
        "answers": True,
        "height": 128,
        "catching_up": False,
        "peers": 1,
        "peers_expected": 1,
        "block_id": "5CF56A8C3AA42B7A",
        "app_hash": "0200000000000000",
        "pod": "Running",
        "ready": True,
        "restarts": 0,
        "age": 341,
        "reason": "",
        "stopped": False,
        "log": [],
        **other,
    }


SILENT = {"answers": False, "height": None, "catching_up": None, "peers": None, "block_id": None, "app_hash": None}


def network(*nodes: Json, **other: Any) -> Json:
    return {
        "network": "mintnet",
        "chain_id": "mintnet",
        "healthy": True,
        "reasons": [],
        "next": [],
        "notes": [],
        "not_verified": [],
        "height": 128,
        "compared_height": 127,
        "block_age": 0.7,
        "recent": {"blocks": 20, "txs": 1, "interval": 1.04},
        "power": {"total": 20, "online": 20, "needed": 14, "short": 0},
        "nodes": list(nodes),
        **other,
    }


def test_healthy_network() -> None:
    assert status_table(network(node("tm-0"), node("tm-10", height=9, restarts=3))).splitlines() == [
        "node   mode       power  height  catching up   peers  block@127  app hash@127  pod      restarts    age",
        "tm-0   validator     10     128  no           1 of 1  5CF56A8C…  02000000…     Running         0  5m41s",
        "tm-10  validator     10       9  no           1 of 1  5CF56A8C…  02000000…     Running         3  5m41s",
        "",
        "network   mintnet · height 128 · 2 of 2 answering · power 20 of 20 online, 14 needed · newest block 0s old",
        "blocks    one every 1.04 s · 1 transaction in the newest 20",
        "verdict   healthy · all agree at height 127",
    ]


def test_an_application_beside_its_node_has_a_column_of_its_own() -> None:
    """Which is not there where all are built in."""
    running = {"state": "running", "ready": True, "restarts": 0}
    crashed = {"state": "waiting: CrashLoopBackOff", "ready": False, "restarts": 3}
    once = {**running, "restarts": 1}
    nodes = [node("tm-0", app=running), node("tm-1", app=crashed), node("tm-2", app=once), node("tm-3", app=None)]
    head, *rows = status_table(network(*nodes)).splitlines()[:5]
    begins, ends = head.index("app  "), head.index("  age")
    assert [row[begins:ends].strip() for row in rows] == [
        "running",
        "waiting: CrashLoopBackOff, 3 restarts",
        "running, 1 restart",
        "",
    ]
    assert "app  " not in status_table(network(node("tm-0", app=None))).splitlines()[0]


def test_what_is_wrong_is_beside_the_node_and_in_the_verdict() -> None:
    pending = node("tm-1", **SILENT, pod="Pending", ready=False, age=None, reason="no machine takes it")
    text = status_table(
        network(
            node("tm-0", ready=False),
            pending,
            healthy=False,
            reasons=["tm-1: no machine takes it", "the quorum is short by 4 power"],
            notes=["tm-0: no connection to tm-1"],
            not_verified=["Service: reading it is forbidden"],
        )
    )
    rows = text.splitlines()
    assert rows[0].endswith("  reason")
    assert "Running, not ready" in rows[1]
    assert rows[2].split()[3:8] == ["-", "-", "-", "of", "1"]
    assert rows[2].endswith("no machine takes it")
    assert text.endswith(
        "notes     tm-0: no connection to tm-1\n"
        "unknown   Service: reading it is forbidden\n"
        "verdict   unhealthy\n"
        "          tm-1: no machine takes it\n"
        "          the quorum is short by 4 power"
    )


@pytest.mark.parametrize(
    ("recent", "told"),
    [
        ({"blocks": 0, "txs": 0, "interval": None}, ""),
        ({"blocks": 1, "txs": 30, "interval": None}, "blocks    30 transactions in the newest 1\n"),
        ({"blocks": 20, "txs": 0, "interval": 12.0}, "blocks    one every 12.00 s · 0 transactions in the newest 20\n"),
    ],
)
def test_how_blocks_came(recent: Json, told: str) -> None:
    text = status_table(network(node("tm-0"), recent=recent))
    assert f"old\n{told}verdict " in text


def test_network_that_is_not_there() -> None:
    absent = network(chain_id=None, healthy=False, reasons=["there is no namespace mintnet"], compared_height=0)
    assert status_table(absent) == "verdict   unhealthy\n          there is no namespace mintnet"


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="needs what cometbft_info returns"):
        status_table({"nodes": []})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (59, "59s"), (60, "1m"), (3725, "1h2m"), (86400, "1d"), (90061, "1d1h"), (3605, "1h")],
)
def test_duration(seconds: int | None, text: str) -> None:
    assert duration(seconds) == text


def test_queries() -> None:
    data = {"nodes": [{"name": "tm-0", "ready": True}, {"name": "tm-1", "ready": False}]}
    assert jmespath(data, "nodes[?!ready].name") == ["tm-1"]
    assert jmespath(data, "nothing") is None
    assert jmespath(data, " ") is data


@pytest.mark.parametrize("expression", ["nodes[?", "nodes[].unknown_function(@)", "length(`1`)"])
def test_faulty_query_is_told(expression: str) -> None:
    with pytest.raises(AnsibleFilterError, match="reading the JMESPath expression"):
        jmespath({"nodes": [1]}, expression)


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(AnsibleFilterError, match=r"pip install 'jmespath>=1\.0\.0'"):
        jmespath({}, "a")
