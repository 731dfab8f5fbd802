# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of etcd, as its own gateway streams it (etcd API v3, Maintenance.Snapshot). Runs on the machine.

The stream is a line of JSON for each piece, ``{"result": {"remaining_bytes": …, "blob": BASE64}}``; all blobs together
are the database and, behind it, the SHA-256 of it: the file that ``etcdctl snapshot save`` writes, too.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import typing as t
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_members import PORT, tls

DOING = "Taking a snapshot of etcd"


class Snapshot(t.NamedTuple):
    """``size`` in bytes, the sum of 32 bytes at the end included; ``sha256`` of the whole file, in hex."""

    size: int
    sha256: str


def save(path: Path, timeout: float = 30.0) -> Snapshot:
    """Write the snapshot of the member on this machine, whole or not at all, for its owner alone."""
    try:
        connection = http.client.HTTPSConnection("127.0.0.1", PORT, timeout=timeout, context=tls())
        connection.request("POST", "/v3/maintenance/snapshot", body="{}", headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise MintnetError(f"{DOING}: it answers {answer.status} {answer.reason}")
        return write(path, blobs(answer))
    except FileNotFoundError as error:
        raise system_error(DOING, error, "it is taken on a control plane that kubeadm made") from error
    except (OSError, http.client.HTTPException) as error:
        advice = "look at the log of etcd's pod there, or take it on another control plane"
        if isinstance(error, OSError) and error.errno:
            raise system_error(DOING, error, advice) from error
        raise MintnetError(f"{DOING}: {error or type(error).__name__}; {advice}") from error


def blobs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of the file; an error of etcd comes in their place."""
    for line in lines:
        try:
            piece = json.loads(line)
            if "error" in piece:
                raise MintnetError(f"{DOING}: {piece['error'].get('message', piece['error'])}")
            yield base64.b64decode(piece["result"].get("blob", ""), validate=True)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise MintnetError(f"{DOING}: its answer is no stream of blobs ({line[:40]!r})") from error


def write(path: Path, pieces: Iterable[bytes]) -> Snapshot:
    """The file is put in place only if the sum at its end is that of what is before it."""
    database, whole = hashlib.sha256(), hashlib.sha256()
    size, tail = 0, b""
    with _files.draft(path) as draft:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
                whole.update(piece)
                size += len(piece)
                # What may be the sum is held back.
                tail += piece
                database.update(tail[:-32])
                tail = tail[-32:]
            file.flush()
            os.fsync(file.fileno())
        if size <= 32 or tail != database.digest():
            raise MintnetError(f"{DOING}: {size} bytes came, and they are not whole; run the same command again")
    return Snapshot(size, whole.hexdigest())
