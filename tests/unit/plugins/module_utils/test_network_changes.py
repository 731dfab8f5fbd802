# SPDX-License-Identifier: GPL-3.0-or-later
"""What may change on a network that lives, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import digest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._changes import Wanted, compare, min_available
from ansible_collections.mintnet.kubernetes.plugins.module_utils._quantity import quantity, times

Json = dict[str, Any]

ASKED: Json = {
    "network": "mintnet",
    "chain_id": "mintnet",
    "nodes": 4,
    "validators": 4,
    "power": 10,
    "volume_size": "2Gi",
}
LIVE: Json = {
    "custody": "secret",
    "namespace": {"exists": True, "made": True, "phase": "Active"},
    "groups": [
        {
            "name": "tm",
            "replicas": 4,
            "nodes": 4,
            "stopped": 0,
            "ephemeral": False,
            "volume_size": "2Gi",
            "storage_class": "mintnet-local",
        }
    ],
    "genesis": {
        "chain_id": "mintnet",
        "genesis_time": "2026-01-01T00:00:00Z",
        "initial_height": 1,
        "consensus_params": {
            "block": {"max_bytes": "1048576", "max_gas": "-1"},
            "validator": {"pub_key_types": ["ed25519"]},
        },
        "app_state_sha256": digest({"a": 1}),
        "validators": [{"name": f"tm-{n}", "address": f"A{n}", "power": 10} for n in range(4)],
    },
    "power": {"total": 40, "needed": 27},
    "stopped": [],
    "nodes": [{"name": f"tm-{n}", "power": 10, "answers": True} for n in range(4)],
}
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]
NOTHING: Json = {
    "custody": None,
    "namespace": {"exists": False, "made": False, "phase": None},
    "groups": [],
    "genesis": None,
    "power": {"total": 0, "needed": 1},
    "stopped": [],
    "nodes": [],
}


def live(**group: Any) -> Json:
    network = copy.deepcopy(LIVE)
    network["groups"][0].update(group)
    return network


def asked(**other: Any) -> Wanted:
    return Wanted(**{**ASKED, **other})


def faults(network: Json, **other: Any) -> list[str]:
    found = compare(network, asked(**other))["faults"]
    assert isinstance(found, list)
    return found


def test_nothing_stands_in_the_way_of_a_first_network() -> None:
    assert compare(NOTHING, asked()) == {
        "faults": [],
        "notes": [],
        "groups": {"tm": 4},
        "nodes": NODES,
        "validators": 4,
    }


def stopped(*names: str, **group: Any) -> Json:
    network = live(**group)
    network["stopped"] = list(names)
    for node in network["nodes"]:
        node["answers"] = node["name"] not in names and bool(network["groups"][0]["replicas"])
    return network


def test_a_network_that_was_stopped_is_started_again() -> None:
    found = compare(stopped(replicas=0, stopped=4), asked())
    assert (found["groups"]["tm"], found["faults"]) == (4, [])
    assert found["notes"] == ["it was stopped by make stop, with 4 nodes: it is started again"]


def test_it_has_as_many_nodes_as_before_the_stop() -> None:
    """Also where somebody else had scaled it."""
    found = compare(stopped(replicas=0, stopped=5), asked())
    assert (found["groups"]["tm"], found["faults"]) == (5, [])
    assert "was scaled to 5 nodes by somebody else: kept" in found["notes"][0]


@pytest.mark.parametrize("confirmed", [False, True])
def test_nobody_leaves_while_it_is_not_known_who_votes(confirmed: bool) -> None:
    (fault,) = faults(stopped(replicas=0, stopped=6, nodes=6), confirmed=confirmed)
    assert fault.startswith("it is stopped, with 6 nodes, and cometbft_nodes is 4: start it first (make start), ")


def test_single_nodes_stay_stopped() -> None:
    found = compare(stopped("tm-3"), asked())
    assert (found["faults"], found["notes"]) == ([], ["tm-3 stays stopped, until make start starts it"])


@pytest.mark.parametrize("group", [{}, {"replicas": 0, "stopped": 4}])
def test_stopped_nodes_that_the_chain_needs_are_refused(group: Json) -> None:
    assert faults(stopped("tm-2", "tm-3", **group)) == [
        "without what make stop has stopped (tm-2, tm-3) 20 of 40 power is left, and 27 is needed for a block: start "
        "that first (make start)"
    ]


def test_the_same_again() -> None:
    assert compare(live(), asked()) == {"faults": [], "notes": [], "groups": {"tm": 4}, "nodes": NODES, "validators": 4}


def test_validators_that_the_application_names_stay_as_many() -> None:
    network = live(validators=4)
    network["genesis"]["validators"] = []
    grown = compare(network, asked(nodes=6, validators=6))
    assert (grown["faults"], grown["groups"]["tm"], grown["validators"]) == ([], 6, 4)
    assert grown["notes"] == ["the genesis has 4 validators; further nodes join as full nodes: tm-4, tm-5"]
    (fault,) = faults(network, nodes=4, validators=3)
    assert fault.startswith("its genesis has 4 validators, cometbft_validators is 3")
    network["groups"] = []
    assert compare(network, asked(nodes=6, validators=6))["validators"] == 6, "a run that was killed before its pods"


def test_what_fits_over_grpc_stays() -> None:
    assert faults(live(), block_bytes=1048576) == []
    network = live()
    network["genesis"]["consensus_params"] = {}
    assert "and over gRPC a node takes at most 4128768" in faults(network, block_bytes=4128768)[0]


def test_keys_never_move() -> None:
    (fault,) = faults(live(), custody="pod")
    assert fault == (
        "its keys lie in the Secret tm-keys, cometbft_custody is pod: a key never moves; set cometbft_custody=secret, "
        "or start a new chain with reset"
    )
    network = {**live(), "custody": "pod"}
    assert faults(network, custody="pod") == []
    (fault,) = faults(network)
    assert fault.startswith("its keys lie on the volumes of its pods, cometbft_custody is secret: ")
    assert faults(NOTHING, custody="pod") == []


def test_a_namespace_that_goes() -> None:
    network = live()
    network["namespace"]["phase"] = "Terminating"
    assert faults(network) == ["the namespace mintnet is still being deleted: run again when it is gone"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"chain_id": "other"}, "it runs the chain mintnet, cometbft_chain_id is other: "),
        ({"nodes": 6, "validators": 3}, "its genesis has 4 validators, cometbft_validators is 3 (cometbft_nodes 6): "),
        ({"nodes": 7, "validators": 5}, "its genesis has 4 validators, cometbft_validators is 5: a genesis does not "),
        (
            {"power": 7},
            "its genesis gives tm-0 power 10 (asked 7), tm-1 power 10 (asked 7), tm-2 power 10 (asked 7) and 1 more, ",
        ),
        (
            {"powers": {"tm-2": 7}},
            "its genesis gives tm-2 power 10 (asked 7), which cometbft_power and cometbft_powers ",
        ),
        ({"genesis_time": "2026-01-02T00:00:00Z"}, "its genesis time is 2026-01-01T00:00:00Z, cometbft_genesis_time "),
        ({"initial_height": 5}, "its initial height is 1, cometbft_initial_height is 5: "),
        (
            {"consensus_params": {"block": {"max_gas": 100}}},
            "its genesis has block.max_gas = -1, cometbft_consensus_params says 100: ",
        ),
        ({"consensus_params": {"nonsense": {"a": 1}}}, "its genesis has nonsense.a = None, "),
        (
            {"block_bytes": 1048575},
            "its genesis has block.max_bytes = 1048576, and over gRPC a node takes at most 1048575",
        ),
        ({"app_state": {"a": 2}}, "its genesis has another app_state than cometbft_app_state: "),
        ({"ephemeral": True}, "its data is kept on claims, cometbft_ephemeral is true: "),
        ({"volume_size": "3Gi"}, "its volumes have 2Gi, cometbft_volume_size is 3Gi: "),
        ({"storage_class": "fast"}, "its storage class is mintnet-local, cometbft_storage_class is fast: "),
    ],
)
def test_what_would_destroy_the_chain_is_refused(other: Json, said: str) -> None:
    (fault,) = faults(live(), **other)
    assert fault.startswith(said)


def test_every_fault_is_told_at_once() -> None:
    assert len(faults(live(), chain_id="other", power=7, volume_size="3Gi")) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"genesis_time": "2026-01-01T01:00:00+01:00"},
        {"consensus_params": {"block": {"max_bytes": 1048576}, "validator": {"pub_key_types": ["ed25519"]}}},
        {"app_state": {"a": 1}},
        {"volume_size": "2048Mi"},
        {"storage_class": "mintnet-local"},
    ],
)
def test_the_same_written_otherwise(other: Json) -> None:
    assert faults(live(), **other) == []


def test_an_ephemeral_network_has_no_size() -> None:
    network = live(ephemeral=True, volume_size=None, storage_class=None)
    assert faults(network, ephemeral=True, volume_size="9Gi") == []
    assert faults(network) == [
        "its data is ephemeral, cometbft_ephemeral is false: volumes of a StatefulSet that exists cannot change: keep "
        "it, or choose another cometbft_network"
    ]


def test_more_nodes_join_as_full_nodes() -> None:
    changes = compare(live(), asked(nodes=6, validators=6))
    assert (changes["faults"], changes["groups"]["tm"], changes["validators"]) == ([], 6, 4)
    assert changes["notes"] == ["the genesis has 4 validators; further nodes join as full nodes: tm-4, tm-5"]
    assert compare(live(), asked(nodes=6))["notes"] == []


def test_what_kubectl_scale_did_is_kept_and_named() -> None:
    changes = compare(live(replicas=6), asked())
    assert (changes["faults"], changes["groups"]["tm"]) == ([], 6)
    assert changes["notes"][0].startswith("the StatefulSet tm was scaled to 6 nodes by somebody else: kept ")
    assert compare(live(replicas=6), asked(confirmed=True))["groups"]["tm"] == 4
    assert compare(live(replicas=6), asked(nodes=6))["notes"] == []
    (fault,) = faults(live(replicas=6), nodes=5)
    assert fault.startswith("the StatefulSet tm was scaled to 6 nodes by somebody else, the last run gave it 4, ")


def test_full_nodes_leave_only_when_confirmed() -> None:
    network = live(replicas=6, nodes=6)
    (fault,) = faults(network, nodes=5)
    assert fault.startswith(
        "it runs 6 nodes, cometbft_nodes is 5: set cometbft_nodes=6, or confirm that tm-5 shall stop"
    )
    assert compare(network, asked(nodes=5, confirmed=True))["groups"]["tm"] == 5


def test_a_promoted_node_does_not_leave_even_when_confirmed() -> None:
    network = live(replicas=5, nodes=5)
    network["nodes"].append({"name": "tm-4", "power": 20, "answers": True, "reason": ""})
    network["power"]["total"] = 60
    assert faults(network, confirmed=True) == [
        "tm-4 holds 20 of 60 power: take its power away with a transaction of the app before it leaves"
    ]
    network["nodes"][-1].update(power=0, answers=False)
    assert faults(network, confirmed=True) == [
        "tm-4 does not answer, and 20 of 60 power belong to no node that does: have it running before it leaves, so "
        "that it is known whether it votes"
    ]
    network["power"]["total"] = 40
    assert faults(network, confirmed=True) == []
    network["nodes"][-1].update(power=20, reason="scaled away")
    assert faults(network, confirmed=True) == []


def test_genesis_that_is_gone_is_not_made_anew() -> None:
    network = live()
    network["genesis"] = None
    (fault,) = faults(network)
    assert fault.startswith("its genesis, the ConfigMap tm-config, is gone: bring it back")
    network["groups"] = []
    assert faults(network) == []


@pytest.mark.parametrize(
    ("asked_for", "differs"),
    [
        ({"evidence": {"max_age_duration": "48h"}}, False),
        ({"evidence": {"max_age_duration": 172800000000000}}, False),
        ({"block": {"max_bytes": "1000"}}, True),
        ({"evidence": {"max_age_duration": "47h"}}, True),
    ],
)
def test_consensus_parameters_are_compared_by_what_they_mean(asked_for: Json, differs: bool) -> None:
    network = live()
    network["genesis"]["consensus_params"] = {
        "block": {"max_bytes": "55600190"},
        "evidence": {"max_age_duration": "172800000000000"},
    }
    assert bool(faults(network, consensus_params=asked_for)) == differs
    network["genesis"]["consensus_params"] = {}
    assert bool(faults(network, consensus_params=asked_for)) == differs


@pytest.mark.parametrize(
    ("powers", "stay"),
    [
        ([10], 1),
        ([10] * 3, 3),
        ([10] * 4, 3),
        ([10] * 6, 5),
        ([10] * 7, 5),
        ([10] * 16, 11),
        ([100, 1, 1, 1], 4),
        ([30, 30, 20, 20, 1], 4),
        ([5, 20, 20, 20, 20, 20], 5),
    ],
)
def test_how_many_validators_must_stay(powers: list[int], stay: int) -> None:
    assert min_available(powers) == stay
    lost = len(powers) - stay
    heaviest = sorted(powers, reverse=True)
    assert sum(heaviest[:lost]) * 3 < sum(powers)
    assert sum(heaviest[: lost + 1]) * 3 >= sum(powers)


@pytest.mark.parametrize(
    ("text", "count", "product"),
    [
        ("50m", 8, "400m"),
        ("50m", 20, "1"),
        ("1", 7, "7"),
        ("0.5", 3, "1500m"),
        ("64Mi", 8, "512Mi"),
        ("512Mi", 8, "4Gi"),
        ("1Gi", 3, "3Gi"),
        ("500M", 2, "1G"),
        ("128974848", 2, "257949696"),
        ("50000u", 8, "400m"),
        ("500000000n", 3, "1500m"),
    ],
)
def test_quantities(text: str, count: int, product: str) -> None:
    assert times(text, count) == product
    assert quantity(product) == quantity(text) * count


# --- groups ----------------------------------------------------------------------------------------------------------


def group(name: str, nodes: int, **differs: Any) -> Json:
    return {"name": name, "nodes": nodes, "volume_size": "2Gi", "storage_class": "", **differs}


def with_sentries(**differs: Any) -> Json:
    network = live()
    network["groups"].append({**network["groups"][0], "name": "sentry", "replicas": 2, "nodes": 2, **differs})
    network["nodes"] += [{"name": f"sentry-{n}", "power": 0, "answers": True, "reason": ""} for n in range(2)]
    return network


def test_groups_come_and_grow() -> None:
    found = compare(live(), asked(groups=[group("sentry", 2), group("seed", 1)]))
    assert (found["faults"], found["notes"]) == ([], [])
    assert found["groups"] == {"tm": 4, "sentry": 2, "seed": 1}
    assert found["nodes"] == [*NODES, "sentry-0", "sentry-1", "seed-0"]
    assert found["validators"] == 4
    assert compare(with_sentries(), asked(groups=[group("sentry", 3)]))["groups"] == {"tm": 4, "sentry": 3}


def test_nodes_of_a_group_leave_once_that_is_confirmed() -> None:
    wish = [group("sentry", 1)]
    (fault,) = faults(with_sentries(), groups=wish)
    assert fault == (
        "its group sentry runs 2 nodes, cometbft_groups.sentry.nodes is 1: set cometbft_groups.sentry.nodes=2, or "
        "confirm that sentry-1 shall stop (CONFIRM=yes)"
    )
    found = compare(with_sentries(), asked(groups=wish, confirmed=True))
    assert (found["faults"], found["groups"]["sentry"]) == ([], 1)


def test_a_node_that_votes_does_not_leave_its_group() -> None:
    network = with_sentries()
    network["nodes"][-1]["power"] = 10
    (fault,) = faults(network, groups=[group("sentry", 1)], confirmed=True)
    assert fault.startswith("sentry-1 holds 10 of 40 power: ")


def test_what_kubectl_scale_did_to_a_group_is_kept() -> None:
    found = compare(with_sentries(replicas=3), asked(groups=[group("sentry", 2)]))
    assert (found["faults"], found["groups"]) == ([], {"tm": 4, "sentry": 3})
    assert found["notes"][0].startswith("the StatefulSet sentry was scaled to 3 nodes by somebody else: kept ")


def test_a_group_that_nobody_names_any_more_is_asked_for() -> None:
    assert faults(with_sentries()) == [
        "it has the group sentry of 2 nodes, which cometbft_groups does not name: name it there, with nodes: 0 where "
        "they shall stop"
    ]
    assert faults(with_sentries(replicas=0, nodes=0)) == []
    assert faults(with_sentries(replicas=0, stopped=2), groups=[]) != []


def test_volumes_of_a_group_stay_as_they_are() -> None:
    (fault,) = faults(with_sentries(), groups=[group("sentry", 2, volume_size="5Gi")])
    assert fault.startswith("its group sentry's volumes have 2Gi, cometbft_groups.sentry.volume_size is 5Gi: ")
