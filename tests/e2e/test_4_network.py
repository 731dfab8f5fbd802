# SPDX-License-Identifier: GPL-3.0-or-later
"""One network of four validators: what it is, what its users do with it, what the original's users did."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import original
import pytest
from surroundings import NETWORK, User


def test_all_nodes_have_one_genesis(user: User) -> None:
    documents = {json.dumps(user.rpc(node, "genesis")["genesis"], sort_keys=True) for node in user.nodes()}
    assert len(documents) == 1
    genesis = json.loads(documents.pop())
    assert genesis["chain_id"] == NETWORK
    assert len(genesis["validators"]) == 4
    written = json.loads(user.get("configmap tm-config")["data"]["genesis.json"])
    assert genesis["genesis_time"] == written["genesis_time"]
    assert genesis["validators"] == written["validators"]


def test_the_network_is_a_full_mesh(user: User) -> None:
    assert {node: int(user.rpc(node, "net_info")["n_peers"]) for node in user.nodes()} == dict.fromkeys(user.nodes(), 3)


def test_transaction_sent_through_one_is_read_from_every_other(user: User, clone: Path) -> None:
    user.run("make tx TX='motto=one for all' NODE=tm-0", clone)
    assert user.values(user.nodes(), "motto") == dict.fromkeys(user.nodes(), "one for all")


def test_refused_transaction_fails(user: User, clone: Path) -> None:
    """kvstore takes key=value only."""
    run = user.run("make tx TX='no pair at all'", clone, code=1)
    assert "Traceback" not in run.output


# --- status, logs, forward -------------------------------------------------------------------------------------------


def test_status_has_a_row_for_each_node(user: User, clone: Path) -> None:
    run = user.run("make status", clone)
    for node in user.nodes():
        assert re.search(rf"^\s*{node}\s", run.output, re.MULTILINE)


def test_status_answers_a_query_with_json(user: User, clone: Path) -> None:
    run = user.run("make status QUERY='nodes[].name'", clone)
    found = run.output[run.output.index("\n[") : run.output.rindex("]") + 1]
    assert json.loads(found) == user.nodes()


def test_status_fails_when_a_node_is_missing(user: User, clone: Path) -> None:
    """A node that is held back by a taint nobody tolerates: the pod stays pending."""
    user.kubectl(f"taint node {user.machine} tests=hold:NoSchedule")
    try:
        user.kubectl(f"-n {NETWORK} delete pod tm-3")
        run = user.run("make status", clone, code=1)
        assert "tm-3" in run.output
    finally:
        user.kubectl(f"taint node {user.machine} tests-")
    user.run("make create", clone)
    user.agree()


def test_logs_are_those_of_the_node(user: User, clone: Path) -> None:
    run = user.run("make logs NODE=tm-2 CONTAINER=tm", clone)
    assert "height" in run.output
    user.run("make logs NODE=tm-2 CONTAINER=tm-gen-validator", clone)


def test_forward_opens_rpc_until_interrupted(user: User, clone: Path) -> None:
    process = subprocess.Popen(
        ["make", "forward", "NODE=tm-1", "ARGS=-e cometbft_port=36657"],
        cwd=clone,
        env=user.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        address = ""
        for line in process.stdout:
            if found := re.search(r"https?://(?:localhost|127\.0\.0\.1):\d+", line):
                address = found.group()
                break
        assert address, "forward named no address"
        answer = json.load(urllib.request.urlopen(f"{address}/status", timeout=10))
        assert answer["result"]["node_info"]["moniker"] == "tm-1"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
    port = int(address.rsplit(":", 1)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert process.returncode != -signal.SIGKILL


# --- the original's commands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", original.reading())
def test_command_of_the_original(user: User, command: str) -> None:
    original.run(user, command)


def test_the_original_commands_are_all_there() -> None:
    assert len(original.reading()) >= 5


# --- safety ----------------------------------------------------------------------------------------------------------


def test_namespace_enforces_the_restricted_standard(user: User) -> None:
    labels = user.get(f"namespace {NETWORK}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    # The API server checks what runs: it would warn for each pod that the standard forbids.
    run = user.kubectl(
        f"label --dry-run=server --overwrite namespace {NETWORK} pod-security.kubernetes.io/enforce=restricted "
        "pod-security.kubernetes.io/enforce-version=latest"
    )
    assert "Warning" not in run.output


def test_a_pod_that_the_standard_forbids_is_refused(user: User) -> None:
    run = user.kubectl(
        f"-n {NETWORK} run forbidden --image=cometbft/cometbft:v0.40.0 --privileged --dry-run=server", code=1
    )
    assert "violates PodSecurity" in run.output


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def test_pods_are_as_closed_as_the_design_says(user: User) -> None:
    for pod in user.get("pods"):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert isinstance(spec["securityContext"]["runAsUser"], int)
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


def test_quota_and_limits_are_there(user: User) -> None:
    (quota,) = user.get("resourcequotas")
    assert {"pods", "requests.cpu", "requests.memory", "limits.memory"} <= set(quota["spec"]["hard"])
    assert user.get("limitranges")


def test_network_policies_let_in_the_network_itself(user: User) -> None:
    policies = user.get("networkpolicies")
    for pod in user.get("pods"):
        labels = pod["metadata"]["labels"].items()
        assert any(policy["spec"]["podSelector"]["matchLabels"].items() <= labels for policy in policies)
    ports = {
        port["port"]
        for policy in policies
        for rule in policy["spec"].get("ingress", [])
        for port in rule.get("ports", [])
        if rule.get("from")
    }
    assert {26656, 26657} <= ports
    assert not [rule for policy in policies for rule in policy["spec"].get("ingress", []) if not rule.get("from")]


def test_disruption_budget_keeps_more_than_two_thirds(user: User) -> None:
    (budget,) = user.get("poddisruptionbudgets")
    assert budget["spec"]["minAvailable"] == 3
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    (expression,) = budget["spec"]["selector"]["matchExpressions"]
    assert expression["key"] == "statefulset.kubernetes.io/pod-name"
    assert sorted(expression["values"]) == user.nodes()
    # The cluster counts the same: one may go.
    assert budget["status"]["disruptionsAllowed"] == 1


def test_keys_are_each_node_s_own(user: User) -> None:
    data = user.get("secret tm-keys")["data"]
    assert len(data) == len(set(data.values())) == 8
    assert "immutable" not in user.get("secret tm-keys")
    assert user.get("configmap tm-config")["immutable"] is True


# --- what happens to nodes -------------------------------------------------------------------------------------------


@pytest.mark.long
def test_deleted_pod_comes_back_as_the_same_node(user: User, clone: Path) -> None:
    identity = user.rpc("tm-1", "status")["node_info"]["id"]
    height = user.height("tm-1")
    user.kubectl(f"-n {NETWORK} delete pod tm-1")
    user.wait("it is made again", lambda: "tm-1" in user.nodes())
    user.kubectl(f"-n {NETWORK} wait --for=condition=Ready pod/tm-1 --timeout=120s")
    assert user.rpc("tm-1", "status")["node_info"]["id"] == identity
    assert user.agree() > height
    assert user.run("make status", clone).code == 0


@pytest.mark.long
def test_stopped_machine_is_started_with_its_data(user: User, clone: Path) -> None:
    height, value = user.agree(), user.read("tm-1", "motto")
    user.run(f"podman stop -t 5 {user.machine}", user.home)
    user.run("make create", clone)
    assert user.agree() > height
    assert user.read("tm-1", "motto") == value


def test_nobody_signed_twice(user: User) -> None:
    user.nobody_signed_twice()


def test_secrets_are_in_no_output(user: User) -> None:
    """Everything that was printed so far."""
    private = re.compile(r'"priv_key":\s*\{[^}]*"value":\s*"([^"]+)"')
    assert not [run.command for run in user.runs if private.search(run.output)]
    for name in ("tm-keys",):
        for value in user.get(f"secret {name}")["data"].values():
            mark = hashlib.sha256(value.encode()).hexdigest()[:8]
            assert not [run.command for run in user.runs if value in run.output], mark
