# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of config.toml with its default, per release line of CometBFT. The default shows the key's type.

The tables are what `cometbft init` writes, without the version and the moniker; a test compares them with it.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping


class Duration(str):
    """A duration as Go writes it, such as 1m30s."""

    __slots__ = ()


#: Sections by their TOML name, the keys above the first section under "".
Table = dict[str, dict[str, t.Any]]

_0_38: Table = {
    "": {
        "proxy_app": "tcp://127.0.0.1:26658",
        "moniker": "",
        "db_backend": "goleveldb",
        "db_dir": "data",
        "log_level": "info",
        "log_format": "plain",
        "genesis_file": "config/genesis.json",
        "priv_validator_key_file": "config/priv_validator_key.json",
        "priv_validator_state_file": "data/priv_validator_state.json",
        "priv_validator_laddr": "",
        "node_key_file": "config/node_key.json",
        "abci": "socket",
        "filter_peers": False,
        "event_bus_buffer_capacity": 0,
    },
    "rpc": {
        "laddr": "tcp://127.0.0.1:26657",
        "cors_allowed_origins": [],
        "cors_allowed_methods": ["HEAD", "GET", "POST"],
        "cors_allowed_headers": ["Origin", "Accept", "Content-Type", "X-Requested-With", "X-Server-Time"],
        "grpc_laddr": "",
        "grpc_max_open_connections": 900,
        "unsafe": False,
        "max_open_connections": 900,
        "max_subscription_clients": 100,
        "max_subscriptions_per_client": 5,
        "experimental_subscription_buffer_size": 200,
        "experimental_websocket_write_buffer_size": 200,
        "experimental_close_on_slow_client": False,
        "timeout_broadcast_tx_commit": Duration("10s"),
        "max_request_batch_size": 10,
        "max_body_bytes": 1000000,
        "max_header_bytes": 1048576,
        "tls_cert_file": "",
        "tls_key_file": "",
        "pprof_laddr": "",
    },
    "p2p": {
        "laddr": "tcp://0.0.0.0:26656",
        "external_address": "",
        "seeds": "",
        "persistent_peers": "",
        "addr_book_file": "config/addrbook.json",
        "addr_book_strict": True,
        "max_num_inbound_peers": 40,
        "max_num_outbound_peers": 10,
        "unconditional_peer_ids": "",
        "persistent_peers_max_dial_period": Duration("0s"),
        "flush_throttle_timeout": Duration("100ms"),
        "max_packet_msg_payload_size": 1024,
        "send_rate": 5120000,
        "recv_rate": 5120000,
        "pex": True,
        "seed_mode": False,
        "private_peer_ids": "",
        "allow_duplicate_ip": False,
        "handshake_timeout": Duration("20s"),
        "dial_timeout": Duration("3s"),
    },
    "mempool": {
        "type": "flood",
        "recheck": True,
        "recheck_timeout": Duration("1s"),
        "broadcast": True,
        "wal_dir": "",
        "size": 5000,
        "max_txs_bytes": 1073741824,
        "cache_size": 10000,
        "keep-invalid-txs-in-cache": False,
        "max_tx_bytes": 1048576,
        "max_batch_bytes": 0,
        "experimental_max_gossip_connections_to_persistent_peers": 0,
        "experimental_max_gossip_connections_to_non_persistent_peers": 0,
    },
    "statesync": {
        "enable": False,
        "rpc_servers": "",
        "trust_height": 0,
        "trust_hash": "",
        "trust_period": Duration("168h0m0s"),
        "discovery_time": Duration("15s"),
        "temp_dir": "",
        "chunk_request_timeout": Duration("10s"),
        "chunk_fetchers": 4,
        "max_snapshot_chunks": 100000,
    },
    "blocksync": {
        "version": "v0",
    },
    "consensus": {
        "wal_file": "data/cs.wal/wal",
        "timeout_propose": Duration("3s"),
        "timeout_propose_delta": Duration("500ms"),
        "timeout_prevote": Duration("1s"),
        "timeout_prevote_delta": Duration("500ms"),
        "timeout_precommit": Duration("1s"),
        "timeout_precommit_delta": Duration("500ms"),
        "timeout_commit": Duration("1s"),
        "double_sign_check_height": 0,
        "skip_timeout_commit": False,
        "create_empty_blocks": True,
        "create_empty_blocks_interval": Duration("0s"),
        "peer_gossip_sleep_duration": Duration("100ms"),
        "peer_query_maj23_sleep_duration": Duration("2s"),
        "block_time_tolerance": Duration("1m0s"),
    },
    "storage": {
        "discard_abci_responses": False,
    },
    "tx_index": {
        "indexer": "kv",
        "psql-conn": "",
    },
    "instrumentation": {
        "prometheus": False,
        "prometheus_listen_addr": ":26660",
        "max_open_connections": 3,
        "namespace": "cometbft",
    },
}

_0_39: Table = {
    "p2p": {
        "flush_throttle_timeout": Duration("10ms"),
    },
    "p2p.libp2p": {
        "enabled": False,
        "bootstrap_peers": [],
    },
    "p2p.libp2p.scaler": {
        "min_workers": 4,
        "max_workers": 32,
        "threshold_latency": Duration("100ms"),
        "overrides": [
            {"reactor": "MEMPOOL", "min_workers": 8, "max_workers": 512, "threshold_latency": Duration("500ms")},
        ],
    },
    "p2p.libp2p.limits": {
        "mode": "default",
        "max_peers": 0,
        "max_peer_streams": 0,
    },
    "mempool": {
        "seen_cache_size": 100000,
        "reap_max_bytes": 0,
        "reap_max_gas": 0,
        "reap_interval": Duration("500ms"),
        "check_tx_retry_delay": Duration("5s"),
    },
    "blocksync": {
        "adaptive_sync": False,
    },
}

_0_40: Table = {
    "mempool": {
        "max_tx_bytes": 4194304,
    },
}

#: Members of the keys whose value is a list of tables.
TABLES: dict[tuple[str, str], dict[str, t.Any]] = {
    ("p2p.libp2p", "bootstrap_peers"): {
        "host": "",
        "id": "",
        "private": False,
        "persistent": False,
        "unconditional": False,
    },
    ("p2p.libp2p.scaler", "overrides"): {
        "reactor": "",
        "min_workers": 0,
        "max_workers": 0,
        "threshold_latency": Duration("0s"),
    },
}

#: Texts that CometBFT takes only some of.
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "log_format"): ("plain", "json"),
    ("", "abci"): ("socket", "grpc"),
    ("mempool", "type"): ("flood", "nop", "app"),
    ("blocksync", "version"): ("v0",),
    ("tx_index", "indexer"): ("kv", "psql", "null"),
    ("p2p.libp2p.limits", "mode"): ("disabled", "default", "custom"),
}


def _over(below: Table, above: Mapping[str, Mapping[str, t.Any]]) -> Table:
    """Both tables in one; sections that are new come behind the section that they belong to."""
    # Not a set: its order differs from run to run, and the file's bytes with it.
    names = sorted({**below, **above}, key=lambda name: (_position(name), name.count(".")))
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in names}


def _position(name: str) -> int:
    return list(_0_38).index(name.split(".")[0])


_LINES: dict[str, Table] = {"0.38": _0_38, "0.39": _over(_0_38, _0_39)}
_LINES["0.40"] = _over(_LINES["0.39"], _0_40)


def defaults(line: str) -> Table:
    """A copy of the line's table."""
    return {section: dict(keys) for section, keys in _LINES[line].items()}


def choices(line: str, section: str, key: str) -> tuple[str, ...]:
    """The texts that this key takes, empty where it takes any."""
    known = CHOICES.get((section, key), ())
    return tuple(name for name in known if name != "app") if line == "0.38" else known


def lines_that_know(section: str, name: str) -> list[str]:
    """The lines that have this key, or section, within the section."""
    path = f"{section}.{name}".lstrip(".")
    return [line for line, table in _LINES.items() if path in table or name in table.get(section, {})]
