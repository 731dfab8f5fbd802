#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: manifests
short_description: Write the objects of a network as files for kubectl
version_added: 1.0.0
description:
  - Writes a folder of manifests, one file for each stage in the order of their application, with comments, and a
    C(kustomization.yaml) that lists them; or a single file with all of it, which has no place for keys.
  - The same objects give the same bytes. Files of an earlier run that are not made any more are removed, files of
    others are left alone; where one has a name of ours, nothing is written.
  - The keys and the genesis are those of a network that lives (O(live_secrets), O(live_config_maps)); without these,
    those that M(mintnet.kubernetes.cometbft_keys) and M(mintnet.kubernetes.cometbft_genesis) have made in the folder
    stay.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  path:
    description:
      - The folder, which is made where it is missing.
      - A path that ends in C(.yaml) or C(.yml) is a single file with everything in it, for C(kubectl create -f). It
        takes O(secrets=none), so it is for pods that make their own keys.
    type: path
    required: true
  namespace:
    description: Namespace of the network.
    type: str
    required: true
  definitions:
    description: The objects, as M(mintnet.kubernetes.objects) takes them.
    type: list
    elements: dict
    required: true
  secrets:
    description:
      - V(none), the Secrets are left out. A file with keys that is there already stays as it is.
      - V(vault), they are in a file that is encrypted with Ansible Vault, which needs a password.
      - V(plain), they are in a file that only its owner can read, and among the resources of C(kustomization.yaml).
    type: str
    choices: [none, vault, plain]
    default: none
  live_secrets:
    description:
      - Names of the cluster's Secrets that hold the keys. Unless O(secrets=none), they are copied.
      - A file that holds other keys is not replaced.
    type: list
    elements: str
    default: []
  live_config_maps:
    description: Names of the cluster's ConfigMaps that hold the genesis, which are copied.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Of Secrets the difference holds the names of their entries only.
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.objects
"""

EXAMPLES = r"""
- name: Keys that are made in a folder
  mintnet.kubernetes.cometbft_keys:
    namespace: my-chain
    manifests: ~/my-chain
    encrypt: true
    count: 4

- name: A folder for kubectl apply -k
  mintnet.kubernetes.manifests:
    path: ~/my-chain
    namespace: my-chain
    secrets: vault
    definitions: "{{ lookup('ansible.builtin.template', 'network.yml.j2') | from_yaml_all | list }}"

- name: One file for kubectl create -f
  mintnet.kubernetes.manifests:
    path: ~/my-chain/app.yaml
    namespace: my-chain
    definitions: "{{ lookup('ansible.builtin.template', 'network.yml.j2') | from_yaml_all | list }}"
"""

RETURN = r"""
files:
  description: The files, in the order in which they are applied.
  returned: success
  type: list
  elements: str
  sample: [00-namespace.yaml, 20-genesis.yaml, kustomization.yaml]
written:
  description: Those that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [40-nodes.yaml]
removed:
  description: Files of an earlier run that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
keys_kept:
  description: Whether there is a file with keys, with O(secrets=none).
  returned: success
  type: bool
  sample: false
"""

import typing as t
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster, _manifests
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._objects import visible

NAMES: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "path": {"type": "path", "required": True},
        "namespace": {"type": "str", "required": True},
        "definitions": {"type": "list", "elements": "dict", "required": True},
        "secrets": {"type": "str", "choices": ["none", "vault", "plain"], "default": "none", "no_log": False},
        "live_secrets": {**NAMES, "no_log": False},
        "live_config_maps": NAMES,
    },
}


def _live(params: dict[str, t.Any], kind: str, names: Iterable[str]) -> list[Json]:
    found = []
    for name in names:
        api = Api(_cluster.connect(params["kubeconfig"], params["context"]))
        item = api.get(f"reading {kind} {params['namespace']}/{name}", kind, params["namespace"], name)
        if item is None:
            raise MintnetError(f"writing manifests: {kind} {params['namespace']}/{name} is gone; run this again")
        item = visible(item)
        # It holds the whole object once more, as somebody has applied it.
        item["metadata"].get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
        found.append(item)
    return found


def run(params: dict[str, t.Any], check_mode: bool, vault: _manifests.Vault | None = None) -> dict[str, t.Any]:
    secrets = [] if params["secrets"] == "none" else params["live_secrets"]
    wanted = _manifests.Wanted(
        network=params["namespace"],
        definitions=params["definitions"],
        secrets=params["secrets"],
        live_secrets=_live(params, "Secret", secrets),
        live_genesis=_live(params, "ConfigMap", params["live_config_maps"]),
    )
    outcome = _manifests.write(Path(params["path"]), wanted, vault, dry_run=check_mode)
    warnings = []
    if params["secrets"] == "plain":
        warnings.append(f"{_manifests.SECRETS.file} in {params['path']} holds private keys that are not encrypted")
    return {
        "changed": bool(outcome.written or outcome.removed),
        "files": outcome.files,
        "written": outcome.written,
        "removed": outcome.removed,
        "keys_kept": outcome.keys_kept,
        "diff": outcome.diff,
        "warnings": warnings,
    }


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
