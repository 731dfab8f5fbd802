# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of other kinds beside the first one: powers, types of keys, keys and geneses that exist, other versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from modules import module
from surroundings import User

KINDS = {"tm-1": "secp256k1", "tm-2": "ml_dsa_65", "tm-3": "secp256k1eth"}
POWERS = {"tm-0": 40, "tm-1": 30}
LARGE = 3 * 1024 * 1024


def write(user: User, name: str, **variables: Any) -> str:
    """A network file; gives make's argument for it."""
    path = user.home / f"{name}.yml"
    path.write_text(yaml.safe_dump({"cometbft_network": name, **variables}), encoding="utf-8")
    return f"NETWORK={path}"


def genesis(user: User, network: str) -> dict[str, Any]:
    return dict(json.loads(user.get("configmap tm-config", network)["data"]["genesis.json"]))


def stays_as_it_is(user: User, clone: Path, network: str, file: str) -> None:
    before = user.pods(network)
    assert user.run(f"make create {file}", clone).changed == 0
    assert user.pods(network) == before


def goes(user: User, clone: Path, network: str, file: str) -> None:
    user.run(f"make destroy {file} CONFIRM=yes", clone)
    assert f"namespace/{network}\n" not in user.kubectl("get namespaces -o name").output


@pytest.mark.long
def test_every_kind_of_key_with_its_own_power_and_a_large_genesis(user: User, clone: Path) -> None:
    """Each validator has a key of another type, one of them is brought; together they start from 3 MiB of genesis."""
    brought = user.home / "brought"
    (mine,) = module("cometbft_keys", directory=str(brought), nodes=["mine"])["nodes"]
    state = user.home / "state.json"
    state.write_text(json.dumps({"accounts": ["x" * 1000] * (LARGE // 1000)}), encoding="utf-8")
    files = {kind: str(brought / "mine" / "config" / f"{kind}.json") for kind in ("priv_validator_key", "node_key")}
    source = {"node": "tm-0", "validator_key_file": files["priv_validator_key"], "node_key_file": files["node_key"]}
    file = write(
        user,
        "kinds",
        cometbft_powers=POWERS,
        cometbft_key_types=KINDS,
        cometbft_key_sources=[source],
        cometbft_app_state_src=str(state),
    )
    user.run(f"make create {file}", clone)
    height = user.agree("kinds")
    validators = user.rpc("tm-0", "validators", "kinds")["validators"]
    assert sorted(int(item["voting_power"]) for item in validators) == [10, 10, 30, 40]
    assert len({item["pub_key"]["type"] for item in validators}) == 4
    assert user.rpc("tm-0", "status", "kinds")["validator_info"]["address"] == mine["address"]
    assert user.rpc("tm-0", "status", "kinds")["node_info"]["id"] == mine["node_id"]
    # Without the heaviest one the chain would halt, so none may be evicted.
    (budget,) = user.get("poddisruptionbudgets", "kinds")
    assert budget["spec"]["minAvailable"] == 4
    signatures = user.rpc("tm-0", f"commit?height={height}", "kinds")["signed_header"]["commit"]["signatures"]
    assert len({item["validator_address"] for item in signatures if item["signature"]}) >= 3
    head = user.get("configmap tm-config", "kinds")["data"]
    assert "genesis.json" not in head
    assert "genesis.parts" in head
    stays_as_it_is(user, clone, "kinds", file)
    other = write(user, "kinds", cometbft_powers={"tm-0": 50}, cometbft_key_types=KINDS)
    run = user.run(f"make create {other}", clone, code=1)
    assert "tm-0 power 40 (asked 50)" in run.output
    goes(user, clone, "kinds", file)


@pytest.mark.long
@pytest.mark.parametrize("version", ["0.38.25", "0.39.4"])
def test_older_versions_with_secp256k1(user: User, clone: Path, version: str) -> None:
    """The image of that version is built and brought to the machine because this network asks for it."""
    file = write(user, "older", cometbft_version=version, cometbft_key_type="secp256k1")
    user.run(f"make create {file}", clone)
    user.agree("older")
    assert {item["pub_key"]["type"] for item in genesis(user, "older")["validators"]} == {"tendermint/PubKeySecp256k1"}
    image = user.get("statefulset tm", "older")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"cometbft/cometbft:v{version}"
    assert user.rpc("tm-0", "status", "older")["node_info"]["version"].startswith(version)
    stays_as_it_is(user, clone, "older", file)
    goes(user, clone, "older", file)


@pytest.mark.long
def test_existing_genesis_is_taken_byte_for_byte(user: User, clone: Path) -> None:
    folder = user.home / "theirs"
    keys = module("cometbft_keys", directory=str(folder), group="tm", count=4)
    path = user.home / "theirs.json"
    made = module(
        "cometbft_genesis", path=str(path), chain_id="taken", version="0.40.0", validators=keys["validators"], power=7
    )
    sources = [
        {
            "node": node["name"],
            "validator_key_file": str(folder / node["name"] / "config" / "priv_validator_key.json"),
        }
        for node in keys["nodes"]
    ]
    wanted = {"cometbft_key_sources": sources, "cometbft_genesis_src": str(path), "cometbft_power": 7}
    file = write(user, "taken", **wanted)
    user.run(f"make create {file}", clone)
    user.agree("taken")
    assert user.get("configmap tm-config", "taken")["data"]["genesis.json"] == path.read_text(encoding="utf-8")
    assert made["sha256"] in user.get("configmap tm-started", "taken")["data"].values()
    stays_as_it_is(user, clone, "taken", file)
    goes(user, clone, "taken", file)


@pytest.mark.long
def test_regular_network_of_sixteen(user: User, clone: Path) -> None:
    file = write(
        user, "regular", cometbft_nodes=16, cometbft_topology={"kind": "regular", "degree": 4, "random_seed": 7}
    )
    user.run(f"make create {file}", clone)
    user.agree("regular")
    peers = {node: int(user.rpc(node, "net_info", "regular")["n_peers"]) for node in user.nodes("regular")}
    assert set(peers.values()) == {4}
    stays_as_it_is(user, clone, "regular", file)
    goes(user, clone, "regular", file)
