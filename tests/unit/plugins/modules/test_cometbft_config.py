# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_config

Run = Callable[..., dict[str, Any]]


def test_text_and_hash(run: Run) -> None:
    wanted = {"version": "0.40.0", "block_time": "5s", "settings": {"mempool": {"size": 7}, "log_level": "debug"}}
    result = run(cometbft_config.main, wanted)
    document = tomllib.loads(result["config"])
    assert document["consensus"]["timeout_commit"] == "5s"
    assert document["mempool"]["size"] == 7
    assert document["log_level"] == "debug"
    assert document["proxy_app"] == "persistent_kvstore"
    assert result["sha256"] == hashlib.sha256(result["config"].encode()).hexdigest()
    assert result["changed"] is False
    assert run(cometbft_config.main, wanted, check=True)["config"] == result["config"]


def test_every_fault_in_one_message(run: Run) -> None:
    result = run(
        cometbft_config.main, {"version": "0.38.25", "settings": {"rpc": {"unsafe": 1}, "p2p": {"libp2p": {}}}}
    )
    assert result["failed"] is True
    assert result["faults"] == [
        "rpc.unsafe: 1 is neither true nor false",
        "p2p.libp2p: CometBFT 0.38 does not know it, 0.39 and 0.40 know it",
    ]
    assert "checking the configuration: 2 faults: (1) rpc.unsafe" in result["msg"]


def test_unknown_version(run: Run) -> None:
    assert "version 0.4 is not supported" in run(cometbft_config.main, {"version": "0.4"})["msg"]
