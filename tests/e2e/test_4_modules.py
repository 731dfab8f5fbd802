# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and genesis in Secrets and ConfigMaps of a real cluster, in a namespace of their own.

It is the cluster of these tests, or the context MINTNET_TEST_CONTEXT of $KUBECONFIG.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config
from modules import finish, module, start
from surroundings import CLUSTER, User, note

NAMESPACE = "modules-trial"


@dataclass(frozen=True)
class Place:
    """A namespace, and the options that lead to it."""

    core: CoreV1Api
    access: dict[str, Any]

    def secret(self, name: str) -> Any:
        return self.core.read_namespaced_secret(name, NAMESPACE)

    def config_map(self, name: str) -> Any:
        return self.core.read_namespaced_config_map(name, NAMESPACE)

    def names(self) -> set[str]:
        """What is there, but for the certificate that a cluster puts into each new namespace after a while."""
        secrets = self.core.list_namespaced_secret(NAMESPACE).items
        found = (*secrets, *self.core.list_namespaced_config_map(NAMESPACE).items)
        return {item.metadata.name for item in found} - {"kube-root-ca.crt"}


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    context = os.environ.get("MINTNET_TEST_CONTEXT")
    if context:
        kubeconfig = os.environ["KUBECONFIG"]
    else:
        user: User = request.getfixturevalue("user")
        kubeconfig, context = str(user.kubeconfig), CLUSTER
    core = CoreV1Api(new_client_from_config(kubeconfig, context))
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    yield Place(core, {"kubeconfig": kubeconfig, "context": context, "namespace": NAMESPACE})
    core.delete_namespace(NAMESPACE)
    for _attempt in range(120):
        if NAMESPACE not in {item.metadata.name for item in core.list_namespace().items}:
            return
        time.sleep(0.5)
    raise AssertionError(f"namespace {NAMESPACE} does not end")


# --- keys ------------------------------------------------------------------------------------------------------------


def test_keys_check_real_check_real(place: Place) -> None:
    before = place.names()
    wanted = {**place.access, "count": 3, "validators": 2, "group": "four", "labels": {"tm": "four"}}

    planned = module("cometbft_keys", check=True, **wanted)
    assert planned["changed"] is True
    assert planned["would_create"] == ["four-0", "four-1", "four-2"]
    assert {node["pub_key"] for node in planned["nodes"]} == {None}
    assert place.names() == before

    made = module("cometbft_keys", **wanted)
    assert made["created"] == ["four-0", "four-1", "four-2"]
    secret = place.secret("four-keys")
    assert secret.metadata.labels == {"tm": "four"}
    assert len(secret.data) == 6
    for node in made["nodes"]:
        key = json.loads(base64.b64decode(secret.data[f"{node['name']}.priv_validator_key.json"]))
        assert (node["address"], node["pub_key"]) == (key["address"], key["pub_key"])
        assert key["priv_key"]["value"] not in json.dumps(made)

    for check in (True, False):
        again = module("cometbft_keys", check=check, **wanted)
        assert again["changed"] is False
        assert again["nodes"] == made["nodes"]
        assert place.secret("four-keys").metadata.resource_version == secret.metadata.resource_version

    grown = module("cometbft_keys", **{**wanted, "count": 5})
    assert grown["created"] == ["four-3", "four-4"]
    assert grown["nodes"][:3] == made["nodes"]
    after = place.secret("four-keys").data
    assert secret.data.items() <= after.items()
    assert len(after) == 10


def test_runs_at_once_never_give_a_node_two_keys(place: Place) -> None:
    """Also where each wants other nodes, so that all of them write."""
    wanted = [{**place.access, "group": "race", "count": count} for count in (10, 20, 20, 30)]
    answers = [finish(process) for process in [start("cometbft_keys", **arguments) for arguments in wanted]]
    final = {node["name"]: node for node in module("cometbft_keys", **wanted[-1])["nodes"]}
    for answer in answers:
        assert not answer["failed"], answer
        assert all(node == final[node["name"]] for node in answer["nodes"])
    made = [name for answer in answers for name in answer["created"]]
    assert set(made) == set(final)
    assert len({node["address"] for node in final.values()}) == 30


def test_damaged_key_is_named_and_left(place: Place) -> None:
    wanted = {**place.access, "group": "damage", "count": 2}
    module("cometbft_keys", **wanted)
    data = {"damage-1.node_key.json": base64.b64encode(b"{}").decode()}
    place.core.patch_namespaced_secret("damage-keys", NAMESPACE, {"data": data})
    version = place.secret("damage-keys").metadata.resource_version
    refused = module("cometbft_keys", **{**wanted, "count": 3})
    assert "Secret modules-trial/damage-keys, damage-1.node_key.json: priv_key: it is missing" in refused["msg"]
    assert place.secret("damage-keys").metadata.resource_version == version


@pytest.mark.long
def test_thousands_of_nodes(place: Place) -> None:
    wanted = {**place.access, "group": "many", "count": 1000}
    for expected in (1000, 0):
        began = time.monotonic()
        result = module("cometbft_keys", **wanted)
        note(f"1000 nodes, {expected} of them new: {time.monotonic() - began:.1f} s")
        assert len(result["created"]) == expected
    genesis = module(
        "cometbft_genesis",
        **place.access,
        group="many",
        version="0.40.0",
        chain_id="many",
        validators=result["validators"],
    )
    assert genesis["changed"] is True
    assert len(json.loads(place.config_map("many-config").data["genesis.json"])["validators"]) == 1000
    grown = module("cometbft_keys", **{**wanted, "count": 2600})
    assert grown["secrets"] == ["many-keys", "many-keys-2"]
    assert grown["nodes"][:1000] == result["nodes"]
    first, second = (place.secret(name).data for name in grown["secrets"])
    assert len(first) + len(second) == 5200
    assert not first.keys() & second.keys()
    assert module("cometbft_keys", **{**wanted, "count": 2600})["changed"] is False


@pytest.mark.long
def test_keys_of_another_secret_and_keys_that_are_replaced(place: Place) -> None:
    module("cometbft_keys", **place.access, group="theirs", count=1)
    theirs = place.secret("theirs-keys").data
    source = {"node": "ours-1", "secret": "theirs-keys", "validator_key_entry": "theirs-0.priv_validator_key.json"}
    wanted = {**place.access, "group": "ours", "count": 2, "sources": [source]}
    made = module("cometbft_keys", **wanted)
    assert (
        place.secret("ours-keys").data["ours-1.priv_validator_key.json"] == theirs["theirs-0.priv_validator_key.json"]
    )
    assert place.secret("theirs-keys").data == theirs
    assert module("cometbft_keys", **wanted)["changed"] is False

    old = place.secret("ours-keys").data
    wanted = {**place.access, "group": "ours", "count": 2}
    wanted["regenerate"] = [{"node": "ours-1", "address": made["nodes"][1]["address"]}]
    assert module("cometbft_keys", check=True, **wanted)["would_regenerate"]
    assert place.secret("ours-keys").data == old
    done = module("cometbft_keys", **wanted)
    assert [item["node"] for item in done["regenerated"]] == ["ours-1"]
    after = place.secret("ours-keys").data
    assert [name for name in after if after[name] != old[name]] == ["ours-1.priv_validator_key.json"]
    assert list(place.secret("ours-keys-replaced").data.values()) == [old["ours-1.priv_validator_key.json"]]
    version = place.secret("ours-keys").metadata.resource_version
    for check in (True, False):
        assert module("cometbft_keys", check=check, **wanted)["changed"] is False
    assert place.secret("ours-keys").metadata.resource_version == version

    info = module("cometbft_keys_info", **place.access, group="ours", domain="net")
    assert [node["address"] for node in info["nodes"]] == [node["address"] for node in done["nodes"]]
    assert info["nodes"][1]["peer"] == f"{done['nodes'][1]['node_id']}@ours-1.net:26656"


def test_namespace_that_is_not_there(place: Place) -> None:
    wanted = {**place.access, "namespace": "modules-none", "count": 1}
    assert module("cometbft_keys", check=True, **wanted)["would_create"] == ["tm-0"]
    refused = module("cometbft_keys", **wanted)
    assert 'creating Secret modules-none/tm-keys: namespaces "modules-none" not found' in refused["msg"]


# --- genesis ---------------------------------------------------------------------------------------------------------


def genesis_of(place: Place, group: str) -> dict[str, Any]:
    validators = module("cometbft_keys", **place.access, group=group, count=4)["validators"]
    return {**place.access, "group": group, "version": "0.40.0", "chain_id": group, "validators": validators}


def test_genesis_check_real_check_real(place: Place) -> None:
    wanted = genesis_of(place, "chain") | {"labels": {"tm": "chain"}}
    before = place.names()
    planned = module("cometbft_genesis", check=True, **wanted)
    assert planned["changed"] is True
    assert place.names() == before

    made = module("cometbft_genesis", **wanted)
    assert made["changed"] is True
    stored = place.config_map("chain-config")
    assert stored.data == {"genesis.json": made["genesis"]}
    assert stored.immutable is True
    assert stored.metadata.labels == {"tm": "chain"}

    time.sleep(1.1)  # so that a time of its own would be another one
    for check in (True, False):
        again = module("cometbft_genesis", check=check, **wanted)
        assert again["changed"] is False
        assert (again["genesis"], again["sha256"]) == (made["genesis"], made["sha256"])
        assert again["genesis_time"] == made["genesis_time"]
    assert place.config_map("chain-config").metadata.resource_version == stored.metadata.resource_version


def test_genesis_of_another_chain_is_refused(place: Place) -> None:
    wanted = genesis_of(place, "other")
    module("cometbft_genesis", **wanted)
    version = place.config_map("other-config").metadata.resource_version
    for change, said in (
        ({"chain_id": "another"}, "chain_id: the live chain has other, asked is another"),
        ({"validators": wanted["validators"][:3]}, "the live chain has 4 genesis validators, asked are 3"),
        ({"genesis_time": "2026-01-01T00:00:00Z"}, "genesis_time: the live chain has"),
    ):
        refused = module("cometbft_genesis", **{**wanted, **change})
        assert refused["failed"] is True
        assert said in refused["msg"]
        assert "use reset for a new chain" in refused["msg"]
        assert len(refused["differences"]) == 1
    assert place.config_map("other-config").metadata.resource_version == version


@pytest.mark.long
def test_large_genesis_check_real_check_real(place: Place) -> None:
    """Three megabytes, of which no ConfigMap could hold more than one."""
    noise = base64.b64encode(random.Random(4).randbytes(2_300_000)).decode()
    wanted = genesis_of(place, "large") | {"labels": {"tm": "large"}, "app_state": {"noise": noise}}
    before = place.names()
    planned = module("cometbft_genesis", check=True, **wanted)
    assert planned["changed"] is True
    assert place.names() == before

    made = module("cometbft_genesis", **wanted)
    assert made["changed"] is True
    assert made["config_maps"][0] == "large-config"
    assert place.names() - before == set(made["config_maps"])
    stored = {name: place.config_map(name) for name in made["config_maps"]}
    assert {(item.immutable, item.metadata.labels["tm"]) for item in stored.values()} == {(True, "large")}
    pieces = [base64.b64decode(stored[name].binary_data[name]) for name in made["config_maps"][1:]]
    assert len(pieces) == 3
    assert gzip.decompress(b"".join(pieces)).decode() == made["genesis"]
    assert stored["large-config"].data == {
        "genesis.parts": "".join(f"{name}\n" for name in made["config_maps"][1:]),
        "genesis.sha256": f"{made['sha256']}  genesis.json\n",
    }

    for check in (True, False):
        again = module("cometbft_genesis", check=check, **wanted)
        assert again["changed"] is False
        assert (again["sha256"], again["config_maps"]) == (made["sha256"], made["config_maps"])
    assert place.names() - before == set(made["config_maps"])
    refused = module("cometbft_genesis", **{**wanted, "chain_id": "another"})
    assert "chain_id: the live chain has large, asked is another" in refused["msg"]


@pytest.mark.long
def test_large_genesis_of_runs_at_once_leaves_no_parts_behind(place: Place) -> None:
    noise = base64.b64encode(random.Random(5).randbytes(2_300_000)).decode()
    wanted = genesis_of(place, "crowd") | {"app_state": {"noise": noise}}
    before = place.names()
    runs = []
    for _run in range(3):
        runs.append(start("cometbft_genesis", **wanted))
        time.sleep(1.1)  # each run has another second for its own
    answers = [finish(run) for run in runs]
    assert [answer["changed"] for answer in answers].count(True) == 1
    assert len({answer["sha256"] for answer in answers}) == 1
    assert place.names() - before == set(answers[0]["config_maps"])


def test_runs_at_once_make_one_genesis(place: Place) -> None:
    wanted = genesis_of(place, "once")
    runs = []
    for _run in range(4):
        runs.append(start("cometbft_genesis", **wanted))
        time.sleep(0.4)  # each run has another second for its own
    answers = [finish(run) for run in runs]
    assert [answer["changed"] for answer in answers].count(True) == 1
    assert {answer["genesis"] for answer in answers} == {place.config_map("once-config").data["genesis.json"]}


@pytest.mark.long
def test_config_map_of_somebody_else_is_left(place: Place) -> None:
    wanted = genesis_of(place, "theirs")
    body = {"metadata": {"name": "theirs-config"}, "data": {"x": "y"}}
    place.core.create_namespaced_config_map(NAMESPACE, body)
    refused = module("cometbft_genesis", **wanted)
    assert "reading ConfigMap modules-trial/theirs-config: it has no key genesis.json" in refused["msg"]
    assert place.config_map("theirs-config").data == {"x": "y"}


def test_plan_before_there_are_keys(place: Place) -> None:
    keys = module("cometbft_keys", check=True, **place.access, group="plan", count=2)
    wanted = {**place.access, "group": "plan", "version": "0.40.0", "chain_id": "plan"}
    planned = module("cometbft_genesis", check=True, **wanted, validators=keys["validators"])
    assert planned["changed"] is True
    assert planned["genesis"] is None
