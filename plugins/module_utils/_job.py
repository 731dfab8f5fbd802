# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to a Job of Kubernetes: its pods, and why it gets none."""

from __future__ import annotations

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json


def pods_of(api: Api, doing: str, namespace: str, job: str) -> list[Json]:
    return api.list(doing, "Pod", namespace, f"batch.kubernetes.io/job-name={job}")


def last_warning_of(api: Api, doing: str, namespace: str, job: str) -> str:
    """In the cluster's words, on one line; '' where there was none."""
    about = {"fieldSelector": f"involvedObject.kind=Job,involvedObject.name={job},type=Warning"}
    events = api.request(doing, "GET", KINDS["Event"].path(namespace), about).json()["items"]
    return " ".join(str(events[-1].get("message")).split()) if events else ""
