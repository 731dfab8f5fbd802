# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of every type against CometBFT itself: it reads ours, makes blocks with them, and gives us its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tree
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_types, _keys
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_keys, cometbft_keys_info
from modules import module
from test_3_binary import Binary, Home, cometbft, files, free_port, started, wait_for

__all__ = ["cometbft"]  # the fixture

TYPES = {kind.name: kind for kind in _key_types.KEY_TYPES}


def line(binary: Binary) -> str:
    return binary.version.rpartition(".")[0]


@pytest.mark.parametrize("name", TYPES)
def test_it_reads_our_key_or_neither_of_us_does(cometbft: Binary, tmp_path: Path, name: str) -> None:
    wanted: dict[str, Any] = {"directory": str(tmp_path), "count": 1, "key_type": name}
    if _key_types.line_fault(TYPES[name], line(cometbft)):
        refused = module("cometbft_keys", **wanted, version=cometbft.version)
        assert f"CometBFT {line(cometbft)} does not know keys of type {name}" in refused["msg"]
        made = module("cometbft_keys", **wanted)
        with pytest.raises(subprocess.CalledProcessError):
            cometbft.run("show-validator", "--home", str(tmp_path / "tm-0"))
        return
    made = module("cometbft_keys", **wanted, version=cometbft.version)
    (node,) = made["nodes"]
    home = str(tmp_path / "tm-0")
    assert node["pub_key"] == json.loads(cometbft.run("show-validator", "--home", home))
    assert node["node_id"] == cometbft.run("show-node-id", "--home", home)


@pytest.mark.parametrize("name", TYPES)
def test_it_makes_blocks_with_our_key(cometbft: Binary, tmp_path: Path, name: str) -> None:
    if _key_types.line_fault(TYPES[name], line(cometbft)):
        pytest.skip(f"CometBFT {line(cometbft)} does not know this type")
    keys = module("cometbft_keys", directory=str(tmp_path), count=1, key_type=name, version=cometbft.version)
    config = tmp_path / "tm-0" / "config"
    genesis = module(
        "cometbft_genesis",
        path=str(config / "genesis.json"),
        version=cometbft.version,
        chain_id=name,
        validators=keys["validators"],
        consensus_params={"validator": {"pub_key_types": [name]}},
    )
    rpc = free_port()
    rendered = module(
        "cometbft_config",
        version=cometbft.version,
        block_time="100ms",
        proxy_app="kvstore",
        settings={
            "rpc": {"laddr": f"tcp://127.0.0.1:{rpc}"},
            "p2p": {"laddr": "tcp://127.0.0.1:0"},
            "instrumentation": {"prometheus_listen_addr": f"127.0.0.1:{free_port()}"},
        },
    )
    (config / "config.toml").write_text(rendered["config"].replace('moniker = ""', 'moniker = "me"'), encoding="utf-8")
    home = Home(config.parent, rpc, keys, genesis)
    with started(cometbft, home):
        status = wait_for(home, 3)
        (node,) = keys["nodes"]
        # Its own address of the key, so that ours is right, too.
        assert status["validator_info"]["address"] == node["address"]
        assert status["validator_info"]["pub_key"] == node["pub_key"]
        (validator,) = home.answer("validators?height=2")["validators"]
        assert (validator["address"], validator["pub_key"]) == (node["address"], node["pub_key"])


def test_its_keys_are_brought_byte_for_byte(cometbft: Binary, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    cometbft.run("init", "--home", str(theirs))
    brought = {f"{option}_file": str(theirs / "config" / kind.value) for kind, option in OPTIONS.items()}
    wanted: dict[str, Any] = {"directory": str(tmp_path / "ours"), "count": 2, "sources": [{"node": "tm-1", **brought}]}
    made = module("cometbft_keys", **wanted)
    assert made["created"] == ["tm-0", "tm-1"]
    for kind in _keys.Kind:
        name = f"config/{kind.value}"
        assert (tmp_path / "ours" / "tm-1" / name).read_bytes() == (theirs / name).read_bytes()
    state = "data/priv_validator_state.json"
    assert (tmp_path / "ours" / "tm-1" / state).read_bytes() == (theirs / state).read_bytes()
    assert made["nodes"][1]["node_id"] == cometbft.run("show-node-id", "--home", str(theirs))
    before = files(tmp_path)
    assert module("cometbft_keys", **wanted)["changed"] is False
    assert files(tmp_path) == before


OPTIONS = {_keys.Kind.VALIDATOR: "validator_key", _keys.Kind.NODE: "node_key"}


def test_its_public_key_is_taken_as_it_prints_it(cometbft: Binary, tmp_path: Path) -> None:
    cometbft.run("init", "--home", str(tmp_path / "signer"))
    printed = cometbft.run("show-validator", "--home", str(tmp_path / "signer"))
    source = {"node": "tm-0", "pub_key": printed}
    made = module("cometbft_keys", directory=str(tmp_path / "ours"), count=1, sources=[source])
    theirs = json.loads((tmp_path / "signer" / "config" / "priv_validator_key.json").read_text(encoding="utf-8"))
    assert (made["nodes"][0]["address"], made["nodes"][0]["pub_key"]) == (theirs["address"], theirs["pub_key"])


def test_its_testnet_is_shown(cometbft: Binary, tmp_path: Path) -> None:
    hosts = {"node0": "192.0.2.1", "node1": "example.org"}
    cometbft.run("testnet", "--v", "2", "--o", str(tmp_path), "--hostname", "192.0.2.1", "--hostname", "example.org")
    before = files(tmp_path)
    info = module("cometbft_keys_info", directory=str(tmp_path), hosts=hosts)
    assert files(tmp_path) == before
    # It writes all peers into every node's configuration.
    peers = ",".join(node["peer"] for node in info["nodes"])
    assert f'persistent_peers = "{peers}"' in (tmp_path / "node0" / "config" / "config.toml").read_text(
        encoding="utf-8"
    )


def test_examples_of_the_documentation(tmp_path: Path) -> None:
    """Those with files, as they stand and in their order; those of a cluster are what the role does."""
    module("cometbft_keys", directory=str(tmp_path / "hers"), nodes=["alice"])
    (tmp_path / "alice").symlink_to(tmp_path / "hers" / "alice" / "config")
    examples = [*yaml.safe_load(cometbft_keys.EXAMPLES), *yaml.safe_load(cometbft_keys_info.EXAMPLES)]
    tasks = [task for task in examples if "namespace" not in str(task) and "mintnet.kubernetes" in str(task)]
    assert len(tasks) == 7
    assert "ok=7 changed=6" in recap(tmp_path, tasks)
    # What was made from a seed, and then made anew for one node, is not made from the seed again.
    lasting = [task for task in tasks if "reproducible" not in str(task)]
    assert "ok=5 changed=0" in recap(tmp_path, lasting)


def recap(folder: Path, tasks: list[dict[str, Any]]) -> str:
    book = folder / "book.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    environment = {**os.environ, "HOME": str(folder), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    command = ["ansible-playbook", str(book), "-e", f"ansible_python_interpreter={sys.executable}"]
    run = subprocess.run(command, cwd=tree.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return re.sub(" +", " ", run.stdout.strip().splitlines()[-1])
