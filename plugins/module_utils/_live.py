# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a network: the objects of its namespace, then each node over RPC, side by side."""

from __future__ import annotations

import base64
import time
import typing as t
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Answer, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import APP, Trouble, app_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._faults import PATIENCE
from ansible_collections.mintnet.kubernetes.plugins.module_utils._logs import expected, tells
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    NETWORK_LABEL,
    PUB_KEY,
    PUB_KEY_PORT,
    STOPPED,
    nodes_of,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import (
    NodeAnswer,
    Observed,
    custody_of,
    data_of,
    genesis_facts,
    parse_blocks,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._rpc import (
    TIMEOUT,
    RpcError,
    Transport,
    batch,
    call,
    pod_proxy,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import report, troubles

_FIELDS = {
    "workloads": "StatefulSet",
    "pods": "Pod",
    "config_maps": "ConfigMap",
    "services": "Service",
    "budgets": "PodDisruptionBudget",
}
#: What changes while nodes start; the rest is read once.
_MOVING = ("workloads", "pods")
#: Events of what adds machines to a cluster: the cluster autoscaler, and Karpenter.
_GROWTH = ("TriggeredScaleUp", "Nominated")
#: So many nodes in trouble tell enough, and so much of their logs.
MOST_LOGS, LOG_LINES, LOG_BYTES = 16, 200, 200_000
LOG_TIMEOUT = (3.0, 5.0)
#: Seconds for which steps on a network wait for an API server that is away.
AWAY = 90.0


def read(api: Api, network: str) -> Json:
    """One look at the whole network, as the dictionary that cometbft_info returns."""
    return explain(api, observe(api, network))


def observe(api: Api, network: str, before: Observed | None = None) -> Observed:
    """One look; with ``before``, only what moves while nodes start is looked at again."""
    doing = f"reading the network {network}"
    fields = _MOVING if before else tuple(_FIELDS)
    calls = {name: partial(_list, api, doing, _FIELDS[name], network) for name in fields}
    if before is None:
        calls["namespace"] = partial(api.request, doing, "GET", KINDS["Namespace"].path(name=network))
        calls["machines"] = partial(api.request, doing, "GET", KINDS["Node"].path())
    answers = api.side_by_side(calls)
    # They only say where the power is, and whoever may use a namespace need not see them.
    machines = answers.pop("machines", None)
    pods = answers["pods"]
    if isinstance(pods, ClusterError):
        raise pods

    seen = Observed(network, pods.date)
    seen.machines = machines.json()["items"] if isinstance(machines, Answer) else None
    if before:
        seen.machines = before.machines
        seen.namespace, seen.not_verified = before.namespace, before.not_verified
        seen.config_maps, seen.services, seen.budgets = before.config_maps, before.services, before.budgets
        seen.served = before.served
    for name, answer in answers.items():
        if isinstance(answer, Answer):
            setattr(seen, name, answer.json() if name == "namespace" else answer.json()["items"])
        elif answer.status == 403:
            seen.not_verified.append(f"{_FIELDS.get(name, 'Namespace')}: reading it is forbidden")
            if name == "namespace":  # a user of one namespace may not read it, but it is there
                seen.namespace = {"metadata": {"name": network}}
        elif not (name == "namespace" and answer.status == 404):
            raise answer
    if seen.served is None and custody_of(seen.config_maps, seen.workloads) == "pod":
        seen.served = _served(api, seen)
    _ask_nodes(api, seen)
    if before and seen.validators is None:
        # A missed answer does not make the powers those of the genesis again.
        seen.validators = before.validators
    return seen


def observe_patiently(api: Api, network: str, before: Observed | None, sleep: float) -> Observed:
    """One look, for which an API server that is away for a while is waited for."""
    deadline = time.monotonic() + AWAY
    while True:
        try:
            return observe(api, network, before)
        except ClusterError as error:
            if not error.passing or time.monotonic() > deadline:
                raise
        time.sleep(sleep)


def _list(api: Api, doing: str, kind: str, network: str) -> Answer:
    selector = nodes_of(network) if kind == "Pod" else f"{NETWORK_LABEL}={network}"
    return api.request(doing, "GET", KINDS[kind].path(network), {"labelSelector": selector})


def running(api: Api, network: str) -> list[str]:
    """The nodes whose container runs, in their order."""
    pods = api.list(f"reading the pods of {network}", "Pod", network, nodes_of(network))
    names = [pod["metadata"]["name"] for pod in pods if _may_answer(pod)]
    return sorted(names, key=lambda name: (len(name), name))


def _served(api: Api, seen: Observed) -> str | None:
    """The genesis that pods have made: all that have one have the same, so the first answer counts."""
    names = sorted(pod["metadata"]["name"] for pod in seen.pods if _has_genesis(pod))
    doing = f"reading the genesis that the pods of {seen.network} have made"
    for first in (names[:1], names[1:]):
        calls = {
            name: partial(
                api.request,
                doing,
                "GET",
                f"{KINDS['Pod'].path(seen.network, name)}:{PUB_KEY_PORT}/proxy/genesis.json",
                timeout=TIMEOUT,
            )
            for name in first
        }
        for answer in api.side_by_side(calls).values():
            if isinstance(answer, Answer):
                return answer.data.decode()
    return None


def _has_genesis(pod: Json) -> bool:
    """Whether its node has one, as it has begun, and the container runs that serves it."""
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or []
    serves = any(status["name"] == PUB_KEY and "running" in (status.get("state") or {}) for status in statuses)
    return serves and _may_answer(pod)


def _ask_nodes(api: Api, seen: Observed) -> None:
    """What the nodes say, and, where one is silent, what the cluster says about it."""
    names = [pod["metadata"]["name"] for pod in seen.pods if _may_answer(pod)]
    transports = {name: pod_proxy(api, seen.network, name, reads=True) for name in names}
    for name, answer in api.side_by_side({n: partial(_ask, transports[n]) for n in names}).items():
        seen.answers[name] = f"does not answer: {answer}" if isinstance(answer, ClusterError) else answer

    answering = {name: answer for name, answer in seen.answers.items() if isinstance(answer, NodeAnswer)}
    if len(answering) < _wanted(seen):
        _look_for_causes(api, seen, thorough=len(seen.pods) < _wanted(seen) or bool(_unplaced(seen)))
    if answering:
        best = max(answering, key=lambda name: answering[name].height)
        seen.validators = _validators(transports[best])


def _wanted(seen: Observed) -> int:
    """How many nodes should answer."""
    sizes = {item["metadata"]["name"]: int(item["spec"].get("replicas", 1)) for item in seen.workloads}
    names = {f"{group}-{number}" for group, size in sizes.items() for number in range(size)}
    return len(names - data_of(seen.config_maps, STOPPED).keys())


def _unplaced(seen: Observed) -> str:
    """A pod that has no machine yet."""
    return next((pod["metadata"]["name"] for pod in seen.pods if not pod["spec"].get("nodeName")), "")


def _look_for_causes(api: Api, seen: Observed, *, thorough: bool) -> None:
    doing = f"reading the events of {seen.network}"
    warnings = {"fieldSelector": "type=Warning"}
    calls = {
        "events": partial(api.request, doing, "GET", KINDS["Event"].path(seen.network), warnings),
        "claims": partial(_list, api, doing, "PersistentVolumeClaim", seen.network),
    }
    if thorough:
        calls["machines"] = partial(api.request, doing, "GET", KINDS["Node"].path())
        calls["quotas"] = partial(api.request, doing, "GET", KINDS["ResourceQuota"].path(seen.network))
    if waiting := _unplaced(seen):
        about = {"fieldSelector": f"involvedObject.kind=Pod,involvedObject.name={waiting}"}
        calls["growing"] = partial(api.request, doing, "GET", KINDS["Event"].path(seen.network), about)
    for name, answer in api.side_by_side(calls).items():
        if not isinstance(answer, Answer):  # they only help to explain: without them the explanation is shorter
            continue
        items = answer.json()["items"]
        if name == "growing":
            seen.growing = any(event.get("reason") in _GROWTH for event in items)
        else:
            setattr(seen, name, items)


def explain(api: Api, seen: Observed) -> Json:
    """The report of what was seen, once more with what the logs say where a node is in trouble."""
    beside = {pod["metadata"]["name"] for pod in seen.pods if app_of(pod)}
    _ask_applications(api, seen, beside)
    found = list(troubles(seen).items())[:MOST_LOGS]
    if not found:
        return report(seen)
    _look_for_causes(api, seen, thorough=True)
    found = list(troubles(seen).items())[:MOST_LOGS]
    doing = f"reading the logs of {seen.network}"
    logs: dict[str, Callable[[], str]] = {
        name: partial(_log, api, doing, seen.network, name, trouble)
        for name, trouble in found
        if trouble.container and not tells("\n".join(trouble.log))
    }
    app_logs: dict[str, Callable[[], str]] = {
        name: partial(_log, api, doing, seen.network, name, replace(trouble, container=APP, previous=False))
        for name, trouble in found
        if name in beside and trouble.container not in ("", APP)
    }
    geneses: dict[str, Callable[[], Json]] = {
        name: partial(_genesis, api, seen.network, name) for name, _trouble in found if name in seen.answers
    }
    for name, log in api.side_by_side(logs).items():
        if isinstance(log, str):
            seen.logs[name] = log
    for name, log in api.side_by_side(app_logs).items():
        if isinstance(log, str):
            seen.app_logs[name] = log
    for name, genesis in api.side_by_side(geneses).items():
        if isinstance(genesis, dict):
            seen.geneses[name] = genesis
    return report(seen)


def _ask_applications(api: Api, seen: Observed, beside: Collection[str]) -> None:
    """Where blocks are late: whose application is awaited, and how far each has come by its own account.

    One that tells no app hash, or not that of the chain's beginning, is known by what its node refuses.
    """
    network = report(seen)
    age = network["block_age"]
    if age is not None and age < PATIENCE.total_seconds():
        return
    asked = [name for name, answer in seen.answers.items() if isinstance(answer, NodeAnswer)]
    calls: dict[tuple[str, str], Callable[[], t.Any]] = {
        ("application", name): partial(_application, api, seen.network, name) for name in asked
    }
    # Consensus tells of itself only while no call to its application is open.
    calls |= {("consensus", name): partial(_consensus, api, seen.network, name) for name in asked if name in beside}
    for (what, name), answer in api.side_by_side(calls).items():
        if what == "consensus" and isinstance(answer, ClusterError):
            seen.waiting.add(name)
        elif what == "application" and isinstance(answer, tuple) and answer[1]:
            seen.apps[name] = answer
    if network["reasons"]:
        doing = f"reading the logs of {seen.network}"
        logs: dict[str, Callable[[], str]] = {
            name: partial(_log, api, doing, seen.network, name, Trouble(container="tm"))
            for name in asked[:MOST_LOGS]
            if name not in seen.apps
        }
        for name, log in api.side_by_side(logs).items():
            if isinstance(log, str) and (told := expected(log)):
                seen.apps[name] = told


def _application(api: Api, network: str, node: str) -> tuple[int, str]:
    """The height and the app hash that an application tells; it need not tell one."""
    try:
        told = call(pod_proxy(api, network, node, reads=True), "abci_info")["response"]
        app_hash = base64.b64decode(told.get("last_block_app_hash") or "")
        return int(told.get("last_block_height") or 0), app_hash.hex().upper()
    except (RpcError, KeyError, ValueError) as error:
        raise ClusterError(f"asking {node} for the state of its application: {error}") from error


def _consensus(api: Api, network: str, node: str) -> Json:
    try:
        return call(pod_proxy(api, network, node, reads=True), "consensus_state")
    except RpcError as error:
        raise ClusterError(f"asking {node} for the state of its consensus: {error}") from error


def _log(api: Api, doing: str, network: str, node: str, trouble: Trouble) -> str:
    """The end of a container's log, of the run that ended where it is started anew."""
    query = {"container": trouble.container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
    return api.log(doing, network, node, query, previous=trouble.previous, timeout=LOG_TIMEOUT)


def _genesis(api: Api, network: str, node: str) -> Json:
    """The facts of the genesis that a node runs; none where it is too large to be told at once."""
    try:
        return genesis_facts(call(pod_proxy(api, network, node, reads=True), "genesis")["genesis"])
    except (RpcError, KeyError) as error:
        raise ClusterError(f"asking {node} for its genesis: {error}") from error


def _may_answer(pod: Json) -> bool:
    """Whether asking makes sense: a container that does not run would only cost a time-out."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(status["name"] == "tm" and "running" in (status.get("state") or {}) for status in statuses)


def _ask(transport: Transport) -> NodeAnswer | str:
    newest = {"minHeight": "0", "maxHeight": "0"}
    try:
        status, net_info, blocks = batch(transport, [("status", {}), ("net_info", {}), ("blockchain", newest)])
    except RpcError as error:
        return str(error)
    if isinstance(status, RpcError) or isinstance(net_info, RpcError):
        return f"answers only in part: {status if isinstance(status, RpcError) else net_info}"
    return NodeAnswer(status, net_info, {} if isinstance(blocks, RpcError) else parse_blocks(blocks))


def _validators(transport: Transport) -> list[Json] | None:
    """The validator set as it is now, which transactions may have made another than the genesis's."""
    found: list[Json] = []
    try:
        while True:
            page = call(transport, "validators", per_page="100", page=str(len(found) // 100 + 1))
            found += page["validators"]
            if len(found) >= int(page["total"]) or not page["validators"]:
                return found
    except (ClusterError, RpcError):  # before the first block there is no set to tell
        return None
