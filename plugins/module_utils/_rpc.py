# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CometBFT's JSON-RPC, reached through the API server's pod proxy: nothing of a network is exposed for it."""

from __future__ import annotations

import base64
import json
import typing as t
from collections.abc import Callable, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

PORT = 26657
#: Seconds to connect and to wait for an answer of a node: one that hangs must not hold up the look at the others.
TIMEOUT = (3.0, 5.0)

#: Sends the body of one JSON-RPC request (or a list of them) and returns the decoded answer.
Transport = Callable[[t.Any], t.Any]
Call = tuple[str, Json]


class RpcError(MintnetError):
    """A node refused a request, or gave no usable answer."""


def pod_proxy(api: Api, namespace: str, pod: str, *, reads: bool = False) -> Transport:
    """A transport to one pod, which raises ClusterError where the pod does not answer.

    With ``reads`` nothing but questions goes over it.
    """
    path = f"{KINDS['Pod'].path(namespace, pod)}:{PORT}/proxy/"

    def send(body: t.Any) -> t.Any:
        answer = api.request(f"asking {pod} over RPC", "POST", path, body=body, timeout=TIMEOUT, reads=reads)
        try:
            return json.loads(answer.data)
        except ValueError as error:
            raise ClusterError(f"asking {pod} over RPC: the answer is no JSON; check what listens on {PORT}") from error

    return send


def batch(transport: Transport, calls: Sequence[Call]) -> list[Json | RpcError]:
    """Several calls in one request; each answer is the result or the node's error."""
    answers = transport([_request(number, *call) for number, call in enumerate(calls)])
    if not isinstance(answers, list):
        raise RpcError(f"a batch of {len(calls)} calls: the answer is no list but {str(answers)[:200]}")
    by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
    return [_result(method, by_id.get(number)) for number, (method, _params) in enumerate(calls)]


def call(transport: Transport, method: str, **params: t.Any) -> Json:
    result = _result(method, transport(_request(0, method, params)))
    if isinstance(result, RpcError):
        raise result
    return result


def _request(number: int, method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _result(method: str, answer: t.Any) -> Json | RpcError:
    if isinstance(answer, dict) and isinstance(answer.get("result"), dict):
        return t.cast(Json, answer["result"])
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return RpcError(f"{method}: {error.get('data') or error.get('message')}")
    return RpcError(f"{method}: no result in the answer")


def text_or_base64(value: str | None) -> tuple[str | None, str | None]:
    """A value that came as base64, as text where it is text."""
    if value is None:
        return None, None
    raw = base64.b64decode(value)
    try:
        return raw.decode(), value
    except UnicodeDecodeError:
        return None, value
