# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are hidden by their value, by their name and by their form, and harmless text stays."""

from __future__ import annotations

import base64
import json
import random
import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._redact import HIDDEN, Redactor

SEED, PUBLIC = random.Random(1).randbytes(32), random.Random(2).randbytes(32)
KEY = {
    "address": "E74FBE24164CFC4F88E311C3AC92E63D0DC310D8",
    "pub_key": {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(PUBLIC).decode()},
    "priv_key": {"type": "tendermint/PrivKeyEd25519", "value": base64.b64encode(SEED + PUBLIC).decode()},
}
FILE = json.dumps(KEY, indent=2).encode()


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.learn(FILE)
    redactor.learn(b"a password of ours")
    return redactor


@pytest.mark.parametrize(
    "text",
    [
        KEY["priv_key"]["value"],  # type: ignore[index]
        base64.b64encode(SEED).decode(),
        base64.b64encode(b"x" + SEED + b"zz").decode(),
        base64.b64encode(b"xy" + SEED + b"z").decode(),
        base64.urlsafe_b64encode(SEED).decode(),
        SEED.hex(),
        SEED.hex().upper(),
        FILE.decode(),
        base64.b64encode(FILE).decode(),
        "a password of ours",
        base64.b64encode(b"a password of ours").decode(),
    ],
)
def test_known_secret_is_hidden_in_each_form(redactor: Redactor, text: str) -> None:
    said = redactor.text(f"before {text} after")
    assert HIDDEN in said
    assert said.startswith("before ")
    assert said.endswith(" after")
    for piece in (SEED[:12], SEED[12:24]):
        for form in (piece.hex(), *(base64.b64encode(b"\0" * n + piece).decode()[n + 1 : 14] for n in range(3))):
            assert form.lower() not in said.lower()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\nBBBB\n-----END RSA PRIVATE KEY-----\nmore", f"{HIDDEN}\nmore"),
        ("cut: -----BEGIN PRIVATE KEY-----\nAAAA\nBB", f"cut: {HIDDEN}"),
        ('{"priv_key": {"type": "x", "value": "QUJD"}, "a": 1}', f'{{"priv_key": "{HIDDEN}", "a": 1}}'),
        (r'"{\"priv_key\":{\"value\":\"QUJD\"},\"a\":1}"', rf'"{{\"priv_key\":"{HIDDEN}",\"a\":1}}"'),
        ("client-key-data: TFMwdExTMUNSVWRKVGc9PQ==", f"client-key-data: {HIDDEN}"),
        ("Authorization: Bearer abcdefghijklmnop", f"Authorization: Bearer {HIDDEN}"),
        ("got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJl.c2lnbmF0dXJl here", f"got {HIDDEN} here"),
        ("at https://me:hunter2@registry.example/x", f"at https://{HIDDEN}@registry.example/x"),
        ('{"name": "DB_PASSWORD", "value": "short"}', f'{{"name": "DB_PASSWORD", "value": "{HIDDEN}"}}'),
        ("run --token=0123456789abcdef --port=1", f"run --token={HIDDEN} --port=1"),
    ],
)
def test_unknown_secret_is_hidden_by_its_form(text: str, left: str) -> None:
    assert Redactor().text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "persistent_peers = 5f9b7b5c1c1b1f8a4f2e8f2c9e7a9d6b3c4d5e6f@tm-1:26656",
        '{"secret": {"secretName": "tm-keys", "defaultMode": 288}}',
        '{"automountServiceAccountToken": false}',
        "tcp://0.0.0.0:26657 and http://tm-1.mintnet:26657/status",
        json.dumps(KEY["pub_key"]),
        "Signed and pushed vote",
    ],
)
def test_harmless_text_stays(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text


def test_names_hide_values_where_they_count() -> None:
    value: dict[str, t.Any] = {
        "ansible_password": "x",
        "mintnet_confirm": True,
        "nested": [{"api_key": "y", "cometbft_keep_keys": False}],
        "secretName": "tm-keys",
        "env": [{"name": "A_TOKEN", "value": "z"}, {"name": "PLAIN", "value": "z"}],
        "token": "",
    }
    assert Redactor().data(value, names=True) == {
        "ansible_password": HIDDEN,
        "mintnet_confirm": True,
        "nested": [{"api_key": HIDDEN, "cometbft_keep_keys": False}],
        "secretName": HIDDEN,
        "env": [{"name": "A_TOKEN", "value": HIDDEN}, {"name": "PLAIN", "value": "z"}],
        "token": "",
    }
    shown = Redactor().data(value)
    assert (shown["secretName"], shown["env"][0]["value"]) == ("tm-keys", HIDDEN)


def test_short_values_tear_no_holes() -> None:
    redactor = Redactor()
    redactor.learn(b"true")
    assert redactor.text("this is true") == "this is true"
