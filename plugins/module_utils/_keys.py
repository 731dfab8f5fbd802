# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of CometBFT nodes and the files that hold them.

Private parts stay inside PrivateKey and the texts of files.
"""

from __future__ import annotations

import base64
import enum
import json
import os
import re
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import (
    ED25519,
    KEY_TYPES,
    SEED_SIZE,
    KeyType,
    unknown_json_type,
)

__all__ = ["ED25519", "KEY_TYPES", "KeyFault", "KeyType", "Kind", "PrivateKey", "PublicKey", "load_json"]


_ADDRESS = re.compile("[0-9A-Fa-f]{40}")


class KeyFault(ValueError):
    """What is wrong with one key; it begins with the field."""


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
        try:
            kind.check_public(value)
        except ValueError as error:
            raise KeyFault(f"{at}.value: {error}") from None
        return cls(kind, value)


@dataclass(frozen=True)
class PrivateKey:
    type: KeyType
    value: bytes = field(repr=False)
    public: PublicKey

    @property
    def json(self) -> dict[str, str]:
        return {"type": self.type.private_type, "value": base64.b64encode(self.value).decode()}

    @classmethod
    def make(cls, kind: KeyType) -> PrivateKey:
        return cls.derive(kind, os.urandom(SEED_SIZE))

    @classmethod
    def derive(cls, kind: KeyType, seed: bytes) -> PrivateKey:
        """The same key for the same seed."""
        pair = kind.derive(seed)
        return cls(kind, pair.private, PublicKey(kind, pair.public))

    @classmethod
    def parse(cls, document: t.Any, at: str = "priv_key") -> PrivateKey:
        kinds = {kind.private_type: kind for kind in KEY_TYPES}
        kind, value = _typed(document, at, kinds, lambda kind: kind.private_size)
        try:
            return cls(kind, value, PublicKey(kind, kind.public_of(value)))
        except ValueError as error:
            raise KeyFault(f"{at}.value: {error}") from None


def _typed(
    document: t.Any, at: str, kinds: Mapping[str, KeyType], size_of: Callable[[KeyType], int]
) -> tuple[KeyType, bytes]:
    if not isinstance(document, dict):
        raise KeyFault(f"{at}: it is missing or no object with type and value")
    kind = kinds.get(str(document.get("type")))
    if kind is None:
        raise KeyFault(f"{at}.type: {unknown_json_type(document.get('type'), kinds)}")
    text = document.get("value")
    try:
        value = base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except ValueError:
        raise KeyFault(f"{at}.value: it is no base64") from None
    if len(value) != size_of(kind):
        raise KeyFault(f"{at}.value: it has {len(value)} bytes, a key of type {kind.name} has {size_of(kind)}")
    return kind, value


def load_json(text: str) -> t.Any:
    """What a text holds; that it holds nothing is a KeyFault."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise KeyFault(f"it is no JSON: {error}") from None
    except RecursionError:
        raise KeyFault("it is no JSON: it is nested too deeply") from None


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
        return self.read_private(text).public

    def read_private(self, text: str) -> PrivateKey:
        """The key of a file, after everything in it was checked."""
        document = load_json(text)
        if not isinstance(document, dict):
            raise KeyFault("it is no JSON object")
        key = PrivateKey.parse(document.get("priv_key"))
        public = key.public
        if self is Kind.NODE and public.type is not ED25519:
            raise KeyFault(f"priv_key.type: it is {public.type.private_type}, a node key is {ED25519.private_type}")
        if self is Kind.VALIDATOR:
            if PublicKey.parse(document.get("pub_key")) != public:
                raise KeyFault("pub_key.value: it is not the public key of priv_key")
            address = document.get("address")
            if address != public.address:
                shown = repr(address) if address is None or _ADDRESS.fullmatch(str(address)) else "no address"
                raise KeyFault(f"address: it is {shown}, the key's is {public.address}")
        return key

    def id_of(self, key: PublicKey) -> str:
        """What people know this key by: a validator's address, a node's id."""
        return key.address if self is Kind.VALIDATOR else key.address.lower()
