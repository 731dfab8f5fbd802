# SPDX-License-Identifier: GPL-3.0-or-later
"""The module through main(), with a real file; a real ConfigMap is in the end-to-end tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_genesis

Run = Callable[..., dict[str, Any]]

KEY = {"type": "tendermint/PubKeyEd25519", "value": "UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE="}
OTHER = {"type": "tendermint/PubKeyEd25519", "value": "P/V6GHuZrb8rs/k1oBorxc6vyXMlnzhJmv7LmjELDys="}
WANTED: dict[str, Any] = {"version": "0.40.0", "chain_id": "test", "validators": [{"name": "a", "pub_key": KEY}]}


def test_check_real_check_real(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    wanted = {**WANTED, "path": str(path)}

    planned = run(cometbft_genesis.main, wanted, check=True)
    assert planned["changed"] is True
    assert planned["diff"] == {"before": "", "after": planned["genesis"]}
    assert list(tmp_path.iterdir()) == []

    made = run(cometbft_genesis.main, wanted)
    assert made["changed"] is True
    assert path.read_text("utf-8") == made["genesis"]
    assert made["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made["genesis_time"] == json.loads(made["genesis"])["genesis_time"]
    address = "E74FBE24164CFC4F88E311C3AC92E63D0DC310D8"
    assert made["validators"] == [{"name": "a", "address": address, "pub_key": KEY, "power": 10}]
    stamp = path.stat().st_mtime_ns

    for check in (True, False):
        again = run(cometbft_genesis.main, wanted, check=check)
        assert again["changed"] is False
        assert again["diff"]["before"] == again["diff"]["after"]
        assert {key: again[key] for key in ("genesis", "sha256", "genesis_time", "validators", "chain_id")} == {
            key: made[key] for key in ("genesis", "sha256", "genesis_time", "validators", "chain_id")
        }
        assert path.stat().st_mtime_ns == stamp


def test_without_a_place_it_is_only_returned(run: Run) -> None:
    wanted = {**WANTED, "genesis_time": "2026-01-01T12:00:00+01:00"}
    first, second = run(cometbft_genesis.main, wanted), run(cometbft_genesis.main, wanted, check=True)
    assert first["changed"] is second["changed"] is False
    assert first["sha256"] == second["sha256"]
    assert first["genesis_time"] == "2026-01-01T11:00:00Z"


def test_other_chain_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    run(cometbft_genesis.main, {**WANTED, "path": str(path)})
    before = path.read_bytes()
    wanted = {"chain_id": "other", "validators": [{"name": "a", "pub_key": OTHER, "power": 1}]}
    for check in (True, False):
        result = run(cometbft_genesis.main, {**WANTED, **wanted, "path": str(path)}, check=check)
        assert result["failed"] is True
        assert len(result["differences"]) == 2
        assert "chain_id: the live chain has test, asked is other" in result["msg"]
    assert path.read_bytes() == before


def test_keys_that_are_still_to_be_made(run: Run, tmp_path: Path) -> None:
    pending = {"name": "tm-0", "address": None, "pub_key": None}
    wanted = {**WANTED, "validators": [pending], "path": str(tmp_path / "genesis.json")}
    planned = run(cometbft_genesis.main, wanted, check=True)
    assert planned["changed"] is True
    assert (planned["genesis"], planned["sha256"], planned["genesis_time"]) == (None, None, None)
    assert planned["diff"]["after"] == "the genesis waits for the keys of tm-0\n"
    assert "validator tm-0: it has no pub_key" in run(cometbft_genesis.main, wanted)["msg"]


def test_all_options(run: Run) -> None:
    result = run(
        cometbft_genesis.main,
        {
            **WANTED,
            "version": "0.38.25",
            "initial_height": 7,
            "power": 3,
            "validators": [{"pub_key": KEY}, {"pub_key": OTHER, "power": 4}],
            "consensus_params": {"block": {"max_bytes": "1048576"}},
            "app_state": {"b": 1, "a": 2},
        },
    )
    document = json.loads(result["genesis"])
    assert document["initial_height"] == "7"
    assert [validator["power"] for validator in document["validators"]] == ["3", "4"]
    assert document["consensus_params"]["block"]["max_bytes"] == "1048576"
    assert "authority" not in document["consensus_params"]
    assert list(document["app_state"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"chain_id": "x" * 51, "version": "0.40.0"}, "chain_id: it has 51 bytes"),
        ({"path": "x", "namespace": "y"}, "mutually exclusive: namespace|path"),
        ({"validators": [{"pub_key": {"type": "x"}}]}, "missing required arguments: value"),
        ({"namespace": "net", "kubeconfig": "/none"}, "reading the kubeconfig /none: no such file"),
    ],
)
def test_refusal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(cometbft_genesis.main, {**WANTED, **arguments})
    assert result["failed"] is True
    assert said in result["msg"]
    assert list(tmp_path.iterdir()) == []
