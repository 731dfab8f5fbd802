# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a validator that lost its signing state vote again, without a chance to sign twice.

Whatever it signed before, it signed for a height that was at most two above the newest block that the others have at
the moment when it is known to be away: it may be the only one that saw the votes for the next block. Once the others
are past these heights, it gets a signing state that refuses all of them. So this needs the others to go on without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import observe_patiently
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import STARTED
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import Observed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import node_of, report
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import Waiter

#: It votes again from this many heights above the newest block at the moment when it was known to be away: two that it
#: may have signed for, and one more.
AHEAD = 3
#: Seconds for which the others must have been too few before that is believed.
PATIENCE = 10.0


class RecoverError(MintnetError):
    """It cannot be done safely, or did not end in time."""


def needed(network: Json, name: str) -> bool:
    """Whether this node is a validator that lost its signing state; RecoverError where it is none of ours."""
    node = next((node for node in network["nodes"] if node["name"] == name), None)
    if node is None:
        names = ", ".join(node["name"] for node in network["nodes"]) or "none"
        raise RecoverError(f"recovering {name}: the network {network['network']} has no such node; it has {names}")
    if node["stopped"]:
        raise RecoverError(
            f"recovering {name}: it is stopped, and whether its volume is lost shows when it starts; start it first "
            "(make start)"
        )
    return bool(node["state_lost"])


class Recovery:
    """``tell`` gets a line at each step."""

    def __init__(self, api: Api, network: str, name: str, tell: Callable[[str], None], sleep: float = 0.4) -> None:
        self.api = api
        self.network = network
        self.name = name
        self.tell = tell
        self.sleep = sleep
        self._doing = f"recovering {name} of the network {network}"
        self._seen: Observed | None = None

    def look(self) -> Json:
        self._seen = observe_patiently(self.api, self.network, self._seen, self.sleep)
        return report(self._seen)

    def recover(self, timeout: float) -> Json:
        """Wait for the others, give the node its new state, and wait until it has caught up."""
        deadline = time.monotonic() + timeout
        waiter = Waiter(self.api, self.network, self.tell)
        network = self.look()
        last = network["height"]
        self.tell(f"{self.name} may have signed up to height {last + AHEAD - 1}; waiting until the others are past it")
        short_since: float | None = None
        asked = 0
        while network["height"] < last + AHEAD:
            now = time.monotonic()
            short_since = (short_since or now) if network["power"]["short"] else None
            if (short_since and now - short_since > PATIENCE) or now > deadline:
                raise RecoverError(
                    f"{self._doing}: the chain stands still at height {network['height']} without it, so it might have "
                    f"to sign a second time for the height at hand: {'; '.join(network['reasons'])}",
                    next="bring the other validators back first; if there are too few of them for good, bring the "
                    "volume back or start a new chain (reset)",
                    network=network,
                )
            if not network["empty_blocks"] and asked < network["height"]:
                asked = network["height"]
                waiter.send(network)
            time.sleep(self.sleep)
            network = self.look()
        self._allow(network["genesis"]["sha256"], last + AHEAD)
        self.tell(f"{self.name} starts with an empty volume and votes from height {last + AHEAD} on")
        return self._await(waiter, deadline)

    def _allow(self, sha256: str, height: int) -> None:
        self.api.merge(self._doing, "ConfigMap", self.network, STARTED, {"data": {self.name: f"{sha256} {height}"}})
        try:
            self.api.request(self._doing, "DELETE", KINDS["Pod"].path(self.network, self.name), body={})
        except ClusterError as error:
            if error.status != 404:
                raise

    def close(self, network: Json) -> bool:
        """What a run that was killed after its permission left undone: the node may not start without a state again."""
        waiter = Waiter(self.api, self.network, self.tell)
        waiter.record(network)
        return waiter.changed

    def _await(self, waiter: Waiter, deadline: float) -> Json:
        self._seen = None  # the record is another one now
        while True:
            network = self.look()
            # As soon as it answers, its state is on its volume: from then on it may not start without one again.
            waiter.record(network)
            node = node_of(network, self.name)
            if node["answers"] and not node["catching_up"] and node["height"] >= network["height"] - 1:
                return network
            if time.monotonic() > deadline:
                raise RecoverError(
                    f"{self._doing}: it is not caught up: {node['reason'] or node['pod']}",
                    next=f"see make logs NODE={self.name}; nothing is lost, and it may go on by itself",
                    network=network,
                )
            time.sleep(self.sleep)
