# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod does not run, in one sentence, from what Kubernetes says about it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable

Json = dict[str, t.Any]

_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CREATE = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
#: How tm-gen-validator ends when a validator that had started has no signing state.
STATE_LOST = 3
# Lines that tell the cause of a crash, the best first.
_TELLING = (
    re.compile(r"^panic:|^ERROR:|^fatal error:|^tm-gen-validator:|exec format error"),
    re.compile(r"\b(err|error|panic|fatal|failed|cannot|mismatch|no space left|denied)\b", re.IGNORECASE),
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def telling_lines(log: str, count: int = 3) -> str:
    """The lines at the end of a log that say why it ends."""
    lines = [line.strip() for line in _COLOURS.sub("", log).splitlines() if line.strip()]
    for pattern in _TELLING:
        found = [line for line in lines if pattern.search(line)]
        if found:
            break
    else:
        found = lines
    return " | ".join(line[:300] for line in found[-count:])


def pod_trouble(pod: Json, claims: Iterable[Json], events: Iterable[Json]) -> str:
    """What keeps a pod from running, or nothing where it is only on its way."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    if metadata.get("deletionTimestamp"):
        return "is being terminated"
    statuses = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    for container in statuses:
        trouble = _container_trouble(container)
        if trouble:
            return trouble
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _unscheduled(pod, condition, claims, events)
    if status.get("phase") == "Failed":
        return f"failed: {status.get('reason', '')} {status.get('message', '')}".strip()
    if status.get("phase") != "Running":
        warned = _last_warning(events, "Pod", metadata["name"])
        return f"is not started yet: {warned}" if warned else _init_state(status)
    return ""


def is_stuck(pod: Json) -> bool:
    """Whether a container cannot be started, or ends again and again."""
    status = pod.get("status") or {}
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in {*_PULL, *_CREATE, "CrashLoopBackOff"}:
            return True
    return False


def state_lost(pod: Json) -> bool:
    """Whether the init container refuses a validator whose volume has no signing state."""
    for container in (pod.get("status") or {}).get("initContainerStatuses") or []:
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if (state.get("terminated") or {}).get("exitCode") == STATE_LOST:
                return True
    return False


def workload_trouble(name: str, events: Iterable[Json]) -> str:
    """Why a StatefulSet makes no pods: a quota, a refused security context, a claim that cannot be made."""
    return _last_warning(events, "StatefulSet", name)


def _container_trouble(container: Json) -> str:
    state, last = container.get("state") or {}, container.get("lastState") or {}
    waiting, name = state.get("waiting") or {}, container["name"]
    reason, message = waiting.get("reason", ""), (waiting.get("message") or "").strip()
    if reason in _PULL:
        return f"the image {container['image']} of {name} cannot be pulled: {message or reason}"
    if reason in _CREATE:
        return f"{name} cannot be started: {message or reason}"
    ended = state.get("terminated") or (last.get("terminated") if reason == "CrashLoopBackOff" else None)
    if ended and ended.get("exitCode"):
        cause = "out of memory" if ended.get("reason") == "OOMKilled" else f"exit code {ended['exitCode']}"
        said = telling_lines(ended.get("message") or "")
        ending = f"{name} ended with {cause} ({container.get('restartCount', 0)} restarts)"
        return f"{ending}: {said}" if said else ending
    return ""


def _unscheduled(pod: Json, condition: Json, claims: Iterable[Json], events: Iterable[Json]) -> str:
    names = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or []
        if "persistentVolumeClaim" in volume
    }
    for claim in claims:
        name = claim["metadata"]["name"]
        if name in names and (claim.get("status") or {}).get("phase") == "Pending":
            warned = _last_warning(events, "PersistentVolumeClaim", name)
            # A class that binds late keeps the claim pending until a machine is found, so this may not be the cause.
            if warned or "PersistentVolumeClaim" in condition.get("message", ""):
                return f"its volume {name} is pending: {warned or condition['message']}"
    return f"no machine takes it: {condition.get('message') or condition.get('reason', 'unscheduled')}"


def _init_state(status: Json) -> str:
    for container in status.get("initContainerStatuses") or []:
        if "running" in (container.get("state") or {}):
            return f"its init container {container['name']} still runs"
    return "is being started"


def _last_warning(events: Iterable[Json], kind: str, name: str) -> str:
    found = [
        event
        for event in events
        if event.get("type") == "Warning"
        and event["involvedObject"].get("kind") == kind
        and event["involvedObject"].get("name") == name
    ]
    if not found:
        return ""
    latest = max(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return f"{latest.get('reason', '')}: {' '.join((latest.get('message') or '').split())}"[:500]
