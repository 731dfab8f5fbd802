# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until a network makes blocks that all its nodes agree on, and records who has started."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import observe
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import RpcError, call, pod_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import (
    GROUP_LABEL,
    NETWORK_LABEL,
    STARTED,
    Observed,
    heights,
    report,
    summary,
)

#: A last block younger than this was made while we looked, so the heights rise.
FRESH = 5.0
#: How long the line of progress stays as it is, so that a start of many nodes does not print one for each.
QUIET = 2.0


class NotReady(MintnetError):
    """The time is over. ``result`` holds the last state seen."""


class Waiter:
    """``tell`` gets a line whenever there is something new to say."""

    def __init__(self, api: Api, network: str, tell: Callable[[str], None]) -> None:
        self.api = api
        self.network = network
        self.tell = tell
        self.changed = False
        self._recorded: set[str] = set()
        self._written: set[str] = set()
        self._first_height: int | None = None
        self._heights: list[int] = []
        self._told = ("", 0.0)
        self._sent = False

    def wait(self, timeout: float, sleep: float) -> Json:
        """The network once it is ready; NotReady with the diagnosis when the time is over."""
        deadline = time.monotonic() + timeout
        seen: Observed | None = None
        while True:
            seen = observe(self.api, self.network, seen)
            network = report(seen)
            if not network["exists"]:
                raise NotReady(
                    f"waiting for the network {self.network}: {'; '.join(network['reasons'])}; create it first",
                    network=network,
                )
            self.record(network)
            if self._ready(network):
                self._progress(network, final=True)
                return network
            self._progress(network)
            if time.monotonic() + sleep > deadline:
                self._progress(network, final=True)
                why = network["reasons"] or ["the heights do not rise"]
                raise NotReady(
                    f"waiting {timeout:g} s for the network {self.network} ({summary(network)}): " + "; ".join(why),
                    network=network,
                )
            time.sleep(sleep)

    def _ready(self, network: Json) -> bool:
        lowest, _highest = heights(network)
        if not network["healthy"] or not lowest or any(node["catching_up"] for node in network["nodes"]):
            return False
        if not all(group["revision"] for group in network["groups"]):
            return False  # the controller has not yet seen the newest template
        if self._first_height is None:
            self._first_height = lowest
        if lowest > self._first_height:
            return True
        # A chain that is looked at in the middle of its life need not make one more block for us.
        if lowest > network["genesis"]["initial_height"] and (network["block_age"] or 0.0) < FRESH:
            return True
        if not network["empty_blocks"] and not self._sent:
            self._send(network)
        return False

    def _send(self, network: Json) -> None:
        """Without empty blocks a chain rests until somebody sends a transaction."""
        node = next(node["name"] for node in network["nodes"] if node["answers"])
        tx = base64.b64encode(f"mintnet={time.time_ns()}".encode()).decode()
        try:
            call(pod_proxy(self.api, self.network, node), "broadcast_tx_sync", tx=tx)
        except (ClusterError, RpcError):
            return  # tried again at the next look
        self._sent = self.changed = True

    @property
    def recorded(self) -> list[str]:
        """Whose start this wait has written down."""
        return sorted(self._written)

    def foresee(self, validators: Collection[str]) -> Json:
        """The network as it is; those of these validators whose start is not written down yet count as recorded."""
        network = report(observe(self.api, self.network, None))
        sha256 = (network["genesis"] or {}).get("sha256", "")
        self._written |= {name for name in validators if not sha256 or network["started"].get(name) != sha256}
        self.changed = bool(self._written)
        return network

    def record(self, network: Json) -> None:
        """Write down which validators have started: from now on an empty volume may not vote for them again."""
        genesis = network["genesis"]
        new = {
            node["name"]: genesis["sha256"]
            for node in network["nodes"]
            if genesis and node["height"] and node["power"] and node["name"] not in self._recorded
        }
        self._recorded |= new.keys()
        new = {name: sha256 for name, sha256 in new.items() if network["started"].get(name) != sha256}
        if not new:
            return
        self.changed = True
        self._written |= new.keys()
        self._write(new)

    def _write(self, started: dict[str, str], tries: int = 2) -> None:
        doing = f"recording started validators in {self.network}"
        try:
            self.api.merge(doing, "ConfigMap", self.network, STARTED, {"data": started})
        except ClusterError as error:
            if error.status != 404:
                raise
            labels = {
                NETWORK_LABEL: self.network,
                GROUP_LABEL: "tm",
                "app.kubernetes.io/managed-by": "mintnet.kubernetes",
            }
            metadata = {"name": STARTED, "namespace": self.network, "labels": labels}
            definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": started}
            try:
                self.api.create(doing, definition)
            except ClusterError as conflict:
                # Another run was quicker.
                if conflict.reason != "AlreadyExists" or tries == 1:
                    raise
                self._write(started, tries - 1)

    def _progress(self, network: Json, final: bool = False) -> None:
        lowest, _highest = heights(network)
        if lowest and lowest not in self._heights:
            self._heights.append(lowest)
        shown = f"{summary(network)}" + (
            f" · height {' · '.join(map(str, self._heights[-3:]))}" if self._heights else ""
        )
        told, at = self._told
        now = time.monotonic()
        if shown != told and (final or now - at >= QUIET):
            self.tell(shown)
            self._told = (shown, now)
