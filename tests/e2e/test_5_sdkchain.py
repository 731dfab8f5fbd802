# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain of the Cosmos SDK, whose one program is application and node: the example, as its README says."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from readme import arguments, blocks, in_pod
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
    assert powers(user) == [10, 10, 10, 20]
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


def powers(user: User) -> list[int]:
    return sorted(int(item["voting_power"]) for item in user.rpc("tm-0", "validators", CHAIN)["validators"])


def test_commands_of_its_readme(user: User, clone: Path, folder: Path) -> None:
    """In a shell of a node's pod, each block's; what only shows something comes when there is something to show."""
    _creation, (shell, *lines), command, delegation = blocks(clone, CHAIN)
    lines = [line.partition("  #")[0].strip() for line in lines]
    settings, (*sending, balances) = lines[:1], lines[1:]

    def run(*commands: str) -> str:
        # Nothing of what bash reads is left to them.
        return in_pod(user, shell, ["{", *settings, *commands, "} </dev/null"])

    (bob,) = set(re.findall(r"cosmos1\w{38}", "".join(command)))
    had = coins(user, "tm-1", bob)
    run(*sending)
    user.wait("bob has them", lambda: coins(user, "tm-1", bob) == had + 1000)
    assert f'amount: "{had + 1000}"' in run(balances.replace("$BOB", bob))
    user.kubectl(arguments("".join(line.removesuffix("\\") for line in command)))
    user.wait("bob has them twice", lambda: coins(user, "tm-1", bob) == had + 2000)

    before = powers(user)
    listing, delegate = delegation
    operators = re.findall(r"^cosmosvaloper1\w+", run(listing), re.MULTILINE)
    assert len(operators) == len(before)
    run(delegate.replace("cosmosvaloper1…", operators[0]))
    user.wait("its power is five more", lambda: sum(powers(user)) == sum(before) + 5)


def test_a_node_that_is_lost_comes_back(user: User, folder: Path) -> None:
    nodes = user.nodes(CHAIN)
    height = max(user.height(node, CHAIN) for node in nodes)
    user.lose_pods("tm-2", namespace=CHAIN)
    user.wait("all go on", lambda: all(user.height(node, CHAIN) > height for node in nodes))
    user.agree(CHAIN)
    user.nobody_signed_twice(CHAIN)


def test_growth_restarts_nobody(user: User, folder: Path) -> None:
    """Who validates is the application's to say, so whoever joins is a full node. It begins with a snapshot."""
    before = user.pods(CHAIN)
    user.wait("there is a snapshot", lambda: user.height("tm-0", CHAIN) > 25)
    user.run(CREATE.replace("ARGS='", "ARGS='-e cometbft_nodes=5 "), folder)
    after = user.pods(CHAIN)
    assert {name: after[name] for name in before} == before
    user.agree(CHAIN)
    earliest = int(user.rpc("tm-4", "status", CHAIN)["sync_info"]["earliest_block_height"])
    assert earliest % 20 == 1
    assert earliest > 20
    # Its state is the others', and with these blocks it comes back.
    user.lose_pods("tm-4", namespace=CHAIN)
    user.wait("tm-4 is back", lambda: user.agree(CHAIN) > earliest)
    assert int(user.rpc("tm-4", "status", CHAIN)["sync_info"]["earliest_block_height"]) == earliest
    (budget,) = user.get("poddisruptionbudgets", CHAIN)
    assert budget["spec"]["minAvailable"] == 4


def test_a_new_chain(user: User, folder: Path) -> None:
    old = json.loads(user.get("configmap tm-config", CHAIN)["data"]["genesis.json"])
    user.run("make reset CONFIRM=yes", folder)
    user.agree(CHAIN)
    new = json.loads(user.get("configmap tm-config", CHAIN)["data"]["genesis.json"])
    assert new["genesis_time"] > old["genesis_time"]


def test_a_genesis_that_exists(user: User, folder: Path) -> None:
    """As somebody hands it on, with its sum; the keys that it names stay. A wrong sum ends nothing that lives."""
    text = user.get("configmap tm-config", CHAIN)["data"]["genesis.json"]
    file = user.home / "sdkchain.json"
    file.write_text(text, encoding="utf-8")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    given = f"-e cometbft_keep_keys=true -e cometbft_genesis_script= -e cometbft_genesis_src={file}"
    reset = f"make reset CONFIRM=yes ARGS='{given} -e cometbft_genesis_sha256=%s'"
    before = user.pods(CHAIN)
    refused = user.run(reset % ("0" * 64), folder, code=1)
    assert f"its SHA-256 is {sha256}" in " ".join(refused.output.split())
    assert user.pods(CHAIN) == before
    user.run(reset % sha256, folder)
    user.agree(CHAIN)
    assert user.pods(CHAIN).keys() == before.keys()
    assert not user.pods(CHAIN).items() & before.items()
    assert hashlib.sha256(user.get("configmap tm-config", CHAIN)["data"]["genesis.json"].encode()).hexdigest() == sha256
    assert user.rpc("tm-0", "genesis", CHAIN)["genesis"]["genesis_time"] == json.loads(text)["genesis_time"]


def test_it_goes(user: User, folder: Path) -> None:
    user.run("make destroy CONFIRM=yes", folder)
