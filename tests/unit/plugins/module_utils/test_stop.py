# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and nodes stopped and started, on a recorded network whose cluster is played."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _live, _stop, _wait
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import NodeAnswer, Observed, parse_blocks
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import report
from ansible_collections.mintnet.kubernetes.plugins.module_utils._stop import StopError, Switch, plan_start, plan_stop

Json = dict[str, Any]
RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/network/running.json").read_text(encoding="utf-8"))
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]


class Played:
    """Pods follow their StatefulSet and the ConfigMap tm-stopped, to which controller, kubelet and script see."""

    def __init__(self) -> None:
        raw = copy.deepcopy(RECORDED)
        (self.workload,) = raw["StatefulSet"]
        self.workload["spec"]["template"]["spec"]["volumes"].append({"name": "stopped"})
        self.pods: dict[str, Json] = {pod["metadata"]["name"]: pod for pod in raw["Pod"]}
        self.made = copy.deepcopy(self.pods)
        self.config_maps: dict[str, Json] = {item["metadata"]["name"]: item for item in raw["ConfigMap"]}
        self.raw = raw
        #: How many pods come up with what the kubelet knew of the ConfigMap before.
        self.stale = 0
        self.crashing: set[str] = set()
        self.before_merge: list[Callable[[], object]] = []
        self.deleted: list[str] = []
        self.calls: list[str] = []
        self.validators: list[Json] | None = raw["validators"]["result"]["validators"]

    # What is seen

    @property
    def stopped(self) -> set[str]:
        return set((self.config_maps.get("tm-stopped") or {}).get("data") or {})

    def observe(self, _api: Any, network: str, before: Observed | None = None) -> Observed:
        """With a look before, ConfigMaps are not looked at again."""
        self.settle()
        answers = {
            name: NodeAnswer(status["result"], net_info["result"], parse_blocks(blocks["result"]))
            for name, (status, net_info, blocks) in self.raw["rpc"].items()
            if name in self.pods and self.runs(name) and name not in self.crashing
        }
        return Observed(
            network=network,
            now=datetime.fromisoformat(self.raw["now"]),
            namespace=self.raw["Namespace"],
            workloads=[copy.deepcopy(self.workload)],
            pods=list(copy.deepcopy(self.pods).values()),
            config_maps=before.config_maps if before else copy.deepcopy(list(self.config_maps.values())),
            answers=dict(answers),
            validators=self.validators if answers else None,
        )

    def runs(self, name: str) -> bool:
        return "terminated" in self.pods[name]["status"]["initContainerStatuses"][0]["state"]

    def settle(self) -> None:
        wanted = [f"tm-{number}" for number in range(self.workload["spec"]["replicas"])]
        for name in set(self.pods) - set(wanted):
            del self.pods[name]
        for name in set(wanted) - set(self.pods):
            pod = self.pods[name] = copy.deepcopy(self.made[name])
            pod["metadata"]["uid"] = f"{name}-{len(self.deleted)}"
            if name in self.stopped and not self.stale:
                pod["status"]["phase"] = "Pending"
                pod["status"]["initContainerStatuses"][0]["state"] = {"running": {}}
                pod["status"]["containerStatuses"][0].update(ready=False, state={"waiting": {}})
            self.stale = max(0, self.stale - 1)

    # What the API server is asked for

    @staticmethod
    def until(_deadline: float) -> AbstractContextManager[None]:
        return nullcontext()

    def request(self, _doing: str, method: str, path: str, body: Json) -> None:
        assert method == "DELETE"
        name = path.rpartition("/")[2]
        assert body == {"preconditions": {"uid": self.pods[name]["metadata"]["uid"]}}
        del self.pods[name]
        self.deleted.append(name)

    def get(self, _doing: str, kind: str, _namespace: str, name: str) -> Json | None:
        assert (kind, name) == ("StatefulSet", "tm")
        workload: Json = copy.deepcopy(self.workload)
        return workload

    def merge(self, _doing: str, kind: str, _namespace: str, name: str, patch: Json) -> None:
        self.calls.append(f"{kind} {name}")
        if self.before_merge:
            self.before_merge.pop(0)()
        if kind == "ConfigMap":
            if name not in self.config_maps:
                raise ClusterError("not found", 404)
            data = self.config_maps[name]["data"]
            data.update(patch["data"])
            for entry in [entry for entry, value in data.items() if value is None]:
                del data[entry]
            return
        metadata = self.workload["metadata"]
        if patch["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise ClusterError("conflict", 409, "Conflict")
        metadata["annotations"].update(patch["metadata"]["annotations"])
        metadata["resourceVersion"] += "0"
        self.workload["spec"].update(patch["spec"])

    def create(self, _doing: str, definition: Json) -> None:
        self.calls.append(f"create {definition['metadata']['name']}")
        self.config_maps[definition["metadata"]["name"]] = definition

    # What is said

    def report(self) -> Json:
        return report(self.observe(None, "mintnet"))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    found = Played()
    for module in (_live, _wait):
        monkeypatch.setattr(module, "observe", found.observe)
    for module in (_stop, _wait):
        monkeypatch.setattr(module, "explain", lambda _api, seen: report(seen))
    monkeypatch.setattr(_stop, "WAITS", 0.005)
    monkeypatch.setattr(_stop, "PATIENCE", 0.02)
    # The recorded blocks do not go on.
    monkeypatch.setattr(_wait, "FRESH", 10.0**9)
    return found


def switch(played: Played) -> Switch:
    return Switch(played, "mintnet", lambda _text: None, sleep=0.001)  # type: ignore[arg-type]


def stop(played: Played, name: str = "", *, may_halt: bool = False, timeout: float = 2) -> Switch:
    found = switch(played)
    found.stop(name, timeout, may_halt=may_halt)
    return found


def start(played: Played, name: str = "") -> Switch:
    found = switch(played)
    found.start(name, 2)
    return found


# One node


def test_one_node_stops_and_the_others_go_on(played: Played) -> None:
    others = {name: played.pods[name]["metadata"]["uid"] for name in NODES[:3]}
    assert stop(played, "tm-3").changed
    assert played.deleted == ["tm-3"]
    assert {name: played.pods[name]["metadata"]["uid"] for name in NODES[:3]} == others
    network = played.report()
    assert (network["healthy"], network["reasons"]) == (True, [])
    assert network["notes"] == ["tm-3: stopped by make stop"]
    assert network["stopped"] == ["tm-3"]
    assert network["power"]["online"] == 30
    labels = played.config_maps["tm-stopped"]["metadata"]["labels"]
    assert labels["mintnet.io/network"] == "mintnet"


def test_it_stays_stopped_when_its_pod_is_lost(played: Played) -> None:
    stop(played, "tm-3")
    del played.pods["tm-3"]
    assert played.report()["notes"] == ["tm-3: stopped by make stop"]
    assert not played.report()["nodes"][3]["answers"]


def test_a_second_stop_does_nothing(played: Played) -> None:
    stop(played, "tm-3")
    before = list(played.calls), list(played.deleted)
    assert not stop(played, "tm-3").changed
    assert (played.calls, played.deleted) == before


def test_a_pod_that_did_not_know_yet_goes_once_more(played: Played) -> None:
    """The kubelet may be a moment behind with the ConfigMap."""
    played.stale = 1
    stop(played, "tm-3")
    assert played.deleted == ["tm-3", "tm-3"]
    assert not played.runs("tm-3")


def test_a_node_that_ends_again_and_again_is_stopped_too(played: Played) -> None:
    played.crashing = {"tm-3"}
    stop(played, "tm-3", may_halt=True)
    assert not played.runs("tm-3")


def test_a_stop_that_was_killed_is_finished(played: Played) -> None:
    """Its entry is there, and the pod still runs."""
    played.config_maps["tm-stopped"] = {"metadata": {"name": "tm-stopped"}, "data": {"tm-3": ""}}
    assert played.report()["notes"] == ["tm-3: still runs, although it was stopped: make stop NODE=tm-3 ends it"]
    stop(played, "tm-3")
    assert not played.runs("tm-3")


def test_a_started_node_is_back(played: Played) -> None:
    stop(played, "tm-3")
    assert start(played, "tm-3").changed
    assert played.deleted == ["tm-3", "tm-3"]
    assert played.stopped == set()
    assert played.report()["power"]["online"] == 40
    before = list(played.calls)
    assert not start(played, "tm-3").changed
    assert played.calls == before


def test_a_node_is_back_although_others_are_still_stopped(played: Played) -> None:
    """The chain stands still, and nobody can catch up."""
    for name in ("tm-3", "tm-2", "tm-1"):
        stop(played, name, may_halt=True)
    start(played, "tm-1")
    assert played.stopped == {"tm-2", "tm-3"}
    assert played.runs("tm-1")


# The network


def test_the_network_stops_and_remembers_its_size(played: Played) -> None:
    stop(played, may_halt=True)
    assert played.pods == {}
    assert played.workload["metadata"]["annotations"]["mintnet.io/stopped"] == "4"
    network = played.report()
    assert not network["healthy"]
    assert network["reasons"] == ["the network is stopped by make stop: no node runs"]
    assert network["next"] == ["make start starts it"]
    assert [node["stopped"] for node in network["nodes"]] == [True] * 4
    assert played.workload["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"
    assert not stop(played).changed


def test_the_network_starts_with_as_many_nodes(played: Played) -> None:
    stop(played, may_halt=True)
    assert start(played).changed
    assert sorted(played.pods) == NODES
    # As create would have it, so that it has nothing to do.
    assert played.workload["metadata"]["annotations"] == {"mintnet.io/nodes": "4", "mintnet.io/stopped": ""}
    assert played.report()["healthy"]
    assert not start(played).changed


def test_a_size_that_somebody_changes_meanwhile_is_remembered(played: Played) -> None:
    def scale() -> None:
        played.workload["spec"]["replicas"] = 3
        played.workload["metadata"]["resourceVersion"] = "9"

    played.before_merge = [scale]
    stop(played, may_halt=True)
    assert played.workload["metadata"]["annotations"]["mintnet.io/stopped"] == "3"


def test_start_brings_back_single_nodes_too(played: Played) -> None:
    stop(played, "tm-3")
    stop(played, may_halt=True)
    assert plan_start(played.report()).nodes == NODES
    start(played)
    assert played.stopped == set()
    assert played.report()["power"]["online"] == 40


def test_what_kubectl_scale_brought_back_is_started(played: Played) -> None:
    stop(played, may_halt=True)
    played.workload["spec"]["replicas"] = 4
    network = played.report()
    assert network["healthy"]
    assert not any(node["stopped"] for node in network["nodes"])
    assert plan_start(network).nodes == []


# The power that is left


@pytest.mark.parametrize(
    ("stopped", "name", "left", "halts"),
    [
        ((), "tm-3", 30, False),
        (("tm-3",), "tm-2", 20, True),
        (("tm-3",), "tm-3", 30, False),
        ((), "", 0, True),
        (("tm-3",), "", 0, True),
    ],
)
def test_the_power_that_is_left_is_told(
    played: Played, stopped: tuple[str, ...], name: str, left: int, halts: bool
) -> None:
    for one in stopped:
        stop(played, one)
    found = plan_stop(played.report(), name)
    assert (found.power["left"], found.halts) == (left, halts)


def test_full_node_never_halts_the_chain(played: Played) -> None:
    address = played.raw["rpc"]["tm-3"][0]["result"]["validator_info"]["address"]
    played.validators = [item for item in played.validators or [] if item["address"] != address]
    stop(played, "tm-2", may_halt=True)
    found = plan_stop(played.report(), "tm-3")
    assert (found.power["left"], found.power["needed"], found.halts) == (20, 21, False)


def test_nothing_is_touched_where_nobody_said_that_the_chain_may_halt(played: Played) -> None:
    with pytest.raises(StopError, match="0 of 40 power would be left, and 27 is needed for a block") as error:
        stop(played)
    assert "asks" in error.value.result["next"]
    assert (played.calls, played.deleted) == ([], [])


# What is refused


def refused(played: Played, name: str, starts: bool = False) -> str:
    calls = list(played.calls)
    with pytest.raises(MintnetError) as error:
        (plan_start if starts else plan_stop)(played.report(), name)
    assert played.calls == calls
    return str(error.value)


@pytest.mark.parametrize("starts", [False, True])
def test_unknown_nodes_are_refused(played: Played, starts: bool) -> None:
    verb = "starting" if starts else "stopping"
    said = (
        f"{verb} tm-33 of the network mintnet: it has no such node; it has tm-0, tm-1, tm-2, tm-3; did you mean tm-3?"
    )
    assert refused(played, "tm-33", starts) == said
    played.workload["spec"]["replicas"] = 3
    assert "that node is scaled away; it has tm-0, tm-1, tm-2" in refused(played, "tm-3", starts)


@pytest.mark.parametrize("starts", [False, True])
def test_one_node_of_a_network_that_is_stopped_is_refused(played: Played, starts: bool) -> None:
    stop(played, may_halt=True)
    assert refused(played, "tm-3", starts).endswith("tm-3 of the network mintnet: the whole network is stopped")


@pytest.mark.parametrize("name", ["", "tm-3"])
def test_validators_whose_data_would_go_are_not_stopped(played: Played, name: str) -> None:
    del played.workload["spec"]["volumeClaimTemplates"]
    assert "goes with the pod (cometbft_ephemeral)" in refused(played, name)


def test_pods_of_an_older_version_would_not_wait(played: Played) -> None:
    played.workload["spec"]["template"]["spec"]["volumes"].pop()
    assert "made by an older version of this collection" in refused(played, "tm-3")
    assert plan_stop(played.report()).nodes == NODES


@pytest.mark.parametrize("starts", [False, True])
def test_nothing_there(played: Played, starts: bool) -> None:
    network = report(Observed("other", datetime.fromisoformat(RECORDED["now"])))
    with pytest.raises(StopError, match="ing the network other: there is no namespace other"):
        (plan_start if starts else plan_stop)(network)


def test_pods_that_do_not_end_are_named(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played, "settle", lambda: None)
    with pytest.raises(StopError, match=r"tm-0, tm-1, tm-2, tm-3 did not end in time"):
        stop(played, may_halt=True, timeout=0.01)


def test_the_only_sentry_takes_those_behind_it_along(played: Played) -> None:
    network = played.report()
    network["groups"].append({**network["groups"][0], "name": "sentry", "replicas": 2})
    sentry = {**network["nodes"][0], "name": "sentry-0", "power": 0, "dials": ["tm-0", "tm-1"]}
    network["nodes"].append(sentry)
    for node in network["nodes"][:2]:
        node.update(dials=["sentry-0"], peers=1)
    found = plan_stop(network, "sentry-0")
    assert (found.nodes, found.power["left"], found.halts) == (["sentry-0"], 20, True)
    network["nodes"].append({**sentry, "name": "sentry-1"})
    for node in network["nodes"][:2]:
        node.update(dials=["sentry-0", "sentry-1"], peers=2)
    found = plan_stop(network, "sentry-0")
    assert (found.power["left"], found.halts) == (40, False)
    # The other one does not answer, as it is stopped.
    network["nodes"][-1]["answers"] = False
    for node in network["nodes"][:2]:
        node.update(peers=1)
    assert plan_stop(network, "sentry-0").halts
