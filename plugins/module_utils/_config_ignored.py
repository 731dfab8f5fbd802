# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of config.toml that CometBFT reads and then does nothing with. Found by reading its code, release by release."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._config import Config, Key

#: By no release of any line.
ALWAYS: dict[Key, str] = {
    ("p2p", "handshake_timeout"): "no line uses it, a handshake may always take 3s",
    ("p2p", "dial_timeout"): "no line uses it, dialling may always take 1s",
    ("mempool", "wal_dir"): "no line uses it, the mempool has no log any more",
    ("statesync", "temp_dir"): "no line uses it, chunks are kept in the system's folder for temporary files (TMPDIR)",
}

#: The first patch release of a line that knows the key. Go's TOML reader passes over what it does not know.
SINCE: dict[Key, dict[str, int]] = {
    ("", "event_bus_buffer_capacity"): {"0.38": 24, "0.39": 4},
    ("rpc", "max_request_batch_size"): {"0.38": 8},
    ("mempool", "type"): {"0.38": 2},
    ("mempool", "recheck_timeout"): {"0.38": 8},
    ("mempool", "experimental_max_gossip_connections_to_persistent_peers"): {"0.38": 1},
    ("mempool", "experimental_max_gossip_connections_to_non_persistent_peers"): {"0.38": 1},
    ("mempool", "seen_cache_size"): {"0.39": 2},
    ("mempool", "reap_max_bytes"): {"0.39": 2},
    ("mempool", "reap_max_gas"): {"0.39": 2},
    ("mempool", "reap_interval"): {"0.39": 2},
    ("mempool", "check_tx_retry_delay"): {"0.39": 3},
    ("statesync", "max_snapshot_chunks"): {"0.38": 21},
    ("consensus", "block_time_tolerance"): {"0.38": 22},
}


@dataclass(frozen=True)
class Rule:
    """Another key decides: while it has one of the values, keys of these sections (or only some of them) do nothing."""

    decides: Key
    values: tuple[t.Any, ...]
    section: str
    only: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()

    def concerns(self, key: Key) -> bool:
        section, name = key
        if key == self.decides or name in self.but or (self.only and name not in self.only):
            return False
        return section == self.section or (not self.only and section.startswith(f"{self.section}."))


_APP = frozenset({"seen_cache_size", "reap_max_bytes", "reap_max_gas", "reap_interval", "check_tx_retry_delay"})
_BOTH = frozenset({"max_tx_bytes", "max_batch_bytes", "broadcast"})

RULES = (
    Rule(("mempool", "type"), ("nop",), "mempool"),
    Rule(("mempool", "type"), ("app",), "mempool", but=_APP | _BOTH),
    Rule(("mempool", "type"), ("flood",), "mempool", only=_APP),
    Rule(("p2p", "pex"), (False,), "p2p", only=frozenset({"seeds", "seed_mode"})),
    Rule(("p2p.libp2p", "enabled"), (False,), "p2p.libp2p"),
    Rule(
        ("p2p.libp2p", "enabled"),
        (True,),
        "p2p",
        only=frozenset(
            {
                *("seeds", "persistent_peers", "addr_book_file", "addr_book_strict", "max_num_inbound_peers"),
                *("max_num_outbound_peers", "unconditional_peer_ids", "persistent_peers_max_dial_period"),
                *("flush_throttle_timeout", "max_packet_msg_payload_size", "send_rate", "recv_rate", "pex"),
                *("seed_mode", "private_peer_ids", "allow_duplicate_ip"),
            }
        ),
    ),
    Rule(("p2p.libp2p", "enabled"), (True,), "", only=frozenset({"filter_peers"})),
    Rule(
        ("p2p.libp2p.limits", "mode"),
        ("disabled", "default"),
        "p2p.libp2p.limits",
        only=frozenset({"max_peers", "max_peer_streams"}),
    ),
    Rule(("rpc", "grpc_laddr"), ("",), "rpc", only=frozenset({"grpc_max_open_connections"})),
    Rule(("statesync", "enable"), (False,), "statesync"),
    Rule(("tx_index", "indexer"), ("kv", "null"), "tx_index", only=frozenset({"psql-conn"})),
    Rule(("instrumentation", "prometheus"), (False,), "instrumentation"),
)


def ignored(version: str, config: Config, keys: Iterable[Key], where: str = "") -> list[str]:
    """What to say about keys that the user has set, in this whole configuration, without effect."""
    said = []
    for section, name in keys:
        path = where + f"{section}.{name}".lstrip(".")
        reason = ALWAYS.get((section, name)) or _too_old(version, config.line, (section, name))
        reason = reason or _decided(config.table, (section, name))
        if reason:
            said.append(f"{path} has no effect: {reason}")
    return said


def _too_old(version: str, line: str, key: Key) -> str:
    first = SINCE.get(key, {}).get(line, 0)
    release = re.match(r"v?\d+\.\d+\.(\d+)", version)
    if release and int(release[1]) < first:
        return f"CometBFT {version} does not know it, {line}.{first} is the first of its line that does"
    return ""


def _decided(table: Mapping[str, Mapping[str, t.Any]], key: Key) -> str:
    for rule in RULES:
        section, name = rule.decides
        value = table.get(section, {}).get(name)
        if value in rule.values and rule.concerns(key):
            shown = str(value).lower() if isinstance(value, bool) else value or "empty"
            return f"{section}.{name} is {shown}"
    return ""
