# SPDX-License-Identifier: Apache-2.0
"""Counts. A transaction is the next number, in decimal: first 0, then 1, and so on."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from abci import Application, Store, serve
from abci.application import OK
from tendermint.abci import types_pb2 as t

MALFORMED, WRONG_NUMBER, UNKNOWN_PATH = 1, 2, 3


class Refused(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def check(tx: bytes, expected: int) -> None:
    if not tx.isdigit():
        raise Refused(MALFORMED, f"a transaction is a number in decimal, such as {expected}")
    number = int(tx[:30])
    if number < expected:
        raise Refused(WRONG_NUMBER, f"{number} was there already, the next is {expected}")
    if number > expected:
        raise Refused(WRONG_NUMBER, f"{number} is too high, the next is {expected}")


class Counter(Application):
    def __init__(self, store: Store) -> None:
        self.store = store
        state = store.load() or {"height": 0, "count": 0}
        self.height, self.count = state["height"], state["count"]
        #: What the block changes that is not committed yet.
        self.next = (self.height, self.count)
        #: The number after those that wait in the mempool.
        self.waiting = self.count

    @staticmethod
    def app_hash(count: int) -> bytes:
        return count.to_bytes(8, "big")

    def info(self, _request: t.RequestInfo) -> t.ResponseInfo:
        return t.ResponseInfo(
            data="counter",
            last_block_height=self.height,
            last_block_app_hash=self.app_hash(self.count) if self.height else b"",
        )

    def init_chain(self, _request: t.RequestInitChain) -> t.ResponseInitChain:
        return t.ResponseInitChain(app_hash=self.app_hash(0))

    def check_tx(self, request: t.RequestCheckTx) -> t.ResponseCheckTx:
        try:
            check(request.tx, self.waiting)
        except Refused as refused:
            return t.ResponseCheckTx(code=refused.code, log=str(refused))
        self.waiting += 1
        return t.ResponseCheckTx(code=OK)

    def finalize_block(self, request: t.RequestFinalizeBlock) -> t.ResponseFinalizeBlock:
        count, results = self.count, []
        for tx in request.txs:
            try:
                check(tx, count)
            except Refused as refused:
                results.append(t.ExecTxResult(code=refused.code, log=str(refused)))
            else:
                count += 1
                results.append(t.ExecTxResult(code=OK))
        self.next = (request.height, count)
        return t.ResponseFinalizeBlock(tx_results=results, app_hash=self.app_hash(count))

    def commit(self, _request: t.RequestCommit) -> t.ResponseCommit:
        self.height, self.count = self.next
        self.store.save({"height": self.height, "count": self.count})
        # CometBFT now has those checked again that still wait.
        self.waiting = self.count
        return t.ResponseCommit()

    def query(self, request: t.RequestQuery) -> t.ResponseQuery:
        if request.path not in ("", "/", "count", "/count"):
            return t.ResponseQuery(code=UNKNOWN_PATH, log=f"there is no {request.path}; ask for /count")
        return t.ResponseQuery(code=OK, key=b"count", value=str(self.count).encode(), height=self.height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default=os.environ.get("ABCI_ADDRESS", "unix:///socks/app.sock"))
    parser.add_argument("--grpc", action="store_true", help="speak gRPC instead of the socket protocol")
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("APP_HOME", ".")))
    arguments = parser.parse_args()
    serve(Counter(Store(arguments.home / "counter.json")), arguments.address, over_grpc=arguments.grpc)


if __name__ == "__main__":
    main()
