# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a network: a recorded one of four validators, and what may befall it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._logs import telling
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import (
    Block,
    NodeAnswer,
    Observed,
    parse_blocks,
    parse_rows,
    parse_time,
    parts,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import heights, report, summary

Json = dict[str, Any]
RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/network/running.json").read_text(encoding="utf-8"))


@pytest.fixture
def seen() -> Observed:
    """A network of four validators as a real cluster and real nodes described it."""
    raw = copy.deepcopy(RECORDED)
    return Observed(
        network="mintnet",
        now=datetime.fromisoformat(raw["now"]),
        namespace=raw["Namespace"],
        workloads=raw["StatefulSet"],
        pods=raw["Pod"],
        config_maps=raw["ConfigMap"],
        services=raw["Service"],
        budgets=raw["PodDisruptionBudget"],
        answers={
            name: NodeAnswer(status["result"], net_info["result"], parse_blocks(blocks["result"]))
            for name, (status, net_info, blocks) in raw["rpc"].items()
        },
        validators=raw["validators"]["result"]["validators"],
    )


def answer_of(seen: Observed, name: str) -> NodeAnswer:
    answer = seen.answers[name]
    assert isinstance(answer, NodeAnswer)
    return answer


def node_of(network: Json, name: str) -> Json:
    return next(node for node in network["nodes"] if node["name"] == name)


def silence(seen: Observed, name: str, **status: Any) -> Json:
    """The node answers no more; its pod's status is what is given."""
    seen.answers[name] = "does not answer: connection refused"
    pod = next(pod for pod in seen.pods if pod["metadata"]["name"] == name)
    pod["status"] = {"phase": "Pending", **status}
    return pod


def container(name: str = "tm", last: Json | None = None, restarts: int = 0, **state: Any) -> Json:
    return {
        "name": name,
        "image": "example.org/node:1",
        "ready": False,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def test_a_network_that_runs_is_healthy_and_told_in_full(seen: Observed) -> None:
    network = report(seen)
    assert (network["healthy"], network["reasons"], network["notes"]) == (True, [], [])
    assert network["chain_id"] == "mintnet"
    assert network["height"] == network["compared_height"] == 164
    assert network["power"] == {"total": 40, "online": 40, "needed": 27, "short": 0}
    assert network["namespace"] == {
        "exists": True,
        "made": True,
        "phase": "Active",
        "held_by": "",
        "pod_security": "restricted",
    }
    assert [node["name"] for node in network["nodes"]] == ["tm-0", "tm-1", "tm-2", "tm-3"]
    assert len({node["block_id"] for node in network["nodes"]}) == 1
    for node in network["nodes"]:
        assert (node["mode"], node["power"], node["catching_up"], node["reason"]) == ("validator", 10, False, "")
        assert (node["peers"], node["peers_expected"], node["peers_missing"]) == (3, 3, [])
        assert node["node_id"] == node["node_id_expected"]
        assert (node["pod"], node["ready"], node["machine"], node["outdated"]) == ("Running", True, "machine-1", False)
    group = network["groups"][0]
    assert (group["name"], group["replicas"], group["nodes"], group["validators"]) == ("tm", 4, 4, 4)
    assert (group["ephemeral"], group["volume_size"], group["outdated"]) == (False, "2Gi", [])
    assert network["budget"]["min_available"] == 3
    assert summary(network) == "4 of 4 running · 4 of 4 answering"
    assert heights(network) == (164, 164)


def test_nothing_there(seen: Observed) -> None:
    assert report(Observed("other", seen.now))["reasons"] == ["there is no namespace other"]
    empty = report(Observed("other", seen.now, namespace={"metadata": {"name": "other"}}))
    assert empty["reasons"] == ["no network runs in namespace other"]
    assert not empty["exists"]
    assert not empty["namespace"]["made"]
    assert empty["not_verified"] == [
        "the namespace is not ours: it enforces nothing of Pod Security; quota and limits are its owner's"
    ]


def test_the_report_can_be_written_as_json(seen: Observed) -> None:
    assert json.loads(json.dumps(report(seen)))["height"] == 164


# What a node that does not answer suffers from


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"containerStatuses": [container(waiting={"reason": "ImagePullBackOff", "message": "not found"})]},
            "the image example.org/node:1 of tm cannot be pulled: not found",
        ),
        (
            {"initContainerStatuses": [container("tm-gen-validator", waiting={"reason": "InvalidImageName"})]},
            "the image example.org/node:1 of tm-gen-validator cannot be pulled: InvalidImageName",
        ),
        (
            {
                "containerStatuses": [
                    container(
                        waiting={"reason": "CrashLoopBackOff", "message": "back-off 10s"},
                        last={
                            "terminated": {"exitCode": 1, "message": "I[..] start\nERROR: genesis doc hash mismatch\n"}
                        },
                        restarts=3,
                    )
                ]
            },
            "tm ended with exit code 1 (3 restarts): ERROR: genesis doc hash mismatch",
        ),
        (
            {"containerStatuses": [container(terminated={"exitCode": 137, "reason": "OOMKilled"}, restarts=1)]},
            "tm ended with out of memory (1 restarts)",
        ),
        (
            {
                "containerStatuses": [
                    container(waiting={"reason": "RunContainerError", "message": "exec /cometbft: exec format error"})
                ]
            },
            "tm cannot be started: exec /cometbft: exec format error",
        ),
        (
            {
                "initContainerStatuses": [
                    container(
                        "tm-gen-validator",
                        terminated={"exitCode": 1, "message": "tm-gen-validator: the name tm-1 cannot be resolved\n"},
                    )
                ]
            },
            "tm-gen-validator ended with exit code 1 (0 restarts): tm-gen-validator: the name tm-1 cannot be resolved",
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient cpu.",
                    }
                ]
            },
            "no machine takes it: 0/1 nodes are available: 1 Insufficient cpu.",
        ),
        ({"initContainerStatuses": [container("i", running={"startedAt": "x"})]}, "its init container i still runs"),
        ({}, "is being started"),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "failed: Evicted disk"),
    ],
)
def test_why_a_node_is_silent(seen: Observed, status: Json, said: str) -> None:
    silence(seen, "tm-2", **status)
    network = report(seen)
    assert network["reasons"] == [f"tm-2: {said}"]
    assert node_of(network, "tm-2")["reason"] == said
    assert (node_of(network, "tm-2")["mode"], node_of(network, "tm-2")["power"]) == ("validator", 10)


def test_a_volume_that_is_pending_is_named_with_its_event(seen: Observed) -> None:
    unbound = {"type": "PodScheduled", "status": "False", "message": "unbound immediate PersistentVolumeClaims"}
    silence(seen, "tm-1", conditions=[unbound])
    seen.claims = [{"metadata": {"name": "data-tm-1"}, "status": {"phase": "Pending"}}]
    assert report(seen)["reasons"][0].startswith("tm-1: its volume data-tm-1 is pending: unbound")
    seen.events = [warning("PersistentVolumeClaim", "data-tm-1", "ProvisioningFailed", "no class x")]
    assert report(seen)["reasons"] == ["tm-1: its volume data-tm-1 is pending: ProvisioningFailed: no class x"]


def warning(kind: str, name: str, reason: str, message: str) -> Json:
    return {
        "type": "Warning",
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-11-24T02:00:00Z",
    }


def test_a_pod_that_could_not_be_made_is_explained_by_its_stateful_set(seen: Observed) -> None:
    seen.pods = [pod for pod in seen.pods if pod["metadata"]["name"] != "tm-3"]
    del seen.answers["tm-3"]
    assert report(seen)["reasons"] == ["tm-3: the pod does not exist yet"]
    seen.events = [warning("StatefulSet", "tm", "FailedCreate", "exceeded quota: tm")]
    assert report(seen)["reasons"] == ["tm-3: FailedCreate: exceeded quota: tm"]


def test_a_mount_that_fails_is_explained_by_the_pods_event(seen: Observed) -> None:
    silence(seen, "tm-0")
    seen.events = [warning("Pod", "tm-0", "FailedMount", 'secret "tm-keys"\n not found')]
    assert report(seen)["reasons"] == ['tm-0: is not started yet: FailedMount: secret "tm-keys" not found']


def test_a_running_pod_whose_node_is_silent_says_how(seen: Observed) -> None:
    silence(seen, "tm-0", phase="Running", containerStatuses=[container(running={"startedAt": "x"})])
    assert report(seen)["reasons"] == ["tm-0: does not answer: connection refused"]


def test_power_that_is_missing_is_counted(seen: Observed) -> None:
    for name in ("tm-2", "tm-3"):
        silence(seen, name)
    network = report(seen)
    assert network["power"] == {"total": 40, "online": 20, "needed": 27, "short": 7}
    assert network["reasons"][-1] == (
        "the quorum is short by 7 power: 20 of 40 online, more than two thirds (27) are needed"
    )


# What is wrong with a node that answers


def changed(answer: NodeAnswer, change: Callable[[Json, Json], None]) -> NodeAnswer:
    status, net_info = copy.deepcopy(answer.status), copy.deepcopy(answer.net_info)
    change(status, net_info)
    return NodeAnswer(status, net_info, answer.blocks)


def test_another_chain(seen: Observed) -> None:
    seen.answers["tm-1"] = changed(
        answer_of(seen, "tm-1"), lambda status, _net: status["node_info"].update(network="their-own")
    )
    assert report(seen)["reasons"] == ["tm-1: runs chain their-own, the genesis says mintnet"]


def test_a_key_that_was_made_anew(seen: Observed) -> None:
    expected = answer_of(seen, "tm-1").node_id
    seen.answers["tm-1"] = changed(
        answer_of(seen, "tm-1"), lambda status, _net: status["node_info"].update(id="ab" * 20)
    )
    network = report(seen)
    assert network["reasons"] == [
        f"tm-1: reports node id {'ab' * 20}, its key's is {expected}: it did not start with its own keys"
    ]


def test_two_nodes_with_one_key(seen: Observed) -> None:
    address = answer_of(seen, "tm-0").address
    seen.answers["tm-1"] = changed(
        answer_of(seen, "tm-1"), lambda status, _net: status["validator_info"].update(address=address)
    )
    assert report(seen)["reasons"] == [
        "tm-0: has the same key as tm-1: stop one of them at once",
        "tm-1: has the same key as tm-0: stop one of them at once",
    ]


def test_a_key_that_is_not_the_genesis_one(seen: Observed) -> None:
    seen.answers["tm-3"] = changed(
        answer_of(seen, "tm-3"), lambda status, _net: status["validator_info"].update(address="0" * 40)
    )
    (reason,) = report(seen)["reasons"]
    assert reason.startswith(f"tm-3: signs as {'0' * 40}, the genesis says ")


@pytest.mark.parametrize(("field", "what"), [("id", "block"), ("app_hash", "app hash")])
def test_a_node_with_another_block(seen: Observed, field: str, what: str) -> None:
    answer = answer_of(seen, "tm-2")
    blocks: dict[int, Block] = dict(answer.blocks)
    block = blocks[164]
    blocks[164] = replace(block, id="F" * 64) if field == "id" else replace(block, app_hash="F" * 64)
    seen.answers["tm-2"] = replace(answer, blocks=blocks)
    (reason,) = report(seen)["reasons"]
    assert reason.startswith(f"tm-2: {what} FFFFFFFFFFFF… at height 164, where 3 nodes hold ")


def test_no_peers_is_a_reason_and_a_lost_peer_is_a_note(seen: Observed) -> None:
    def lose_all(_status: Json, net: Json) -> None:
        net.update(peers=[], n_peers="0")

    def lose_one(_status: Json, net: Json) -> None:
        net.update(peers=net["peers"][1:], n_peers="2")

    whole = answer_of(seen, "tm-0")
    seen.answers["tm-0"] = changed(whole, lose_one)
    network = report(seen)
    assert network["healthy"]
    assert len(network["notes"]) == 1
    assert network["notes"][0].startswith("tm-0: no connection to tm-")
    seen.answers["tm-0"] = changed(whole, lose_all)
    assert report(seen)["reasons"] == ["tm-0: no peers, of 3"]


def test_a_node_whose_consensus_stopped_is_behind(seen: Observed) -> None:
    """It goes on answering, and is not catching up: the others went on without it."""
    early = changed(answer_of(seen, "tm-3"), lambda status, _net: status["sync_info"].update(latest_block_height="100"))
    seen.answers["tm-3"] = replace(early, blocks={})
    network = report(seen)
    assert network["reasons"] == ["tm-3: stands at height 100, the network is at 164"]
    assert node_of(network, "tm-3")["next"].startswith("see why it stopped: make logs NODE=tm-3")
    # One that is a few blocks behind is on its way.
    near = changed(answer_of(seen, "tm-3"), lambda status, _net: status["sync_info"].update(latest_block_height="150"))
    seen.answers["tm-3"] = replace(near, blocks={})
    assert report(seen)["healthy"]


def test_the_power_of_one_key_counts_once(seen: Observed) -> None:
    address = answer_of(seen, "tm-0").address
    for name in ("tm-1", "tm-2"):
        seen.answers[name] = changed(
            answer_of(seen, name), lambda status, _net: status["validator_info"].update(address=address)
        )
    network = report(seen)
    assert network["power"] == {"total": 40, "online": 20, "needed": 27, "short": 7}


def test_the_same_step_for_several_nodes_is_said_once(seen: Observed) -> None:
    for name in ("tm-2", "tm-3"):
        silence(seen, name)
    assert report(seen)["next"] == [
        "tm-2, tm-3: wait for it, or see make logs NODE=tm-2",
        "bring back validators that hold 7 of power or more, of tm-2, tm-3: until then no block is made",
    ]


def test_a_node_that_catches_up_does_not_count_for_the_quorum(seen: Observed) -> None:
    seen.answers["tm-0"] = changed(
        answer_of(seen, "tm-0"), lambda status, _net: status["sync_info"].update(catching_up=True)
    )
    network = report(seen)
    assert network["power"]["online"] == 30
    assert network["notes"] == ["tm-0: catching up at height 164"]


def test_a_promoted_node_is_a_validator_and_one_without_power_is_full(seen: Observed) -> None:
    assert seen.validators is not None
    seen.validators = [v for v in seen.validators if v["address"] != answer_of(seen, "tm-3").address]
    network = report(seen)
    assert (node_of(network, "tm-3")["mode"], node_of(network, "tm-3")["power"]) == ("full", 0)
    assert network["power"]["total"] == 30


# Time


def test_a_chain_that_stands_still(seen: Observed) -> None:
    seen.now += timedelta(minutes=2)
    (reason,) = report(seen)["reasons"]
    assert reason.startswith("no block for 1")


def test_without_empty_blocks_a_resting_chain_is_well(seen: Observed) -> None:
    seen.now += timedelta(hours=2)
    settings = next(item for item in seen.config_maps if "settings" in item["metadata"]["name"])
    settings["data"]["config.toml"] = "create_empty_blocks = false\n"
    network = report(seen)
    assert network["healthy"]
    assert not network["empty_blocks"]


def test_slow_blocks_are_judged_by_their_own_pace(seen: Observed) -> None:
    start = seen.now - timedelta(seconds=600)
    blocks = {h: Block("A", "B", start + timedelta(seconds=100 * n)) for n, h in enumerate(range(161, 165))}
    for name in list(seen.answers):
        seen.answers[name] = replace(answer_of(seen, name), blocks=blocks)
    assert report(seen)["healthy"]


def test_before_the_first_block(seen: Observed) -> None:
    for name in list(seen.answers):
        early = changed(
            answer_of(seen, name),
            lambda status, _net: status["sync_info"].update(latest_block_height="0", catching_up=False),
        )
        seen.answers[name] = replace(early, blocks={})
    network = report(seen)
    assert network["reasons"] == ["there is no block yet"]
    assert (network["compared_height"], network["block_age"]) == (0, None)


# Scale and revisions


def test_nodes_that_were_scaled_away(seen: Observed) -> None:
    seen.workloads[0]["spec"]["replicas"] = 3
    seen.pods = [pod for pod in seen.pods if pod["metadata"]["name"] != "tm-3"]
    del seen.answers["tm-3"]
    network = report(seen)
    assert network["healthy"]
    assert network["notes"] == ["scaled away: tm-3"]
    assert node_of(network, "tm-3")["reason"] == "scaled away"
    assert summary(network) == "3 of 3 running · 3 of 3 answering"


def test_a_network_that_is_scaled_to_nothing(seen: Observed) -> None:
    seen.workloads[0]["spec"]["replicas"] = 0
    seen.pods, seen.answers = [], {}
    assert report(seen)["reasons"] == [
        "every node is scaled away: kubectl scale, or create with mintnet_confirm, starts them"
    ]


def hold(seen: Observed, *names: str) -> None:
    """They are stopped: their pods wait in the init container, and nobody is connected to them."""
    ids = {answer_of(seen, name).node_id for name in names}

    def leave(_status: Json, net_info: Json) -> None:
        left = [peer for peer in net_info["peers"] if peer["node_info"]["id"] not in ids]
        net_info.update(peers=left, n_peers=str(len(left)))

    seen.config_maps.append({"metadata": {"name": "tm-stopped"}, "data": dict.fromkeys(names, "2026-11-24T01:53:00Z")})
    for name in names:
        silence(seen, name, initContainerStatuses=[container("tm-gen-validator", running={})])
        del seen.answers[name]
    for name in seen.answers:
        seen.answers[name] = changed(answer_of(seen, name), leave)


def test_a_node_that_is_stopped_is_no_failure(seen: Observed) -> None:
    hold(seen, "tm-3")
    network = report(seen)
    assert (network["healthy"], network["reasons"], network["stopped"]) == (True, [], ["tm-3"])
    assert network["notes"] == ["tm-3: stopped by make stop"]
    assert [node["stopped"] for node in network["nodes"]] == [False, False, False, True]
    # Nobody misses it, so nobody is restarted for it.
    assert [(node["peers"], node["peers_expected"], node["peers_missing"]) for node in network["nodes"][:3]] == [
        (2, 2, [])
    ] * 3
    assert summary(network) == "3 of 3 running · 3 of 3 answering"
    assert heights(network) == (164, 164)
    assert not network["nodes"][3]["initialized"]


def test_quorum_that_is_stopped_is_said_so(seen: Observed) -> None:
    hold(seen, "tm-2", "tm-3")
    network = report(seen)
    assert network["reasons"] == [
        "the quorum is short by 7 power: 20 of 40 online, more than two thirds (27) are needed; stopped by make stop: "
        "tm-2, tm-3"
    ]
    assert "make start starts those that are stopped" in network["next"][0]


def test_a_stopped_node_that_still_runs_is_named(seen: Observed) -> None:
    seen.config_maps.append({"metadata": {"name": "tm-stopped"}, "data": {"tm-3": ""}})
    network = report(seen)
    assert network["notes"] == ["tm-3: still runs, although it was stopped: make stop NODE=tm-3 ends it"]


def test_all_nodes_stopped_one_by_one_are_no_healthy_network(seen: Observed) -> None:
    hold(seen, "tm-0", "tm-1", "tm-2", "tm-3")
    network = report(seen)
    assert network["reasons"] == ["the network is stopped by make stop: no node runs"]


def test_the_stop_of_a_node_that_is_scaled_away_does_not_count(seen: Observed) -> None:
    seen.workloads[0]["spec"]["replicas"] = 3
    hold(seen, "tm-3")
    seen.pods.pop()
    network = report(seen)
    assert (network["stopped"], network["notes"]) == ([], ["scaled away: tm-3"])


def test_pods_of_an_older_revision_are_named(seen: Observed) -> None:
    seen.workloads[0]["status"]["updateRevision"] = "tm-new"
    network = report(seen)
    assert network["groups"][0]["outdated"] == ["tm-0", "tm-1", "tm-2", "tm-3"]
    assert network["notes"][0].startswith("tm-0, tm-1, tm-2, tm-3 run an older revision: ")
    # Before the controller has seen the newest template, nobody knows.
    seen.workloads[0]["metadata"]["generation"] = 99
    assert report(seen)["groups"][0]["outdated"] == []


def test_names_are_in_the_order_of_their_numbers(seen: Observed) -> None:
    seen.workloads[0]["spec"]["replicas"] = 12
    names = [node["name"] for node in report(seen)["nodes"]]
    assert names == [f"tm-{number}" for number in range(12)]


# Small things


def test_rows() -> None:
    rows = parse_rows("tm-0 first abc validator tm-1,tm-2\ntm-1 tm-1 def full -\n")
    assert (rows["tm-0"].moniker, rows["tm-0"].peers) == ("first", ("tm-1", "tm-2"))
    assert (rows["tm-1"].mode, rows["tm-1"].peers) == ("full", ())


def test_times_have_nine_digits_of_a_second() -> None:
    assert parse_time("2026-11-24T00:24:51.817065517Z").microsecond == 817065
    assert parse_time("2026-11-24T00:24:51Z").isoformat() == "2026-11-24T00:24:51+00:00"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("one\ntwo\nthree\nfour\n", "two | three | four"),
        ("\x1b[31mE[2026] failed to dial err=refused\x1b[0m\nbye\n", "E[2026] failed to dial err=refused"),
        ("err=first\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: boom"),
        ("x" * 400 + " error", "x" * 300),
    ],
)
def test_telling_lines(log: str, said: str) -> None:
    assert " | ".join(telling(log)) == said


def test_genesis_that_is_gone_is_told(seen: Observed) -> None:
    seen.config_maps = [item for item in seen.config_maps if item["metadata"]["name"] != "tm-config"]
    network = report(seen)
    assert not network["healthy"]
    assert "the genesis, ConfigMap tm-config, is gone" in network["reasons"]


def test_rows_that_are_damaged_are_named() -> None:
    assert list(parse_rows("tm-0 tm-0 aa full -\n\ntm-1 tm-1 bb full tm-0 tm-2 -\n")) == ["tm-0", "tm-1"]
    with pytest.raises(MintnetError, match="'tm-0 aa' is no row"):
        parse_rows("tm-0 aa\n")


def test_node_that_finds_peers_by_exchange_has_some(seen: Observed) -> None:
    (nodes,) = [item for item in seen.config_maps if item["metadata"]["name"] == "tm-nodes"]
    rows = parse_rows(nodes["data"]["nodes"]).values()
    nodes["data"]["nodes"] = "".join(f"{row.name} {row.name} {row.node_id} full - tm-0 -\n" for row in rows)
    assert report(seen)["healthy"]
    seen.answers["tm-1"] = changed(answer_of(seen, "tm-1"), lambda _status, net: net.update(peers=[], n_peers="0"))
    assert report(seen)["reasons"] == ["tm-1: no peers, of 1"]


@pytest.mark.parametrize(("line", "rests"), [("10m0s", True), ("0s", False)])
def test_chain_whose_empty_blocks_are_far_apart_is_not_late(seen: Observed, line: str, rests: bool) -> None:
    for item in seen.config_maps:
        if item["metadata"]["name"].startswith("tm-settings"):
            item["data"]["config.toml"] = f'create_empty_blocks = true\ncreate_empty_blocks_interval = "{line}"\n'
    seen.now += timedelta(minutes=5)
    network = report(seen)
    assert network["healthy"] == rests
    assert network["empty_blocks"] != rests


def test_node_that_has_read_other_settings_of_its_own_is_outdated(seen: Observed) -> None:
    (nodes,) = [item for item in seen.config_maps if item["metadata"]["name"] == "tm-nodes"]
    expected = parts(nodes["data"])
    for pod in seen.pods:
        read = {"exitCode": 0, "message": f"{expected[pod['metadata']['name']]}\n"}
        pod["status"]["initContainerStatuses"] = [{"name": "tm-gen-validator", "state": {"terminated": read}}]
    assert not [node["name"] for node in report(seen)["nodes"] if node["outdated"]]
    # Somebody joins: nothing for those that run. Then one of them is set otherwise.
    nodes["data"]["nodes"] += "tm-4 tm-4 aa full tm-0 - -\n"
    assert not [node["name"] for node in report(seen)["nodes"] if node["outdated"]]
    nodes["data"]["tm-2.toml"] = 'log_level = "debug"\n'
    network = report(seen)
    assert [node["name"] for node in network["nodes"] if node["outdated"]] == ["tm-2"]
    assert network["groups"][0]["outdated"] == ["tm-2"]
    assert network["healthy"]
    # A pod that was made before nodes told what they had read.
    for pod in seen.pods:
        del pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["message"]
    assert not [node["name"] for node in report(seen)["nodes"] if node["outdated"]]


# The newest blocks


def test_how_the_newest_blocks_came(seen: Observed) -> None:
    assert report(seen)["recent"] == {"blocks": 4, "txs": 0, "interval": 1.3}
    answer = answer_of(seen, "tm-0")
    times = [parse_time(f"2026-11-24T02:0{minute}:00Z") for minute in range(4)]
    blocks = {height: Block("A", "B", times[height], txs=height) for height in (1, 2, 3)}
    # The first block has the time of the genesis, however much later it was made.
    for name in seen.answers:
        seen.answers[name] = replace(answer, blocks=blocks)
    assert report(seen)["recent"] == {"blocks": 3, "txs": 6, "interval": 60.0}
    many = {height: Block("A", "B", times[0] + timedelta(seconds=2 * height), txs=1) for height in range(100, 130)}
    seen.answers["tm-1"] = replace(answer, blocks=many)
    assert report(seen)["recent"] == {"blocks": 20, "txs": 20, "interval": 2.0}
    for name in seen.answers:
        seen.answers[name] = replace(answer, blocks={})
    assert report(seen)["recent"] == {"blocks": 0, "txs": 0, "interval": None}


# --- groups ----------------------------------------------------------------------------------------------------------


def test_nodes_of_all_groups_are_told_with_their_modes(seen: Observed) -> None:
    for name, mode in (("sentry", "sentry"), ("seed", "seed")):
        workload = copy.deepcopy(seen.workloads[0])
        workload["metadata"]["name"], workload["spec"]["replicas"] = name, 1
        workload["metadata"]["annotations"]["mintnet.io/nodes"] = "1"
        pod = copy.deepcopy(seen.pods[-1])
        pod["metadata"]["name"] = f"{name}-0"
        pod["metadata"]["labels"] |= {"tm": name, "controller-revision-hash": "older"}
        seen.workloads.append(workload)
        seen.pods.append(pod)
        rows = next(item for item in seen.config_maps if item["metadata"]["name"] == "tm-nodes")
        rows["data"]["nodes"] += f"{name}-0 {name}-0 {name} {mode} tm-0 - -\n"
        answer = copy.deepcopy(answer_of(seen, "tm-3"))
        answer.status["validator_info"]["address"] = name
        answer.status["node_info"]["id"] = name
        seen.answers[f"{name}-0"] = answer
    sentries = {"metadata": {"name": "sentry"}, "spec": {"maxUnavailable": 1}}
    seen.budgets = [sentries, *seen.budgets]
    network = report(seen)
    assert network["budget"]["min_available"] == 3
    modes = {node["name"]: node["mode"] for node in network["nodes"]}
    assert modes == {
        **{"seed-0": "seed", "sentry-0": "sentry"},
        **dict.fromkeys(("tm-0", "tm-1", "tm-2", "tm-3"), "validator"),
    }
    assert {group["name"]: (group["nodes"], group["validators"]) for group in network["groups"]} == {
        **{"tm": (4, 4), "sentry": (1, 0), "seed": (1, 0)}
    }
    outdated = {group["name"]: group["outdated"] for group in network["groups"]}
    assert outdated == {"tm": [], "sentry": ["sentry-0"], "seed": ["seed-0"]}
    assert network["power"]["total"] == 40
    assert node_of(network, "sentry-0")["dials"] == ["tm-0"]


# --- places ----------------------------------------------------------------------------------------------------------


def placed(seen: Observed, *machines: str) -> list[str]:
    """What is noted of places when the four validators run on these machines."""
    for pod, machine in zip(seen.pods, machines, strict=True):
        pod["spec"]["nodeName"] = machine
    return [note for note in report(seen)["notes"] if "holds" in note]


def test_machines_that_hold_a_third_of_the_power_are_warned_of(seen: Observed) -> None:
    said = "machine {} holds 20 of 40 power, a third or more: without it no block is made"
    assert placed(seen, "a", "b", "c", "d") == []
    assert placed(seen, "a", "b", "c", "a") == [said.format("a")]
    assert placed(seen, "a", "b", "b", "a") == [said.format("a"), said.format("b")]
    assert report(seen)["places"] == {"machines": {"a": 20, "b": 20}, "zones": {}}
    # Where there is but one, there is nothing to say.
    assert placed(seen, "a", "a", "a", "a") == []
    seen.machines = [{"metadata": {"name": name}} for name in "ab"]
    assert placed(seen, "a", "a", "a", "a") == [said.format("a").replace("20 of", "40 of")]
