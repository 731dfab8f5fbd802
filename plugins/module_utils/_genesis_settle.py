# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one genesis of a chain: stored where there is none, compared with what is asked where there is, never changed."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import Genesis, Request
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_compare import differences
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import parse


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Store(t.Protocol):
    """Where the one genesis of a chain lies. It is created, and never changed."""

    def read(self) -> str | None:
        """Its text, or None where there is none."""

    def create(self, text: str) -> bool:
        """Store it; False where somebody else has, meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """The genesis that counts, None as long as keys are missing; ``before`` is the text that was stored already."""

    before: str | None
    after: str | None
    genesis: Genesis | None


def settle(store: Store | None, asked: Request, *, dry_run: bool) -> Outcome:
    """Store the genesis where there is none, and make sure that one that exists is the one asked for."""
    before = store.read() if store else None
    if before is None:
        if asked.pending:
            return Outcome(None, None, None)
        genesis = asked.build()
        text = asked.text or genesis.text
        if store is None or dry_run or store.create(text):
            return Outcome(None, text, genesis)
        before = read_again(store)
    live = parse(before, str(store))
    found = differences(live, asked)
    if not found and asked.text not in (None, before):
        found = [
            f"its bytes are others (SHA-256 {sha256(before)}, asked is {sha256(asked.text)}), though it says the same"
        ]
    refuse_another(store, found)
    return Outcome(before, before, live)


def read_again(store: Store) -> str:
    """What somebody else has stored meanwhile."""
    text = store.read()
    if text is None:
        raise MintnetError(f"storing the genesis in {store}: it came and went while this ran; run this again")
    return text


def refuse_another(store: Store | None, differences: list[str]) -> None:
    """A MintnetError where what is stored differs from what is asked."""
    if differences:
        raise MintnetError(
            f"comparing the genesis with the one in {store}: it is another chain (nothing was changed): "
            + "; ".join(differences)
            + "; a genesis never changes: ask for the same again, or use reset for a new chain",
            differences=differences,
        )
