# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster remembers of single nodes, in ConfigMaps that have an entry for each."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import GROUP_LABEL, MANAGED, NETWORK_LABEL


def note(api: Api, doing: str, network: str, name: str, entries: Mapping[str, str], tries: int = 2) -> None:
    """Write these entries, and leave all others alone."""
    try:
        api.merge(doing, "ConfigMap", network, name, {"data": dict(entries)})
    except ClusterError as error:
        if error.status != 404:
            raise
        labels = {NETWORK_LABEL: network, GROUP_LABEL: "tm", MANAGED[0]: MANAGED[1]}
        metadata = {"name": name, "namespace": network, "labels": labels}
        definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(entries)}
        try:
            api.create(doing, definition)
        except ClusterError as conflict:
            # Another run was quicker.
            if conflict.reason != "AlreadyExists" or tries == 1:
                raise
            note(api, doing, network, name, entries, tries - 1)


def strike(api: Api, doing: str, network: str, name: str, entries: list[str]) -> None:
    """Remove these entries."""
    try:
        api.merge(doing, "ConfigMap", network, name, {"data": dict.fromkeys(entries)})
    except ClusterError as error:
        if error.status != 404:
            raise
