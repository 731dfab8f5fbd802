# SPDX-License-Identifier: GPL-3.0-or-later
"""config.toml against what `cometbft init` of each line writes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _config_keys
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config import KUBERNETES, PER_NODE
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_keys import Duration, defaults
from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_nodes import Wanted, build
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import nanoseconds

WRITTEN = Path(__file__).parents[2] / "fixtures" / "cometbft"
VERSIONS = ["0.38.25", "0.39.4", "0.40.0"]


def line(version: str) -> str:
    return version.rpartition(".")[0]


def flat(document: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= flat(value, f"{path}{name}.") if isinstance(value, Mapping) else {path + name: value}
    return found


def written(version: str) -> dict[str, Any]:
    """What init wrote, but for its own version, and with two oddities of its template put right."""
    found = flat(tomllib.loads((WRITTEN / version / "config.toml").read_text("utf-8")))
    del found["version"]
    found["statesync.chunk_fetchers"] = int(found["statesync.chunk_fetchers"])
    if version != "0.38.25":
        found["p2p.libp2p.bootstrap_peers"] = []  # stands behind a comment, on the comment's line
    return found


def text(settings: dict[str, Any] | None = None, version: str = "0.40.0", **more: Any) -> str:
    return build(Wanted(version=version, settings=settings or {}, **{"proxy_app": "kvstore"} | more)).basis.text()


def read(*arguments: Any, **more: Any) -> dict[str, Any]:
    return flat(tomllib.loads(text(*arguments, **more)))


def faults(settings: dict[str, Any], version: str = "0.40.0", **more: Any) -> list[str]:
    with pytest.raises(FaultsError) as error:
        text(settings, version, **more)
    return error.value.faults


@pytest.mark.parametrize("version", VERSIONS)
def test_defaults_are_those_of_cometbft(version: str) -> None:
    table = {
        f"{section}.{key}".lstrip("."): v
        for section, keys in defaults(line(version)).items()
        for key, v in keys.items()
    }
    assert table == written(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_durations_are_told_from_texts(version: str) -> None:
    """A text that Go reads as a duration is one, and no other text is."""
    for section, keys in defaults(line(version)).items():
        for key, value in keys.items():
            if isinstance(value, str):
                try:
                    nanoseconds(value)
                except ValueError:
                    assert not isinstance(value, Duration), (section, key)
                else:
                    assert isinstance(value, Duration), (section, key)


@pytest.mark.parametrize("version", VERSIONS)
def test_only_what_kubernetes_needs_differs(version: str) -> None:
    ours, theirs = read(version=version), written(version)
    changed = {name: value for name, value in ours.items() if theirs[name] != value}
    expected = {f"{section}.{key}": value for (section, key), (value, _reason) in KUBERNETES.items()}
    assert changed == expected | {"proxy_app": "kvstore"}
    assert ours.keys() == theirs.keys()


def test_what_kubernetes_needs_says_why() -> None:
    lines = text().splitlines()
    for (_section, key), (_value, reason) in KUBERNETES.items():
        position = lines.index(f"# {reason}")
        assert lines[position + 1].startswith(f"{key} = ")
    assert sum(row.startswith("#") for row in lines) == len(KUBERNETES)
    # What the user sets has the user's reasons.
    assert "# every node is told its peers" not in text({"p2p": {"pex": True}})


def test_what_differs_from_node_to_node_can_be_filled_in() -> None:
    rows = text().splitlines()
    for _section, key in PER_NODE:
        assert rows.count(f'{key} = ""') == 1
        assert sum(row.startswith(f"{key} ") for row in rows) == 1


def test_settings_are_laid_over() -> None:
    settings = {
        "log_level": "p2p:debug,*:error",
        "base": {"filter_peers": True},
        "rpc": {"cors_allowed_origins": ["*"], "timeout_broadcast_tx_commit": "1m"},
        "mempool": {"size": 7, "type": "nop", "keep-invalid-txs-in-cache": True},
        "p2p": {
            "max_num_inbound_peers": 500,
            "libp2p": {
                "enabled": True,
                "bootstrap_peers": [{"host": "tm-0:26656", "id": "12D3", "persistent": True}],
                "scaler": {"max_workers": 3, "overrides": []},
                "limits": {"mode": "custom"},
            },
        },
    }
    before, after = read(), read(settings)
    assert {name: value for name, value in after.items() if before[name] != value} == {
        "log_level": "p2p:debug,*:error",
        "filter_peers": True,
        "rpc.cors_allowed_origins": ["*"],
        "rpc.timeout_broadcast_tx_commit": "1m",
        "mempool.size": 7,
        "mempool.type": "nop",
        "mempool.keep-invalid-txs-in-cache": True,
        "p2p.max_num_inbound_peers": 500,
        "p2p.libp2p.enabled": True,
        "p2p.libp2p.bootstrap_peers": [{"host": "tm-0:26656", "id": "12D3", "persistent": True}],
        "p2p.libp2p.scaler.max_workers": 3,
        "p2p.libp2p.scaler.overrides": [],
        "p2p.libp2p.limits.mode": "custom",
    }


def test_block_time_and_app() -> None:
    assert read(block_time="5s")["consensus.timeout_commit"] == "5s"
    assert read(proxy_app="unix:///socks/app.sock")["proxy_app"] == "unix:///socks/app.sock"
    assert read({"consensus": {"timeout_commit": "2s"}}, block_time="5s")["consensus.timeout_commit"] == "2s"
    assert faults({}, block_time="5") == ["block_time: '5' is not a duration like 500ms, 10s or 1m30s"]


@pytest.mark.parametrize("value", ['a"b\\c', "\x00\x1f\x7f", "ä\u2028😀", "a\nb\t", "'''", "# no comment"])
def test_any_text_survives(value: str) -> None:
    assert read({"log_level": value})["log_level"] == value


def test_order_of_sections_is_that_of_cometbft() -> None:
    """In every process: the order of Python's sets differs from one to the next."""
    written_rows = (WRITTEN / "0.40.0" / "config.toml").read_text("utf-8").splitlines()
    expected = [row for row in written_rows if row.startswith("[") and not row.startswith("[[")]
    root = Path(_config_keys.__file__).absolute().parents[5]
    program = f"from {build.__module__} import Wanted, build; print(build(Wanted('0.40')).basis.text())"
    for seed in range(6):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", program]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert [row for row in output.splitlines() if row.startswith("[")] == expected


def test_same_settings_give_the_same_bytes() -> None:
    assert text({"rpc": {"unsafe": True}, "mempool": {"size": 1}}) == text(
        {"mempool": {"size": 1}, "rpc": {"unsafe": True}}
    )


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"consensus": {"timeout_comit": "1s"}},
            "consensus.timeout_comit: CometBFT 0.40 has no such key or section; did you mean timeout",
        ),
        ({"mempool": {"timeout_commit": "1s"}}, "section; did you mean consensus.timeout_commit?"),
        ({"timeout_commit": "1s"}, "did you mean consensus.timeout_commit?"),
        ({"max_open_connections": 1}, "did you mean rpc.max_open_connections or instrumentation.max_open_connections?"),
        ({"mempol": {"size": 1}}, "mempol: CometBFT 0.40 has no such key or section; did you mean mempool?"),
        ({"bse": {}}, "did you mean base?"),
        ({"pexx": True}, "did you mean pex?"),
        ({"qqqqqq": 1}, "qqqqqq: CometBFT 0.40 has no such key or section"),
        ({"version": "0.40.0"}, "version: CometBFT 0.40 has no such key or section; did you mean blocksync.version?"),
        ({"base": 5}, "base: it takes keys with values"),
        ({"mempool": 5}, "mempool: it is a section and takes keys with values"),
        ({"mempool": {"size": "5"}}, "mempool.size: '5' is no whole number"),
        ({"mempool": {"size": True}}, "mempool.size: True is no whole number"),
        ({"mempool": {"size": 1.5}}, "mempool.size: 1.5 is no whole number"),
        ({"mempool": {"size": None}}, "mempool.size: None is no whole number"),
        ({"mempool": {"size": -1}}, "mempool.size: -1 is out of range"),
        ({"mempool": {"size": 2**63}}, f"mempool.size: {2**63} is out of range"),
        ({"mempool": {"size": {"a": 1}}}, "mempool.size: {'a': 1} is no whole number"),
        ({"mempool": {"recheck": "true"}}, "mempool.recheck: 'true' is neither true nor false"),
        ({"mempool": {"recheck": 1}}, "mempool.recheck: 1 is neither true nor false"),
        ({"mempool": {"type": "apps"}}, "mempool.type: 'apps' is unknown, allowed: flood, nop, app; did you mean app?"),
        ({"log_format": "xml"}, "log_format: 'xml' is unknown, allowed: plain, json"),
        ({"log_level": 5}, "log_level: 5 is no text"),
        ({"p2p": {"seeds": ["a", "b"]}}, "p2p.seeds: ['a', 'b'] is no text (join its items with commas)"),
        ({"rpc": {"cors_allowed_origins": "*"}}, "rpc.cors_allowed_origins: '*' is no list of texts"),
        ({"rpc": {"cors_allowed_origins": [1]}}, "rpc.cors_allowed_origins: [1] is no list of texts"),
        ({"consensus": {"timeout_commit": 5}}, "consensus.timeout_commit: 5 is no duration; write it with its unit"),
        ({"consensus": {"timeout_commit": "5"}}, "consensus.timeout_commit: '5' is not a duration"),
        ({"consensus": {"timeout_commit": "-1s"}}, "consensus.timeout_commit: -1s is negative"),
        ({"moniker": "me"}, "moniker: it differs from node to node"),
        ({"p2p": {"persistent_peers": "a@b:1"}}, "p2p.persistent_peers: it differs from node to node"),
        ({"p2p": {"external_address": "a:1"}}, "p2p.external_address: it differs from node to node"),
        ({"p2p": {"libp2p": {"enable": True}}}, "section; did you mean enabled?"),
        ({"p2p": {"libp2p": {"bootstrap_peers": "x"}}}, "bootstrap_peers: it takes a list of items with host, id"),
        (
            {"p2p": {"libp2p": {"bootstrap_peers": [{"hots": "x"}]}}},
            "[0].hots: there is no such key; did you mean host?",
        ),
        ({"p2p": {"libp2p": {"bootstrap_peers": [{"private": "x"}]}}}, "bootstrap_peers[0].private: 'x' is neither"),
        (
            {"p2p": {"libp2p": {"scaler": {"overrides": [{"threshold_latency": 1}]}}}},
            "[0].threshold_latency: 1 is no dur",
        ),
    ],
)
def test_fault_is_the_only_one_and_named(settings: dict[str, Any], fault: str) -> None:
    (found,) = faults(settings)
    assert fault in found


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"p2p": {"libp2p": {"enabled": True}}}, "p2p.libp2p: CometBFT 0.38 does not know it, 0.39 and 0.40 know it"),
        ({"mempool": {"seen_cache_size": 5}}, "mempool.seen_cache_size: CometBFT 0.38 does not know it, 0.39 and 0.40"),
        ({"mempool": {"type": "app"}}, "mempool.type: 'app' is unknown, allowed: flood, nop"),
    ],
)
def test_what_other_lines_know(settings: dict[str, Any], fault: str) -> None:
    (found,) = faults(settings, "0.38.25")
    assert found.startswith(fault)
    for version in ("0.39.4", "0.40.0"):
        text(settings, version)


def test_all_faults_in_one_message() -> None:
    found = faults({"a1b2": 1, "rpc": {"unsafe": "x"}, "consensus": {"timeout_commit": 1}}, block_time="x")
    assert len(found) == 4


def test_unknown_version() -> None:
    with pytest.raises(FaultsError, match=r"version 1\.0\.1 is not supported: choose one of 0\.38, 0\.39, 0\.40"):
        text(version="1.0.1")


def test_tables_are_never_shared() -> None:
    before = _config_keys.defaults("0.40")
    _config_keys.defaults("0.40")["rpc"]["laddr"] = "x"
    assert _config_keys.defaults("0.40") == before
