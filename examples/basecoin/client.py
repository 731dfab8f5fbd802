# SPDX-License-Identifier: Apache-2.0
"""A purse for basecoin: makes keys, sends coins, tells balances, and checks what a node tells.

  client.py new alice.key                         a new key; prints its address
  client.py address alice.key                     the address of a key
  client.py balance ADDRESS                       what an account has, proven against the chain's app hash
  client.py send alice.key ADDRESS 10             sends 10 coins and waits for the block

Each but the first two takes --node URL, where a node's RPC is (make forward brings tm-0's to http://localhost:26657).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import merkle
from nacl.signing import SigningKey
from tendermint.crypto import proof_pb2
from transfer import Transfer, address_of, is_address

TIMEOUT = 30.0


class ClientError(Exception):
    """What did not work, for a person."""


class Node:
    """A node's RPC (CometBFT's JSON-RPC over HTTP)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, **params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        except OSError as error:
            raise ClientError(f"asking {self.url} for {method}: {error}; does make forward run?") from error
        if "error" in answer:
            raise ClientError(f"asking {self.url} for {method}: {answer['error'].get('data') or answer['error']}")
        return answer["result"]

    def chain_id(self) -> str:
        return str(self.call("status")["node_info"]["network"])

    def account(self, address: str) -> dict[str, int]:
        """The account, and whether its proof leads to the app hash of the block behind it; ClientError if not."""
        response = self.call("abci_query", path=f"/accounts/{address}", data="", height="0", prove=True)["response"]
        if response.get("code"):
            raise ClientError(f"asking for {address}: {response['log']}")
        if not response.get("value"):
            return {"coins": 0, "nonce": 0}
        value, height = base64.b64decode(response["value"]), int(response["height"])
        ops = proof_pb2.ProofOps(
            ops=[
                proof_pb2.ProofOp(type=op["type"], key=base64.b64decode(op["key"]), data=base64.b64decode(op["data"]))
                for op in response["proofOps"]["ops"]
            ]
        )
        # The state after a block is in the header of the next one.
        app_hash = bytes.fromhex(self._header(height + 1)["app_hash"])
        if not merkle.verify(ops, address.encode(), value, app_hash):
            raise ClientError(f"the proof for {address} does not lead to the app hash of block {height + 1}")
        account: dict[str, int] = json.loads(value)
        return account

    def _header(self, height: int) -> dict[str, Any]:
        until = time.monotonic() + TIMEOUT
        while int(self.call("status")["sync_info"]["latest_block_height"]) < height:
            if time.monotonic() > until:
                raise ClientError(f"there is no block {height} after {TIMEOUT:.0f} s")
            time.sleep(0.2)
        header: dict[str, Any] = self.call("commit", height=str(height))["signed_header"]["header"]
        return header


def read_key(path: Path) -> SigningKey:
    try:
        return SigningKey(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError) as error:
        raise ClientError(f"reading the key {path}: {error}") from error


def new(path: Path) -> str:
    key = SigningKey.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ClientError(f"{path} exists, and is left as it is") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(bytes(key).hex() + "\n")
    return address_of(bytes(key.verify_key))


def send(node: Node, key: SigningKey, to: str, amount: int) -> int:
    """The height of the block that has it."""
    public = bytes(key.verify_key)
    nonce = node.account(address_of(public))["nonce"]
    tx = Transfer(node.chain_id(), public, to, amount, nonce).signed(key)
    result = node.call("broadcast_tx_commit", tx=base64.b64encode(tx).decode())
    for part in ("check_tx", "tx_result"):
        if result[part].get("code"):
            raise ClientError(f"refused: {result[part]['log']}")
    return int(result["height"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("new", "address"):
        commands.add_parser(name).add_argument("key", type=Path)
    balance, sending = commands.add_parser("balance"), commands.add_parser("send")
    balance.add_argument("address")
    sending.add_argument("key", type=Path)
    sending.add_argument("to")
    sending.add_argument("amount", type=int)
    for command in (balance, sending):
        command.add_argument("--node", default="http://localhost:26657", metavar="URL")
    arguments = parser.parse_args()
    try:
        print(run(arguments))
    except ClientError as error:
        sys.exit(f"client: {error}")


def run(arguments: argparse.Namespace) -> str:
    if arguments.command == "new":
        return new(arguments.key)
    if arguments.command == "address":
        return address_of(bytes(read_key(arguments.key).verify_key))
    node = Node(arguments.node)
    for address in (getattr(arguments, "address", None), getattr(arguments, "to", None)):
        if address is not None and not is_address(address):
            raise ClientError(f"{address} is no address, which has 40 digits of upper-case hex")
    if arguments.command == "balance":
        account = node.account(arguments.address)
        return f"{account['coins']} coins, {account['nonce']} transfers made"
    height = send(node, read_key(arguments.key), arguments.to, arguments.amount)
    return f"sent {arguments.amount} to {arguments.to} in block {height}"


if __name__ == "__main__":
    main()
