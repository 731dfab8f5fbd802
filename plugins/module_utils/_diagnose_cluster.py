# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server and the nodes say of one network, for a bug report."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _live, _table
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnose import Collected
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import RpcError, batch, pod_proxy

#: Namespaces whose pods a network depends on.
SYSTEM = ("kube-system", "mintnet-storage")
LINES = 5000
METHODS = ("status", "net_info", "consensus_state", "dump_consensus_state", "abci_info", "num_unconfirmed_txs")


def collect(into: Collected, api: Api, network: str) -> None:
    try:
        version = api.request("reading the cluster's version", "GET", "/version").json()
    except ClusterError as error:
        into.miss("cluster/, objects/, logs/, rpc/ and status", str(error))
        return
    into.add("cluster/version.json", "version of the cluster", version)
    # First of all, so that nothing that follows can hold one of them.
    into.attempt("objects/secrets.json", partial(_secrets, into, api, network))
    pods: list[Json] = []
    into.attempt("objects/", partial(_objects, into, api, network, pods))
    into.attempt("cluster/", partial(_cluster, into, api))
    into.attempt("status", partial(_status, into, api, network))
    into.attempt("logs/", partial(_logs, into, api, network, pods))
    into.attempt("rpc/", partial(_rpc, into, api, network, pods))


def _secrets(into: Collected, api: Api, network: str) -> None:
    """Names, types and key names; the values only teach what to hide."""
    shown = []
    for item in api.list(f"reading the Secrets of {network}", "Secret", network):
        data = item.get("data") or {}
        for encoded in data.values():
            try:
                into.redactor.learn(base64.b64decode(encoded))
            except (binascii.Error, ValueError):
                continue
        metadata = {
            key: value for key, value in item["metadata"].items() if key not in ("annotations", "managedFields")
        }
        shown.append({"metadata": metadata, "type": item.get("type"), "keys": sorted(data)})
    into.add("objects/secrets.json", "Secrets: names, types and key names only", shown)


def _objects(into: Collected, api: Api, network: str, pods: list[Json]) -> None:
    kinds = {name: kind for name, kind in KINDS.items() if kind.namespaced and name != "Secret"}
    calls: dict[str, Callable[[], list[Json]]] = {
        name: partial(api.list, f"reading each {name} of {network}", name, network) for name in kinds
    }
    calls["PersistentVolume"] = partial(api.list, "reading the volumes", "PersistentVolume")
    calls["StorageClass"] = partial(api.list, "reading the storage classes", "StorageClass")
    calls["Namespace"] = partial(_one, api, network)
    for name, found in api.side_by_side(calls).items():
        file = f"objects/{KINDS[name].plural}.json"
        if isinstance(found, ClusterError):
            into.miss(file, str(found))
            continue
        if name == "PersistentVolume":
            found = [item for item in found if (item["spec"].get("claimRef") or {}).get("namespace") == network]
        if name == "Pod":
            pods += found
        if name == "Event":
            into.add("events.txt", "events of the network, oldest first", "\n".join(_told(found)) + "\n", keep_end=True)
        into.add(file, f"{name} objects, as the API has them", [_plain(item) for item in found])


def _one(api: Api, network: str) -> list[Json]:
    found = api.get(f"reading the namespace {network}", "Namespace", name=network)
    return [found] if found else []


def _cluster(into: Collected, api: Api) -> None:
    doing = "reading the cluster's machines"
    calls: dict[str, Callable[[], list[Json]]] = {
        "nodes": partial(api.list, doing, "Node"),
        **{f"pods of {space}": partial(api.list, f"reading the pods of {space}", "Pod", space) for space in SYSTEM},
        **{
            f"events of {space}": partial(api.list, f"reading the events of {space}", "Event", space)
            for space in SYSTEM
        },
    }
    for name, found in api.side_by_side(calls).items():
        file = f"cluster/{name.replace(' of ', '-')}"
        if isinstance(found, ClusterError):
            into.miss(file, str(found))
        elif name.startswith("events"):
            into.add(f"{file}.txt", f"{name}, oldest first", "\n".join(_told(found)) + "\n", keep_end=True)
        else:
            into.add(f"{file}.json", f"{name}, as the API has them", [_plain(item) for item in found])


def _plain(item: Json) -> Json:
    """Who last wrote which field fills pages and explains little."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def _told(events: Iterable[Json]) -> Iterator[str]:
    def time(event: Json) -> str:
        return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))

    for event in sorted(events, key=time):
        of, count = event.get("involvedObject") or {}, event.get("count") or 1
        head = f"{time(event)} {event.get('type')} {event.get('reason')} {of.get('kind')}/{of.get('name')}"
        message = " ".join(str(event.get("message")).split())
        yield f"{head}: {message}" + (f" (×{count})" if count > 1 else "")


def _status(into: Collected, api: Api, network: str) -> None:
    seen = _live.read(api, network)
    into.add("status.json", "the network as cometbft_info returns it", seen)
    into.add("status.txt", "the same as a table, with the verdict", _table.table(seen) + "\n")


def _logs(into: Collected, api: Api, network: str, pods: Iterable[Json]) -> None:
    """Each container's newest lines, and those of its life before."""
    wanted = {
        (pod["metadata"]["name"], container, previous): partial(
            _log, api, network, pod["metadata"]["name"], container, previous, into.limit
        )
        for pod in pods
        for container, before in _containers(pod)
        for previous in (False, True)[: 2 if before else 1]
    }
    for (pod, container, previous), found in api.side_by_side(wanted).items():
        file = f"logs/{pod}/{container}{'.previous' if previous else ''}.log"
        if isinstance(found, ClusterError):
            into.miss(file, str(found))
        else:
            what = f"log of container {container}" + (" before its last restart" if previous else "")
            into.add(file, what, found, keep_end=True)


def _containers(pod: Json) -> Iterator[tuple[str, bool]]:
    """Each container that has a log, and whether it had a life before."""
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(kind) or []:
            before = bool(one.get("restartCount")) or "terminated" in (one.get("lastState") or {})
            if before or "waiting" not in (one.get("state") or {}):
                yield one["name"], before


def _log(api: Api, network: str, pod: str, container: str, previous: bool, limit: int) -> str:
    query = {"container": container, "tailLines": str(LINES), "timestamps": "true", "limitBytes": str(limit * 4)}
    return api.log(f"reading the log of {container} in {pod}", network, pod, query, previous=previous)


def _rpc(into: Collected, api: Api, network: str, pods: Iterable[Json]) -> None:
    calls = {
        pod["metadata"]["name"]: partial(_ask, api, network, pod["metadata"]["name"])
        for pod in pods
        if (pod.get("status") or {}).get("phase") == "Running"
    }
    for pod, found in api.side_by_side(calls).items():
        if not isinstance(found, Mapping):
            into.miss(f"rpc/{pod}/", str(found))
            continue
        for method, answer in found.items():
            if isinstance(answer, RpcError):
                into.miss(f"rpc/{pod}/{method}.json", str(answer))
            else:
                into.add(f"rpc/{pod}/{method}.json", f"answer of {pod} to /{method}", answer)


def _ask(api: Api, network: str, pod: str) -> Mapping[str, Json | RpcError] | str:
    try:
        answers = batch(pod_proxy(api, network, pod, reads=True), [(method, {}) for method in METHODS])
    except RpcError as error:
        return str(error)
    return dict(zip(METHODS, answers, strict=True))
