# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that runs, and what befalls one of its nodes: status and the wait name it, the cause and the next step."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explained import Case, explained, network, story, until
from surroundings import User


@pytest.fixture(scope="module")
def running(user: User, clone: Path, cluster: None) -> Iterator[Case]:
    """Four validators and a full node."""
    with network(user, clone, "x-running") as one:
        one.create(code=0, cometbft_nodes=5, cometbft_validators=4)
        yield one


@contextlib.contextmanager
def template(case: Case, path: str, value: Any) -> Iterator[None]:
    """Another template of the StatefulSet: only pods that are made from now on follow it."""

    def patch(new: Any) -> None:
        text = json.dumps([{"op": "replace", "path": f"/spec/template/spec/{path}", "value": new}])
        case.kubectl(f"patch statefulset tm --type=json -p '{text}'")

    before: Any = case.get("statefulset tm")["spec"]["template"]["spec"]
    for part in path.split("/"):
        before = before[int(part) if part.isdigit() else part]
    patch(value)
    try:
        yield
    finally:
        patch(before)


def genesis_volume(case: Case) -> str:
    volumes = case.get("statefulset tm")["spec"]["template"]["spec"]["volumes"]
    return f"volumes/{[volume['name'] for volume in volumes].index('genesis')}/configMap/name"


def other_genesis(case: Case, **change: str) -> str:
    genesis = json.loads(case.get("configmap tm-config")["data"]["genesis.json"])
    file = case.user.home / "genesis.json"
    file.write_text(json.dumps({**genesis, **change}), encoding="utf-8")
    case.kubectl("delete configmap other --ignore-not-found")
    case.kubectl(f"create configmap other --from-file={file}")
    return "other"


def test_quorum_that_is_short(running: Case) -> None:
    """Two of four are held back by a taint: 20 of 40, and 27 are needed."""
    running.user.kubectl(f"taint node {running.user.machine} tests=hold:NoSchedule")
    try:
        running.restart("tm-2", "tm-3")
        run, result = running.wait(8), running.result()
        explained(
            run,
            result,
            node="tm-3",
            reason="no machine takes it: .*untolerated taint",
            step="cometbft_resources|describe",
        )
        assert "the quorum is short by 7 power: 20 of 40 online" in story(run.output)["why"]
        assert "bring back validators that hold 7 of power or more, of tm-2, tm-3" in story(run.output)["next"]
        assert result["network"]["power"]["short"] == 7
    finally:
        running.user.kubectl(f"taint node {running.user.machine} tests-")
    running.is_well()


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        # It finds its peers, whose chain has the same name, and can use none of their blocks.
        ({"genesis_time": "2026-01-01T00:00:00Z"}, "another genesis .* genesis_time is 2026-01-01"),
        # They refuse it.
        ({"chain_id": "another"}, "runs chain another, the genesis says x-running"),
    ],
)
def test_wrong_genesis_on_one_node(running: Case, change: dict[str, str], reason: str) -> None:
    """A node reads it at its first start; one that has data goes on with what it read then."""
    with template(running, genesis_volume(running), other_genesis(running, **change)):
        running.kubectl("delete pvc data-tm-4 --wait=false")
        running.restart("tm-4")
        until("tm-4 answers", lambda: running.result()["network"]["nodes"][4]["answers"])
        run, result = running.wait(15), running.result()
    explained(run, result, node="tm-4", reason=reason, step="tm-config")
    running.kubectl("delete pvc data-tm-4 --wait=false")
    running.restart("tm-4")
    running.is_well()


@pytest.mark.long
def test_two_nodes_with_one_key(running: Case) -> None:
    """The full node gets the keys of a validator."""
    keys = running.get("secret tm-keys")["data"]
    names = ("node_key.json", "priv_validator_key.json")

    def give(owner: str) -> None:
        patch = {"data": {f"tm-4.{name}": keys[f"{owner}.{name}"] for name in names}}
        file = running.user.home / "keys.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(patch), encoding="utf-8")
        running.kubectl(f"patch secret tm-keys --patch-file={file}")
        file.unlink()

    give("tm-3")
    try:
        # The keys are read before anything else is done.
        refused = story(running.create(cometbft_nodes=5, cometbft_validators=4).output)
        assert "has the same key; no two nodes may share one" in refused["why"]
        running.restart("tm-4")
        until("tm-4 answers", lambda: running.result()["network"]["nodes"][4]["answers"])
        run, result = running.wait(5), running.result()
        explained(run, result, node="tm-4", reason="has the same key as tm-3", step="its own key in the Secret tm-keys")
        assert "tm-3, tm-4: " in story(run.output)["next"] or "tm-3: " in story(run.output)["next"]
    finally:
        give("tm-4")
    running.restart("tm-3", "tm-4")
    running.is_well()


@contextlib.contextmanager
def cut_off(user: User, address: str) -> Iterator[None]:
    """No connection between this pod and other nodes, neither way, neither new nor old."""
    ways = [f"-{side} {address} -p tcp --{port} 26656" for side in "sd" for port in ("dport", "sport")]
    refuse = "-j REJECT --reject-with tcp-reset"
    user.inside("; ".join(f"iptables -I FORWARD {way} {refuse}" for way in ways))
    try:
        yield
    finally:
        user.inside("; ".join(f"iptables -D FORWARD {way} {refuse}" for way in ways))


@pytest.mark.long
def test_node_cut_off_from_its_peers(running: Case) -> None:
    with cut_off(running.user, running.get("pod tm-3")["status"]["podIP"]):
        until("tm-3 has no peers", lambda: running.result()["network"]["nodes"][3]["peers"] == 0, 150)
        run, result = running.wait(4), running.result()
    explained(run, result, node="tm-3", reason="no peers, of 4", step="port 26656")
    running.restart("tm-3")
    running.is_well()


@pytest.mark.long
def test_app_hash_that_differs(running: Case) -> None:
    """One node runs another application, whose hash is never that of the others."""
    arguments = ["start", "--home", "/cometbft", "--proxy_app", "noop"]
    with template(running, "containers/0/args", arguments):
        running.restart("tm-3")
        run, result = running.wait(20), running.result()
    explained(
        run, result, node="tm-3", reason="tm ended with|stands at height", step="same application", log="(?i)app.?hash"
    )
    running.restart("tm-3")
    running.is_well()


@pytest.mark.long
def test_disk_of_a_machine_that_is_full(running: Case) -> None:
    """The full node's volume is as large as what it holds."""
    claim = running.get("pvc data-tm-4")["spec"]["volumeName"]
    spec = running.user.get(f"persistentvolume {claim}")["spec"]
    path = (spec.get("hostPath") or spec.get("local"))["path"]
    running.kubectl("scale statefulset tm --replicas=4")
    until("tm-4 is gone", lambda: "tm-4" not in running.user.nodes(running.name))
    running.user.inside(
        f"cp -a {path} {path}.kept && mount -t tmpfs -o size=3m,mode=0777 tmpfs {path} && cp -a {path}.kept/. {path}"
    )
    try:
        running.user.inside(f"dd if=/dev/zero of={path}/fill bs=4k 2>/dev/null || true")
        running.kubectl("scale statefulset tm --replicas=5")
        until("tm-4 has crashed", lambda: running.result()["network"]["nodes"][4]["restarts"] > 0)
        run, result = running.wait(10), running.result()
        explained(
            run,
            result,
            node="tm-4",
            reason="tm ended with exit code",
            step="its disk is full",
            log="no space left on device",
        )
    finally:
        running.kubectl("scale statefulset tm --replicas=4")
        until("tm-4 is gone", lambda: "tm-4" not in running.user.nodes(running.name))
        running.user.inside(f"umount {path}; rm -r {path}.kept")
    running.kubectl("scale statefulset tm --replicas=5")
    running.is_well()
