# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain requests to a cluster's API, many at once.

The paths of the few kinds that the collection uses are known, so nothing is discovered first: a look at a whole network
is one round of requests side by side.
"""

from __future__ import annotations

import json
import math
import time
import typing as t
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import TIMEOUT, Cluster, ClusterError

Json = dict[str, t.Any]
Key = t.TypeVar("Key", bound=Hashable)
Result = t.TypeVar("Result")

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

MANAGER = "mintnet"


@dataclass(frozen=True)
class Kind:
    """Where the objects of one kind live in the API."""

    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        parts = ["/api" if "/" not in self.version else "/apis", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace)]
        parts.append(self.plural)
        return "/".join(parts + ([quote(name)] if name else []))


KINDS: Mapping[str, Kind] = {
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "Node": Kind("v1", "nodes", namespaced=False),
    "PersistentVolume": Kind("v1", "persistentvolumes", namespaced=False),
    "StorageClass": Kind("storage.k8s.io/v1", "storageclasses", namespaced=False),
    "ClusterRole": Kind("rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False),
    "Role": Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "ConfigMap": Kind("v1", "configmaps"),
    "Event": Kind("v1", "events"),
    "LimitRange": Kind("v1", "limitranges"),
    "PersistentVolumeClaim": Kind("v1", "persistentvolumeclaims"),
    "Pod": Kind("v1", "pods"),
    "ResourceQuota": Kind("v1", "resourcequotas"),
    "Secret": Kind("v1", "secrets"),
    "Service": Kind("v1", "services"),
    "Deployment": Kind("apps/v1", "deployments"),
    "Job": Kind("batch/v1", "jobs"),
    "StatefulSet": Kind("apps/v1", "statefulsets"),
    "NetworkPolicy": Kind("networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": Kind("policy/v1", "poddisruptionbudgets"),
}


@dataclass(frozen=True)
class Answer:
    data: bytes
    date: datetime  # the API server's clock

    def json(self) -> Json:
        return t.cast(Json, json.loads(self.data))


def _foresee(doing: str, method: str, path: str, query: Mapping[str, str], body: t.Any) -> Answer:
    """What a cluster would answer in which nothing is."""
    if method == "GET" and any(path.endswith(f"/{kind.plural}") for kind in KINDS.values()):
        found: Json = {"items": []}
    elif method == "GET":
        raise ClusterError(f"{doing}: it is not there", 404, "NotFound")
    elif query.get("dryRun") == "All":
        found = body
    else:
        raise ClusterError(f"{doing}: the cluster is still to be made; make it first: create")
    return Answer(json.dumps(found).encode(), datetime.now(UTC))


class Objects(t.Protocol):
    """What keeps single objects: the API of a cluster, or a file of manifests in its place."""

    def get(self, doing: str, kind: str, namespace: str | None = None, name: str | None = None) -> Json | None: ...

    def create(self, doing: str, definition: Json) -> Json: ...

    def merge(self, doing: str, kind: str, namespace: str, name: str, patch: Json) -> Json: ...

    def delete(self, doing: str, kind: str, namespace: str, name: str) -> None: ...


class Api:
    """Sends requests as the user of one context. Safe to use from several threads."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._workers = 1
        if cluster.api is None:
            return
        self._pool = cluster.api.rest_client.pool_manager
        # More at once than the pool keeps would open and close a connection for each.
        self._workers = min(16, cluster.api.configuration.connection_pool_maxsize or 4)
        self._deadline = math.inf

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """No request lasts much longer than to this moment of the monotonic clock."""
        self._deadline = deadline
        try:
            yield
        finally:
            self._deadline = math.inf

    def request(
        self,
        doing: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: t.Any = None,
        content_type: str = JSON,
        timeout: tuple[float, float] = TIMEOUT,
        reads: bool | None = None,
    ) -> Answer:
        """One request. ``doing`` begins the message of the ClusterError that whatever goes wrong becomes.

        ``reads`` says that it changes nothing, which a GET never does, and may be sent again.
        """
        if self.cluster.api is None:
            return _foresee(doing, method, path, query or {}, body)

        def send() -> Answer:
            left = max(1.0, self._deadline - time.monotonic())
            most = (min(timeout[0], left), min(timeout[1], left))
            arguments = (method, path, query, body, content_type)
            return t.cast(Answer, self.cluster.call(doing, self._send, *arguments, _request_timeout=most))

        try:
            return send()
        except ClusterError as error:
            reading = method == "GET" if reads is None else reads
            if not error.passing or not reading or time.monotonic() >= self._deadline:
                raise
        # Of a server that is overloaded or was just away: reading once more does no harm.
        return send()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: t.Any,
        content_type: str,
        _request_timeout: tuple[float, float],
    ) -> Answer:
        from kubernetes.client.exceptions import ApiException
        from urllib3 import Timeout

        configuration = self.cluster.api.configuration
        headers = dict(self.cluster.api.default_headers)
        headers.update({auth["key"]: auth["value"] for auth in configuration.auth_settings().values()})
        if body is not None:
            headers["Content-Type"] = content_type
        response = self._pool.request(
            method,
            configuration.host + path + (f"?{urlencode(query)}" if query else ""),
            headers=headers,
            body=None if body is None else json.dumps(body),
            timeout=Timeout(connect=_request_timeout[0], read=_request_timeout[1]),
            retries=False,
        )
        if response.status >= 400:
            error = ApiException(status=response.status, reason=response.reason)
            error.body = response.data
            raise error
        date = response.headers.get("Date")
        return Answer(response.data, parsedate_to_datetime(date) if date else datetime.now(UTC))

    def get(self, doing: str, kind: str, namespace: str | None = None, name: str | None = None) -> Json | None:
        """One object, or None where it does not exist."""
        try:
            return self.request(doing, "GET", KINDS[kind].path(namespace, name)).json()
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def list(self, doing: str, kind: str, namespace: str | None = None, selector: str = "") -> list[Json]:
        """All objects of a kind, in a namespace or everywhere."""
        query = {"labelSelector": selector} if selector else None
        answer = self.request(doing, "GET", KINDS[kind].path(namespace), query)
        return t.cast("list[Json]", answer.json()["items"])

    def log(
        self,
        doing: str,
        namespace: str,
        pod: str,
        query: Mapping[str, str],
        *,
        previous: bool = False,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> str:
        """The log of a pod's container, with ``previous`` that of its life before."""
        path = f"{KINDS['Pod'].path(namespace, pod)}/log"
        asked = {**query, "previous": "true"} if previous else query
        return self.request(doing, "GET", path, asked, timeout=timeout).data.decode(errors="replace")

    def create(self, doing: str, definition: Json) -> Json:
        """Make one object; where it exists the API refuses with the reason AlreadyExists."""
        path = KINDS[definition["kind"]].path(definition["metadata"].get("namespace"))
        return self.request(doing, "POST", path, {"fieldManager": MANAGER}, definition).json()

    def merge(self, doing: str, kind: str, namespace: str, name: str, patch: Json) -> Json:
        """Change what the patch names. With a resourceVersion in it another's write meanwhile is a Conflict."""
        path = KINDS[kind].path(namespace, name)
        return self.request(doing, "PATCH", path, {"fieldManager": MANAGER}, patch, MERGE).json()

    def delete(self, doing: str, kind: str, namespace: str, name: str) -> None:
        self.request(doing, "DELETE", KINDS[kind].path(namespace, name))

    def apply(self, doing: str, definition: Json, *, dry_run: bool = False) -> Json:
        """Server-side apply of one object: our fields become what the definition says, all others stay."""
        metadata = definition["metadata"]
        path = KINDS[definition["kind"]].path(metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": MANAGER, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self.request(doing, "PATCH", path, query, definition, APPLY).json()

    def side_by_side(self, calls: Mapping[Key, Callable[[], Result]]) -> dict[Key, Result | ClusterError]:
        """Run independent requests at once; what failed is there as its error."""

        def attempt(call: Callable[[], Result]) -> Result | ClusterError:
            try:
                return call()
            except ClusterError as error:
                return error

        if not calls:
            return {}
        with ThreadPoolExecutor(min(self._workers, len(calls))) as threads:
            return dict(zip(calls, threads.map(attempt, calls.values()), strict=True))
