# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for double votes finds a planted one in each place where one can be seen, and none on an honest chain."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from votes import Told, contradictions

VALIDATORS = [f"{number:040X}" for number in range(1, 5)]
NEWEST = 6


def name_of(height: int, chain: str = "one") -> dict[str, Any]:
    """The id of the chain's block at this height."""
    digest = hashlib.sha256(f"{chain} {height}".encode()).hexdigest().upper()
    return {"hash": digest, "parts": {"total": 1, "hash": digest[::-1]}}


def commit(height: int, *, flag: int = 2, chain: str = "one") -> dict[str, Any]:
    """With ``flag`` as the last validator's."""
    flags = zip(VALIDATORS, (2, 2, 2, flag), strict=True)
    signatures = [
        {"block_id_flag": one, "validator_address": who if one > 1 else "", "signature": ""} for who, one in flags
    ]
    return {"height": str(height), "round": 0, "block_id": name_of(height, chain), "signatures": signatures}


def block(height: int) -> dict[str, Any]:
    empty = {"height": "0", "round": 0, "block_id": {"hash": "", "parts": {"total": 0, "hash": ""}}, "signatures": []}
    return {
        "block_id": name_of(height),
        "block": {
            "header": {"height": str(height)},
            "evidence": {"evidence": []},
            "last_commit": commit(height - 1) if height > 1 else empty,
        },
    }


def told(first: int = 1) -> Told:
    heights = range(first, NEWEST + 1)
    return Told(first, NEWEST, [block(height) for height in heights], [{"signed_header": {"commit": commit(NEWEST)}}])


def network() -> dict[str, Told]:
    """Three nodes; the last one has begun later."""
    return copy.deepcopy({"tm-0": told(), "tm-1": told(), "tm-2": told(4)})


def test_nothing_is_found_on_an_honest_chain() -> None:
    nodes = network()
    # Not every node has seen every vote, and votes of another round are others.
    nodes["tm-1"].blocks[3]["block"]["last_commit"] = commit(3, flag=1)
    nodes["tm-2"].seen[0]["signed_header"]["commit"] = {**commit(NEWEST, flag=3), "round": 1}
    nodes["tm-0"] = replace(nodes["tm-0"], log="I[..] Timed out\nI[..] finalizing commit of block height=5\n")
    assert contradictions(nodes) == []


def in_a_commit(nodes: dict[str, Told]) -> None:
    nodes["tm-1"].blocks[3]["block"]["last_commit"] = commit(3, flag=3)


def in_the_newest_commit(nodes: dict[str, Told]) -> None:
    nodes["tm-2"].seen[0]["signed_header"]["commit"] = commit(NEWEST, flag=3)


def for_another_block(nodes: dict[str, Told]) -> None:
    nodes["tm-2"].seen[0]["signed_header"]["commit"] = commit(NEWEST, chain="two")


def of_one_node_alone(nodes: dict[str, Told]) -> None:
    """Its newest commit, and the one that its next block has."""
    nodes["tm-0"].seen[0]["signed_header"]["commit"] = commit(4, chain="two")


def evidence(nodes: dict[str, Told]) -> None:
    nodes["tm-1"].blocks[4]["block"]["evidence"] = {"evidence": [{"type": "tendermint/DuplicateVoteEvidence"}]}


def two_blocks(nodes: dict[str, Told]) -> None:
    nodes["tm-2"].blocks[2]["block_id"] = name_of(NEWEST, "two")


def other_parts(nodes: dict[str, Told]) -> None:
    nodes["tm-2"].blocks[2]["block_id"]["parts"]["hash"] = "0" * 64


def lost_block(nodes: dict[str, Told]) -> None:
    nodes["tm-1"] = replace(nodes["tm-1"], blocks=[block(height) for height in (1, 2, 4, 5, 6)])


def logged(line: str) -> Callable[[dict[str, Told]], None]:
    def plant(nodes: dict[str, Told]) -> None:
        nodes["tm-2"] = replace(nodes["tm-2"], log=f"I[..] executed block\n{line}\n")

    return plant


LAST = VALIDATORS[3]
PLANTED: dict[str, tuple[Callable[[dict[str, Told]], None], str]] = {
    "in a commit": (in_a_commit, f"{LAST} signed 2 times at height 3, round 0: "),
    "in the newest commit": (in_the_newest_commit, f"{LAST} signed 2 times at height 6, round 0: "),
    "for another block": (for_another_block, f"{LAST} signed 2 times at height 6, round 0: "),
    "of one node alone": (of_one_node_alone, f"{LAST} signed 2 times at height 4, round 0: "),
    "evidence": (evidence, "evidence in block 5 of tm-1"),
    "two blocks": (two_blocks, "2 blocks at height 6: "),
    "a commit for another block": (for_another_block, "2 blocks at height 6: "),
    "other parts": (other_parts, "2 blocks at height 6: "),
    "a block that is missing": (lost_block, "tm-1 does not tell 1 of its blocks, the first at height 3"),
    "our own vote": (
        logged("E[..] found conflicting vote from ourselves; did you unsafe_reset a validator? height=5"),
        "log of tm-2: E[..] found conflicting vote",
    ),
    "another's vote": (
        logged('E[..] failed to process message err="conflicting votes from validator 0A"'),
        "log of tm-2: E[..] failed",
    ),
    "evidence in a log": (
        logged("I[..] Verified new evidence of byzantine behavior evidence=..."),
        "log of tm-2: I[..] Verified",
    ),
}


@pytest.mark.parametrize("form", PLANTED)
def test_planted_double_vote_is_found(form: str) -> None:
    plant, find = PLANTED[form]
    nodes = network()
    plant(nodes)
    assert any(one.startswith(find) for one in contradictions(nodes)), contradictions(nodes)
