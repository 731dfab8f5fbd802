# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes replaced one by one, on a network that is played: pods come back at the newest revision, or do not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _live, _recover, _roller
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._recover import RecoverError, Recovery, needed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roll import PEERS, REVISION
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roller import Roller, RollError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import Waiter

Json = dict[str, Any]


class Played:
    """A network and the requests that reach its cluster. Each look makes a block if there is a quorum."""

    def __init__(self, count: int = 4) -> None:
        self.nodes = {
            f"tm-{n}": {"power": 10, "outdated": True, "answers": True, "uid": f"old-{n}"} for n in range(count)
        }
        self.broken: set[str] = set()
        self.lost: set[str] = set()
        self.stopped: set[str] = set()
        self.missing: dict[str, list[str]] = {}
        self.started = dict.fromkeys(self.nodes, "5a")
        self.revision = "new"
        self.height = 100
        self.budget: Json | None = {
            "spec": {
                "minAvailable": 3,
                "selector": {"matchExpressions": [{"values": [f"tm-{n}" for n in range(count)]}]},
            }
        }
        self.budgets: list[int] = []
        self.deleted: list[str] = []
        self.merged: list[Json] = []

    @property
    def power(self) -> dict[str, int]:
        total = 10 * len(self.nodes)
        online = 10 * sum(bool(node["answers"]) for node in self.nodes.values())
        needed = total * 2 // 3 + 1
        return {"total": total, "online": online, "needed": needed, "short": max(0, needed - online)}

    def report(self, seen: Any) -> Json:
        if not self.power["short"]:
            self.height += 1
        nodes = [
            {
                "name": name,
                "power": node["power"],
                "answers": node["answers"],
                "catching_up": False,
                "age": 60,
                "outdated": node["outdated"],
                "height": self.height if node["answers"] else None,
                "peers": 3,
                "peers_expected": 3,
                "peers_missing": self.missing.get(name, []),
                "log": [],
                "dials": [other for other in self.nodes if other != name],
                "reason": "" if node["answers"] else "the image of tm cannot be pulled",
                "state_lost": name in self.lost,
                "stopped": name in self.stopped,
                "pod": "Running",
                "ready": node["answers"] or node.get("ready", False),
            }
            for name, node in self.nodes.items()
        ]
        return {
            "network": "mintnet",
            "exists": True,
            "height": self.height,
            "nodes": nodes,
            "groups": [{"name": "tm", "ephemeral": False, "revision": self.revision, "outdated": [], "validators": 4}],
            "empty_blocks": True,
            "genesis": {"sha256": "5a", "initial_height": 1},
            "started": seen.started if seen else {},
            "power": self.power,
            "reasons": [],
        }

    def observe(self, _api: Any, _network: str, before: Any = None) -> Any:
        """With a look before, records are not looked at again."""

        def pod(name: str, node: Json) -> Json:
            waiting = {"waiting": {"reason": "ErrImagePull"}}
            found: Json = {
                "metadata": {"name": name, "uid": node["uid"]},
                "status": {"containerStatuses": [] if node["answers"] else [{"name": "tm", "state": waiting}]},
            }
            if name in self.stopped:
                init = {"name": "tm-gen-validator", "state": {"running": {}}}
                found["status"] = {"initContainerStatuses": [init]}
            return found

        pods = [pod(name, node) for name, node in self.nodes.items()]
        return SimpleNamespace(pods=pods, started=before.started if before else dict(self.started))

    # What the API server is asked for

    def request(self, _doing: str, method: str, path: str, body: Json | None = None) -> None:
        assert method == "DELETE"
        name = path.rpartition("/")[2]
        node = self.nodes[name]
        assert (body or {}).get("preconditions", {"uid": node["uid"]}) == {"uid": node["uid"]}
        self.deleted.append(name)
        # The new pod is there at once, and what it was made for is on the next look.
        node.update(uid=f"new-{len(self.deleted)}", outdated=False, answers=name not in self.broken | self.stopped)
        self.lost.discard(name)
        self.missing = {
            one: [other for other in others if name not in (one, other)] for one, others in self.missing.items()
        }

    def get(self, _doing: str, _kind: str, _namespace: str, _name: str) -> Json | None:
        return self.budget

    def merge(self, _doing: str, kind: str, _namespace: str, _name: str, patch: Json) -> None:
        self.merged.append(patch)
        if kind == "ConfigMap":
            self.started.update(patch["data"])
        if kind == "PodDisruptionBudget":
            assert self.budget
            self.budget["spec"].update(patch["spec"])
            self.budgets.append(patch["spec"]["minAvailable"])


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    found = Played()
    monkeypatch.setattr(_live, "observe", found.observe)
    for module in (_roller, _recover):
        monkeypatch.setattr(module, "report", found.report)
    monkeypatch.setattr(_roller, "explain", lambda _api, seen: found.report(seen))
    monkeypatch.setattr(_roller, "SETTLE", 0.05)
    monkeypatch.setattr(_roller, "PATIENCE", 0.05)
    monkeypatch.setattr(_recover, "PATIENCE", 0.05)
    return found


def roller(played: Played, cause: str = REVISION) -> Roller:
    return Roller(played, "mintnet", cause, 3, [].append, sleep=0.001)  # type: ignore[arg-type]


def test_all_are_replaced_one_by_one(played: Played) -> None:
    rolling = roller(played)
    rolling.roll(5)
    assert rolling.replaced == played.deleted == ["tm-3", "tm-2", "tm-1", "tm-0"]
    assert rolling.changed


def test_a_stopped_node_waits_again_with_the_newest_template(played: Played) -> None:
    played.stopped = {"tm-3"}
    played.nodes["tm-3"]["answers"] = False
    rolling = roller(played)
    rolling.may_halt = ["tm-2", "tm-1", "tm-0"]
    rolling.roll(5)
    assert rolling.replaced == ["tm-3", "tm-2", "tm-1", "tm-0"]
    assert not played.nodes["tm-3"]["answers"]


def test_a_stopped_node_is_not_recovered(played: Played) -> None:
    played.stopped = {"tm-3"}
    with pytest.raises(RecoverError, match=r"start it first \(make start\)"):
        needed(played.report(None), "tm-3")


def test_no_eviction_is_allowed_meanwhile(played: Played) -> None:
    roller(played).roll(5)
    assert played.budgets == [4, 3]


def test_nothing_to_do_changes_nothing(played: Played) -> None:
    for node in played.nodes.values():
        node["outdated"] = False
    rolling = roller(played)
    rolling.roll(5)
    assert (rolling.changed, played.deleted, played.budgets) == (False, [], [])


def test_what_does_not_work_stops_at_the_first_node(played: Played) -> None:
    played.broken = set(played.nodes)
    rolling = roller(played)
    with pytest.raises(RollError, match=r"^replacing tm-3 \(1 of 4\) of the network mintnet: the image") as error:
        rolling.roll(5)
    assert played.deleted == ["tm-3"]
    assert played.budgets == [4]
    assert error.value.result["left"] == ["tm-2", "tm-1", "tm-0"]
    assert "the chain goes on" in str(error.value)


def test_a_mended_change_goes_on_with_the_broken_node(played: Played) -> None:
    played.broken = set(played.nodes)
    with pytest.raises(RollError):
        roller(played).roll(5)
    played.broken = set()
    for node in played.nodes.values():
        node["outdated"] = True
    again = roller(played)
    again.roll(5)
    assert again.replaced == ["tm-3", "tm-2", "tm-1", "tm-0"]
    assert played.budgets == [4, 3]


def test_no_node_goes_while_the_quorum_needs_it(played: Played) -> None:
    played.nodes["tm-3"].update(answers=False, outdated=False)
    played.nodes["tm-2"]["outdated"] = False
    with pytest.raises(RollError, match=r"replacing tm-1 .* would leave the chain 7 power short") as error:
        roller(played).roll(0.02)
    assert played.deleted == []
    assert "make status" in error.value.result["next"]


def test_three_validators_are_replaced_although_the_chain_halts(played: Played) -> None:
    del played.nodes["tm-3"]
    rolling = roller(played)
    halting = rolling.look().halting
    assert halting == ["tm-2", "tm-1", "tm-0"]
    with pytest.raises(RollError, match="stand still while tm-2, tm-1, tm-0 restarts, which nobody has confirmed"):
        rolling.roll(5)
    assert (played.deleted, played.budgets) == ([], [])
    rolling.may_halt = halting
    rolling.roll(5)
    assert rolling.replaced == ["tm-2", "tm-1", "tm-0"]


def test_template_that_the_cluster_has_not_seen_is_no_nothing_to_do(played: Played) -> None:
    played.revision = ""
    with pytest.raises(RollError, match="has not taken notice of the newest template"):
        roller(played).roll(5)
    assert played.deleted == []


def test_node_that_missed_one_question_is_not_taken_for_dead(played: Played) -> None:
    """Its readiness says that it votes, and the quorum needs it."""
    played.nodes["tm-3"].update(answers=False, ready=True)
    played.nodes["tm-2"].update(answers=False, outdated=False)
    with pytest.raises(RollError, match="power short"):
        roller(played).roll(0.02)
    assert played.deleted == []


def test_node_that_another_run_replaces_is_left_alone(played: Played) -> None:
    rolling = roller(played)
    looks = 0
    report = played.report

    def later(seen: Any) -> Json:
        nonlocal looks
        looks += 1
        if looks == 2:
            played.nodes["tm-3"].update(uid="theirs", outdated=False)
        return report(seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_roller, "report", later)
        rolling.roll(5)
    assert played.deleted == ["tm-2", "tm-1", "tm-0"]


@pytest.mark.parametrize("status", [404, 403])
def test_budget_that_the_user_may_not_make_is_no_hindrance(
    played: Played, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def get(*_args: Any) -> None:
        if status == 403:
            raise ClusterError("forbidden", 403)

    monkeypatch.setattr(played, "get", get)
    roller(played).roll(5)
    assert played.deleted == ["tm-3", "tm-2", "tm-1", "tm-0"]


def test_validators_on_ephemeral_volumes_stay(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def report(seen: Any) -> Json:
        network = played.report(seen)
        network["groups"][0]["ephemeral"] = True
        return network

    monkeypatch.setattr(_roller, "report", report)
    with pytest.raises(FaultsError, match="start a new chain with reset"):
        roller(played).roll(5)
    assert played.deleted == []


def test_lost_peers_are_brought_back_by_one_restart(played: Played) -> None:
    for node in played.nodes.values():
        node["outdated"] = False
    played.missing = {"tm-1": ["tm-2"], "tm-2": ["tm-1"]}
    rolling = roller(played, PEERS)
    rolling.roll(5)
    assert len(played.deleted) == 1
    assert played.budgets == []


# A lost volume


def test_only_a_lost_state_is_recovered(played: Played) -> None:
    network = played.report(None)
    assert not needed(network, "tm-1")
    with pytest.raises(
        RecoverError, match=r"^recovering tm-9: the network mintnet has no such node; it has tm-0, tm-1"
    ):
        needed(network, "tm-9")


def lose(played: Played) -> Recovery:
    played.nodes["tm-3"]["answers"] = False
    played.lost = {"tm-3"}
    return Recovery(played, "mintnet", "tm-3", [].append, sleep=0.001)  # type: ignore[arg-type]


def test_it_votes_again_behind_whatever_it_may_have_signed(played: Played) -> None:
    recovery = lose(played)
    height = played.height + 1
    recovery.recover(5)
    assert played.merged[0] == {"data": {"tm-3": f"5a {height + 3}"}}
    assert played.deleted == ["tm-3"]
    # It has a state now, and may not start without one again.
    assert played.merged[-1]["data"]["tm-3"] == "5a"


def test_permission_that_a_killed_run_left_is_closed(played: Played) -> None:
    played.started["tm-3"] = "5a 103"
    recovery = Recovery(played, "mintnet", "tm-3", [].append, sleep=0.001)  # type: ignore[arg-type]
    assert recovery.close(recovery.look())
    assert played.started["tm-3"] == "5a"
    recovery = Recovery(played, "mintnet", "tm-3", [].append, sleep=0.001)  # type: ignore[arg-type]
    assert not recovery.close(recovery.look())


def test_chain_that_rests_is_given_a_transaction(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without empty blocks no height comes by itself."""
    sent: list[int] = []
    report = played.report

    def resting(seen: Any) -> Json:
        played.height -= not sent or sent[-1] != played.height
        return {**report(seen), "empty_blocks": False}

    monkeypatch.setattr(_recover, "report", resting)
    monkeypatch.setattr(Waiter, "send", lambda _self, network: sent.append(network["height"]))
    lose(played).recover(5)
    assert len(sent) >= 3


def test_api_server_that_is_away_for_a_while_is_waited_for(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ClusterError("no answer"), ClusterError("etcd", 500), None, ClusterError("busy", 503)])

    def observe(*args: Any) -> Any:
        error = next(answers, None)
        if error:
            raise error
        return played.observe(*args)

    monkeypatch.setattr(_live, "observe", observe)
    rolling = roller(played)
    rolling.roll(5)
    assert rolling.replaced == ["tm-3", "tm-2", "tm-1", "tm-0"]

    def nobody(*_args: Any) -> None:
        raise ClusterError("no answer")

    monkeypatch.setattr(_live, "AWAY", 0.01)
    monkeypatch.setattr(_live, "observe", nobody)
    with pytest.raises(ClusterError, match="no answer"):
        roller(played).roll(5)


def test_a_chain_that_needs_it_is_left_alone(played: Played) -> None:
    recovery = lose(played)
    played.nodes["tm-2"]["answers"] = False
    with pytest.raises(RecoverError, match="the chain stands still at height") as error:
        recovery.recover(5)
    assert played.deleted == []
    assert played.merged == []
    assert "bring the other validators back" in error.value.result["next"]


def test_pod_that_somebody_replaced_meanwhile_is_not_deleted(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    def request(_doing: str, _method: str, path: str, body: Json) -> None:
        played.nodes[path.rpartition("/")[2]].update(uid="theirs", outdated=False)
        raise ClusterError("the uid in the precondition is another", 409, "Conflict")

    monkeypatch.setattr(played, "request", request)
    rolling = roller(played)
    rolling.roll(5)
    assert rolling.replaced == ["tm-3", "tm-2", "tm-1", "tm-0"]
