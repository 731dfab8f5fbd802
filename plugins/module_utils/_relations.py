# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several variables of a run must be together. A relation's parameters are the names of its variables."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _config_nodes, _genesis, _groups, _topology
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app import (
    sound_app,
    sound_built_in,
    sound_genesis_script,
    sound_mounts,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_relations import (
    sound_app_state,
    sound_genesis,
    sound_genesis_file,
    sound_genesis_sources,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import line_fault, type_named
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_plan import FIRST_ADDRESS
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    FIRST,
    PUB_KEY,
    PUB_KEY_PORT,
    is_single,
    line_of,
)

Groups = Sequence[Mapping[str, t.Any]]


def few_enough_validators(cometbft_validators: int, cometbft_nodes: int) -> list[str]:
    if cometbft_validators <= cometbft_nodes:
        return []
    return [f"cometbft_validators = {cometbft_validators}: must be at most cometbft_nodes, which is {cometbft_nodes}"]


def sound_powers(cometbft_power: int, cometbft_powers: Mapping[str, t.Any], cometbft_validators: int) -> list[str]:
    faults = []
    for name, power in cometbft_powers.items():
        if fault := _no_node(name, [{"name": FIRST, "nodes": cometbft_validators}], "validators"):
            faults.append(f"cometbft_powers.{name}: {fault}")
        if isinstance(power, bool) or not str(power).isdecimal() or int(power) < 1:
            faults.append(f"cometbft_powers.{name} = {power!r}: must be a whole number, 1 or more")
    if faults:
        return faults
    special = sum(map(int, cometbft_powers.values()))
    others = cometbft_validators - len(cometbft_powers)
    if special + others * cometbft_power <= _genesis.MAX_TOTAL_POWER:
        return []
    most = (_genesis.MAX_TOTAL_POWER - special) // max(others, 1)
    if most < 1:
        return [f"cometbft_powers: they are {special} in all, at most {_genesis.MAX_TOTAL_POWER} is allowed"]
    return [f"cometbft_power = {cometbft_power}: must be at most {most} for each of {others} validators"]


def sound_keys(
    cometbft_version: str,
    cometbft_nodes: int,
    cometbft_key_type: str,
    cometbft_key_types: Mapping[str, t.Any],
    cometbft_key_sources: Sequence[Mapping[str, t.Any]],
    cometbft_groups: Groups,
) -> list[str]:
    line = str(line_of(cometbft_version))
    faults = []
    wanted = {f"cometbft_key_types.{name}": kind for name, kind in cometbft_key_types.items()}
    for what, kind in {**({"cometbft_key_type": cometbft_key_type} if cometbft_key_type else {}), **wanted}.items():
        try:
            fault = line_fault(type_named(str(kind)), line)
        except ValueError as error:
            fault = str(error)
        if fault:
            faults.append(f"{what} = {kind!r}: {fault}")
    named = [(f"cometbft_key_types.{name}", name) for name in cometbft_key_types]
    named += [(f"cometbft_key_sources[{n}].node", item.get("node", "")) for n, item in enumerate(cometbft_key_sources)]
    groups = [{"name": FIRST, "nodes": cometbft_nodes}, *cometbft_groups]
    return faults + [f"{what}: {fault}" for what, name in named if (fault := _no_node(str(name), groups, "nodes"))]


def sound_custody(
    cometbft_custody: str,
    cometbft_key_type: str,
    cometbft_key_types: Mapping[str, t.Any],
    cometbft_key_sources: Sequence[Mapping[str, t.Any]],
    cometbft_ephemeral: bool,
    cometbft_genesis_src: str,
    cometbft_genesis_script: str,
    cometbft_keep_keys: bool,
    cometbft_app_ports: Mapping[str, t.Any],
    cometbft_groups: Groups,
) -> list[str]:
    """What cannot be where a pod makes its own keys on its volume, and the first validator's pod the genesis."""
    if cometbft_custody != "pod":
        return []
    kinds = {"cometbft_key_type": cometbft_key_type} if cometbft_key_type else {}
    kinds |= {f"cometbft_key_types.{name}": str(kind) for name, kind in cometbft_key_types.items()}
    faults = [
        f"{what} = {kind!r}: must be ed25519, the type of key that pods make themselves; choose it, or set "
        "cometbft_custody to secret"
        for what, kind in kinds.items()
        if kind != "ed25519"
    ]
    contradictions = {
        "cometbft_key_sources": (cometbft_key_sources, "pods make their keys themselves, and nothing is brought"),
        "cometbft_ephemeral": (cometbft_ephemeral, "a pod's keys lie on its volume, and would go with the pod"),
        "cometbft_genesis_src": (cometbft_genesis_src, "the genesis is made of keys that nobody has yet"),
        "cometbft_genesis_script": (cometbft_genesis_script, "the genesis is made of keys that nobody has yet"),
        "cometbft_keep_keys": (cometbft_keep_keys, "keys lie on the volumes, which go with the chain"),
        "cometbft_groups": (cometbft_groups, "pods with keys of their own know one group"),
    }
    faults += [
        f"{name}: contradicts cometbft_custody = 'pod': {why}; leave it out, or set cometbft_custody to secret"
        for name, (given, why) in contradictions.items()
        if given
    ]
    return faults + [
        f"cometbft_app_ports.{name} = {port}: with cometbft_custody = 'pod' the container pub-key has this name, and "
        f"port {PUB_KEY_PORT}; choose another one"
        for name, port in cometbft_app_ports.items()
        if name == PUB_KEY or str(port) == str(PUB_KEY_PORT)
    ]


def sound_render_path(cometbft_render_path: str, cometbft_custody: str) -> list[str]:
    if cometbft_custody == "pod" or not is_single(cometbft_render_path):
        return []
    return [
        f"cometbft_render_path = {cometbft_render_path!r}: a network does not start from one file with "
        "cometbft_custody = 'secret', as the private keys are not in it; set cometbft_custody to pod, or name a "
        "folder, without .yaml"
    ]


def _no_node(name: str, groups: Groups, what: str) -> str:
    names = _groups.names_of(groups)
    if name in names:
        return ""
    counts = {group["name"]: _groups.typed(group)["nodes"] for group in groups}
    there = [f"{group}-0 to {group}-{count - 1}" for group, count in counts.items() if count > 0]
    return f"there is no {name or 'node'} among the {what}; they are {', '.join(there)}"


def sound_groups(cometbft_groups: Groups) -> list[str]:
    return _groups.name_faults(cometbft_groups) + _groups.value_faults(cometbft_groups)


def sound_configuration(cometbft_version: str, cometbft_config: Mapping[str, t.Any]) -> list[str]:
    try:
        _config_nodes.build(_config_nodes.Wanted(cometbft_version, settings=cometbft_config))
    except FaultsError as error:
        return [f"cometbft_config.{fault}" for fault in error.faults]
    return []


def sound_topology(
    cometbft_version: str,
    cometbft_nodes: int,
    cometbft_validators: int,
    cometbft_topology: Mapping[str, t.Any],
    cometbft_config: Mapping[str, t.Any],
    cometbft_node_config: Mapping[str, t.Any],
    cometbft_groups: Groups,
) -> list[str]:
    """What all nodes come to together, besides the faults of cometbft_config."""
    if cometbft_validators > cometbft_nodes or _groups.name_faults(cometbft_groups):
        return []  # it is told already
    nodes = _groups.names_of([{"name": FIRST, "nodes": cometbft_nodes}, *cometbft_groups])
    further = list(map(_groups.typed, cometbft_groups))
    wanted = _config_nodes.Wanted(
        version=cometbft_version,
        settings=cometbft_config,
        node_settings=cometbft_node_config,
        nodes=nodes,
        validators=nodes[:cometbft_validators],
        topology=cometbft_topology,
        groups=_groups.modes_of(further),
        group_settings={group["name"]: group.get("config", {}) for group in further},
        group_versions={group["name"]: group["version"] for group in further if line_of(group.get("version", ""))},
    )
    try:
        topology = _config_nodes.build(wanted).topology
    except FaultsError as error:
        told = sound_configuration(cometbft_version, cometbft_config)
        return [fault for fault in map(_of_variable, error.faults) if fault not in told]
    size = _topology.size(topology)
    if size <= _topology.MAX_SIZE:
        return []
    return [
        f"cometbft_nodes = {cometbft_nodes}: by cometbft_topology the names of all nodes' peers take {size} bytes, "
        f"a ConfigMap has room for {_topology.MAX_SIZE}; choose one with fewer peers for each node, such as regular"
    ]


def _of_variable(fault: str) -> str:
    """A fault of the module cometbft_config, which begins with one of its options."""
    if fault.startswith("group_settings."):
        _option, group, setting = fault.split(".", 2)
        return f"cometbft_groups.{group}.config.{setting}"
    ours = {
        "nodes:": "cometbft_nodes:",
        "topology.": "cometbft_topology.",
        "node_settings.": "cometbft_node_config.",
        "groups": "cometbft_groups",
    }
    for option, variable in ours.items():
        if fault.startswith(option):
            return variable + fault.removeprefix(option)
    return f"cometbft_config.{fault}"


def watched_as_a_table(cometbft_watch: bool, cometbft_query: str, cometbft_output: str) -> list[str]:
    if not cometbft_watch or not (cometbft_query.strip() or cometbft_output == "json"):
        return []
    other = f"cometbft_query = {cometbft_query!r}" if cometbft_query.strip() else "cometbft_output = 'json'"
    return [f"{other}: contradicts cometbft_watch, which shows tables; leave one of them out"]


def context_or_new(mintnet_provider: str, mintnet_context: str) -> list[str]:
    if mintnet_provider not in ("kubeadm", "minikube") or not mintnet_context:
        return []
    return [
        f"mintnet_context = {mintnet_context!r}: contradicts mintnet_provider = {mintnet_provider}, which makes a "
        "context of its own; leave one of them out"
    ]


def one_pod_subnet(cni_pod_subnet: str, kubeadm_pod_subnet: str) -> list[str]:
    if cni_pod_subnet == kubeadm_pod_subnet:
        return []
    return [f"kubeadm_pod_subnet is {kubeadm_pod_subnet} and cni_pod_subnet is {cni_pod_subnet}: they must be the same"]


def one_service_subnet(cni_service_subnet: str, kubeadm_service_subnet: str) -> list[str]:
    if cni_service_subnet == kubeadm_service_subnet:
        return []
    return [
        f"kubeadm_service_subnet is {kubeadm_service_subnet} and cni_service_subnet is {cni_service_subnet}: "
        "they must be the same"
    ]


def room_for_machines(machines_count: int, machines_subnet: str) -> list[str]:
    room = ipaddress.IPv4Network(machines_subnet).num_addresses - FIRST_ADDRESS - 2
    if machines_count <= room:
        return []
    return [
        f"machines_subnet = {machines_subnet!r}: has room for {room} machines, and mintnet_machines is {machines_count}"
    ]


def machines_for_control_planes(mintnet_control_planes: int, mintnet_machines: int) -> list[str]:
    if mintnet_control_planes <= mintnet_machines:
        return []
    return [
        f"mintnet_control_planes is {mintnet_control_planes} and mintnet_machines is {mintnet_machines}: each of them "
        "needs a machine of its own"
    ]


def subnets_apart(machines_subnet: str, cni_pod_subnet: str, kubeadm_service_subnet: str) -> list[str]:
    subnets = {
        "machines_subnet": machines_subnet,
        "cni_pod_subnet": cni_pod_subnet,
        "kubeadm_service_subnet": kubeadm_service_subnet,
    }
    return [
        f"{name} is {subnets[name]} and {other} is {subnets[other]}: they must not overlap"
        for name, other in itertools.combinations(subnets, 2)
        if ipaddress.IPv4Network(subnets[name]).overlaps(ipaddress.IPv4Network(subnets[other]))
    ]


def mirror_that_is_named(artifacts_source: str, artifacts_mirror_url: str, artifacts_mirror_sha256: str) -> list[str]:
    if artifacts_mirror_url:
        return []
    faults = []
    if artifacts_source == "mirror":
        faults.append("artifacts_source = 'mirror': needs the mirror's address in artifacts_mirror_url")
    if artifacts_mirror_sha256:
        faults.append("artifacts_mirror_sha256: there is no artifacts_mirror_url that it could belong to")
    return faults


# Each is asked when all of its parameters, which are names of variables, have values without a fault of their own.
RELATIONS: tuple[Callable[..., list[str]], ...] = (
    few_enough_validators,
    machines_for_control_planes,
    sound_powers,
    sound_keys,
    sound_custody,
    sound_groups,
    sound_render_path,
    sound_genesis_sources,
    sound_configuration,
    sound_topology,
    sound_genesis,
    sound_app,
    sound_built_in,
    sound_mounts,
    sound_genesis_script,
    watched_as_a_table,
    context_or_new,
    one_pod_subnet,
    one_service_subnet,
    room_for_machines,
    subnets_apart,
    mirror_that_is_named,
)

# Those that read files, for runs that make a chain of them: of a chain that lives they may be gone.
CONTENTS: tuple[Callable[..., list[str]], ...] = (sound_app_state, sound_genesis_file)
