# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
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


def test_nodes_with_their_peers_and_files(run: Run) -> None:
    wanted: dict[str, Any] = {
        "version": "0.38.25",
        "nodes": ["tm-0", "tm-1", "tm-2", "tm-3"],
        "validators": ["tm-0", "tm-1", "tm-2"],
        "topology": {"kind": "star", "center": "tm-1"},
        "group_settings": {"tm": {"mempool": {"size": 7}}},
        "node_settings": {"tm-3": {"log_level": "debug", "mempool": {"wal_dir": "x"}}},
    }
    result = run(cometbft_config.main, wanted)
    assert {name: node["persistent_peers"] for name, node in result["nodes"].items()} == {
        "tm-0": ["tm-1"],
        "tm-1": ["tm-0", "tm-2"],
        "tm-2": ["tm-1"],
        "tm-3": ["tm-1"],
    }
    assert result["nodes"]["tm-0"]["unconditional_peers"] == ["tm-1", "tm-2"]
    assert result["nodes"]["tm-3"]["overlay"] == 'log_level = "debug"\n\n[mempool]\nwal_dir = "x"\n'
    assert result["graph"] == {"connected": True, "degree_min": 1, "degree_max": 3, "diameter": 2, "inbound_max": 1}
    assert [file["nodes"] for file in result["files"]] == [["tm-0", "tm-1", "tm-2"], ["tm-3"]]
    for file in result["files"]:
        assert file["sha256"] == hashlib.sha256(file["config"].encode()).hexdigest()
        assert {result["nodes"][name]["sha256"] for name in file["nodes"]} == {file["sha256"]}
    assert result["groups"]["tm"] == {name: result["files"][0][name] for name in ("config", "sha256")}
    assert tomllib.loads(result["config"])["mempool"]["size"] == 5000
    assert result["changed"] is False
    assert "node_settings.tm-3.mempool.wal_dir has no effect" in str(result["warnings"])
    again = run(cometbft_config.main, wanted, check=True)
    assert {name: again[name] for name in ("nodes", "files")} == {name: result[name] for name in ("nodes", "files")}


def test_separate_networks_are_refused(run: Run) -> None:
    edges = [["tm-0", "tm-1"], ["tm-2", "tm-3"]]
    wanted = {"version": "0.40", "nodes": [f"tm-{n}" for n in range(4)], "topology": {"kind": "list", "edges": edges}}
    assert run(cometbft_config.main, wanted)["faults"] == [
        "topology.edges: they leave 2 separate networks: (1) tm-0, tm-1; (2) tm-2, tm-3; add edges between these"
    ]


def test_unknown_kind_is_refused(run: Run) -> None:
    assert "one of: mesh" in run(cometbft_config.main, {"version": "0.40", "topology": {"kind": "mash"}})["msg"]


def examples() -> list[dict[str, Any]]:
    return [task["mintnet.kubernetes.cometbft_config"] for task in yaml.safe_load(cometbft_config.EXAMPLES)]


@pytest.mark.parametrize("wanted", examples())
def test_examples_of_the_documentation(run: Run, wanted: dict[str, Any]) -> None:
    result = run(cometbft_config.main, wanted)
    assert result["config"]
    assert list(result["nodes"]) == wanted.get("nodes", [])


def test_documentation_and_arguments_are_one_truth() -> None:
    documented = yaml.safe_load(cometbft_config.DOCUMENTATION)["options"]
    taken = cometbft_config.SPEC["argument_spec"]
    pairs = [(documented, taken), (documented["topology"]["suboptions"], taken["topology"]["options"])]
    for described, spec in pairs:
        assert {
            name: {key: option.get(key) for key in ("type", "default", "elements", "choices", "required")}
            for name, option in described.items()
        } == {
            name: {key: option.get(key) for key in ("type", "default", "elements", "choices", "required")}
            for name, option in spec.items()
        }
