# SPDX-License-Identifier: GPL-3.0-or-later
"""The example counter with one fault, which the variable FAULT names. It runs in the example's image."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from abci import Store, serve, server
from counter import Counter
from tendermint.abci import types_pb2 as t

FAULT, NODE = os.environ["FAULT"], os.environ["NODE"]
DIFFERS = FAULT == "everywhere" or (FAULT == "differs" and NODE == "tm-2")
#: What ABCI 0.17 did not have.
NEW = ("prepare_proposal", "process_proposal", "extend_vote", "verify_vote_extension", "finalize_block")


class Faulty(Counter):
    @staticmethod
    def app_hash(count: int) -> bytes:
        return NODE.encode() + count.to_bytes(8, "big") if DIFFERS else Counter.app_hash(count)

    def init_chain(self, request: t.RequestInitChain) -> t.ResponseInitChain:
        if FAULT == "refuses":
            raise ValueError("app_state has no treasury")
        super().init_chain(request)
        return t.ResponseInitChain(app_hash=NODE.encode() if FAULT == "begins" else Counter.app_hash(0))

    def finalize_block(self, request: t.RequestFinalizeBlock) -> t.ResponseFinalizeBlock:
        if FAULT == "slow":
            time.sleep(3600)
        return super().finalize_block(request)


def as_before(calls: Any, message: bytes) -> t.Response:
    """As a server of ABCI 0.17 answers, which goes on."""
    if t.Request.FromString(message).WhichOneof("value") in NEW:
        return t.Response(exception={"error": "Unknown request"})
    return today(calls, message)


today = server._response
if FAULT == "old":
    server._response = as_before
serve(Faulty(Store(Path(os.environ["APP_HOME"], "counter.json"))), os.environ["ABCI_ADDRESS"])
