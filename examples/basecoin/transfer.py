# SPDX-License-Identifier: Apache-2.0
"""A signed transfer, as the client writes it and the application reads it.

It is a JSON object: chain_id, from (public key, hex), to (address), amount, nonce, and signature (hex) over the rest in
its canonical form: sorted keys, no blanks. The address of a key is CometBFT's: the first 20 bytes of its SHA-256, in
upper-case hex. The nonce is how many transfers the sender has made before, so that none can be made twice; the chain id
keeps it from being made on another chain.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

MAX_AMOUNT = 2**63 - 1
MAX_BYTES = 1024
#: CometBFT's limit.
MAX_CHAIN_ID = 50

_ADDRESS = re.compile("[0-9A-F]{40}")
_HEX = re.compile("[0-9a-f]+")


class Malformed(Exception):
    """What is wrong with a transfer, for a person."""


@dataclass(frozen=True)
class Transfer:
    chain_id: str
    sender: bytes
    to: str
    amount: int
    nonce: int
    signature: bytes = b""

    @property
    def address(self) -> str:
        return address_of(self.sender)

    def content(self) -> dict[str, object]:
        return {
            "chain_id": self.chain_id,
            "from": self.sender.hex(),
            "to": self.to,
            "amount": self.amount,
            "nonce": self.nonce,
        }

    def signed_bytes(self) -> bytes:
        return json.dumps(self.content(), sort_keys=True, separators=(",", ":")).encode()

    def signed(self, key: SigningKey) -> bytes:
        """The transaction."""
        signature = key.sign(self.signed_bytes()).signature.hex()
        return json.dumps({**self.content(), "signature": signature}, sort_keys=True, separators=(",", ":")).encode()


def address_of(public_key: bytes) -> str:
    return hashlib.sha256(public_key).digest()[:20].hex().upper()


def is_address(text: object) -> bool:
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


def read(tx: bytes) -> Transfer:
    """A transfer that is well formed and signed by its sender."""
    if len(tx) > MAX_BYTES:
        raise Malformed(f"a transfer has at most {MAX_BYTES} bytes, and this has {len(tx)}")
    try:
        found = json.loads(tx)
    except (ValueError, RecursionError):  # the latter where it is nested too deep
        raise Malformed("a transfer is a JSON object; client.py writes one") from None
    names = {"chain_id", "from", "to", "amount", "nonce", "signature"}
    if not isinstance(found, dict) or found.keys() != names:
        raise Malformed(f"a transfer has {', '.join(sorted(names))}, and nothing else")
    if not is_address(found["to"]):
        raise Malformed("to: must be an address, 40 digits of upper-case hex")
    for name, least in (("amount", 1), ("nonce", 0)):
        value = found[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_AMOUNT:
            raise Malformed(f"{name}: must be a whole number, {least} or more")
    if not _is_chain_id(found["chain_id"]):
        raise Malformed(f"chain_id: must be text, 1 to {MAX_CHAIN_ID} printable characters of ASCII")
    transfer = Transfer(
        found["chain_id"],
        _bytes(found["from"], "from", 32),
        found["to"],
        found["amount"],
        found["nonce"],
        _bytes(found["signature"], "signature", 64),
    )
    try:
        VerifyKey(transfer.sender).verify(transfer.signed_bytes(), transfer.signature)
    except BadSignatureError:
        raise Malformed("signature: it is not the sender's, or something was changed after it was signed") from None
    return transfer


def _is_chain_id(value: object) -> bool:
    """Refusals repeat it: what UTF-8 does not have, which JSON lets through, would end the application."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and 1 <= len(value) <= MAX_CHAIN_ID


def _bytes(value: object, name: str, length: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * length or not _HEX.fullmatch(value):
        raise Malformed(f"{name}: must be {length} bytes in lower-case hex")
    return bytes.fromhex(value)
