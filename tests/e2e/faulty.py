# SPDX-License-Identifier: GPL-3.0-or-later
"""The example counter with one fault, which the variable FAULT names. It runs in the example's image."""

from __future__ import annotations

import os
import time
from pathlib import Path

from abci import Store, serve
from counter import Counter
from tendermint.abci import types_pb2 as t

FAULT = os.environ["FAULT"]


class Faulty(Counter):
    def init_chain(self, request: t.RequestInitChain) -> t.ResponseInitChain:
        if FAULT == "refuses":
            raise ValueError("app_state has no treasury")
        return super().init_chain(request)

    def prepare_proposal(self, request: t.RequestPrepareProposal) -> t.ResponsePrepareProposal:
        if FAULT == "old":
            raise NotImplementedError("this application speaks ABCI 0.17")
        return super().prepare_proposal(request)

    def finalize_block(self, request: t.RequestFinalizeBlock) -> t.ResponseFinalizeBlock:
        if FAULT == "slow":
            time.sleep(3600)
        answer = super().finalize_block(request)
        if FAULT == "differs" and os.environ["NODE"] == "tm-2" and request.height >= 3:
            answer.app_hash = b"\xff" * 8
        return answer


serve(Faulty(Store(Path(os.environ["APP_HOME"], "counter.json"))), os.environ["ABCI_ADDRESS"])
