# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A genesis in the Cosmos SDK's own form, and one that a Job makes by a chain's own commands."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _genesis_job
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import existing, parse
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_job import Maker, obtain
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_sdk import plain
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import genesis_facts

Json = dict[str, Any]
PARAMS: Json = {
    "block": {"max_bytes": "22020096", "max_gas": "-1"},
    "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
    "validator": {"pub_key_types": ["ed25519"]},
    "version": {"app": "0"},
    "abci": {"vote_extensions_enable_height": "0"},
}
SDK: Json = {
    "app_name": "chaind",
    "app_version": "",
    "genesis_time": "2026-01-01T12:00:00Z",
    "chain_id": "sdkchain",
    "initial_height": 1,
    "app_hash": None,
    "app_state": {"genutil": {"gen_txs": [{}]}},
    "consensus": {"params": PARAMS},
}
COMETBFT: Json = {
    "genesis_time": "2026-01-01T12:00:00Z",
    "chain_id": "sdkchain",
    "initial_height": "1",
    "consensus_params": PARAMS,
    "validators": None,
    "app_hash": "",
    "app_state": {"genutil": {"gen_txs": [{}]}},
}


def test_it_is_what_the_node_tells_over_rpc() -> None:
    assert plain(SDK) == COMETBFT
    assert plain(COMETBFT) == COMETBFT
    assert plain({**SDK, "app_hash": "q80="})["app_hash"] == "ABCD"
    assert genesis_facts(SDK) == genesis_facts(COMETBFT)


def test_it_is_taken_byte_for_byte_where_a_node_reads_it() -> None:
    text = json.dumps(SDK, indent=1)
    asked: Json = {"version": "0.40.0", "chain_id": "sdkchain"}
    assert existing(text, "x", **asked, sdk=True).text == text
    assert parse(text, "x").chain_id == "sdkchain"
    with pytest.raises(MintnetError, match="which CometBFT does not read"):
        existing(text, "x", **asked)
    with pytest.raises(MintnetError, match="chain_id: the source has sdkchain, asked is other"):
        existing(text, "x", version="0.40.0", chain_id="other", sdk=True)


def test_what_is_wrong_in_it_is_named() -> None:
    for change, said in (
        ({"initial_height": True}, "initial_height: True is no whole number"),
        ({"app_hash": "?"}, "app_hash"),
        ({"app_state": None}, "validators: at least one is needed"),
    ):
        with pytest.raises(MintnetError, match=said):
            existing(json.dumps({**SDK, **change}), "x", version="0.40.0", chain_id="sdkchain", sdk=True)


class Cluster:
    """One namespace with at most one Job, which ends after some looks at it."""

    def __init__(self, log: str = "", looks: int = 2, ends: str = "Complete") -> None:
        self.job: Json | None = None
        self.pod: Json = {"phase": "Pending"}
        self.event = ""
        self.output, self.looks, self.ends = log, looks, ends
        self.created = 0

    def create(self, _doing: str, definition: Json) -> Json:
        if self.job is not None:
            raise ClusterError("it exists", 409, "AlreadyExists")
        self.job, self.created = definition, self.created + 1
        return definition

    def get(self, _doing: str, _kind: str, _namespace: str, _name: str) -> Json | None:
        self.looks -= 1
        if self.job is None or self.looks > 0:
            return self.job
        return {**self.job, "status": {"conditions": [{"type": self.ends, "status": "True"}]}}

    def list(self, _doing: str, _kind: str, _namespace: str, selector: str) -> list[Json]:
        assert selector == "batch.kubernetes.io/job-name=tm-genesis-1"
        there = self.job and not self.event
        return [{"metadata": {"name": "tm-genesis-1-x"}, "spec": {}, "status": self.pod}] if there else []

    def log(self, _doing: str, _namespace: str, _pod: str, _query: Json, **_timeout: Any) -> str:
        if not self.output:
            raise ClusterError("the container has not begun", 400)
        return self.output

    def request(self, _doing: str, method: str, path: str, _query: Json) -> Any:
        if method == "GET":
            events = {"items": [{"message": self.event}]}
            return SimpleNamespace(json=lambda: events)
        assert (method, path) == ("DELETE", "/apis/batch/v1/namespaces/n/jobs/tm-genesis-1")
        self.job = None
        return None


JOB: Json = {"kind": "Job", "metadata": {"name": "tm-genesis-1", "namespace": "n"}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_genesis_job, "POLL", 0.001)


def test_what_comes_behind_the_mark_is_the_genesis() -> None:
    cluster = Cluster('hello\n{"wrong": 1}\n\n--- genesis ---\n{"a": 1}\n')
    maker = Maker(cluster, JOB)  # type: ignore[arg-type]
    assert obtain(maker, 5, lambda: None) == '{"a": 1}\n'
    assert obtain(maker, 5, lambda: None) == '{"a": 1}\n', "one that is there is joined"
    assert cluster.created == 1
    maker.remove()
    assert cluster.job is None
    assert obtain(maker, 5, lambda: "stored") == "stored"
    assert cluster.created == 1


@pytest.mark.parametrize(
    ("cluster", "seconds", "said"),
    [
        (Cluster("error: no such command\n", ends="Failed"), 5, "it failed: error: no such command"),
        (Cluster("", looks=9999), 0, "it was not done within 0 s"),
        (Cluster("nothing\n"), 5, "it printed none"),
    ],
)
def test_a_job_that_gives_none(cluster: Cluster, seconds: float, said: str) -> None:
    with pytest.raises(MintnetError, match=f"making the genesis in the Job tm-genesis-1 of n: {said}"):
        obtain(Maker(cluster, JOB), seconds, lambda: None)  # type: ignore[arg-type]
    assert cluster.job is None, "so that the next run begins anew"


def test_waiting_ends_where_it_makes_no_sense() -> None:
    cluster = Cluster("", looks=9999)
    waiting = {"reason": "ErrImagePull", "message": "x:1: not found"}
    cluster.pod["containerStatuses"] = [{"name": "genesis", "image": "x:1", "state": {"waiting": waiting}}]
    with pytest.raises(MintnetError, match="it failed: the image x:1 of genesis cannot be pulled: x:1: not found"):
        obtain(Maker(cluster, JOB), 60, lambda: None)  # type: ignore[arg-type]
    assert cluster.job is None


def test_a_job_that_gets_no_pod_has_its_cause() -> None:
    cluster = Cluster("", looks=9999)
    cluster.event = "exceeded quota: pods=10"
    with pytest.raises(MintnetError, match="it was not done within 0 s: exceeded quota: pods=10"):
        obtain(Maker(cluster, JOB), 0, lambda: None)  # type: ignore[arg-type]


def test_blocks_that_do_not_fit_are_refused() -> None:
    text = json.dumps(SDK)
    asked: Json = {"version": "0.40.0", "chain_id": "sdkchain", "sdk": True}
    with pytest.raises(MintnetError, match=r"block\.max_bytes: it is 22020096, at most 4128768 is"):
        existing(text, "x", **asked, block_bytes=4128768)
    assert existing(text, "x", **asked, block_bytes=22020096).text == text
