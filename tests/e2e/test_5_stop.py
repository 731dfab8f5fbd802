# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that is stopped and started on purpose, as a whole and by node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explained import Case, network, story
from surroundings import Run, User

NAME = "stopped"
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]


class Net:
    """A network of four in a namespace of its own."""

    def __init__(self, case: Case) -> None:
        self.case, self.user = case, case.user

    def create(self, *, code: int = 0, **variables: Any) -> Run:
        return self.case.create(code=code, **{"cometbft_block_time": "500ms", **variables})

    def make(self, verb: str, node: str = "", arguments: str = "", *, code: int = 0) -> Run:
        command = f"make {verb} NETWORK={self.user.home / NAME}.yml {f'NODE={node}' if node else ''} {arguments}"
        return self.user.run(command, self.case.clone, code=code)

    def height(self, node: str = "tm-0") -> int:
        return self.user.height(node, NAME)

    def goes_on(self) -> None:
        height = self.height()
        self.user.wait("the chain goes on", lambda: self.height() > height + 1)

    def waits(self, node: str) -> bool:
        """Whether the node's pod is there and stays in its init container."""
        status = self.case.get(f"pod {node}")["status"]
        (init,) = [item for item in status["initContainerStatuses"] if item["name"] == "tm-gen-validator"]
        return "running" in init["state"] and not any(item["started"] for item in status["containerStatuses"])

    def pods(self) -> dict[str, tuple[str, int]]:
        return self.user.pods(NAME)

    def objects(self) -> dict[str, str]:
        return self.user.objects(NAME)

    def claims(self) -> dict[str, str]:
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in self.case.get("persistentvolumeclaims")}


@pytest.fixture(scope="module")
def net(user: User, clone: Path, cluster: None) -> Iterator[Net]:
    with network(user, clone, NAME) as case:
        found = Net(case)
        found.create()
        found.make("tx", arguments="TX='kept=through all'")
        yield found


# --- one node --------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_check_run_stops_nothing(net: Net) -> None:
    before = net.objects(), net.pods()
    run = net.make("stop", "tm-3", "ARGS=--check")
    assert "30 of 40 stay online without tm-3 · a block needs 27" in run.output
    assert "tm-3 would be stopped" in run.output
    assert (net.objects(), net.pods()) == before


@pytest.mark.long
def test_chain_goes_on_without_a_node_that_is_stopped(net: Net) -> None:
    before = net.pods()
    run = net.make("stop", "tm-3")
    assert "30 of 40 stay online" in run.output
    assert run.changed == 1
    assert net.waits("tm-3")
    net.goes_on()
    after = net.pods()
    assert [name for name in NODES if before[name] != after[name]] == ["tm-3"]
    # It is no failure.
    status = net.make("status")
    assert "stopped by make stop" in status.output
    assert "healthy" in status.output
    again = net.make("stop", "tm-3")
    assert again.changed == 0
    assert net.pods() == after


@pytest.mark.long
def test_it_stays_stopped_when_its_pod_is_deleted(net: Net) -> None:
    before = net.pods()
    net.case.kubectl("delete pod tm-3")
    net.user.wait("tm-3 waits again", lambda: net.pods()["tm-3"] != before["tm-3"] and net.waits("tm-3"))


@pytest.mark.long
def test_create_leaves_it_stopped(net: Net) -> None:
    before = net.objects(), net.pods()
    run = net.create()
    assert "tm-3 stays stopped" in run.output
    assert run.changed == 0
    assert (net.objects(), net.pods()) == before


@pytest.mark.long
def test_power_that_does_not_suffice_needs_a_confirmation(net: Net) -> None:
    before = net.objects(), net.pods()
    run = net.make("stop", "tm-2", code=1)
    assert "20 of 40 stay online without tm-2 · a block needs 27" in run.output
    assert "CONFIRM=yes" in run.output
    run = net.make("stop", "tm-33", code=1)
    assert "it has no such node; it has tm-0, tm-1, tm-2, tm-3; did you mean tm-3?" in story(run.output)["why"]
    assert (net.objects(), net.pods()) == before


@pytest.mark.long
def test_its_pod_takes_part_in_a_roll(net: Net) -> None:
    """Without it each other validator's restart halts the chain, which is asked for."""
    before = net.pods()
    run = net.create(code=1, cometbft_block_time="600ms")
    assert "CONFIRM=yes" in run.output
    assert net.pods() == before
    net.create(cometbft_block_time="600ms", mintnet_confirm=True)
    after = net.pods()
    assert all(before[name][0] != after[name][0] for name in NODES)
    assert net.waits("tm-3")
    net.goes_on()
    assert net.create(cometbft_block_time="600ms").changed == 0
    net.create(mintnet_confirm=True)


@pytest.mark.long
def test_it_stays_stopped_when_its_machine_restarts(net: Net) -> None:
    net.user.run(f"podman kill {net.user.machine}", net.user.home)
    run = net.make("create")
    assert "tm-3 stays stopped" in run.output
    assert net.waits("tm-3")
    net.goes_on()


@pytest.mark.long
def test_started_node_catches_up(net: Net) -> None:
    before = net.pods()
    net.make("start", "tm-3", "ARGS=--check")
    assert net.pods() == before
    run = net.make("start", "tm-3")
    assert "40 of 40 power online" in run.output
    assert net.height("tm-3") >= net.height() - 2
    after = net.pods()
    assert [name for name in NODES if before[name] != after[name]] == ["tm-3"]
    assert net.user.read("tm-3", "kept", NAME) == "through all"
    net.user.agree(NAME)
    assert net.make("start", "tm-3").changed == 0
    assert net.create().changed == 0
    assert net.pods() == after


# --- the network -----------------------------------------------------------------------------------------------------


def test_network_stops_and_keeps_its_volumes(net: Net) -> None:
    before = net.objects(), net.pods()
    run = net.make("stop", code=1)
    assert "0 of 40 stay online without the 4 nodes" in run.output
    assert (net.objects(), net.pods()) == before
    claims, services = net.claims(), len(net.case.get("services"))
    net.make("stop", arguments="CONFIRM=yes")
    assert net.pods() == {}
    assert net.claims() == claims
    assert len(net.case.get("services")) == services
    status = net.make("status", code=1)
    assert "the network is stopped by make stop" in status.output
    assert "make start starts it" in status.output
    stopped = net.objects()
    assert net.make("stop").changed == 0
    assert "the whole network is stopped" in story(net.make("start", "tm-0", code=1).output)["why"]
    assert net.objects() == stopped


def test_network_goes_on_at_its_old_height(net: Net) -> None:
    claims = net.claims()
    run = net.make("start")
    assert run.changed == 1
    assert sorted(net.pods()) == NODES
    assert net.claims() == claims
    height = net.user.agree(NAME)
    assert height > 1
    assert net.user.values(NODES, "kept", NAME) == dict.fromkeys(NODES, "through all")
    net.user.nobody_signed_twice(NAME)
    pods = net.pods()
    assert net.make("start").changed == 0
    assert net.create().changed == 0
    assert net.pods() == pods


@pytest.mark.long
def test_create_starts_a_network_that_is_stopped(net: Net) -> None:
    height = net.height()
    net.make("stop", arguments="CONFIRM=yes")
    run = net.create()
    assert "it was stopped by make stop, with 4 nodes: it is started again" in run.output
    assert net.user.agree(NAME) > height
    assert net.create().changed == 0


@pytest.mark.long
def test_start_brings_back_single_nodes_too(net: Net) -> None:
    for node in ("tm-3", "tm-2"):
        net.make("stop", node, "CONFIRM=yes")
    assert "the quorum is short by 7 power" in net.make("status", code=1).output
    before = net.objects()
    run = net.create(code=1)
    assert "start that first (make start)" in story(run.output)["why"]
    assert net.objects() == before
    net.make("start")
    net.user.agree(NAME)
    net.user.nobody_signed_twice(NAME)
