# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places where keys lie: a directory tree and a Secret. Both only ever gain keys."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import DOING, Entry, Kind

#: The sign state of a validator that has signed nothing.
FRESH_STATE = json_text({"height": "0", "round": 0, "step": 0}, indent=2)

#: What Kubernetes allows as the sum of a Secret's values.
SECRET_LIMIT = 1024 * 1024

#: How often a write is tried again after somebody else's; every conflict means that another run got on.
TRIES = 20


class Directory:
    """The tree of `cometbft testnet`: NODE/config and NODE/data, all files with mode 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def describe(self, entry: Entry) -> str:
        return str(self._path(entry))

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        texts: dict[Entry, str] = {}
        faults: list[str] = []
        for name in names:
            for kind in Kind:
                entry = Entry(name, kind)
                text = _read(self._path(entry))
                if text is not None:
                    texts[entry] = text
            faults += self._state_faults(name, Entry(name, Kind.VALIDATOR) in texts)
        if faults:
            raise FaultsError(DOING, faults)
        return texts

    def store(self, texts: Mapping[Entry, str]) -> None:
        # The state comes first: a key without it is refused, a fresh state without a key does no harm. So a run that
        # was interrupted can be repeated.
        for entry in texts:
            if entry.kind is Kind.VALIDATOR:
                _create(self._state_path(entry.node), FRESH_STATE)
        for entry, text in texts.items():
            _create(self._path(entry), text)

    def _path(self, entry: Entry) -> Path:
        return self._root / entry.node / "config" / entry.kind.value

    def _state_path(self, name: str) -> Path:
        return self._root / name / "data" / "priv_validator_state.json"

    def _state_faults(self, name: str, has_key: bool) -> list[str]:
        """A validator that forgets what it has signed may sign twice, and one that has signed must not change keys."""
        path = self._state_path(name)
        text = _read(path)
        if text is None:
            if has_key:
                return [f"{path}: it is missing although the validator key exists: restore it with the key"]
            return []
        try:
            state = json.loads(text)
            height = int(state["height"])
            if height < 0 or not all(isinstance(state[member], int) for member in ("round", "step")):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            return [f"{path}: it is damaged: it needs a height in quotes, a round and a step"]
        if height and not has_key:
            return [f"{path}: it has signed up to height {height}, but its validator key is missing: restore the key"]
        return []


def _read(path: Path) -> str | None:
    try:
        return _files.read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise MintnetError(f"{DOING}: {path}: {error}") from error


def _create(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _files.create(path, text, 0o600)
    except OSError as error:
        raise MintnetError(f"writing the key file {path}: {error}") from error


class Secret:
    """Data keys NODE.priv_validator_key.json and NODE.node_key.json of one Secret."""

    def __init__(self, api: Api, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)
        self._known = False
        self._version: str | None = None
        self._data: dict[str, str] = {}

    def describe(self, entry: Entry) -> str:
        return f"{self}, {_data_key(entry)}"

    def __str__(self) -> str:
        return f"Secret {self._namespace}/{self._name}"

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        if not self._known:
            self._refresh()
        texts: dict[Entry, str] = {}
        faults: list[str] = []
        for entry in (Entry(name, kind) for name in names for kind in Kind):
            value = self._data.get(_data_key(entry))
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
        wanted = {_data_key(entry): base64.b64encode(text.encode()).decode() for entry, text in texts.items()}
        for _attempt in range(TRIES):
            missing = {key: value for key, value in wanted.items() if key not in self._data}
            if not missing:
                return
            self._check_size(missing)
            try:
                self._keep(self._add(missing))
            except ClusterError as error:
                if error.status != 409:
                    raise
                self._refresh()
            else:
                return
        raise MintnetError(f"writing {self}: it was changed by somebody else {TRIES} times in a row; run this again")

    def _add(self, missing: Mapping[str, str]) -> Json:
        if self._version is None:
            definition = {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {"namespace": self._namespace, "name": self._name, "labels": self._labels},
                "data": missing,
            }
            return self._api.create(f"creating {self}", definition)
        # With its version in it the patch is refused (409) once anybody else has written the Secret.
        patch = {"metadata": {"resourceVersion": self._version}, "data": missing}
        return self._api.merge(f"adding keys to {self}", "Secret", self._namespace, self._name, patch)

    def _refresh(self) -> None:
        self._keep(self._api.get(f"reading {self}", "Secret", self._namespace, self._name))

    def _keep(self, secret: Json | None) -> None:
        self._version = secret["metadata"]["resourceVersion"] if secret else None
        self._data = dict(secret.get("data") or {}) if secret else {}
        self._known = True

    def _check_size(self, missing: Mapping[str, str]) -> None:
        size = sum(len(base64.b64decode(value)) for value in (*self._data.values(), *missing.values()))
        if size > SECRET_LIMIT:
            raise MintnetError(
                f"writing {self}: it would hold {size} bytes, and Kubernetes allows {SECRET_LIMIT}; "
                "ask for fewer nodes in this group"
            )


def _data_key(entry: Entry) -> str:
    return f"{entry.node}.{entry.kind.value}"
