# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that do not do what a node needs: node, container and cause are named, with their last words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from explained import LONG, SHORT, Case, explained, inside, until
from surroundings import User

FAULTY = (Path(__file__).parent / "faulty.py").read_text(encoding="utf-8")
ONE: dict[str, Any] = {"cometbft_nodes": 1, "cometbft_app": "container", "cometbft_ephemeral": True}


@pytest.fixture(scope="module")
def image(user: User, clone: Path, cluster: None) -> str:
    """The example counter's, on the machine."""
    user.run(".venv/bin/ansible-playbook playbooks/cluster.yml -e @examples/counter/network.yml", clone)
    images = inside("ctr -n k8s.io images ls -q", machine=f"{user.cluster}-1").split()
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


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refuses", "init_chain failed.*app_state has no treasury"),
        pytest.param("old", "prepare_proposal failed.*ABCI 0.17", marks=pytest.mark.long),
    ],
    ids=["refuses", "old"],
)
def test_application_that_refuses_a_call(case: Case, image: str, fault: str, words: str) -> None:
    run = case.create(**faulty(image, fault), cometbft_timeout=30)
    explained(run, case.result(), node="tm-0", reason="app ended with exit code 1", step="CONTAINER=app", log=words)


@pytest.mark.long
def test_application_that_answers_slowly(case: Case, image: str) -> None:
    run = case.create(**faulty(image, "slow"), cometbft_timeout=40)
    explained(run, case.result(), node="tm-0", reason="waits for its application", step="CONTAINER=app")


@pytest.mark.long
def test_application_that_differs_on_one_node(case: Case, image: str) -> None:
    case.create(**{**faulty(image, "differs"), "cometbft_nodes": 4}, cometbft_timeout=LONG, code=None)
    # The others go on without it, until it is late.
    until("tm-2 is late", lambda: case.user.height("tm-0", case.name) > 40, 120)
    run = case.wait(5)
    explained(
        run, case.result(), node="tm-2", reason="stands at height 3", step="run the same application", log="AppHash"
    )
