# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a network away, or only its chain, and waits until it is gone."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Answer, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import TEMPLATE
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    CONFIG,
    MANAGED,
    NETWORK_LABEL,
    OF_KEYS,
    STARTED,
    STOPPED,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import data_of

#: Kinds whose objects belong to a network, in the order in which they go: what makes others first.
WHOLE = (
    "StatefulSet",
    "Job",
    "Pod",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Service",
    "ConfigMap",
    "Secret",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
)
_CHAIN = ("StatefulSet", "Job", "Pod", "PersistentVolumeClaim", "ConfigMap", "Secret")
#: Their data go anyway, so that nothing is lost by a short farewell; the process still ends before its pod is gone.
_GRACE = 1
SLEEP = 0.2


class RemovalError(MintnetError):
    """Something did not go."""


@dataclass
class Found:
    """What there is to remove: (kind, name), and what Kubernetes itself removes after it."""

    objects: list[tuple[str, str]] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    kept_volumes: list[str] = field(default_factory=list)
    not_verified: list[str] = field(default_factory=list)

    @property
    def claims(self) -> list[str]:
        return [name for kind, name in self.objects if kind == "PersistentVolumeClaim"]


def find(api: Api, network: str, *, chain_only: bool = False, keep_keys: bool = False) -> Found:
    """What is there of a network. The namespace is among it only if we made it for this network."""
    doing = f"looking for what belongs to the network {network}"
    kinds = _CHAIN if chain_only else WHOLE
    selector = {"labelSelector": f"{NETWORK_LABEL}={network}"}
    calls: dict[str, Callable[[], Answer]] = {
        kind: partial(api.request, doing, "GET", KINDS[kind].path(network), selector) for kind in kinds
    }
    calls["Namespace"] = partial(api.request, doing, "GET", KINDS["Namespace"].path(name=network))
    calls["PersistentVolume"] = partial(api.request, doing, "GET", KINDS["PersistentVolume"].path())

    found = Found()
    answers: dict[str, Json] = {}
    for kind, answer in api.side_by_side(calls).items():
        if isinstance(answer, Answer):
            answers[kind] = answer.json()
        elif answer.status == 403:
            found.not_verified.append(f"{kind}: reading it is forbidden")
        elif answer.status != 404:
            raise answer
    config = data_of(answers.get("ConfigMap", {}).get("items", []), CONFIG)
    if keep_keys and TEMPLATE in config:
        raise RemovalError(
            f"{doing}: its pods made their own keys, which lie on the volumes that go with the chain: they "
            "cannot be kept; run it again without cometbft_keep_keys, which makes new ones"
        )
    for kind in kinds:
        names = [item["metadata"]["name"] for item in answers.get(kind, {}).get("items", [])]
        found.objects += [(kind, name) for name in names if not chain_only or _of_chain(kind, name, keep_keys)]
    claims = set(found.claims)
    for volume in answers.get("PersistentVolume", {}).get("items", []):
        claim = volume["spec"].get("claimRef") or {}
        if claim.get("namespace") != network or claim.get("name") not in claims:
            continue
        kept = volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete"
        (found.kept_volumes if kept else found.volumes).append(volume["metadata"]["name"])

    namespace = answers.get("Namespace", {})
    if namespace and not chain_only and _ours(namespace, network):
        found.objects.append(("Namespace", network))
    return found


def _of_chain(kind: str, name: str, keep_keys: bool) -> bool:
    if kind == "ConfigMap":
        return name in (CONFIG, STARTED, STOPPED) or name.startswith(f"{CONFIG}-")  # a large genesis has parts
    if kind == "Secret":
        # Those of each group, what one cannot hold, and backups.
        return (name.endswith(OF_KEYS) or f"{OF_KEYS}-" in name) and not keep_keys
    return True


def _ours(namespace: Json, network: str) -> bool:
    labels = namespace["metadata"].get("labels") or {}
    return labels.get(MANAGED[0]) == MANAGED[1] and labels.get(NETWORK_LABEL) == network


def remove(api: Api, network: str, found: Found, timeout: float) -> None:
    """Delete it, and wait until nothing of it is there any more."""
    doing = f"removing the network {network}"
    deadline = time.monotonic() + timeout
    for objects in _steps(found.objects):
        _each(api, network, objects, partial(_delete, api, doing, network))
    gone = [*found.objects, *(("PersistentVolume", name) for name in found.volumes)]
    while left := _left(api, doing, network, gone):
        if time.monotonic() + SLEEP > deadline:
            shown = ", ".join(f"{kind} {name}" for kind, name in left)
            raise RemovalError(
                f"{doing}: after {timeout:g} s these are still there: {shown}; "
                "see what holds them (kubectl describe) and run it again"
            )
        time.sleep(SLEEP)


def _steps(objects: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """What goes at once, one step after the other: however far a run gets, nobody can sign twice afterwards.

    What would make pods anew goes first, then the pods, then the data. As long as there are keys and a genesis, it is
    known who has started: without their data these are not started again.
    """
    first, last = ("StatefulSet", "Job", "Pod", "PersistentVolumeClaim"), ("the record", "Namespace")

    def step(item: tuple[str, str]) -> str:
        kind, name = item
        if name == STARTED:
            return "the record"
        return kind if kind in (*first, *last) else "the rest"

    items = list(objects)
    return [[item for item in items if step(item) == one] for one in (*first, "the rest", *last)]


def _each(
    api: Api, network: str, objects: Iterable[tuple[str, str]], act: Callable[[tuple[str, str]], t.Any]
) -> dict[tuple[str, str], t.Any]:
    answers = api.side_by_side({item: partial(act, item) for item in objects})
    for answer in answers.values():
        if isinstance(answer, ClusterError):
            raise answer
    return answers


def _delete(api: Api, doing: str, network: str, item: tuple[str, str]) -> None:
    kind, name = item
    options: Json = {"propagationPolicy": "Background"}
    if kind == "Pod":
        options["gracePeriodSeconds"] = _GRACE
    try:
        api.request(doing, "DELETE", KINDS[kind].path(network, name), body=options)
    except ClusterError as error:
        if error.status not in (404, 409):  # gone, or (a namespace) on its way
            raise


def _left(api: Api, doing: str, network: str, objects: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that are still there; a namespace goes last, so while it is there nothing else need be asked."""
    items = list(objects)
    namespace = ("Namespace", network)
    if namespace in items and api.get(doing, *_place(network, namespace)) is not None:
        return [namespace]
    if namespace in items:
        items = [item for item in items if item[0] == "PersistentVolume"]
    answers = _each(api, network, items, lambda item: api.get(doing, *_place(network, item)))
    return [item for item, there in answers.items() if there is not None]


def _place(network: str, item: tuple[str, str]) -> tuple[str, str, str]:
    return item[0], network, item[1]
