# SPDX-License-Identifier: GPL-3.0-or-later
"""Full nodes that join a network under load, until they have caught up with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from surroundings import User

NETWORK = "bench-join"
VALIDATORS, JOINING = 4, ("tm-4", "tm-5")
#: Transactions in a second, and for how many seconds: some before, and more than the joining takes.
RATE, SECONDS = 20, 180
#: Blocks, two in a second, that are there before anybody joins.
HISTORY = 100


def figures(user: User, clone: Path) -> Iterator[str]:
    """One line a figure."""
    file = user.home / f"{NETWORK}.yml"
    chosen = {"cometbft_network": NETWORK, "cometbft_validators": VALIDATORS, "cometbft_block_time": "500ms"}
    file.write_text(yaml.safe_dump(chosen), encoding="utf-8")
    create = f"make create NETWORK={file} ARGS='-e cometbft_nodes="
    user.run(f"{create}{VALIDATORS}'", clone)
    count = f"-e cometbft_transact_count={RATE * SECONDS} -e cometbft_transact_rate={RATE}"
    with ThreadPoolExecutor(2) as pool:
        load = pool.submit(user.run, f"make transact NETWORK={file} ARGS='{count}'", clone, code=None)
        user.wait("transactions flow", lambda: flow(user), 120)
        user.wait(f"there are {HISTORY} blocks", lambda: user.height("tm-0", NETWORK) >= HISTORY, 300)
        first = user.height("tm-0", NETWORK)
        joined = pool.submit(user.wait, "both have caught up", lambda: caught_up(user), 600)
        ended = user.run(f"{create}{VALIDATORS + len(JOINING)}'", clone).seconds
        seconds = joined.result()
        last, loaded = user.height("tm-0", NETWORK), flow(user)
        sent = re.search(r"(\d+ sent in \S+) · (\d+ accepted)", load.result().output)
    work = f"two full nodes join {VALIDATORS} under load → both caught up"
    yield f"{work:<58} {seconds:8.1f} s"
    yield f"{'  create has ended':<58} {ended:8.1f} s"
    yield f"  blocks: {first} before, {last - first} meanwhile"
    assert sent
    yield f"  transactions: {sent[1]}, {sent[2]}, {'until after that' if loaded else 'and NOT until the end of it'}"
    user.run(f"make destroy CONFIRM=yes NETWORK={file}", clone)


def flow(user: User) -> bool:
    """Whether the newest blocks have transactions."""
    return any(int(block["num_txs"]) for block in user.rpc("tm-0", "blockchain", NETWORK)["block_metas"][:5])


def caught_up(user: User) -> bool:
    newest = user.height("tm-0", NETWORK)
    infos = [user.rpc(node, "status", NETWORK)["sync_info"] for node in JOINING]
    return not any(info["catching_up"] or int(info["latest_block_height"]) < newest - 1 for info in infos)
