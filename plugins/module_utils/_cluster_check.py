# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster that somebody else made can carry a network: all faults at once, and nothing is changed.

What the user has no right to look at is neither a fault nor taken for granted: it is listed as not verified.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster_state import default_storage_class
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    FIRST,
    GROUP_LABEL,
    NETWORK_LABEL,
    nodes_of,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._quantity import plain, quantity
from ansible_collections.mintnet.kubernetes.plugins.module_utils._room import is_for_good, requests_of, room_of

#: The oldest Kubernetes that networks are made for: native sidecars, server-side apply and the rest are stable there.
OLDEST = (1, 32)

#: What the collection does in a network's namespace, by kind or kind/subresource; without one of these nothing works.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "ConfigMap": ("get", "list", "create", "patch", "delete"),
    "Secret": ("get", "list", "create", "patch", "delete"),
    "Service": ("get", "list", "create", "patch", "delete"),
    "StatefulSet": ("get", "list", "create", "patch", "delete"),
    "Pod": ("get", "list", "delete"),
    "Pod/log": ("get",),
    "Pod/proxy": ("create",),
    "PersistentVolumeClaim": ("get", "list", "delete"),
    "Event": ("list",),
}
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_UNSCHEDULABLE = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class Wish:
    """What is to run: ``resources`` as a container has them, ``volume`` the size of each claim or "" for none."""

    network: str
    nodes: int
    resources: Mapping[str, Mapping[str, str]]
    volume: str = ""
    storage_class: str = ""
    group: str = FIRST
    #: Groups of nodes beside it, of the same network.
    further: Sequence[Wish] = ()

    @property
    def all(self) -> list[Wish]:
        return [self, *self.further]

    @property
    def count(self) -> int:
        return sum(one.nodes for one in self.all)


@dataclass
class Findings:
    version: str = ""
    faults: list[str] = field(default_factory=list)
    #: What may yet come right, as where machines are added when they are needed.
    notes: list[str] = field(default_factory=list)
    not_verified: list[str] = field(default_factory=list)


def check(api: Api, wish: Wish) -> Findings:
    doing = f"checking the cluster of context {api.cluster.context}"
    reviews = {(right, verb): partial(_may, api, doing, wish.network, right, verb) for right, verb in _rights()}
    looks: dict[str, Callable[[], t.Any]] = {
        "version": lambda: api.request(doing, "GET", "/version").json(),
        "namespace": lambda: api.get(doing, "Namespace", name=wish.network) or {},
        "classes": partial(api.list, doing, "StorageClass"),
        "machines": partial(api.list, doing, "Node"),
        "quotas": partial(api.list, doing, "ResourceQuota", wish.network),
        "pods": partial(api.list, doing, "Pod", wish.network, nodes_of(wish.network)),
    }
    answers: dict[t.Any, t.Any] = api.side_by_side({**looks, **reviews})
    unreachable = next((one for one in answers.values() if isinstance(one, ClusterError) and one.status != 403), None)
    if unreachable:
        raise unreachable

    seen = {name: None if isinstance(answers[name], ClusterError) else answers[name] for name in looks}
    findings = Findings(not_verified=[name for name, what in _WORDS.items() if seen[what] is None])
    findings.version = str((seen["version"] or {}).get("gitVersion", ""))
    lacking = {key: verbs for key in NEEDED if (verbs := [verb for verb in NEEDED[key] if not answers[key, verb]])}
    new = seen["namespace"] == {}
    findings.faults += [
        *_of_version(findings.version),
        *(_of_namespace(wish.network) if new and not answers["Namespace", "create"] else ()),
        *_of_rights(lacking, api.cluster.context, wish.network),
        *dict.fromkeys(fault for one in wish.all if one.nodes for fault in _of_storage(one, seen["classes"])),
        *_of_quotas(wish, seen["quotas"] or [], seen["pods"] or []),
    ]
    if len(seen["pods"] or []) < wish.count:
        findings.notes += _of_machines(wish, seen["machines"])
    return findings


_WORDS = {
    "the namespace": "namespace",
    "storage classes": "classes",
    "machines and their room": "machines",
    "quotas": "quotas",
}


def _rights() -> Iterator[tuple[str, str]]:
    yield "Namespace", "create"
    for right, verbs in NEEDED.items():
        for verb in verbs:
            yield right, verb


def _may(api: Api, doing: str, namespace: str, right: str, verb: str) -> bool:
    """One question of the API authorization.k8s.io/v1, SelfSubjectAccessReview."""
    name, _slash, subresource = right.partition("/")
    kind = KINDS[name]
    attributes = {
        "verb": verb,
        "group": kind.version.partition("/")[0] if "/" in kind.version else "",
        "resource": kind.plural,
        **({"subresource": subresource} if subresource else {}),
        **({"namespace": namespace} if kind.namespaced else {}),
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool(api.request(doing, "POST", _REVIEW, body=body, reads=True).json()["status"]["allowed"])


def _of_version(version: str) -> Iterator[str]:
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if match and (int(match[1]), int(match[2])) < OLDEST:
        yield f"it runs Kubernetes {version}, and networks need {OLDEST[0]}.{OLDEST[1]} or newer; upgrade it"


def _of_namespace(network: str) -> Iterator[str]:
    yield (
        f"there is no namespace {network}, and the user may not make it: ask for it, or name one that exists in "
        "cometbft_network"
    )


def _of_rights(lacking: Mapping[str, Iterable[str]], context: str, network: str) -> Iterator[str]:
    if lacking:
        rights = ", ".join(f"{' '.join(verbs)} {_resource(right)}" for right, verbs in lacking.items())
        yield f"the user of context {context} may not, in namespace {network}: {rights}; ask for a Role that allows it"


def _resource(right: str) -> str:
    name, slash, subresource = right.partition("/")
    return KINDS[name].plural + slash + subresource


def _of_storage(wish: Wish, classes: list[Json] | None) -> Iterator[str]:
    if not wish.volume or classes is None:
        return
    names = [item["metadata"]["name"] for item in classes]
    there = f"there are {', '.join(names)}" if names else "there are none"
    if wish.storage_class:
        if wish.storage_class not in names:
            variable = "cometbft_" if wish.group == FIRST else f"cometbft_groups.{wish.group}."
            yield f"{variable}storage_class = {wish.storage_class!r}: there is no such storage class; {there}"
    elif not default_storage_class(classes):
        yield (
            f"it has no default storage class: name one in cometbft_storage_class ({there}), or set cometbft_ephemeral "
            "for a network that may lose its data"
        )


def _of_quotas(wish: Wish, quotas: list[Json], pods: list[Json]) -> Iterator[str]:
    """Quotas count what pods ask for; those of the network's pods that exist are in what is used."""
    there = Counter((pod["metadata"].get("labels") or {}).get(GROUP_LABEL, FIRST) for pod in pods)
    each = [(one, _of_each(one)) for one in wish.all]
    for quota in quotas:
        name, labels = quota["metadata"]["name"], quota["metadata"].get("labels") or {}
        if labels.get(NETWORK_LABEL) == wish.network:
            continue  # ours: it grows with the network
        hard, used = quota["spec"].get("hard") or {}, (quota.get("status") or {}).get("used") or {}
        for what, most in hard.items():
            left = quantity(most) - quantity(used.get(what, 0))
            wanted = sum(
                (counted.get(what, Decimal()) * max(0, one.nodes - there[one.group]) for one, counted in each),
                Decimal(),
            )
            if wanted > left:
                whole = sum((counted.get(what, Decimal()) * one.nodes for one, counted in each), Decimal())
                yield (
                    f"quota {name} of namespace {wish.network} allows {most} of {what}, of which {used.get(what, 0)} "
                    f"are used, and {wish.count} nodes need {plain(whole)}: ask for more, or for "
                    "less with cometbft_nodes and cometbft_resources"
                )


def _of_each(wish: Wish) -> dict[str, Decimal]:
    """What a quota counts for one node."""
    requests, limits = wish.resources.get("requests") or {}, wish.resources.get("limits") or {}
    each = {"pods": Decimal(1), "count/pods": Decimal(1), "services": Decimal(1), "count/services": Decimal(1)}
    for name in ("cpu", "memory"):
        each[name] = each[f"requests.{name}"] = quantity(requests.get(name, 0))
        each[f"limits.{name}"] = quantity(limits.get(name, 0))
    if wish.volume:
        each["persistentvolumeclaims"] = each["count/persistentvolumeclaims"] = Decimal(1)
        each["requests.storage"] = quantity(wish.volume)
    return each


def _of_machines(wish: Wish, machines: list[Json] | None) -> Iterator[str]:
    if machines is None:
        return
    open_to_all = [item for item in machines if not item["spec"].get("unschedulable") and not _tainted(item)]
    if not open_to_all:
        yield "no machine takes pods now: all are cordoned or tainted"
        return
    pods = [(one.nodes, {"spec": {"containers": [{"resources": one.resources}]}}) for one in wish.all if one.nodes]
    if len(pods) > 1:
        # All of them need at least what the smallest ones would.
        asked = [requests_of(pod) for _nodes, pod in pods]
        least = {name: str(min(one[name] for one in asked)) for name in ("cpu", "memory")}
        pods.append((wish.count, {"spec": {"containers": [{"resources": {"requests": least}}]}}))
    for nodes, pod in pods:
        if is_for_good(pod, nodes, open_to_all):
            yield f"its machines have no room for {nodes} nodes, unless more are added: {room_of(pod, open_to_all)}"
            return


def _tainted(machine: Json) -> bool:
    return any(taint.get("effect") in _UNSCHEDULABLE for taint in machine["spec"].get("taints") or [])
