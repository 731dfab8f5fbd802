# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for secrets finds a planted one in each form, and nothing where there is none."""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from search import Search

SEED = random.Random(4).randbytes(32)
PUBLIC = random.Random(5).randbytes(32)
KEY = SEED + PUBLIC


def base64_after(before: int) -> Callable[[bytes], bytes]:
    return lambda key: base64.b64encode(b"x" * before + key + b"y" * 5)


def document(key: bytes) -> bytes:
    value = base64.b64encode(key).decode()
    return json.dumps({"priv_key": {"type": "tendermint/PrivKeyEd25519", "value": value}}).encode()


def wrapped(key: bytes) -> bytes:
    return textwrap.fill(base64.b64encode(key * 3).decode(), 10).encode()


def zipped(key: bytes) -> bytes:
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arguments", b"some text before " + document(key) + bytes(200))
        return stream.getvalue()


def tarred(key: bytes) -> bytes:
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            entry = tarfile.TarInfo("a/b.json")
            entry.size = len(document(key))
            archive.addfile(entry, io.BytesIO(document(key)))
        return stream.getvalue()


PLANTED: dict[str, Callable[[bytes], bytes]] = {
    "bytes": lambda key: key,
    "hex": lambda key: key.hex().encode(),
    "upper-case hex": lambda key: key.hex().upper().encode(),
    "spaced hex": lambda key: key.hex(" ", 2).encode(),
    "base64": base64_after(0),
    "base64 after one byte": base64_after(1),
    "base64 after two bytes": base64_after(2),
    "url-safe base64": lambda key: base64.urlsafe_b64encode(b"x" + key),
    "base64 in short lines": wrapped,
    "base64 with escaped line ends": lambda key: wrapped(key).replace(b"\n", b"\\n"),
    "the value of a key file": document,
    "a Secret's data": lambda key: base64.b64encode(document(key)),
    "a Secret's data after one byte": lambda key: base64.b64encode(b"x" + document(key)),
    "a traceback": lambda key: f"ValueError: bad key {key!r}".encode(),
    "a list of numbers": lambda key: json.dumps(list(key)).encode(),
    "gzip": lambda key: gzip.compress(document(key)),
    "an archive": tarred,
    "a module as it is shipped": lambda key: b"ZIPDATA = '" + base64.b64encode(zipped(key)) + b"'",
    "the first half": lambda key: base64.b64encode(key[:16]),
    "the second half": lambda key: base64.b64encode(b"zz" + key[16:32]),
}


def around(data: bytes) -> bytes:
    packed = data.startswith((b"\x1f\x8b", b"PK"))
    return data if packed else b"before it: " + data + b" and after it"


@pytest.mark.parametrize("form", PLANTED)
def test_planted_secret_is_found(form: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(around(PLANTED[form](KEY)))
    (tmp_path / "b").write_bytes(around(PLANTED[form](PUBLIC + random.Random(6).randbytes(32))))
    finds = Search({"tm-0": SEED}).tree(tmp_path)
    assert finds
    assert all(str(tmp_path / "a" / "file") in find and "tm-0" in find for find in finds)


def test_secret_in_a_name_is_found(tmp_path: Path) -> None:
    (tmp_path / SEED.hex()).mkdir()
    assert Search({"tm-0": SEED}).tree(tmp_path)


def test_file_of_the_secret_itself_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(SEED)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "own").write_bytes(SEED)
    assert Search({"a": SEED}).tree(tmp_path, frozenset({tmp_path / "own", tmp_path / "folder"})) == []
    assert Search({"a": SEED}).tree(tmp_path, frozenset({tmp_path / "own"}))


def test_long_secret_is_found_by_any_of_its_thirds() -> None:
    secret = random.Random(7).randbytes(256)
    search = Search({"a": secret})
    for part in (secret[:20], secret[115:145], secret[-20:]):
        assert search.data(b"-" + part.hex().encode(), "here")
    assert search.data(secret[20:100], "here") == []


@pytest.mark.parametrize("broken", [b"\x1f\x8bno gzip", b"PK\x03\x04no zip", b"UEsDB" + b"A" * 101])
def test_what_only_looks_packed_is_read_as_it_is(broken: bytes) -> None:
    assert Search({"a": SEED}).data(broken, "here") == []
    assert Search({"a": SEED}).data(broken + b" " + SEED.hex().encode(), "here")
