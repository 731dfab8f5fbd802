# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a transaction, waits for its block, and reads keys of the application back."""

from __future__ import annotations

import base64
import hashlib
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import (
    RpcError,
    Transport,
    batch,
    call,
    text_or_base64,
)

Json = dict[str, t.Any]

#: Seconds between two looks.
SLEEP = 0.2


class TxError(MintnetError):
    """A transaction was refused, or did not get into a block."""


@dataclass
class Clock:
    """How long there is to wait; tests bring their own time."""

    timeout: float
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._deadline = self.now() + self.timeout

    def wait(self) -> bool:
        """Wait a moment; False where the time is over."""
        if self.now() + SLEEP > self._deadline:
            return False
        self.sleep(SLEEP)
        return True


def send(transport: Transport, node: str, tx: bytes, clock: Clock) -> Json:
    """The block that took the transaction. ``changed`` is false where the node had it from an earlier time."""
    digest = hashlib.sha256(tx).digest()
    shown: Json = {"hash": digest.hex().upper(), "node": node}
    doing = f"sending a transaction through {node}"
    changed = True
    try:
        checked = call(transport, "broadcast_tx_sync", tx=base64.b64encode(tx).decode())
    except RpcError as error:
        if "already exists in cache" not in str(error):
            raise TxError(f"{doing}: {error}", **shown) from error
        changed = False
    else:
        _refuse(doing, checked, "the application refuses it", shown)

    while True:
        try:
            found = call(transport, "tx", hash=base64.b64encode(digest).decode())
        except RpcError as error:
            if "not found" not in str(error):
                raise TxError(f"{doing}: it was taken, but its block cannot be looked up: {error}", **shown) from error
        else:
            shown["height"] = int(found["height"])
            executed = found["tx_result"]
            _refuse(doing, executed, f"it failed in the block of height {shown['height']}", shown)
            return {"changed": changed, **shown, "code": 0, "log": executed.get("log") or ""}
        if not clock.wait():
            raise TxError(
                f"{doing}: it was taken, but no block had it within {clock.timeout:g} s; "
                "see whether the network makes blocks",
                **shown,
            )


def _refuse(doing: str, answer: Json, what: str, shown: Json) -> None:
    code = int(answer.get("code") or 0)
    if code:
        space = f" of {answer['codespace']}" if answer.get("codespace") else ""
        log = answer.get("log") or "it says no more"
        raise TxError(f"{doing}: {what}, with code {code}{space}: {log}", **shown, code=code, log=log)


def read(transport: Transport, node: str, key: bytes, height: int, clock: Clock) -> Json:
    """What the application of one node holds under a key, once it has executed the block of ``height``."""
    calls: list[tuple[str, Json]] = [("abci_info", {}), ("status", {}), ("abci_query", {"data": key.hex()})]
    row: Json = {"node": node, "value": None, "value_base64": None, "height": None, "error": ""}
    while True:
        try:
            answers = batch(transport, calls)
            info, status, queried = (_good(answer) for answer in answers)
            # A node tells a height as soon as it has the block, and the application a moment later. Those that tell no
            # height of their own (noop) have executed it when the next one is there.
            executed = int(info["response"].get("last_block_height") or 0)
            told = int(status["sync_info"]["latest_block_height"])
            row["height"] = max(executed, told - 1)
            if row["height"] >= height:
                response = queried["response"]
                row["value"], row["value_base64"] = text_or_base64(response.get("value"))
                return {**row, "error": ""}
            row["error"] = f"is at height {row['height']}, the transaction at {height}"
        except (ClusterError, RpcError) as error:
            row["error"] = f"does not answer: {error}"
        if not clock.wait():
            return row


def _good(answer: Json | RpcError) -> Json:
    if isinstance(answer, RpcError):
        raise answer
    return answer
