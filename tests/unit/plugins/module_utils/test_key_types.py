# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type of key against vectors that others have published, or that CometBFT's own libraries give."""

from __future__ import annotations

import base64
import hashlib
import json
import sys

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_types
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import (
    ED25519,
    KEY_TYPES,
    ML_DSA_65,
    SECP256K1,
    SECP256K1ETH,
    KeyType,
    line_fault,
    type_named,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import KeyFault, Kind, PrivateKey, PublicKey

SEED = bytes(range(32))


def private(kind: KeyType, value: str) -> PrivateKey:
    return PrivateKey.parse({"type": kind.private_type, "value": base64.b64encode(bytes.fromhex(value)).decode()})


def base58(text: str) -> bytes:
    """What a Bitcoin address stands for, without its version and its checksum."""
    number = 0
    for char in text:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(char)
    return number.to_bytes(25, "big")[1:-4]


def test_secp256k1_of_a_bitcoin_address() -> None:
    key = private(SECP256K1, "a96e62ed3955e65be32703f12d87b6b5cf26039ecfa948dc5107a495418e5330").public
    assert key.value.hex() == "02950e1cdfcb133d6024109fd489f734eeb4502418e538c28481f22bce276f248c"
    assert key.address == base58("1CKZ9Nx4zgds8tU7nJHotKSDr4a9bYJCa3").hex().upper()


def test_secp256k1_of_the_documentation() -> None:
    """docs/references/config/priv_validator_key.json.md"""
    document = {"type": "tendermint/PubKeySecp256k1", "value": "AhRzbjoZaiyrbCE/yJ6gwIBXjwzl8+H7W8KMAphJVUzt"}
    key = PublicKey.parse(document)
    assert (key.address, key.json) == ("E5B4F106D46A46820308C49B5F92DC22D9F9ACFA", document)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (
            "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        ),
        (
            "289c2857d4598e37fb9647507e47a309d6133539bf21a8b9cb6df88fd5232032",
            "970e8128ab834e8eac17ab8e3812f010678cf791",
        ),
        (
            "0000000000000000000000000000000000000000000000000000000000000001",
            "7e5f4552091a69125d5dfcb7b8c2659029395bdf",
        ),
    ],
)
def test_secp256k1eth_of_ethereum_addresses(value: str, address: str) -> None:
    """The first account of Hardhat, the one of go-ethereum's tests, and the generator itself."""
    assert private(SECP256K1ETH, value).public.address == address.upper()


def test_ml_dsa_65_as_circl_makes_it() -> None:
    """github.com/cloudflare/circl v1.6.3, which CometBFT 0.40 signs with, from this seed."""
    key = PrivateKey.derive(ML_DSA_65, SEED)
    expanded = "9f1e24f47795fe50040384e3d6183988047170fa2d866406b70fe0a3f8216063"
    assert hashlib.sha256(key.value).hexdigest() == expanded
    public = "d666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9"
    assert hashlib.sha256(key.public.value).hexdigest() == public
    assert key.public.address == public[:40].upper()


def test_ml_dsa_65_is_what_openssl_makes() -> None:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

    theirs = MLDSA65PrivateKey.from_seed_bytes(SEED).public_key().public_bytes_raw()
    assert PrivateKey.derive(ML_DSA_65, SEED).public.value == theirs


# rho, the public key's hash, two secret vectors, and what the public key leaves out; all but K, which is 32 to 63.
@pytest.mark.parametrize("position", [0, 31, 64, 127, 128, 767, 768, 1535, 1536, 4031])
def test_damage_of_any_part_of_an_ml_dsa_65_key_is_found(position: int) -> None:
    value = bytearray(PrivateKey.derive(ML_DSA_65, SEED).value)
    value[position] ^= 1
    with pytest.raises(KeyFault, match=r"^priv_key\.value: its parts do not belong together$"):
        private(ML_DSA_65, value.hex())


@pytest.mark.parametrize("kind", [SECP256K1, SECP256K1ETH])
@pytest.mark.parametrize("value", ["00" * 32, "ff" * 32, f"{_key_types._ORDER:064x}"])
def test_number_that_is_no_private_key(kind: KeyType, value: str) -> None:
    with pytest.raises(KeyFault, match=r"^priv_key\.value: it is no private key of this curve$"):
        private(kind, value)


@pytest.mark.parametrize("kind", [SECP256K1, SECP256K1ETH])
@pytest.mark.parametrize("value", ["00" * 33, "02" + "ff" * 32, "04" + "11" * 32])
def test_bytes_that_are_no_public_key(kind: KeyType, value: str) -> None:
    document = {"type": kind.public_type, "value": base64.b64encode(bytes.fromhex(value)).decode()}
    with pytest.raises(KeyFault, match=r"^pub_key\.value: it is no point of this curve$"):
        PublicKey.parse(document)


def test_every_seed_gives_a_key_of_the_curve() -> None:
    for seed in (bytes(32), b"\xff" * 32, (_key_types._ORDER - 1).to_bytes(32, "big"), SEED):
        assert 0 < int.from_bytes(SECP256K1.derive(seed).private, "big") < _key_types._ORDER


@pytest.mark.parametrize("kind", KEY_TYPES, ids=lambda kind: kind.name)
def test_made_keys_have_their_sizes_and_differ(kind: KeyType) -> None:
    first, second = (PrivateKey.make(kind) for _key in range(2))
    assert (len(first.value), len(first.public.value)) == (kind.private_size, kind.public_size)
    assert first.value != second.value
    text = Kind.VALIDATOR.write(first)
    assert Kind.VALIDATOR.read_private(text) == first
    assert json.loads(text)["priv_key"]["type"] == kind.private_type


@pytest.mark.parametrize("kind", [kind for kind in KEY_TYPES if kind is not ED25519], ids=lambda kind: kind.name)
def test_node_key_of_another_type_is_refused(kind: KeyType) -> None:
    with pytest.raises(KeyFault, match=r"^priv_key\.type: it is .*, a node key is tendermint/PrivKeyEd25519$"):
        Kind.NODE.read(Kind.NODE.write(PrivateKey.derive(kind, SEED)))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("0.38", ["ed25519", "secp256k1"]),
        ("0.39", ["ed25519", "secp256k1"]),
        ("0.40", ["ed25519", "secp256k1", "secp256k1eth", "ml_dsa_65"]),
    ],
)
def test_types_of_a_version(line: str, names: list[str]) -> None:
    """ABCIPubKeyTypesToNames in types/params.go of the three."""
    assert [kind.name for kind in KEY_TYPES if line_fault(kind, line) is None] == names


def test_type_that_a_version_does_not_know() -> None:
    assert line_fault(ML_DSA_65, "0.39") == (
        "CometBFT 0.39 does not know keys of type ml_dsa_65, only 0.40 does; it knows ed25519, secp256k1"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("secp256k", "'secp256k' is not supported; did you mean secp256k1?; known: ed25519, secp256k1, "),
        ("bls12_381", "bls12_381 is not supported: neither CometBFT's images nor the binaries"),
        ("sr25519", "'sr25519' is not supported"),
        ("", "'' is not supported; known: ed25519"),
    ],
)
def test_unknown_type(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"known: .*ml_dsa_65") as error:
        type_named(name)
    assert str(error.value).startswith(said)


def test_bls_key_is_refused_with_the_reason() -> None:
    with pytest.raises(KeyFault, match=r"^pub_key\.type: bls12_381 is not supported: neither"):
        PublicKey.parse({"type": "cometbft/PubKeyBls12_381", "value": ""})


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [
        (SECP256K1, "cryptography.hazmat.primitives.asymmetric", "cryptography"),
        (SECP256K1, "Crypto.Hash", "pycryptodome"),
        (SECP256K1ETH, "Crypto.Hash", "pycryptodome"),
        (ML_DSA_65, "dilithium_py.ml_dsa.ml_dsa", "dilithium-py"),
    ],
)
def test_missing_library_is_named_where_its_type_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, kind: KeyType, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    _key_types._ml_dsa.cache_clear()
    Kind.VALIDATOR.write(PrivateKey.make(ED25519))
    with pytest.raises(MissingLibraryError, match=f"{kind.name}.*-m pip install '{package}"):
        Kind.VALIDATOR.write(PrivateKey.make(kind))
