# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for double votes in what the nodes of a network tell: in the signatures of all commits, in evidence, in logs.

A validator signs one block, or none, at each height and round. Two nodes that hold different commits of one round show
both of its votes, so the blocks of all nodes are compared, and the newest commit that each one has seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# Of a signature in a commit (BlockIDFlag): the validator voted for the commit's block, or for none. Else it is absent.
FOR_THE_BLOCK, FOR_NONE = 2, 3

LOGGED = re.compile(r"conflicting votes?\b|duplicatevote|new evidence of byzantine", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """What one node tells: the heights that it has, results of the RPC's ``block`` and ``commit``, and its log."""

    first: int
    newest: int
    blocks: Sequence[Json]
    seen: Sequence[Json] = ()
    log: str = ""


@dataclass(frozen=True)
class Vote:
    height: int
    round: int
    validator: str
    block: str
    place: str


def contradictions(nodes: Mapping[str, Told]) -> list[str]:
    """Whatever shows that somebody signed twice or that there are two chains, in words; and blocks that are missing."""
    finds: list[str] = []
    ids: defaultdict[int, dict[str, str]] = defaultdict(dict)
    signed: defaultdict[tuple[int, int, str], dict[str, str]] = defaultdict(dict)
    for name, told in nodes.items():
        heights = [int(one["block"]["header"]["height"]) for one in told.blocks]
        if missing := set(range(told.first, told.newest + 1)).difference(heights):
            finds.append(f"{name} does not tell {len(missing)} of its blocks, the first at height {min(missing)}")
        for height, one in zip(heights, told.blocks, strict=True):
            ids[height].setdefault(block_id(one["block_id"]), name)
            if (one["block"].get("evidence") or {}).get("evidence"):
                finds.append(f"evidence in block {height} of {name}")
        for vote in votes(name, told):
            if vote.block:
                ids[vote.height].setdefault(vote.block, vote.place)
            signed[vote.height, vote.round, vote.validator].setdefault(vote.block, vote.place)
        finds += [f"log of {name}: {line.strip()[:300]}" for line in told.log.splitlines() if LOGGED.search(line)]
    for height, blocks in sorted(ids.items()):
        if len(blocks) > 1:
            finds.append(f"{len(blocks)} blocks at height {height}: {spoken(blocks)}")
    for (height, number, validator), blocks in sorted(signed.items()):
        if len(blocks) > 1:
            finds.append(f"{validator} signed {len(blocks)} times at height {height}, round {number}: {spoken(blocks)}")
    return finds


def votes(name: str, told: Told) -> Iterator[Vote]:
    """Those in the commits of a node's blocks, and in the newest ones that it has seen."""
    commits = [(f"block {one['block']['header']['height']} of {name}", one["block"]) for one in told.blocks]
    commits += [(f"the newest commit of {name}", one["signed_header"]) for one in told.seen]
    for place, holder in commits:
        # The first block has none.
        commit = holder.get("last_commit") or holder.get("commit") or {}
        for signature in commit.get("signatures") or []:
            flag = signature["block_id_flag"]
            if flag in (FOR_THE_BLOCK, FOR_NONE):
                block = block_id(commit["block_id"]) if flag == FOR_THE_BLOCK else ""
                who = signature["validator_address"]
                yield Vote(int(commit["height"]), int(commit["round"]), who, block, place)


def block_id(told: Json) -> str:
    return f"{told['hash']}:{told['parts']['hash']}"


def spoken(blocks: Mapping[str, str]) -> str:
    return ", ".join(f"{block.partition(':')[0] or 'none'} ({place})" for block, place in blocks.items())
