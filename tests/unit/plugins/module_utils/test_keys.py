# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys against vectors that CometBFT publishes in docs/references/config and docs/core/using-cometbft.md."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MissingLibraryError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import Entry, Outcome, Wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import ensure as ensure_wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import (
    ED25519,
    KeyFault,
    Kind,
    PrivateKey,
    PublicKey,
)

PUBLISHED = """{
  "address": "E74FBE24164CFC4F88E311C3AC92E63D0DC310D8",
  "pub_key": {
    "type": "tendermint/PubKeyEd25519",
    "value": "UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE="
  },
  "priv_key": {
    "type": "tendermint/PrivKeyEd25519",
    "value": "9giFjwnmAKCAI95l4Q32kXsau+itGrbsvz84CTLxGnJSPENCBVOUck5ntrGkyX+JzMwgleJCkXEIWPAoa/NioQ=="
  }
}"""

PUBLISHED_NODE = (
    '{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":'
    '"jxG2ywUkVPiF4XDW1Dwa5ZfcrC0rEa4iM1y4O5qCMpYxdiypykyf9yp7C81cJTZHKMOvrnGcZiqxlMfyQsaUUA=="}}'
)
# As `cometbft show-node-id` prints it.
PUBLISHED_NODE_ID = "a4713d8b79ff1349891e99021966b04abeffa268"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE=", "E74FBE24164CFC4F88E311C3AC92E63D0DC310D8"),
        ("P/V6GHuZrb8rs/k1oBorxc6vyXMlnzhJmv7LmjELDys=", "B547AB87E79F75A4A3198C57A8C2FDAF8628CB47"),
    ],
)
def test_address(value: str, address: str) -> None:
    key = PublicKey.parse({"type": "tendermint/PubKeyEd25519", "value": value})
    assert key.address == address
    assert key.json == {"type": "tendermint/PubKeyEd25519", "value": value}


def test_validator_key_is_read_and_written_byte_for_byte() -> None:
    key = PrivateKey.parse(json.loads(PUBLISHED)["priv_key"])
    assert Kind.VALIDATOR.write(key) == PUBLISHED
    assert Kind.VALIDATOR.read(PUBLISHED) == key.public


def test_node_key_is_read_and_written_byte_for_byte() -> None:
    key = PrivateKey.parse(json.loads(PUBLISHED_NODE)["priv_key"])
    assert Kind.NODE.write(key) == PUBLISHED_NODE
    assert Kind.NODE.read(PUBLISHED_NODE).address.lower() == PUBLISHED_NODE_ID


def test_made_keys_can_be_read_and_differ() -> None:
    made = [PrivateKey.make(ED25519) for _attempt in range(3)]
    for key in made:
        for kind in Kind:
            assert kind.read(kind.write(key)) == key.public
    assert len({key.value for key in made}) == 3


def test_private_part_is_not_printed() -> None:
    key = PrivateKey.make(ED25519)
    assert str(key.value) not in repr(key)
    assert base64.b64encode(key.value).decode() not in repr(key)


def changed(**changes: Any) -> str:
    """The published file with other members; a dotted name is given as a__b."""
    document = json.loads(PUBLISHED)
    for name, value in changes.items():
        *path, last = name.split("__")
        place = document
        for step in path:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return json.dumps(document)


OTHER = PrivateKey.parse(json.loads(PUBLISHED_NODE)["priv_key"])
PRIVATE = base64.b64decode(json.loads(PUBLISHED)["priv_key"]["value"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is no JSON"),
        (PUBLISHED[:-20], "it is no JSON"),
        ("[]", "it is no JSON object"),
        ("null", "it is no JSON object"),
        (changed(priv_key=None), "priv_key: it is missing"),
        (changed(priv_key="x"), "priv_key: it is missing or no object"),
        (changed(priv_key__type=None), "priv_key.type: None"),
        (changed(priv_key__type=["x"]), "priv_key.type"),
        (changed(priv_key__type="tendermint/PrivKeySr25519"), "priv_key.type: 'tendermint/PrivKeySr25519'"),
        (changed(priv_key__type="tendermint/PrivKeySecp256k1"), "it has 64 bytes, a key of type secp256k1 has 32"),
        (changed(priv_key__value=None), "priv_key.value: it is no base64"),
        (changed(priv_key__value=7), "priv_key.value: it is no base64"),
        (changed(priv_key__value="?"), "priv_key.value: it is no base64"),
        (changed(priv_key__value="AAAA"), "priv_key.value: it has 3 bytes, a key of type ed25519 has 64"),
        (
            changed(priv_key__value=base64.b64encode(PRIVATE[:32] + OTHER.value[32:]).decode()),
            "priv_key.value: its second half is not the public key of its first half",
        ),
        (changed(pub_key=None), "pub_key: it is missing"),
        (changed(pub_key__type="ed25519"), "pub_key.type: 'ed25519'"),
        (changed(pub_key__value=OTHER.public.json["value"]), "pub_key.value: it is not the public key of priv_key"),
        (changed(address=None), "address: it is None"),
        (changed(address=OTHER.public.address), f"address: it is '{OTHER.public.address}', the key's is E74FBE24"),
    ],
)
def test_damage_is_named_without_the_key(text: str, fault: str) -> None:
    with pytest.raises(KeyFault) as error:
        Kind.VALIDATOR.read(text)
    assert fault in str(error.value)
    assert base64.b64encode(PRIVATE).decode()[:20] not in str(error.value)


class Memory:
    """A place without a place; ``rival`` is called before a write, as if another run came in between."""

    def __init__(self) -> None:
        self.texts: dict[Entry, str] = {}
        self.backups: dict[tuple[Entry, str], str] = {}
        self.rival: Mapping[Entry, str] = {}

    def load(self, names: Sequence[str]) -> dict[Entry, str]:
        return {entry: text for entry, text in self.texts.items() if entry.node in names}

    def faults(self, names: Sequence[str], existing: Collection[Entry], coming: Collection[Entry]) -> list[str]:
        return []

    def store(self, texts: Mapping[Entry, str]) -> None:
        self.texts.update({entry: text for entry, text in self.rival.items() if entry not in self.texts})
        self.texts.update({entry: text for entry, text in texts.items() if entry not in self.texts})

    def replace(self, entry: Entry, old: str, new: str, old_id: str) -> str | None:
        if entry in self.rival:
            self.backups[entry, old_id] = self.texts[entry]
            self.texts[entry] = self.rival[entry]
        if self.texts[entry] != old:
            return None
        self.backups[entry, old_id] = old
        self.texts[entry] = new
        return f"backup of {old_id}"

    def was_replaced(self, entry: Entry, old_id: str) -> bool:
        return (entry, old_id) in self.backups

    def describe(self, entry: Entry) -> str:
        return f"{entry.node} {entry.kind}"


def ensure(place: Memory, names: Sequence[str], *, dry_run: bool, **wanted: Any) -> Outcome:
    return ensure_wanted(place, Wanted(names, **wanted), dry_run=dry_run)


def test_missing_keys_are_made_and_existing_ones_stay() -> None:
    place = Memory()
    first = ensure(place, ["a", "b"], dry_run=False)
    assert first.made == ["a", "b"]
    assert [node.validator for node in first.before] == [None, None]
    kept = dict(place.texts)
    second = ensure(place, ["b", "c", "a"], dry_run=False)
    assert second.made == ["c"]
    assert kept.items() <= place.texts.items()
    assert [node.name for node in second.after] == ["b", "c", "a"]
    assert ensure(place, ["a", "b", "c"], dry_run=False).made == []


def test_only_the_missing_key_of_a_node_is_made() -> None:
    place = Memory()
    ensure(place, ["a"], dry_run=False)
    del place.texts[Entry("a", Kind.NODE)]
    validator = place.texts[Entry("a", Kind.VALIDATOR)]
    planned = ensure(place, ["a"], dry_run=True)
    assert planned.made == ["a"]
    assert planned.after[0].public["address"]
    assert planned.after[0].public["node_id"] is None
    assert ensure(place, ["a"], dry_run=False).after[0].node_id
    assert place.texts[Entry("a", Kind.VALIDATOR)] == validator


def test_plan_makes_nothing_up() -> None:
    place = Memory()
    outcome = ensure(place, ["a"], dry_run=True)
    assert place.texts == {}
    assert outcome.made == ["a"]
    assert outcome.after[0].public == {"name": "a", "address": None, "pub_key": None, "node_id": None}


def test_quicker_run_wins() -> None:
    place = Memory()
    theirs = Kind.VALIDATOR.write(PrivateKey.make(ED25519))
    place.rival = {Entry("a", Kind.VALIDATOR): theirs, Entry("a", Kind.NODE): PUBLISHED_NODE}
    outcome = ensure(place, ["a", "b"], dry_run=False)
    assert outcome.made == ["b"]
    assert place.texts[Entry("a", Kind.VALIDATOR)] == theirs
    assert outcome.after[0].node_id == PUBLISHED_NODE_ID


@pytest.mark.parametrize("dry_run", [True, False])
def test_all_faults_in_one_error_and_nothing_is_written(dry_run: bool) -> None:
    place = Memory()
    place.texts = {
        Entry("a", Kind.VALIDATOR): PUBLISHED,
        Entry("b", Kind.VALIDATOR): PUBLISHED,
        Entry("c", Kind.NODE): PUBLISHED_NODE,
        Entry("d", Kind.NODE): PUBLISHED_NODE,
        Entry("e", Kind.NODE): "{",
    }
    before = dict(place.texts)
    with pytest.raises(FaultsError) as error:
        ensure(place, ["a", "b", "c", "d", "e"], dry_run=dry_run)
    assert len(error.value.faults) == 3
    assert "e node_key.json: it is no JSON" in error.value.faults[0]
    assert "b priv_validator_key.json: a has the same key" in error.value.faults[1]
    assert "d node_key.json: c has the same key" in error.value.faults[2]
    assert place.texts == before


def test_missing_library_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nacl.signing", None)
    with pytest.raises(MissingLibraryError, match=r"-m pip install 'pynacl"):
        ensure(Memory(), ["a"], dry_run=False)
