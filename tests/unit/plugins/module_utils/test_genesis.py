# SPDX-License-Identifier: GPL-3.0-or-later
"""The genesis against what `cometbft init` of each line writes, and against CometBFT's own limits."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._consensus_params import LINES
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import (
    MAX_TOTAL_POWER,
    read_validators,
    request,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_compare import differences
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import parse
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_settle import settle
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import File
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import KEY_TYPES, KeyType, PrivateKey

WRITTEN = Path(__file__).parents[2] / "fixtures" / "cometbft"
TIME = "2026-01-01T00:00:00Z"


def key(number: int) -> dict[str, str]:
    return {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(number.to_bytes(32, "big")).decode()}


def validators(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": f"tm-{number}", "pub_key": key(number), **more} for number in range(count)]


def asked(**changes: Any) -> Any:
    return request(**{"version": "0.40.0", "chain_id": "test", "time": TIME, "validators": validators(2)} | changes)


def faults(**changes: Any) -> list[str]:
    with pytest.raises(FaultsError) as error:
        asked(**changes)
    return error.value.faults


# -- bytes


@pytest.mark.parametrize("version", ["0.38.25", "0.39.4", "0.40.0"])
def test_bytes_are_those_of_cometbft(version: str) -> None:
    """Only the initial height differs: init writes 0, which CometBFT reads as 1."""
    text = (WRITTEN / version / "genesis.json").read_text("utf-8")
    written = json.loads(text)
    ours = asked(
        version=version,
        chain_id=written["chain_id"],
        time=written["genesis_time"],
        validators=[v | {"power": int(v["power"])} for v in written["validators"]],
    )
    assert ours.build().text == text.replace('"initial_height": "0"', '"initial_height": "1"')


@pytest.mark.parametrize("version", ["0.38.25", "0.39.4", "0.40.0"])
def test_genesis_of_cometbft_is_read(version: str) -> None:
    text = (WRITTEN / version / "genesis.json").read_text("utf-8")
    live = parse(text, "a file")
    assert live.text == text.replace('"initial_height": "0"', '"initial_height": "1"')
    assert live.params == LINES[version.rpartition(".")[0]].defaults


def test_same_input_gives_the_same_bytes() -> None:
    state = {"b": {"d": 1, "c": [1.5, None, "ä<"]}, "a": True}
    turned = {"a": True, "b": {"c": [1.5, None, "ä<"], "d": 1}}
    text = asked(app_state=state).build().text
    assert asked(app_state=turned).build().text == text
    assert text.endswith('"ä\\u003c"\n      ],\n      "d": 1\n    }\n  }\n}')
    assert parse(text, "x").text == text


def test_parameters_are_laid_over_the_defaults() -> None:
    params = {
        "block": {"max_bytes": "2000000", "max_gas": 5},
        "evidence": {"max_age_duration": "1h30m", "max_bytes": 1000},
        "version": {"app": 2**64 - 1},
        "authority": {"authority": "somebody"},
    }
    document = json.loads(asked(consensus_params=params).build().text)["consensus_params"]
    assert document["block"] == {"max_bytes": "2000000", "max_gas": "5"}
    assert document["evidence"] == {
        "max_age_num_blocks": "100000",
        "max_age_duration": "5400000000000",
        "max_bytes": "1000",
    }
    assert document["version"] == {"app": "18446744073709551615"}
    assert document["authority"] == {"authority": "somebody"}
    assert document["validator"] == {"pub_key_types": ["ed25519"]}


def test_validators_keep_their_order_and_power() -> None:
    some = validators(3)
    some[1]["power"] = 30
    document = json.loads(asked(validators=some, power=7).build().text)
    assert [(v["name"], v["power"]) for v in document["validators"]] == [("tm-0", "7"), ("tm-1", "30"), ("tm-2", "7")]


def test_no_validators_but_an_app_state() -> None:
    document = json.loads(asked(validators=[], app_state={"a": 1}).build().text)
    assert "validators" not in document


def test_time_is_now_by_default() -> None:
    assert json.loads(asked(time=None).build().text)["genesis_time"] > "2025"


# -- limits


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": "0.37.1"}, "version 0.37.1 is not supported"),
        ({"chain_id": ""}, "chain_id: it is empty"),
        ({"chain_id": "ä" * 26}, "chain_id: it has 52 bytes, at most 50"),
        ({"initial_height": 0}, "initial_height: it is 0"),
        ({"initial_height": 2**63}, "initial_height"),
        ({"time": "tomorrow"}, "genesis_time: 'tomorrow' is not a time"),
        ({"time": "0001-01-01T00:00:00Z"}, "genesis_time: CometBFT takes this time for none"),
        ({"time": "2999-01-01T00:00:00Z"}, "at most 90 are allowed"),
        ({"consensus_params": {5: {}}}, "consensus_params.5: there are no such parameters"),
        ({"consensus_params": {"block": {5: 6}}}, "consensus_params.block.5: there is no such parameter"),
        ({"validators": []}, "validators: at least one is needed"),
        ({"validators": validators(2) + validators(1)}, "validator tm-0: it has the same key as validator tm-0"),
        ({"validators": validators(1, power=0)}, "validator tm-0: its power is 0"),
        ({"validators": validators(1, power=-5)}, "validator tm-0: its power is -5"),
        ({"power": 0}, "validator tm-0: its power is 0"),
        ({"validators": validators(2, power=MAX_TOTAL_POWER // 2 + 1)}, f"at most {MAX_TOTAL_POWER} is allowed"),
        ({"validators": validators(1, address="00" * 20)}, "validator tm-0: its address is 00000"),
        ({"validators": [{"name": "a", "pub_key": None}]}, "validator a: it has no pub_key"),
        ({"validators": [{"pub_key": {"type": "x", "value": ""}}]}, "validator 0: pub_key.type: 'x'"),
        ({"validators": [{"pub_key": key(0) | {"value": "AA=="}}]}, "validator 0: pub_key.value: it has 1 bytes"),
        (
            {"consensus_params": {"blok": {}}},
            "consensus_params.blok: there are no such parameters; did you mean block?",
        ),
        ({"consensus_params": {"block": 5}}, "consensus_params.block: it takes members: max_bytes, max_gas"),
        ({"consensus_params": {"block": {"max_byte": 5}}}, "block.max_byte: there is no such parameter; did you mean"),
        ({"consensus_params": {"block": {"max_bytes": "x"}}}, "block.max_bytes: 'x' is no whole number"),
        ({"consensus_params": {"block": {"max_bytes": True}}}, "block.max_bytes: True is no whole number"),
        ({"consensus_params": {"block": {"max_bytes": 1.5}}}, "block.max_bytes: 1.5 is no whole number"),
        ({"consensus_params": {"block": {"max_bytes": 0}}}, "block.max_bytes: it is 0"),
        ({"consensus_params": {"block": {"max_bytes": -2}}}, "block.max_bytes: it is -2"),
        ({"consensus_params": {"block": {"max_bytes": 104857601}}}, "at most 104857600 is allowed"),
        ({"consensus_params": {"block": {"max_gas": -2}}}, "block.max_gas: it is -2"),
        ({"consensus_params": {"block": {"max_gas": 2**63}}}, f"block.max_gas: it is {2**63}, at most"),
        ({"consensus_params": {"evidence": {"max_age_num_blocks": 0}}}, "evidence.max_age_num_blocks: it is 0"),
        ({"consensus_params": {"evidence": {"max_age_duration": "0"}}}, "evidence.max_age_duration: it is 0"),
        ({"consensus_params": {"evidence": {"max_age_duration": "1 day"}}}, "max_age_duration: '1 day' is not a dur"),
        ({"consensus_params": {"evidence": {"max_age_duration": None}}}, "max_age_duration: None is no whole number"),
        ({"consensus_params": {"evidence": {"max_bytes": -1}}}, "evidence.max_bytes: it is -1"),
        (
            {"consensus_params": {"evidence": {"max_bytes": 100001}, "block": {"max_bytes": 100000}}},
            "evidence.max_bytes: it is 100001, allowed are 0 to 100000",
        ),
        ({"consensus_params": {"validator": {"pub_key_types": "ed25519"}}}, "pub_key_types: 'ed25519' is no list"),
        ({"consensus_params": {"validator": {"pub_key_types": []}}}, "pub_key_types: it is empty"),
        ({"consensus_params": {"validator": {"pub_key_types": ["sr25519"]}}}, "does not know sr25519"),
        (
            {"consensus_params": {"validator": {"pub_key_types": ["secp256k1"]}}},
            "consensus_params.validator.pub_key_types: it allows secp256k1, but validators have ed25519",
        ),
        ({"consensus_params": {"version": {"app": -1}}}, "version.app: it is -1"),
        ({"consensus_params": {"version": {"app": 2**64}}}, "version.app"),
        ({"consensus_params": {"abci": {"vote_extensions_enable_height": -1}}}, "vote_extensions_enable_height"),
        ({"consensus_params": {"authority": {"authority": "x" * 257}}}, "it has 257 bytes, at most 256"),
        ({"consensus_params": {"authority": {"authority": 5}}}, "authority.authority: 5 is no text"),
        (
            {"version": "0.38.25", "consensus_params": {"authority": {"authority": "x"}}},
            "consensus_params.authority: only CometBFT 0.39, 0.40 has it",
        ),
        (
            {"version": "0.38", "consensus_params": {"validator": {"pub_key_types": ["ed25519", "ml_dsa_65"]}}},
            "this version does not know ml_dsa_65",
        ),
        ({"app_state": {"a": float("nan")}}, "app_state: "),
    ],
)
def test_fault_is_the_only_one_and_named(changes: dict[str, Any], fault: str) -> None:
    found = faults(**changes)
    assert [text for text in found if fault in text], found
    assert len({text.split(":")[0].split(" ")[0] for text in found}) == 1


def test_all_faults_in_one_message() -> None:
    with pytest.raises(FaultsError) as error:
        asked(
            chain_id="",
            initial_height=-1,
            time="never",
            validators=[*validators(1, power=0), {"name": "x"}],
            consensus_params={"block": {"max_gas": -9}, "nonsense": {}},
        )
    assert len(error.value.faults) == 7
    assert "7 faults: (1) chain_id: it is empty; (2) initial_height" in str(error.value)


def test_limits_themselves_are_allowed() -> None:
    asked(chain_id="c" * 50)
    asked(initial_height=2**63 - 1)
    asked(validators=validators(1, power=MAX_TOTAL_POWER))
    asked(validators=validators(10_000))
    asked(consensus_params={"block": {"max_bytes": -1}, "evidence": {"max_bytes": 104857600}})
    asked(consensus_params={"block": {"max_bytes": 104857600}})
    asked(consensus_params={"validator": {"pub_key_types": ["ed25519", "secp256k1", "ml_dsa_65", "secp256k1eth"]}})
    assert "at most 10000 can sign" in faults(validators=validators(10_001))[0]


@pytest.mark.parametrize(("version", "bytes_each"), [("0.38", 111), ("0.39", 144), ("0.40", 3358)])
def test_block_must_have_room_for_the_signatures(version: str, bytes_each: int) -> None:
    """CometBFT panics where it has none ("Negative MaxDataBytes")."""
    needed = 731 + 100 * bytes_each
    small = {"evidence": {"max_bytes": 0}, "block": {"max_bytes": needed - 1}}
    (fault,) = faults(version=version, validators=validators(100), consensus_params=small)
    assert f"the signatures of 100 validators may take {needed}" in fault
    small["block"]["max_bytes"] += 1
    asked(version=version, validators=validators(100), consensus_params=small)


# -- types of keys


def known_to(kind: KeyType) -> str:
    return next(version for version, line in reversed(LINES.items()) if kind.name in line.key_types)


@pytest.mark.parametrize("kind", KEY_TYPES, ids=lambda kind: kind.name)
def test_types_of_keys_are_those_that_validators_have(kind: KeyType) -> None:
    some = {"name": "a", "pub_key": PrivateKey.make(kind).public.json}
    wanted: dict[str, Any] = {"version": known_to(kind), "validators": [some, *validators(1)]}
    both = asked(**wanted)
    assert set(both.params["validator"]["pub_key_types"]) == {kind.name, "ed25519"}
    assert parse(both.build().text, "x") == both.build()
    assert differences(both.build(), both) == []
    alone = asked(**wanted | {"validators": [some]})
    assert alone.params["validator"]["pub_key_types"] == [kind.name]

    others = [name for name in LINES[known_to(kind)].key_types if name != kind.name]
    (fault,) = faults(**wanted | {"validators": [some], "consensus_params": {"validator": {"pub_key_types": others}}})
    assert fault.endswith(f"it allows {', '.join(others)}, but validators have {kind.name}")


@pytest.mark.parametrize("kind", KEY_TYPES, ids=lambda kind: kind.name)
def test_type_of_key_that_a_line_does_not_know(kind: KeyType) -> None:
    line = replace(LINES["0.40"], name="0.37")
    found: list[str] = []
    read_validators([{"name": "a", "pub_key": PrivateKey.make(kind).public.json}], 1, line, found)
    assert found == [f"validator a: this version does not know keys of type {kind.name}; known: "]


# -- a chain that lives


def live(**changes: Any) -> Any:
    return parse(asked(**changes).build().text, "x")


@pytest.mark.parametrize(
    ("there", "wanted", "difference"),
    [
        ({}, {"chain_id": "other"}, "chain_id: the live chain has test, asked is other"),
        (
            {},
            {"time": "2026-01-02T00:00:00Z"},
            "genesis_time: the live chain has 2026-01-01T00:00:00Z, asked is 2026-01-02",
        ),
        ({}, {"initial_height": 5}, "initial_height: the live chain has 1, asked is 5"),
        (
            {},
            {"validators": validators(8)},
            "validators: the live chain has 2 genesis validators, asked are 8, only asked for: "
            "tm-2 (9267D3DBED802941483F1AFA2A6BC68DE5F65312)",
        ),
        (
            {},
            {"validators": validators(1)},
            "validators: the live chain has 2 genesis validators, asked are 1, only in the live chain: tm-1 (",
        ),
        ({}, {"validators": [*validators(1), {"name": "tm-1", "pub_key": key(9)}]}, "only in the live chain: tm-1 ("),
        ({}, {"validators": validators(2, power=20)}, "tm-0 ("),
        ({}, {"consensus_params": {"block": {"max_gas": 5}}}, "block.max_gas: the live chain has -1, asked is 5"),
        (
            {"consensus_params": {"block": {"max_gas": 5}}},
            {},
            "block.max_gas: the live chain has 5, asked is the default",
        ),
        (
            {"consensus_params": {"authority": {"authority": "x"}}},
            {"version": "0.38"},
            "authority: the live chain has x",
        ),
        ({}, {"app_state": {"a": 1}}, "app_state: the live chain has none, the one asked for has the SHA-256"),
        ({"app_state": {"a": 1}}, {}, "app_state: the live chain's has the SHA-256"),
        ({"app_state": {"a": 1}}, {"app_state": {"a": 2}}, "app_state: the live chain's has the SHA-256"),
    ],
)
def test_difference_is_told(there: dict[str, Any], wanted: dict[str, Any], difference: str) -> None:
    (found,) = differences(live(**there), asked(**wanted))
    assert difference in found, found


def test_long_lists_of_validators_are_cut() -> None:
    (found,) = differences(live(), asked(validators=validators(50)))
    assert found.endswith("and 43 more")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ({}, {}),
        ({}, {"time": None}),
        ({}, {"time": "2026-01-01T01:00:00+01:00"}),
        ({}, {"validators": list(reversed(validators(2)))}),
        ({}, {"consensus_params": {"block": {"max_gas": "-1"}}}),
        ({"app_state": {"a": 1, "b": 2}}, {"app_state": {"b": 2, "a": 1}}),
        # An update of CometBFT changes defaults, but not a chain's genesis.
        ({"version": "0.38.25"}, {"version": "0.40.0"}),
        ({"version": "0.40.0"}, {"version": "0.38.25"}),
        ({"version": "0.38.25"}, {"consensus_params": {"authority": {"authority": ""}}}),
    ],
)
def test_same_chain(there: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert differences(live(**there), asked(**wanted)) == []


def test_genesis_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    planned = settle(File(path), asked(), dry_run=True)
    assert not path.exists()
    made = settle(File(path), asked(), dry_run=False)
    assert planned.after == made.after == path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o644
    again = settle(File(path), asked(time=None), dry_run=False)
    assert (again.before, again.after) == (made.after, made.after)
    assert list(tmp_path.iterdir()) == [path]


def test_other_chain_is_refused_with_every_difference(tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    settle(File(path), asked(), dry_run=False)
    before = path.read_bytes()
    for dry_run in (True, False):
        with pytest.raises(MintnetError, match="use reset for a new chain") as error:
            settle(File(path), asked(chain_id="x", validators=validators(3)), dry_run=dry_run)
        assert len(error.value.result["differences"]) == 2
        assert "nothing was changed" in str(error.value)
    assert path.read_bytes() == before


class Raced(File):
    """Another run is quicker between the look and the write."""

    theirs: Any = None

    def create(self, text: str) -> bool:
        if self.theirs:
            theirs, self.theirs = self.theirs, None
            assert super().create(theirs.build().text)
        return super().create(text)


def test_quicker_run_wins(tmp_path: Path) -> None:
    store = Raced(tmp_path / "genesis.json")
    store.theirs = asked(time="2026-05-05T05:05:05Z")
    outcome = settle(store, asked(time=None), dry_run=False)
    assert outcome.genesis is not None
    assert outcome.genesis.time == "2026-05-05T05:05:05Z"
    assert outcome.before == outcome.after


def test_quicker_run_with_another_chain_is_told(tmp_path: Path) -> None:
    store = Raced(tmp_path / "genesis.json")
    store.theirs = asked(chain_id="theirs")
    with pytest.raises(MintnetError, match="the live chain has theirs, asked is test"):
        settle(store, asked(), dry_run=False)


def test_keys_that_are_still_to_be_made(tmp_path: Path) -> None:
    waiting = asked(validators=[{"name": "tm-0", "pub_key": None}], allow_pending=True)
    assert settle(File(tmp_path / "g"), waiting, dry_run=True).after is None
    settle(File(tmp_path / "g"), asked(), dry_run=False)
    with pytest.raises(MintnetError, match=r"only asked for: tm-0 \(its key is still to be made\)"):
        settle(File(tmp_path / "g"), waiting, dry_run=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"chain_id": 5, "genesis_time": "x"}',
        '{"chain_id": "a", "genesis_time": "x"}',
        f'{{"chain_id": "a", "genesis_time": "{TIME}", "validators": [{{}}]}}',
        f'{{"chain_id": "a", "genesis_time": "{TIME}", "consensus_params": {{"block": {{"max_gas": []}}}}}}',
    ],
)
def test_damaged_genesis_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "genesis.json"
    path.write_text(text)
    with pytest.raises(MintnetError, match=r"reading the genesis in file .*/genesis\.json: .*restore it"):
        settle(File(path), asked(), dry_run=False)
    assert path.read_text() == text


def test_mutilated_genesis_never_ends_in_a_traceback() -> None:
    text = asked(app_state={"a": [1, {"b": "c"}]}).build().text
    random.seed(4)
    for _attempt in range(2000):
        position = random.randrange(len(text))
        damaged = text[:position] + random.choice(['"', "{", "]", "0", "x", "null", ""]) + text[position + 1 :]
        try:
            parse(damaged, "x")
        except MintnetError:
            continue


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(MintnetError, match=r"writing the genesis .*No such file"):
        settle(File(tmp_path / "none" / "genesis.json"), asked(), dry_run=False)
    with pytest.raises(MintnetError, match=r"reading the genesis .*directory"):
        settle(File(tmp_path), asked(), dry_run=False)
