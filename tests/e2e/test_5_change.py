# SPDX-License-Identifier: GPL-3.0-or-later
"""A network's further life: what is refused, new chains, growth, other sizes, neighbours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from explained import story
from surroundings import NETWORK, User

pytestmark = pytest.mark.usefixtures("cluster")


def genesis(user: User, namespace: str = NETWORK) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(user.get("configmap tm-config", namespace)["data"]["genesis.json"])
    return found


@pytest.mark.long
def test_reset_needs_confirmation(user: User, clone: Path) -> None:
    before = user.objects()
    run = user.run("make reset", clone, code=1)
    assert "CONFIRM=yes" in run.output
    assert user.objects() == before


@pytest.mark.long
def test_reset_starts_a_new_chain(user: User, clone: Path) -> None:
    """Also out of a broken one; with all details and differences printed, no secret among them."""
    before, keys = genesis(user), user.get("secret tm-keys")["data"]
    run = user.run("make reset CONFIRM=yes ARGS='-vvv --diff'", clone)
    user.agree()
    after, fresh = genesis(user), user.get("secret tm-keys")["data"]
    assert after["chain_id"] == before["chain_id"]
    assert after["genesis_time"] != before["genesis_time"]
    assert not set(keys.values()) & set(fresh.values())
    assert not [name for name, value in fresh.items() if value in run.output]
    assert not re.search(r'priv_key\\*": ?\{', run.output)


@pytest.mark.parametrize(
    "wish",
    [
        "cometbft_chain_id=another",
        pytest.param("cometbft_validators=3", marks=pytest.mark.long),
        pytest.param("cometbft_nodes=3", marks=pytest.mark.long),
        pytest.param("cometbft_initial_height=5", marks=pytest.mark.long),
        pytest.param("cometbft_volume_size=3Gi", marks=pytest.mark.long),
        pytest.param("cometbft_genesis_time=2026-01-01T00:00:00Z", marks=pytest.mark.long),
    ],
)
def test_what_would_destroy_the_chain_is_refused(user: User, clone: Path, wish: str) -> None:
    before = user.objects(), user.pods(), genesis(user)
    arguments = f"-e {wish}" + (" -e cometbft_validators=3" if wish == "cometbft_nodes=3" else "")
    run = user.run(f"make create ARGS='{arguments}'", clone, code=1)
    assert "Traceback" not in run.output
    assert "cometbft_network" in run.output
    assert (user.objects(), user.pods(), genesis(user)) == before


def test_lost_key_is_not_made_anew(user: User, clone: Path) -> None:
    """Another key would make another validator of it, at its next restart."""
    keys = user.get("secret tm-keys")["data"]
    lost = {"tm-2.priv_validator_key.json": keys["tm-2.priv_validator_key.json"]}

    def patch(data: dict[str, Any]) -> None:
        file = user.home / "patch.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"data": data}), encoding="utf-8")
        user.kubectl(f"-n {NETWORK} patch secret tm-keys --patch-file={file}")
        file.unlink()

    patch(dict.fromkeys(lost))
    try:
        run = user.run("make create", clone, code=1)
        assert "tm-2.priv_validator_key.json: it is gone, and tm-2 had one: bring it back" in story(run.output)["why"]
        assert user.get("secret tm-keys")["data"].keys() == keys.keys() - lost.keys()
    finally:
        patch(lost)
    assert user.run("make create", clone).changed == 0


@pytest.mark.long
def test_lost_genesis_is_not_made_anew(user: User, clone: Path) -> None:
    found = user.get("configmap tm-config")
    kept = {name: found["metadata"][name] for name in ("name", "namespace", "labels")}
    file = user.home / "tm-config.json"
    file.write_text(json.dumps({**found, "metadata": kept}), encoding="utf-8")
    user.kubectl(f"-n {NETWORK} delete configmap tm-config")
    try:
        told = story(user.run("make create", clone, code=1).output)
        assert "its genesis, the ConfigMap tm-config, is gone" in told["why"]
        assert "the genesis, ConfigMap tm-config, is gone" in user.run("make status", clone, code=1).output
        assert "tm-config" not in user.kubectl(f"-n {NETWORK} get configmaps -o name").output
    finally:
        user.kubectl(f"create -f {file}")
    assert user.run("make create", clone).changed == 0


@pytest.mark.long
def test_growth_restarts_nobody(user: User, clone: Path) -> None:
    before = user.pods()
    arguments = "ARGS='-e cometbft_nodes=7 -e cometbft_validators=4'"
    user.run(f"make create {arguments}", clone)
    assert len(user.nodes()) == 7
    after = user.pods()
    assert {name: after[name] for name in before} == before
    user.agree()
    assert user.rpc("tm-6", "status")["validator_info"]["voting_power"] == "0"
    assert user.run(f"make create {arguments}", clone).changed == 0


@pytest.mark.long
def test_fewer_nodes_are_refused(user: User, clone: Path) -> None:
    before = user.objects(), user.pods()
    run = user.run("make create", clone, code=1)
    assert "cometbft_nodes=7" in run.output
    assert (user.objects(), user.pods()) == before


@pytest.mark.long
def test_scaling_by_hand_is_adopted(user: User, clone: Path) -> None:
    """What kubectl scale did is named and kept; the new node gets the keys and the address that it lacks."""
    before = user.pods()
    user.kubectl(f"-n {NETWORK} scale statefulset tm --replicas=8")
    run = user.run("make create ARGS='-e cometbft_nodes=7 -e cometbft_validators=4'", clone)
    assert "8" in run.output
    after = user.pods()
    assert len(after) == 8
    assert {name: after[name] for name in before} == before
    user.agree()


@pytest.mark.long
def test_reset_with_seven_validators(user: User, clone: Path) -> None:
    user.run("make reset CONFIRM=yes ARGS='-e cometbft_nodes=7'", clone)
    assert len(genesis(user)["validators"]) == 7
    user.agree()
    (budget,) = user.get("poddisruptionbudgets")
    assert budget["spec"]["minAvailable"] == 5
    again = user.run("make create ARGS='-e cometbft_nodes=7'", clone)
    assert again.changed == 0


@pytest.mark.long
def test_single_node_beside_the_others_comes_and_goes(user: User, clone: Path) -> None:
    """A second network on the cluster, from a file; its end leaves the first one alone."""
    neighbours = user.objects(), user.pods()
    file = user.home / "one.yml"
    file.write_text("cometbft_network: one\ncometbft_nodes: 1\ncometbft_app: kvstore\n", encoding="utf-8")
    user.run(f"make create NETWORK={file}", clone)
    user.agree("one")
    assert genesis(user, "one")["chain_id"] == "one"
    again = user.run(f"make create NETWORK={file}", clone)
    assert again.changed == 0
    user.run(f"make destroy NETWORK={file} CONFIRM=yes", clone)
    assert "namespace/one" not in user.kubectl("get namespaces -o name").output
    assert "one/" not in user.kubectl("get persistentvolumes -o custom-columns=C:.spec.claimRef.namespace").output
    assert (user.objects(), user.pods()) == neighbours


@pytest.mark.long
def test_sixteen(user: User, clone: Path) -> None:
    user.run("make destroy CONFIRM=yes", clone)
    run = user.run("make create ARGS='-e cometbft_nodes=16'", clone)
    assert len(user.nodes()) == 16
    user.agree()
    again = user.run("make create ARGS='-e cometbft_nodes=16'", clone)
    assert again.changed == 0
    user.note(f"sixteen nodes: {run.seconds:.1f} s, second create {again.seconds:.1f} s")
    assert run.seconds < 300
