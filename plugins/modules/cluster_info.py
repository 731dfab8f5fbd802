#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: See how far a cluster has come up
version_added: 1.0.0
description:
  - Asks the API server for nodes, for the deployments and pods of Kubernetes and of the role storage, for requests
    for serving certificates, and for the storage class.
  - That it does not answer is no failure. It changes nothing.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  dashboards:
    description: Whether to look for web UIs, too.
    type: bool
    default: false
  networks:
    description: Whether to look for networks of this collection, too.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.machine_info
"""

EXAMPLES = r"""
- name: Wait until the cluster has come up
  mintnet.kubernetes.cluster_info:
    context: mintnet
  register: seen
  until: seen.api.unsettled | length == 0
  retries: 60
  delay: 1
"""

RETURN = r"""
api:
  description: What the API server says, as M(mintnet.kubernetes.machine_info) returns it.
  returned: success
  type: dict
dashboards:
  description: Paths of the web UIs that run on the cluster, below the address of C(kubectl proxy), the best first.
  returned: when the cluster answers
  type: list
  elements: str
  sample: [/api/v1/namespaces/headlamp/services/headlamp:http/proxy/]
networks:
  description: Names of the networks that live on it, which are namespaces; null where the cluster does not tell.
  returned: when O(networks) is true
  type: list
  elements: str
  sample: [mintnet]
"""

import functools
import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster, _cluster_state
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import NETWORK_LABEL

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "dashboards": {"type": "bool", "default": False},
        "networks": {"type": "bool", "default": False},
    },
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    @functools.cache
    def reach() -> Api:
        return Api(_cluster.connect(params["kubeconfig"], params["context"]))

    def connect() -> _cluster_state.Get:
        api = reach()

        def get(path: str) -> t.Any:
            answer = api.request("asking the cluster", "GET", path)
            return answer.json() if path.startswith("/api") else answer.data.decode()

        return get

    found: dict[str, t.Any] = {
        "changed": False,
        "api": _cluster_state.look(connect, (*_cluster_state.FAILURES, MintnetError)),
    }
    if params["dashboards"] and found["api"]["answers"]:
        found["dashboards"] = _cluster_state.dashboards(connect())
    if params["networks"]:
        found["networks"] = _networks(reach)
    return found


def _networks(reach: t.Callable[[], Api]) -> list[str] | None:
    try:
        workloads = reach().list("looking for networks", "StatefulSet", None, NETWORK_LABEL)
    except MintnetError:
        return None
    return sorted({item["metadata"]["namespace"] for item in workloads})


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
