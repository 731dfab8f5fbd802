# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's quick start, command by command as it stands there, in a fresh clone: from nothing to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree
import yaml
from surroundings import CLUSTER, FOREIGN, NETWORK, User, traces


def commands() -> list[str]:
    text = (tree.ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Quick start\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```shell\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def broken() -> list[str]:
    """Commands that failed: what comes after them proves nothing."""
    return []


@pytest.fixture(scope="module", autouse=True)
def context(user: User) -> Iterator[None]:
    """The README speaks of the context `mintnet`; in the tests' kubeconfig it leads to the tests' cluster."""
    assert {"make create", "make destroy-cluster CONFIRM=yes"} <= set(commands())
    yield
    user.run(f"kubectl config delete-context {NETWORK}", user.home, code=None)


@pytest.mark.parametrize("position", range(len(commands())), ids=lambda position: commands()[position])
def test_command(user: User, clone: Path, broken: list[str], position: int) -> None:
    assert not broken, f"failed before: {broken}"
    command = commands()[position]
    broken.append(command)
    again = command in commands()[:position]
    before = user.pods() if again else {}

    run = user.run(command, clone)

    if command == "make create" and not again:
        user.run(f"kubectl config set-context {NETWORK} --cluster={CLUSTER} --user={CLUSTER}", user.home)
        assert user.nodes() == ["tm-0", "tm-1", "tm-2", "tm-3"]
        user.agree()
    elif command == "make create":
        assert run.changed == 0
        assert user.pods() == before
    elif command.startswith("make tx"):
        assert user.read("tm-1", "name") == "satoshi"
    elif command.startswith("make reset"):
        assert user.agree() < 100
        assert user.read("tm-1", "name") == ""
    elif command.startswith("make destroy "):
        assert f"namespace/{NETWORK}" not in user.kubectl("get namespaces -o name").output.split()
    elif command.startswith("make destroy-cluster"):
        assert not {kind: names for kind, names in traces(user).items() if names}
        kept = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
        kept["contexts"] = [context for context in kept["contexts"] if context["name"] != NETWORK]
        assert {name: kept[name] for name in FOREIGN} == FOREIGN
    broken.remove(command)
