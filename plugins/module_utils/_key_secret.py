# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys in Secrets. What one Secret cannot hold goes on in a second one, and so on.

Two runs at once never give a node two keys: a key is only ever added to the last Secret, and a Secret is only followed
by another one once a note in it says so. Whoever missed either of them writes with an old version and is refused.
"""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Json, Objects
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import DOING, Entry
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import Kind
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import group_of

#: What Kubernetes allows as the sum of a Secret's values.
SECRET_LIMIT = 1024 * 1024

#: How often a write is tried again after somebody else's; every conflict means that another run got on.
TRIES = 20

#: The note in a Secret that another one, which it names, follows.
FOLLOWED = "mintnet.io/continued-in"


@dataclass
class _Part:
    """One Secret of a chain, as it was read last."""

    name: str
    version: str | None = None
    data: dict[str, str] = field(default_factory=dict)
    followed: bool = False

    @property
    def room(self) -> int:
        return SECRET_LIMIT - sum(map(_size, self.data.values()))


def _size(value: str) -> int:
    return len(base64.b64decode(value))


class Chain:
    """The values of one Secret and of those that follow it."""

    def __init__(self, api: Objects, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)
        self._parts: list[_Part] = []

    def __str__(self) -> str:
        return f"Secret {self._namespace}/{self._name}"

    @property
    def names(self) -> list[str]:
        """The Secrets that exist."""
        return [part.name for part in self._read() if part.version is not None]

    @property
    def data(self) -> dict[str, str]:
        """All values, in base64."""
        return {key: value for part in self._read() for key, value in part.data.items()}

    def holder(self, key: str) -> str:
        """The Secret that holds a value, for people."""
        name = next((part.name for part in self._parts if key in part.data), self._name)
        return f"Secret {self._namespace}/{name}"

    def refresh(self) -> None:
        self._parts = []

    def add(self, wanted: Mapping[str, str]) -> None:
        """Add these values, except where there is one by now."""
        for _attempt in range(TRIES):
            try:
                while missing := {key: value for key, value in wanted.items() if key not in self.data}:
                    self._add(missing)
            except ClusterError as error:
                if error.status != 409:
                    raise
                self.refresh()
            else:
                return
        raise self._endless()

    def replace(self, key: str, old: str, new: str) -> bool:
        """Put a new value where the old one is; False where it is not the old one any more."""
        for _attempt in range(TRIES):
            part = next((part for part in self._read() if part.data.get(key) == old), None)
            if part is None:
                return False
            if part.room + _size(old) < _size(new):
                raise MintnetError(f"writing {self.holder(key)}: it has no room for a larger key; use a smaller type")
            try:
                self._write(part, {key: new}, followed=part.followed)
            except ClusterError as error:
                if error.status != 409:
                    raise
                self.refresh()
            else:
                return True
        raise self._endless()

    def _read(self) -> list[_Part]:
        """All parts; the last one may still have to be made."""
        if not self._parts:
            self._parts = [self._part(self._name)]
        while self._parts[-1].followed:
            self._parts.append(self._part(f"{self._name}-{len(self._parts) + 1}"))
        return self._parts

    def _part(self, name: str) -> _Part:
        found = self._api.get(f"reading Secret {self._namespace}/{name}", "Secret", self._namespace, name)
        part = _Part(name)
        if found:
            _keep(part, found)
        return part

    def _add(self, missing: Mapping[str, str]) -> None:
        """As many of them as the last part has room for."""
        part = self._read()[-1]
        room, fitting = part.room, {}
        for key, value in missing.items():
            room -= _size(value)
            if room < 0:
                break
            fitting[key] = value
        if not fitting and not part.data:
            raise MintnetError(f"writing {self}: a key is larger than a Secret may be ({SECRET_LIMIT} bytes)")
        self._write(part, fitting, followed=len(fitting) < len(missing))

    def _write(self, part: _Part, values: Mapping[str, str], *, followed: bool) -> None:
        metadata: Json = {}
        if followed and not part.followed:
            position = self._parts.index(part) + 2
            metadata["annotations"] = {FOLLOWED: f"{self._name}-{position}"}
        shown = f"Secret {self._namespace}/{part.name}"
        if part.version is None:
            metadata |= {"namespace": self._namespace, "name": part.name, "labels": self._labels}
            definition = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": values}
            _keep(part, self._api.create(f"creating {shown}", definition))
        else:
            # With its version in it the patch is refused (409) once anybody else has written the Secret.
            patch = {"metadata": {"resourceVersion": part.version, **metadata}, "data": values}
            _keep(part, self._api.merge(f"writing {shown}", "Secret", self._namespace, part.name, patch))

    def _endless(self) -> MintnetError:
        return MintnetError(f"writing {self}: it was changed by somebody else {TRIES} times in a row; run this again")


def _keep(part: _Part, secret: Json) -> None:
    part.version = secret["metadata"]["resourceVersion"]
    part.data = dict(secret.get("data") or {})
    part.followed = FOLLOWED in (secret["metadata"].get("annotations") or {})


class _Stateless:
    """What holds keys, and no sign state beside them."""

    def faults(self, names: Sequence[str], existing: Collection[Entry], coming: Collection[Entry]) -> list[str]:
        """The sign state is on the pods' volumes."""
        return []


class Secret(_Stateless):
    """Data keys NODE.priv_validator_key.json and NODE.node_key.json. Backups are in Secrets of their own, so that no
    pod that is given its keys gets old ones, too."""

    def __init__(self, api: Objects, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._keys = Chain(api, namespace, name, labels)
        self._backups = Chain(api, namespace, f"{name}-replaced", labels)

    @property
    def secrets(self) -> list[str]:
        return self._keys.names

    def names(self) -> list[str]:
        ends = tuple(f".{kind.value}" for kind in Kind)
        nodes = (key.removesuffix(end) for key in self._keys.data for end in ends if key.endswith(end))
        return list(dict.fromkeys(nodes))

    def describe(self, entry: Entry) -> str:
        key = _data_key(entry)
        return f"{self._keys.holder(key)}, {key}"

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        texts: dict[Entry, str] = {}
        faults: list[str] = []
        data = self._keys.data
        for entry in (Entry(name, kind) for name in names for kind in Kind):
            value = data.get(_data_key(entry))
            if value is None:
                continue
            try:
                texts[entry] = base64.b64decode(value, validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                faults.append(f"{self.describe(entry)}: it is no text")
        if faults:
            raise FaultsError(DOING, faults)
        return texts

    def store(self, texts: Mapping[Entry, str]) -> None:
        self._keys.add({_data_key(entry): _base64(text) for entry, text in texts.items()})

    def replace(self, entry: Entry, old: str, new: str, old_id: str) -> str | None:
        # The backup comes first: a run that is interrupted in between leaves the old key in use and saved twice.
        key = _data_key(entry)
        backup = self._backup(entry, old_id)
        if backup is None:
            backup = f"{key}.{old_id}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            self._backups.add({backup: _base64(old)})
        return f"{self._backups}, {backup}" if self._keys.replace(key, _base64(old), _base64(new)) else None

    def was_replaced(self, entry: Entry, old_id: str) -> bool:
        return self._backup(entry, old_id) is not None

    def _backup(self, entry: Entry, old_id: str) -> str | None:
        before = f"{_data_key(entry)}.{old_id}."
        return next((key for key in self._backups.data if key.startswith(before)), None)


class Secrets(_Stateless):
    """Those of several groups: no pod is given what another group's nodes sign with."""

    def __init__(self, groups: Mapping[str, Secret]) -> None:
        self._groups = groups

    @property
    def secrets(self) -> list[str]:
        return [name for group in self._groups.values() for name in group.secrets]

    def describe(self, entry: Entry) -> str:
        return self._of(entry.node).describe(entry)

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        texts: dict[Entry, str] = {}
        faults: list[str] = []
        for group, secret in self._groups.items():
            try:
                texts |= secret.load([name for name in names if group_of(name) == group])
            except FaultsError as error:
                faults += error.faults
        if faults:
            raise FaultsError(DOING, faults)
        return texts

    def store(self, texts: Mapping[Entry, str]) -> None:
        for group, secret in self._groups.items():
            own = {entry: text for entry, text in texts.items() if group_of(entry.node) == group}
            if own:
                secret.store(own)

    def replace(self, entry: Entry, old: str, new: str, old_id: str) -> str | None:
        return self._of(entry.node).replace(entry, old, new, old_id)

    def was_replaced(self, entry: Entry, old_id: str) -> bool:
        return self._of(entry.node).was_replaced(entry, old_id)

    def _of(self, node: str) -> Secret:
        return self._groups[group_of(node)]


def _data_key(entry: Entry) -> str:
    return f"{entry.node}.{entry.kind.value}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def read_secret(api: Objects, namespace: str, name: str) -> dict[str, t.Any] | None:
    """The values of somebody's Secret as text or, where they are none, None; None where there is no such Secret."""
    found = api.get(f"reading Secret {namespace}/{name}", "Secret", namespace, name)
    return None if found is None else {key: _text(value) for key, value in (found.get("data") or {}).items()}


def _text(value: str) -> str | None:
    try:
        return base64.b64decode(value).decode("utf-8")
    except UnicodeDecodeError:
        return None
