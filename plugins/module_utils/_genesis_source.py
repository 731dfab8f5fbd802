# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a genesis that exists comes from: a file, or an address with the sum that its text must have."""

from __future__ import annotations

import hashlib
import http.client
import re
from pathlib import Path

from ansible.module_utils.urls import open_url
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError

#: More than any genesis that could be given to pods.
MAX_BYTES = 256 * 1024 * 1024
TIMEOUT = 30


def is_url(source: str) -> bool:
    return re.match("https?://", source, re.IGNORECASE) is not None


def taking(source: str) -> str:
    """What is being done, as every error says first."""
    return f"taking the genesis of {source}"


def load(source: str, sha256: str | None, stored: str | None) -> str:
    """The text of a genesis. ``stored`` is what was taken earlier, which spares a download of the same."""
    doing = taking(source)
    wanted = sha256.strip().lower() if sha256 else None
    if wanted is not None and not re.fullmatch("[0-9a-f]{64}", wanted):
        raise FaultsError(doing, [f"sha256: {sha256!r} is no SHA-256, which has 64 hexadecimal digits"])
    if wanted is None and is_url(source):
        raise FaultsError(doing, ["sha256: it is needed with a URL, or whoever serves it chooses your chain"])
    if wanted and stored is not None and hashlib.sha256(stored.encode()).hexdigest() == wanted:
        return stored
    content = _download(doing, source) if is_url(source) else _read(doing, source)
    found = hashlib.sha256(content).hexdigest()
    if wanted not in (None, found):
        raise MintnetError(f"{doing}: its SHA-256 is {found}, asked is {wanted}; compare the source with the sum")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MintnetError(f"{doing}: it is no text in UTF-8 ({error}); unpack it if it is compressed") from error


def read_text(doing: str, path: str) -> str:
    try:
        return _read(doing, path).decode()
    except UnicodeDecodeError as error:
        raise MintnetError(f"{doing}: it is no text in UTF-8 ({error})") from error


def _read(doing: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise MintnetError(f"{doing}: {error.strerror or error}; give the path of a file that can be read") from error


def _download(doing: str, url: str) -> bytes:
    try:
        with open_url(url, timeout=TIMEOUT) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise MintnetError(f"{doing}: {error}; check the address, or fetch the file yourself and name it") from error
    if len(content) > MAX_BYTES:
        raise MintnetError(f"{doing}: it has more than {MAX_BYTES} bytes, which no pod could take; check the address")
    return content
