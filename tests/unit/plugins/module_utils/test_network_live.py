# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a network and waiting for it, over HTTP: a server answers with what a real cluster answered."""

from __future__ import annotations

import base64
import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _live, _wait
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError, connect
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import observe, read, running
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import RpcError, batch, call, pod_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._tx import Clock
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import NotReady, Waiter, record_promoted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._watch import Watcher

Json = dict[str, Any]
RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/network/running.json").read_text(encoding="utf-8"))
LISTS = {KINDS[kind].path("mintnet"): kind for kind in RECORDED if kind in KINDS and kind != "Namespace"}


HANG_UP = 0
"""Instead of a status: the connection ends under the request, once."""


class Recorded:
    """What the server answers; a test changes it to tell another story."""

    def __init__(self) -> None:
        self.data: Json = copy.deepcopy(RECORDED)
        self.refused: dict[str, int] = {}
        self.silent: set[str] = set()
        self.hung_up: set[str] = set()
        self.missing_once: set[str] = set()
        self.logs: dict[str, str] = {}
        self.geneses: dict[str, Json] = {}
        self.in_consensus: set[str] = set()
        self.apps: dict[str, Json] = {}
        self.away = 0
        self.height = 164
        self.rise = 0
        self.requests: list[tuple[str, str, Any]] = []
        self.selectors: dict[str, list[str]] = {}

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.requests.append((method, path, body))
        if path in self.missing_once:
            self.missing_once.remove(path)
            return 404, {"reason": "NotFound", "message": f"{path} not found"}
        if method == "POST" and path == "/api/v1/namespaces/mintnet/configmaps" and not self.refused:
            return 409, {"reason": "AlreadyExists", "message": "it exists"}
        if self.away:
            self.away -= 1
            return 503, {"reason": "ServiceUnavailable", "message": "apiserver not ready"}
        if path in self.refused:
            return self.refused[path], {"reason": "Refused", "message": f"{path} is refused"}
        if "/proxy/" in path:
            return self.rpc(path.split("/pods/")[1].split(":")[0], body)
        if method == "GET" and path == "/api/v1/namespaces/mintnet":
            return 200, self.data["Namespace"]
        if method == "GET" and path in LISTS:
            return 200, {"items": self.data[LISTS[path]]}
        if method == "GET" and path.endswith(("/persistentvolumeclaims", "/nodes", "/resourcequotas")):
            return 200, {"items": self.data.get(path.rsplit("/", 1)[1], [])}
        if path.endswith("/log"):
            return 200, self.logs[path.split("/")[-2]].encode()
        if method == "PATCH" and path.endswith("/configmaps/tm-started"):
            return 200, body
        return 404, {"reason": "NotFound", "message": f"{path} not found"}

    def rpc(self, pod: str, body: Any) -> tuple[int, Any]:
        if pod in self.hung_up:
            self.hung_up.remove(pod)
            return HANG_UP, None
        if pod in self.silent:
            return 503, {"reason": "ServiceUnavailable", "message": "dial tcp: connection refused"}
        if isinstance(body, dict):
            if body["method"] == "validators":
                return 200, self.data["validators"]
            if body["method"] == "consensus_state" and pod in self.in_consensus:
                return 200, {"id": 0, "result": {"round_state": {}}}
            if body["method"] == "abci_info" and pod in self.apps:
                return 200, {"id": 0, "result": {"response": self.apps[pod]}}
            if body["method"] == "genesis" and pod in self.geneses:
                return 200, {"id": 0, "result": {"genesis": self.geneses[pod]}}
            return 200, {"id": 0, "error": {"message": "Internal error", "data": f"no {body['method']} here"}}
        answers = copy.deepcopy(self.data["rpc"][pod])
        self.height += self.rise
        answers[0]["result"]["sync_info"]["latest_block_height"] = str(self.height)
        return 200, answers[: len(body)]


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def api(recorded: Recorded, tmp_path: Path) -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = recorded.answer(self.command, urlsplit(self.path).path, body)
            recorded.headers = dict(self.headers)  # type: ignore[attr-defined]
            recorded.query = parse_qs(urlsplit(self.path).query)  # type: ignore[attr-defined]
            for selector in recorded.query.get("labelSelector", []):  # type: ignore[attr-defined]
                recorded.selectors.setdefault(urlsplit(self.path).path, []).append(selector)
            if status == HANG_UP:
                self.close_connection = True
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Date", format_datetime(datetime.fromisoformat(recorded.data["now"]), usegmt=False))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = handle_any

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "a-token"}}],
        "contexts": [{"name": "ours", "context": {"cluster": "c", "user": "u"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    yield Api(connect(str(path), "ours"))
    server.shutdown()
    server.server_close()


# Requests


def test_the_users_credentials_go_along(api: Api, recorded: Recorded) -> None:
    assert len(api.list("listing", "Pod", "mintnet", "a=b")) == 4
    assert recorded.headers["authorization"] == "Bearer a-token"  # type: ignore[attr-defined]
    assert recorded.query == {"labelSelector": ["a=b"]}  # type: ignore[attr-defined]


def test_an_object_that_is_not_there(api: Api, recorded: Recorded) -> None:
    assert api.get("reading", "Secret", "mintnet", "none") is None
    recorded.refused["/api/v1/namespaces/mintnet/secrets/none"] = 403
    with pytest.raises(ClusterError, match=r"^reading: .* is refused \(403\); the user of context ours lacks") as error:
        api.get("reading", "Secret", "mintnet", "none")
    assert error.value.status == 403


def test_apply_is_the_servers_and_ours(api: Api, recorded: Recorded) -> None:
    definition = {"kind": "ConfigMap", "metadata": {"name": "tm-started", "namespace": "mintnet"}, "data": {"a": "b"}}
    assert api.apply("applying", definition, dry_run=True) == definition
    assert recorded.headers["Content-Type"] == "application/apply-patch+yaml"  # type: ignore[attr-defined]
    assert recorded.query["fieldManager"] == ["mintnet"]  # type: ignore[attr-defined]
    assert recorded.query["dryRun"] == ["All"]  # type: ignore[attr-defined]


def test_side_by_side_keeps_what_succeeded(api: Api) -> None:
    found = api.side_by_side(
        {
            "good": lambda: api.get("reading", "Namespace", name="mintnet"),
            "bad": lambda: api.request("asking", "GET", "/nowhere"),
        }
    )
    assert isinstance(found["good"], dict)
    assert isinstance(found["bad"], ClusterError)
    assert found["bad"].status == 404
    assert api.side_by_side({}) == {}


def test_paths() -> None:
    assert KINDS["StatefulSet"].path("n", "tm") == "/apis/apps/v1/namespaces/n/statefulsets/tm"
    assert KINDS["Namespace"].path("ignored", "n") == "/api/v1/namespaces/n"
    assert KINDS["Pod"].path() == "/api/v1/pods"


# RPC


def test_a_nodes_refusal_is_an_error_in_words(api: Api) -> None:
    with pytest.raises(RpcError, match=r"^block: no block here$"):
        call(pod_proxy(api, "mintnet", "tm-0"), "block", height="5")


def test_a_batch_keeps_its_order_and_its_errors() -> None:
    def transport(body: Any) -> Any:
        return [{"id": 1, "error": {"message": "no", "data": ""}}, {"id": 0, "result": {"a": 1}}]

    good, bad, missing = batch(transport, [("a", {}), ("b", {}), ("c", {})])
    assert good == {"a": 1}
    assert str(bad) == "b: no"
    assert str(missing) == "c: no result in the answer"
    with pytest.raises(RpcError, match="a batch of 1 calls"):
        batch(lambda _body: {"error": "too large"}, [("a", {})])


def test_an_answer_that_is_no_json(api: Api, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "rpc", lambda _pod, _body: (200, b"<html>"))
    with pytest.raises(ClusterError, match="the answer is no JSON"):
        call(pod_proxy(api, "mintnet", "tm-0"), "status")


# Looks


def test_one_look(api: Api, recorded: Recorded) -> None:
    network = read(api, "mintnet")
    assert network["healthy"], network["reasons"]
    assert network["height"] == 164
    # One request for each kind, one for each node, and one for the validators; no events, as nothing is wrong.
    assert len(recorded.requests) == 7 + 4 + 1
    assert not any("secrets" in path for _method, path, _body in recorded.requests)


def test_events_are_read_where_a_node_is_silent(api: Api, recorded: Recorded) -> None:
    recorded.silent = {"tm-3"}
    network = read(api, "mintnet")
    (reason,) = network["reasons"]
    assert reason.startswith("tm-3: does not answer: asking tm-3 over RPC: dial tcp: connection refused (503)")
    assert any(path.endswith("/events") for _method, path, _body in recorded.requests)


def test_nothing_is_looked_for_where_a_node_is_stopped(api: Api, recorded: Recorded) -> None:
    recorded.data["ConfigMap"].append({"metadata": {"name": "tm-stopped"}, "data": {"tm-3": ""}})
    pod = recorded.data["Pod"][3]
    pod["status"].update(phase="Pending", containerStatuses=[], initContainerStatuses=[])
    assert "tm-3: stopped by make stop" in read(api, "mintnet")["notes"]
    assert len(recorded.requests) == 7 + 3 + 1


def test_a_connection_that_ends_is_no_verdict_on_a_node(api: Api, recorded: Recorded) -> None:
    recorded.hung_up.add("tm-3")
    assert read(api, "mintnet")["healthy"]


def test_powers_that_are_known_stay_when_nobody_tells_them(
    api: Api, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = observe(api, "mintnet")
    assert first.validators
    monkeypatch.setattr(_live, "_validators", lambda _transport: None)
    assert observe(api, "mintnet", first).validators == first.validators
    assert observe(api, "mintnet").validators is None


def test_what_may_change_something_is_not_sent_again(api: Api, recorded: Recorded) -> None:
    recorded.hung_up.add("tm-3")
    with pytest.raises(ClusterError):
        call(pod_proxy(api, "mintnet", "tm-3"), "broadcast_tx_sync", tx="")
    assert len(recorded.requests) == 1


def test_only_pods_of_a_group_are_nodes(api: Api, recorded: Recorded) -> None:
    read(api, "mintnet")
    running(api, "mintnet")
    pods = KINDS["Pod"].path("mintnet")
    assert recorded.selectors[pods] == ["mintnet.io/network=mintnet,tm"] * 2
    assert recorded.selectors[KINDS["ConfigMap"].path("mintnet")] == ["mintnet.io/network=mintnet"]


def test_a_container_that_does_not_run_is_not_asked(api: Api, recorded: Recorded) -> None:
    recorded.data["Pod"][0]["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "PodInitializing"}}
    name = recorded.data["Pod"][0]["metadata"]["name"]
    assert name not in observe(api, "mintnet").answers
    assert running(api, "mintnet") == ["tm-1", "tm-2", "tm-3"]


def test_what_a_user_may_not_read_is_said(api: Api, recorded: Recorded) -> None:
    recorded.refused["/api/v1/namespaces/mintnet"] = 403
    recorded.refused["/apis/policy/v1/namespaces/mintnet/poddisruptionbudgets"] = 403
    network = read(api, "mintnet")
    assert network["healthy"]
    assert "Namespace: reading it is forbidden" in network["not_verified"]
    assert "PodDisruptionBudget: reading it is forbidden" in network["not_verified"]


def test_a_server_in_trouble_is_an_error(api: Api, recorded: Recorded) -> None:
    recorded.refused["/apis/apps/v1/namespaces/mintnet/statefulsets"] = 500
    with pytest.raises(ClusterError, match=r"^reading the network mintnet: "):
        read(api, "mintnet")


def test_no_namespace(api: Api, recorded: Recorded) -> None:
    recorded.refused["/api/v1/namespaces/mintnet"] = 404
    for kind in ("StatefulSet", "Pod", "ConfigMap", "Service", "PodDisruptionBudget"):
        recorded.data[kind] = []
    network = read(api, "mintnet")
    assert not network["exists"]
    assert not network["namespace"]["exists"]


# Waiting


@pytest.mark.parametrize(("updates", "names"), [(None, []), ([{"power": "10"}], ["tm-0", "tm-1", "tm-2", "tm-3"])])
def test_who_is_given_a_vote_is_recorded(
    api: Api, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, updates: Any, names: list[str]
) -> None:
    (started,) = [item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] == "tm-started"]
    started["data"] = {}
    asked: list[str] = []

    def results(_transport: Any, method: str, **arguments: str) -> Json:
        asked.append(f"{method} {arguments['height']}")
        return {"validator_updates": updates}

    monkeypatch.setattr(_wait, "call", results)
    assert record_promoted(api, "mintnet", "tm-0", 150, Clock(0.1)) == names
    assert asked == ["block_results 150"]


def wait(api: Api, timeout: float = 0.5) -> tuple[Waiter, Json, list[str]]:
    told: list[str] = []
    waiter = Waiter(api, "mintnet", told.append)
    return waiter, waiter.wait(timeout, 0.01), told


def patches(recorded: Recorded) -> list[Json]:
    return [body for method, _path, body in recorded.requests if method == "PATCH"]


def test_a_chain_that_lives_is_ready_at_once(api: Api, recorded: Recorded) -> None:
    waiter, network, told = wait(api)
    assert network["healthy"]
    assert told == ["4 of 4 running · 4 of 4 answering · height 164"]
    assert not waiter.changed
    assert patches(recorded) == []


def test_who_has_started_is_recorded_once(api: Api, recorded: Recorded) -> None:
    started = next(item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] == "tm-started")
    sha256 = started["data"].pop("tm-2")
    waiter, _network, _told = wait(api)
    assert waiter.changed
    assert waiter.recorded == ["tm-2"]
    assert patches(recorded) == [{"data": {"tm-2": sha256}}]


def test_a_record_of_an_earlier_chain_is_replaced(api: Api, recorded: Recorded) -> None:
    started = next(item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] == "tm-started")
    sha256 = started["data"]["tm-1"]
    started["data"]["tm-1"] = "an earlier genesis"
    wait(api)
    assert patches(recorded) == [{"data": {"tm-1": sha256}}]


def test_a_check_run_looks_once_and_foresees_who_is_recorded(api: Api, recorded: Recorded) -> None:
    names = ["tm-0", "tm-1", "tm-2", "tm-3"]
    waiter = Waiter(api, "mintnet", lambda text: None)
    assert waiter.foresee(names)["healthy"]
    assert (waiter.changed, waiter.recorded) == (False, [])
    recorded.data["ConfigMap"] = [
        item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] != "tm-started"
    ]
    waiter.foresee(names)
    assert (waiter.changed, waiter.recorded) == (True, names)
    assert {method for method, path, _body in recorded.requests if "proxy" not in path} == {"GET"}


def test_a_record_that_another_run_makes_meanwhile_is_added_to(api: Api, recorded: Recorded) -> None:
    recorded.data["ConfigMap"] = [
        item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] != "tm-started"
    ]
    recorded.missing_once.add("/api/v1/namespaces/mintnet/configmaps/tm-started")
    waiter, _network, _told = wait(api)
    assert waiter.recorded == ["tm-0", "tm-1", "tm-2", "tm-3"]
    assert [method for method, path, _body in recorded.requests if "proxy" not in path and method != "GET"] == [
        "PATCH",
        "POST",
        "PATCH",
    ]


def test_the_record_is_made_where_there_is_none(api: Api, recorded: Recorded) -> None:
    recorded.data["ConfigMap"] = [
        item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] != "tm-started"
    ]
    recorded.refused["/api/v1/namespaces/mintnet/configmaps/tm-started"] = 404
    with pytest.raises(ClusterError, match="recording started validators"):
        wait(api)  # this server makes nothing
    method, path, body = recorded.requests[-1]
    assert (method, path) == ("POST", "/api/v1/namespaces/mintnet/configmaps")
    assert body["metadata"]["labels"]["mintnet.io/network"] == "mintnet"
    assert sorted(body["data"]) == ["tm-0", "tm-1", "tm-2", "tm-3"]


def test_an_older_chain_is_ready_when_its_height_has_risen(api: Api, recorded: Recorded) -> None:
    recorded.data["now"] = "2026-11-24T02:01:05+00:00"  # the last block is not of just now, but not late either
    recorded.rise = 1
    _waiter, network, told = wait(api)
    assert network["height"] > 165
    assert told[0].startswith("4 of 4 running")


def test_a_height_that_does_not_rise_is_not_ready(api: Api, recorded: Recorded) -> None:
    recorded.data["now"] = "2026-11-24T02:01:05+00:00"
    with pytest.raises(NotReady, match="the heights do not rise"):
        wait(api, timeout=0.05)


def test_when_the_time_is_over_the_last_state_is_returned(api: Api, recorded: Recorded) -> None:
    recorded.silent = {"tm-0", "tm-1"}
    with pytest.raises(NotReady, match=r"2 of 4 answering.*the quorum is short by 7 power") as error:
        wait(api, timeout=0.05)
    assert error.value.result["network"]["power"]["online"] == 20


def test_there_is_nothing_to_wait_for(api: Api, recorded: Recorded) -> None:
    recorded.data["StatefulSet"] = []
    with pytest.raises(NotReady, match="no network runs in namespace mintnet; create it first"):
        wait(api)


# Watching


def watch(api: Api, looks: int, between: Callable[[int], None] = lambda _look: None, **how: bool) -> list[str]:
    """What so many looks show; ``between`` is what happens after each."""
    shown: list[str] = []
    done: list[int] = []

    def wait() -> bool:
        done.append(len(done) + 1)
        between(len(done))
        return len(done) < looks

    watcher = Watcher(api, "mintnet", shown.append, **{"only_news": False, **how})
    assert watcher.watch(0, wait)["network"] == "mintnet"
    assert watcher.looks == looks
    return shown


def test_each_look_is_shown_or_only_what_is_new(api: Api, recorded: Recorded) -> None:
    assert len(watch(api, 3)) == 3
    (first,) = watch(api, 3, only_news=True)
    assert first.endswith("verdict   healthy · all agree at height 164")
    assert "blocks    one every 1.30 s · 0 transactions in the newest 4" in first

    def change(look: int) -> None:
        recorded.height += look == 1
        recorded.silent = {"tm-3"} if look == 3 else set()

    shown = watch(api, 5, change, only_news=True)
    assert [re.findall(r"height (\d+) .*(\d) of 4 answering", text) for text in shown] == [
        [("164", "4")],
        [("165", "4")],
        [("165", "3")],
        [("165", "4")],
    ]


def test_as_long_as_all_is_well_only_nodes_are_looked_at_again(api: Api, recorded: Recorded) -> None:
    def since(look: int) -> None:
        asked.append(sum(path == KINDS["ConfigMap"].path("mintnet") for _method, path, _body in recorded.requests))
        recorded.silent = {"tm-3"} if look == 3 else set()

    asked: list[int] = []
    watch(api, 5, since)
    assert asked == [1, 1, 1, 1, 2]


def test_a_watch_ends_with_its_time(api: Api, recorded: Recorded) -> None:
    watcher = Watcher(api, "mintnet", lambda _text: None, only_news=False)
    assert watcher.watch(0.05, lambda: True)["healthy"]


def test_an_api_server_that_goes_away_is_shown_and_waited_for(api: Api, recorded: Recorded) -> None:
    def away(look: int) -> None:
        recorded.away = 100 if look == 1 else 0

    first, second, third = watch(api, 3, away)
    assert "healthy" in first
    assert second.startswith("verdict   unknown\n          reading the network mintnet: ")
    assert third == first
    recorded.away = 100
    with pytest.raises(ClusterError):
        watch(api, 1)


def test_a_network_that_is_made_meanwhile_appears(api: Api, recorded: Recorded) -> None:
    there, recorded.data = recorded.data, {**recorded.data, "StatefulSet": [], "Pod": [], "ConfigMap": []}

    def made(_look: int) -> None:
        recorded.data = there

    before, after = watch(api, 2, made)
    assert "no network runs in namespace mintnet" in before
    assert "verdict   healthy" in after


# Waiting in vain


def crash(recorded: Recorded, name: str, message: str = "") -> None:
    pod = next(pod for pod in recorded.data["Pod"] if pod["metadata"]["name"] == name)
    status = next(status for status in pod["status"]["containerStatuses"] if status["name"] == "tm")
    ended = {"exitCode": 2, "message": message}
    status.update(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": ended}, restartCount=4)


def never(recorded: Recorded, *names: str) -> None:
    """The image of these pods does not exist."""
    for pod in recorded.data["Pod"]:
        if pod["metadata"]["name"] in names:
            waiting = {"reason": "ErrImagePull", "message": "rpc error: not found"}
            for status in pod["status"]["containerStatuses"]:
                status["state"] = {"waiting": waiting}


def test_the_log_of_a_node_that_left_no_words_is_read(api: Api, recorded: Recorded) -> None:
    crash(recorded, "tm-1")
    recorded.logs["tm-1"] = "I[..] start\npanic: state.AppHash does not match AppHash after replay\n\ngoroutine 1\n"
    network = read(api, "mintnet")
    node = next(node for node in network["nodes"] if node["name"] == "tm-1")
    assert node["log"] == ["panic: state.AppHash does not match AppHash after replay"]
    assert "same application" in node["next"]
    assert network["next"] == [f"tm-1: {node['next']}"]


def test_a_node_whose_last_words_tell_all_needs_no_log(api: Api, recorded: Recorded) -> None:
    crash(recorded, "tm-1", "ERROR: failed to create node: error in genesis doc hash\n")
    network = read(api, "mintnet")
    assert network["nodes"][1]["log"] == ["ERROR: failed to create node: error in genesis doc hash"]
    assert not any(path.endswith("/log") for _method, path, _body in recorded.requests)


def test_a_node_that_stands_still_is_asked_for_its_genesis(api: Api, recorded: Recorded) -> None:
    genesis = json.loads(
        next(item for item in recorded.data["ConfigMap"] if item["metadata"]["name"] == "tm-config")["data"][
            "genesis.json"
        ]
    )
    recorded.geneses["tm-2"] = {**genesis, "genesis_time": "2020-01-01T00:00:00Z"}
    recorded.logs["tm-2"] = "E[..] CONSENSUS FAILURE!!! err=x\n"
    recorded.data["rpc"]["tm-2"][1]["result"].update(n_peers="0", peers=[])
    (reason,) = read(api, "mintnet")["reasons"]
    assert reason.startswith("tm-2: runs with another genesis than the network's: its genesis_time is 2020-01-01")
    recorded.geneses["tm-2"] = genesis
    (reason,) = read(api, "mintnet")["reasons"]
    assert reason == "tm-2: no peers, of 3"


def test_a_node_whose_application_does_not_answer(api: Api, recorded: Recorded) -> None:
    """Only where blocks are late is anybody asked, and it is told with the application's last words."""
    for pod in recorded.data["Pod"]:
        pod["spec"].setdefault("containers", []).append({"name": "app"})
    recorded.logs = {f"tm-{number}": "I counting\n" for number in range(4)}
    assert read(api, "mintnet")["reasons"] == []
    assert not any(body and "consensus_state" in str(body) for _method, _path, body in recorded.requests)
    recorded.data["now"] = "2026-11-24T02:05:00+00:00"
    recorded.in_consensus = {"tm-0", "tm-1", "tm-3"}
    network = read(api, "mintnet")
    reason, late = network["reasons"]
    assert reason.startswith("tm-2: waits for its application")
    assert late.startswith("no block for ")
    assert network["nodes"][2]["log"] == ["I counting"]
    assert "CONTAINER=app" in network["next"][0]


def told_by(app: str, height: int = 164) -> Json:
    return {"last_block_height": str(height), "last_block_app_hash": base64.b64encode(app.encode()).decode()}


def test_applications_that_differ_where_no_block_follows(api: Api, recorded: Recorded) -> None:
    """What they compute differs, and every node holds the same blocks still."""
    for pod in recorded.data["Pod"]:
        pod["spec"].setdefault("containers", []).append({"name": "app"})
    recorded.logs = {f"tm-{number}": "I counting\n" for number in range(4)}
    recorded.in_consensus = set(recorded.logs)
    recorded.apps = {name: told_by(name) for name in recorded.logs}
    assert read(api, "mintnet")["healthy"]
    assert not any(body and "abci_info" in str(body) for _method, _path, body in recorded.requests)
    recorded.data["now"] = "2026-11-24T02:05:00+00:00"
    network = read(api, "mintnet")
    *reasons, late = network["reasons"]
    assert reasons == [
        f"{name}: its application has app hash {name.encode().hex().upper()}… after block 164, where {differing}"
        for name, differing in dict.fromkeys(sorted(recorded.apps), "the others' have others").items()
    ]
    assert late.startswith("no block for ")
    (step,) = network["next"]
    assert step.startswith("tm-0, tm-1, tm-2, tm-3: run the same application and version everywhere")
    assert step.endswith("make logs NODE=tm-0 CONTAINER=app")
    assert [node["log"] for node in network["nodes"]] == [["I counting"]] * 4


def test_an_application_that_differs_from_most(api: Api, recorded: Recorded) -> None:
    """It may be one program with the node; who tells no hash, or stands elsewhere, is not compared."""
    recorded.data["now"] = "2026-11-24T02:05:00+00:00"
    recorded.logs["tm-2"] = "I counting\n"
    recorded.apps = {"tm-0": told_by("a"), "tm-1": told_by("a"), "tm-2": told_by("b"), "tm-3": told_by("c", 163)}
    reason, _late = read(api, "mintnet")["reasons"]
    assert reason == "tm-2: its application has app hash 62… after block 164, where 2 of 3 have 61…"
    recorded.apps = {"tm-0": told_by("a"), "tm-1": told_by("a"), "tm-2": {"data": "kv"}, "tm-3": {}}
    (late,) = read(api, "mintnet")["reasons"]
    assert late.startswith("no block for ")


REFUSED = (
    "E[2026-11-27|18:04:56.602] prevote step: consensus deems this block invalid; prevoting nil module=consensus "
    'height={} round=7 err="wrong Block.Header.AppHash.  Expected {}, got 0000000000000000"\n'
)


def test_applications_that_differ_from_the_beginning(api: Api, recorded: Recorded) -> None:
    """Of which they tell nothing; what their nodes refuse tells it."""
    for pod in recorded.data["rpc"]:
        recorded.data["rpc"][pod][2]["result"]["block_metas"] = []
        recorded.logs[pod] = (
            f"{REFUSED.format(1, 'AA')}{REFUSED.format(1, 'CC' if pod == 'tm-1' else 'BB')}I[..] next\n"
        )
    recorded.height = 0
    reason, none = read(api, "mintnet")["reasons"]
    assert reason == "tm-1: its application has app hash CC… after InitChain, where 3 of 4 have BB…"
    assert none == "there is no block yet"


def test_a_state_that_does_not_heal_ends_the_wait_early(
    api: Api, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "LASTING", 0.2)
    never(recorded, "tm-1", "tm-2")
    with pytest.raises(NotReady, match=r"^waiting \d s of 60 s .*; not waited for any longer, as this does") as error:
        wait(api, timeout=60)
    result = error.value.result
    assert result["why"][1].startswith("tm-1, tm-2: the image ")
    assert result["next"][0].startswith("tm-1, tm-2: name an image that exists")
    assert result["network"]["nodes"][1]["lasting"]


def test_a_state_that_heals_in_time_is_waited_for(
    api: Api, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "LASTING", 30.0)
    whole = copy.deepcopy(recorded.data["Pod"])
    never(recorded, "tm-1")
    threading.Timer(0.3, lambda: recorded.data.update(Pod=whole)).start()
    _waiter, network, _told = wait(api, timeout=20)
    assert network["healthy"]


def test_an_api_server_that_is_away_for_a_while_is_waited_for(api: Api, recorded: Recorded) -> None:
    recorded.away = 9
    _waiter, network, told = wait(api, timeout=20)
    assert network["healthy"]
    assert told[0].startswith("waiting for the API server: reading the network mintnet: apiserver not ready (503)")
    assert told[1] == "the API server answers again"


def test_an_api_server_that_stays_away_is_the_cause(api: Api, recorded: Recorded) -> None:
    recorded.away = 10**9
    with pytest.raises(NotReady, match=r"^waiting 0\.3 s for the network mintnet: reading .* \(503\)$") as error:
        wait(api, timeout=0.3)
    assert error.value.result["next"] == [
        "have the API server running again, then run create again: what is there is kept"
    ]


def test_refused_credentials_are_not_waited_for(api: Api, recorded: Recorded) -> None:
    recorded.refused["/api/v1/namespaces/mintnet/pods"] = 401
    with pytest.raises(ClusterError, match="the credentials of context ours are refused: renew them"):
        wait(api, timeout=60)


def test_a_namespace_that_ends_meanwhile(api: Api, recorded: Recorded) -> None:
    held = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "tests/hold in 1 resource instances"}
    recorded.data["Namespace"]["status"] = {"phase": "Terminating", "conditions": [held]}
    with pytest.raises(NotReady, match=r"the namespace mintnet is being deleted \(tests/hold in 1 ") as error:
        wait(api, timeout=60)
    assert error.value.result["next"] == [
        "run create again when it is gone; what has a finalizer waits for whoever set it"
    ]


def test_no_request_lasts_longer_than_the_wait(api: Api, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    call = api.cluster.call

    def noted(*arguments: Any, _request_timeout: tuple[float, float], **options: Any) -> Any:
        asked.append(_request_timeout)
        return call(*arguments, _request_timeout=_request_timeout, **options)

    monkeypatch.setattr(api.cluster, "call", noted)
    wait(api, timeout=2)
    assert asked
    assert all(seconds <= 2 for timeout in asked for seconds in timeout)


def test_power_by_zone_is_told_where_machines_may_be_seen(api: Api, recorded: Recorded) -> None:
    names = {pod["spec"]["nodeName"] for pod in recorded.data["Pod"]}
    zones = {**dict.fromkeys(names, "a"), "another": "b"}
    recorded.data["nodes"] = [
        {"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}} for name, zone in zones.items()
    ]
    network = read(api, "mintnet")
    assert network["places"]["zones"] == {"a": 40}
    assert "zone a holds 40 of 40 power, a third or more: without it no block is made" in network["notes"]
    recorded.refused["/api/v1/nodes"] = 403
    network = read(api, "mintnet")
    assert (network["places"]["zones"], network["not_verified"]) == ({}, [])
