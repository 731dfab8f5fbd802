# SPDX-License-Identifier: GPL-3.0-or-later
"""One user for all files, which run in the order of their names: what one file leaves, the next one finds.

The files are numbered. A failure in what later cases stand on fails those, too, and says so.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree
from surroundings import CLUSTER, User, traces


@pytest.fixture(scope="session")
def user() -> Iterator[User]:
    home = Path(tempfile.mkdtemp(prefix="mintnet-e2e-"))
    someone = User(home)
    left = {kind: names for kind, names in traces(someone).items() if names}
    assert not left, f"an earlier run of these tests left something; remove it first: {left}"
    yield someone
    remove(someone)


def remove(user: User) -> None:
    """Also after a failure: first as a user would, then what that has left by its label."""
    clone = user.home / "clone"
    if (user.home / "mintnet").exists() and clone.exists():
        user.run("make destroy-cluster CONFIRM=yes", clone, code=None)
    label = f"label=io.mintnet.cluster={CLUSTER}"
    for kind, names in (("container", "ps -a"), ("volume", "volume ls"), ("network", "network ls")):
        listing = ["podman", *names.split(), "-q", "--filter", label]
        found = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
        for name in found:
            force = ["-t", "0"] if kind == "container" else []
            subprocess.run(["podman", kind, "rm", "-f", *force, name], capture_output=True, check=False)
    shutil.rmtree(user.home, ignore_errors=True)


@pytest.fixture(scope="session")
def clone(user: User) -> Path:
    """What a newcomer has after `git clone`: no virtual environment, nothing built."""
    return tree.copy(user.home / "clone")
