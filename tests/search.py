# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets in what a run left: as bytes, in hex, in base64 at any alignment, as Python prints them.

Half a key is a find, too. White space and escaped line ends within do not hide it, nor do gzip, tar and zip.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PIECE = 16
"""So many bytes are looked for at once: too many to be met by chance."""

GAPS = re.compile(rb"\s|\\+[rn]")
DEPTH = 3


def pieces(secret: bytes) -> list[bytes]:
    """Its beginning, its middle and its end."""
    assert len(secret) >= PIECE, "a secret that is so short is found everywhere"
    middle = (len(secret) - PIECE) // 2
    return [secret[start : start + PIECE] for start in sorted({0, middle, len(secret) - PIECE})]


def aligned(data: bytes, *alphabets: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The base64 that data have whatever stands before and after them, in both alphabets or in those named."""
    for encode in alphabets or (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            encoded = encode(b"\0" * before + data).rstrip(b"=")
            yield encoded[(0, 2, 3)[before] : len(encoded) - bool((before + len(data)) % 3)]


def forms(secret: bytes) -> dict[bytes, str]:
    """What to look for → what it is called."""
    found: dict[bytes, str] = {}
    for piece in pieces(secret):
        numbers = [str(number).encode() for number in piece]
        found[piece] = "bytes"
        found[piece.hex().encode()] = "hex"
        found[piece.hex().upper().encode()] = "upper-case hex"
        found[repr(piece)[2:-1].encode()] = "Python's bytes"
        found[b",".join(numbers)] = "a list of numbers"
        for text in aligned(piece):
            found[text] = "base64"
        for text in aligned(piece, base64.b64encode):
            for twice in aligned(text, base64.b64encode):
                found[twice] = "base64 of base64, as a Secret has it"
    return found


class Search:
    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self.needles = [
            (needle, f"{name} as {form}") for name, secret in secrets.items() for needle, form in forms(secret).items()
        ]
        # The modules that Ansible ships carry the same files again and again.
        self._clean: set[bytes] = set()

    def data(self, data: bytes, place: str, depth: int = DEPTH) -> list[str]:
        """Every find, with the place."""
        mark = hashlib.sha256(data).digest()
        if mark in self._clean:
            return []
        squeezed = GAPS.sub(b"", data)
        finds = {f"{place}: {what}" for needle, what in self.needles if needle in data or needle in squeezed}
        if depth:
            for name, inner in unpacked(data):
                finds.update(self.data(inner, f"{place}!{name}", depth - 1))
        if not finds:
            self._clean.add(mark)
        return sorted(finds)

    def tree(self, folder: Path, skip: frozenset[Path] = frozenset()) -> list[str]:
        """In the names and contents of all files below a folder, except for those in which the secrets live."""
        finds = []
        for path in sorted(folder.rglob("*")):
            if path in skip or skip.intersection(path.parents) or path.is_symlink():
                continue
            finds += self.data(str(path.relative_to(folder)).encode(), f"{path} (name)", 0)
            if path.is_file():
                finds += self.data(path.read_bytes(), str(path))
        return finds


def unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is packed in data, also a zip file in base64, by which Ansible ships modules."""
    if data.startswith(b"\x1f\x8b"):
        try:
            yield "gz", gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return
    elif data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield name, archive.read(name)
        except (zipfile.BadZipFile, zlib.error):
            return
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if file := tar.extractfile(member):
                    yield member.name, file.read()
    else:
        for packed in re.findall(rb"UEsDB[A-Za-z0-9+/\s]{100,}={0,2}", data):
            whole = GAPS.sub(b"", packed).rstrip(b"=")
            # What follows the end of a zip file does not matter.
            yield "zip", base64.b64decode(whole + b"A" * (-len(whole) % 4))
