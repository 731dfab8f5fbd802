# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications beside their nodes: when both are back, how long an image takes, how much goes through.

Transactions are sent in batches through the API server, to one node, as fast as it takes them.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from nacl.signing import SigningKey
from surroundings import User

SENT, BATCH = 4000, 400
ROLLS = (4, 7)
#: The key of RFC 8032's first test, which basecoin's example gives coins to.
ALICE = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
OPTIONS: dict[str, dict[str, Any]] = {
    "unix": {},
    "tcp": {"cometbft_app_transport": "tcp"},
    "grpc": {"cometbft_app_transport": "grpc", "cometbft_app_args": ["--grpc"]},
}


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
        before = max(user.height(node, "counter") for node in user.nodes("counter"))
        end = "/venv/bin/python -c 'import os, signal; os.kill(1, signal.SIGTERM)'"
        user.kubectl(f"-n counter exec tm-1 -c app -- {end}")
        went = before + 1
        seconds = user.wait("tm-1 goes on", lambda: user.height("tm-1", "counter") > went)  # noqa: B023
        yield f"application of one of {count} ended → next block of its node   {seconds:8.1f} s"
        first = user.height("tm-0", "counter")
        program.write_text(f"{program.read_text(encoding='utf-8')}# {count}\n", encoding="utf-8")
        yield f"another image, {count} nodes, one by one                     {user.run(create, folder).seconds:8.1f} s"
        yield f"  the longest time between two blocks meanwhile         {user.longest_gap(first, 'counter'):8.1f} s"
        user.run("make destroy CONFIRM=yes", folder)


def through(user: User, clone: Path, name: str, variables: dict[str, Any]) -> float:
    """Transactions of a second: those sent, by the time from the first one to the block that has the last."""
    network = f"bench-{name}"
    file = user.home / f"{network}.yml"
    ours = {"cometbft_network": network, "cometbft_config": {"rpc": {"max_request_batch_size": BATCH}}}
    file.write_text(yaml.safe_dump(variables | ours), encoding="utf-8")
    user.run(f"make create NETWORK={file}", clone)
    txs = transfers(network) if name == "basecoin" else [f"k{number}=v".encode() for number in range(SENT)]
    first = user.height("tm-0", network)
    began = time.time()
    for batch in batches(txs):
        send(user, network, batch)
    ended = included(user, network, first)
    user.run(f"make destroy CONFIRM=yes NETWORK={file}", clone)
    return len(txs) / (ended - began)


def batches(txs: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (txs[begin : begin + BATCH] for begin in range(0, len(txs), BATCH))


def transfers(chain_id: str) -> list[bytes]:
    from transfer import Transfer

    public = bytes(ALICE.verify_key)
    return [Transfer(chain_id, public, "A" * 40, 1, nonce).signed(ALICE) for nonce in range(SENT)]


def send(user: User, network: str, txs: Sequence[bytes]) -> None:
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": "broadcast_tx_sync", "params": {"tx": base64.b64encode(tx).decode()}}
        for number, tx in enumerate(txs)
    ]
    file = user.home / "batch.json"
    file.write_text(json.dumps(calls), encoding="utf-8")
    url = f"/api/v1/namespaces/{network}/pods/tm-0:26657/proxy/"
    for answer in json.loads(user.kubectl(f"create --raw {url} -f {file}").output):
        assert not answer["result"]["code"], answer


def included(user: User, network: str, first: int) -> float:
    """When the block was made that has the last of them."""
    found, height = 0, first
    while found < SENT:
        user.wait("the next block", lambda: user.height("tm-0", network) > height)  # noqa: B023
        height += 1
        block = user.rpc("tm-0", f"block?height={height}", network)["block"]
        found += len(block["data"]["txs"] or [])
    return datetime.fromisoformat(block["header"]["time"][:26].rstrip("Z") + "+00:00").timestamp()
