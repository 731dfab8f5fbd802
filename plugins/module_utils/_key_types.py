# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of keys that CometBFT knows: their names, sizes and addresses, and how a seed becomes a key.

A library is imported on the first use of a type that needs it, so nobody has to install what is not used.
"""

from __future__ import annotations

import functools
import hashlib
import re
import typing as t
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import LINES, nearest

#: Every type is derived from so many random bytes.
SEED_SIZE = 32


class KeyPair(t.NamedTuple):
    private: bytes
    public: bytes


@dataclass(frozen=True)
class KeyType:
    """One kind of key, with what CometBFT calls it in genesis parameters and in JSON."""

    name: str
    public_type: str
    public_size: int
    private_type: str
    private_size: int
    #: The release lines of CometBFT that know it.
    lines: tuple[str, ...]
    #: The keys of a seed.
    derive: Callable[[bytes], KeyPair]
    #: The public part of a private one. A ValueError says what is wrong with the private part.
    public_of: Callable[[bytes], bytes]
    #: A ValueError says what is wrong with a public part of the right size.
    check_public: Callable[[bytes], object]
    address_of: Callable[[bytes], bytes]


def _anything(_public: bytes) -> None:
    """Of this type every value of the right size is a key."""


def _sha256_address(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:20]


# --- ed25519


def _ed25519_pair(seed: bytes) -> KeyPair:
    try:
        from nacl.signing import SigningKey
    except ImportError as error:
        raise MissingLibraryError("pynacl>=1.5.0", "making and checking keys", error) from error
    public = bytes(SigningKey(seed).verify_key)
    return KeyPair(seed + public, public)


def _ed25519_public(private: bytes) -> bytes:
    pair = _ed25519_pair(private[:SEED_SIZE])
    if private != pair.private:
        raise ValueError("its second half is not the public key of its first half")
    return pair.public


# --- secp256k1, with Bitcoin's addresses and with Ethereum's

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def _curve() -> tuple[t.Any, t.Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        doing = "making and checking keys of type secp256k1 or secp256k1eth"
        raise MissingLibraryError("cryptography>=42.0.0", doing, error) from error
    return ec, serialization


def _secp256k1_pair(seed: bytes) -> KeyPair:
    # Any seed becomes a number from 1 to order - 1, in CometBFT's own way.
    private = (int.from_bytes(seed, "big") % (_ORDER - 1) + 1).to_bytes(32, "big")
    return KeyPair(private, _secp256k1_public(private))


def _secp256k1_public(private: bytes) -> bytes:
    ec, serialization = _curve()
    number = int.from_bytes(private, "big")
    if not 0 < number < _ORDER:
        raise ValueError("it is no private key of this curve")
    public = ec.derive_private_key(number, ec.SECP256K1()).public_key()
    form = serialization.PublicFormat.CompressedPoint
    return bytes(public.public_bytes(serialization.Encoding.X962, form))


def _secp256k1_point(public: bytes) -> bytes:
    """The point's two coordinates."""
    ec, serialization = _curve()
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public)
    except ValueError:
        raise ValueError("it is no point of this curve") from None
    return bytes(point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))[1:]


def _hashes(name: str) -> tuple[t.Any, t.Any]:
    """hashlib has them only where OpenSSL was built with them."""
    try:
        from Crypto.Hash import RIPEMD160, keccak
    except ImportError as error:
        raise MissingLibraryError("pycryptodome>=3.15.0", f"addresses of keys of type {name}", error) from error
    return RIPEMD160, keccak


def _bitcoin_address(public: bytes) -> bytes:
    ripemd160, _keccak = _hashes("secp256k1")
    return bytes(ripemd160.new(hashlib.sha256(public).digest()).digest())


def _ethereum_address(public: bytes) -> bytes:
    _ripemd160, keccak = _hashes("secp256k1eth")
    return bytes(keccak.new(digest_bits=256, data=_secp256k1_point(public)).digest()[12:])


# --- ML-DSA-65


@functools.cache
def _ml_dsa() -> t.Any:
    """ML-DSA-65 with its expanded private form, which OpenSSL computes with but does not give away."""
    try:
        from dilithium_py.ml_dsa.default_parameters import DEFAULT_PARAMETERS
        from dilithium_py.ml_dsa.ml_dsa import ML_DSA
    except ImportError as error:
        doing = "making and checking keys of type ml_dsa_65"
        raise MissingLibraryError("dilithium-py>=1.4.0,<2", doing, error) from error

    class Expanded(ML_DSA):
        def rebuild(self, private: bytes) -> KeyPair:
            """Both keys from the secret vectors alone, so that a change of any other part shows."""
            rho, k, _tr, s1, s2, _t0 = self._unpack_sk(private)
            t1, t0 = ((self._expand_matrix_from_seed(rho) @ s1.to_ntt()).from_ntt() + s2).power_2_round(self.d)
            public = self._pack_pk(rho, t1)
            return KeyPair(self._pack_sk(rho, k, self._h(public, 64), s1, s2, t0), public)

    return Expanded(DEFAULT_PARAMETERS["ML_DSA_65"])


def _ml_dsa_pair(seed: bytes) -> KeyPair:
    public, private = _ml_dsa().key_derive(seed)
    return KeyPair(private, public)


def _ml_dsa_public(private: bytes) -> bytes:
    pair: KeyPair = _ml_dsa().rebuild(private)
    if private != pair.private:
        raise ValueError("its parts do not belong together")
    return pair.public


ED25519 = KeyType(
    name="ed25519",
    public_type="tendermint/PubKeyEd25519",
    public_size=32,
    private_type="tendermint/PrivKeyEd25519",
    private_size=64,
    lines=LINES,
    derive=_ed25519_pair,
    public_of=_ed25519_public,
    check_public=_anything,
    address_of=_sha256_address,
)

SECP256K1 = KeyType(
    name="secp256k1",
    public_type="tendermint/PubKeySecp256k1",
    public_size=33,
    private_type="tendermint/PrivKeySecp256k1",
    private_size=32,
    lines=LINES,
    derive=_secp256k1_pair,
    public_of=_secp256k1_public,
    check_public=_secp256k1_point,
    address_of=_bitcoin_address,
)

SECP256K1ETH = KeyType(
    name="secp256k1eth",
    public_type="tendermint/PubKeySecp256k1eth",
    public_size=33,
    private_type="tendermint/PrivKeySecp256k1eth",
    private_size=32,
    lines=("0.40",),
    derive=_secp256k1_pair,
    public_of=_secp256k1_public,
    check_public=_secp256k1_point,
    address_of=_ethereum_address,
)

ML_DSA_65 = KeyType(
    name="ml_dsa_65",
    public_type="cometbft/PubKeyMlDsa65",
    public_size=1952,
    private_type="cometbft/PrivKeyMlDsa65",
    private_size=4032,
    lines=("0.40",),
    derive=_ml_dsa_pair,
    public_of=_ml_dsa_public,
    check_public=_anything,
    address_of=_sha256_address,
)

KEY_TYPES = (ED25519, SECP256K1, SECP256K1ETH, ML_DSA_65)

_BY_NAME = {kind.name: kind for kind in KEY_TYPES}

#: Types that CometBFT has and this collection has not, by every name they go by, and why.
_REFUSED = dict.fromkeys(
    ("bls12_381", "cometbft/PubKeyBls12_381", "cometbft/PrivKeyBls12_381"),
    "bls12_381 is not supported: neither CometBFT's images nor the binaries that this collection installs are built "
    "with it (build tag bls12381, with cgo)",
)


_TYPE_LIKE = re.compile(r"((tendermint|cometbft)/(Pub|Priv)Key)?[A-Za-z0-9_]{0,10}", re.ASCII)


def type_named(name: str) -> KeyType:
    """The type that genesis parameters call so. A ValueError says what there is instead."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(_unknown(name, repr(name), _BY_NAME)) from None


def unknown_json_type(given: object, known: Iterable[str]) -> str:
    """What to say of a type in a file that is not among the known ones."""
    # In a damaged file a part of a key may stand there, which is not to be repeated.
    harmless = given is None or _TYPE_LIKE.fullmatch(str(given)) is not None
    return _unknown(str(given), repr(given) if harmless else "this", known)


def _unknown(name: str, shown: str, known: Iterable[str]) -> str:
    known = list(known)
    reason = _REFUSED.get(name, f"{shown} is not supported{nearest(name, known)}")
    return f"{reason}; known: {', '.join(known)}"


def line_fault(kind: KeyType, line: str) -> str | None:
    """Why nodes of this release line cannot use such a key; None if they can."""
    if line in kind.lines:
        return None
    able = ", ".join(other.name for other in KEY_TYPES if line in other.lines)
    return f"CometBFT {line} does not know keys of type {kind.name}, only {', '.join(kind.lines)} does; it knows {able}"
