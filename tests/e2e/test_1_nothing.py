# SPDX-License-Identifier: GPL-3.0-or-later
"""On a machine where nothing of ours is: what must not do anything does nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from surroundings import User, folder, traces


@pytest.fixture
def untouched(user: User) -> Iterator[None]:
    """The user's folder, kubeconfig and machine, and the names in the artifact cache, are what they were."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mintnet" / "artifacts"

    def state() -> object:
        mine = {name: mark for name, mark in folder(user.home).items() if not name.startswith("clone/")}
        return mine, traces(user), sorted(str(path) for path in cache.glob("*/*"))

    before = state()
    yield
    assert state() == before


@pytest.mark.usefixtures("untouched")
def test_every_fault_in_one_message(user: User, clone: Path) -> None:
    faults = {
        "cometbft_nodez": "4",
        "cometbft_version": "9.9.9",
        "cometbft_network": "Not_A_Label",
        "cometbft_chain_id": "c" * 51,
        "cometbft_power": "ten",
        "cometbft_nodes": "2",
        "cometbft_validators": "3",
        "kubeadm_version": "1.0",
        "mintnet_provider": "somebody",
    }
    arguments = " ".join(f"-e {name}={value}" for name, value in faults.items())
    run = user.run(f"make create ARGS='{arguments}'", clone, code=1)
    assert not [name for name in faults if name not in run.output]
    # … with the name that was meant, and what is allowed.
    for word in ("cometbft_nodes", "0.40.0", "50", "kubeadm", "existing"):
        assert word in run.output
    assert "Traceback" not in run.output


@pytest.mark.usefixtures("untouched")
def test_check_only_says_what_would_be(user: User, clone: Path) -> None:
    run = user.run("make create ARGS=--check", clone)
    assert "would" in run.output


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("verb", ["destroy", "destroy-cluster"])
def test_removing_nothing(user: User, clone: Path, verb: str) -> None:
    assert user.run(f"make {verb} CONFIRM=yes", clone).changed == 0


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("verb", ["status", "logs", "tx TX=a=b", "reset CONFIRM=yes"])
def test_using_nothing_says_what_to_do(user: User, clone: Path, verb: str) -> None:
    run = user.run(f"make {verb}", clone, code=1)
    assert "make create" in run.output or "mintnet.kubernetes.create" in run.output
    assert "Traceback" not in run.output


def test_help_names_every_verb(user: User, clone: Path) -> None:
    run = user.run("make", clone)
    playbooks = {path.stem.replace("_", "-") for path in (clone / "playbooks").glob("*.yml")} - {"cluster", "network"}
    assert not [verb for verb in playbooks if f"  {verb} " not in run.output]
