# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions, against a node that answers what CometBFT answers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._tx import Clock, TxError, read, send

Json = dict[str, Any]
TX = b"motto=one for all"
HASH = hashlib.sha256(TX).hexdigest().upper()
NOT_FOUND = {"code": -32603, "message": "Internal error", "data": f"tx ({HASH}) not found"}
CACHED = {"code": -32603, "message": "Internal error", "data": "tx already exists in cache"}


class Time:
    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def clock(self, timeout: float) -> Clock:
        return Clock(timeout, now=lambda: self.passed, sleep=self.sleep)


class Node:
    """Answers to each method in turn, the last one for ever; an error is an error, an exception is silence."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Json]] = []

    def __call__(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self(part) for part in body]
        self.asked.append((body["method"], body["params"]))
        answers = self.answers[body["method"]]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"id": body["id"], "error" if "message" in answer else "result": answer}


def taken(height: int = 42, code: int = 0, log: str = "") -> Json:
    return {"hash": HASH, "height": str(height), "tx_result": {"code": code, "log": log, "codespace": ""}}


def checked(code: int = 0, log: str = "") -> Json:
    return {"code": code, "log": log, "codespace": "", "hash": HASH}


def test_a_transaction_gets_into_a_block() -> None:
    node = Node(broadcast_tx_sync=[checked()], tx=[NOT_FOUND, NOT_FOUND, taken()])
    assert send(node, "tm-0", TX, Time().clock(5)) == {
        "changed": True,
        "hash": HASH,
        "node": "tm-0",
        "height": 42,
        "code": 0,
        "log": "",
    }
    assert node.asked[0] == ("broadcast_tx_sync", {"tx": base64.b64encode(TX).decode()})
    assert node.asked[1] == ("tx", {"hash": base64.b64encode(bytes.fromhex(HASH)).decode()})


def test_one_that_was_sent_before_changes_nothing() -> None:
    sent = send(Node(broadcast_tx_sync=[CACHED], tx=[taken(7)]), "tm-0", TX, Time().clock(5))
    assert (sent["changed"], sent["height"]) == (False, 7)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"broadcast_tx_sync": [checked(2)]}, "the application refuses it, with code 2: it says no more"),
        ({"broadcast_tx_sync": [checked(5, "too poor")]}, "the application refuses it, with code 5: too poor"),
        (
            {"broadcast_tx_sync": [checked()], "tx": [taken(9, 3, "no")]},
            "it failed in the block of height 9, with code 3: no",
        ),
        ({"broadcast_tx_sync": [checked()], "tx": [NOT_FOUND]}, "no block had it within 5 s"),
        (
            {"broadcast_tx_sync": [checked()], "tx": [{"message": "transaction indexing is disabled"}]},
            "its block cannot be looked up: tx: transaction indexing is disabled",
        ),
        ({"broadcast_tx_sync": [{"message": "mempool is full"}]}, "mempool is full"),
    ],
)
def test_what_goes_wrong_is_told(answers: dict[str, list[Json]], words: str) -> None:
    with pytest.raises(TxError, match=words) as raised:
        send(Node(**answers), "tm-1", TX, Time().clock(5))
    assert str(raised.value).startswith("sending a transaction through tm-1: ")
    assert raised.value.result["hash"] == HASH


def info(height: int) -> Json:
    return {"response": {"last_block_height": str(height)} if height else {}}


def status(height: int) -> Json:
    return {"sync_info": {"latest_block_height": str(height)}}


def queried(value: bytes | None) -> Json:
    return {"response": {"code": 0, "value": None if value is None else base64.b64encode(value).decode()}}


def test_a_key_is_read_once_the_application_has_the_block() -> None:
    """Not yet when the node only has the block."""
    node = Node(
        abci_info=[info(41), info(42)], status=[status(42)], abci_query=[queried(None), queried(b"one for all")]
    )
    row = read(node, "tm-3", b"motto", 42, Time().clock(5))
    assert row == {
        "node": "tm-3",
        "value": "one for all",
        "value_base64": "b25lIGZvciBhbGw=",
        "height": 42,
        "error": "",
    }
    assert ("abci_query", {"data": b"motto".hex()}) in node.asked


def test_an_application_without_heights_has_it_when_the_next_block_is_there() -> None:
    node = Node(abci_info=[info(0)], status=[status(42), status(43)], abci_query=[queried(None)])
    row = read(node, "tm-3", b"motto", 42, Time().clock(5))
    assert (row["value"], row["height"], row["error"]) == (None, 42, "")


def test_bytes_that_are_no_text_stay_base64() -> None:
    row = read(
        Node(abci_info=[info(9)], status=[status(9)], abci_query=[queried(b"\xff")]), "a", b"k", 1, Time().clock(1)
    )
    assert (row["value"], row["value_base64"]) == (None, "/w==")


def test_a_node_that_stays_behind_or_silent_says_so() -> None:
    behind = Node(abci_info=[info(7)], status=[status(7)], abci_query=[queried(None)])
    assert read(behind, "a", b"k", 42, Time().clock(1))["error"] == "is at height 7, the transaction at 42"
    silent = Node(abci_info=[ClusterError("connection refused")])
    assert read(silent, "a", b"k", 42, Time().clock(1))["error"] == "does not answer: connection refused"
