# SPDX-License-Identifier: Apache-2.0
"""Accounts and signed transfers between them.

The genesis says who has what at the beginning, in app_state: {"accounts": {ADDRESS: COINS}}. The app hash is the Merkle
root of all accounts, so a balance can be proven.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import merkle
from abci import Application, Store, serve
from abci.application import OK
from tendermint.abci import types_pb2 as t
from transfer import MAX_AMOUNT, Malformed, is_address, read

MALFORMED, REFUSED, UNKNOWN = 1, 2, 3


class Refused(Exception):
    """Why a transfer is not made, for a person."""


@dataclass(frozen=True)
class Account:
    coins: int = 0
    nonce: int = 0

    def encoded(self) -> bytes:
        """As queries give it and the Merkle tree has it."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


Accounts = dict[str, Account]


def make(tx: bytes, accounts: Accounts, chain_id: str) -> None:
    """Makes a transfer, or raises Malformed or Refused and changes nothing."""
    transfer = read(tx)
    if transfer.chain_id != chain_id:
        raise Refused(f"it is for the chain {transfer.chain_id}, this is {chain_id}")
    sender = accounts.get(transfer.address, Account())
    if transfer.nonce != sender.nonce:
        what = "was used already" if transfer.nonce < sender.nonce else "is too high"
        raise Refused(f"its nonce {transfer.nonce} {what}, the next of {transfer.address} is {sender.nonce}")
    if transfer.amount > sender.coins:
        raise Refused(f"{transfer.address} has {sender.coins} coins, and {transfer.amount} are to be sent")
    accounts[transfer.address] = Account(sender.coins - transfer.amount, sender.nonce + 1)
    receiver = accounts.get(transfer.to, Account())
    accounts[transfer.to] = Account(receiver.coins + transfer.amount, receiver.nonce)


def first_accounts(app_state: bytes) -> Accounts:
    """The accounts of a genesis; ValueError says what is wrong with it."""
    state = json.loads(app_state or b"{}")
    accounts = state.get("accounts", {}) if isinstance(state, dict) else None
    if not isinstance(accounts, dict):
        raise ValueError('app_state must be {"accounts": {ADDRESS: COINS}}')
    for address, coins in accounts.items():
        if not is_address(address):
            raise ValueError(f"app_state.accounts: {address} is no address, 40 digits of upper-case hex")
        if isinstance(coins, bool) or not isinstance(coins, int) or coins < 0:
            raise ValueError(f"app_state.accounts.{address}: must be a whole number of coins")
    if sum(accounts.values()) > MAX_AMOUNT:
        raise ValueError(f"app_state.accounts: at most {MAX_AMOUNT} coins in all")
    return {address: Account(coins) for address, coins in accounts.items()}


class Basecoin(Application):
    def __init__(self, store: Store) -> None:
        self.store = store
        state = store.load() or {"height": 0, "chain_id": "", "accounts": {}}
        self.height: int = state["height"]
        self.chain_id: str = state["chain_id"]
        self.accounts: Accounts = {name: Account(*values) for name, values in state["accounts"].items()}
        #: What the block changes that is not committed yet, and what those would change that wait in the mempool.
        self.next = (self.height, self.accounts)
        self.waiting = dict(self.accounts)

    @staticmethod
    def leaves(accounts: Accounts) -> dict[bytes, bytes]:
        return {name.encode(): account.encoded() for name, account in accounts.items()}

    @classmethod
    def app_hash(cls, accounts: Accounts) -> bytes:
        leaves = cls.leaves(accounts)
        return merkle.root([merkle.leaf(key, leaves[key]) for key in sorted(leaves)])

    def info(self, _request: t.RequestInfo) -> t.ResponseInfo:
        return t.ResponseInfo(
            data="basecoin",
            last_block_height=self.height,
            last_block_app_hash=self.app_hash(self.accounts) if self.height else b"",
        )

    def init_chain(self, request: t.RequestInitChain) -> t.ResponseInitChain:
        self.chain_id = request.chain_id
        self.accounts = first_accounts(request.app_state_bytes)
        self.waiting = dict(self.accounts)
        return t.ResponseInitChain(app_hash=self.app_hash(self.accounts))

    def check_tx(self, request: t.RequestCheckTx) -> t.ResponseCheckTx:
        code, log = self._try(request.tx, self.waiting)
        return t.ResponseCheckTx(code=code, log=log)

    def finalize_block(self, request: t.RequestFinalizeBlock) -> t.ResponseFinalizeBlock:
        accounts = dict(self.accounts)
        results = [t.ExecTxResult(code=code, log=log) for code, log in (self._try(tx, accounts) for tx in request.txs)]
        self.next = (request.height, accounts)
        return t.ResponseFinalizeBlock(tx_results=results, app_hash=self.app_hash(accounts))

    def _try(self, tx: bytes, accounts: Accounts) -> tuple[int, str]:
        try:
            make(tx, accounts, self.chain_id)
        except Malformed as error:
            return MALFORMED, str(error)
        except Refused as error:
            return REFUSED, str(error)
        return OK, ""

    def commit(self, _request: t.RequestCommit) -> t.ResponseCommit:
        self.height, self.accounts = self.next
        accounts = {name: [account.coins, account.nonce] for name, account in self.accounts.items()}
        self.store.save({"height": self.height, "chain_id": self.chain_id, "accounts": accounts})
        # CometBFT now has those checked again that still wait.
        self.waiting = dict(self.accounts)
        return t.ResponseCommit()

    def query(self, request: t.RequestQuery) -> t.ResponseQuery:
        """The account of an address, as the path /accounts/ADDRESS; of the newest height only."""
        address = request.path.removeprefix("/accounts/")
        if not is_address(address):
            return t.ResponseQuery(code=UNKNOWN, log="ask for /accounts/ADDRESS, 40 digits of upper-case hex")
        if request.height not in (0, self.height):
            return t.ResponseQuery(code=UNKNOWN, log=f"only the newest height is kept, which is {self.height}")
        account = self.accounts.get(address)
        if account is None:
            said = "there is no such account, of which no proof can be given" if request.prove else "no such account"
            return t.ResponseQuery(code=OK, key=address.encode(), log=said, height=self.height)
        proof = merkle.prove(self.leaves(self.accounts), address.encode()) if request.prove else None
        return t.ResponseQuery(
            code=OK, key=address.encode(), value=account.encoded(), height=self.height, proof_ops=proof
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default=os.environ.get("ABCI_ADDRESS", "unix:///socks/app.sock"))
    parser.add_argument("--grpc", action="store_true", help="speak gRPC instead of the socket protocol")
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("APP_HOME", ".")))
    arguments = parser.parse_args()
    serve(Basecoin(Store(arguments.home / "basecoin.json")), arguments.address, over_grpc=arguments.grpc)


if __name__ == "__main__":
    main()
