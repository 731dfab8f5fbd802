# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of four that grows to six nodes and shrinks again while transactions flow."""

from __future__ import annotations

import base64
import contextlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explained import Case, network, story
from surroundings import Run, User

pytestmark = pytest.mark.long
NAME = "scaled"
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]
JOINING = ["tm-4", "tm-5"]


@pytest.fixture(scope="module")
def case(user: User, clone: Path, cluster: None) -> Iterator[Case]:
    with network(user, clone, NAME) as one:
        create(one, 4)
        yield one


def create(case: Case, nodes: int, *, code: int = 0, **variables: Any) -> Run:
    return case.create(code=code, cometbft_nodes=nodes, cometbft_validators=4, **variables)


class Sender(threading.Thread):
    """Sends transactions one after the other until it is told to end; what was taken is in ``sent``."""

    def __init__(self, user: User) -> None:
        super().__init__(daemon=True)
        self.user = user
        self.sent: list[str] = []
        self.refused: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            if self.ended.wait(0.3):
                return
            tx = f"{id(self)}-{number}=v"
            try:
                answer = self.user.rpc("tm-0", f"broadcast_tx_sync?tx=%22{tx.replace('=', '%3D')}%22", NAME)
                (self.refused if answer["code"] else self.sent).append(tx)
            except AssertionError as error:
                self.refused.append(str(error))


@contextlib.contextmanager
def transactions(user: User) -> Iterator[None]:
    """They flow meanwhile: each that was sent is taken, and is in a block in the end."""
    sender, first = Sender(user), user.height("tm-0", NAME)
    sender.start()
    try:
        yield
    finally:
        sender.ended.set()
        sender.join(30)
    assert sender.sent
    assert not sender.refused

    def missing() -> set[str]:
        blocks = user.blocks(first=first, namespace=NAME)
        txs = (tx for block in blocks for tx in block["data"]["txs"] or [])
        return set(sender.sent) - {base64.b64decode(tx).decode() for tx in txs}

    user.wait("all are in blocks", lambda: not missing(), 30)


def unchanged(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return {name: after[name] for name in NODES} == {name: before[name] for name in NODES}


def config(case: Case, node: str) -> str:
    return case.kubectl(f"exec -c tm {node} -- cat /cometbft/config/config.toml").output


def full_and_caught_up(user: User) -> None:
    for node in JOINING:
        status = user.rpc(node, "status", NAME)
        assert status["validator_info"]["voting_power"] == "0"
        assert not status["sync_info"]["catching_up"]
        assert user.height(node, NAME) >= user.height("tm-0", NAME) - 3


def test_create_grows_and_shrinks_it(case: Case) -> None:
    user = case.user
    before, settings = user.pods(NAME), [config(case, node) for node in NODES]
    with transactions(user):
        create(case, 6)
        assert unchanged(before, user.pods(NAME))
        full_and_caught_up(user)
        assert create(case, 6).changed == 0
        refused = create(case, 4, code=1)
        assert "confirm that tm-4, tm-5 shall stop" in story(refused.output)["why"]
        assert user.nodes(NAME) == NODES + JOINING
        create(case, 4, mintnet_confirm=True)
        user.wait("they have left", lambda: user.nodes(NAME) == NODES)
        assert unchanged(before, user.pods(NAME))
    assert [config(case, node) for node in NODES] == settings
    # Who comes back finds what was left.
    claims = {item["metadata"]["name"] for item in case.get("persistentvolumeclaims")}
    assert claims == {f"data-{node}" for node in NODES + JOINING}
    user.nobody_signed_twice(NAME)


def test_kubectl_scale_does_too(case: Case) -> None:
    """Create gives the new ones what they lack and keeps what it finds; the next one has nothing to do."""
    user = case.user
    before = user.pods(NAME)
    with transactions(user):
        case.kubectl("scale statefulset tm --replicas=6")
        adopted = create(case, 4)
        assert "the StatefulSet tm was scaled to 6 nodes by somebody else: kept" in adopted.output
        assert unchanged(before, user.pods(NAME))
        full_and_caught_up(user)
        assert create(case, 4).changed == 0
        case.kubectl("scale statefulset tm --replicas=4")
        user.wait("they have left", lambda: user.nodes(NAME) == NODES)
        create(case, 4)
        assert unchanged(before, user.pods(NAME))
        assert create(case, 4).changed == 0
    status = user.run(f"make status NETWORK={user.home / NAME}.yml", case.clone)
    assert "healthy" in status.output
