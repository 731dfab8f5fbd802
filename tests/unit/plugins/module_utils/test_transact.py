# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending many transactions, against an API server in which a Job takes its course and a chain makes blocks."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _transact
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Answer, Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._transact import (
    Sender,
    TransactError,
    parse,
    refusals,
    told_blocks,
)

Json = dict[str, Any]
LABELS = {"mintnet.io/network": "net"}
JOB: Json = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "transact", "namespace": "net", "labels": LABELS},
}
PATH = KINDS["Job"].path("net", "transact")
TIMES = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:10Z"}
RUNS = {"phase": "Running", "containerStatuses": [{"name": "tm", "state": {"running": {}}}]}
DONE: Json = {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {**TIMES, "exitCode": 0}}}]}


def tx(number: int) -> bytes:
    return f"k{number}=v".encode()


def answer(number: int, node: str = "tm-0", code: int = 0, log: str = "") -> str:
    digest = hashlib.sha256(tx(number)).hexdigest().upper()
    return f"{number} {node} " + json.dumps({"id": -1, "result": {"code": code, "log": log, "hash": digest}})


class Server(Api):
    """The Job's pod goes through ``states``, one with each look; the chain has ``blocks`` by height, and grows."""

    def __init__(self) -> None:
        self._workers = 1
        self.job = False
        self.keeps = 0
        self.states: list[Json | None] = [{"phase": "Pending"}, RUNS, DONE]
        self.log_text = ""
        self.blocks: dict[int, list[bytes]] = {7: [tx(1)], 8: []}
        self.coming: list[list[bytes]] = []
        self.heights = {"tm-0": 7, "tm-1": 3}
        self.events: list[Json] = []
        self.away = 0
        self.did: list[str] = []

    def request(
        self, doing: str, method: str, path: str, query: Any = None, body: Any = None, *rest: Any, **more: Any
    ) -> Answer:
        if self.away and path.endswith("/pods") and query:
            self.away -= 1
            raise ClusterError(f"{doing}: away", 503)
        return Answer(json.dumps(self._answer(doing, method, path, query, body)).encode(), datetime.now(UTC))

    def _answer(self, doing: str, method: str, path: str, query: Any, body: Any) -> Any:
        if "/proxy/" in path:
            return {"id": 0, "result": self._node(path.split("/pods/")[1].split(":")[0], body)}
        if method != "GET":
            self.did.append(f"{method} {path.rpartition('/')[2]} {(query or {}).get('dryRun', '')}".strip())
        if method == "POST":
            self.job = True
            return body
        if method == "PATCH":
            return body
        if path == PATH and method == "DELETE":
            self.job = bool(self.keeps)
            return {}
        if path == PATH:
            if not self.job:
                raise ClusterError(f"{doing}: not found", 404)
            if self.keeps and self.did and self.did[-1].startswith("DELETE"):
                self.keeps -= 1
                self.job = bool(self.keeps)
            return JOB
        if path.endswith("/events"):
            return {"items": self.events}
        if query and query["labelSelector"] == "batch.kubernetes.io/job-name=transact":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return {"items": [{"metadata": {"name": "transact-x"}, "status": state}] if state else []}
        assert query == {"labelSelector": "mintnet.io/network=net,tm"}
        return {"items": [{"metadata": {"name": name}, "status": RUNS} for name in self.heights]}

    def _node(self, name: str, body: Any) -> Json:
        if body["method"] == "status":
            if name == "tm-0" and self.coming and not self.job and "POST jobs" in self.did:
                self.heights[name] += 1
                self.blocks[self.heights[name]] = self.coming.pop(0)
            return {"sync_info": {"latest_block_height": str(self.heights[name])}}
        assert self.heights[name] >= int(body["params"]["height"])
        txs = [base64.b64encode(one).decode() for one in self.blocks[int(body["params"]["height"])]]
        return {"block": {"data": {"txs": txs or None}}}

    def log(self, doing: str, namespace: str, pod: str, query: Any, **_more: Any) -> str:
        assert (namespace, pod) == ("net", "transact-x")
        rows = self.log_text.splitlines()
        return "\n".join(rows[1:2] if query else rows)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def sender(server: Server, told: list[str]) -> Sender:
    return Sender(server, "net", told.append, 0.001)


def test_what_the_nodes_answered() -> None:
    error = {"error": {"code": -32603, "message": "Internal error", "data": "tx already exists in cache"}}
    log = "\n".join(
        [
            answer(1),
            answer(2, "tm-1", 5, "no = in it"),
            f"3 tm-2 {json.dumps(error)}",
            "4 tm-3 curl: (28) Operation timed out ",
            "5 tm-0 ",
            f"6 tm-1 {json.dumps({'error': {'message': 'no'}})}",
            answer(7, "tm-2", 5, "no = in it"),
            '8 tm-3 {"result": {"code": 0}}',
            "a word",
        ]
    )
    sent = parse(log)
    assert [one.number for one in sent] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [one.number for one in sent if one.hash] == [1]
    assert [one.words for one in sent[1:6]] == [
        "no = in it (code 5)",
        "tx already exists in cache",
        "curl: (28) Operation timed out",
        "it says nothing",
        "no",
    ]
    assert refusals(sent)[0] == {"words": "no = in it (code 5)", "count": 2, "number": 2, "node": "tm-1"}


def test_heights_are_told_up_to_a_dozen() -> None:
    blocks = [{"height": height, "txs": 2} for height in range(1, 20)]
    assert told_blocks(blocks[:2]) == "1 (2) · 2 (2)"
    assert told_blocks(blocks).endswith("11 (2) · … · 19 (2)")
    assert told_blocks(blocks).count("(") == 12


def test_all_are_sent_and_found(server: Server, sender: Sender, told: list[str]) -> None:
    server.log_text = "\n".join(answer(number) for number in (1, 2, 3))
    server.coming = [[], [tx(1), b"another's"], [tx(3), tx(2)]]
    result = sender.send(JOB, range(1, 4), 5)
    assert result == {
        "sent": 3,
        "accepted": 3,
        "refused": 0,
        "refusals": [],
        "blocks": [{"height": 9, "txs": 1}, {"height": 10, "txs": 2}],
        "missing": [],
    }
    assert told == [
        "2 of 3 sent",
        "3 sent in 0:10 · 3 accepted · 0 refused",
        "3 in 2 blocks, by height: 9 (1) · 10 (2)",
    ]
    assert server.did == ["POST jobs", "DELETE transact"]
    assert (sender.changed, server.job) == (True, False)


def test_what_a_killed_run_left_is_removed_first(server: Server, sender: Sender, told: list[str]) -> None:
    server.job, server.keeps = True, 3
    server.log_text = answer(1)
    server.coming = [[tx(1)]]
    sender.send(JOB, range(1, 2), 5)
    assert server.did == ["DELETE transact", "POST jobs", "DELETE transact"]
    assert told[0] == "what an earlier run has left is removed"


def test_a_job_of_somebody_else_is_left_alone(server: Server, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    server.job = True
    monkeypatch.setitem(JOB["metadata"], "labels", {})
    with pytest.raises(TransactError, match="Job transact is somebody else's, and is left alone"):
        sender.send(JOB, range(1, 2), 5)
    assert server.did == []


def test_refused_ones_are_told_with_their_words(server: Server, sender: Sender, told: list[str]) -> None:
    server.log_text = "\n".join([answer(1), *(answer(number, "tm-1", 2, "bad nonce") for number in (2, 3))])
    server.coming = [[tx(1)]]
    result = sender.send(JOB, range(1, 4), 5)
    assert (result["accepted"], result["refused"]) == (1, 2)
    assert "2 refused: bad nonce (code 2); the first was number 2, by tm-1" in told


def test_all_refused_is_a_failure(server: Server, sender: Sender) -> None:
    server.log_text = answer(1, code=1, log="no such form")
    with pytest.raises(TransactError, match=r"net: none of 1 was accepted: no such form \(code 1\); make status"):
        sender.send(JOB, range(1, 2), 5)
    assert not server.job


def test_accepted_ones_that_are_in_no_block_are_a_failure(server: Server, sender: Sender) -> None:
    server.log_text = "\n".join(answer(number, f"tm-{number}") for number in range(1, 6))
    server.coming = [[tx(1)]]
    with pytest.raises(
        TransactError, match=r"4 of 5 accepted are in no block after 0.3 s: 2 \(through tm-2\), 3 .*…;"
    ) as e:
        sender.send(JOB, range(1, 6), 0.3)
    assert e.value.result["missing"] == [2, 3, 4, 5]
    assert e.value.result["blocks"] == [{"height": 8, "txs": 1}]


def test_too_few_in_the_time_are_a_failure(server: Server, sender: Sender) -> None:
    server.log_text = answer(1)
    server.coming = [[tx(1)]]
    with pytest.raises(TransactError, match="only 1 of 9 could be sent in the time, as the nodes answer too slowly"):
        sender.send(JOB, range(1, 10), 5)


@pytest.mark.parametrize(
    ("states", "events", "said"),
    [
        ([None], [{"message": "pods is forbidden:\n exceeded quota: tm"}], "pods is forbidden: exceeded quota: tm"),
        ([None], [], "it has no pod yet"),
        (
            [{"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "no room"}]}],
            [],
            "no room",
        ),
        (
            [{"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"message": "no such image"}}}]}],
            [],
            "no such image",
        ),
    ],
)
def test_a_sender_that_does_not_start_is_told(
    server: Server, sender: Sender, told: list[str], states: list[Json | None], events: list[Json], said: str
) -> None:
    server.states, server.events = states, events
    with pytest.raises(TransactError, match=f"the sender, Job transact, does not start: {said}"):
        sender.send(JOB, range(1, 2), 0.05)
    assert told == ([f"waiting for the sender: {said}"] if said != "it has no pod yet" else [])
    assert not server.job


def test_a_sender_that_fails_or_goes_is_told(server: Server, sender: Sender) -> None:
    ended = {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "Error", "exitCode": 3}}}]}
    server.states, server.log_text = [ended], "one\ntransact: there is no curl"
    with pytest.raises(TransactError, match=r"the sender failed \(Error, exit code 3\): transact: there is no curl"):
        sender.send(JOB, range(1, 2), 5)
    server.states = [{**ended, "reason": "Evicted"}]
    with pytest.raises(TransactError, match=r"the sender failed \(Evicted\)"):
        sender.send(JOB, range(1, 2), 5)
    server.states = [RUNS, None]
    with pytest.raises(TransactError, match="the sender's pod is gone"):
        sender.send(JOB, range(1, 2), 5)


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(
    server: Server, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.log_text = answer(1)
    server.coming = [[tx(1)]]
    plain = server._answer

    def away_once(doing: str, method: str, path: str, query: Any, body: Any) -> Any:
        if method == "POST" and "/proxy/" not in path:
            server.away = 3
        return plain(doing, method, path, query, body)

    monkeypatch.setattr(server, "_answer", away_once)
    assert sender.send(JOB, range(1, 2), 5)["accepted"] == 1
    assert server.away == 0
    monkeypatch.setattr(_transact, "AWAY", 0.01)
    server.away = 10_000
    server.states = [RUNS]
    with pytest.raises(ClusterError, match="away"):
        sender._follow("transact", range(1, 2), 5)


def test_no_node_to_ask(server: Server, sender: Sender) -> None:
    server.heights = {}
    with pytest.raises(TransactError, match="no node tells its height: none runs"):
        sender.send(JOB, range(1, 2), 5)
    assert server.did == []


def test_a_job_that_does_not_go_is_told(server: Server, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transact, "GOES", 0.01)
    server.job, server.keeps = True, 10_000
    with pytest.raises(TransactError, match="Job transact does not go; see what holds it: kubectl -n net describe job"):
        sender.send(JOB, range(1, 2), 5)


def test_a_check_run_asks_the_cluster_and_sends_nothing(server: Server, sender: Sender) -> None:
    sender.foresee(JOB)
    assert server.did == ["PATCH transact All"]
    server.job = True
    sender.foresee(JOB)
    assert server.did == ["PATCH transact All"]
    assert sender.changed
