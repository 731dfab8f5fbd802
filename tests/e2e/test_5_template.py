# SPDX-License-Identifier: GPL-3.0-or-later
"""What plain kubectl makes of one file: the one that render writes, and app.template.yaml edited by sed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from explained import Case, network
from surroundings import User

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.long]
SINGLE, TEMPLATE = "x-app-yaml", "x-app-template"
PLAY = ".venv/bin/ansible-playbook playbooks"


@pytest.fixture(scope="module")
def image(user: User, clone: Path) -> str:
    """The example counter's, which the cluster has afterwards, and so it has nginx."""
    counter = clone / "examples" / "counter"
    arguments = "-e cometbft_custody=pod -e cometbft_nodes=1"
    user.run(f"make create ARGS='{arguments}'", counter)
    pod = user.get("statefulset tm", "counter")["spec"]["template"]["spec"]
    user.run("make destroy CONFIRM=yes", counter)
    (found,) = [str(container["image"]) for container in pod["containers"] if container["name"] == "app"]
    return found


@pytest.fixture
def single(user: User, clone: Path, image: str) -> Iterator[Case]:
    with network(user, clone, SINGLE) as one:
        yield one


@pytest.fixture(scope="module")
def edited(user: User, clone: Path, image: str) -> Iterator[Case]:
    with network(user, clone, TEMPLATE) as one:
        yield one


def secrets(case: Case) -> list[str]:
    return [item["metadata"]["name"] for item in case.get("secrets")]


def test_a_file_that_render_wrote(user: User, clone: Path, single: Case) -> None:
    file, variables = user.home / "app.yaml", user.home / "app.yml"
    chosen = {
        "cometbft_network": SINGLE,
        "cometbft_nodes": 2,
        "cometbft_app": "kvstore",
        "cometbft_block_time": "500ms",
    }
    variables.write_text(yaml.safe_dump(chosen), encoding="utf-8")
    render = f"make render OUT={file} NETWORK={variables}"
    refused = user.run(render, clone, code=1)
    assert "set cometbft_custody to pod, or name a folder, without .yaml" in " ".join(refused.output.split())
    assert not file.exists()
    variables.write_text(yaml.safe_dump({**chosen, "cometbft_custody": "pod"}), encoding="utf-8")
    user.run(f"{render} ARGS=--check", clone)
    assert not file.exists()
    told = " ".join(user.run(render, clone).output.split())
    assert f"kubectl create -f {file}" in told
    text = file.read_text(encoding="utf-8")
    assert user.run(render, clone).changed == 0

    user.kubectl(f"create -f {file}")
    user.wait("both make blocks", lambda: len(user.nodes(SINGLE)) == 2 and user.agree(SINGLE) >= 1, seconds=240)
    assert secrets(single) == []
    user.kubectl(f"diff -f {file}")
    # Of what lives the file is the same, and create has nothing to do but to record who has started.
    assert user.run(render, clone).changed == 0
    assert file.read_text(encoding="utf-8") == text
    before = user.pods(SINGLE)
    assert user.run(f"{PLAY}/network.yml -e @{variables}", clone).changed == 1
    assert user.pods(SINGLE) == before
    assert list(single.get("configmap tm-started")["data"]) == ["tm-0", "tm-1"]
    single.is_well()
    user.kubectl(f"delete -f {file} --timeout=300s")
    assert SINGLE not in [item["metadata"]["name"] for item in user.get("namespaces")]


def test_the_template_edited_by_sed(user: User, clone: Path, image: str, edited: Case) -> None:
    """Three validators and a full node; the application's own command and arguments are those of its image."""
    edits = [
        f"s/your-app/{TEMPLATE}/g",
        f"s|YOUR_APP_IMAGE|{image}|",
        "/YOUR_APP_COMMAND/d",
        "/YOUR_APP_ARGS/d",
        "s/2026-01-01T00:00:00Z/2026-02-03T04:05:06Z/",
        f's/"chain_id": "{TEMPLATE}"/"chain_id": "by-hand"/',
        "/^    tm-3 10$/d",
    ]
    given = " ".join(f"-e '{edit}'" for edit in edits)
    user.run(f"sed {given} {clone / 'app.template.yaml'} > app.yaml", user.home)
    user.kubectl("create -f app.yaml")
    user.wait("all make blocks", lambda: len(user.nodes(TEMPLATE)) == 4 and user.agree(TEMPLATE) >= 2, seconds=300)
    found = user.rpc("tm-3", "genesis", TEMPLATE)["genesis"]
    assert (found["chain_id"], found["genesis_time"]) == ("by-hand", "2026-02-03T04:05:06Z")
    assert [item["name"] for item in found["validators"]] == ["tm-0", "tm-1", "tm-2"]
    assert [item["power"] for item in found["validators"]] == ["10"] * 3
    assert secrets(edited) == []
    user.wait("all are peers", lambda: len(user.rpc("tm-0", "net_info", TEMPLATE)["peers"]) == 3)
    answer = user.rpc("tm-0", "broadcast_tx_commit?tx=0x30", TEMPLATE)
    assert answer["tx_result"].get("code", 0) == 0, json.dumps(answer)
    edited.is_well()


def test_kubectl_scales_what_the_template_made(user: User, edited: Case) -> None:
    before = user.pods(TEMPLATE)
    edited.kubectl("scale statefulset tm --replicas=5")
    user.wait("tm-4 follows", lambda: len(user.nodes(TEMPLATE)) == 5 and user.agree(TEMPLATE) >= 1, seconds=240)
    after = user.pods(TEMPLATE)
    assert {name: after[name] for name in before} == before
    status = user.rpc("tm-4", "status", TEMPLATE)
    assert status["validator_info"]["voting_power"] == "0"


def test_a_pod_of_it_comes_back_with_its_keys(user: User, edited: Case) -> None:
    before = user.rpc("tm-1", "status", TEMPLATE)["node_info"]["id"]
    edited.restart("tm-1")
    user.wait("tm-1 is back", lambda: user.agree(TEMPLATE) >= 1, seconds=240)
    assert user.rpc("tm-1", "status", TEMPLATE)["node_info"]["id"] == before


def test_create_takes_it_over(user: User, clone: Path, image: str, edited: Case) -> None:
    """It brings rows, and no node has to be started anew, since they are those that nodes have made themselves."""
    variables = user.home / "template.yml"
    chosen = {
        **{"cometbft_network": TEMPLATE, "cometbft_chain_id": "by-hand", "cometbft_custody": "pod"},
        **{"cometbft_nodes": 5, "cometbft_validators": 3, "cometbft_app": "container", "cometbft_app_image": image},
    }
    variables.write_text(yaml.safe_dump(chosen), encoding="utf-8")
    before = user.pods(TEMPLATE)
    user.run(f"{PLAY}/network.yml -e @{variables}", clone)
    assert user.pods(TEMPLATE) == before
    assert user.run(f"{PLAY}/network.yml -e @{variables}", clone).changed == 0
    assert len(edited.get("configmap tm-nodes")["data"]["nodes"].splitlines()) == 5
    user.nobody_signed_twice(TEMPLATE)
