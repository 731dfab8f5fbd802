# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that make their own keys, on a real cluster: how they start, what they survive, and whom they believe."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import original
import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import parse
from modules import module
from search import Search
from surroundings import Run, User

NETWORK = "custody"
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]
CUSTODY = f"-e cometbft_network={NETWORK} -e cometbft_custody=pod -e cometbft_block_time=500ms"
#: What the guide has in place of scaling by kubectl.
FULL = original.table()["kubectl scale statefulsets tm --replicas=5"].split("'")[1]
#: Those that run in a second or so, and tell of the keys or of the chain, are enough for the short run.
ORIGINAL = [
    pytest.param(command, marks=() if " exec " in command or "tm-config" in command else pytest.mark.long)
    for command in original.reading()
]


def make(user: User, clone: Path, target: str, arguments: str = "", code: int = 0) -> Run:
    return user.run(f"make {target} ARGS='{CUSTODY} {arguments}'", clone, code=code)


def kubectl(user: User, arguments: str, code: int | None = 0) -> str:
    return user.kubectl(f"-n {NETWORK} {arguments}", code=code).output


def look(user: User) -> dict[str, Any]:
    access: dict[str, Any] = {"kubeconfig": str(user.kubeconfig), "context": user.cluster}
    found: dict[str, Any] = module("cometbft_info", **access, network=NETWORK)["network"]
    return found


def grows(user: User, *nodes: str) -> None:
    """All of these nodes have new blocks."""
    before = 0

    def heights() -> list[int]:
        return [user.height(node, NETWORK) for node in nodes]

    user.wait(f"{', '.join(nodes)} answer", lambda: min(heights()) > 0, seconds=240)
    before = max(heights())
    user.wait(f"{', '.join(nodes)} go on", lambda: min(heights()) > before + 1, seconds=240)


def collected(user: User, node: str) -> str:
    return kubectl(user, f"logs {node} -c tm-collect", code=None)


def served(user: User, node: str, file: str, code: int = 0) -> str:
    """What pub-key gives, through the API server."""
    return user.kubectl(f"get --raw /api/v1/namespaces/{NETWORK}/pods/{node}:8080/proxy/{file}", code=code).output


def genesis(user: User, node: str) -> str:
    return kubectl(user, f"exec {node} -c tm -- cat /cometbft/config/genesis.json")


def lose(user: User, node: str) -> None:
    kubectl(user, f"delete pvc data-{node} --wait=false")
    kubectl(user, f"delete pod {node}")


@pytest.fixture(scope="module", autouse=True)
def network(user: User, clone: Path, cluster: None) -> Iterator[None]:
    make(user, clone, "create")
    yield
    make(user, clone, "destroy CONFIRM=yes")


# --- how it starts ---------------------------------------------------------------------------------------------------


def test_all_have_the_genesis_that_the_first_one_made(user: User) -> None:
    (text,) = {genesis(user, node) for node in NODES}
    document = json.loads(text)
    halves = {node: json.loads(served(user, node, "node.json")) for node in NODES}
    assert [item["name"] for item in document["validators"]] == NODES
    assert [item["pub_key"] for item in document["validators"]] == [halves[node]["pub_key"] for node in NODES]
    assert served(user, "tm-2", "genesis.json") == text
    # It is what the module cometbft_genesis would write.
    assert parse(text, "the network").text == text


def test_no_private_key_is_in_the_cluster_s_api(user: User) -> None:
    assert not user.get("secrets -l mintnet.io/network", NETWORK)
    # The other half of each key is public.
    seeds = {
        f"{file} of {node}": base64.b64decode(
            json.loads(kubectl(user, f"exec {node} -c tm -- cat /cometbft/config/{file}"))["priv_key"]["value"]
        )[:32]
        for node in NODES
        for file in ("priv_validator_key.json", "node_key.json")
    }
    search = Search(seeds)
    everything = kubectl(user, "get configmaps,pods,statefulsets,events,pvc,services -o json")
    logs = "".join(kubectl(user, f"logs {node} --all-containers", code=None) for node in NODES)
    assert '"kind": "Event"' in everything
    assert logs
    assert search.data(everything.encode(), "the API") + search.data(logs.encode(), "logs") == []


@pytest.mark.long
def test_a_second_create_changes_nothing(user: User, clone: Path) -> None:
    before = user.pods(NETWORK), user.objects(NETWORK)
    assert make(user, clone, "create").changed == 0
    assert (user.pods(NETWORK), user.objects(NETWORK)) == before


def test_status_knows_them(user: User) -> None:
    found = look(user)
    assert found["healthy"], found["reasons"]
    assert found["custody"] == "pod"
    sha256 = hashlib.sha256(genesis(user, "tm-0").encode()).hexdigest()
    assert found["genesis"]["sha256"] == sha256
    assert found["started"] == dict.fromkeys(NODES, sha256)
    assert found["power"]["online"] == found["power"]["total"] == 40


@pytest.mark.parametrize("path", ["", "priv_validator_key.json", "keys/priv_validator_key.json", "..%2fmintnet"])
def test_nothing_else_is_served(user: User, path: str) -> None:
    assert "priv_key" not in served(user, "tm-0", path, code=1)


@pytest.mark.long
def test_another_custody_is_refused(user: User, clone: Path) -> None:
    before = user.pods(NETWORK)
    run = make(user, clone, "create", "-e cometbft_custody=secret", code=1)
    assert "its keys lie on the volumes of its pods, cometbft_custody is secret: a key never moves" in " ".join(
        run.output.split()
    )
    assert user.pods(NETWORK) == before


@pytest.mark.long
def test_keys_cannot_be_kept_by_a_reset(user: User, clone: Path) -> None:
    before = user.pods(NETWORK)
    run = make(user, clone, "reset CONFIRM=yes", "-e cometbft_custody=secret -e cometbft_keep_keys=true", code=1)
    assert "cannot be kept" in " ".join(run.output.split())
    assert user.pods(NETWORK) == before


@pytest.mark.parametrize("command", ORIGINAL)
def test_command_of_the_original(user: User, command: str) -> None:
    original.run(user, command, NETWORK)


# --- whom it believes ------------------------------------------------------------------------------------------------

IMPOSTOR = """
apiVersion: v1
kind: Pod
metadata:
  name: tm-9
  namespace: {namespace}
  labels: {labels}
spec:
  automountServiceAccountToken: false
  securityContext: {{runAsNonRoot: true, runAsUser: 100, runAsGroup: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: tm
      image: {image}
      command: [sleep, "600"]
      resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{cpu: 100m, memory: 64Mi}}}}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""


@pytest.mark.long
def test_a_pod_without_the_labels_is_behind_no_service(user: User) -> None:
    """A node's name alone makes nobody that node."""
    image = user.get("statefulset tm", NETWORK)["spec"]["template"]["spec"]["initContainers"][0]["image"]
    file = user.home / "impostor.yml"
    labels = json.dumps({"statefulset.kubernetes.io/pod-name": "tm-1"})
    file.write_text(IMPOSTOR.format(namespace=NETWORK, labels=labels, image=image), encoding="utf-8")
    user.kubectl(f"apply -f {file}")
    try:
        user.wait("it has an address", lambda: user.get("pod tm-9", NETWORK)["status"].get("podIP"))
        theirs = user.get("pod tm-9", NETWORK)["status"]["podIP"]
        ours = user.get("pod tm-1", NETWORK)["status"]["podIP"]
        slices = json.dumps(user.get("endpointslices -l kubernetes.io/service-name=tm-1", NETWORK))
        assert f'"{ours}"' in slices
        assert f'"{theirs}"' not in slices
    finally:
        user.kubectl(f"delete -f {file} --now")


# --- what it survives ------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_all_pods_come_back_with_their_keys(user: User, clone: Path) -> None:
    before = {node: served(user, node, "node.json") for node in NODES}
    kubectl(user, "delete pod tm-0 tm-1 tm-2 tm-3")
    grows(user, *NODES)
    assert {node: served(user, node, "node.json") for node in NODES} == before
    assert make(user, clone, "create").changed == 0


@pytest.mark.long
def test_nodes_that_join_make_their_own_keys(user: User, clone: Path) -> None:
    before = user.pods(NETWORK)
    make(user, clone, "create", FULL)
    assert {name: uid for name, uid in user.pods(NETWORK).items() if name in before} == before
    assert "has the genesis of tm-0" in collected(user, "tm-4")
    assert genesis(user, "tm-4") == genesis(user, "tm-0")
    assert make(user, clone, "create", FULL).changed == 0


@pytest.mark.long
def test_a_full_node_that_lost_its_volume_heals(user: User) -> None:
    old = served(user, "tm-4", "node.json")
    lose(user, "tm-4")
    grows(user, "tm-4")
    assert served(user, "tm-4", "node.json") != old


@pytest.mark.long
def test_a_peer_that_is_away_holds_nobody_up(user: User) -> None:
    """Its node id is known from before, so that whoever starts meanwhile dials it as soon as it is back."""
    kubectl(user, "scale statefulset tm --replicas=3")
    try:
        user.wait("tm-3 is away", lambda: "tm-3" not in user.pods(NETWORK))
        kubectl(user, "delete pod tm-2")
        grows(user, "tm-0", "tm-1", "tm-2")
        assert "has told no node id" not in collected(user, "tm-2")
    finally:
        kubectl(user, "scale statefulset tm --replicas=5")
    grows(user, *NODES, "tm-4")


@pytest.mark.long
@pytest.mark.parametrize("node", ["tm-3", "tm-0"])
def test_a_validator_that_lost_its_volume_is_refused_and_recovered_without_a_vote(
    user: User, clone: Path, node: str
) -> None:
    if node == "tm-0":
        make(user, clone, "reset CONFIRM=yes", FULL)
    lose(user, node)
    user.wait(
        f"{node} says why",
        lambda: "another key than the genesis of the chain says" in collected(user, node),
        seconds=180,
    )
    grows(user, *(other for other in NODES if other != node))
    run = make(user, clone, "status", code=1)
    assert f"make recover NODE={node}" in " ".join(run.output.split())
    make(user, clone, f"recover NODE={node} CONFIRM=yes")
    grows(user, node)
    (row,) = [item for item in look(user)["nodes"] if item["name"] == node]
    assert (row["mode"], row["power"]) == ("full", 0)
    # Those that dial it know it by the node id that is lost, until they start again.
    make(user, clone, "create", FULL)
    user.wait("all are connected", lambda: not any(item["peers_missing"] for item in look(user)["nodes"]), seconds=240)
    assert make(user, clone, "create", FULL).changed == 0


@pytest.mark.long
def test_a_new_chain_has_new_keys(user: User, clone: Path) -> None:
    before = genesis(user, "tm-1")
    make(user, clone, "reset CONFIRM=yes")
    after = genesis(user, "tm-1")
    assert json.loads(after)["validators"] != json.loads(before)["validators"]
    grows(user, *NODES)


@pytest.mark.long
def test_a_late_pod_and_a_volume_that_is_lost_before_the_genesis(user: User, clone: Path) -> None:
    """All begins anew, without the last validator, until one of the others has lost its volume."""
    kubectl(user, "scale statefulset tm --replicas=0")
    user.wait("all have ended", lambda: not user.get("pods -l tm=tm", NETWORK))
    kubectl(user, "delete pvc -l tm=tm")
    kubectl(user, "delete configmap tm-started")
    kubectl(user, "scale statefulset tm --replicas=3")
    user.wait("tm-0 waits for tm-3", lambda: "tm-0 waits for tm-3" in collected(user, "tm-0"), seconds=240)
    old = served(user, "tm-1", "node.json")
    lose(user, "tm-1")
    user.wait("tm-1 is there again", lambda: "tm-1 waits for the genesis" in collected(user, "tm-1"), seconds=240)
    assert served(user, "tm-1", "node.json") != old
    kubectl(user, "scale statefulset tm --replicas=4")
    grows(user, *NODES)
    (text,) = {genesis(user, node) for node in NODES}
    assert json.loads(served(user, "tm-1", "node.json"))["pub_key"] == json.loads(text)["validators"][1]["pub_key"]
    # Who has started is written down anew.
    assert make(user, clone, "create").changed > 0
    assert make(user, clone, "create").changed == 0


@pytest.mark.long
def test_nobody_signed_twice(user: User) -> None:
    user.nobody_signed_twice(NETWORK)
