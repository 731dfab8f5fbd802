# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for keys are asked: the options they share, the nodes' names, and the place."""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_places import Directory, Nowhere
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_secret import Secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import OF_KEYS, is_label

CHECKING = "checking what was asked"

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **_cluster.ARGUMENT_SPEC,
    "namespace": {"type": "str"},
    "secret": {"type": "str", "no_log": False},
    "directory": {"type": "path"},
    "group": {"type": "str", "default": "tm"},
    "count": {"type": "int"},
    "nodes": {"type": "list", "elements": "str"},
}


def names_of(params: dict[str, t.Any], faults: list[str]) -> list[str]:
    """The nodes' names."""
    names: list[str] = params["nodes"] or []
    if params["count"] is not None:
        if params["count"] < 1:
            faults.append(f"count is {params['count']}, at least 1 is needed")
        names = [f"{params['group']}-{number}" for number in range(params["count"])]
    twice = sorted({name for name, times in Counter(names).items() if times > 1})
    faults += [f"node {name} is there twice" for name in twice]
    faults += [
        f"{name!r} is no name for a node: at most 63 lower-case letters, digits and dashes"
        for name in names
        if not is_label(name)
    ]
    return names


def connect(params: dict[str, t.Any]) -> Api:
    return Api(_cluster.connect(params["kubeconfig"], params["context"]))


def place_of(params: dict[str, t.Any], labels: dict[str, str] | None = None) -> Directory | Secret | Nowhere:
    if params["directory"] is not None:
        return Directory(Path(params["directory"]))
    if params["namespace"] is None:
        return Nowhere()
    return Secret(connect(params), params["namespace"], secret_of(params), labels or {})


def secret_of(params: dict[str, t.Any]) -> str:
    return str(params["secret"] or params["group"] + OF_KEYS)
