# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples without CometBFT's messages: what their READMEs say, and what a transfer may hold."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from types import ModuleType
from typing import Any

import pytest
import tree
from nacl.signing import SigningKey

EXAMPLES = tree.ROOT / "examples"
ALICE = SigningKey(b"a" * 32)

#: The lines that a reader types.
COMMANDS = {
    readme.parent.name: "".join(
        re.findall(r"^```\n(.*?)^```", readme.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )
    for readme in sorted(EXAMPLES.glob("*/README.md"))
}


@pytest.mark.parametrize("name", COMMANDS)
def test_kubectl_is_told_the_context(name: str) -> None:
    """The current one is somebody's own, and never changed."""
    lines = [line for line in COMMANDS[name].splitlines() if line.startswith("kubectl ")]
    assert [line for line in lines if not line.startswith(f"kubectl --context mintnet -n {name} ")] == []


def test_kubectl_is_used() -> None:
    assert [name for name, commands in COMMANDS.items() if "kubectl " in commands] == ["basecoin", "sdkchain"]


def test_a_chain_begins_anew_before_it_goes_over_grpc() -> None:
    lines = [line.split("  ")[0] for line in COMMANDS["counter"].splitlines()]
    (grpc,) = [number for number, line in enumerate(lines) if "cometbft_app_transport=grpc" in line]
    assert lines[grpc - 1] == "make destroy CONFIRM=yes"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_example_{name}", EXAMPLES / "basecoin" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses look for the module of a class.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def transfer() -> Any:
    return load("transfer")


def signed(transfer: Any, chain_id: str) -> bytes:
    to = hashlib.sha256(b"").hexdigest()[:40].upper()
    return bytes(transfer.Transfer(chain_id, bytes(ALICE.verify_key), to, 10, 0).signed(ALICE))


@pytest.mark.parametrize("chain_id", ["c", "a chain-1", "c" * 50])
def test_a_transfer_for_a_chain(transfer: Any, chain_id: str) -> None:
    assert transfer.read(signed(transfer, chain_id)).chain_id == chain_id


@pytest.mark.parametrize("chain_id", ["", "\ud800", "ü", "a\nb", "\x7f", "c" * 51])
def test_a_chain_id_that_no_chain_has(transfer: Any, chain_id: str) -> None:
    """The application repeats it in its refusal, which is UTF-8."""
    with pytest.raises(transfer.Malformed, match="chain_id: must be text, 1 to 50 printable characters of ASCII"):
        transfer.read(signed(transfer, chain_id))


@pytest.mark.parametrize("tx", [b"[" * 1024, b'{"a":' * 200, b'"\\ud800"', b"\xff\xfe", b"NaN", b"1" * 1024])
def test_what_is_no_transfer_is_refused_in_words(transfer: Any, tx: bytes) -> None:
    """Whatever else it raised would end the application, and the node with it."""
    with pytest.raises(transfer.Malformed) as refused:
        transfer.read(tx)
    str(refused.value).encode()


def test_unknown_fields_are_not_repeated(transfer: Any) -> None:
    tx = json.dumps({**json.loads(signed(transfer, "c")), "\ud800": 1}).encode()
    with pytest.raises(transfer.Malformed) as refused:
        transfer.read(tx)
    str(refused.value).encode()
