# SPDX-License-Identifier: GPL-3.0-or-later
"""Without make: from a flat clone with pip, and as an installed collection from an empty folder.

The cluster that this file makes stays for the files after it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tree
import yaml
from surroundings import CLUSTER, FOREIGN, User


@pytest.fixture(scope="module")
def flat(user: User, clone: Path) -> Path:
    """A clone without a virtual environment of its own; one that is somewhere else is activated."""
    user.run("make venv", clone)
    return tree.copy(user.home / "flat")


def activate(user: User) -> str:
    return f". {user.home / 'clone' / '.venv' / 'bin' / 'activate'}"


def test_collection_creates_from_nothing(user: User, flat: Path) -> None:
    elsewhere = user.home / "elsewhere"
    elsewhere.mkdir()
    installed = user.home / "collections"
    user.run(f"{activate(user)} && ansible-galaxy collection build --output-path {elsewhere}", flat)
    install = f"ansible-galaxy collection install mintnet-kubernetes-1.0.0.tar.gz -p {installed}"
    user.run(f"{activate(user)} && {install} && rm *.tar.gz", elsewhere)
    run = user.run(
        f"{activate(user)} && ansible-playbook mintnet.kubernetes.create",
        elsewhere,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )
    assert run.changed > 0
    assert user.nodes() == ["tm-0", "tm-1", "tm-2", "tm-3"]
    user.agree()
    # What was built for the first cluster of these tests is not built again.
    assert run.seconds < 300
    assert not list(elsewhere.iterdir())
    status = f"{activate(user)} && ansible-playbook mintnet.kubernetes.status"
    assert "tm-3" in user.run(status, elsewhere, ANSIBLE_COLLECTIONS_PATH=str(installed)).output


@pytest.mark.long
def test_flat_clone_finds_the_same(user: User, flat: Path) -> None:
    before = user.pods()
    assert user.run(f"{activate(user)} && ansible-playbook playbooks/create.yml", flat).changed == 0
    assert user.pods() == before


@pytest.mark.long
def test_make_finds_the_same(user: User, clone: Path) -> None:
    before = user.pods(), user.objects()
    run = user.run("make create", clone)
    assert run.changed == 0
    assert (user.pods(), user.objects()) == before


def test_kubeconfig_keeps_what_it_had(user: User) -> None:
    kept = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    assert kept["current-context"] == "theirs"
    for kind in ("clusters", "contexts", "users"):
        assert FOREIGN[kind][0] in kept[kind]
        assert {entry["name"] for entry in kept[kind]} == {"theirs", CLUSTER}
    assert user.kubeconfig.stat().st_mode & 0o077 == 0
