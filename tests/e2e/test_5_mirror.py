# SPDX-License-Identifier: GPL-3.0-or-later
"""Without a way out: a folder that was filled elsewhere is all that a cluster and a network are made from."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pages
import pytest
import tree
from surroundings import Run, User, remove, served, sweep, traces

pytestmark = pytest.mark.long

CLUSTER = "e2emirror"
SUBNET = "10.89.72.0/24"
YES = "-e mintnet_confirm=true"


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    sweep(CLUSTER)
    someone = User(Path(tempfile.mkdtemp(prefix=f"{CLUSTER}-")), CLUSTER, SUBNET)
    yield someone
    play(someone, "destroy_cluster", YES, code=None)
    remove(someone)


@pytest.fixture(scope="module")
def mirror(user: User) -> Iterator[str]:
    """What somebody without a way out has of it: its address, and the sum of its list, as they were told."""
    listing, filling = (line for line in pages.page("path") if line.startswith("ansible-playbook "))
    collections = str(tree.ROOT / ".dev")
    user.run(listing, user.home, ANSIBLE_COLLECTIONS_PATH=collections)
    filled = user.run(filling, user.home, ANSIBLE_COLLECTIONS_PATH=collections)
    (sha256,) = set(re.findall(r"\b[0-9a-f]{64}\b", filled.output))
    folder = user.home / "mirror"
    assert play(user, "mirror", f"-e mintnet_mirror_dir={folder}").changed == 0
    with served(folder) as address:
        yield f"-e artifacts_mirror_url={address} -e artifacts_mirror_sha256={sha256}"


def play(user: User, name: str, options: str, *, code: int | None = 0) -> Run:
    return user.run(f"ansible-playbook playbooks/{name}.yml {options}", tree.ROOT, code=code)


@pytest.fixture
def offline(user: User, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and nothing that fetches modules or packages."""
    without = {"XDG_CACHE_HOME": str(user.home / "cache"), "GOPROXY": "off", "PIP_NO_INDEX": "1"}
    for name, value in without.items():
        monkeypatch.setitem(user.environment, name, value)


@pytest.mark.usefixtures("offline")
def test_network_from_a_mirror_alone(user: User, mirror: str) -> None:
    made = play(user, "create", f"-e artifacts_source=mirror {mirror}")
    assert not re.search(r"^build ", made.output, re.MULTILINE)
    assert re.search(r"^download ", made.output, re.MULTILINE)
    user.agree()
    assert play(user, "create", f"-e artifacts_source=mirror {mirror}").changed == 0


@pytest.mark.usefixtures("offline")
def test_source_that_is_chosen_by_itself(user: User, mirror: str) -> None:
    """The same mirror, and the same artifacts: there is nothing to do."""
    assert play(user, "create", f"-e artifacts_source=auto {mirror}").changed == 0


def test_it_leaves_nothing(user: User) -> None:
    play(user, "destroy_cluster", YES)
    assert not {kind: names for kind, names in traces(user).items() if names}
