# SPDX-License-Identifier: GPL-3.0-or-later
"""One user for most files, which run in the order of their names: what one file leaves, the next one finds.

The files are numbered. A failure in what later cases stand on fails those, too, and says so. The files in APART need
nothing of that user, and can run beside the others; those of a group in OWN have a user and a cluster of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tree
import yaml
from explained import Case, network
from surroundings import CLUSTER, SUBNET, User, remove, sweep, traces
from xdist.scheduler.loadscope import LoadScopeScheduling

APART = {
    "test_3_abci": "binary",
    "test_3_basecoin": "binary",
    "test_3_binary": "binary",
    "test_3_keys": "binary",
    "test_3_mac": "mac",
    "test_5_apps": "networks",
    "test_5_apps_fail": "networks",
    "test_5_apps_options": "networks",
    "test_5_dashboard": "networks",
    "test_5_explain_means": "networks",
    "test_5_explain_running": "networks",
    "test_5_explain_start": "networks",
    "test_5_groups": "networks",
    "test_5_kinds": "networks",
    "test_5_life": "networks",
    "test_5_mac": "networks",
    "test_5_minikube": "minikube",
    "test_5_mirror": "mirror",
    "test_5_pages": "networks",
    "test_5_render": "networks",
    "test_5_sdkchain": "networks",
    "test_5_snapshot": "networks",
    "test_5_stop": "networks",
    "test_5_template": "networks",
    "test_5_transact": "networks",
    # Both make and remove machines, and the second one looks at all that this host has.
    "test_7_kills": "kills",
    "test_8_departure": "machines",
    "test_8_listed": "listed",
    "test_8_machines": "machines",
    "test_machines": "kills",
}
"""Files by what they share; one worker runs those in the order of their names. All others share the user."""
OWN = {
    "networks": ("e2enets", "10.89.74.0/24"),
    "machines": ("e2eha", "10.89.75.0/24"),
    "listed": ("e2elisted", "10.89.78.0/24"),
}
"""Cluster and subnet of a group."""


class Scheduling(LoadScopeScheduling):
    """As pytest-xdist's own, except for what belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(Path(nodeid.partition("::")[0]))


def group_of(file: Path) -> str:
    return APART.get(file.stem, "user")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@contextlib.contextmanager
def somebody(cluster: str, subnet: str) -> Iterator[User]:
    """One run at a time on a machine; what a run left that was killed is removed by the next."""
    with (Path(tempfile.gettempdir()) / f"{cluster}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pytest.fail(f"these tests are running already on this machine ({lock.name})")
        sweep(cluster)
        someone = User(Path(tempfile.mkdtemp(prefix=f"{cluster}-")), cluster, subnet)
        left = {kind: names for kind, names in traces(someone).items() if names}
        assert not left, f"an earlier run of these tests left something; remove it first: {left}"
        yield someone
        remove(someone)


@pytest.fixture(scope="session")
def users() -> Iterator[Callable[[str, str], User]]:
    """Each comes with the first test that needs them, and stays until the last test of all."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda *place: stack.enter_context(somebody(*place)))


@pytest.fixture(scope="module")
def user(users: Callable[[str, str], User], request: pytest.FixtureRequest) -> User:
    return users(*OWN.get(group_of(request.path), (CLUSTER, SUBNET)))


@pytest.fixture(scope="module")
def clone(user: User) -> Path:
    """What a newcomer has after `git clone`: no virtual environment, nothing built.

    Making one takes a minute of processor time: all others than the first user are given this run's.
    """
    path = user.home / "clone"
    if not path.exists():
        tree.copy(path)
        if user.cluster != CLUSTER:
            lend(path / ".venv")
    return path


def lend(venv: Path) -> None:
    """As scripts/venv leaves one that is complete."""
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".complete":
            (venv / part.name).symlink_to(part)
    wanted = (venv.parent / "requirements.txt").read_text(encoding="utf-8")
    (venv / ".complete").write_text(f"{venv}\n{wanted}", encoding="utf-8")


@pytest.fixture(scope="module")
def cluster(user: User, clone: Path) -> None:
    """There from the tests before, or made now where a file runs alone; the first user's with a network."""
    contexts = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))["contexts"]
    if user.cluster not in {item["name"] for item in contexts}:
        alone = ".venv/bin/ansible-playbook playbooks/cluster.yml"
        user.run("make create" if user.cluster == CLUSTER else alone, clone)


@pytest.fixture
def case(user: User, clone: Path, cluster: None, request: pytest.FixtureRequest) -> Iterator[Case]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    with network(user, clone, f"x-{name}") as one:
        yield one
