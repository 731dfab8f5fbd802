# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: the supported lines of CometBFT, DNS labels, nodes, objects and files of a network, and what was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

#: Supported release lines, oldest first.
LINES = ("0.38", "0.39", "0.40")

NETWORK_LABEL = "mintnet.io/network"
GROUP_LABEL = "tm"
#: By which Kubernetes knows where a machine is.
ZONE_LABEL = "topology.kubernetes.io/zone"
#: The group that every network has, and that has its genesis validators.
FIRST = "tm"
#: Recorded on a StatefulSet: how many nodes we gave it, so that a later kubectl scale is noticed.
NODES_ANNOTATION = "mintnet.io/nodes"
#: Recorded beside it, once the network is stopped: how many nodes it had. Empty as long as it runs.
STOPPED_ANNOTATION = "mintnet.io/stopped"
MANAGED = ("app.kubernetes.io/managed-by", "mintnet.kubernetes")
#: A network's objects that are alone of their kind: genesis, rows of the nodes, who has started.
CONFIG, NODES, STARTED = "tm-config", "tm-nodes", "tm-started"
#: The disruption budget of a network's validators; groups of sentries have one of their own.
BUDGET = "tm"
#: Each group's nodes have their keys in a Secret of this name behind the group's.
OF_KEYS = "-keys"
#: Which single nodes are stopped on purpose, and since when: their init container waits as long as they are in it.
STOPPED = "tm-stopped"
#: Where pods make their own keys: the container that serves their public half, and its port.
PUB_KEY, PUB_KEY_PORT = "pub-key", 8080

#: A path of manifests that ends like this is one file with everything in it, any other one a folder.
SINGLE = (".yaml", ".yml")

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ORDINAL = re.compile(r"-(0|[1-9]\d*)$", re.ASCII)
_VERSION = re.compile(r"v?(\d+\.\d+)(\.\d+([-+][0-9A-Za-z.+-]+)?)?", re.ASCII)


def line_of(version: str) -> str | None:
    """The release line of a version such as 0.40.0, v0.40.0 or 0.40; None if it is not supported."""
    match = _VERSION.fullmatch(version)
    return match[1] if match and match[1] in LINES else None


def unknown_version(version: str) -> str:
    """What to say where line_of gives None."""
    return (
        f"version {version} is not supported: choose one of {', '.join(LINES)}, or a release of them such as 0.40.0 "
        "(in quotes: YAML reads 0.40 as the number 0.4)"
    )


def is_label(name: str) -> bool:
    """Whether a name can be that of a pod, a Service or a folder (RFC 1123)."""
    return _LABEL.fullmatch(name) is not None


def nodes_of(network: str) -> str:
    """The selector of the pods that are nodes: others of a network belong to no group."""
    return f"{NETWORK_LABEL}={network},{GROUP_LABEL}"


def group_of(node: str) -> str:
    """The name of a node's StatefulSet."""
    return _ORDINAL.sub("", node)


def ordinal_of(node: str) -> int | None:
    """A node's number in its group; None where the name has none."""
    match = _ORDINAL.search(node)
    return int(match[1]) if match else None


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """'; did you mean X?' for the most similar of the known names, or nothing."""
    similar = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {similar[0]}?" if similar else ""


def is_single(place: str) -> bool:
    """Whether manifests go into one file, as it says by its name."""
    return place.endswith(SINGLE)
