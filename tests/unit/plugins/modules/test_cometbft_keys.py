# SPDX-License-Identifier: GPL-3.0-or-later
"""The module through main(), with a real directory; a real Secret is in the end-to-end tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_keys

Run = Callable[..., dict[str, Any]]


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): f"{path.stat().st_mode:o} {path.stat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in root.rglob("*")
    }


def test_check_real_check_real(run: Run, tmp_path: Path) -> None:
    wanted = {"directory": str(tmp_path / "net"), "count": 3, "validators": 2}
    empty = tree(tmp_path)

    planned = run(cometbft_keys.main, wanted, check=True)
    assert planned["changed"] is True
    assert planned["would_create"] == ["tm-0", "tm-1", "tm-2"]
    assert planned["created"] == []
    assert [node["name"] for node in planned["nodes"]] == ["tm-0", "tm-1", "tm-2"]
    assert {node[member] for node in planned["nodes"] for member in ("address", "pub_key", "node_id")} == {None}
    assert tree(tmp_path) == empty

    made = run(cometbft_keys.main, wanted)
    assert made["changed"] is True
    assert made["created"] == ["tm-0", "tm-1", "tm-2"]
    assert "would_create" not in made
    after = tree(tmp_path)

    for check in (True, False):
        again = run(cometbft_keys.main, wanted, check=check)
        assert again["changed"] is False
        assert again["nodes"] == made["nodes"]
        assert again["created"] == []
        assert again.get("would_create", []) == []
        assert again["diff"]["before"] == again["diff"]["after"] == made["diff"]["after"]
        assert tree(tmp_path) == after


def test_result_is_what_the_files_hold(run: Run, tmp_path: Path) -> None:
    result = run(cometbft_keys.main, {"directory": str(tmp_path), "nodes": ["node0", "a"], "validators": 1})
    assert [(node["name"], node["validator"]) for node in result["nodes"]] == [("node0", True), ("a", False)]
    for node in result["nodes"]:
        written = json.loads((tmp_path / node["name"] / "config" / "priv_validator_key.json").read_text())
        assert (node["address"], node["pub_key"]) == (written["address"], written["pub_key"])
        assert len(node["node_id"]) == 40
    assert result["validators"] == [{key: result["nodes"][0][key] for key in ("name", "address", "pub_key")}]


def test_nothing_private_is_returned(run: Run, tmp_path: Path) -> None:
    result = json.dumps(run(cometbft_keys.main, {"directory": str(tmp_path), "count": 2}))
    for path in tmp_path.glob("*/config/*.json"):
        assert json.loads(path.read_text())["priv_key"]["value"][:20] not in result
    assert "priv" not in result


def test_growth_is_shown(run: Run, tmp_path: Path) -> None:
    first = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "group": "sentry"})
    planned = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 2, "group": "sentry"}, check=True)
    assert planned["nodes"][0] == first["nodes"][0]
    assert planned["would_create"] == ["sentry-1"]
    assert planned["diff"]["after"] == first["diff"]["after"] + "sentry-1: missing keys would be made\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"count": 1}, "one of the following is required: namespace, directory"),
        ({"directory": "x"}, "one of the following is required: count, nodes"),
        ({"directory": "x", "namespace": "y", "count": 1}, "mutually exclusive: namespace|directory"),
        ({"directory": "x", "count": 1, "nodes": ["a"]}, "mutually exclusive: count|nodes"),
        ({"directory": "x", "count": 0}, "count is 0, at least 1 is needed"),
        ({"directory": "x", "count": 2, "validators": 3}, "validators is 3, there are 2 nodes"),
        ({"directory": "x", "nodes": ["a", "b", "a"]}, "node a is there twice"),
        ({"directory": "x", "nodes": ["../a", "B"], "validators": -1}, "(3) validators is -1, there are 2 nodes"),
        ({"namespace": "net", "count": 1, "kubeconfig": "/none"}, "reading the kubeconfig /none: no such file"),
    ],
)
def test_refusal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(cometbft_keys.main, arguments)
    assert result["failed"] is True
    assert said in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_damage_fails_with_every_fault(run: Run, tmp_path: Path) -> None:
    run(cometbft_keys.main, {"directory": str(tmp_path), "count": 2})
    for name in ("tm-0", "tm-1"):
        (tmp_path / name / "config" / "node_key.json").write_text("{}")
    before = tree(tmp_path)
    result = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 3})
    assert len(result["faults"]) == 2
    assert "tm-1/config/node_key.json: priv_key: it is missing" in result["msg"]
    assert tree(tmp_path) == before


def test_nodes_of_several_groups_in_one_run(run: Run, tmp_path: Path) -> None:
    wanted = {"directory": str(tmp_path), "groups": {"tm": 2, "sentry": 1, "spare": 0}, "validators": 2}
    result = run(cometbft_keys.main, wanted)
    assert result["created"] == ["tm-0", "tm-1", "sentry-0"]
    assert [node["name"] for node in result["validators"]] == ["tm-0", "tm-1"]
    refused = run(cometbft_keys.main, {**wanted, "groups": {"tm": 2, "a_b": 1, "c": "x"}})
    assert "'a_b-0' is no name for a node" in refused["msg"]
    assert "groups.c is 'x', a number of nodes is needed" in refused["msg"]
