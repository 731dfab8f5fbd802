# SPDX-License-Identifier: Apache-2.0
"""CometBFT's Merkle tree (RFC 6962; crypto/merkle) over keys and values, with proofs that its light client takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from tendermint.crypto import proof_pb2

#: The kind of a proof whose leaf is a key with the hash of its value.
VALUE_OP = "simple:v"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf(key: bytes, value: bytes) -> bytes:
    """The hash of a leaf: both with their lengths before them."""
    digest = sha256(value)
    return sha256(b"\0" + _varint(len(key)) + key + _varint(len(digest)) + digest)


def inner(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right)


def root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return inner(root(leaves[:split]), root(leaves[split:]))


def aunts(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes beside the way from a leaf to the root, from below."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*aunts(leaves[:split], index), root(leaves[split:])]
    return [*aunts(leaves[split:], index - split), root(leaves[:split])]


def climb(hashed: bytes, index: int, total: int, beside: Sequence[bytes]) -> bytes:
    """The root that a leaf comes to with the hashes beside its way; ValueError if they are too many or too few."""
    if total == 1:
        if beside or index:
            raise ValueError("a proof with hashes that belong to no way")
        return hashed
    if not beside or not 0 <= index < total:
        raise ValueError("a proof without the hashes of its way")
    split = _split(total)
    if index < split:
        return inner(climb(hashed, index, split, beside[:-1]), beside[-1])
    return inner(beside[-1], climb(hashed, index - split, total - split, beside[:-1]))


def prove(values: Mapping[bytes, bytes], key: bytes) -> proof_pb2.ProofOps:
    keys = sorted(values)
    leaves = [leaf(each, values[each]) for each in keys]
    index = keys.index(key)
    proof = proof_pb2.Proof(total=len(keys), index=index, leaf_hash=leaves[index], aunts=aunts(leaves, index))
    data = proof_pb2.ValueOp(key=key, proof=proof).SerializeToString()
    return proof_pb2.ProofOps(ops=[proof_pb2.ProofOp(type=VALUE_OP, key=key, data=data)])


def verify(ops: proof_pb2.ProofOps, key: bytes, value: bytes, app_hash: bytes) -> bool:
    """Whether the state with this root has the value at the key."""
    if [op.type for op in ops.ops] != [VALUE_OP] or ops.ops[0].key != key:
        return False
    proof = proof_pb2.ValueOp.FromString(ops.ops[0].data).proof
    if proof.leaf_hash != leaf(key, value):
        return False
    try:
        return climb(proof.leaf_hash, proof.index, proof.total, list(proof.aunts)) == app_hash
    except ValueError:
        return False


def _split(count: int) -> int:
    """The greatest power of two below the count."""
    return 1 << (count - 1).bit_length() - 1


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
