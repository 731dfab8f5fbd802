# SPDX-License-Identifier: GPL-3.0-or-later
"""Validators behind sentries, with a seed for everybody else, and a group that comes later and goes again."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explained import Case, network, story
from surroundings import Run, User

pytestmark = pytest.mark.long
NAME = "guarded"
VALIDATORS = ["tm-0", "tm-1", "tm-2", "tm-3"]
SENTRIES = ["sentry-0", "sentry-1"]
SENTRY: dict[str, Any] = {"name": "sentry", "mode": "sentry", "nodes": 2, "guards": VALIDATORS}
SEED: dict[str, Any] = {"name": "seed", "mode": "seed"}
ARCHIVE: dict[str, Any] = {"name": "archive"}
LARGER: dict[str, Any] = {**SENTRY, "config": {"mempool": {"size": 4321}}}


class Net:
    """A network of four validators, two sentries and a seed in a namespace of its own."""

    def __init__(self, case: Case) -> None:
        self.case, self.user = case, case.user

    def create(self, *groups: dict[str, Any], code: int = 0, **variables: Any) -> Run:
        wanted = {"cometbft_block_time": "500ms", "cometbft_groups": list(groups), **variables}
        return self.case.create(code=code, **wanted)

    def make(self, verb: str, arguments: str = "", *, code: int = 0) -> Run:
        command = f"make {verb} NETWORK={self.user.home / NAME}.yml {arguments}"
        return self.user.run(command, self.case.clone, code=code)

    def peers(self, node: str) -> set[str]:
        return {peer["node_info"]["moniker"] for peer in self.user.rpc(node, "net_info", NAME)["peers"]}

    def is_guarded(self, node: str) -> bool:
        return self.peers(node) == set(SENTRIES)

    def config(self, node: str) -> dict[str, Any]:
        command = f"-n {NAME} exec -c tm {node} -- cat /cometbft/config/config.toml"
        return tomllib.loads(self.user.kubectl(command).output)

    def pods(self) -> dict[str, tuple[str, int]]:
        return self.user.pods(NAME)

    def height(self) -> int:
        return self.user.height("tm-0", NAME)


@pytest.fixture(scope="module")
def net(user: User, clone: Path, cluster: None) -> Iterator[Net]:
    with network(user, clone, NAME) as case:
        found = Net(case)
        run = found.create(SENTRY, SEED)
        user.note(f"four validators, two sentries and a seed: {run.seconds:.1f} s")
        yield found


def test_all_groups_make_the_same_blocks(net: Net) -> None:
    assert net.user.nodes(NAME) == sorted([*VALIDATORS, *SENTRIES, "seed-0"], key=lambda name: (len(name), name))
    net.user.agree(NAME)
    workloads = {item["metadata"]["name"]: item["spec"]["replicas"] for item in net.case.get("statefulsets")}
    assert workloads == {"tm": 4, "sentry": 2, "seed": 1}
    secrets = {item["metadata"]["name"]: set(item["data"]) for item in net.case.get("secrets")}
    assert {name.partition(".")[0] for name in secrets["sentry-keys"]} == set(SENTRIES)
    assert {name.partition(".")[0] for name in secrets["tm-keys"]} == set(VALIDATORS)
    status = net.make("status").output
    modes = dict(re.findall(r"^((?:tm|sentry|seed)-\d+) +(\w+) ", status, re.MULTILINE))
    assert modes == {
        **dict.fromkeys(VALIDATORS, "validator"),
        **dict.fromkeys(SENTRIES, "sentry"),
        "seed-0": "seed",
    }


def test_guarded_validators_have_their_sentries_as_peers_and_nobody_else(net: Net) -> None:
    for name in VALIDATORS:
        net.user.wait(f"{name} has both", functools.partial(net.is_guarded, name))
        p2p = net.config(name)["p2p"]
        assert not p2p["pex"]
        assert len(p2p["persistent_peers"].split(",")) == 2
    hidden = {net.user.rpc(name, "status", NAME)["node_info"]["id"] for name in VALIDATORS}
    net.user.wait("the seed has both", lambda: set(SENTRIES) <= net.peers("seed-0"))
    for name in SENTRIES:
        assert set(VALIDATORS) <= net.peers(name)
        p2p = net.config(name)["p2p"]
        assert hidden < set(p2p["private_peer_ids"].split(","))
        assert hidden <= set(p2p["unconditional_peer_ids"].split(","))
    seed = net.config("seed-0")["p2p"]
    assert seed["seed_mode"]
    assert not net.peers("seed-0") & set(VALIDATORS)
    policies = {item["metadata"]["name"] for item in net.case.get("networkpolicies")}
    assert policies == {"tm", *VALIDATORS}
    budgets = {item["metadata"]["name"]: item["spec"] for item in net.case.get("poddisruptionbudgets")}
    assert {name: spec.get("maxUnavailable") for name, spec in budgets.items()} == {"tm": None, "sentry": 1}


def test_second_create_changes_nothing(net: Net) -> None:
    before = net.user.objects(NAME), net.pods()
    run = net.create(SENTRY, SEED)
    assert run.changed == 0
    assert (net.user.objects(NAME), net.pods()) == before


def test_what_cannot_be_is_refused_all_at_once(net: Net) -> None:
    before = net.user.objects(NAME), net.pods()
    told = story(net.create(SENTRY, {**SEED, "nodes": -1}, {"name": "tm"}, code=1).output)
    for part in ("cometbft_groups[1].nodes = -1", "cometbft_groups[2].name = 'tm': in use"):
        assert part in told["why"]
    told = story(net.create({**SENTRY, "guards": ["tm-0", "tm-7"]}, SEED, code=1).output)
    assert "cometbft_groups.sentry.guards: there is no node tm-7" in told["why"]
    told = story(net.create(SENTRY, code=1).output)
    assert "it has the group seed of 1 nodes, which cometbft_groups does not name" in told["why"]
    assert (net.user.objects(NAME), net.pods()) == before


def test_sentries_are_rolled_one_by_one_and_nobody_else(net: Net) -> None:
    before, height = net.pods(), net.height()
    run = net.create(LARGER, SEED)
    assert run.output.index("sentry-1 is replaced") < run.output.index("sentry-0 is replaced")
    after = net.pods()
    assert {name for name in before if before[name] != after[name]} == set(SENTRIES)
    assert {net.config(name)["mempool"]["size"] for name in SENTRIES} == {4321}
    assert net.config("tm-0")["mempool"]["size"] != 4321
    assert net.user.agree(NAME) > height
    gap = net.user.longest_gap(height, NAME)
    net.user.note(f"longest block interval while two sentries were rolled: {gap:.1f} s")
    assert gap < 30
    assert net.create(LARGER, SEED).changed == 0


def test_chain_goes_on_without_a_sentry_and_stands_still_without_both(net: Net) -> None:
    assert "40 of 40 stay online without sentry-1" in net.make("stop", "NODE=sentry-1").output
    height = net.height()
    net.user.wait("the chain goes on", lambda: net.height() > height + 2)
    net.user.wait("it is away", lambda: net.peers("tm-0") == {"sentry-0"})
    run = net.make("stop", "NODE=sentry-0", code=1)
    assert "0 of 40 stay online without sentry-0" in run.output
    assert "CONFIRM=yes" in run.output
    net.make("start", "NODE=sentry-1")
    net.user.wait("it is back", lambda: net.is_guarded("tm-0"))
    net.user.agree(NAME)


def test_a_group_more_restarts_nobody(net: Net) -> None:
    before = net.pods()
    net.create(LARGER, SEED, ARCHIVE)
    after = net.pods()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"archive-0"}
    net.user.agree(NAME)
    assert not net.peers("archive-0") & set(VALIDATORS)
    assert "@seed-0:26656" in net.config("archive-0")["p2p"]["seeds"]
    assert net.create(LARGER, SEED, ARCHIVE).changed == 0


def test_nodes_of_a_group_leave_once_that_is_confirmed(net: Net) -> None:
    gone = {**ARCHIVE, "nodes": 0}
    before = net.pods()
    told = story(net.create(LARGER, SEED, gone, code=1).output)
    assert "confirm that archive-0 shall stop" in told["why"]
    assert net.pods() == before
    net.create(LARGER, SEED, gone, mintnet_confirm=True)
    net.user.wait("it is gone", lambda: "archive-0" not in net.pods())
    assert {name: before[name] for name in net.pods()} == net.pods()
    claims = {item["metadata"]["name"] for item in net.case.get("persistentvolumeclaims")}
    assert "data-archive-0" in claims
    # And then it need not be named any more.
    assert net.create(LARGER, SEED).changed == 0


def test_all_of_it_goes(net: Net) -> None:
    net.user.nobody_signed_twice(NAME)
    net.make("destroy", "CONFIRM=yes")
    assert f"namespace/{NAME}\n" not in net.user.kubectl("get namespaces -o name").output
    volumes = net.user.kubectl("get persistentvolumes -o custom-columns=C:.spec.claimRef.namespace").output
    assert NAME not in volumes.split()
