# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of a genesis: a file and ConfigMaps. They are created, and never changed."""

from __future__ import annotations

import base64
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Objects
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import (
    CONFIG_MAP_LIMIT,
    KEY,
    PARTS,
    SUM,
    TEMPLATE,
    pack,
    part_names,
    template_head,
    template_of,
    unpack,
)

#: On a part: the SHA-256 of the genesis that it is one of.
SUM_ANNOTATION = "mintnet.io/genesis-sha256"


class File:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return f"file {self._path}"

    def read(self) -> str | None:
        try:
            return _files.read(self._path)
        except (OSError, UnicodeDecodeError) as error:
            raise MintnetError(f"reading the genesis {self._path}: {error}") from error

    def create(self, text: str) -> bool:
        try:
            return _files.create(self._path, text, 0o644)
        except OSError as error:
            raise MintnetError(f"writing the genesis {self._path}: {error}") from error


class ConfigMap:
    def __init__(self, api: Objects, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)
        self._head: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return f"ConfigMap {self._namespace}/{self._name}"

    def read(self) -> str | None:
        found = self._get(self._name)
        if found is None:
            return None
        head = found.get("data") or {}
        if TEMPLATE in head:
            raise MintnetError(
                f"reading {self}: it has the {TEMPLATE} of a chain whose pods make their own keys; ask for that again, "
                "or start a new chain with reset"
            )
        if KEY not in head and PARTS not in head:
            raise MintnetError(
                f"reading {self}: it has no key {KEY}, so it is not ours; remove it, or name another with config_map"
            )
        self._head = head
        return unpack(f"reading {self}", head, self._get)

    def create(self, text: str) -> bool:
        """The parts first: whoever finds the head finds all of them."""
        packed = pack(self._name, text)
        ours = [name for name, piece in packed.parts.items() if self._create_part(name, piece, packed.head)]
        if self._create(self._name, {}, {"data": packed.head}):
            self._head = packed.head
            return True
        # Another run was quicker. What it made of the same genesis has the same names, and is needed.
        winner = part_names((self._get(self._name) or {}).get("data") or {})
        for name in ours:
            if name not in winner:
                self._remove(name)
        return False

    def names(self, text: str) -> list[str]:
        """The ConfigMaps that hold this genesis, or would, the head first."""
        head = pack(self._name, text).head if self._head is None else self._head
        return [self._name, *part_names(head)]

    def _get(self, name: str) -> dict[str, t.Any] | None:
        return self._api.get(f"reading ConfigMap {self._namespace}/{name}", "ConfigMap", self._namespace, name)

    def _create_part(self, name: str, piece: bytes, head: Mapping[str, str]) -> bool:
        annotations = {SUM_ANNOTATION: head[SUM].split()[0]}
        content = {"binaryData": {name: base64.b64encode(piece).decode()}}
        return self._create(name, {"annotations": annotations}, content)

    def _create(self, name: str, metadata: Mapping[str, t.Any], content: Mapping[str, t.Any]) -> bool:
        """Make one; False where it is there."""
        metadata = {"namespace": self._namespace, "name": name, "labels": self._labels, **metadata}
        definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True, **content}
        try:
            self._api.create(f"creating ConfigMap {self._namespace}/{name}", definition)
        except ClusterError as error:
            if error.reason == "AlreadyExists":
                return False
            raise
        return True

    def _remove(self, name: str) -> None:
        doing = f"removing ConfigMap {self._namespace}/{name}, a part of a genesis that came too late"
        try:
            self._api.delete(doing, "ConfigMap", self._namespace, name)
        except ClusterError as error:
            if error.status != 404:
                raise


class TemplateMap(ConfigMap):
    """Of a chain whose pods make their own keys: what they make the genesis of. It lies where a genesis would."""

    def read(self) -> str | None:
        found = self._get(self._name)
        if found is None:
            return None
        head: dict[str, str] = found.get("data") or {}
        if TEMPLATE not in head:
            raise MintnetError(
                f"reading {self}: it has no key {TEMPLATE}, so this chain was not begun with keys that pods make; ask "
                "for the keys that it has, or start a new chain with reset"
            )
        return template_of(f"reading the genesis in {self}", head)

    def create(self, text: str) -> bool:
        size = len(text.encode())
        if size > CONFIG_MAP_LIMIT:
            raise MintnetError(
                f"writing {self}: the genesis has {size} bytes, and where pods make their own keys at most "
                f"{CONFIG_MAP_LIMIT} can be given to them; make its app_state smaller"
            )
        return self._create(self._name, {}, {"data": template_head(text)})

    def names(self, text: str) -> list[str]:
        return [self._name]
