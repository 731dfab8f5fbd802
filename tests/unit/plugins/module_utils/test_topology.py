# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is whose peer: each kind, what it refuses, and what holds for all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _topology
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._graph import components, diameter, regular
from ansible_collections.mintnet.kubernetes.plugins.module_utils._topology import Group, Topology, lay_out
from hypothesis import given, settings
from hypothesis import strategies as st


def names(count: int) -> list[str]:
    return [f"tm-{number}" for number in range(count)]


def laid_out(count: int, validators: int, **wanted: Any) -> Topology:
    return lay_out(names(count), names(validators), wanted)


def peers(topology: Topology) -> dict[str, list[str]]:
    return {name: place.persistent_peers for name, place in topology.places.items()}


def faults(count: int, validators: int, **wanted: Any) -> list[str]:
    with pytest.raises(FaultsError, match="laying out the topology") as error:
        laid_out(count, validators, **wanted)
    return error.value.faults


# --- each kind -------------------------------------------------------------------------------------------------------


def test_mesh() -> None:
    topology = laid_out(4, 3)
    assert peers(topology) == {
        "tm-0": ["tm-1", "tm-2"],
        "tm-1": ["tm-0", "tm-2"],
        "tm-2": ["tm-0", "tm-1"],
        "tm-3": ["tm-0", "tm-1", "tm-2"],
    }
    assert topology.figures == {
        "connected": True,
        "degree_min": 3,
        "degree_max": 3,
        "diameter": 1,
        "inbound_max": 1,
    }
    assert topology.places["tm-3"].unconditional_peers == ["tm-0", "tm-1", "tm-2"]
    assert topology.places["tm-3"].pex is None


def test_ring() -> None:
    topology = laid_out(7, 5, kind="ring")
    assert peers(topology)["tm-0"] == ["tm-1", "tm-4"]
    assert peers(topology)["tm-3"] == ["tm-2", "tm-4"]
    assert peers(topology)["tm-5"] == ["tm-0", "tm-4"]
    assert peers(topology)["tm-6"] == ["tm-1", "tm-5"]
    assert laid_out(8, 8, kind="ring").figures["diameter"] == 4
    assert peers(laid_out(8, 2, kind="ring", initial=8))["tm-0"] == ["tm-1", "tm-7"]


def test_star() -> None:
    topology = laid_out(5, 4, kind="star", center="tm-2")
    assert peers(topology) == {
        "tm-0": ["tm-2"],
        "tm-1": ["tm-2"],
        "tm-2": ["tm-0", "tm-1", "tm-3"],
        "tm-3": ["tm-2"],
        "tm-4": ["tm-2"],
    }
    assert (topology.degree_min, topology.degree_max, topology.diameter) == (1, 4, 2)
    assert peers(laid_out(3, 3, kind="star"))["tm-2"] == ["tm-0"]


def test_regular() -> None:
    topology = laid_out(16, 16, kind="regular", degree=4, random_seed=1)
    assert (topology.degree_min, topology.degree_max) == (4, 4)
    assert 2 <= topology.diameter <= 4
    assert laid_out(16, 16, kind="regular", degree=4, random_seed=2).places != topology.places
    assert laid_out(16, 16, kind="regular", degree=4).places == topology.places
    # 5 × 3 is odd: one has one more.
    odd = laid_out(5, 5, kind="regular", degree=3)
    assert sorted(len(found) for found in peers(odd).values()) == [3, 3, 3, 3, 4]
    assert laid_out(4, 4, kind="regular", degree=3).places == laid_out(4, 4).places


def test_who_joins_a_regular_network_dials_those_with_the_fewest_peers() -> None:
    topology = laid_out(64, 16, kind="regular", degree=4)
    assert all(len(peers(topology)[name]) == 4 for name in names(64))
    assert topology.degree_max <= 8
    assert topology.inbound_max <= 4


def test_seeds() -> None:
    topology = laid_out(6, 4, kind="seeds", seeds=["tm-4", "tm-0"])
    places = topology.places
    assert all(place.pex for place in places.values())
    assert places["tm-1"].seeds == ["tm-4", "tm-0"]
    assert places["tm-0"].seeds == ["tm-4"]
    # A seed that is a validator goes on gossiping; the other one keeps two peers to follow the chain.
    assert [name for name, place in places.items() if place.seed_mode] == ["tm-4"]
    assert peers(topology) == {name: ["tm-0", "tm-1"] if name == "tm-4" else [] for name in names(6)}
    # Validators are not told of each other, and may not crowd each other out.
    assert places["tm-1"].unconditional_peers == ["tm-0", "tm-2", "tm-3"]
    assert places["tm-5"].unconditional_peers == []
    assert laid_out(3, 3, kind="seeds").places["tm-2"].seeds == ["tm-0"]


def test_sentries() -> None:
    topology = laid_out(7, 2, kind="sentries", sentries={"tm-0": ["tm-2", "tm-3"], "tm-1": ["tm-4"]})
    places = topology.places
    assert peers(topology) == {
        "tm-0": ["tm-2", "tm-3"],
        "tm-1": ["tm-4"],
        "tm-2": ["tm-0", "tm-3", "tm-4"],
        "tm-3": ["tm-0", "tm-2", "tm-4"],
        "tm-4": ["tm-1", "tm-2", "tm-3"],
        "tm-5": ["tm-2", "tm-3", "tm-4"],
        "tm-6": ["tm-2", "tm-3", "tm-4"],
    }
    assert [name for name, place in places.items() if not place.pex] == ["tm-0", "tm-1"]
    assert {name: place.private_peers for name, place in places.items() if place.private_peers} == {
        "tm-2": ["tm-0"],
        "tm-3": ["tm-0"],
        "tm-4": ["tm-1"],
    }
    assert peers(laid_out(4, 2, kind="sentries"))["tm-1"] == ["tm-3"]


def test_list() -> None:
    edges = [["tm-1", "tm-0"], ["tm-1", "tm-2"], ["tm-3", "tm-0"]]
    topology = laid_out(4, 3, kind="list", edges=edges)
    assert peers(topology) == {"tm-0": ["tm-1"], "tm-1": ["tm-0", "tm-2"], "tm-2": ["tm-1"], "tm-3": ["tm-0"]}
    assert topology.diameter == 3


def test_none_and_one() -> None:
    assert lay_out([], [], {}).figures["diameter"] == 0
    assert laid_out(1, 1).figures["degree_max"] == 0
    assert laid_out(1, 1, kind="star").places["tm-0"].persistent_peers == []


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "wanted", "fault"),
    [
        (4, {"kind": "mash"}, "kind: 'mash' is none of mesh, ring,"),
        (4, {"kind": "mash"}, "; did you mean mesh?"),
        (4, {"kind": "ring", "degree": 3}, "degree: a ring does not take it; it belongs to regular"),
        (4, {"kind": "ring", "edgs": 3}, "edgs: a ring does not take it; there is none; did you mean edges?"),
        (4, {"kind": "ring", "initial": 5}, "initial: 5 is out of range, there are 1 to 4 nodes"),
        (4, {"kind": "ring", "initial": "x"}, "initial: 'x' is no whole number"),
        (4, {"kind": "regular"}, "degree: missing; must be the number of peers"),
        (4, {"kind": "regular", "degree": 4}, "degree: 4 does not suit 4 initial nodes, which may have 2 to 3 peers"),
        (4, {"kind": "regular", "degree": 1}, "degree: 1 does not suit"),
        (4, {"kind": "star", "center": "tm-44"}, "center: there is no node tm-44; did you mean tm-"),
        (4, {"kind": "seeds", "seeds": ["tm-9"]}, "seeds: there is no node tm-9"),
        (4, {"kind": "seeds", "seeds": []}, "seeds: none is named; without one nobody finds a peer"),
        (4, {"kind": "seeds", "seeds": "tm-0"}, "seeds: 'tm-0' is no list of nodes"),
        (7, {"kind": "sentries"}, "sentries: 4 validators need as many more nodes as their sentries, and there are 3"),
        (9, {"kind": "sentries", "sentries": 1}, "sentries: it takes lists of nodes by the name of their validator"),
        (4, {"kind": "list"}, "edges: missing; must be a list of pairs of nodes"),
        (4, {"kind": "list", "edges": ["ab"]}, "edges[0]: 'ab' is no pair of nodes"),
        (4, {"kind": "list", "edges": [["tm-0"]]}, "edges[0]: ['tm-0'] is no pair of nodes"),
        (4, {"kind": "list", "edges": [["tm-0", "tm-0"]]}, "edges[0]: tm-0 is no peer of itself"),
        (4, {"kind": "list", "edges": [["tm-0", "tm-7"]]}, "edges[0]: there is no node tm-7"),
        (1001, {}, "nodes: there are 1001, and a mesh is laid out for 1000 at most"),
    ],
)
def test_fault_is_the_only_one_and_named(count: int, wanted: dict[str, Any], fault: str) -> None:
    (found,) = faults(count, 4, **wanted)
    assert fault in found


def test_edge_that_is_there_twice() -> None:
    edges = [["tm-0", "tm-1"], ["tm-1", "tm-2"], ["tm-1", "tm-0"]]
    assert faults(3, 3, kind="list", edges=edges) == ["edges[2]: tm-1 and tm-0 are joined already"]


def test_every_fault_of_sentries_at_once() -> None:
    found = faults(6, 2, kind="sentries", sentries={"tm-0": ["tm-1", "tm-8"], "tm-3": ["tm-4"]})
    assert found == [
        "sentries.tm-1: missing; a validator without a sentry reaches nobody",
        "sentries.tm-0: there is no node tm-8; did you mean tm-5?",
        "sentries.tm-3: it is no validator; did you mean tm-1?",
    ]


def test_names_that_are_there_twice() -> None:
    with pytest.raises(FaultsError, match="nodes: tm-1 named more than once"):
        lay_out(["tm-0", "tm-1", "tm-1"], [], {})


def test_separate_networks_are_refused_by_name() -> None:
    edges = [["tm-0", "tm-1"], ["tm-2", "tm-3"], ["tm-3", "tm-4"]]
    (fault,) = faults(6, 6, kind="list", edges=edges)
    assert fault == (
        "edges: they leave 3 separate networks: (1) tm-2, tm-3, tm-4; (2) tm-0, tm-1; (3) tm-5; add edges between these"
    )
    (fault,) = faults(30, 30, kind="list", edges=[])
    assert "edges: they leave 30 separate networks" in fault
    assert fault.endswith("(8) tm-7; and 22 more; add edges between these")


# --- what holds for all ----------------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn) -> tuple[int, int, dict[str, Any]]:
    """Nodes, validators, and a topology that suits them."""
    validators = draw(st.integers(1, 12))
    count = draw(st.integers(validators, 30))
    kind = draw(st.sampled_from(list(_topology.KINDS)))
    wanted: dict[str, Any] = {"kind": kind}
    if kind in ("ring", "regular"):
        wanted["initial"] = draw(st.integers(min(3, count), count))
    if kind == "regular":
        initial = max(validators, wanted["initial"])
        if initial < 3:
            wanted = {"kind": "mesh"}
        else:
            wanted |= {"degree": draw(st.integers(2, initial - 1)), "random_seed": draw(st.integers())}
    if kind == "star":
        wanted["center"] = draw(st.sampled_from(names(count)))
    if kind == "seeds":
        wanted["seeds"] = draw(st.lists(st.sampled_from(names(count)), min_size=1, max_size=4, unique=True))
    if kind == "sentries":
        count = max(count, validators * 2)
    if kind == "list":
        # Each node hangs on one before it, and some hang on more.
        edges = {(draw(st.integers(0, number - 1)), number) for number in range(1, count)}
        edges |= draw(st.sets(st.tuples(st.integers(0, 5), st.integers(6, 20)).filter(lambda e: e[1] < count)))
        wanted["edges"] = [[f"tm-{one}", f"tm-{other}"] for one, other in sorted(edges)]
    return count, validators, wanted


@given(networks())
@settings(deadline=None, max_examples=150)
def test_everybody_is_reached_and_nobody_dials_itself_or_twice(network: tuple[int, int, dict[str, Any]]) -> None:
    count, validators, wanted = network
    topology = laid_out(count, validators, **wanted)
    assert list(topology.places) == names(count)
    assert topology.figures["connected"] is True
    assert topology.degree_min <= topology.degree_max < count
    assert topology.diameter < count
    links: dict[str, set[str]] = {name: set() for name in names(count)}
    for name, place in topology.places.items():
        for told in (place.persistent_peers, place.seeds, place.private_peers, place.unconditional_peers):
            assert len(told) == len(set(told))
            assert name not in told
        assert {*place.persistent_peers, *place.private_peers} <= set(place.unconditional_peers)
        for peer in (*place.persistent_peers, *place.seeds):
            links[name].add(peer)
            links[peer].add(name)
    reached = ["tm-0"]
    for name in reached:
        reached += sorted(links[name] - set(reached))
    assert set(reached) == set(names(count))
    assert laid_out(count, validators, **wanted).places == topology.places


@given(networks(), st.integers(1, 12))
@settings(deadline=None, max_examples=150)
def test_growing_changes_nothing_for_those_that_run(network: tuple[int, int, dict[str, Any]], more: int) -> None:
    count, validators, wanted = network
    before = laid_out(count, validators, **wanted).places
    if wanted["kind"] == "list":
        joining = [[f"tm-{number}", f"tm-{number - count}"] for number in range(count, count + more)]
        joining = [edge for edge in joining if int(edge[1][3:]) < int(edge[0][3:])]
        if len(joining) < more or count < more:
            return
        wanted = {**wanted, "edges": wanted["edges"] + joining}
    after = laid_out(count + more, validators, **wanted).places
    assert {name: after[name] for name in before} == before


@given(st.integers(3, 40), st.data())
@settings(deadline=None, max_examples=100)
def test_regular_graph_is_regular_and_connected(size: int, data: st.DataObject) -> None:
    degree = data.draw(st.integers(2, size - 1))
    graph = regular(size, degree, data.draw(st.integers()))
    degrees = sorted(len(found) for found in graph)
    odd = size * degree % 2
    assert degrees == [degree] * (size - odd) + [degree + 1] * odd
    assert len(components(graph)) == 1
    assert all(number in graph[peer] for number, found in enumerate(graph) for peer in found)


@given(st.integers(1, 25), st.data())
@settings(deadline=None, max_examples=100)
def test_diameter_is_that_of_the_slow_way(size: int, data: st.DataObject) -> None:
    graph: list[set[int]] = [set() for _number in range(size)]
    for number in range(1, size):
        peer = data.draw(st.integers(0, number - 1))
        graph[number].add(peer)
        graph[peer].add(number)
    far = 0
    for start in range(size):
        hops = {start: 0}
        queue = [start]
        while queue:
            number = queue.pop(0)
            for peer in graph[number] - hops.keys():
                hops[peer] = hops[number] + 1
                queue.append(peer)
        far = max(far, *hops.values())
    assert diameter(graph) == far


KNOWN = [[3, 4, 5], [2, 4, 7], [1, 5, 6], [0, 4, 7], [0, 1, 3], [0, 2, 6], [2, 5, 7], [1, 3, 6]]


def test_same_seed_gives_the_same_network_on_every_machine() -> None:
    """Known since it was first made; Python promises the numbers that it is made of."""
    assert [sorted(found) for found in regular(8, 3, 7)] == KNOWN
    root = Path(_topology.__file__).absolute().parents[5]
    program = f"from {regular.__module__} import regular; print([sorted(found) for found in regular(8, 3, 7)])"
    for seed in ("0", "1"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", program]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert output.strip() == str(KNOWN)


# --- groups ----------------------------------------------------------------------------------------------------------


def grouped(groups: dict[str, tuple[int, Group]], count: int = 4, validators: int = 4, **wanted: Any) -> Topology:
    nodes = names(count) + [f"{name}-{n}" for name, (size, _group) in groups.items() for n in range(size)]
    return lay_out(nodes, names(validators), wanted, {name: group for name, (_size, group) in groups.items()})


def test_guarded_validators_know_their_sentries_alone() -> None:
    groups = {"sentry": (2, Group("sentry", ["tm-0", "tm-1"])), "guard": (1, Group("sentry", ["tm-1", "tm-2"]))}
    topology = grouped(groups)
    assert peers(topology) == {
        "tm-0": ["sentry-0", "sentry-1"],
        "tm-1": ["sentry-0", "sentry-1", "guard-0"],
        "tm-2": ["guard-0"],
        # Nobody guards it, and whoever joins dials it.
        "tm-3": [],
        "sentry-0": ["tm-3", "tm-0", "tm-1"],
        "sentry-1": ["tm-3", "sentry-0", "tm-0", "tm-1"],
        "guard-0": ["tm-3", "sentry-0", "sentry-1", "tm-1", "tm-2"],
    }
    places = topology.places
    assert {name: place.private_peers for name, place in places.items() if place.private_peers} == {
        "sentry-0": ["tm-0", "tm-1"],
        "sentry-1": ["tm-0", "tm-1"],
        "guard-0": ["tm-1", "tm-2"],
    }
    assert set(places["sentry-1"].unconditional_peers) >= {"tm-0", "tm-1"}
    assert [places[name].pex for name in ("tm-0", "tm-3", "sentry-0")] == [False, None, True]


def test_seeds_tell_everybody_but_the_guarded() -> None:
    groups = {
        "sentry": (2, Group("sentry", names(4))),
        "seed": (2, Group("seed")),
        "archive": (1, Group()),
    }
    topology = grouped(groups, count=5)
    assert {name: place.seeds for name, place in topology.places.items()} == {
        **{name: [] for name in (*names(4), "sentry-0", "sentry-1")},
        **{name: ["seed-0", "seed-1"] for name in ("tm-4", "archive-0")},
        "seed-0": ["seed-1"],
        "seed-1": ["seed-0"],
    }
    # Whom a seed dials itself never dials it: it would hang up, and lose the chain.
    assert topology.places["seed-0"].persistent_peers == ["sentry-0", "sentry-1"]
    assert topology.places["sentry-1"].private_peers == [*names(4), "seed-0", "seed-1"]
    assert [name for name, place in topology.places.items() if place.seed_mode] == ["seed-0", "seed-1"]
    assert {name: (place.pex, place.seed_mode) for name, place in topology.groups.items()} == {
        **{"sentry": (True, False), "seed": (True, True), "archive": (True, False)}
    }


def test_a_group_that_grows_changes_nobody_else_s_peers() -> None:
    small = peers(grouped({"archive": (1, Group()), "spare": (2, Group())}, count=5))
    for groups, count in (
        ({"archive": (4, Group()), "spare": (2, Group())}, 5),
        ({"archive": (1, Group()), "spare": (2, Group())}, 8),
    ):
        large = peers(grouped(groups, count=count))
        assert {name: large[name] for name in small} == small


def test_other_kinds_are_laid_out_among_those_that_nobody_guards() -> None:
    groups = {"sentry": (3, Group("sentry", ["tm-0", "tm-1"])), "archive": (1, Group())}
    topology = grouped(groups, kind="star", center="sentry-1")
    assert peers(topology) == {
        **{name: ["sentry-0", "sentry-1", "sentry-2"] for name in ("tm-0", "tm-1")},
        # Whoever joins dials those before it.
        **{
            "tm-2": [],
            "tm-3": [],
            "sentry-0": ["tm-0", "tm-1"],
            "sentry-1": ["tm-2", "tm-3", "sentry-0", "tm-0", "tm-1"],
        },
        **{"sentry-2": ["sentry-1", "tm-0", "tm-1"], "archive-0": ["sentry-1"]},
    }


def test_groups_without_a_link_are_refused() -> None:
    groups = {"sentry": (1, Group("sentry", ["tm-0"]))}
    with pytest.raises(FaultsError) as error:
        grouped(groups, count=2, validators=2, kind="list", edges=[])
    assert error.value.faults == [
        "edges: they leave 2 separate networks: (1) tm-0, sentry-0; (2) tm-1; add edges between these"
    ]


@given(
    count=st.integers(1, 8),
    validators=st.integers(1, 6),
    sentries=st.integers(1, 3),
    seeds=st.integers(0, 2),
    full=st.integers(0, 2),
    guarded=st.sets(st.integers(0, 5)),
)
@settings(max_examples=60, deadline=None)
def test_no_guarded_validator_is_known_but_to_its_sentries(
    count: int, validators: int, sentries: int, seeds: int, full: int, guarded: set[int]
) -> None:
    validators = min(validators, count)
    hidden = [f"tm-{number}" for number in sorted(guarded) if number < validators] or ["tm-0"]
    groups = {
        "sentry": (sentries, Group("sentry", hidden)),
        "seed": (seeds, Group("seed")),
        "full": (full, Group()),
    }
    topology = grouped(groups, count=count, validators=validators)
    guards = [f"sentry-{number}" for number in range(sentries)]
    for name, place in topology.places.items():
        if name in hidden:
            assert (place.persistent_peers, place.seeds, place.pex) == (guards, [], False)
        elif name in guards:
            assert set(hidden) <= set(place.private_peers)
            assert set(hidden) <= set(place.unconditional_peers)
        else:
            assert not set(hidden) & {*place.persistent_peers, *place.seeds}
