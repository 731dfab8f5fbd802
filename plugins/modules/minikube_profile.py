#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minikube_profile
short_description: A profile of minikube, with the images that it shall have
version_added: 1.0.0
description:
  - Makes a profile, starts one that is stopped, or deletes one that we made, on the controller.
  - The driver is the one that is named, or the first that works here, in the order docker, vfkit, qemu on macOS, and
    docker, podman, kvm2 on Linux. It is always passed to minikube.
  - In what minikube does not change of a profile that exists (driver, Kubernetes, nodes, CPUs, memory, disk), a
    difference ends in a choice, before anything is started.
  - What minikube would download can be given. It is put into its cache.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
requirements:
  - a program that the driver needs, such as docker
options:
  state:
    description: With V(absent) the profile is deleted, and minikube's cache stays.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the profile. It is also the name of its context.
    type: str
    required: true
  binary:
    description: The program minikube.
    type: path
    required: true
  home:
    description: Folder of minikube's profiles and cache, as in C(MINIKUBE_HOME).
    type: path
    required: true
  kubeconfig:
    description: File that gets the context. Its current context stays.
    type: path
    required: true
  ours:
    description: Whether an earlier run has made the profile. Another one of that name is refused.
    type: bool
    default: false
  driver:
    description: Driver of minikube. V(auto) is that of the profile, or the first that works here.
    type: str
    default: auto
  kubernetes_version:
    description: Version of Kubernetes. Needed for O(state=present).
    type: str
  nodes:
    description: Number of nodes.
    type: int
    default: 1
  cpus:
    description: CPUs of each node.
    type: int
    default: 2
  memory:
    description: Memory of each node, in MiB.
    type: int
    default: 4096
  disk:
    description: Disk of each node, in MiB, for drivers that make one.
    type: int
    default: 20000
  own_storage:
    description: Whether minikube brings its own storage, which are the addons that it enables by default.
    type: bool
    default: false
  addons:
    description: Addons to be enabled. Others stay as they are.
    type: list
    elements: str
    default: []
  flags:
    description: More arguments of C(minikube start).
    type: list
    elements: str
    default: []
  on_drift:
    description: What is done with a profile that differs from what is wanted.
    type: str
    choices: [fail, keep, recreate]
    default: fail
  base:
    description: The image that nodes start as, where they are containers. Without it, it is minikube's own.
    type: dict
    suboptions:
      image:
        description: Reference of the image.
        type: str
        required: true
      path:
        description: Archive of it.
        type: path
        required: true
  programs:
    description: Programs of Kubernetes by name (kubeadm, kubelet, kubectl), that minikube need not download.
    type: dict
    default: {}
  cached:
    description: Archives of images by the name under which minikube asks for them, which it need not pull.
    type: dict
    default: {}
  images:
    description: Archives of images by their name, that the nodes shall have.
    type: dict
    default: {}
  arch:
    description: Architecture of the nodes.
    type: str
    choices: [amd64, arm64]
    default: amd64
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have a profile that runs
  mintnet.kubernetes.minikube_profile:
    name: mintnet
    binary: /usr/local/bin/minikube
    home: ~/.minikube
    kubeconfig: ~/.kube/config
    kubernetes_version: 1.36.3
"""

RETURN = r"""
driver:
  description: The driver of the profile.
  returned: when O(state=present)
  type: str
  sample: podman
did:
  description: What was done, or would be, in words.
  returned: success
  type: list
  elements: str
  sample: [made the profile mintnet]
drift:
  description: How a profile that is kept differs from what is wanted.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["cpus: 2, wanted 4"]
missing_packages:
  description: Debian packages that the driver needs first.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [podman]
"""

import contextlib
import typing as t
from collections.abc import Callable
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import (
    _minikube_cache,
    _minikube_drivers,
    _minikube_podman,
    _podman,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube import Minikube, Wanted, drift
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import nearest

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "required": True},
        "binary": {"type": "path", "required": True},
        "home": {"type": "path", "required": True},
        "kubeconfig": {"type": "path", "required": True},
        "ours": {"type": "bool", "default": False},
        "driver": {"type": "str", "default": "auto"},
        "kubernetes_version": {"type": "str"},
        "nodes": {"type": "int", "default": 1},
        "cpus": {"type": "int", "default": 2},
        "memory": {"type": "int", "default": 4096},
        "disk": {"type": "int", "default": 20000},
        "own_storage": {"type": "bool", "default": False},
        "addons": {"type": "list", "elements": "str", "default": []},
        "flags": {"type": "list", "elements": "str", "default": []},
        "on_drift": {"type": "str", "choices": ["fail", "keep", "recreate"], "default": "fail"},
        "base": {
            "type": "dict",
            "options": {"image": {"type": "str", "required": True}, "path": {"type": "path", "required": True}},
        },
        "programs": {"type": "dict", "default": {}},
        "cached": {"type": "dict", "default": {}},
        "images": {"type": "dict", "default": {}},
        "arch": {"type": "str", "choices": ["amd64", "arm64"], "default": "amd64"},
    },
    "required_if": [("state", "present", ["kubernetes_version"])],
}
Tell = Callable[[str], None]


def run(params: dict[str, t.Any], check_mode: bool, tell: Tell = lambda _text: None) -> dict[str, t.Any]:
    host = _minikube_drivers.look()
    minikube = Minikube(params["binary"], Path(params["home"]), params["kubeconfig"])
    with contextlib.ExitStack() as stack:
        if host.system == "Linux" and host.root:
            minikube.variables = stack.enter_context(_minikube_podman.surroundings())
        # In a check run it may not have been built yet.
        config = minikube.profile(params["name"]) if Path(params["binary"]).exists() else None
        if params["state"] == "absent":
            return _absent(minikube, params, config, check_mode)
        return _present(minikube, host, params, config, check_mode, tell)


def _absent(
    minikube: Minikube, params: dict[str, t.Any], config: dict[str, t.Any] | None, check: bool
) -> dict[str, t.Any]:
    if config is None and not minikube.half_made(params["name"]):
        return {"changed": False, "did": []}
    if not check:
        minikube.delete(params["name"])
    return {"changed": True, "did": [f"deleted the profile {params['name']}"]}


def _present(
    minikube: Minikube,
    host: _minikube_drivers.Host,
    params: dict[str, t.Any],
    config: dict[str, t.Any] | None,
    check: bool,
    tell: Tell,
) -> dict[str, t.Any]:
    name = params["name"]
    if config is not None and not params["ours"]:
        raise MintnetError(
            f"Making the profile {name} of minikube: there is one, which we did not make",
            hint=f"to use it as it is: -e mintnet_context={name}; to make one beside it: -e mintnet_cluster=NAME",
        )
    kept = config.get("Driver", "") if config else ""
    driver, why = (kept, "the profile's") if kept and params["driver"] == "auto" else _choose(host, params["driver"])
    missing = _missing(host, driver)
    wanted = _wanted(params, driver)
    # On one that never was whole there is nothing to keep.
    half_made = config is not None and minikube.half_made(name)
    differs = drift(config, wanted) if config and not half_made else []
    recreate = half_made or (bool(differs) and params["on_drift"] == "recreate")
    if differs and params["on_drift"] == "fail":
        raise MintnetError(
            f"Looking at the profile {name} of minikube: it differs from what is wanted, and minikube does not change "
            f"that: {'; '.join(differs)}",
            hint="keep it (-e minikube_on_drift=keep), or delete it with all that is on it and make it anew "
            "(-e minikube_on_drift=recreate)",
        )
    # In a check run minikube may not be there to be asked.
    enabled = minikube.addons(name) if params["addons"] and Path(params["binary"]).exists() else {}
    faults = [] if missing else list(_minikube_drivers.faults(host, driver, params["cpus"], params["memory"]))
    unknown = [addon for addon in params["addons"] if enabled and addon not in enabled]
    faults += [f"addons: this minikube has no {addon}{nearest(addon, enabled)}" for addon in unknown]
    if faults:
        raise FaultsError(f"Checking this host for the profile {name} of minikube", faults)
    result = {"driver": driver, "drift": differs, "missing_packages": missing}
    runs = config is not None and not recreate and minikube.runs(name)
    verb = "made anew" if recreate else "made" if config is None else "started"
    why += ", since its first start did not come to its end" if half_made else ""
    images = {image: Path(path) for image, path in params["images"].items()}
    kept_addons = enabled if config and not recreate else {}
    addons = [addon for addon in dict.fromkeys(params["addons"]) if not kept_addons.get(addon)]
    did = []
    if check:
        did += [] if runs else [f"would be {verb} with the driver {driver}, {why}"]
        lacking = minikube.lacking(name, images) if runs else list(images)
        did += [f"would load {image}" for image in lacking] + [f"would enable the addon {addon}" for addon in addons]
        return {**result, "changed": bool(did), "did": did}
    if not runs:
        tell(f"{verb} with the driver {driver}, {why}")
        if recreate:
            minikube.delete(name)
        _prepare(minikube, host, params, driver)
        (minikube.make if verb != "started" else minikube.start)(name, wanted, tell)
        did.append(f"{verb} with the driver {driver}")
    did += [f"loaded {image}" for image in minikube.load(name, images)]
    for addon in addons:
        tell(f"enables the addon {addon}")
        minikube.enable(name, addon)
        did.append(f"enabled the addon {addon}")
    return {**result, "changed": bool(did), "did": did}


def _choose(host: _minikube_drivers.Host, asked: str) -> tuple[str, str]:
    """On a Linux host where nothing is installed, podman can be."""
    try:
        return _minikube_drivers.choose(host, asked)
    except MintnetError:
        if asked == "auto" and host.system == "Linux" and host.root and _podman.which("apt-get"):
            return "podman", "which can be installed"
        raise


def _missing(host: _minikube_drivers.Host, driver: str) -> list[str]:
    if driver != "podman" or host.system != "Linux" or not host.root or not _podman.which("apt-get"):
        return []
    return sorted(package for command, package in _minikube_podman.COMMANDS.items() if not _podman.which(command))


def _wanted(params: dict[str, t.Any], driver: str) -> Wanted:
    base = params["base"] if driver in _minikube_drivers.CONTAINERS else None
    return Wanted(
        driver=driver,
        kubernetes_version=params["kubernetes_version"],
        nodes=params["nodes"],
        cpus=params["cpus"],
        memory=params["memory"],
        disk=params["disk"],
        base_image=base["image"] if base else "",
        own_storage=params["own_storage"],
        flags=tuple(params["flags"]),
    )


def _prepare(minikube: Minikube, host: _minikube_drivers.Host, params: dict[str, t.Any], driver: str) -> None:
    """What the start finds in its places."""
    if host.system == "Linux" and host.root and driver in _minikube_drivers.CONTAINERS:
        _minikube_podman.MODULES.mkdir(parents=True, exist_ok=True)
    if params["base"] and driver == "podman":
        _minikube_podman.have_image(Path(params["base"]["path"]), params["base"]["image"])
    programs = {name: Path(path) for name, path in params["programs"].items()}
    cached = {image: Path(path) for image, path in params["cached"].items()}
    _minikube_cache.seed(minikube.root, params["arch"], params["kubernetes_version"], programs, cached)


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
