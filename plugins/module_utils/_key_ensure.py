# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeing to it that nodes have keys: those that exist are checked, those that are missing are made or taken over."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import line_fault
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import (
    ED25519,
    KeyFault,
    KeyType,
    Kind,
    PrivateKey,
    PublicKey,
)

DOING = "checking the keys that exist"


class Entry(t.NamedTuple):
    """One key of one node."""

    node: str
    kind: Kind


class Place(t.Protocol):
    """Where keys lie. A key that is there is replaced by `replace` alone."""

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        """The texts of those keys of these nodes that exist."""

    def faults(self, names: Sequence[str], existing: Collection[Entry], coming: Collection[Entry]) -> list[str]:
        """What else is wrong here, given the keys that exist and those that are brought."""

    def store(self, texts: Mapping[Entry, str]) -> None:
        """Add these, except where another run was quicker: its keys stay."""

    def replace(self, entry: Entry, old: str, new: str, old_id: str) -> str | None:
        """Keep the old text as a dated backup, put the new one in its place, and say where the backup lies.

        None where the text is not the old one any more: then nothing is changed.
        """

    def was_replaced(self, entry: Entry, old_id: str) -> bool:
        """Whether there is a backup of this key."""

    def describe(self, entry: Entry) -> str:
        """Where this entry lies, for people."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of the keys of some nodes."""

    names: Sequence[str]
    #: Types of validator keys, where they were said.
    types: Mapping[str, KeyType] = field(default_factory=dict)
    #: Release line of CometBFT, which does not know every type.
    line: str | None = None
    #: Keys that are brought.
    given: Mapping[Entry, PrivateKey] = field(default_factory=dict)
    #: Validators whose private key somebody else keeps.
    elsewhere: Mapping[str, PublicKey] = field(default_factory=dict)
    #: Keys that are to be replaced, by their address or node id.
    replace: Mapping[Entry, str] = field(default_factory=dict)
    #: Nodes that had keys: what is missing of theirs may be brought, and is never made.
    known: Collection[str] = ()


@dataclass(frozen=True)
class NodeKeys:
    """The public keys of a node; None where there is none yet."""

    name: str
    validator: PublicKey | None
    node: PublicKey | None

    @property
    def node_id(self) -> str | None:
        return Kind.NODE.id_of(self.node) if self.node else None

    @property
    def public(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "address": self.validator.address if self.validator else None,
            "pub_key": self.validator.json if self.validator else None,
            "node_id": self.node_id,
        }


@dataclass(frozen=True)
class Replacement:
    entry: Entry
    old_id: str
    backup: str | None


@dataclass(frozen=True)
class Outcome:
    """The nodes before and after; the names of those that keys were (or would be) added to; what was replaced."""

    before: list[NodeKeys]
    after: list[NodeKeys]
    made: list[str]
    replaced: list[Replacement]


def ensure(place: Place, wanted: Wanted, *, dry_run: bool) -> Outcome:
    """See to it that each of these nodes has both keys; those that exist stay as they are, unless named."""
    state = _State(place, wanted)
    before = state.keys
    missing = [entry for name in wanted.names for entry in state.entries(name) if entry not in before]
    if dry_run:
        planned = {entry: key for entry, key in before.items() if entry not in state.leaving}
        planned |= {entry: wanted.given[entry].public for entry in (*missing, *state.leaving) if entry in wanted.given}
        replaced = [Replacement(entry, old_id, None) for entry, old_id in state.leaving.items()]
        return Outcome(state.nodes(before), state.nodes(planned), _names(missing), replaced)

    made = {entry: state.new(entry) for entry in missing}
    if made:
        place.store(made)
    replaced = []
    for entry, old_id in state.leaving.items():
        backup = place.replace(entry, state.texts[entry], state.new(entry), old_id)
        if backup is not None:
            replaced.append(Replacement(entry, old_id, backup))
    if made or replaced or state.leaving:
        state.refresh()
    ours = [entry for entry in missing if state.texts.get(entry) == made[entry]]
    return Outcome(state.nodes(before), state.nodes(state.keys), _names(ours), replaced)


def read_all(place: Place, names: Sequence[str]) -> list[NodeKeys]:
    """The public parts of all keys that exist, checked."""
    state = _State(place, Wanted(names))
    return state.nodes(state.keys)


def _names(entries: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.node for entry in entries))


class _State:
    """What lies in a place, held against what is wanted. Every fault of both is in one error."""

    def __init__(self, place: Place, wanted: Wanted) -> None:
        self._place = place
        self._wanted = wanted
        # Texts that were checked, or made here: deriving a public key again would cost as much as making one.
        self._known: dict[tuple[Kind, str], PublicKey] = {}
        self.refresh()

    def refresh(self) -> None:
        self.texts = self._place.load(self._wanted.names)
        self.keys: dict[Entry, PublicKey] = {}
        #: Keys that are to be replaced and still there.
        self.leaving: dict[Entry, str] = {}
        faults = [*self._read_all(), *self._choose_leaving()]
        coming = {*self._wanted.given, *(Entry(name, Kind.VALIDATOR) for name in self._wanted.elsewhere)}
        faults += self._place.faults(self._wanted.names, self.texts.keys(), coming)
        faults += self._lost()
        faults += [*self._unwanted(), *self._shared()]
        if faults:
            raise FaultsError(DOING, faults)

    def entries(self, name: str) -> list[Entry]:
        """The keys that this node has to have here."""
        return [Entry(name, kind) for kind in Kind if kind is Kind.NODE or name not in self._wanted.elsewhere]

    def new(self, entry: Entry) -> str:
        """The text of a key that is brought or made."""
        key = self._wanted.given.get(entry)
        if key is None:
            old = self.keys.get(entry)
            kind = self._wanted.types.get(entry.node) or (old.type if old else ED25519)
            key = PrivateKey.make(kind if entry.kind is Kind.VALIDATOR else ED25519)
        text = entry.kind.write(key)
        self._known[entry.kind, text] = key.public
        return text

    def nodes(self, keys: Mapping[Entry, PublicKey]) -> list[NodeKeys]:
        elsewhere = self._wanted.elsewhere
        return [
            NodeKeys(
                name, keys.get(Entry(name, Kind.VALIDATOR)) or elsewhere.get(name), keys.get(Entry(name, Kind.NODE))
            )
            for name in self._wanted.names
        ]

    def _read_all(self) -> Iterator[str]:
        for entry, text in self.texts.items():
            key = self._known.get((entry.kind, text))
            if key is None:
                try:
                    key = entry.kind.read(text)
                except KeyFault as fault:
                    yield f"{self._place.describe(entry)}: {fault}"
                    continue
                self._known[entry.kind, text] = key
            self.keys[entry] = key

    def _lost(self) -> Iterator[str]:
        """Another key would make another node of one that others know, and that may have signed."""
        for name in self._wanted.names:
            for entry in self.entries(name):
                if name in self._wanted.known and entry not in self.texts and entry not in self._wanted.given:
                    yield (
                        f"{self._place.describe(entry)}: it is gone, and {name} had one: bring it back (as a source), "
                        "or start a new chain"
                    )

    def _choose_leaving(self) -> Iterator[str]:
        for entry, old_id in self._wanted.replace.items():
            key = self.keys.get(entry)
            if key is not None and entry.kind.id_of(key) == old_id:
                self.leaving[entry] = old_id
            elif entry in self.texts and key is None:
                continue  # damaged, and said so already
            elif not self._place.was_replaced(entry, old_id):
                here = f"it holds {entry.kind.id_of(key)}" if key else "there is none"
                yield f"{self._place.describe(entry)}: the key {old_id} was to be replaced, but {here}"

    def _unwanted(self) -> Iterator[str]:
        """Keys that exist, or are brought, and are not what was asked for."""
        for entry, key in self.keys.items():
            if entry in self.leaving:
                given = self._wanted.given.get(entry)
                if given is not None and given.public == key:
                    yield f"{self._place.describe(entry)}: the key that is to take its place is the same"
                elif given is None and entry.node not in self._wanted.types:
                    yield from self._wrong_type(entry, key, f"{self._place.describe(entry)}: ")
                continue
            for fault in self._unlike(entry, key):
                yield f"{self._place.describe(entry)}: {fault}"
        for entry, private in self._wanted.given.items():
            if entry not in self.keys or entry in self.leaving:
                yield from self._wrong_type(entry, private.public, f"{entry.node}, the {entry.kind} that is given: ")
        for name, public in self._wanted.elsewhere.items():
            yield from self._wrong_type(Entry(name, Kind.VALIDATOR), public, f"{name}, the public key that is given: ")

    def _unlike(self, entry: Entry, key: PublicKey) -> Iterator[str]:
        shown = entry.kind.id_of(key)
        given = self._wanted.given.get(entry)
        if given is not None and given.public != key:
            other = entry.kind.id_of(given.public)
            yield f"it holds {shown}, given is {other}; to replace it name {shown} in regenerate"
        elif entry.kind is Kind.VALIDATOR and entry.node in self._wanted.elsewhere:
            yield f"it holds {shown} although somebody else keeps the key of {entry.node}: move it away"
        else:
            yield from self._wrong_type(entry, key, "", f"; to replace it name {shown} in regenerate")

    def _wrong_type(self, entry: Entry, key: PublicKey, before: str, after: str = "") -> Iterator[str]:
        if entry.kind is Kind.NODE:
            return
        wanted = self._wanted.types.get(entry.node)
        fault = line_fault(key.type, self._wanted.line) if self._wanted.line else None
        if wanted is not None and wanted is not key.type:
            yield f"{before}it is of type {key.type.name}, asked is {wanted.name}{after}"
        elif fault:
            yield f"{before}{fault}{after}"

    def _shared(self) -> Iterator[str]:
        """No two nodes may have one key, wherever its parts are."""
        holders: dict[tuple[Kind, PublicKey], str] = {}
        for entry, key, at in self._all():
            holder = holders.setdefault((entry.kind, key), entry.node)
            if holder != entry.node:
                yield f"{at}: {holder} has the same key; no two nodes may share one"

    def _all(self) -> Iterator[tuple[Entry, PublicKey, str]]:
        for entry, key in self.keys.items():
            yield entry, key, self._place.describe(entry)
        for entry, private in self._wanted.given.items():
            yield entry, private.public, f"{entry.node}, the {entry.kind} that is given"
        for name, public in self._wanted.elsewhere.items():
            yield Entry(name, Kind.VALIDATOR), public, f"{name}, the public key that is given"
