# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of CometBFT nodes: their types, their files, and making those that are missing.

Private parts stay inside PrivateKey and the texts that a Place stores.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import json
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MissingLibraryError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text

DOING = "checking the keys that exist"


class KeyFault(ValueError):
    """What is wrong with one key; it begins with the field."""


def _signing_key(seed: bytes | None = None) -> t.Any:
    try:
        from nacl.signing import SigningKey
    except ImportError as error:
        raise MissingLibraryError("pynacl>=1.5.0", "making and checking keys", error) from error
    return SigningKey.generate() if seed is None else SigningKey(seed)


def _ed25519_make() -> bytes:
    key = _signing_key()
    return bytes(key) + bytes(key.verify_key)


def _ed25519_public(private: bytes) -> bytes:
    return bytes(_signing_key(private[:32]).verify_key)


def _sha256_address(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:20]


@dataclass(frozen=True)
class KeyType:
    """One kind of key, with what CometBFT calls it in genesis parameters and in JSON."""

    name: str
    public_type: str
    public_size: int
    private_type: str
    private_size: int
    make: Callable[[], bytes]
    public_of: Callable[[bytes], bytes]
    address_of: Callable[[bytes], bytes]


ED25519 = KeyType(
    name="ed25519",
    public_type="tendermint/PubKeyEd25519",
    public_size=32,
    private_type="tendermint/PrivKeyEd25519",
    private_size=64,
    make=_ed25519_make,
    public_of=_ed25519_public,
    address_of=_sha256_address,
)

KEY_TYPES = (ED25519,)


@dataclass(frozen=True)
class PublicKey:
    type: KeyType
    value: bytes

    @property
    def address(self) -> str:
        return self.type.address_of(self.value).hex().upper()

    @property
    def json(self) -> dict[str, str]:
        return {"type": self.type.public_type, "value": base64.b64encode(self.value).decode()}

    @classmethod
    def parse(cls, document: t.Any, at: str = "pub_key") -> PublicKey:
        kinds = {kind.public_type: kind for kind in KEY_TYPES}
        kind, value = _typed(document, at, kinds, lambda kind: kind.public_size)
        return cls(kind, value)


@dataclass(frozen=True)
class PrivateKey:
    type: KeyType
    value: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.type, self.type.public_of(self.value))

    @property
    def json(self) -> dict[str, str]:
        return {"type": self.type.private_type, "value": base64.b64encode(self.value).decode()}

    @classmethod
    def make(cls, kind: KeyType) -> PrivateKey:
        return cls(kind, kind.make())

    @classmethod
    def parse(cls, document: t.Any, at: str = "priv_key") -> PrivateKey:
        kinds = {kind.private_type: kind for kind in KEY_TYPES}
        kind, value = _typed(document, at, kinds, lambda kind: kind.private_size)
        if kind is ED25519 and value[32:] != kind.public_of(value):
            raise KeyFault(f"{at}.value: its second half is not the public key of its first half")
        return cls(kind, value)


def _typed(
    document: t.Any, at: str, kinds: Mapping[str, KeyType], size_of: Callable[[KeyType], int]
) -> tuple[KeyType, bytes]:
    if not isinstance(document, dict):
        raise KeyFault(f"{at}: it is missing or no object with type and value")
    kind = kinds.get(str(document.get("type")))
    if kind is None:
        raise KeyFault(f"{at}.type: {document.get('type')!r} is not supported; known: {', '.join(kinds)}")
    text = document.get("value")
    try:
        value = base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except ValueError:
        raise KeyFault(f"{at}.value: it is no base64") from None
    if len(value) != size_of(kind):
        raise KeyFault(f"{at}.value: it has {len(value)} bytes, a key of type {kind.name} has {size_of(kind)}")
    return kind, value


class Kind(enum.StrEnum):
    """The two keys of a node; the value is the name of the file."""

    VALIDATOR = "priv_validator_key.json"
    NODE = "node_key.json"

    def write(self, key: PrivateKey) -> str:
        """The file's text, byte for byte as CometBFT writes it."""
        if self is Kind.NODE:
            return json_text({"priv_key": key.json})
        public = key.public
        return json_text({"address": public.address, "pub_key": public.json, "priv_key": key.json}, indent=2)

    def read(self, text: str) -> PublicKey:
        """The public key of a file, after everything in it was checked."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise KeyFault(f"it is no JSON: {error}") from None
        if not isinstance(document, dict):
            raise KeyFault("it is no JSON object")
        public = PrivateKey.parse(document.get("priv_key")).public
        if self is Kind.VALIDATOR:
            if PublicKey.parse(document.get("pub_key")) != public:
                raise KeyFault("pub_key.value: it is not the public key of priv_key")
            if document.get("address") != public.address:
                raise KeyFault(f"address: it is {document.get('address')!r}, the key's is {public.address}")
        return public


class Entry(t.NamedTuple):
    """One key of one node."""

    node: str
    kind: Kind


class Place(t.Protocol):
    """Where keys lie. It only ever gains entries."""

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        """The texts of those keys of these nodes that exist."""

    def store(self, texts: Mapping[Entry, str]) -> None:
        """Add these, except where another run was quicker: its keys stay."""

    def describe(self, entry: Entry) -> str:
        """Where this entry lies, for people."""


@dataclass(frozen=True)
class NodeKeys:
    """The public keys of a node; None where there is none yet."""

    name: str
    validator: PublicKey | None
    node: PublicKey | None

    @property
    def node_id(self) -> str | None:
        return self.node.address.lower() if self.node else None

    @property
    def public(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "address": self.validator.address if self.validator else None,
            "pub_key": self.validator.json if self.validator else None,
            "node_id": self.node_id,
        }


@dataclass(frozen=True)
class Outcome:
    """The nodes before and after, and the names of those that keys were (or would be) made for."""

    before: list[NodeKeys]
    after: list[NodeKeys]
    made: list[str]


def ensure(place: Place, names: Sequence[str], *, dry_run: bool, kind: KeyType = ED25519) -> Outcome:
    """See to it that each of these nodes has both keys; those that exist stay as they are."""
    texts = place.load(names)
    before = _check(place, names, texts)
    missing = [entry for name in names for entry in (Entry(name, k) for k in Kind) if entry not in texts]
    if dry_run or not missing:
        return Outcome(before, before, list(dict.fromkeys(entry.node for entry in missing)))
    made = {entry: entry.kind.write(PrivateKey.make(kind)) for entry in missing}
    place.store(made)
    texts = place.load(names)
    ours = [entry.node for entry in missing if texts.get(entry) == made[entry]]
    return Outcome(before, _check(place, names, texts), list(dict.fromkeys(ours)))


def _check(place: Place, names: Sequence[str], texts: Mapping[Entry, str]) -> list[NodeKeys]:
    """All of the keys read; every fault of them in one error."""
    faults: list[str] = []
    keys: dict[Entry, PublicKey] = {}
    holders: dict[tuple[Kind, PublicKey], Entry] = {}
    for entry, text in texts.items():
        try:
            key = entry.kind.read(text)
        except KeyFault as fault:
            faults.append(f"{place.describe(entry)}: {fault}")
            continue
        keys[entry] = key
        holder = holders.setdefault((entry.kind, key), entry)
        if holder != entry:
            faults.append(f"{place.describe(entry)}: {holder.node} has the same key; no two nodes may share one")
    if faults:
        raise FaultsError(DOING, faults)
    return [NodeKeys(name, keys.get(Entry(name, Kind.VALIDATOR)), keys.get(Entry(name, Kind.NODE))) for name in names]
