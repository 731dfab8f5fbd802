# SPDX-License-Identifier: GPL-3.0-or-later
"""The end: asked for twice, complete, and of our own things only."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from surroundings import CLUSTER, FOREIGN, NETWORK, User, traces

pytestmark = pytest.mark.long


def on_terminal(user: User, command: str, place: Path, answer: str) -> tuple[int, str]:
    """Runs a command on a terminal of its own and answers its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=place,
        env=user.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    output, answers, ends = "", 0, time.monotonic() + 180
    while time.monotonic() < ends:
        if not select.select([ours], [], [], 1)[0]:
            # Quiet: it waits. What was typed before it began to read is thrown away, so a lost answer is typed again.
            if "?" in output and answers < 5:
                os.write(ours, f"{answer}\r".encode())
                answers += 1
            continue
        try:
            part = os.read(ours, 4096).decode(errors="replace")
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        output += part
    os.close(ours)
    print(f"$ {command}\n{output}")
    assert answers, f"it did not ask:\n{output}"
    return process.wait(timeout=60), output


@pytest.mark.parametrize("verb", ["destroy", "destroy-cluster"])
def test_without_terminal_nothing_is_removed(user: User, clone: Path, verb: str) -> None:
    before = user.objects(), user.pods(), traces(user)["containers"]
    run = user.run(f"make {verb}", clone, code=1)
    assert "CONFIRM=yes" in run.output
    assert (user.objects(), user.pods(), traces(user)["containers"]) == before


def test_cluster_with_networks_is_kept(user: User, clone: Path) -> None:
    run = user.run("make destroy-cluster", clone, code=1)
    assert NETWORK in run.output


def test_no_on_a_terminal_removes_nothing(user: User, clone: Path) -> None:
    before = user.objects(), user.pods()
    code, _output = on_terminal(user, "make destroy", clone, "no")
    assert code != 0
    assert (user.objects(), user.pods()) == before


def test_yes_on_a_terminal_removes_the_network(user: User, clone: Path) -> None:
    code, output = on_terminal(user, "make destroy", clone, "yes")
    assert code == 0, output
    assert f"namespace/{NETWORK}\n" not in user.kubectl("get namespaces -o name").output
    assert "No resources found" in user.kubectl("get persistentvolumes").output
    assert "Ready" in user.kubectl("get nodes").output


def test_destroying_again_changes_nothing(user: User, clone: Path) -> None:
    assert user.run("make destroy CONFIRM=yes", clone).changed == 0


def test_destroying_the_cluster_leaves_nothing(user: User, clone: Path) -> None:
    user.run("make destroy-cluster CONFIRM=yes", clone)
    assert not {kind: names for kind, names in traces(user).items() if names}
    assert yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8")) == FOREIGN


def test_destroying_the_cluster_again_changes_nothing(user: User, clone: Path) -> None:
    before = user.kubeconfig.read_bytes()
    assert user.run("make destroy-cluster CONFIRM=yes", clone).changed == 0
    assert user.kubeconfig.read_bytes() == before
    assert CLUSTER not in before.decode()
