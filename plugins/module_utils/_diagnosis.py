# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod does not run, in one sentence, from what Kubernetes says about it, and what to do about it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._logs import remedy, telling
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import PUB_KEY
from ansible_collections.mintnet.kubernetes.plugins.module_utils._room import (
    is_for_good,
    machine_fault,
    quota_is_for_good,
    room_of,
)

Json = dict[str, t.Any]

_PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CREATE = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
#: The containers that lay a node's home out: the second one where pods make their own keys.
INITS = ("tm-gen-validator", "tm-collect")
#: The application's container, where it has one of its own. When it ends, the node ends with it.
APP = "app"
#: How one ends when a validator that had started has no signing state, or not the key that the genesis says.
STATE_LOST = 3
# A registry that is away for a while says one of these; the pull is tried again and may succeed.
_PASSING = re.compile(
    r"dial tcp|no such host|timeout|deadline|handshake|connection re|EOF|server misbehaving|too many requests"
    r"|unexpected status.*\b(429|5\d\d)\b",
    re.IGNORECASE,
)
_ABSENT = re.compile(r"not found|manifest unknown|does not exist|denied|unauthorized|forbidden|never", re.IGNORECASE)
#: As registries say that ask for a login, and those that do not tell what is there to who has none.
_LOGIN = re.compile(r"\b401\b|\b403\b|denied|unauthorized|authoriz|authenticat|forbidden", re.IGNORECASE)
_PLATFORM = re.compile(r"no match for platform|does not match the (specified|desired) platform|wrong platform")
# A program that is not in the image, or not for this machine, is so at each further start.
_NO_PROGRAM = re.compile(r"exec format error|executable file not found|exec: .*no such file or directory")
_AGAIN = "then run create again"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a node, what to do, and where more is said about it."""

    reason: str = ""
    next: str = ""
    #: Whether only somebody's doing ends it, so that waiting makes no sense.
    lasting: bool = False
    log: tuple[str, ...] = ()
    #: The container whose log says more than the cluster knows; of the run before where ``previous``.
    container: str = ""
    previous: bool = False

    def __bool__(self) -> bool:
        return bool(self.reason)


@dataclass
class Around:
    """What surrounds the pods and may be the cause."""

    claims: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    #: None where the user may not read them.
    machines: list[Json] | None = None
    quotas: list[Json] | None = None
    #: Whether something that adds machines has taken notice of a pod.
    growing: bool = False

    def machine(self, pod: Json) -> Json:
        name = pod["spec"].get("nodeName")
        return next((item for item in self.machines or [] if item["metadata"]["name"] == name), {})


def pod_trouble(pod: Json, replicas: int, around: Around) -> Trouble:
    """What keeps one of so many equal pods from running; an empty one where it is only on its way."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    name = metadata["name"]
    if metadata.get("deletionTimestamp"):
        return Trouble(
            "is being terminated",
            f"wait for it; where its machine is gone for good: kubectl delete node {_machine(pod)}",
        )
    for key in ("initContainerStatuses", "containerStatuses"):
        # The cause comes before what it causes.
        for container in sorted(status.get(key) or [], key=lambda container: container["name"] != APP):
            trouble = _container_trouble(container, pod, around, begins=key == "initContainerStatuses")
            if trouble:
                return trouble
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _unscheduled(pod, replicas, condition, around)
    if status.get("phase") == "Failed":
        said = f"failed: {status.get('reason', '')} {status.get('message', '')}".strip()
        return Trouble(said, remedy(said) or _room_on_disk(said) or f"kubectl describe pod {name} says more")
    if fault := machine_fault(around.machine(pod)):
        return Trouble(f"its machine {_machine(pod)} {fault.reason}", fault.next)
    if status.get("phase") != "Running":
        warned = last_warning(around.events, "Pod", name)
        if warned:
            return Trouble(f"is not started yet: {warned}", f"kubectl describe pod {name} says more")
        return Trouble(_init_state(status), f"wait for it, or see make logs NODE={name}")
    return Trouble()


def app_of(pod: Json) -> Json | None:
    """How the application beside a node is; None where it is built into the node."""
    if all(container["name"] != APP for container in pod["spec"].get("containers") or []):
        return None
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    status: Json = next((item for item in statuses if item["name"] == APP), {})
    kind, details = next(iter((status.get("state") or {"waiting": {}}).items()))
    said = details.get("reason", "") if kind != "running" else ""
    return {
        "state": f"{kind}: {said}" if said else kind,
        "ready": bool(status.get("ready")),
        "restarts": int(status.get("restartCount", 0)),
    }


def is_stuck(pod: Json) -> bool:
    """Whether a container cannot be started, or ends again and again."""
    status = pod.get("status") or {}
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in {*_PULL, *_CREATE, "CrashLoopBackOff"}:
            return True
    return False


def _init(pod: Json) -> Json:
    """The state of the init container that lays the node's home out, the last one."""
    containers = (pod.get("status") or {}).get("initContainerStatuses") or []
    states = [container.get("state") or {} for container in containers if container["name"] in INITS]
    return states[-1] if states else {}


def holds(pod: Json) -> bool:
    """Whether the init container runs, which waits in a node that is stopped."""
    return "running" in _init(pod)


def initialized(pod: Json) -> bool:
    """Whether the init container is through, so that the node is started."""
    ended = _init(pod).get("terminated")
    return ended is not None and not ended.get("exitCode")


def state_lost(pod: Json) -> bool:
    """Whether an init container refuses a validator whose volume was lost."""
    for container in (pod.get("status") or {}).get("initContainerStatuses") or []:
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if container["name"] in INITS and (state.get("terminated") or {}).get("exitCode") == STATE_LOST:
                return True
    return False


def workload_trouble(name: str, replicas: int, around: Around) -> Trouble:
    """Why a StatefulSet makes no pods: a quota, a refused security context, a claim that cannot be made."""
    said = last_warning(around.events, "StatefulSet", name)
    if "exceeded quota" in said:
        return Trouble(
            said,
            f"raise this quota of the namespace, or ask for less with cometbft_nodes or cometbft_resources, {_AGAIN}",
            lasting=quota_is_for_good(said, replicas, around.quotas),
        )
    return Trouble(said, f"change what it names, {_AGAIN}") if said else Trouble()


def last_warning(events: Iterable[Json], kind: str, name: str, words: str = "") -> str:
    found = [
        event
        for event in events
        if event.get("type") == "Warning"
        and event["involvedObject"].get("kind") == kind
        and event["involvedObject"].get("name") == name
        and words in (event.get("message") or "")
    ]
    if not found:
        return ""
    latest = max(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return f"{latest.get('reason', '')}: {' '.join((latest.get('message') or '').split())}"[:500]


def _container_trouble(container: Json, pod: Json, around: Around, *, begins: bool) -> Trouble:
    state, last = container.get("state") or {}, container.get("lastState") or {}
    waiting, name = state.get("waiting") or {}, container["name"]
    reason, message = waiting.get("reason", ""), " ".join((waiting.get("message") or "").split())
    if reason in _PULL:
        return _pull_trouble(container, reason, message, pod, around)
    if reason in _CREATE:
        said = message or reason
        advice = _other_program(name, said) or remedy(said) or f"change what it names, {_AGAIN}"
        return Trouble(f"{name} cannot be started: {said}", advice, lasting=bool(_NO_PROGRAM.search(said)))
    restarts = container.get("restartCount", 0)
    ended = state.get("terminated")
    if not ended and (reason == "CrashLoopBackOff" or ("running" in state and restarts)):
        ended = last.get("terminated")
    if not ended or (begins and not ended.get("exitCode")):
        return Trouble()
    if "running" in state and not ended.get("exitCode"):
        return Trouble()
    return _ending(name, ended, restarts, pod["metadata"]["name"], previous="terminated" not in state)


def _ending(name: str, ended: Json, restarts: int, node: str, *, previous: bool) -> Trouble:
    memory = ended.get("reason") == "OOMKilled"
    cause = "out of memory" if memory else f"exit code {ended.get('exitCode', 0)}"
    message = ended.get("message") or ""
    lines = telling(message)
    reason = f"{name} ended with {cause} ({restarts} restarts)" + (f": {' | '.join(lines)}" if lines else "")
    lost = name in INITS and ended.get("exitCode") == STATE_LOST
    if lost:
        advice = f"bring its volume back, or, where it is lost for good: make recover NODE={node}"
    elif memory:
        variable = "cometbft_app_resources" if name == APP else "cometbft_resources"
        advice = f"give it more with {variable}.limits.memory, {_AGAIN}"
    else:
        advice = (
            _other_program(name, message) or remedy(message) or f"make logs NODE={node} CONTAINER={name} shows more"
        )
    return Trouble(
        reason,
        advice,
        lasting=lost or bool(_NO_PROGRAM.search(message)),
        log=tuple(lines),
        container=name,
        previous=previous,
    )


def _other_program(name: str, message: str) -> str:
    if name != APP or not _NO_PROGRAM.search(message) or "exec format" in message:
        return ""
    return f"name a program that its image has in cometbft_app_command, {_AGAIN}"


def _pull_trouble(container: Json, reason: str, message: str, pod: Json, around: Around) -> Trouble:
    image, name = container["image"], container["name"]
    begins = next((one["image"] for one in pod["spec"].get("initContainers") or []), image)
    # A program that is the node, too, has another image than the container before it.
    variable = "cometbft_app_image" if name == APP or image != begins else "cometbft_image"
    if name == PUB_KEY:
        variable = "cometbft_pub_key_image"
    if "ErrImagePull" not in message and reason == "ImagePullBackOff":
        # In older versions of Kubernetes the back-off does not repeat its cause.
        message = last_warning(around.events, "Pod", pod["metadata"]["name"], "Failed to pull") or message
    said = message or reason
    if _PLATFORM.search(said):
        kind = around.machine(pod).get("status", {}).get("nodeInfo", {}).get("architecture", "")
        machine = f"{_machine(pod)}{f' ({kind})' if kind else ''}"
        return Trouble(
            f"the image {image} of {name} is not for the machine {machine}: {said}",
            f"build or name an image for {kind or 'this kind of machine'} in {variable}, {_AGAIN}",
            lasting=True,
        )
    if reason != "InvalidImageName" and _PASSING.search(said):
        advice = (
            f"check that the machine {_machine(pod)} reaches the registry, or name an image of one that it reaches in "
            f"{variable}, {_AGAIN}"
        )
        return Trouble(f"the image {image} of {name} cannot be pulled: {said}", advice)
    login = ", or a Secret with a login that may in cometbft_pull_secrets" if _LOGIN.search(said) else ""
    return Trouble(
        f"the image {image} of {name} cannot be pulled: {said}",
        f"name an image that exists, and that the machines may pull, in {variable}{login}, {_AGAIN}",
        lasting=reason in ("InvalidImageName", "ErrImageNeverPull") or bool(_ABSENT.search(said)),
    )


def _unscheduled(pod: Json, replicas: int, condition: Json, around: Around) -> Trouble:
    names = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or []
        if "persistentVolumeClaim" in volume
    }
    said = condition.get("message") or condition.get("reason", "unscheduled")
    for claim in around.claims:
        name = claim["metadata"]["name"]
        if name in names and (claim.get("status") or {}).get("phase") == "Pending":
            warned = last_warning(around.events, "PersistentVolumeClaim", name)
            # A class that binds late keeps the claim pending until a machine is found, so this may not be the cause.
            if warned or "PersistentVolumeClaim" in said:
                return _pending_volume(claim, warned or said)
    return Trouble(
        f"no machine takes it: {said}",
        _room_on_disk(said)
        or room_of(pod, around.machines)
        or f"see what the machines lack: kubectl describe nodes; {_AGAIN}",
        lasting=not around.growing and is_for_good(pod, replicas, around.machines),
    )


def _pending_volume(claim: Json, said: str) -> Trouble:
    name = claim["metadata"]["name"]
    asked = claim.get("spec", {}).get("storageClassName")
    # Looked for again every 15 s by the controller of volumes: a class that somebody makes ends it.
    absent = bool(re.search(r'storageclass\S* "?\S+"? not found', said))
    return Trouble(
        f"its volume {name} is pending: {said}",
        f"name a storage class that can make volumes in cometbft_storage_class (now: {asked or 'none'}; kubectl get "
        f"storageclass lists them), or set cometbft_ephemeral for a throw-away network; make destroy first",
        lasting=absent,
    )


def _room_on_disk(said: str) -> str:
    if "disk-pressure" in said or "ephemeral-storage" in said:
        return f"the machine's disk is nearly full: free some there, {_AGAIN}"
    return ""


def _machine(pod: Json) -> str:
    return str(pod["spec"].get("nodeName") or "")


def _init_state(status: Json) -> str:
    for container in status.get("initContainerStatuses") or []:
        if "running" in (container.get("state") or {}):
            return f"its init container {container['name']} still runs"
    return "is being started"
