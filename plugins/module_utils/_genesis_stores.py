# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of a genesis: a file and a ConfigMap. Both are created, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

KEY = "genesis.json"

#: What Kubernetes allows as the sum of a ConfigMap's values.
CONFIG_MAP_LIMIT = 1024 * 1024


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
    def __init__(self, api: Api, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._labels = dict(labels)

    def __str__(self) -> str:
        return f"ConfigMap {self._namespace}/{self._name}"

    def read(self) -> str | None:
        found = self._api.get(f"reading {self}", "ConfigMap", self._namespace, self._name)
        if found is None:
            return None
        text = (found.get("data") or {}).get(KEY)
        if text is None:
            raise MintnetError(
                f"reading {self}: it has no key {KEY}, so it is not ours; remove it, or name another with config_map"
            )
        return str(text)

    def create(self, text: str) -> bool:
        size = len(text.encode())
        if size > CONFIG_MAP_LIMIT:
            raise MintnetError(
                f"writing {self}: the genesis has {size} bytes, and Kubernetes allows {CONFIG_MAP_LIMIT} in a "
                "ConfigMap; ask for fewer validators or a smaller app_state"
            )
        definition = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": self._namespace, "name": self._name, "labels": self._labels},
            "data": {KEY: text},
            "immutable": True,
        }
        try:
            self._api.create(f"creating {self}", definition)
        except ClusterError as error:
            if error.reason == "AlreadyExists":
                return False
            raise
        return True
