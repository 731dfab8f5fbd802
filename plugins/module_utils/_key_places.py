# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places where keys lie: a directory tree, or nowhere. Secrets are in a file of their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import DOING, Entry
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import Kind, load_json

#: The sign state of a validator that has signed nothing.
FRESH_STATE = json_text({"height": "0", "round": 0, "step": 0}, indent=2)


class Directory:
    """The tree of `cometbft testnet`: NODE/config and NODE/data, all files with mode 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def describe(self, entry: Entry) -> str:
        return str(self._path(entry))

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        entries = [Entry(name, kind) for name in names for kind in Kind]
        texts = {entry: _read(self._path(entry)) for entry in entries}
        return {entry: text for entry, text in texts.items() if text is not None}

    def faults(self, names: Sequence[str], existing: Collection[Entry], coming: Collection[Entry]) -> list[str]:
        return [
            fault
            for entry in (Entry(name, Kind.VALIDATOR) for name in names)
            for fault in self._state_faults(entry.node, has_key=entry in existing, gets_key=entry in coming)
        ]

    def store(self, texts: Mapping[Entry, str]) -> None:
        # The state comes first: a key without it is refused, a fresh state without a key does no harm. So a run that
        # was interrupted can be repeated.
        for entry in texts:
            if entry.kind is Kind.VALIDATOR:
                _create(self._state_path(entry.node), FRESH_STATE)
        for entry, text in texts.items():
            _create(self._path(entry), text)

    def replace(self, entry: Entry, old: str, new: str, old_id: str) -> str | None:
        """The sign state stays: no key is harmed by signing later than it could."""
        path = self._path(entry)
        backup = path.with_name(f"{path.name}.{old_id}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        try:
            with _files.locked(path.parent):
                if _read(path) != old:
                    return None
                backup.hardlink_to(path)
                _files.replace(path, new, 0o600)
        except OSError as error:
            raise MintnetError(f"replacing the key file {path}: {error}; nothing is lost, run this again") from error
        return str(backup)

    def was_replaced(self, entry: Entry, old_id: str) -> bool:
        path = self._path(entry)
        return any(path.parent.glob(f"{path.name}.{old_id}.*"))

    def names(self) -> list[str]:
        """The nodes that have a key here, in the order of their numbers."""
        files = (path for kind in Kind for path in self._root.glob(f"*/config/{kind.value}"))
        return sorted({path.parent.parent.name for path in files}, key=_numbered)

    def _path(self, entry: Entry) -> Path:
        return self._root / entry.node / "config" / entry.kind.value

    def _state_path(self, name: str) -> Path:
        return self._root / name / "data" / "priv_validator_state.json"

    def _state_faults(self, name: str, *, has_key: bool, gets_key: bool) -> list[str]:
        """A validator that forgets what it has signed may sign twice, and one that has signed does not get a new key
        because its own is lost."""
        path = self._state_path(name)
        text = _read(path)
        if text is None:
            if has_key:
                return [f"{path}: it is missing although the validator key exists: restore it with the key"]
            return []
        try:
            state = load_json(text)
            height = int(state["height"])
            if height < 0 or not all(isinstance(state[member], int) for member in ("round", "step")):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            return [f"{path}: it is damaged: it needs a height in quotes, a round and a step"]
        if height and not has_key and not gets_key:
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


def _numbered(name: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*?)(\d*)", name)
    return (match[1], int(match[2] or 0)) if match else (name, 0)


class Nowhere:
    """For a plan before there is any place."""

    def describe(self, entry: Entry) -> str:
        return f"{entry.node}, {entry.kind}"

    def names(self) -> list[str]:
        return []

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        return {}

    def faults(self, names: Sequence[str], existing: Collection[Entry], coming: Collection[Entry]) -> list[str]:
        return []

    def store(self, texts: Mapping[Entry, str]) -> None:
        raise MintnetError(
            "storing keys: one of the following is required: namespace, directory; without both there is a plan only, "
            "in check mode"
        )

    def replace(self, entry: Entry, old: str, new: str, old_id: str) -> str | None:
        return None

    def was_replaced(self, entry: Entry, old_id: str) -> bool:
        return False
