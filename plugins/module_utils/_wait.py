# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until a network makes blocks that all its nodes agree on, and records who has started."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Collection, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import explain, observe
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import STARTED
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import Observed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._record import note
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import RpcError, call, pod_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import heights, report, summary
from ansible_collections.mintnet.kubernetes.plugins.module_utils._tx import Clock

#: A last block younger than this was made while we looked, so the heights rise.
FRESH = 5.0
#: How long the line of progress stays as it is, so that a start of many nodes does not print one for each.
QUIET = 2.0


#: After so long a state that does not end by itself is believed. Meanwhile the kubelet, whose pauses between pulls are
#: 10 and 20 s at first, has tried three times to get an image, and the controller of volumes twice to make one.
LASTING = 30.0


class NotReady(MintnetError):
    """The time is over, or waiting makes no sense. ``result`` holds the last state seen, and what to do."""


def grouped(reasons: Sequence[str]) -> list[str]:
    """What several nodes suffer from in the same way, said once for all of them."""
    names: dict[str, list[str]] = {}
    for reason in reasons:
        name, colon, rest = reason.partition(": ")
        names.setdefault(rest if colon else reason, []).extend([name] if colon else [])
    return [f"{', '.join(nodes)}: {reason}" if nodes else reason for reason, nodes in names.items()]


def record_promoted(api: Api, network: str, node: str, height: int, clock: Clock) -> list[str]:
    """Write down whom the block of this height gave a vote, which they have from the block after the next one on."""
    transport = pod_proxy(api, network, node, reads=True)
    try:
        updates = call(transport, "block_results", height=str(height)).get("validator_updates")
    except RpcError:  # it is known only later: the next run of create writes them down
        return []
    waiter = Waiter(api, network, lambda _text: None)
    while updates:
        found = report(observe(api, network))
        if found["height"] >= height + 2 or not clock.wait():
            waiter.record(found)
            break
    return waiter.recorded


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
        self._lasting: dict[str, float] = {}
        self._away = ""

    def wait(self, timeout: float, sleep: float) -> Json:
        """The network once it is ready; NotReady with the diagnosis when the time is over."""
        began = time.monotonic()
        deadline = began + timeout
        seen: Observed | None = None
        while True:
            with self.api.until(deadline):
                seen, network = self._look(seen)
            if network and self._ready(network):
                self._progress(network, final=True)
                return network
            if network and not self._away:
                self._progress(network)
            over = time.monotonic() + sleep > deadline
            if over or self._is_lasting(network):
                waited = f"{timeout:g} s" if over else f"{time.monotonic() - began:.0f} s of {timeout:g} s"
                raise self._failure(seen, waited, final=over)
            time.sleep(sleep)

    def _look(self, seen: Observed | None) -> tuple[Observed | None, Json | None]:
        """What is there now. An API server that is away for a while is waited for: the network may run without it."""
        try:
            now = observe(self.api, self.network, seen)
            network = report(now)
            if not network["exists"] and seen:
                # It went while it was waited for, perhaps with its namespace.
                now = observe(self.api, self.network)
                network = report(now)
            ending = network["namespace"]["phase"] == "Terminating"
            if not network["exists"] or ending:
                cause = "; ".join(network["reasons"]) + ("" if ending else "; create it first")
                raise NotReady(
                    f"waiting for the network {self.network}: {cause}", network=network, next=network["next"]
                )
            self.record(network)
        except ClusterError as error:
            # One that is just being started also refuses what it does not know yet.
            if not (error.passing or self._away):
                raise
            if not self._away:
                self.tell(f"waiting for the API server: {error}")
            self._away = str(error)
            self._lasting = {}
            return seen, None
        if self._away:
            self._away = ""
            self.tell("the API server answers again")
        return now, network

    def _is_lasting(self, network: Json | None) -> bool:
        """Whether a node is in a state that only somebody's doing ends, and has been for a while without a break."""
        if network is None:
            return False
        now = time.monotonic()
        self._lasting = {
            node["name"]: self._lasting.get(node["name"], now) for node in network["nodes"] if node["lasting"]
        }
        return any(now - since >= LASTING for since in self._lasting.values())

    def _failure(self, seen: Observed | None, waited: str, *, final: bool) -> NotReady:
        """Why the network is not ready, with all that can be found out about it."""
        doing = f"waiting {waited} for the network {self.network}"
        if self._away or seen is None:
            last = {"network": report(seen)} if seen else {}
            step = "have the API server running again, then run create again: what is there is kept"
            return NotReady(f"{doing}: {self._away}", next=[step], **last)
        with contextlib.suppress(ClusterError):
            seen = observe(self.api, self.network)  # all of it, as it is now
        network = explain(self.api, seen)
        self._progress(network, final=True)
        late = [f"{node['name']}: {node['reason']}" for node in network["nodes"] if node["catching_up"]]
        reasons = network["reasons"] or late or ["the heights do not rise"]
        head = f"{doing} ({summary(network)})"
        ending = "" if final else "; not waited for any longer, as this does not end by itself"
        return NotReady(
            f"{head}: {'; '.join(reasons)}{ending}",
            network=network,
            why=[f"{head}{ending}", *grouped(reasons)],
            log=[
                f"{node['name']}: {row}"
                for node in network["nodes"]
                for row in node["log"]
                if row not in node["reason"]
            ],
            next=network["next"],
        )

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
            self.send(network)
        return False

    def send(self, network: Json) -> None:
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
            if genesis and genesis["sha256"] and node["height"] and node["power"] and node["name"] not in self._recorded
        }
        self._recorded |= new.keys()
        new = {name: sha256 for name, sha256 in new.items() if network["started"].get(name) != sha256}
        if not new:
            return
        self.changed = True
        self._written |= new.keys()
        note(self.api, f"recording started validators in {self.network}", self.network, STARTED, new)

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
