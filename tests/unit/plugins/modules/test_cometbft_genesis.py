# SPDX-License-Identifier: GPL-3.0-or-later
"""The module through main(), with a real file; a real ConfigMap is in the end-to-end tests."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
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
        ({"sha256": "0" * 64}, "sha256: there is no src that it could belong to"),
        ({"src": "none.json"}, "taking the genesis of none.json: No such file or directory"),
        ({"src": "https://example.org/genesis.json"}, "sha256: it is needed with a URL"),
        ({"app_state_src": "none.json"}, "reading the app_state none.json: No such file or directory"),
        ({"genesis_time": "2999-01-01T00:00:00Z"}, "at most 90 are allowed"),
        ({"validators": []}, "validators: at least one is needed"),
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


TIME = "2026-01-01T12:00:00Z"
STATE = '{"accounts": {"mallory": 1, "alice": 2}}'


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, {}),
        ({"genesis_time": TIME}, {"genesis_time": TIME}),
        ({"initial_height": 5}, {"initial_height": "5"}),
        ({"power": 7}, {"power": "7"}),
        ({"version": "0.38"}, {"max_bytes": "22020096"}),
        ({"consensus_params": {"block": {"max_gas": 3}}}, {"max_gas": "3"}),
        ({"app_state": {"a": 1}}, {"app_state": {"a": 1}}),
        ({"app_state": {"a": 1, "b": 2}, "app_state_patch": {"a": None}}, {"app_state": {"b": 2}}),
        ({"app_state_patch": {"a": 1}}, {"app_state": {"a": 1}}),
        ({"app_state_src": "state.json"}, {"app_state": json.loads(STATE)}),
        (
            {"app_state_src": "state.json", "app_state_patch": {"accounts": {"mallory": None}}},
            {"app_state": {"accounts": {"alice": 2}}},
        ),
        ({"src": "theirs.json", "validators": []}, {"chain_id": "test", "genesis_time": TIME}),
        ({"src": "theirs.json", "app_state_patch": {"b": 2}}, {"app_state": {"a": 1, "b": 2}, "genesis_time": TIME}),
    ],
    ids=str,
)
def test_every_option_check_real_check_real(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], written: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state.json").write_text(STATE)
    theirs = run(cometbft_genesis.main, {**WANTED, "genesis_time": TIME, "app_state": {"a": 1}})["genesis"]
    (tmp_path / "theirs.json").write_text(theirs)
    path = tmp_path / "genesis.json"
    wanted = {**WANTED, **options, "path": str(path)}

    def look() -> dict[str, tuple[int, bytes]]:
        return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in tmp_path.iterdir()}

    before = look()
    planned = run(cometbft_genesis.main, wanted, check=True)
    assert planned["changed"] is True
    assert look() == before
    made = run(cometbft_genesis.main, wanted)
    assert made["changed"] is True
    assert path.read_text("utf-8") == made["genesis"] == made["diff"]["after"]
    document = json.loads(made["genesis"])
    flat = {**document["validators"][0], **document["consensus_params"]["block"], **document}
    assert {name: flat[name] for name in written} == written
    if "src" in options and "app_state_patch" not in options:
        assert made["genesis"] == theirs
    after = look()
    for check in (True, False):
        again = run(cometbft_genesis.main, wanted, check=check)
        assert (again["changed"], again["sha256"]) == (False, made["sha256"])
        assert look() == after


def test_genesis_of_others_is_held_against_what_is_asked(run: Run, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.json"
    made = run(cometbft_genesis.main, {**WANTED, "path": str(theirs)})
    taken = {**WANTED, "src": str(theirs), "path": str(tmp_path / "genesis.json")}
    for wanted, said in (
        ({"chain_id": "other"}, "chain_id: the source has test, asked is other"),
        ({"initial_height": 2}, "initial_height: the source has 1, asked is 2"),
        ({"power": 1}, "has power 10, asked is 1"),
        ({"sha256": "0" * 64}, f"its SHA-256 is {made['sha256']}, asked is 000"),
        ({"app_state": {"a": 1}, "app_state_src": str(theirs)}, "app_state_src: there is an app_state as well"),
    ):
        result = run(cometbft_genesis.main, {**taken, **wanted})
        assert result["failed"] is True
        assert said in result["msg"]
    assert list(tmp_path.iterdir()) == [theirs]
    assert run(cometbft_genesis.main, {**taken, "sha256": made["sha256"]})["changed"] is True


def test_what_the_network_would_wait_for_is_said(run: Run) -> None:
    now = datetime.datetime.now(datetime.UTC)

    def ahead(**span: int) -> dict[str, Any]:
        time = (now + datetime.timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return run(cometbft_genesis.main, {**WANTED, "genesis_time": time})

    soon = ahead(days=3, hours=4, minutes=2)
    assert abs(soon["starts_in"] - (76 * 3600 + 120)) < 60
    assert "nodes that start now sleep for 3 d 4 h, without an answer" in str(soon["warnings"])
    assert "sleep for 1 h 59 min" in str(ahead(hours=2)["warnings"])
    # Those of all runs of this process are in the result.
    past = ahead(hours=-1)
    assert past["starts_in"] == 0
    assert past["genesis_time"] not in str(past.get("warnings"))


def test_examples_are_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as it stands, but without a cluster; what a variable holds is what the example before returned."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app_state.json").write_text(STATE)
    registered: dict[str, Any] = {"{{ keys.validators }}": WANTED["validators"]}
    results = []
    for example in yaml.safe_load(cometbft_genesis.EXAMPLES):
        arguments = example.get("mintnet.kubernetes.cometbft_genesis")
        if not arguments:
            continue
        arguments = {name: registered.get(str(value), value) for name, value in arguments.items()}
        arguments.pop("namespace", None)
        result = run(cometbft_genesis.main, arguments)
        assert "failed" not in result, result
        results.append(result)
        if "register" in example:
            registered[f"{{{{ {example['register']}.sha256 }}}}"] = result["sha256"]
    _first, made, state, taken = results
    assert (tmp_path / "genesis.json").read_text() == made["genesis"]
    assert json.loads(state["genesis"])["app_state"] == {"accounts": {"alice": 2, "carol": 5}}
    assert taken["genesis"] == (tmp_path / "taken.json").read_text() == made["genesis"]
    assert taken["sha256"] == made["sha256"]
