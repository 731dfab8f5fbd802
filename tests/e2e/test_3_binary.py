# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, genesis and configuration against CometBFT itself, both ways: theirs read by us, ours run by them.

The binaries are those that the role artifacts builds; MINTNET_TEST_COMETBFT_0_40, and so on, name others.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import tree
from ansible_collections.mintnet.kubernetes.plugins.module_utils import (
    _config,
    _config_nodes,
    _consensus_params,
    _genesis,
    _genesis_file,
    _genesis_parts,
    _key_ensure,
    _keys,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_places import FRESH_STATE, Directory
from modules import module

FIXTURES = tree.ROOT / "tests" / "unit" / "fixtures" / "cometbft"
VERSIONS = {"0.38": "0.38.25", "0.39": "0.39.4", "0.40": "0.40.0"}
VERSIONS_AT_HAND = ("0.40",)
"""What the other tests need anyway. Others take minutes to build."""
SAID = {"0.40.0": "0.39.0+v0.40.0"}
"""What the program says of itself, where it is not its version."""
BUILD = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [cometbft]
"""


@dataclass(frozen=True)
class Binary:
    path: Path
    version: str

    def run(self, *arguments: str) -> str:
        return subprocess.run([self.path, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module", params=VERSIONS)
def cometbft(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Binary:
    line: str = request.param
    named = os.environ.get(f"MINTNET_TEST_COMETBFT_{line.replace('.', '_')}")
    if named:
        return Binary(Path(named), VERSIONS[line])
    if not built(VERSIONS[line]):
        if line not in VERSIONS_AT_HAND and request.config.getoption("markexpr") == "not long":
            pytest.skip(f"CometBFT {VERSIONS[line]} is not built here; a long run builds it")
        book = tmp_path_factory.mktemp("build") / "play.yml"
        book.write_text(BUILD, encoding="utf-8")
        command = ["ansible-playbook", str(book), "-e", f"artifacts_cometbft_version={VERSIONS[line]}"]
        subprocess.run(command, cwd=tree.ROOT, check=True)
    (newest, *_older) = built(VERSIONS[line])
    return newest


def built(version: str) -> list[Binary]:
    """Those of this release in the cache, the newest first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mintnet" / "artifacts" / "cometbft"
    paths = sorted(cache.glob("*/cometbft"), key=lambda path: path.stat().st_mtime, reverse=True)
    binaries = [Binary(path, version) for path in paths]
    return [binary for binary in binaries if binary.run("version") == SAID.get(version, version)]


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def flat(document: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= flat(value, f"{path}{name}.") if isinstance(value, Mapping) else {path + name: value}
    return found


# --- theirs, read by us ----------------------------------------------------------------------------------------------


def test_what_the_unit_tests_compare_with_is_what_it_writes(cometbft: Binary, tmp_path: Path) -> None:
    cometbft.run("init", "--home", str(tmp_path))
    written = flat(tomllib.loads((tmp_path / "config" / "config.toml").read_text(encoding="utf-8")))
    kept = flat(tomllib.loads((FIXTURES / cometbft.version / "config.toml").read_text(encoding="utf-8")))
    own = {"version": "", "moniker": ""}  # of the build, and of this machine
    assert written | own == kept | own
    genesis = json.loads((tmp_path / "config" / "genesis.json").read_text(encoding="utf-8"))
    kept = json.loads((FIXTURES / cometbft.version / "genesis.json").read_text(encoding="utf-8"))
    chain = dict.fromkeys(("genesis_time", "chain_id", "validators"))
    assert genesis | chain == kept | chain
    assert list(genesis) == list(kept)


def test_its_key_files_are_written_byte_for_byte(cometbft: Binary, tmp_path: Path) -> None:
    cometbft.run("init", "--home", str(tmp_path))
    for kind in _keys.Kind:
        path = tmp_path / "config" / kind.value
        text = path.read_text(encoding="utf-8")
        key = _keys.PrivateKey.parse(json.loads(text)["priv_key"])
        assert kind.write(key) == text
        assert kind.read(text) == key.public


def test_its_testnet_is_taken_over_as_it_is(cometbft: Binary, tmp_path: Path) -> None:
    cometbft.run("testnet", "--v", "3", "--o", str(tmp_path))
    names = ["node0", "node1", "node2"]
    before = files(tmp_path)
    found = module("cometbft_keys", directory=str(tmp_path), nodes=names)
    assert found["changed"] is False
    assert files(tmp_path) == before
    genesis = json.loads((tmp_path / "node0" / "config" / "genesis.json").read_text(encoding="utf-8"))
    assert {node["address"] for node in found["nodes"]} == {v["address"] for v in genesis["validators"]}
    for node in found["nodes"]:
        home = str(tmp_path / node["name"])
        assert node["node_id"] == cometbft.run("show-node-id", "--home", home)
        assert node["pub_key"] == json.loads(cometbft.run("show-validator", "--home", home))

    # … and its genesis is known again as the same chain.
    again = module(
        "cometbft_genesis",
        path=str(tmp_path / "node0" / "config" / "genesis.json"),
        version=cometbft.version,
        chain_id=genesis["chain_id"],
        power=1,
        validators=found["validators"],
    )
    assert again["changed"] is False
    assert files(tmp_path) == before


def test_defaults_are_what_it_writes(cometbft: Binary, tmp_path: Path) -> None:
    """Ours of the line, of the binary at hand: no key more or less, but for what Kubernetes needs."""
    cometbft.run("init", "--home", str(tmp_path))
    written = flat(tomllib.loads((tmp_path / "config" / "config.toml").read_text(encoding="utf-8")))
    ours = flat(tomllib.loads(_config_nodes.build(_config_nodes.Wanted(cometbft.version)).basis.text()))
    needed = {f"{section}.{key}" for section, key in _config.KUBERNETES} | {"proxy_app"}
    # Two oddities of its template: a number in quotes, and a list behind a comment, on the comment's line.
    written["statesync.chunk_fetchers"] = int(written["statesync.chunk_fetchers"])
    written |= {} if cometbft.version == "0.38.25" else {"p2p.libp2p.bootstrap_peers": []}
    changed = {name for name in ours if ours[name] != written[name]}
    assert ours.keys() == written.keys() - {"version"}
    assert changed - {"moniker"} == needed


# --- ours, run by them -----------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Home:
    """A node of our making."""

    path: Path
    rpc: int
    keys: dict[str, Any]
    genesis: dict[str, Any]

    def answer(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rpc}/{path}", timeout=5) as response:
            return json.load(response)["result"]


@pytest.fixture
def home(cometbft: Binary, tmp_path: Path) -> Home:
    keys = module("cometbft_keys", directory=str(tmp_path), count=1)
    config = tmp_path / "tm-0" / "config"
    genesis = module(
        "cometbft_genesis",
        path=str(config / "genesis.json"),
        version=cometbft.version,
        chain_id="of our <making>",
        initial_height=7,
        validators=keys["validators"],
        consensus_params={"block": {"max_bytes": 1048576, "max_gas": 1000000}, "evidence": {"max_bytes": 1000}},
        app_state={"note": "<ä>"},
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
    return Home(config.parent, rpc, keys, genesis)


@contextmanager
def started(cometbft: Binary, home: Home) -> Iterator[None]:
    with (home.path / "log").open("wb") as log:
        process = subprocess.Popen([cometbft.path, "start", "--home", home.path], stdout=log, stderr=log)
    try:
        yield
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for(home: Home, height: int) -> dict[str, Any]:
    for _attempt in range(300):
        try:
            status: dict[str, Any] = home.answer("status")
        except OSError:
            status = {}
        if status and int(status["sync_info"]["latest_block_height"]) >= height:
            return status
        time.sleep(0.1)
    raise AssertionError((home.path / "log").read_text(encoding="utf-8")[-3000:])


def test_our_node_makes_blocks(cometbft: Binary, home: Home) -> None:
    (node,) = home.keys["nodes"]
    assert node["node_id"] == cometbft.run("show-node-id", "--home", str(home.path))
    assert node["pub_key"] == json.loads(cometbft.run("show-validator", "--home", str(home.path)))

    with started(cometbft, home):
        status = wait_for(home, 10)
        assert status["node_info"]["id"] == node["node_id"]
        assert status["node_info"]["network"] == "of our <making>"
        assert status["node_info"]["moniker"] == "me"
        assert status["validator_info"] == {
            "address": node["address"],
            "pub_key": node["pub_key"],
            "voting_power": "10",
        }
        assert status["sync_info"]["earliest_block_height"] == "7"
        served = home.answer("genesis")["genesis"]
        assert served == json.loads(home.genesis["genesis"])
        params = home.answer("consensus_params")["consensus_params"]
        assert params["block"] == {"max_bytes": "1048576", "max_gas": "1000000"}

    # It has signed: whatever we are asked now, its keys and its sign state stay.
    before = files(home.path)
    assert json.loads(before["data/priv_validator_state.json"][1])["height"] >= "10"
    assert module("cometbft_keys", directory=str(home.path.parent), count=1)["changed"] is False
    assert files(home.path) == before
    (home.path / "config" / "priv_validator_key.json").unlink()
    refused = module("cometbft_keys", directory=str(home.path.parent), count=1)
    assert "has signed up to height" in refused["msg"]
    assert not (home.path / "config" / "priv_validator_key.json").exists()


def test_what_we_refuse_it_refuses(cometbft: Binary, tmp_path: Path) -> None:
    """Each of these is refused by our module, so it is written past it."""
    home, genesis = lonely_node(cometbft, tmp_path)
    line = cometbft.version.rpartition(".")[0]
    (validator,) = genesis.validators

    def params(**groups: dict[str, Any]) -> _genesis.Genesis:
        return replace(genesis, params={name: genesis.params[name] | groups.get(name, {}) for name in genesis.params})

    def validators(*changes: dict[str, Any]) -> _genesis.Genesis:
        return replace(genesis, validators=tuple(replace(validator, **change) for change in changes))

    room = _consensus_params.BLOCK_OVERHEAD + _consensus_params.LINES[line].signature_bytes
    refused = {
        "chain_id in genesis doc is too long": replace(genesis, chain_id="x" * 51),
        "initial_height cannot be negative": replace(genesis, initial_height=-1),
        "validators with no voting power": validators({"power": 0}),
        "voting power can't be negative": validators({"power": -1}),
        "voting power can't be higher than": validators({"power": _genesis.MAX_TOTAL_POWER + 1}),
        "incorrect address for validator": validators({"address": "00" * 20}),
        "duplicate entry": validators({}, {}),
        "block.MaxBytes is too big": params(block={"max_bytes": _consensus_params.MAX_BLOCK_BYTES + 1}),
        "block.MaxBytes cannot be 0": params(block={"max_bytes": 0}),
        "block.MaxGas must be greater or equal to -1": params(block={"max_gas": -2}),
        "is greater than upper bound": params(block={"max_bytes": 9999}, evidence={"max_bytes": 10000}),
        "evidence.MaxAgeNumBlocks must be greater than 0": params(evidence={"max_age_num_blocks": 0}),
        "evidence.MaxAgeDuration must be": params(evidence={"max_age_duration": 0}),
        "VoteExtensionsEnableHeight cannot be negative": params(abci={"vote_extensions_enable_height": -1}),
        "len(Validator.PubKeyTypes) must be greater than 0": params(validator={"pub_key_types": []}),
        "is an unknown pubkey type": params(validator={"pub_key_types": ["sr25519"]}),
        "Negative MaxDataBytes": params(block={"max_bytes": room - 1}, evidence={"max_bytes": 0}),
    }
    wrong = {}
    for reason, document in refused.items():
        output = first_words(cometbft, home, document.text)
        if reason not in output:
            wrong[reason] = output[-600:]
    assert not wrong
    # The limits themselves hold.
    allowed = params(block={"max_bytes": room}, evidence={"max_bytes": 0})
    allowed = replace(allowed, chain_id="x" * 50, validators=(replace(validator, power=_genesis.MAX_TOTAL_POWER),))
    output = first_words(cometbft, home, allowed.text)
    assert "finalized block" in output, output[-3000:]


def lonely_node(cometbft: Binary, root: Path) -> tuple[Path, _genesis.Genesis]:
    """The home of a node that needs only a genesis file, and a genesis that it is the validator of."""
    (node,) = _key_ensure.ensure(Directory(root), _key_ensure.Wanted(["tm-0"]), dry_run=False).after
    home = root / "tm-0"
    line = cometbft.version.rpartition(".")[0]
    settings = {"rpc": {"laddr": f"tcp://127.0.0.1:{free_port()}"}, "p2p": {"laddr": "tcp://127.0.0.1:0"}}
    settings["instrumentation"] = {"prometheus_listen_addr": f"127.0.0.1:{free_port()}"}
    wanted = _config_nodes.Wanted(line, settings=settings, proxy_app="kvstore", block_time="100ms")
    config = _config_nodes.build(wanted).basis.text()
    (home / "config" / "config.toml").write_text(config.replace('moniker = ""', 'moniker = "me"'), encoding="utf-8")
    return home, _genesis.request(version=line, chain_id="test", validators=[node.public]).build()


def test_what_it_reads_we_take_and_what_not_we_refuse(cometbft: Binary, tmp_path: Path) -> None:
    """A genesis that others wrote, with the freedoms that CometBFT leaves them, and those that it does not."""
    home, genesis = lonely_node(cometbft, tmp_path)
    written = json.loads(genesis.text)

    def with_(**members: Any) -> str:
        return json.dumps({name: value for name, value in (written | members).items() if value is not ...})

    def params(group: str, **members: Any) -> dict[str, Any]:
        found: dict[str, Any] = written["consensus_params"]
        return found | {group: found[group] | members}

    (validator,) = written["validators"]
    read = {
        "other line ends": json.dumps(written, indent=3).replace("\n", "\r\n") + "\r\n",
        "no height": with_(initial_height=...),
        "height 0": with_(initial_height="0"),
        "height null": with_(initial_height=None),
        "no parameters": with_(consensus_params=...),
        "parameters null": with_(consensus_params=None),
        "no app_hash": with_(app_hash=...),
        "a member of somebody else": with_(notes={"a": 1}),
        "a group of somebody else": with_(consensus_params=written["consensus_params"] | {"feature": {"x": "1"}}),
        "no address": with_(validators=[{name: validator[name] for name in ("pub_key", "power", "name")}]),
        "address in small letters": with_(validators=[validator | {"address": validator["address"].lower()}]),
        "no name": with_(validators=[{name: validator[name] for name in ("pub_key", "power", "address")}]),
        "a fraction of a second": with_(genesis_time="2026-01-01T00:00:00.123456789Z"),
        "an app_state": with_(app_state={"b": [0.1, 1e300], "a": "<\u00e4>"}),
        "a parameter null": with_(consensus_params=params("abci", vote_extensions_enable_height=None)),
    }
    refused = {
        "no chain_id": with_(chain_id=...),
        "height without quotes": with_(initial_height=1),
        "height with a nought before it": with_(initial_height="01"),
        "height that is too large": with_(initial_height=str(2**63)),
        "power without quotes": with_(validators=[validator | {"power": 10}]),
        "no key": with_(validators=[validator | {"pub_key": None}]),
        "a key of no known type": with_(validators=[validator | {"pub_key": {"type": "x", "value": "AA=="}}]),
        "a time of a zone": with_(genesis_time="2026-01-01T00:00:00+00:00"),
        "a time with a blank": with_(genesis_time="2026-01-01 00:00:00Z"),
        "app_hash that is none": with_(app_hash="xyz"),
        "empty parameters": with_(consensus_params={}),
        "a duration in words": with_(consensus_params=params("evidence", max_age_duration="48h")),
        "parameters without quotes": with_(consensus_params=params("block", max_bytes=1000000)),
        "a parameter missing": with_(consensus_params=params("evidence", max_age_num_blocks=None)),
        "a comma too many": genesis.text.replace('"app_hash": ""', '"app_hash": "",'),
    }
    wrong = {}
    for name, text in (read | refused).items():
        try:
            taken = _genesis_file.existing(text, "a file", version=cometbft.version, chain_id="test").text or ""
        except MintnetError as error:
            taken = str(error)
        output = first_words(cometbft, home, text)
        if (taken == text, "finalized block" in output) != (name in read, name in read):
            wrong[name] = taken[-200:], output[-600:]
    assert not wrong


def test_large_genesis_reaches_a_node_in_parts(cometbft: Binary, home: Home, tmp_path: Path) -> None:
    """Three megabytes of app_state, by the script that lays out a pod's home."""
    source = tmp_path / "source.json"
    source.write_text(home.genesis["genesis"], encoding="utf-8")
    noise = base64.b64encode(random.Random(4).randbytes(2_300_000)).decode()
    large = module(
        "cometbft_genesis",
        src=str(source),
        sha256=home.genesis["sha256"],
        version=cometbft.version,
        chain_id=home.genesis["chain_id"],
        app_state_patch={"noise": noise, "note": None},
    )
    packed = _genesis_parts.pack("tm-config", large["genesis"])
    assert len(packed.parts) == 3
    pod, mounts = tmp_path / "pod", tmp_path / "mintnet"
    for folder in (pod / "config", pod / "data", *(mounts / name for name in ("keys", "genesis", "settings", "nodes"))):
        folder.mkdir(parents=True)
    for kind in _keys.Kind:
        shutil.copy(home.path / "config" / kind.value, mounts / "keys" / f"localhost.{kind.value}")
    config = (home.path / "config" / "config.toml").read_text(encoding="utf-8")
    (mounts / "settings" / "config.toml").write_text(config, encoding="utf-8")
    (mounts / "nodes" / "nodes").write_text("localhost me x validator - - -\n", encoding="utf-8")
    for name, content in packed.head.items():
        (mounts / "genesis" / name).write_text(content, encoding="utf-8")
    for name, piece in packed.parts.items():
        (mounts / "genesis" / name).write_bytes(piece)
    script = tree.ROOT / "roles" / "cometbft" / "files" / "tm-gen-validator.sh"
    variables = {"NODE": "localhost", "CMTHOME": str(pod), "MINTNET": str(mounts), "MESSAGE": str(pod / "message")}
    subprocess.run(["sh", script], env=os.environ | variables, check=True)
    assert hashlib.sha256((pod / "config" / "genesis.json").read_bytes()).hexdigest() == large["sha256"]
    node = replace(home, path=pod, genesis=large)
    with started(cometbft, node):
        assert wait_for(node, 8)["node_info"]["network"] == "of our <making>"


def first_words(cometbft: Binary, home: Path, genesis: str) -> str:
    """What a node says from its first start on, until it ends or makes a block."""
    (home / "config" / "genesis.json").write_text(genesis, encoding="utf-8")
    shutil.rmtree(home / "data")
    (home / "data").mkdir()
    (home / "data" / "priv_validator_state.json").write_text(FRESH_STATE, encoding="utf-8")
    command = [str(cometbft.path), "start", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output = ""
        for row in process.stdout or ():
            output += row
            if "finalized block" in row:
                process.terminate()
    return output
