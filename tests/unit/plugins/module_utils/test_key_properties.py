# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every key and every damage, tried with many of them."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_sources
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import Wanted, ensure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_places import Directory
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import (
    ED25519,
    KEY_TYPES,
    ML_DSA_65,
    SECP256K1,
    SECP256K1ETH,
    KeyType,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import KeyFault, Kind, PrivateKey, PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

QUICK = (ED25519, SECP256K1, SECP256K1ETH)
SEEDS = st.binary(min_size=32, max_size=32)
SAMPLES = {kind: Kind.VALIDATOR.write(PrivateKey.derive(kind, bytes(range(32)))) for kind in KEY_TYPES}
NODE_SAMPLE = Kind.NODE.write(PrivateKey.derive(ED25519, bytes(range(32))))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def check_identity(kind: KeyType, seed: bytes) -> None:
    key = PrivateKey.derive(kind, seed)
    for file in (Kind.VALIDATOR, Kind.NODE) if kind is ED25519 else (Kind.VALIDATOR,):
        text = file.write(key)
        assert file.read_private(text) == key
        assert file.write(file.read_private(text)) == text
    assert PublicKey.parse(key.public.json) == key.public
    assert len(key.public.address) == 40


@given(st.sampled_from(QUICK), SEEDS)
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read(kind: KeyType, seed: bytes) -> None:
    check_identity(kind, seed)


@given(SEEDS)
@settings(max_examples=2, deadline=None)
def test_what_is_written_is_read_ml_dsa_65(seed: bytes) -> None:
    check_identity(ML_DSA_65, seed)


def read_damaged(file: Kind, original: str, text: str) -> None:
    """The damage is named without repeating the key, or it is none."""
    document = json.loads(original)
    try:
        key = file.read_private(text)
    except KeyFault as fault:
        value = document["priv_key"]["value"]
        assert not any(value[start : start + 12] in str(fault) for start in range(0, min(len(value), 400) - 12))
    else:
        assert json.loads(text)["priv_key"] == document["priv_key"]
        assert key.public == file.read(original)


@given(st.text())
@settings(max_examples=40, deadline=None)
def test_any_text(text: str) -> None:
    for file in Kind:
        with pytest.raises(KeyFault):
            file.read(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"priv_key":' * 100_000, "1" * 10_000, "\ud800", "NaN", "\0"])
def test_strange_text(text: str) -> None:
    for file in Kind:
        with pytest.raises(KeyFault):
            file.read(text)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Kind, str, str]:
    """A file with a piece cut out, put in, or put in the place of another."""
    kind = draw(st.sampled_from((*QUICK, None)))
    original = SAMPLES[kind] if kind else NODE_SAMPLE
    start = draw(st.integers(0, len(original)))
    end = draw(st.integers(start, min(len(original), start + 40)))
    text = original[:start] + draw(st.text(max_size=4) | st.just("")) + original[end:]
    return Kind.VALIDATOR if kind else Kind.NODE, original, text


@given(damaged())
@settings(max_examples=40, deadline=None)
def test_damaged_file(case: tuple[Kind, str, str]) -> None:
    read_damaged(*case)


@given(st.integers(0, len(SAMPLES[ML_DSA_65])), st.text(max_size=4))
@settings(max_examples=5, deadline=None)
def test_damaged_file_ml_dsa_65(start: int, piece: str) -> None:
    original = SAMPLES[ML_DSA_65]
    read_damaged(Kind.VALIDATOR, original, original[:start] + piece + original[start + len(piece) :])


@given(
    st.sampled_from(QUICK),
    st.sampled_from(
        [
            ("address",),
            ("pub_key",),
            ("priv_key",),
            *((k, m) for k in ("pub_key", "priv_key") for m in ("type", "value")),
        ]
    ),
    JSON,
)
@settings(max_examples=40, deadline=None)
def test_file_with_another_member(kind: KeyType, path: tuple[str, ...], value: Any) -> None:
    document = json.loads(SAMPLES[kind])
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    read_damaged(Kind.VALIDATOR, SAMPLES[kind], json.dumps(document))


@given(st.sampled_from(KEY_TYPES), st.data())
@settings(max_examples=40, deadline=None)
def test_any_bytes_as_public_key(kind: KeyType, data: st.DataObject) -> None:
    value = data.draw(st.binary(min_size=kind.public_size, max_size=kind.public_size))
    document = {"type": kind.public_type, "value": base64.b64encode(value).decode()}
    try:
        key = PublicKey.parse(document)
    except KeyFault as fault:
        assert str(fault) == "pub_key.value: it is no point of this curve"
    else:
        assert key.json == document
        assert len(key.address) == 40


@given(st.text(max_size=60) | JSON.map(json.dumps))
@settings(max_examples=30, deadline=None)
def test_any_sign_state(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a/data/priv_validator_state.json"
        path.parent.mkdir(parents=True)
        path.write_text(text.encode("utf-8", "replace").decode(), encoding="utf-8", newline="")
        try:
            ensure(Directory(Path(folder)), Wanted(["a"]), dry_run=True)
        except FaultsError as error:
            assert all("a/data/priv_validator_state.json: it" in fault for fault in error.faults)


@given(
    st.dictionaries(st.sampled_from(sorted(_key_sources.SOURCE_SPEC)), JSON.map(str), max_size=4),
    st.dictionaries(st.text(max_size=5), JSON, max_size=2),
    st.none() | st.text(max_size=5),
    st.none() | st.text(max_size=5),
)
@settings(max_examples=40, deadline=None)
def test_any_request(source: dict[str, Any], types: dict[str, Any], version: str | None, kind: str | None) -> None:
    """As far as Ansible's own check of the arguments lets it through."""
    source = {**dict.fromkeys(_key_sources.SOURCE_SPEC), "node": "a", "secret": "s", **source}
    if source["pub_key"] is not None:
        source["pub_key"] = {"type": source["pub_key"], "value": "?"}
    params = {
        "version": version,
        "key_type": kind,
        "key_types": types,
        "sources": [source],
        "namespace": None,
        "seed": None,
        "insecure": False,
        "regenerate": [{"node": source["node"], "address": version, "node_id": kind}],
        "known": [],
    }
    faults: list[str] = []
    _key_sources.request(params, ["a"], lambda _namespace, _name: {"x": None}, faults)
    assert faults
