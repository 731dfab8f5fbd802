# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The config.toml of a group of nodes on Kubernetes: CometBFT's defaults, what Kubernetes needs, what the user sets."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._config_keys import (
    TABLES,
    Duration,
    Table,
    choices,
    defaults,
    lines_that_know,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import MAX_INT64, nanoseconds
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import line_of, nearest, unknown_version

#: What Kubernetes needs, and why.
KUBERNETES: dict[tuple[str, str], tuple[t.Any, str]] = {
    ("rpc", "laddr"): ("tcp://0.0.0.0:26657", "reached from outside the pod"),
    ("p2p", "addr_book_file"): ("data/addrbook.json", "on the node's volume, since config/ may be read-only"),
    ("p2p", "addr_book_strict"): (False, "addresses in a cluster are private ones"),
    ("p2p", "max_num_inbound_peers"): (200, "room for a full mesh, in which most peers dial in"),
    ("p2p", "pex"): (False, "every node is told its peers"),
    ("p2p", "allow_duplicate_ip"): (True, "several pods may come from one address"),
    ("instrumentation", "prometheus"): (True, "for whoever monitors the network"),
}

#: They differ from node to node, and are filled in when a node starts. The last one comes from the topology alone.
PER_NODE = {("", "moniker"), ("p2p", "external_address"), ("p2p", "persistent_peers")}
PEERS = ("p2p", "persistent_peers")

#: A key by its section and its name.
Key = tuple[str, str]


@dataclass(frozen=True)
class Config:
    """A whole file: every key with its value, and why those are set that the user did not set."""

    line: str
    table: Table
    reasons: Mapping[Key, str]

    @classmethod
    def basis(cls, version: str, *, block_time: str, proxy_app: str, abci: str, faults: list[str]) -> Config:
        """What the version, Kubernetes and the network's own variables say."""
        line = line_of(version)
        if line is None:
            raise FaultsError("checking the configuration", [unknown_version(version)])
        table = defaults(line)
        reasons: dict[Key, str] = {}
        for (section, key), (value, reason) in KUBERNETES.items():
            table[section][key] = value
            reasons[section, key] = reason
        for section, key, value, name in (
            ("consensus", "timeout_commit", block_time, "block_time"),
            ("", "proxy_app", proxy_app, "proxy_app"),
            ("", "abci", abci, "abci"),
        ):
            faults += _faults(line, section, key, table[section][key], value, name)
            table[section][key] = type(table[section][key])(value)
        return cls(line, table, reasons)

    def over(self, values: Mapping[Key, t.Any], reasons: Mapping[Key, str] | None = None) -> Config:
        """The same with these values, which have been checked; what the user sets has the user's reasons."""
        table = {section: dict(keys) for section, keys in self.table.items()}
        for (section, key), value in values.items():
            table[section][key] = value
        kept = {key: reason for key, reason in self.reasons.items() if key not in values}
        return Config(self.line, table, kept | dict(reasons or {}))

    def without(self, other: Config) -> dict[Key, t.Any]:
        """The values in which this one differs from another one of the same line."""
        return {
            (section, key): value
            for section, keys in self.table.items()
            for key, value in keys.items()
            if other.table[section][key] != value
        }

    def text(self, only: Mapping[Key, t.Any] | None = None) -> str:
        """As TOML, each key on a line of its own; all keys, or only these."""
        lines: list[str] = []
        for section, keys in self.table.items():
            rows = [row for key in keys if only is None or (section, key) in only for row in self._rows(section, key)]
            lines += ["", f"[{section}]"] if section and (rows or only is None) else []
            lines += rows
        return "\n".join(lines).lstrip("\n") + "\n" if lines else ""

    def _rows(self, section: str, key: str) -> list[str]:
        reason = self.reasons.get((section, key))
        return [*([f"# {reason}"] if reason else []), f"{key} = {_value(self.table[section][key])}"]


# -- what the user sets


def read(
    basis: Config, settings: t.Any, faults: list[str], *, where: str = "", of_node: bool = False
) -> dict[Key, t.Any]:
    """The user's settings one by one, without those that are faulty; ``where`` they stand is said before each fault."""
    if not isinstance(settings, Mapping):
        faults.append(f"{where.rstrip('.')}: it takes sections and keys with values")
        return {}
    found: list[str] = []
    values = dict(_flatten(basis.line, basis.table, settings, found, of_node))
    faults += [where + fault for fault in found]
    return values


def _flatten(
    line: str, table: Table, settings: Mapping[str, t.Any], faults: list[str], of_node: bool
) -> Iterator[tuple[Key, t.Any]]:
    pending = [("", name, value) for name, value in settings.items() if name != "base"]
    base = settings.get("base", {})
    if isinstance(base, Mapping):
        pending += [("", name, value) for name, value in base.items()]
    else:
        faults.append("base: it takes keys with values")
    while pending:
        section, name, value = pending.pop(0)
        path = f"{section}.{name}".lstrip(".")
        if path in table:
            if isinstance(value, Mapping):
                pending += [(path, key, below) for key, below in value.items()]
            else:
                faults.append(f"{path}: it is a section and takes keys with values")
        elif name not in table[section]:
            faults.append(_unknown(line, table, section, name))
        elif (section, name) == PEERS:
            faults.append(
                f"{path}: it differs from node to node and comes from the topology, when a node starts; leave it out"
            )
        elif (section, name) in PER_NODE and not of_node:
            faults.append(f"{path}: it differs from node to node and is filled in when a node starts; leave it out")
        else:
            found = _faults(line, section, name, table[section][name], value, path)
            faults += found
            if not found:
                yield (section, name), value


def _unknown(line: str, table: Table, section: str, name: str) -> str:
    path = f"{section}.{name}".lstrip(".")
    lines = lines_that_know(section, name)
    if lines:
        return f"{path}: CometBFT {line} does not know it, {' and '.join(lines)} know it"
    paths = ["base", *filter(None, table)]
    paths += [f"{where}.{key}".lstrip(".") for where, keys in table.items() for key in keys]
    here = [_last(other) for other in paths if other.rpartition(".")[0] == section]
    same = [other for other in paths if _last(other) == name]
    # What is most likely meant comes first: a slip of the pen, another section, something similar.
    hint = (
        nearest(name, here, 0.85)
        or (f"; did you mean {' or '.join(same)}?" if same else "")
        or nearest(name, here)
        or nearest(name, map(_last, paths))
    )
    return f"{path}: CometBFT {line} has no such key or section{hint}"


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _faults(line: str, section: str, key: str, default: t.Any, value: t.Any, path: str) -> list[str]:
    """What is wrong with a value, judged by the type of the key's default."""
    if (section, key) in TABLES:
        return _table_faults(line, TABLES[section, key], value, path)
    if isinstance(default, bool):
        return [] if isinstance(value, bool) else [f"{path}: {value!r} is neither true nor false"]
    if isinstance(default, int):
        if isinstance(value, bool) or not isinstance(value, int):
            return [f"{path}: {value!r} is no whole number"]
        return [] if 0 <= value <= MAX_INT64 else [f"{path}: {value} is out of range, allowed are 0 to {MAX_INT64}"]
    if isinstance(default, Duration):
        return _duration_faults(value, path)
    if isinstance(default, list):
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return [] if texts else [f"{path}: {value!r} is no list of texts"]
    if not isinstance(value, str):
        return [f"{path}: {value!r} is no text" + (" (join its items with commas)" if isinstance(value, list) else "")]
    allowed = choices(line, section, key)
    if allowed and value not in allowed:
        return [f"{path}: {value!r} is unknown, allowed: {', '.join(allowed)}{nearest(value, allowed)}"]
    return []


def _duration_faults(value: t.Any, path: str) -> list[str]:
    if not isinstance(value, str):
        return [f"{path}: {value!r} is no duration; write it with its unit, such as 500ms, 10s or 1m30s"]
    try:
        return [] if nanoseconds(value) >= 0 else [f"{path}: {value} is negative"]
    except ValueError as error:
        return [f"{path}: {error}"]


def _table_faults(line: str, members: Mapping[str, t.Any], value: t.Any, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return [f"{path}: it takes a list of items with {', '.join(members)}"]
    faults: list[str] = []
    for number, item in enumerate(value):
        for name, member in item.items():
            at = f"{path}[{number}].{name}"
            if name in members:
                faults += _faults(line, path, name, members[name], member, at)
            else:
                faults.append(f"{at}: there is no such key{nearest(name, members)}")
    return faults


# -- TOML


def _value(value: t.Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {_value(member)}' for key, member in value.items())}}}"
    # JSON's escapes are TOML's, but for one character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
