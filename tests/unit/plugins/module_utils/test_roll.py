# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are replaced, in which order, and when that may be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roll import (
    PEERS,
    REVISION,
    others_online,
    plan,
    quorum_without,
    redialling,
)

Json = dict[str, Any]


def node(name: str, **differs: Any) -> Json:
    usual = {
        "name": name,
        "power": 10,
        "answers": True,
        "catching_up": False,
        "age": 60,
        "outdated": False,
        "peers_missing": [],
        "dials": [],
        "peers": 3,
        "reason": "",
        "stopped": False,
        "pod": "Running",
    }
    return {**usual, **differs}


def network(*nodes: Json, ephemeral: bool = False) -> Json:
    total = sum(item["power"] for item in nodes)
    online = sum(item["power"] for item in nodes if item["answers"] and not item["catching_up"])
    return {
        "network": "mintnet",
        "nodes": list(nodes),
        "groups": [{"name": "tm", "ephemeral": ephemeral, "validators": 4}],
        "power": {"total": total, "online": online, "needed": total * 2 // 3 + 1},
    }


def mesh(names: list[str]) -> list[Json]:
    return [node(name, dials=[other for other in names if other != name]) for name in names]


def test_nothing_is_replaced_where_nothing_differs() -> None:
    found = plan(network(*(node(f"tm-{n}") for n in range(4))), REVISION)
    assert (found.order, found.halting, found.faults) == ([], [], [])


def test_order_is_what_costs_the_chain_least_first() -> None:
    nodes = [node(f"tm-{n}", outdated=True) for n in range(4)]
    nodes += [node("tm-4", outdated=True, power=0), node("tm-5", outdated=True, power=0), node("tm-6")]
    nodes[1]["answers"] = False
    assert plan(network(*nodes), REVISION).order == ["tm-1", "tm-5", "tm-4", "tm-3", "tm-2", "tm-0"]


def test_the_lightest_validator_goes_first() -> None:
    nodes = [node("tm-0", outdated=True, power=5), node("tm-1", outdated=True), node("tm-2", outdated=True, power=7)]
    assert plan(network(*nodes), REVISION).order == ["tm-0", "tm-2", "tm-1"]


def test_nodes_that_are_scaled_away_are_not_replaced() -> None:
    nodes = [node("tm-0"), node("tm-1", outdated=True, reason="scaled away")]
    assert plan(network(*nodes), REVISION).order == []


def test_nodes_of_a_network_that_is_stopped_are_not_replaced() -> None:
    nodes = [node(f"tm-{n}", stopped=True, pod="absent", answers=False) for n in range(4)]
    assert plan(network(*nodes), REVISION, ["tm"]).order == []


def test_a_pod_that_waits_comes_to_know_the_newest_template() -> None:
    nodes = [node("tm-0"), node("tm-1"), node("tm-2"), node("tm-3", stopped=True, outdated=True, answers=False)]
    found = plan(network(*nodes), REVISION)
    assert (found.order, found.halting) == (["tm-3"], [])


def test_beside_a_stopped_validator_the_next_one_halts_the_chain() -> None:
    nodes = [node(f"tm-{n}", outdated=True) for n in range(4)]
    nodes[3].update(stopped=True, answers=False)
    found = network(*nodes)
    assert plan(found, REVISION).halting == ["tm-2", "tm-1", "tm-0"]
    assert others_online(found, "tm-0")


def test_in_a_check_run_all_of_a_changing_group_would_be_replaced() -> None:
    nodes = [node("tm-0"), node("tm-1"), node("sentry-0", power=0)]
    assert plan(network(*nodes), REVISION, ["tm"]).order == ["tm-1", "tm-0"]


@pytest.mark.parametrize(("count", "halts"), [(1, True), (2, True), (3, True), (4, False), (7, False)])
def test_few_validators_halt_the_chain(count: int, halts: bool) -> None:
    nodes = [node(f"tm-{n}", outdated=True) for n in range(count)]
    assert bool(plan(network(*nodes), REVISION).halting) is halts


def test_only_the_heavy_validator_halts_the_chain() -> None:
    nodes = [node("tm-0", power=40, outdated=True), *(node(f"tm-{n}", outdated=True) for n in range(1, 9))]
    assert plan(network(*nodes), REVISION).halting == ["tm-0"]


def test_who_does_not_answer_halts_nothing() -> None:
    nodes = [node("tm-0", answers=False, outdated=True)]
    assert plan(network(*nodes), REVISION).halting == []


def test_validators_whose_data_goes_with_the_pod_are_not_replaced() -> None:
    nodes = [node(f"tm-{n}", outdated=True) for n in range(4)] + [node("tm-4", power=0, outdated=True)]
    faults = plan(network(*nodes, ephemeral=True), REVISION).faults
    assert [fault.split(" goes ")[0] for fault in faults] == [f"the data of tm-{n}" for n in (3, 2, 1, 0)]


# Peers


def cut(nodes: list[Json], first: str, second: str) -> None:
    for item in nodes:
        for one, other in ((first, second), (second, first)):
            if item["name"] == one:
                item["peers_missing"].append(other)


def test_no_link_is_missing() -> None:
    assert redialling(mesh(["tm-0", "tm-1", "tm-2"])) == []


def test_one_end_of_a_missing_link_dials_again() -> None:
    nodes = mesh(["tm-0", "tm-1", "tm-2", "tm-3"])
    cut(nodes, "tm-1", "tm-3")
    assert len(redialling(nodes)) == 1
    assert set(redialling(nodes)) <= {"tm-1", "tm-3"}


def test_a_node_that_lost_all_peers_is_the_one() -> None:
    nodes = mesh(["tm-0", "tm-1", "tm-2", "tm-3"])
    for other in ("tm-0", "tm-1", "tm-3"):
        cut(nodes, "tm-2", other)
    assert redialling(nodes) == ["tm-2"]
    assert plan(network(*nodes), PEERS).order == ["tm-2"]


def test_only_who_is_told_to_dial_helps() -> None:
    """A full node that joined dials the validators, which do not know of it."""
    nodes = [*mesh(["tm-0", "tm-1"]), node("tm-2", power=0, dials=["tm-0", "tm-1"])]
    cut(nodes, "tm-0", "tm-2")
    assert redialling(nodes) == ["tm-2"]


def test_a_silent_peer_is_no_lost_link() -> None:
    nodes = mesh(["tm-0", "tm-1"])
    nodes[0]["peers_missing"] = ["tm-1"]
    nodes[1]["answers"] = False
    assert redialling(nodes) == []


def test_a_node_that_has_just_started_still_dials() -> None:
    nodes = mesh(["tm-0", "tm-1"])
    cut(nodes, "tm-0", "tm-1")
    nodes[1]["age"] = 5
    assert redialling(nodes) == []


# When it may be


def test_the_quorum_holds_without_one_of_four() -> None:
    assert quorum_without(network(*(node(f"tm-{n}") for n in range(4))), "tm-0") == 0


def test_the_quorum_does_not_hold_without_a_second_one() -> None:
    nodes = [node(f"tm-{n}") for n in range(4)]
    nodes[3]["catching_up"] = True
    assert quorum_without(network(*nodes), "tm-0") == 7
    assert quorum_without(network(*nodes), "tm-3") == 0
    assert not others_online(network(*nodes), "tm-0")
    assert others_online(network(*nodes), "tm-3")


# --- groups ----------------------------------------------------------------------------------------------------------


def guarded(sentries: int, **differs: Any) -> Json:
    """Four validators that have no other peers than their sentries, a seed, and a full node of the first group."""
    guards = [f"sentry-{number}" for number in range(sentries)]
    hidden = {"dials": guards, "peers": sentries, **differs}
    nodes = [node(f"tm-{number}", **hidden) for number in range(4)]
    others = ["tm-4", *guards, "seed-0"]
    found = network(*nodes, *(node(name, power=0, **differs) for name in others))
    found["groups"] = [
        {"name": name, "ephemeral": False, "validators": 4 if name == "tm" else 0} for name in ("seed", "sentry", "tm")
    ]
    return found


def test_groups_go_one_after_the_other_and_validators_last() -> None:
    found = plan(guarded(2, outdated=True), REVISION)
    assert found.order == ["seed-0", "sentry-1", "sentry-0", "tm-4", "tm-3", "tm-2", "tm-1", "tm-0"]
    assert found.halting == []


def test_the_only_sentry_halts_the_chain_like_those_behind_it() -> None:
    alone = guarded(1, outdated=True)
    assert plan(alone, REVISION).halting == ["sentry-0"]
    assert quorum_without(alone, "sentry-0") == 27
    assert (quorum_without(alone, "seed-0"), quorum_without(guarded(2), "sentry-0")) == (0, 0)


def test_a_group_whose_template_changes_is_rolled_alone() -> None:
    assert plan(guarded(2), REVISION, changing=["sentry"]).order == ["sentry-1", "sentry-0"]
