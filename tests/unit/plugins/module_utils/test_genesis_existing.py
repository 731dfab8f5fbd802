# SPDX-License-Identifier: GPL-3.0-or-later
"""A genesis that exists: what CometBFT accepts is taken as it is, and whatever is wrong is named."""

from __future__ import annotations

import base64
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._consensus_params import LINES, MAX_BLOCK_BYTES
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import MAX_TOTAL_POWER, request
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import existing, parse
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_settle import settle
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import File
from hypothesis import given, settings
from hypothesis import strategies as st

WRITTEN = Path(__file__).parents[2] / "fixtures" / "cometbft"
TIME = "2026-01-01T00:00:00Z"
PROPERTY = settings(deadline=None, database=None)


def key(number: int) -> dict[str, str]:
    return {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(number.to_bytes(32, "big")).decode()}


def validators(count: int) -> list[dict[str, Any]]:
    return [{"name": f"tm-{number}", "pub_key": key(number)} for number in range(count)]


TEXT = request(version="0.40.0", chain_id="test", time=TIME, validators=validators(2), app_state={"a": 1}).build().text


def changed(**changes: Any) -> str:
    """The genesis with other members; those that are ``...`` go."""
    document = json.loads(TEXT) | changes
    return json.dumps({name: value for name, value in document.items() if value is not ...})


def params(group: str, **members: Any) -> str:
    document = json.loads(TEXT)
    document["consensus_params"][group] |= members
    return json.dumps(document)


def validator(**members: Any) -> str:
    document = json.loads(TEXT)
    document["validators"][1] |= members
    return json.dumps(document)


def take(text: str, **asked: Any) -> Any:
    return existing(text, "its source", **{"version": "0.40.0", "chain_id": "test"} | asked)


def faults(text: str, **asked: Any) -> list[str]:
    with pytest.raises(FaultsError, match=r"^checking the genesis in its source: ") as error:
        take(text, **asked)
    return error.value.faults


@pytest.mark.parametrize("version", ["0.38.25", "0.39.4", "0.40.0"])
def test_what_cometbft_writes_is_taken_byte_for_byte(version: str, tmp_path: Path) -> None:
    text = (WRITTEN / version / "genesis.json").read_bytes().decode()
    taken = take(text, version=version, chain_id=json.loads(text)["chain_id"])
    assert taken.warnings == ()
    path = tmp_path / "genesis.json"
    assert settle(File(path), taken, dry_run=True).after == text
    assert not path.exists()
    made = settle(File(path), taken, dry_run=False)
    assert (made.before, made.after) == (None, text)
    assert path.read_bytes() == text.encode()
    again = settle(File(path), taken, dry_run=False)
    assert (again.before, again.after) == (text, text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(json.loads(TEXT), indent=7).replace("\n", "\r\n") + "\r\n",
        changed(initial_height="0"),
        changed(initial_height=...),
        changed(initial_height=None),
        changed(consensus_params=...),
        changed(consensus_params=None),
        changed(app_hash=...),
        changed(app_hash="00ff"),
        changed(validators=...),
        changed(app_state=...),
        validator(address=""),
        validator(name=None),
        params("abci", vote_extensions_enable_height=None),
        params("block", max_bytes="-1"),
        params("version", app=str(2**64 - 1)),
    ],
)
def test_what_cometbft_accepts_is_taken_byte_for_byte(text: str, tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    settle(File(path), take(text), dry_run=False)
    assert path.read_bytes() == text.encode()
    assert settle(File(path), take(text), dry_run=False).before == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is no JSON: "),
        ("[]", "it is no JSON object"),
        (TEXT[:-9], "it is no JSON: "),
        (TEXT.replace('"chain_id"', '"chain_id": "x", "chain_id"'), "it has the member chain_id twice in one object"),
        (changed(chain_id=...), "chain_id: it is missing"),
        (changed(chain_id=5), "chain_id: 5 is no text"),
        (changed(chain_id="x" * 51), "chain_id: it has 51 bytes"),
        (changed(genesis_time=...), "genesis_time: '' is not a time like"),
        (changed(genesis_time="2026-01-01 00:00:00Z"), "genesis_time: '2026-01-01 00:00:00Z' is not a time like"),
        (changed(genesis_time="2026-01-01T00:00:00+00:00"), "genesis_time: '2026-01-01T00:00:00+00:00' is not a time"),
        (changed(genesis_time="2026-13-01T00:00:00Z"), "genesis_time: '2026-13-01T00:00:00Z' is not a time"),
        (changed(genesis_time="0001-01-01T00:00:00Z"), "genesis_time: CometBFT takes this time for none"),
        (changed(genesis_time="2999-01-01T00:00:00Z"), "so the nodes would sleep for "),
        (changed(initial_height=1), "initial_height: 1 is no whole number in quotes"),
        (changed(initial_height="01"), "initial_height: '01' is no whole number in quotes"),
        (changed(initial_height="-1"), "initial_height: it is -1"),
        (changed(initial_height=str(2**63)), f"initial_height: {2**63} is beyond"),
        (changed(app_hash="xy"), "app_hash: 'xy' is no text of hexadecimal digits"),
        (changed(validators={}, app_state=...), "validators: at least one is needed"),
        (changed(validators=5), "validators: 5 is no list"),
        (changed(validators=["a"]), "validators[0]: it is no object"),
        (validator(pub_key=None), "validators[1].pub_key: it is missing, or has no type and value"),
        (
            validator(pub_key={"type": "tendermint/PubKeyEd25519", "value": "AA=="}),
            "validator tm-1: pub_key.value: it has",
        ),
        (validator(pub_key=key(0)), "validator tm-1: it has the same key as validator tm-0"),
        (validator(pub_key=key(9)), "validator tm-1: its address is "),
        (validator(power=10), "validators[1].power: 10 is no whole number in quotes"),
        (validator(power="0"), "validator tm-1: its power is 0"),
        (validator(power="-3"), "validator tm-1: its power is -3"),
        (validator(power=str(MAX_TOTAL_POWER)), "validators: their power is "),
        (validator(name=["x"]), "validators[1].name: ['x'] is no text"),
        (changed(consensus_params=[]), "consensus_params: it is no object"),
        (params("block", max_bytes=1000), "consensus_params.block.max_bytes: 1000 is no whole number in quotes"),
        (params("block", max_bytes="0"), "consensus_params.block.max_bytes: it is 0"),
        (params("block", max_bytes=str(MAX_BLOCK_BYTES + 1)), "consensus_params.block.max_bytes: it is 104857601"),
        (params("block", max_bytes="3000"), "the signatures of 2 validators may take"),
        (params("evidence", max_age_duration="48h"), "consensus_params.evidence.max_age_duration: '48h' is no whole"),
        (params("evidence", max_age_num_blocks=None), "consensus_params.evidence.max_age_num_blocks: it is 0"),
        (params("validator", pub_key_types="ed25519"), "pub_key_types: 'ed25519' is no list of texts"),
        (params("validator", pub_key_types=None), "consensus_params.validator.pub_key_types: it is empty"),
        (params("validator", pub_key_types=["secp256k1"]), "it allows secp256k1, but validators have ed25519"),
        (params("authority", authority="x" * 257), "consensus_params.authority.authority: it has 257 bytes"),
        (changed(consensus={}, consensus_params=...), "consensus: this is the form of the Cosmos SDK's own genesis"),
    ],
)
def test_fault_is_named(text: str, fault: str) -> None:
    found = faults(text)
    assert [one for one in found if fault in one], found


def test_parameters_of_which_some_are_missing_are_zero_to_cometbft() -> None:
    found = faults(changed(consensus_params={}))
    assert [fault.split(":")[0] for fault in found] == [
        "consensus_params.block.max_bytes",
        "consensus_params.evidence.max_age_num_blocks",
        "consensus_params.evidence.max_age_duration",
        "consensus_params.validator.pub_key_types",
    ]


def test_all_faults_are_in_one_message() -> None:
    document = json.loads(TEXT)
    document["consensus_params"]["block"] = {"max_bytes": "0", "max_gas": "-5"}
    document["validators"][0]["power"] = "0"
    found = faults(json.dumps(document), chain_id="other", initial_height=7)
    assert len(found) == 5
    unreadable = faults(changed(initial_height=1, app_hash=2, validators=[{}, 5]))
    assert len(unreadable) == 4


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"chain_id": "other"}, "chain_id: the source has test, asked is other"),
        ({"time": "2026-01-02T00:00:00Z"}, f"genesis_time: the source has {TIME}, asked is 2026-01-02T00:00:00Z"),
        ({"time": "soon"}, "genesis_time: 'soon' is not a time"),
        ({"initial_height": 5}, "initial_height: the source has 1, asked is 5"),
        (
            {"consensus_params": {"block": {"max_gas": 5}}},
            "consensus_params.block.max_gas: the source has -1, asked is 5",
        ),
        ({"consensus_params": {"blok": {}}}, "consensus_params.blok: there are no such parameters"),
        (
            {"validators": validators(3)},
            "validators: the source has 2 genesis validators, asked are 3, only asked for: tm-2 (",
        ),
        ({"validators": validators(2), "power": 4}, "has power 10, asked is 4"),
        ({"app_state": {"a": 2}}, "app_state: the source's has the SHA-256"),
        ({"version": "0.41"}, "version 0.41 is not supported"),
    ],
)
def test_other_than_asked_is_a_fault(asked: dict[str, Any], fault: str) -> None:
    if "version" in asked:
        with pytest.raises(FaultsError, match=fault):
            take(TEXT, **asked)
        return
    (found,) = faults(TEXT, **asked)
    assert fault in found


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"time": "2026-01-01T01:00:00+01:00"},
        {"initial_height": 1},
        {"consensus_params": {"block": {"max_gas": -1}}},
        {"validators": validators(2)},
        {"app_state": {"a": 1}},
    ],
)
def test_what_is_asked_is_there(asked: dict[str, Any]) -> None:
    assert take(TEXT, **asked).text == TEXT


def test_parameters_that_nobody_asked_for_may_be_as_they_are() -> None:
    text = params("block", max_gas="77")
    assert take(text, consensus_params={"block": {"max_bytes": 55600190}}).text == text


def test_what_a_version_reads_over_is_said() -> None:
    text = changed(notes="x", consensus_params=json.loads(TEXT)["consensus_params"] | {"feature": {"pbts": "1"}})
    assert take(text).warnings == (
        "the genesis in its source sets notes, which CometBFT 0.40.0 reads over",
        "the genesis in its source sets consensus_params.feature, which CometBFT 0.40.0 reads over",
    )
    # An authority that is not set says nothing; one that is set would be lost with the older line.
    assert take(TEXT, version="0.38").warnings == ()
    (warning,) = take(params("authority", authority="us"), version="0.38").warnings
    assert "sets consensus_params.authority, which CometBFT 0.38 reads over" in warning


def test_patch_changes_the_app_state_alone() -> None:
    source = changed(app_state={"b": [1], "a": {"x": 1, "y": 2}}, notes="kept")
    taken = take(source, app_state_patch={"c": 3, "a": {"x": None}})
    assert taken.app_state == {"a": {"y": 2}, "b": [1], "c": 3}
    assert json.loads(taken.text) == json.loads(source) | {"app_state": taken.app_state}
    assert list(json.loads(taken.text)) == list(json.loads(source))
    turned = take(source, app_state_patch={"a": {"x": None}, "c": 3})
    assert turned.text == taken.text
    assert json.loads(take(changed(app_state=...), app_state_patch={"z": 1}).text)["app_state"] == {"z": 1}


def test_patch_of_numbers_that_would_change_is_refused() -> None:
    text = TEXT.replace('"a": 1', '"a": 0.1234567890123456789')
    assert take(text).text == text
    assert "the number 0.1234567890123456789 cannot be kept exactly" in faults(text, app_state_patch={"b": 1})[0]


def test_stored_genesis_with_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(TEXT + "\n")
    with pytest.raises(MintnetError, match=r"its bytes are others \(SHA-256 .*though it says the same") as error:
        settle(File(path), take(TEXT), dry_run=False)
    assert len(error.value.result["differences"]) == 1
    assert path.read_text() == TEXT + "\n"
    path.write_text(validator(power="11"))
    with pytest.raises(MintnetError, match="has power 11, asked is 10"):
        settle(File(path), take(TEXT), dry_run=False)


def test_a_time_to_come_is_allowed_for_ninety_days() -> None:
    now = datetime.datetime.now(datetime.UTC)
    for days, allowed in ((89, True), (91, False)):
        time = (now + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if allowed:
            assert take(changed(genesis_time=time)).time == time
        else:
            (fault,) = faults(changed(genesis_time=time))
            assert fault == (
                f"genesis_time: it is {time}, so the nodes would sleep for 90 days; at most 90 are allowed"
            )


# -- properties

NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
STATES = st.none() | st.dictionaries(
    NAMES, st.integers() | st.booleans() | NAMES | st.lists(st.integers(), max_size=3), min_size=1, max_size=3
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "block": st.fixed_dictionaries(
            {},
            optional={
                "max_bytes": st.integers(1_048_576 + 50_000, MAX_BLOCK_BYTES) | st.just(-1),
                "max_gas": st.integers(-1, 2**63 - 1),
            },
        ),
        "evidence": st.fixed_dictionaries(
            {},
            optional={
                "max_age_num_blocks": st.integers(1, 2**63 - 1),
                "max_age_duration": st.integers(1, 2**63 - 1),
                "max_bytes": st.integers(0, 1_048_576),
            },
        ),
        "version": st.fixed_dictionaries({"app": st.integers(0, 2**64 - 1)}),
        "abci": st.fixed_dictionaries({"vote_extensions_enable_height": st.integers(0, 2**63 - 1)}),
    },
)
ASKED = st.fixed_dictionaries(
    {
        "version": st.sampled_from(sorted(LINES)),
        "chain_id": st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
        "time": st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2026, 1, 1)).map(
            lambda moment: f"{moment.isoformat()}Z"
        ),
        "initial_height": st.integers(1, 2**63 - 1),
        "validators": st.lists(
            st.tuples(NAMES, st.binary(min_size=32, max_size=32), st.integers(1, MAX_TOTAL_POWER // 8)),
            min_size=1,
            max_size=8,
            unique_by=lambda item: item[1],
        ).map(
            lambda items: [
                {
                    "name": name,
                    "power": power,
                    "pub_key": key(0) | {"value": base64.b64encode(value).decode()},
                }
                for name, value, power in items
            ]
        ),
        "consensus_params": PARAMS,
        "app_state": STATES,
    }
)


@PROPERTY
@given(ASKED)
def test_what_is_written_is_read_as_it_was_meant(asked: dict[str, Any]) -> None:
    made = request(**asked).build()
    assert parse(made.text, "x") == made
    assert parse(made.text, "x").text == made.text
    taken = existing(made.text, "x", version=asked["version"], chain_id=asked["chain_id"])
    assert (taken.text, taken.warnings) == (made.text, ())
    again = existing(made.text, "x", **asked)
    assert again.text == made.text


@PROPERTY
@given(ASKED, st.data())
def test_one_value_beyond_its_limits_is_refused(asked: dict[str, Any], data: st.DataObject) -> None:
    low, high = -(2**70), 2**70
    beyond = {
        "initial_height": st.integers(low, 0) | st.integers(2**63, high),
        "block.max_bytes": st.integers(low, -2) | st.just(0) | st.integers(MAX_BLOCK_BYTES + 1, high),
        "block.max_gas": st.integers(low, -2) | st.integers(2**63, high),
        "evidence.max_age_num_blocks": st.integers(low, 0) | st.integers(2**63, high),
        "evidence.max_age_duration": st.integers(low, 0) | st.integers(2**63, high),
        "evidence.max_bytes": st.integers(low, -1) | st.integers(MAX_BLOCK_BYTES + 1, high),
        "version.app": st.integers(low, -1) | st.integers(2**64, high),
        "abci.vote_extensions_enable_height": st.integers(low, -1) | st.integers(2**63, high),
    }
    at = data.draw(st.sampled_from(sorted(beyond)))
    value = data.draw(beyond[at])
    group, dot, name = at.partition(".")
    if dot:
        asked["consensus_params"].setdefault(group, {})[name] = value
    else:
        asked[group] = value
    with pytest.raises(FaultsError) as error:
        request(**asked)
    assert [fault for fault in error.value.faults if at in fault], error.value.faults


@settings(PROPERTY, max_examples=400)
@given(st.data())
def test_damage_ends_in_a_named_error(data: st.DataObject) -> None:
    """Bytes of the text, or whole values of the document, become something else."""
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(TEXT)))
        inserted = data.draw(
            st.text(max_size=3) | st.sampled_from(['"', "{", "]", "null", "[" * 5000, "\\ud800", "1e999"])
        )
        text = TEXT[:at] + inserted + TEXT[at + data.draw(st.integers(0, 3)) :]
    else:
        document = json.loads(TEXT)
        place: Any = document
        while True:
            name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if isinstance(place[name], (dict, list)) and place[name] and data.draw(st.booleans()):
                place = place[name]
                continue
            anything = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats()
            place[name] = data.draw(anything | st.lists(anything, max_size=2) | st.dictionaries(NAMES, anything))
            break
        text = json.dumps(document)
    try:
        take(text, app_state_patch=data.draw(st.sampled_from([None, {"a": 5}])))
    except MintnetError as error:
        assert str(error).startswith("checking the genesis in its source: ")
    try:
        parse(text, "a file")
    except MintnetError as error:
        assert str(error).startswith("reading the genesis in a file: ")
        assert str(error).endswith("; restore it, or reset the network")
