# SPDX-License-Identifier: GPL-3.0-or-later
"""The genesis of pods that make their own keys: its template, where it lies, and what is seen of it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _genesis_parts, _live
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Answer, Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import Request, request
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import (
    TEMPLATE,
    VALIDATORS,
    template_head,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import ConfigMap, TemplateMap
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_template import settle_template
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import (
    NodeAnswer,
    custody_of,
    genesis_of,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._removal import RemovalError, find
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import report

Json = dict[str, Any]
TIME = "2026-01-01T00:00:00Z"
POWERS = {"tm-0": 10, "tm-1": 7}
RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/network/running.json").read_text(encoding="utf-8"))


class Server(Api):
    """A dictionary of objects."""

    def __init__(self) -> None:
        self._workers = 1
        self.objects: dict[str, Json] = {}
        self.proxied: dict[str, bytes] = {}
        self.asked: list[str] = []

    def request(
        self, doing: str, method: str, path: str, query: Any = None, body: Any = None, *rest: Any, **more: Any
    ) -> Answer:
        self.asked.append(path)
        if path in self.proxied:
            return Answer(self.proxied[path], datetime.now(UTC))
        if method == "POST":
            path += f"/{body['metadata']['name']}"
            if path in self.objects:
                raise ClusterError(f"{doing}: it exists", 409, "AlreadyExists")
            self.objects[path] = body
        elif path.rpartition("/")[2] in {kind.plural for kind in KINDS.values()}:
            found = [item for at, item in self.objects.items() if at.rpartition("/")[0] == path]
            return Answer(json.dumps({"items": found}).encode(), datetime.now(UTC))
        elif path not in self.objects:
            raise ClusterError(f"{doing}: not found", 404)
        return Answer(json.dumps(self.objects[path]).encode(), datetime.now(UTC))


def asked(**changes: Any) -> Request:
    validators = [{"name": name, "pub_key": None, "power": power} for name, power in POWERS.items()]
    wanted: Json = {
        "version": "0.40.0",
        "chain_id": "net",
        "time": TIME,
        "validators": validators,
        "allow_pending": True,
    }
    return request(**wanted | changes)


@pytest.fixture
def server() -> Server:
    return Server()


def store(server: Server) -> TemplateMap:
    return TemplateMap(server, "net", "tm-config", {"mintnet.io/network": "net"})


def settle(server: Server, powers: dict[str, int] | None = None, *, dry_run: bool = False, **changes: Any) -> Any:
    return settle_template(store(server), asked(**changes), powers or POWERS, dry_run=dry_run)


def test_it_is_stored_once(server: Server) -> None:
    before, planned = settle(server, dry_run=True)
    assert (before, server.objects) == (None, {})
    before, text = settle(server)
    assert (before, text) == (None, planned)
    (stored,) = server.objects.values()
    assert json.loads(stored["data"][TEMPLATE])["validators"] == []
    assert '\n  "validators": [],\n' in stored["data"][TEMPLATE]
    assert stored["data"][VALIDATORS] == "tm-0 10\ntm-1 7\n"
    assert stored["immutable"] is True
    assert json.loads(text)["validators"] == [{"power": "10", "name": "tm-0"}, {"power": "7", "name": "tm-1"}]
    # A time that nobody asked for is that of the first run.
    assert settle(server, time=None) == (text, text)


@pytest.mark.parametrize(
    ("changes", "powers", "said"),
    [
        ({"chain_id": "other"}, None, "chain_id: the live chain has net, asked is other"),
        ({"time": "2026-01-02T00:00:00Z"}, None, "genesis_time: the live chain has 2026-01-01"),
        ({"app_state": {"a": 1}}, None, "app_state: the live chain has none"),
        ({}, {"tm-0": 10, "tm-1": 8}, "validators: the live chain has 2, asked are 2; they differ in tm-1"),
        ({}, {"tm-0": 10}, "validators: the live chain has 2, asked are 1; they differ in tm-1"),
    ],
)
def test_another_chain_is_refused(server: Server, changes: Json, powers: Any, said: str) -> None:
    settle(server)
    before = copy.deepcopy(server.objects)
    with pytest.raises(MintnetError, match="it is another chain") as caught:
        settle(server, powers, **changes)
    assert said in str(caught.value)
    assert server.objects == before


def test_one_kind_of_genesis_is_not_taken_for_the_other(server: Server) -> None:
    settle(server)
    with pytest.raises(MintnetError, match="a chain whose pods make their own keys"):
        ConfigMap(server, "net", "tm-config", {}).read()
    other = Server()
    ConfigMap(other, "net", "tm-config", {}).create("{}")
    with pytest.raises(MintnetError, match="was not begun with keys that pods make"):
        store(other).read()


@pytest.mark.parametrize(
    "damage", [{TEMPLATE: ""}, {TEMPLATE: "[]"}, {TEMPLATE: "{}"}, {VALIDATORS: "tm-0"}, {VALIDATORS: "tm-0 ten"}]
)
def test_a_damaged_template_is_told(server: Server, damage: Json) -> None:
    settle(server)
    (stored,) = server.objects.values()
    stored["data"] |= damage
    with pytest.raises(MintnetError, match="reading the genesis in ConfigMap net/tm-config"):
        settle(server)


def test_a_large_one_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores.CONFIG_MAP_LIMIT", 9
    )
    with pytest.raises(MintnetError, match="at most 9 can be given to them; make its app_state smaller"):
        settle(server)
    assert _genesis_parts.CONFIG_MAP_LIMIT > 9


def test_what_is_known_before_and_after_pods_have_made_it(server: Server) -> None:
    _before, text = settle(server)
    maps = list(server.objects.values())
    facts = genesis_of(maps)
    assert facts
    assert (facts["sha256"], facts["chain_id"]) == ("", "net")
    assert [(item["name"], item["address"], item["power"]) for item in facts["validators"]] == [
        ("tm-0", "", 10),
        ("tm-1", "", 7),
    ]
    made = json.loads(text)
    for item in made["validators"]:
        item["address"] = "AB"
    served = genesis_of(maps, json.dumps(made))
    assert served
    assert served["sha256"]
    assert served["validators"][0]["address"] == "AB"


def test_custody() -> None:
    def workload(*names: str) -> Json:
        return {"spec": {"template": {"spec": {"initContainers": [{"name": name} for name in names]}}}}

    config = {"metadata": {"name": "tm-config"}}
    assert custody_of([], []) is None
    assert custody_of([{**config, "data": {TEMPLATE: "{}"}}], []) == "pod"
    assert custody_of([], [workload("tm-gen-validator", "pub-key", "tm-collect")]) == "pod"
    assert custody_of([{**config, "data": {"genesis.json": "{}"}}], []) == "secret"
    assert custody_of([], [workload("tm-gen-validator")]) == "secret"


def test_a_reset_cannot_keep_what_lies_on_the_volumes(server: Server) -> None:
    settle(server)
    assert find(server, "net", chain_only=True).objects == [("ConfigMap", "tm-config")]
    with pytest.raises(RemovalError, match="their own keys, which lie on the volumes that go with the chain"):
        find(server, "net", chain_only=True, keep_keys=True)


# --- a network that runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Server:
    """The recorded network, as if its pods had made their keys and its genesis."""
    server = Server()
    data = copy.deepcopy(RECORDED)
    for kind in ("StatefulSet", "Pod", "ConfigMap", "Service", "PodDisruptionBudget"):
        for item in data.get(kind, []):
            server.objects[KINDS[kind].path("mintnet", item["metadata"]["name"])] = item
    config = server.objects[KINDS["ConfigMap"].path("mintnet", "tm-config")]
    genesis = config["data"].pop("genesis.json")
    document = json.loads(genesis)
    for item in document["validators"]:
        del item["address"], item["pub_key"]
    config["data"] |= template_head(json.dumps(document))
    rows = server.objects[KINDS["ConfigMap"].path("mintnet", "tm-nodes")]["data"]
    fields = [line.split() for line in rows["nodes"].splitlines()]
    rows["nodes"] = "".join(" ".join([*one[:2], "-", *one[3:]]) + "\n" for one in fields)
    for item in data["Pod"]:
        name = item["metadata"]["name"]
        item["status"]["initContainerStatuses"] = [{"name": "pub-key", "state": {"running": {}}}]
        server.proxied[f"{KINDS['Pod'].path('mintnet', name)}:8080/proxy/genesis.json"] = genesis.encode()
    monkeypatch.setattr(_live, "_ask_nodes", lambda _api, _seen: None)
    return server


def test_the_genesis_is_read_from_the_first_pod_that_has_it(running: Server) -> None:
    first = f"{KINDS['Pod'].path('mintnet', 'tm-0')}:8080/proxy/genesis.json"
    seen = _live.observe(running, "mintnet")
    assert seen.served == running.proxied[first].decode()
    assert [path for path in running.asked if ":8080" in path] == [first]
    # It never changes, so that it is asked for once.
    running.asked.clear()
    assert _live.observe(running, "mintnet", seen).served == seen.served
    assert not [path for path in running.asked if ":8080" in path]
    del running.proxied[first]
    assert _live.observe(running, "mintnet").served == seen.served


def test_a_recovered_node_may_sign_with_another_key(running: Server) -> None:
    """Its record says so; where there is none, it is a fault as ever."""
    seen = _live.observe(running, "mintnet")
    sha256 = str((genesis_of(seen.config_maps, seen.served) or {})["sha256"])
    started = next(item for item in seen.config_maps if item["metadata"]["name"] == "tm-started")["data"]
    for name in ("tm-0", "tm-1"):
        other = {"node_info": {"id": name, "network": "mintnet", "version": ""}, "validator_info": {"address": name}}
        sync = {"sync_info": {"latest_block_height": "1", "catching_up": False}}
        seen.answers[name] = NodeAnswer(other | sync, {"n_peers": "3", "peers": []}, {})
    started["tm-1"] = f"{sha256} 42"
    reasons = {node["name"]: node["reason"] for node in report(seen)["nodes"]}
    assert reasons["tm-0"].startswith("signs as tm-0, the genesis says ")
    assert "signs as" not in reasons["tm-1"]


def test_a_network_without_rows_is_the_mesh_that_its_pods_make(running: Server) -> None:
    rows = running.objects[KINDS["ConfigMap"].path("mintnet", "tm-nodes")]["data"]
    before = report(_live.observe(running, "mintnet"))
    assert [len(node["dials"]) for node in before["nodes"]] == [3, 3, 3, 3]
    rows["nodes"] = ""
    after = report(_live.observe(running, "mintnet"))
    assert after["groups"] == before["groups"]
    assert [sorted(node["dials"]) for node in after["nodes"]] == [sorted(node["dials"]) for node in before["nodes"]]
    assert [node["peers_expected"] for node in after["nodes"]] == [3, 3, 3, 3]


def test_nobody_is_asked_before_a_node_has_begun(running: Server) -> None:
    for path, item in running.objects.items():
        if "/pods/" in path:
            item["status"]["containerStatuses"] = []
    seen = _live.observe(running, "mintnet")
    assert seen.served is None
    assert not [path for path in running.asked if ":8080" in path]
    network = report(seen)
    assert network["custody"] == "pod"
    assert network["genesis"]["sha256"] == ""
    # Their powers are known, by their names.
    assert network["power"]["total"] == 40
    assert {node["power"] for node in network["nodes"]} == {10}
    assert {node["node_id_expected"] for node in network["nodes"]} == {None}
