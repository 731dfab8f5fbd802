# SPDX-License-Identifier: GPL-3.0-or-later
"""The example basecoin without a node: its transfers, its accounts, and its proofs."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from test_3_abci import EXAMPLES, crash_behind_every_call, fresh, t, types

__all__ = ["t", "types"]  # the fixtures

ALICE, BOB = SigningKey(b"a" * 32), SigningKey(b"b" * 32)


class Example:
    """The modules of the example."""

    def __init__(self) -> None:
        self.merkle: Any = importlib.import_module("merkle")
        self.transfer: Any = importlib.import_module("transfer")
        self.basecoin: Any = importlib.import_module("basecoin")

    def address(self, key: SigningKey) -> str:
        return str(self.transfer.address_of(bytes(key.verify_key)))

    def tx(self, key: SigningKey = ALICE, **other: Any) -> bytes:
        fields = {"chain_id": "c", "sender": bytes(key.verify_key), "to": self.address(BOB), "amount": 10, "nonce": 0}
        return bytes(self.transfer.Transfer(**{**fields, **other}).signed(key))


@pytest.fixture(scope="module")
def example(types: Path) -> Iterator[Example]:
    paths = [str(EXAMPLES / "basecoin"), str(EXAMPLES / "abci")]
    sys.path[:0] = paths
    yield Example()
    for path in paths:
        sys.path.remove(path)


# Proofs


@pytest.mark.parametrize(
    ("items", "root"),
    [
        # As in CometBFT's crypto/merkle/tree_test.go.
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ([b"\1\2\3"], "054edec1d0211f624fed0cbca9d4f9400b0e491c43742af2c5b0abebf0c990d8"),
        ([b""], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        ([b"\1\2\3", b"\4\5\6"], "82e6cfce00453804379b53962939eaa7906b39904be0813fcadd31b100773c4b"),
        (
            [b"\1\2", b"\3\4", b"\5\6", b"\7\x08", b"\x09\x0a"],
            "f326493eceab4f2d9ffbc78c59432a0a005d6ea98392045c74df5d14a113be18",
        ),
    ],
)
def test_roots_are_cometbfts(example: Example, items: list[bytes], root: str) -> None:
    leaves = [hashlib.sha256(b"\0" + item).digest() for item in items]
    assert example.merkle.root(leaves).hex() == root


@pytest.mark.parametrize("count", range(1, 18))
def test_proofs(example: Example, count: int) -> None:
    merkle = example.merkle
    values = {f"key {number}".encode(): f"value {number}".encode() for number in range(count)}
    root = merkle.root([merkle.leaf(key, values[key]) for key in sorted(values)])
    for key, value in values.items():
        ops = merkle.prove(values, key)
        assert merkle.verify(ops, key, value, root)
        assert not merkle.verify(ops, key, value + b"!", root)
        assert not merkle.verify(ops, key + b"!", value, root)
        assert not merkle.verify(ops, key, value, hashlib.sha256(root).digest())


# Transfers


def test_a_transfer_is_read_as_it_was_written(example: Example) -> None:
    found = example.transfer.read(example.tx(amount=7, nonce=3))
    assert (found.chain_id, found.address, found.to) == ("c", example.address(ALICE), example.address(BOB))
    assert (found.amount, found.nonce) == (7, 3)


def changed(tx: bytes, **other: Any) -> bytes:
    fields = {**json.loads(tx), **other}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"amount": 11}, "signature: it is not the sender's, or something was changed after it was signed"),
        ({"to": "0" * 40}, "signature: it is not the sender's"),
        ({"from": bytes(BOB.verify_key).hex()}, "signature: it is not the sender's"),
        ({"from": "00" * 32}, "signature"),
        ({"from": "xx" * 32}, "from: must be 32 bytes in lower-case hex"),
        ({"signature": "00"}, "signature: must be 64 bytes in lower-case hex"),
        ({"amount": 0}, "amount: must be a whole number, 1 or more"),
        ({"amount": 1.5}, "amount: must be a whole number"),
        ({"amount": True}, "amount: must be a whole number"),
        ({"amount": 2**63}, "amount: must be a whole number"),
        ({"nonce": -1}, "nonce: must be a whole number, 0 or more"),
        ({"to": "me"}, "to: must be an address, 40 digits of upper-case hex"),
        ({"chain_id": 1}, "chain_id: must be text"),
        ({"chain_id": ""}, "chain_id: must be text, 1 to 50 printable characters"),
        ({"chain_id": "\ud800"}, "chain_id: must be text, 1 to 50 printable characters"),
        ({"memo": "hello"}, "a transfer has amount, chain_id, from, nonce, signature, to, and nothing else"),
        ({"nonce": None}, "a transfer has amount"),
    ],
)
def test_malformed_transfers(example: Example, other: dict[str, Any], said: str) -> None:
    with pytest.raises(example.transfer.Malformed, match=said):
        example.transfer.read(changed(example.tx(), **other))


@pytest.mark.parametrize("tx", [b"", b"x", b"[]", b"\xff", b"1" * 1025])
def test_what_is_no_transfer(example: Example, tx: bytes) -> None:
    with pytest.raises(example.transfer.Malformed):
        example.transfer.read(tx)


# Accounts


def test_coins_move_and_none_is_made(example: Example) -> None:
    accounts = {example.address(ALICE): example.basecoin.Account(25)}
    for nonce in range(2):
        example.basecoin.make(example.tx(nonce=nonce), accounts, "c")
    assert accounts == {
        example.address(ALICE): example.basecoin.Account(5, 2),
        example.address(BOB): example.basecoin.Account(20, 0),
    }
    example.basecoin.make(example.tx(nonce=2, amount=5, to=example.address(ALICE)), accounts, "c")
    assert accounts[example.address(ALICE)] == example.basecoin.Account(5, 3)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"nonce": 0}, "nonce 0 was used already, the next of .* is 1"),
        ({"nonce": 2}, "nonce 2 is too high"),
        ({"nonce": 1, "amount": 26}, "has 25 coins, and 26 are to be sent"),
        ({"nonce": 1, "chain_id": "d"}, "it is for the chain d, this is c"),
    ],
)
def test_refused_transfers(example: Example, other: dict[str, Any], said: str) -> None:
    accounts = {example.address(ALICE): example.basecoin.Account(25, 1)}
    before = dict(accounts)
    with pytest.raises(example.basecoin.Refused, match=said):
        example.basecoin.make(example.tx(**other), accounts, "c")
    assert accounts == before


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"accounts": []}, "app_state must be"),
        ([], "app_state must be"),
        ({"accounts": {"me": 1}}, "me is no address"),
        ({"accounts": {"0" * 40: -1}}, "must be a whole number of coins"),
        ({"accounts": {"0" * 40: "1"}}, "must be a whole number of coins"),
        ({"accounts": {"0" * 40: 2**62, "1" * 40: 2**62}}, "at most"),
    ],
)
def test_a_genesis_that_is_refused(example: Example, state: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        example.basecoin.first_accounts(json.dumps(state).encode())


# Crashes


def test_nothing_is_lost_or_made_twice_by_a_crash(example: Example, types: Path, t: Any, tmp_path: Path) -> None:
    alice, bob = example.address(ALICE), example.address(BOB)
    blocks = (
        [example.tx(nonce=0), example.tx(nonce=1)],
        # The first one again, and one of what came before.
        [example.tx(nonce=0), example.tx(key=BOB, to=alice, amount=5)],
    )
    state = json.dumps({"accounts": {alice: 100}}).encode()
    apps = fresh(types, tmp_path, "unix", "basecoin")
    app_hash, account = crash_behind_every_call(apps, t, blocks, state, f"/accounts/{bob}")
    assert json.loads(account) == {"coins": 15, "nonce": 1}
    account_of = example.basecoin.Account
    assert app_hash == example.basecoin.Basecoin.app_hash({alice: account_of(85, 2), bob: account_of(15, 1)})
