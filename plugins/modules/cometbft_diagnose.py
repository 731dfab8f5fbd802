#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_diagnose
short_description: Gather what a bug report on a CometBFT network needs into one archive
version_added: 1.0.0
description:
  - Writes a new archive (C(tar.gz), for its owner only) with versions, the network's objects, events, logs, status,
    and what each node answers over RPC; for a cluster of local machines also what the machines and their journals say.
  - The file C(MANIFEST) in it lists every file with its size and what it is, and every part that could not be had,
    with the reason. A part that fails holds up no other part.
  - Of Secrets it holds names, types and the names of keys. Private keys, passwords and tokens are hidden wherever they
    appear, by their value, by the name that they have, and by their form.
  - It changes nothing but the folder of the archive, and runs on the controller in Ansible's own process.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  network:
    description: Name of the network, which is that of its namespace.
    type: str
    required: true
  path:
    description: Folder of the archive. It is made where it is missing.
    type: path
    default: .
  machines:
    description: Name of a cluster whose machines are containers of this host, to ask them, too.
    type: str
  documents:
    description:
      - What else the archive shall hold, by name; each becomes a file of JSON.
      - The variables of the collection and the inventory's groups and hosts are always in it, without secrets.
    type: dict
    default: {}
  limit:
    description: No file in the archive has more bytes. Of logs the end is kept, of all else the beginning.
    type: int
    default: 1048576
attributes:
  check_mode:
    support: full
    details: Tells what would be gathered.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Every run writes a new archive.
"""

EXAMPLES = r"""
- name: Gather what a bug report needs
  mintnet.kubernetes.cometbft_diagnose:
    context: mintnet
    network: mintnet
    path: ~/reports
  register: report

- name: Show what is in it
  ansible.builtin.debug:
    msg: "{{ report.manifest.splitlines() }}"
"""

RETURN = r"""
path:
  description: The archive.
  returned: success
  type: str
  sample: /home/user/reports/mintnet-diagnose-mintnet-20260131T120000Z.tar.gz
manifest:
  description: What is in it, as text.
  returned: success
  type: str
files:
  description: What is in it.
  returned: success
  type: list
  elements: dict
  sample: [{name: status.json, what: the network as cometbft_info returns it, size: 4711}]
missing:
  description: What could not be had.
  returned: success
  type: list
  elements: dict
  sample: [{what: logs/tm-3/tm.log, reason: "reading the log of tm in tm-3: container is waiting to start (400)"}]
"""

import typing as t
from functools import partial
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import (
    _cluster,
    _diagnose,
    _diagnose_cluster,
    _diagnose_machines,
    _kubeconfig,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        **_cluster.ARGUMENT_SPEC,
        "network": {"type": "str", "required": True},
        "path": {"type": "path", "default": "."},
        "machines": {"type": "str"},
        "documents": {"type": "dict", "default": {}},
        "limit": {"type": "int", "default": 1 << 20},
    },
}

#: What a check run tells, since it asks nobody.
WOULD = {
    "versions.json, controller.json": "versions, programs and free space on the controller",
    "cluster/": "version, machines and system pods of the cluster",
    "objects/": "the network's objects, of Secrets the names alone",
    "events.txt": "events of the network",
    "status.json, status.txt": "the network's status with its verdict",
    "logs/POD/CONTAINER.log": "newest lines of each container, also of its life before",
    "rpc/POD/": f"each node's {', '.join(_diagnose_cluster.METHODS)}",
}
WOULD_OF_MACHINES = {"machines/NAME/": "system, disk, network and journals of each machine"}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    when, network = _diagnose.now(), params["network"]
    name, folder = _diagnose.archive_name(network, when), Path(params["path"]).absolute()
    if check_mode:
        return would(params, folder / f"{name}.tar.gz")
    found = _diagnose.Collected(params["limit"])
    found.attempt("secrets of the kubeconfig", partial(learn, found, params["kubeconfig"]))
    variables = params["documents"].get("variables") or {}
    folders = {name: str(variables[name]) for name in ("mintnet_home", "mintnet_cache_dir") if name in variables}
    _diagnose.collect_controller(found, {"archive": str(folder), **folders})
    if params["machines"]:
        _diagnose_machines.collect(found, params["machines"])
    found.attempt("the cluster", partial(ask_cluster, found, params))
    for document, content in params["documents"].items():
        found.add(f"{document}.json", f"{document} of this run, without secrets", content, names=True)
    found.seal()
    manifest = found.manifest(f"network {network} · {when.isoformat()}")
    files = [*found.files.values(), _diagnose.File(_diagnose.MANIFEST, "this list", manifest.encode())]
    path = _diagnose.write(sorted(files, key=lambda one: one.name), folder, name, when)
    return {
        "changed": True,
        "path": str(path),
        "manifest": manifest,
        "files": [file.told() for file in files],
        "missing": found.missing,
    }


def would(params: dict[str, t.Any], path: Path) -> dict[str, t.Any]:
    parts = {**WOULD, **(WOULD_OF_MACHINES if params["machines"] else {})}
    parts |= {f"{name}.json": f"{name} of this run, without secrets" for name in params["documents"]}
    rows = [f"  {name}: {what}" for name, what in parts.items()]
    return {
        "changed": True,
        "path": str(path),
        "manifest": "\n".join([f"{path} would hold", *rows]) + "\n",
        "files": [{"name": name, "what": what} for name, what in parts.items()],
        "missing": [],
    }


def learn(found: _diagnose.Collected, kubeconfig: str | None) -> None:
    """The user's own ways into clusters are in no answer; should one be, it is hidden."""
    for entry in _kubeconfig.load(Path(kubeconfig)).get("users") or [] if kubeconfig else []:
        for field in ("client-key-data", "token", "password"):
            if value := (entry.get("user") or {}).get(field):
                found.redactor.learn(str(value).encode())


def ask_cluster(found: _diagnose.Collected, params: dict[str, t.Any]) -> None:
    _diagnose_cluster.collect(found, Api(_cluster.connect(params["kubeconfig"], params["context"])), params["network"])


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
