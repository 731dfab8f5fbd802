# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane asks its own API server and its own etcd. Runs on the machine: standard library only."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import typing as t
from collections.abc import Callable

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

#: Method, path, and a body that is sent as JSON or None; the status, and the decoded answer.
Ask = Callable[[str, str, t.Any], tuple[int, t.Any]]
_FAILURES = (OSError, http.client.HTTPException, ValueError)


class ServerError(MintnetError):
    """A server refused, or did not answer in time."""


def tls_context(ca_file: str, pair: bytes) -> ssl.SSLContext:
    """Trusts this authority alone, and shows this certificate; ``pair`` is its PEM with the key."""
    context = ssl.create_default_context(cafile=ca_file)
    # The library takes the key from a file only: one in memory, which nobody else can open.
    with os.fdopen(os.memfd_create("client"), "wb") as file:
        file.write(pair)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context


def client(host: str, port: int, context: ssl.SSLContext, timeout: float = 10.0) -> Ask:
    """Each request has a connection of its own: what is asked here changes the server."""

    def ask(method: str, path: str, body: t.Any) -> tuple[int, t.Any]:
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        # The API server takes a merge patch by its type only; etcd's gateway does not care.
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Accept": "application/json", "Content-Type": kind})
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if data[:1] == b"{" else data.decode(errors="replace")
        finally:
            connection.close()

    return ask


def patiently(
    ask: Ask, doing: str, method: str, path: str, body: t.Any = None, *, timeout: float = 60.0, sleep: float = 1.0
) -> tuple[int, t.Any]:
    """Ask again while the server cannot answer, as while etcd has no leader; so what is asked must bear repetition.

    Any answer that is not the server's own fault is returned.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            status, answer = ask(method, path, body)
            if status < 500:
                return status, answer
            said = f"{status} {message(answer)}"
        except _FAILURES as error:
            said = str(error) or type(error).__name__
        if time.monotonic() > deadline:
            raise ServerError(f"{doing}: {method} {path}: {said}; run it again once the server answers")
        time.sleep(sleep)


def message(answer: t.Any) -> str:
    """What a server says of its refusal."""
    return str(answer.get("message") or answer.get("error") or answer) if isinstance(answer, dict) else str(answer)
