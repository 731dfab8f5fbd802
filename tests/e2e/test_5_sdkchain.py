# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain of the Cosmos SDK, whose one program is application and node: the example, as its README says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from surroundings import User

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.long]
CHAIN = "sdkchain"
PHRASE = "abandon " * 11 + "about"
#: One validator with more power than the others.
CREATE = "make create ARGS='-e \"{cometbft_powers: {tm-0: 20}}\"'"


@pytest.fixture(scope="module")
def folder(clone: Path) -> Path:
    return clone / "examples" / CHAIN


def chaind(user: User, node: str, arguments: str) -> str:
    return user.kubectl(f"-n {CHAIN} exec {node} -c tm -- chaind {arguments} --home /tmp/purse").output


def coins(user: User, node: str, address: str) -> int:
    said = chaind(user, node, f"query bank balances {address} --output json")
    return int(json.loads(said)["balances"][0]["amount"])


def test_its_own_commands_make_the_genesis(user: User, folder: Path) -> None:
    run = user.run(CREATE, folder)
    assert run.changed
    user.agree(CHAIN)
    powers = [int(item["voting_power"]) for item in user.rpc("tm-0", "validators", CHAIN)["validators"]]
    assert sorted(powers) == [10, 10, 10, 20]
    assert user.get("jobs", CHAIN) == []
    assert json.loads(user.get("configmap tm-config", CHAIN)["data"]["genesis.json"])["app_name"] == "chaind"


def test_nothing_is_done_again(user: User, folder: Path) -> None:
    before = user.pods(CHAIN)
    assert user.run(CREATE, folder).changed == 0
    assert user.pods(CHAIN) == before
    assert "healthy" in user.run("make status", folder).output


def test_a_transfer_is_read_on_another_node(user: User) -> None:
    for name, index in (("alice", 0), ("bob", 1)):
        add = f"keys add {name} --recover --index {index} --keyring-backend test --home /tmp/purse"
        user.kubectl(f"-n {CHAIN} exec tm-0 -c tm -- sh -c 'echo {PHRASE} | chaind {add}'")
    shown = [chaind(user, "tm-0", f"keys show {name} -a --keyring-backend test") for name in ("alice", "bob")]
    bob = shown[1].strip()
    had = coins(user, "tm-1", bob)
    sent = chaind(
        user, "tm-0", f"tx bank send alice {bob} 10stake --chain-id {CHAIN} --keyring-backend test --yes --output json"
    )
    assert re.search(r'"code":0\b', sent)
    user.wait("bob has them", lambda: coins(user, "tm-1", bob) == had + 10)


def test_a_node_that_is_lost_comes_back(user: User, folder: Path) -> None:
    height = max(user.height(node, CHAIN) for node in user.nodes(CHAIN))
    user.lose_pods("tm-2", namespace=CHAIN)
    user.wait("all go on", lambda: all(user.height(node, CHAIN) > height for node in user.nodes(CHAIN)))
    user.agree(CHAIN)
    user.nobody_signed_twice(CHAIN)


def test_growth_restarts_nobody(user: User, folder: Path) -> None:
    """Who validates is the application's to say, so whoever joins is a full node."""
    before = user.pods(CHAIN)
    user.run(CREATE.replace("ARGS='", "ARGS='-e cometbft_nodes=5 "), folder)
    after = user.pods(CHAIN)
    assert {name: after[name] for name in before} == before
    user.agree(CHAIN)
    (budget,) = user.get("poddisruptionbudgets", CHAIN)
    assert budget["spec"]["minAvailable"] == 4


def test_a_new_chain(user: User, folder: Path) -> None:
    old = json.loads(user.get("configmap tm-config", CHAIN)["data"]["genesis.json"])
    user.run("make reset CONFIRM=yes", folder)
    user.agree(CHAIN)
    new = json.loads(user.get("configmap tm-config", CHAIN)["data"]["genesis.json"])
    assert new["genesis_time"] > old["genesis_time"]


def test_it_goes(user: User, folder: Path) -> None:
    user.run("make destroy CONFIRM=yes", folder)
