# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option that changes something, in four runs: check, real, check, real. And what is refused, in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import (
    ED25519,
    ML_DSA_65,
    SECP256K1,
    KeyType,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import Kind, PrivateKey
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_keys, cometbft_keys_info

Run = Callable[..., dict[str, Any]]


def key(number: int, kind: KeyType = ED25519) -> PrivateKey:
    return PrivateKey.derive(kind, bytes([number]) * 32)


def text(number: int, kind: KeyType = ED25519) -> str:
    return Kind.VALIDATOR.write(key(number, kind))


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): f"{path.stat().st_mode:o} {path.stat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in root.rglob("*")
    }


def private_parts(root: Path) -> list[str]:
    values = [json.loads(path.read_text())["priv_key"]["value"] for path in root.glob("*/config/*.json*")]
    # An ML-DSA key begins with what is public, an Ed25519 key ends with it.
    return [value[:20] if len(value) < 100 else value[-20:] for value in values]


@pytest.fixture
def four(run: Run, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Check, real, check, real: a check touches nothing, and the second time nothing is left to do."""

    def runs(**wanted: Any) -> dict[str, Any]:
        wanted = {"directory": str(tmp_path), **wanted}
        before = tree(tmp_path)
        planned = run(cometbft_keys.main, wanted, check=True)
        assert planned["changed"] is True, planned
        assert tree(tmp_path) == before
        made = run(cometbft_keys.main, wanted)
        assert made["changed"] is True, made
        assert made["created"] == planned["would_create"]
        shown = [{member: item[member] for member in ("node", "replaced")} for item in made["regenerated"]]
        assert shown == planned["would_regenerate"]
        after = tree(tmp_path)
        for check in (True, False):
            again = run(cometbft_keys.main, wanted, check=check)
            assert again["changed"] is False
            assert again["nodes"] == made["nodes"]
            assert again["diff"]["before"] == again["diff"]["after"]
            assert tree(tmp_path) == after
        answers = json.dumps([planned, made, again])
        assert not [part for part in private_parts(tmp_path) if part in answers]
        return {**made, "planned": planned}

    return runs


# --- types


def test_key_type(four: Run) -> None:
    made = four(count=2, key_type="secp256k1", version="0.38.25")
    assert [node["key_type"] for node in made["nodes"]] == ["secp256k1", "secp256k1"]
    assert made["nodes"][0]["pub_key"]["type"] == "tendermint/PubKeySecp256k1"


def test_key_types(four: Run, tmp_path: Path) -> None:
    types = {"tm-1": "secp256k1eth", "tm-2": "ml_dsa_65"}
    made = four(count=3, key_types=types, version="0.40.0")
    assert [node["key_type"] for node in made["nodes"]] == ["ed25519", "secp256k1eth", "ml_dsa_65"]
    for path in tmp_path.glob("*/config/node_key.json"):
        assert json.loads(path.read_text())["priv_key"]["type"] == "tendermint/PrivKeyEd25519"


def test_types_that_were_not_asked_for_again_stay(run: Run, tmp_path: Path) -> None:
    made = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "key_type": "secp256k1"})
    again = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 2})
    assert again["nodes"][0] == made["nodes"][0]
    assert again["nodes"][1]["key_type"] == "ed25519"


def test_type_of_a_key_that_exists_is_not_changed(run: Run, tmp_path: Path) -> None:
    made = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})
    before = tree(tmp_path)
    address = made["nodes"][0]["address"]
    refused = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 2, "key_type": "secp256k1"})
    said = f"it is of type ed25519, asked is secp256k1; to replace it name {address} in regenerate"
    assert refused["faults"] == [f"{tmp_path}/tm-0/config/priv_validator_key.json: {said}"]
    assert tree(tmp_path) == before


def test_key_that_exists_and_the_version_does_not_know(run: Run, tmp_path: Path) -> None:
    run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "key_type": "ml_dsa_65"})
    refused = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "version": "0.39.4"})
    assert "CometBFT 0.39 does not know keys of type ml_dsa_65, only 0.40 does" in refused["msg"]


# --- keys that are brought


def test_sources_text(four: Run, tmp_path: Path) -> None:
    given = {"node": "tm-1", "validator_key": text(1), "node_key": json.loads(Kind.NODE.write(key(2)))}
    made = four(count=2, sources=[given])
    assert made["planned"]["nodes"][1] == made["nodes"][1]
    assert made["nodes"][1]["address"] == key(1).public.address
    assert made["nodes"][1]["node_id"] == key(2).public.address.lower()
    assert (tmp_path / "tm-1/config/priv_validator_key.json").read_text() == text(1)
    assert (tmp_path / "tm-1/config/node_key.json").read_text() == Kind.NODE.write(key(2))
    assert (tmp_path / "tm-1/config/node_key.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tm-1/data/priv_validator_state.json").exists()


def test_sources_pub_key(four: Run, tmp_path: Path) -> None:
    public = key(1, ML_DSA_65).public
    made = four(count=2, sources=[{"node": "tm-0", "pub_key": public.json}])
    assert made["nodes"][0]["pub_key"] == public.json
    assert made["validators"][0] == {"name": "tm-0", "address": public.address, "pub_key": public.json}
    assert made["nodes"][0]["node_id"]
    assert not (tmp_path / "tm-0/config/priv_validator_key.json").exists()
    assert not (tmp_path / "tm-0/data").exists()


def test_brought_key_restores_a_validator_that_has_signed(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "tm-0/data/priv_validator_state.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"height": "7", "round": 0, "step": 3}')
    assert "restore the key" in run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})["msg"]
    source = {"node": "tm-0", "validator_key": text(1)}
    made = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "sources": [source]})
    assert made["nodes"][0]["address"] == key(1).public.address
    assert state.read_text() == '{"height": "7", "round": 0, "step": 3}'


def test_validator_whose_key_went_to_a_signer_has_signed(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "tm-0/data/priv_validator_state.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"height": "7", "round": 0, "step": 3}')
    source = {"node": "tm-0", "pub_key": key(1).public.json}
    assert run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "sources": [source]})["changed"] is True


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([{"node": "tm-0"}], "sources, tm-0: it brings nothing"),
        ([{"node": "tm-9", "validator_key": text(1)}], "sources: tm-9 is none of the nodes; did you mean tm-"),
        ([{"node": "tm-0", "validator_key": text(1)}] * 2, "sources, tm-0: it is there twice"),
        ([{"node": "tm-0", "validator_key": text(1)[:-9]}], "sources, tm-0: validator_key: it is no JSON"),
        ([{"node": "tm-0", "node_key": text(1, SECP256K1)}], "node_key: priv_key.type: it is tendermint/PrivKeySecp"),
        (
            [{"node": name, "validator_key": text(1)} for name in ("tm-0", "tm-1")],
            "tm-1, the priv_validator_key.json that is given: tm-0 has the same key",
        ),
        (
            [{"node": "tm-0", "validator_key": text(1)}, {"node": "tm-1", "pub_key": key(1).public.json}],
            "tm-1, the public key that is given: tm-0 has the same key",
        ),
        ([{"node": "tm-0", "pub_key": {"type": "x"}}], "sources, tm-0: pub_key.type: 'x' is not supported"),
        (
            [{"node": "tm-0", "pub_key": key(1).public.json, "validator_key": text(1)}],
            "parameters are mutually exclusive: validator_key|validator_key_file|validator_key_entry|pub_key",
        ),
        ([{"node": "tm-0", "validator_key_entry": "x"}], "missing parameter(s) required by 'validator_key_entry'"),
        (
            [{"node": "tm-0", "secret": "s", "validator_key_entry": "x"}],
            "sources, tm-0: secret s: name its namespace with secret_namespace",
        ),
        ([{"node": "tm-0", "validator_key_file": "x"}], "validator_key_file: only a task can read it"),
    ],
)
def test_sources_that_are_refused(run: Run, tmp_path: Path, sources: list[dict[str, Any]], said: str) -> None:
    refused = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 2, "sources": sources})
    assert refused["failed"] is True
    assert said in refused["msg"]
    assert json.loads(text(1))["priv_key"]["value"] not in json.dumps(refused)
    assert list(tmp_path.iterdir()) == []


def test_brought_key_never_replaces_another(run: Run, tmp_path: Path) -> None:
    made = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})
    before = tree(tmp_path)
    for source in ({"validator_key": text(1)}, {"pub_key": key(1).public.json}):
        wanted = {"directory": str(tmp_path), "count": 1, "sources": [{"node": "tm-0", **source}]}
        refused = run(cometbft_keys.main, wanted)
        assert f"tm-0/config/priv_validator_key.json: it holds {made['nodes'][0]['address']}" in refused["msg"]
    assert tree(tmp_path) == before


def test_brought_key_of_another_type_or_version(run: Run, tmp_path: Path) -> None:
    source = {"node": "tm-0", "validator_key": text(1, ML_DSA_65)}
    wanted = {"directory": str(tmp_path), "count": 1, "sources": [source]}
    refused = run(cometbft_keys.main, {**wanted, "version": "0.39.4"})
    assert "that is given: CometBFT 0.39 does not know keys of type ml_dsa_65" in refused["msg"]
    refused = run(cometbft_keys.main, {**wanted, "key_type": "secp256k1"})
    assert "that is given: it is of type ml_dsa_65, asked is secp256k1" in refused["msg"]


# --- keys from a seed


def test_seed(four: Run, run: Run, tmp_path: Path) -> None:
    types = {"tm-1": "secp256k1", "tm-2": "ml_dsa_65"}
    made = four(count=3, seed="a test", insecure=True, key_types=types)
    assert made["planned"]["nodes"] == made["nodes"]
    assert made["insecure"] == ["tm-0", "tm-1", "tm-2"]
    assert "keys made from a seed are no secret: 3 nodes have them" in json.dumps(made["warnings"])
    # These stay the same for ever: tests of others may have them written down.
    assert [node["address"] for node in made["nodes"]] == ADDRESSES
    other = run(cometbft_keys.main, {"count": 1, "seed": "another test", "insecure": True}, check=True)
    assert other["nodes"][0]["address"] not in ADDRESSES
    assert len({node[member] for node in made["nodes"] for member in ("address", "node_id")}) == 6


ADDRESSES = [
    "DD3B93DADE5A7A030EDE8645BAED301ACBCAC18B",
    "51BB2F85A6563DEDAC60BBD1AD50D9A83BC37BF3",
    "ED9D3059F353D660029A3C61043C7A0D4A04A376",
]


def test_seed_gives_only_what_is_not_brought(four: Run) -> None:
    made = four(
        count=2,
        seed="a test",
        insecure=True,
        sources=[{"node": "tm-1", "validator_key": text(1), "node_key": Kind.NODE.write(key(2))}],
    )
    assert made["insecure"] == ["tm-0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"seed": "a test"},
            "seed: whoever knows it has all private keys, so it is for tests only: confirm with insecure",
        ),
        ({"seed": "", "insecure": True}, "seed: it is empty"),
        ({"version": "0.37"}, "version 0.37 is not supported"),
        ({"key_type": "bls12_381"}, "key_type: bls12_381 is not supported: neither CometBFT's images nor"),
        ({"key_types": {"tm-0": "secp256"}}, "key_types.tm-0: 'secp256' is not supported; did you mean secp256k1?"),
        ({"key_types": {"tm0": "ed25519"}}, "key_types: tm0 is none of the nodes; did you mean tm-0?"),
        (
            {"key_type": "ml_dsa_65", "version": "0.39.4"},
            "key_type: CometBFT 0.39 does not know keys of type ml_dsa_65",
        ),
        ({"regenerate": [{"node": "tm-0"}]}, "one of the following is required: address, node_id"),
        ({"regenerate": [{"node": "tm-0", "address": "x"}]}, "address 'x' is not 40 hexadecimal digits"),
        ({"regenerate": [{"node": "tm-7", "address": "0" * 40}]}, "regenerate: tm-7 is none of the nodes"),
        ({"regenerate": [{"node": "tm-0", "address": "0" * 40}] * 2}, "regenerate, tm-0: address is there twice"),
        (
            {"regenerate": [{"node": "tm-0", "address": "0" * 40}]},
            f"the key {'0' * 40} was to be replaced, but there is none",
        ),
    ],
)
def test_refusal(run: Run, tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    refused = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, **arguments})
    assert refused["failed"] is True
    assert said in refused["msg"]
    assert list(tmp_path.iterdir()) == []


def test_seed_that_gives_another_key_than_the_one_that_exists(run: Run, tmp_path: Path) -> None:
    run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})
    before = tree(tmp_path)
    refused = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "seed": "x", "insecure": True})
    assert len(refused["faults"]) == 2
    assert tree(tmp_path) == before


# --- keys that are replaced


def test_regenerate(four: Run, run: Run, tmp_path: Path) -> None:
    old = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 3})["nodes"]
    before = tree(tmp_path)
    text_before = (tmp_path / "tm-1/config/priv_validator_key.json").read_text()
    made = four(count=3, regenerate=[{"node": "tm-1", "address": old[1]["address"].lower()}])
    assert made["created"] == []
    assert [node == before for node, before in zip(made["nodes"], old, strict=True)] == [True, False, True]
    assert made["nodes"][1]["node_id"] == old[1]["node_id"]
    (done,) = made["regenerated"]
    assert (done["node"], done["replaced"]) == ("tm-1", old[1]["address"])
    backup = Path(done["backup"])
    assert backup.parent == tmp_path / "tm-1/config"
    assert backup.read_text() == text_before
    assert backup.stat().st_mode & 0o777 == 0o600
    after = tree(tmp_path)
    changed = {path for path in before | after if path.count("/") == 2 and before.get(path) != after.get(path)}
    assert changed == {"tm-1/config/priv_validator_key.json", str(backup.relative_to(tmp_path))}


def test_regenerate_both_keys_with_another_type_and_the_state_stays(four: Run, run: Run, tmp_path: Path) -> None:
    (old,) = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})["nodes"]
    state = tmp_path / "tm-0/data/priv_validator_state.json"
    state.write_text('{"height": "7", "round": 0, "step": 3}')
    which = {"node": "tm-0", "address": old["address"], "node_id": old["node_id"]}
    made = four(count=1, key_type="secp256k1", regenerate=[which])
    assert made["nodes"][0]["key_type"] == "secp256k1"
    assert made["nodes"][0]["node_id"] != old["node_id"]
    assert [item["replaced"] for item in made["regenerated"]] == [old["address"], old["node_id"]]
    assert state.read_text() == '{"height": "7", "round": 0, "step": 3}'


def test_regenerate_keeps_the_type(four: Run, run: Run, tmp_path: Path) -> None:
    (old,) = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1, "key_type": "secp256k1"})["nodes"]
    made = four(count=1, regenerate=[{"node": "tm-0", "address": old["address"]}])
    assert made["nodes"][0]["key_type"] == "secp256k1"


def test_regenerate_by_a_key_that_is_brought(four: Run, run: Run, tmp_path: Path) -> None:
    (old,) = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})["nodes"]
    replaced = [{"node": "tm-0", "address": old["address"]}]
    made = four(count=1, regenerate=replaced, sources=[{"node": "tm-0", "validator_key": text(1)}])
    assert made["nodes"][0]["address"] == key(1).public.address
    assert made["planned"]["nodes"] == made["nodes"]
    same = [{"node": "tm-0", "address": key(1).public.address}]
    wanted = {"directory": str(tmp_path), "count": 1, "sources": [{"node": "tm-0", "validator_key": text(1)}]}
    refused = run(cometbft_keys.main, {**wanted, "regenerate": same})
    assert "the key that is to take its place is the same" in refused["msg"]


def test_regenerate_of_another_key_than_the_one_there(run: Run, tmp_path: Path) -> None:
    (old,) = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})["nodes"]
    before = tree(tmp_path)
    wanted = {"directory": str(tmp_path), "count": 1, "regenerate": [{"node": "tm-0", "address": "A" * 40}]}
    refused = run(cometbft_keys.main, wanted)
    assert f"the key {'A' * 40} was to be replaced, but it holds {old['address']}" in refused["msg"]
    assert tree(tmp_path) == before


def test_regenerate_does_not_hide_damage(run: Run, tmp_path: Path) -> None:
    (old,) = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})["nodes"]
    (tmp_path / "tm-0/config/priv_validator_key.json").write_text("{")
    wanted = {"directory": str(tmp_path), "count": 1, "regenerate": [{"node": "tm-0", "address": old["address"]}]}
    refused = run(cometbft_keys.main, wanted)
    assert len(refused["faults"]) == 1
    assert "it is no JSON" in refused["msg"]


# --- without a place


def test_plan_without_a_place(run: Run) -> None:
    planned = run(cometbft_keys.main, {"count": 2, "sources": [{"node": "tm-0", "validator_key": text(1)}]}, check=True)
    assert planned["would_create"] == ["tm-0", "tm-1"]
    assert planned["nodes"][0]["address"] == key(1).public.address
    assert planned["nodes"][1]["address"] is None
    refused = run(cometbft_keys.main, {"count": 2})
    assert "without both there is a plan only, in check mode" in refused["msg"]


# --- what there is


def test_info(run: Run, tmp_path: Path) -> None:
    made = run(cometbft_keys.main, {"directory": str(tmp_path), "count": 11, "key_types": {"tm-1": "secp256k1"}})
    before = tree(tmp_path)
    hosts = {"tm-1": "192.0.2.1", "tm-2": "2001:db8::1"}
    info = run(cometbft_keys_info.main, {"directory": str(tmp_path), "hosts": hosts, "domain": "net.svc", "port": 1234})
    assert info["changed"] is False
    assert info["missing"] == []
    assert tree(tmp_path) == before
    assert [node["name"] for node in info["nodes"]] == [f"tm-{number}" for number in range(11)]
    for node, other in zip(info["nodes"], made["nodes"], strict=True):
        assert all(node[member] == other[member] for member in ("address", "pub_key", "node_id", "key_type"))
    ids = [node["node_id"] for node in made["nodes"]]
    peers = [node["peer"] for node in info["nodes"][:3]]
    assert peers == [f"{ids[0]}@tm-0.net.svc:1234", f"{ids[1]}@192.0.2.1:1234", f"{ids[2]}@[2001:db8::1]:1234"]
    assert not [part for part in private_parts(tmp_path) if part in json.dumps(info)]


def test_info_of_what_is_missing(run: Run, tmp_path: Path) -> None:
    run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})
    (tmp_path / "tm-0/config/node_key.json").unlink()
    info = run(cometbft_keys_info.main, {"directory": str(tmp_path), "count": 2})
    assert info["missing"] == ["tm-0", "tm-1"]
    assert (info["nodes"][0]["node_id"], info["nodes"][0]["peer"]) == (None, None)
    assert info["nodes"][0]["address"]
    assert info["nodes"][1]["address"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "one of the following is required: namespace, directory"),
        ({"directory": "x", "port": 0}, "port is 0, allowed are 1 to 65535"),
        ({"directory": "x", "count": 1, "hosts": {"tm": "y"}}, "hosts: tm is none of the nodes"),
        ({"directory": "x", "nodes": ["a", "a"]}, "node a is there twice"),
    ],
)
def test_info_refusal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run(cometbft_keys_info.main, arguments)
    assert refused["failed"] is True
    assert said in refused["msg"]


def test_info_names_damage(run: Run, tmp_path: Path) -> None:
    run(cometbft_keys.main, {"directory": str(tmp_path), "count": 1})
    (tmp_path / "tm-0/config/node_key.json").write_text("{}")
    refused = run(cometbft_keys_info.main, {"directory": str(tmp_path)})
    assert "tm-0/config/node_key.json: priv_key: it is missing" in refused["msg"]
