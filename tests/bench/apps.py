# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications beside their nodes: when both are back, how long an image takes, how much goes through.

Transactions are sent in batches over one connection to one node, which is open all the time, as fast as it takes them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from crash import kill
from nacl.signing import SigningKey
from surroundings import User

SENT, BATCH = 4000, 400
ROLLS = (4, 7)
CRASHES = 3
#: Blocks without a transaction, one after the other, after which no more are waited for.
EMPTY = 50
#: The key of RFC 8032's first test, which basecoin's example gives coins to.
ALICE = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
OPTIONS: dict[str, dict[str, Any]] = {
    "unix": {},
    "tcp": {"cometbft_app_transport": "tcp"},
    "grpc": {"cometbft_app_transport": "grpc", "cometbft_app_args": ["--grpc"]},
}
#: A node breaks off its answer a second after this, and an application needs its time for a batch.
RPC = {"max_request_batch_size": BATCH, "timeout_broadcast_tx_commit": "60s"}


def figures(user: User, clone: Path) -> Iterator[str]:
    """One line a figure."""
    sys.path.append(str(clone / "examples" / "basecoin"))
    yield from rolls(user, clone)
    floor = through(user, clone, "kvstore", {"cometbft_app": "kvstore"})
    yield f"transactions per second, kvstore in the node             {floor:8.0f}"
    basecoin = yaml.safe_load((clone / "examples" / "basecoin" / "network.yml").read_text(encoding="utf-8"))
    for transport, options in OPTIONS.items():
        ours = through(user, clone, "basecoin", basecoin | options)
        yield f"transactions per second, basecoin over {transport:<4}              {ours:8.0f} {ours / floor:7.2f}×"


def rolls(user: User, clone: Path) -> Iterator[str]:
    folder = clone / "examples" / "counter"
    program = folder / "counter.py"
    for count in ROLLS:
        create = f"make create ARGS='-e cometbft_nodes={count}'"
        user.run(create, folder)
        for number in range(1, CRASHES + 1):
            yield f"crash {number} of one of {count} → next block of its node            {crash(user):8.1f} s"
        first = user.height("tm-0", "counter")
        program.write_text(f"{program.read_text(encoding='utf-8')}# {count}\n", encoding="utf-8")
        yield f"another image, built and on {count} nodes, one by one        {user.run(create, folder).seconds:8.1f} s"
        yield f"  the longest time between two blocks meanwhile         {user.longest_gap(first, 'counter'):8.1f} s"
        user.run("make destroy CONFIRM=yes", folder)


def crash(user: User) -> float:
    """Seconds from the end of an application to its node's next block. The kubelet starts the next one ever later."""
    began = time.monotonic()
    kill(user, "tm-1", "counter.py")
    height = max(user.height(node, "counter") for node in user.nodes("counter") if node != "tm-1")
    user.wait("tm-1 goes on", lambda: user.height("tm-1", "counter") > height, 300)
    return time.monotonic() - began


def through(user: User, clone: Path, name: str, variables: dict[str, Any]) -> float:
    """Transactions of a second: those sent, by the time from the first one to the block that has the last."""
    network = f"bench-{name}"
    file = user.home / f"{network}.yml"
    ours = {"cometbft_network": network, "cometbft_block_time": "200ms", "cometbft_config": {"rpc": RPC}}
    file.write_text(yaml.safe_dump(variables | ours), encoding="utf-8")
    user.run(f"make create NETWORK={file}", clone)
    txs = transfers(network) if name == "basecoin" else [f"k{number}=v".encode() for number in range(SENT)]
    with forwarded(user, network) as url:
        first = int(ask(url, call("status"))["result"]["sync_info"]["latest_block_height"])
        bodies = [request(batch) for batch in batches(txs)]
        began = time.time()
        for body in bodies:
            send(url, body)
        ended = included(url, first)
    user.run(f"make destroy CONFIRM=yes NETWORK={file}", clone)
    return len(txs) / (ended - began)


@contextlib.contextmanager
def forwarded(user: User, network: str) -> Iterator[str]:
    """The address of a node's RPC on this machine, as long as the context lasts."""
    command = ["kubectl", "--context", user.cluster, "-n", network, "port-forward", "pod/tm-0", ":26657"]
    process = subprocess.Popen(command, env=user.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        port = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 26657\n", line)
        assert port, f"kubectl port-forward says {line!r}"
        yield f"http://127.0.0.1:{port[1]}/"
    finally:
        process.terminate()
        process.wait()


def batches(txs: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (txs[begin : begin + BATCH] for begin in range(0, len(txs), BATCH))


def transfers(chain_id: str) -> list[bytes]:
    from transfer import Transfer

    public = bytes(ALICE.verify_key)
    return [Transfer(chain_id, public, "A" * 40, 1, nonce).signed(ALICE) for nonce in range(SENT)]


def call(method: str, number: int = 0, **params: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def request(txs: Sequence[bytes]) -> list[dict[str, Any]]:
    return [call("broadcast_tx_sync", number, tx=base64.b64encode(tx).decode()) for number, tx in enumerate(txs)]


def ask(url: str, body: Any) -> Any:
    question = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(question, timeout=120) as answer:
        return json.load(answer)


def send(url: str, calls: list[dict[str, Any]]) -> None:
    answers = ask(url, calls)
    assert isinstance(answers, list), answers
    assert len(answers) == len(calls), f"{len(answers)} answers to {len(calls)} transactions"
    for answer in answers:
        assert "error" not in answer, answer
        assert not answer["result"]["code"], answer


def included(url: str, first: int) -> float:
    """When the block was made that has the last of them. Its time is in the header of the one behind it: what a block's
    own header tells is when the one before was voted for."""
    found = empty = 0
    height, until = first, time.monotonic() + 300
    while found < SENT:
        said = f"{found} of {SENT} transactions are in blocks {first + 1} to {height}, {empty} blocks are empty"
        assert empty < EMPTY and time.monotonic() < until, said
        height += 1
        txs = len(block(url, height, until)["data"]["txs"] or [])
        found += txs
        empty = 0 if txs else empty + 1
    time_of_it = block(url, height + 1, until)["header"]["time"]
    return datetime.fromisoformat(time_of_it[:26].rstrip("Z") + "+00:00").timestamp()


def block(url: str, height: int, until: float) -> dict[str, Any]:
    """As soon as it is there."""
    while True:
        answer = ask(url, call("block", height=str(height)))
        if "error" not in answer:
            return dict(answer["result"]["block"])
        assert time.monotonic() < until, answer
        time.sleep(0.1)
