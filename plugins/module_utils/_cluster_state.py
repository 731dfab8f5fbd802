# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a cluster has come up, as its API server tells. Runs on machines, too: standard library only."""

from __future__ import annotations

import calendar
import http.client
import re
import time
import typing as t
from collections.abc import Callable

#: Sends a GET request to an API server; the decoded answer.
Get = Callable[[str], t.Any]
#: Set on objects that we apply: the hash of what they were made from.
INPUTS_ANNOTATION = "mintnet.io/inputs"
#: Signs the certificates that kubelets serve with.
SERVING_SIGNER = "kubernetes.io/kubelet-serving"
#: For so many seconds a node is new.
NEW = 600
NAMESPACES = ("kube-system", "mintnet-storage")
#: Web UIs by the name of their service, the best first: Headlamp, and the two shapes of the older dashboard.
DASHBOARDS = (r"(.+-)?headlamp", r"(.+-)?kong-proxy", r"kubernetes-dashboard")
FAILURES = (OSError, http.client.HTTPException, ValueError, KeyError, TypeError)


def silent(reason: str) -> dict[str, t.Any]:
    """What is known of a cluster that does not answer."""
    nothing: dict[str, t.Any] = {"nodes": [], "deployments": {}, "pods": {}, "unsigned": {}, "storage_class": ""}
    api = {"answers": False, "reason": reason, **nothing}
    return {**api, "unsettled": unsettled(api)}


def look(connect: Callable[[], Get], failures: tuple[type[Exception], ...] = FAILURES) -> dict[str, t.Any]:
    """Nodes, deployments, pods that are not ready and storage, and in words what is not as it will be."""
    try:
        get = connect()
        # Until then it may refuse its own administrator.
        get("/readyz")
        nodes = get("/api/v1/nodes")["items"]
        deployments = [
            item
            for namespace in NAMESPACES
            for item in get(f"/apis/apps/v1/namespaces/{namespace}/deployments").get("items") or []
        ]
        classes = get("/apis/storage.k8s.io/v1/storageclasses").get("items") or []
    except failures as error:
        return silent(str(error) or type(error).__name__)
    api = {
        "answers": True,
        "reason": "",
        "nodes": [node_summary(node) for node in nodes],
        "deployments": {
            f"{item['metadata']['namespace']}/{item['metadata']['name']}": deployment_summary(item)
            for item in deployments
        },
        "pods": unready_pods(get, failures),
        "unsigned": unsigned_requests(get, nodes, failures),
        "storage_class": default_storage_class(classes),
    }
    return {**api, "unsettled": unsettled(api)}


def node_summary(node: dict[str, t.Any]) -> dict[str, t.Any]:
    conditions = node["status"].get("conditions") or []
    ready = [one for one in conditions if one["type"] == "Ready"]
    return {
        "name": node["metadata"]["name"],
        "ready": bool(ready) and ready[0]["status"] == "True",
        "reason": ready[0].get("message", "") if ready else "",
        # Under pressure it takes no pods: DiskPressure, MemoryPressure, PIDPressure.
        "pressures": [
            one["type"] for one in conditions if one["type"].endswith("Pressure") and one["status"] == "True"
        ],
        "version": node["status"]["nodeInfo"]["kubeletVersion"],
        "arch": node["status"]["nodeInfo"]["architecture"],
        "pod_cidr": node["spec"].get("podCIDR", ""),
        "address": next(
            (one["address"] for one in node["status"].get("addresses") or [] if one["type"] == "InternalIP"), ""
        ),
    }


def deployment_summary(deployment: dict[str, t.Any]) -> dict[str, t.Any]:
    status = deployment.get("status") or {}
    return {
        "inputs": (deployment["metadata"].get("annotations") or {}).get(INPUTS_ANNOTATION, ""),
        "wanted": deployment["spec"].get("replicas", 1),
        "available": status.get("availableReplicas", 0),
    }


def unready_pods(get: Get, failures: tuple[type[Exception], ...]) -> dict[str, str]:
    """Why each pod of the system is not ready that should be. Who may not look at pods learns of all else."""
    found = {}
    for namespace in NAMESPACES:
        try:
            pods = get(f"/api/v1/namespaces/{namespace}/pods").get("items") or []
        except failures as error:
            found[f"{namespace}/*"] = f"they cannot be listed: {error or type(error).__name__}"
        else:
            reasons = {f"{namespace}/{pod['metadata']['name']}": unready_pod(pod) for pod in pods}
            found.update({name: reason for name, reason in reasons.items() if reason})
    return found


def unready_pod(pod: dict[str, t.Any]) -> str:
    """Why a pod is not ready; nothing where it is, or is not meant to stay.

    Pods of deployments are counted with these. Static pods need not be ready, only run: the kubelet looks at them after
    10 seconds for the first time, and what they do is seen sooner by what the cluster does.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    owner = next((one["kind"] for one in metadata.get("ownerReferences") or [] if one.get("controller")), "")
    phase = status.get("phase", "Pending")
    leaves = metadata.get("deletionTimestamp") or pod["spec"].get("restartPolicy", "Always") != "Always"
    # One that failed for good is replaced by its owner.
    if leaves or owner == "ReplicaSet" or phase == "Succeeded" or (phase == "Failed" and owner):
        return ""
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    ready = conditions.get("Ready", {})
    containers = status.get("containerStatuses") or []
    runs = bool(containers) and all("running" in (one.get("state") or {}) for one in containers)
    if ready.get("status") == "True" or (owner == "Node" and runs):
        return ""
    everyone = [*(status.get("initContainerStatuses") or []), *containers]
    waits = [state for one in everyone if (state := (one.get("state") or {}).get("waiting"))]
    said = (waits[0].get("reason"), waits[0].get("message")) if waits else (status.get("reason"), ready.get("message"))
    return ", ".join(one for one in said if one) or phase


def unsigned_requests(get: Get, nodes: list[dict[str, t.Any]], failures: tuple[type[Exception], ...]) -> dict[str, str]:
    """By node that is new, its newest request for a certificate to serve with, where that has no answer yet.

    Until it has one, the logs of the node's pods cannot be read; that of an older node holds while it asks for another.
    Who may not look at requests learns of all else.
    """
    try:
        requests = get("/apis/certificates.k8s.io/v1/certificatesigningrequests").get("items") or []
    except failures:
        return {}
    came = {node["metadata"]["name"]: _seconds(node["metadata"]["creationTimestamp"]) for node in nodes}
    newest = {}
    for one in sorted(requests, key=lambda one: str(one["metadata"]["creationTimestamp"])):
        if one["spec"]["signerName"] == SERVING_SIGNER:
            newest[one["spec"].get("username", "").removeprefix("system:node:")] = one
    return {
        node: one["metadata"]["name"]
        for node, one in newest.items()
        if not _answered(one.get("status") or {})
        and node in came
        and _seconds(one["metadata"]["creationTimestamp"]) < came[node] + NEW
    }


def _seconds(timestamp: str) -> int:
    return calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ"))


def _answered(status: dict[str, t.Any]) -> bool:
    # What is approved is signed a moment later.
    refused = any(one["type"] in ("Denied", "Failed") for one in status.get("conditions") or [])
    return refused or bool(status.get("certificate"))


def unsettled(api: dict[str, t.Any]) -> list[str]:
    """What is not as it will be when the cluster has come up, each in words."""
    if not api["answers"]:
        return [f"the API server does not answer: {api['reason']}"]
    waiting = [f"node {node['name']} is not ready: {node['reason']}" for node in api["nodes"] if not node["ready"]]
    waiting += [f"node {node['name']} takes no pods: {name}" for node in api["nodes"] for name in node["pressures"]]
    waiting += [
        f"node {node['name']} has no answer to its request {api['unsigned'][node['name']]} for a serving certificate"
        for node in api["nodes"]
        if node["name"] in api["unsigned"]
    ]
    waiting += [
        f"no pod of {name} is available"
        for name, deployment in api["deployments"].items()
        if deployment["wanted"] and not deployment["available"]
    ]
    return waiting + [f"pod {name} is not ready: {reason}" for name, reason in api["pods"].items()]


def default_storage_class(classes: list[dict[str, t.Any]]) -> str:
    mark = "storageclass.kubernetes.io/is-default-class"
    return next(
        (one["metadata"]["name"] for one in classes if (one["metadata"].get("annotations") or {}).get(mark) == "true"),
        "",
    )


def dashboards(get: Get) -> list[str]:
    """Where the API server's proxy has the web UIs of the cluster, the best first."""
    services = get("/api/v1/services").get("items") or []
    return [_proxied(one) for name in DASHBOARDS for one in services if re.fullmatch(name, one["metadata"]["name"])]


def _proxied(service: dict[str, t.Any]) -> str:
    port = service["spec"]["ports"][0]
    scheme = "https:" if port["port"] in (443, 8443) else ""
    where = f"{scheme}{service['metadata']['name']}:{port.get('name') or port['port']}"
    return f"/api/v1/namespaces/{service['metadata']['namespace']}/services/{where}/proxy/"
