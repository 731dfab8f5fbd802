# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of four, one of each custody, that grow to six nodes and shrink again while transactions flow."""

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
CUSTODIES = {"scaled": "secret", "scaled-own-keys": "pod"}
"""By the names of the networks."""
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]
JOINING = ["tm-4", "tm-5"]


@pytest.fixture(scope="module", params=CUSTODIES)
def case(user: User, clone: Path, cluster: None, request: pytest.FixtureRequest) -> Iterator[Case]:
    with network(user, clone, request.param) as one:
        # The whole, so that the cluster has the images.
        create(one, 4, whole=True)
        yield one


def create(case: Case, nodes: int, *, code: int = 0, **variables: Any) -> Run:
    custody = CUSTODIES[case.name]
    return case.create(code=code, cometbft_nodes=nodes, cometbft_validators=4, cometbft_custody=custody, **variables)


class Sender(threading.Thread):
    """Sends transactions one after the other until it is told to end; what was taken is in ``sent``."""

    def __init__(self, case: Case) -> None:
        super().__init__(daemon=True)
        self.case = case
        self.sent: list[str] = []
        self.refused: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            if self.ended.wait(0.3):
                return
            tx = f"{id(self)}-{number}=v"
            try:
                answer = self.case.user.rpc(
                    "tm-0", f"broadcast_tx_sync?tx=%22{tx.replace('=', '%3D')}%22", self.case.name
                )
                (self.refused if answer["code"] else self.sent).append(tx)
            except AssertionError as error:
                self.refused.append(str(error))


@contextlib.contextmanager
def transactions(case: Case) -> Iterator[None]:
    """They flow meanwhile: each that was sent is taken, and is in a block in the end."""
    user = case.user
    sender, first = Sender(case), user.height("tm-0", case.name)
    sender.start()
    try:
        yield
    finally:
        sender.ended.set()
        sender.join(30)
    assert sender.sent
    assert not sender.refused

    def missing() -> set[str]:
        blocks = user.blocks(first=first, namespace=case.name)
        txs = (tx for block in blocks for tx in block["data"]["txs"] or [])
        return set(sender.sent) - {base64.b64decode(tx).decode() for tx in txs}

    user.wait("all are in blocks", lambda: not missing(), 30)


def unchanged(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return {name: after[name] for name in NODES} == {name: before[name] for name in NODES}


def config(case: Case, node: str) -> str:
    return case.kubectl(f"exec -c tm {node} -- cat /cometbft/config/config.toml").output


def full_and_caught_up(case: Case) -> bool:
    newest = case.user.height("tm-0", case.name)
    for node in JOINING:
        status = case.user.rpc(node, "status", case.name)
        assert status["validator_info"]["voting_power"] == "0"
        if status["sync_info"]["catching_up"] or int(status["sync_info"]["latest_block_height"]) < newest - 3:
            return False
    return True


def test_kubectl_scale_grows_and_shrinks_it(case: Case) -> None:
    """Create gives the new ones what they lack and keeps what it finds; the next one has nothing to do."""
    user, name = case.user, case.name
    before = user.pods(name)
    with transactions(case):
        case.kubectl("scale statefulset tm --replicas=6")
        # They have keys of their own, and neither a row nor a Service.
        user.wait("both have joined by themselves", lambda: full_and_caught_up(case), 240)
        told = case.kubectl(f"logs tm-4 -c {'tm-collect' if CUSTODIES[name] == 'pod' else 'tm-gen-validator'}").output
        assert "tm-4 has no row in the ConfigMap tm-nodes yet: it joins without a vote" in told
        assert len(case.get("configmap tm-nodes")["data"]["nodes"].splitlines()) == 4
        adopted = create(case, 4)
        assert "the StatefulSet tm was scaled to 6 nodes by somebody else: kept" in adopted.output
        assert unchanged(before, user.pods(name))
        assert full_and_caught_up(case)
        assert len(case.get("configmap tm-nodes")["data"]["nodes"].splitlines()) == 6
        assert set(JOINING) < {item["metadata"]["name"] for item in case.get("services")}
        assert create(case, 4).changed == 0
        case.kubectl("scale statefulset tm --replicas=4")
        user.wait("they have left", lambda: user.nodes(name) == NODES)
        create(case, 4)
        assert unchanged(before, user.pods(name))
        assert create(case, 4).changed == 0
    status = user.run(f"make status NETWORK={user.home / name}.yml", case.clone)
    assert "healthy" in status.output


def test_create_does_too(case: Case) -> None:
    user, name = case.user, case.name
    before, settings = user.pods(name), [config(case, node) for node in NODES]
    with transactions(case):
        create(case, 6)
        assert unchanged(before, user.pods(name))
        assert full_and_caught_up(case)
        assert create(case, 6).changed == 0
        refused = create(case, 4, code=1)
        assert "confirm that tm-4, tm-5 shall stop" in story(refused.output)["why"]
        assert user.nodes(name) == NODES + JOINING
        create(case, 4, mintnet_confirm=True)
        user.wait("they have left", lambda: user.nodes(name) == NODES)
        assert unchanged(before, user.pods(name))
    assert [config(case, node) for node in NODES] == settings
    # Who comes back finds what was left.
    claims = {item["metadata"]["name"] for item in case.get("persistentvolumeclaims")}
    assert claims == {f"data-{node}" for node in NODES + JOINING}
    user.nobody_signed_twice(name)
