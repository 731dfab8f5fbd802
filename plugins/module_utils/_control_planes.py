# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine speaks for a cluster of several, and how they and their pods are reached."""

from __future__ import annotations

import concurrent.futures
import socket
import typing as t
import urllib.parse
from collections.abc import Mapping, Sequence

Info = Mapping[str, t.Any]


def lead(infos: Mapping[str, Info]) -> str:
    """The control plane that the others follow, of these by name with what machine_info tells of each.

    One whose API server answers comes first, then one that has the cluster, then one that began it, then any that was
    reached. Nothing where none was.
    """
    reached = {name: info["kubernetes"] for name, info in infos.items() if info.get("kubernetes")}
    return min(reached, key=lambda name: _rank(reached[name]), default="")


def _rank(kubernetes: Info) -> int:
    if kubernetes["api"]["answers"]:
        return 0
    return {"done": 1, "begun": 2}.get(kubernetes["state"], 3)


def pod_routes(nodes: Sequence[Info], name: str) -> list[dict[str, str]]:
    """How the machine of this name reaches the pods of the others: their ranges, and the machines that these are on."""
    return [
        {"to": node["pod_cidr"], "via": node["address"]}
        for node in sorted(nodes, key=lambda node: str(node["name"]))
        if node["name"] != name and node["pod_cidr"] and node["address"]
    ]


def first_open(servers: Sequence[str], timeout: float) -> str:
    """The first of these URLs whose host takes a connection within so many seconds; nothing where none does."""
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
        found = list(pool.map(lambda url: _open(url, timeout), servers))
    return next((url for url, taken in zip(servers, found, strict=True) if taken), "")


def _open(url: str, timeout: float) -> bool:
    parts = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 443), timeout).close()
    except OSError:
        return False
    return True
