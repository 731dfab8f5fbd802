# SPDX-License-Identifier: GPL-3.0-or-later
"""One user for all files, which run in the order of their names: what one file leaves, the next one finds.

The files are numbered. A failure in what later cases stand on fails those, too, and says so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree
from surroundings import User, remove, traces


@pytest.fixture(scope="session")
def user() -> Iterator[User]:
    home = Path(tempfile.mkdtemp(prefix="mintnet-e2e-"))
    someone = User(home)
    left = {kind: names for kind, names in traces(someone).items() if names}
    assert not left, f"an earlier run of these tests left something; remove it first: {left}"
    yield someone
    remove(someone)


@pytest.fixture(scope="session")
def clone(user: User) -> Path:
    """What a newcomer has after `git clone`: no virtual environment, nothing built."""
    return tree.copy(user.home / "clone")
