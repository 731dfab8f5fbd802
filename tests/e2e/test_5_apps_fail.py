# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that do not do what a node needs: node, container and cause are named, with their last words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from explained import SHORT, Case, explained
from surroundings import User

FAULTY = (Path(__file__).parent / "faulty.py").read_text(encoding="utf-8")
ONE: dict[str, Any] = {"cometbft_nodes": 1, "cometbft_app": "container", "cometbft_ephemeral": True}


@pytest.fixture(scope="module")
def image(user: User, clone: Path, cluster: None) -> str:
    """The example counter's, on the machine."""
    user.run(".venv/bin/ansible-playbook playbooks/cluster.yml -e @examples/counter/network.yml", clone)
    images = user.inside("ctr -n k8s.io images ls -q").split()
    return next(name for name in images if "/mintnet/app:" in name)


def faulty(image: str, fault: str) -> dict[str, Any]:
    return {
        **ONE,
        "cometbft_app_image": image,
        "cometbft_app_command": ["/venv/bin/python", "/etc/faulty.py"],
        "cometbft_app_env": {"FAULT": fault, "PYTHONPATH": "/srv"},
        "cometbft_app_files": {"/etc/faulty.py": FAULTY},
    }


@pytest.mark.long
def test_image_that_is_missing(case: Case) -> None:
    run = case.create(**ONE, cometbft_app_image="localhost/nothing:1", cometbft_timeout=SHORT)
    explained(
        run, case.result(), node="tm-0", reason="localhost/nothing:1 of app cannot be pulled", step="cometbft_app_image"
    )


@pytest.mark.long
def test_command_that_is_not_in_the_image(case: Case, image: str) -> None:
    wanted = {**ONE, "cometbft_app_image": image, "cometbft_app_command": ["/nothing"]}
    run = case.create(**wanted, cometbft_timeout=SHORT)
    explained(run, case.result(), node="tm-0", reason="app .*/nothing", step="cometbft_app_command")


@pytest.mark.long
def test_application_that_listens_elsewhere(case: Case, image: str) -> None:
    wanted = {**ONE, "cometbft_app_image": image, "cometbft_app_args": ["--address", "unix:///socks/other.sock"]}
    run = case.create(**wanted, cometbft_timeout=20)
    explained(
        run,
        case.result(),
        node="tm-0",
        reason="does not answer",
        step="listen on its ABCI_ADDRESS",
        log="app: .*listening on unix:///socks/other.sock",
    )


@pytest.mark.long
def test_application_whose_socket_the_node_may_not_use(case: Case, image: str) -> None:
    """It is another user's, and only that user may write to what it makes."""
    run = case.create(**ONE, cometbft_app_image=image, cometbft_app_user=1001, cometbft_timeout=20)
    explained(run, case.result(), node="tm-0", reason="does not answer", step="umask 007", log="permission denied")


def test_application_that_refuses_a_call(case: Case, image: str) -> None:
    run = case.create(**faulty(image, "refuses"), cometbft_timeout=30)
    explained(
        run,
        case.result(),
        node="tm-0",
        reason="app ended with exit code 1",
        step="CONTAINER=app",
        log="init_chain failed.*app_state has no treasury",
    )


@pytest.mark.long
def test_application_of_an_earlier_abci(case: Case, image: str) -> None:
    """It goes on; the node ends, again and again, and waits for longer each time."""
    run = case.create(**faulty(image, "old"), cometbft_timeout=55)
    explained(run, case.result(), node="tm-0", reason="tm ended", step="build it for ABCI 2.0", log="Unknown request")


@pytest.mark.long
def test_application_that_answers_slowly(case: Case, image: str) -> None:
    run = case.create(**faulty(image, "slow"), cometbft_timeout=40)
    explained(run, case.result(), node="tm-0", reason="waits for its application", step="CONTAINER=app")


@pytest.mark.long
def test_application_that_differs_on_one_node(case: Case, image: str) -> None:
    """The others go on without it, until it is late: which takes as many blocks as there are in half a minute."""
    run = case.create(**{**faulty(image, "differs"), "cometbft_nodes": 4}, cometbft_timeout=100)
    explained(
        run, case.result(), node="tm-2", reason="stands at height 1", step="run the same application", log="AppHash"
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "since"), [("begins", "InitChain"), ("everywhere", "block 1")], ids=["begins", "everywhere"]
)
def test_applications_that_all_differ(case: Case, image: str, fault: str, since: str) -> None:
    """All hold the same block, or none, and none follows."""
    run = case.create(**{**faulty(image, fault), "cometbft_nodes": 4}, cometbft_timeout=60)
    result = case.result()
    for number in range(4):
        node = f"tm-{number}"
        reason = f"its application has app hash {node.encode().hex().upper()}[0-9A-F]*… after {since}"
        explained(run, result, node=node, reason=reason, step="run the same application.*CONTAINER=app")
