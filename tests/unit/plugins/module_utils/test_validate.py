# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _validate
from ansible_collections.mintnet.kubernetes.plugins.module_utils._validate import (
    Known,
    check_type,
    check_values,
    doubtful_names,
    read_known,
    show,
    unknown_names,
)

ROLES = Path(_validate.__file__).parents[2] / "roles"
KNOWN = read_known(ROLES)
LABEL = "a DNS label: 1 to 63 of a-z, 0-9 and dashes"


def faults(variables: dict[str, t.Any]) -> list[str]:
    """As the action does it; the one default of these that is a template is here what it comes to."""
    defaults = {name: spec["default"] for name, spec in KNOWN.options.items() if "default" in spec}
    defaults["cometbft_validators"] = variables.get("cometbft_nodes", 4)
    given = {name: value for name, value in variables.items() if name in KNOWN.options}
    others = {name: defaults[name] for name in _validate.RELATED & defaults.keys() - given.keys()}
    return unknown_names(variables, KNOWN) + check_values(given, others, KNOWN)


BAD: list[tuple[dict[str, t.Any], str]] = [
    # Names
    ({"cometbft_nodez": 4}, "cometbft_nodez: there is no such variable; did you mean cometbft_node or cometbft_nodes?"),
    ({"cometbft_validator": 4}, "did you mean cometbft_validators?"),
    ({"cometbft_chainid": "a"}, "did you mean cometbft_chain_id?"),
    ({"cometbft_blocktime": "1s"}, "did you mean cometbft_block_time?"),
    ({"mintnet_nodes": 4}, "mintnet_nodes: there is no such variable"),
    ({"mintnet_providr": "auto"}, "did you mean mintnet_provider?"),
    ({"kubeadm_versions": "1"}, "did you mean kubeadm_version?"),
    ({"machines_sub_net": "10.0.0.0/24"}, "did you mean machines_subnet?"),
    ({"storage_qqqqqqqq": 1}, "storage_qqqqqqqq: there is no such variable"),
    # Types
    ({"cometbft_nodes": "four"}, "cometbft_nodes = 'four': must be a whole number"),
    ({"cometbft_nodes": 4.5}, "cometbft_nodes = 4.5: must be a whole number"),
    ({"cometbft_nodes": True}, "cometbft_nodes = true: must be a whole number"),
    ({"cometbft_nodes": [4]}, "cometbft_nodes = a list: must be a whole number"),
    ({"cometbft_nodes": None}, "cometbft_nodes = nothing: must be a whole number"),
    ({"cometbft_network": {"name": "a"}}, "cometbft_network = a mapping: must be text"),
    ({"cometbft_network": ["a"]}, "cometbft_network = a list: must be text"),
    ({"cometbft_chain_id": {"id": "a"}}, "cometbft_chain_id = a mapping: must be text"),
    ({"cometbft_image": True}, "cometbft_image = true: must be text"),
    ({"cometbft_config": "mempool.size=1"}, "cometbft_config = 'mempool.size=1': must be a mapping"),
    ({"cometbft_config": [1]}, "cometbft_config = a list: must be a mapping"),
    ({"cometbft_ephemeral": "maybe"}, "cometbft_ephemeral = 'maybe': must be true or false"),
    ({"mintnet_confirm": "perhaps"}, "mintnet_confirm = 'perhaps': must be true or false"),
    ({"mintnet_home": {"a": "b"}}, "mintnet_home = a mapping: must be a path"),
    ({"artifacts_wanted": "kubeadm"}, "artifacts_wanted = 'kubeadm': must be a list, each item text"),
    ({"artifacts_wanted": [{"name": "kubeadm"}]}, "artifacts_wanted[0] = a mapping: must be text"),
    ({"kubeadm_ignored_preflight_errors": ["Mem"]}, "kubeadm_ignored_preflight_errors[0] = 'Mem': must be a mapping"),
    (
        {"kubeadm_ignored_preflight_errors": [{"name": "Mem"}]},
        "kubeadm_ignored_preflight_errors[0].reason: missing; must be text",
    ),
    (
        {"kubeadm_ignored_preflight_errors": [{"name": "Mem", "reason": "small", "why": "x"}]},
        "kubeadm_ignored_preflight_errors[0].why: there is no such entry",
    ),
    # Choices
    ({"mintnet_provider": "kubeadmin"}, "must be one of auto, existing, kubeadm; did you mean kubeadm?"),
    ({"mintnet_provider": "minikube"}, "mintnet_provider = 'minikube': must be one of auto, existing, kubeadm"),
    ({"cometbft_app": "kv-store"}, "did you mean kvstore?"),
    ({"artifacts_source": "mirror"}, "artifacts_source = 'mirror': must be one of source"),
    # Values
    ({"cometbft_network": "My_Net"}, f"cometbft_network = 'My_Net': must be {LABEL}"),
    ({"cometbft_network": "-a"}, LABEL),
    ({"cometbft_network": "a" * 64}, LABEL),
    ({"cometbft_network": "a.b"}, LABEL),
    ({"cometbft_network": "kube-system"}, "a namespace of its own"),
    ({"cometbft_network": "default"}, "a namespace of its own"),
    ({"mintnet_cluster": "Mint Net"}, LABEL),
    ({"mintnet_cluster": "a" * 60}, "58 characters at most"),
    ({"cometbft_chain_id": ""}, "must be 1 to 50 bytes, and this is 0"),
    ({"cometbft_chain_id": "c" * 51}, "must be 1 to 50 bytes, and this is 51"),
    ({"cometbft_chain_id": "ü" * 26}, "must be 1 to 50 bytes, and this is 52"),
    ({"cometbft_nodes": 0}, "cometbft_nodes = 0: must be 1 or more"),
    ({"cometbft_nodes": "-1"}, "cometbft_nodes = '-1': must be 1 or more"),
    ({"cometbft_validators": 0}, "cometbft_validators = 0: must be 1 or more"),
    ({"cometbft_validators": 5}, "cometbft_validators = 5: must be at most cometbft_nodes, which is 4"),
    ({"cometbft_nodes": 2, "cometbft_validators": "3"}, "must be at most cometbft_nodes, which is 2"),
    ({"cometbft_version": "0.37.2"}, "a release of CometBFT 0.38, 0.39, 0.40, in full, such as 0.40.0"),
    ({"cometbft_version": 0.4}, "cometbft_version = 0.4: must be a release of CometBFT"),
    ({"cometbft_version": "v0.40.0"}, "a release of CometBFT 0.38, 0.39, 0.40, in full, such as 0.40.0"),
    ({"cometbft_version": "0.40"}, "in full, such as 0.40.0"),
    ({"cometbft_version": "latest"}, "cometbft_version = 'latest': must be a release"),
    ({"cometbft_block_time": "1"}, "cometbft_block_time = '1': must be a duration, such as 500ms, 1s or 1m30s"),
    ({"cometbft_block_time": 1}, "cometbft_block_time = 1: must be a duration"),
    ({"cometbft_block_time": "1 s"}, "must be a duration"),
    ({"cometbft_block_time": "-1s"}, "must be a duration"),
    ({"cometbft_genesis_time": "yesterday"}, "must be a time such as 2026-01-31T12:00:00Z"),
    ({"cometbft_genesis_time": "2026-02-30T00:00:00Z"}, "must be a time"),
    ({"cometbft_initial_height": 0}, "cometbft_initial_height = 0: must be 1 to 9223372036854775807"),
    ({"cometbft_power": 0}, "cometbft_power = 0: must be 1 to 1152921504606846975"),
    ({"cometbft_power": 2**61}, "must be 1 to 1152921504606846975"),
    ({"cometbft_power": 2**59}, "must be at most 288230376151711743 for each of 4 validators"),
    ({"cometbft_volume_size": "2 Gi"}, "must be a quantity above 0, such as 512Mi, 2Gi or 10G"),
    ({"cometbft_volume_size": "0Gi"}, "must be a quantity above 0"),
    ({"cometbft_volume_size": "2GB"}, "must be a quantity above 0"),
    ({"cometbft_storage_class": "Fast!"}, "must be a DNS name"),
    ({"cometbft_image": "Comet BFT:1"}, "must be an image reference"),
    ({"cometbft_timeout": 0}, "cometbft_timeout = 0: must be 1 or more"),
    ({"cometbft_config": {"mempol": {"size": 1}}}, "cometbft_config.mempol: CometBFT 0.40 has no such key or section"),
    ({"cometbft_config": {"mempool": {"size": "big"}}}, "cometbft_config.mempool.size: 'big' is no whole number"),
    ({"cometbft_config": {"p2p": {"persistent_peers": "a"}}}, "it differs from node to node"),
    ({"cometbft_node_config": {"tm-9": {}}}, "cometbft_node_config.tm-9: there is no node tm-9; did you mean tm-"),
    ({"cometbft_node_config": {"tm-1": {"mempool": {"siz": 1}}}}, "cometbft_node_config.tm-1.mempool.siz: CometBFT"),
    ({"cometbft_node_config": {"tm-1": "x"}}, "cometbft_node_config.tm-1: it takes sections and keys with values"),
    ({"cometbft_topology": "ring"}, "cometbft_topology = 'ring': must be a mapping"),
    ({"cometbft_topology": {"kind": "rong"}}, "cometbft_topology.kind = 'rong': must be one of mesh, ring, star"),
    ({"cometbft_topology": {"kind": "ring", "degre": 2}}, "cometbft_topology.degre: there is no such entry; did you"),
    ({"cometbft_topology": {"kind": "ring", "degree": 2}}, "cometbft_topology.degree: a ring does not take it"),
    ({"cometbft_topology": {"kind": "regular", "degree": 4}}, "cometbft_topology.degree: 4 does not suit 4 initial"),
    ({"cometbft_topology": {"kind": "regular", "degree": "x"}}, "cometbft_topology.degree = 'x': must be a whole"),
    ({"cometbft_topology": {"kind": "list", "edges": []}}, "cometbft_topology.edges: they leave 4 separate networks"),
    ({"cometbft_nodes": 500}, "the names of all nodes' peers take 1741610 bytes"),
    ({"cometbft_nodes": 1001}, "cometbft_nodes: there are 1001, and a mesh is laid out for 1000 at most"),
    (
        {"cometbft_nodes": 7, "cometbft_validators": 4, "cometbft_config": {"p2p": {"max_num_inbound_peers": 1}}},
        "cometbft_config.p2p.max_num_inbound_peers: 1, and 3 nodes that it need not take dial one node",
    ),
    ({"cometbft_consensus_params": {"blok": {}}}, "cometbft_consensus_params.blok: there are no such parameters"),
    ({"cometbft_consensus_params": {"block": {"max_bytes": 0}}}, "cometbft_consensus_params.block.max_bytes"),
    (
        {"cometbft_version": "0.38.25", "cometbft_consensus_params": {"authority": {"authority": "a"}}},
        "cometbft_consensus_params.authority: only CometBFT 0.39, 0.40 has it",
    ),
    ({"cometbft_resources": {"request": {"cpu": 1}}}, "must be requests and limits"),
    ({"cometbft_resources": {"limits": {"memory": "much"}}}, "must be requests and limits"),
    ({"cometbft_resources": {"limits": "1"}}, "must be requests and limits"),
    ({"cometbft_node": 4}, "cometbft_node = 4: must be the name of a node, such as tm-0"),
    ({"cometbft_node": "tm"}, "such as tm-0"),
    ({"cometbft_port": 0}, "cometbft_port = 0: must be 1 to 65535"),
    ({"cometbft_seconds": -1}, "cometbft_seconds = -1: must be 0 or more"),
    ({"cometbft_output": "yaml"}, "cometbft_output = 'yaml': must be one of table, json"),
    ({"cometbft_validators": None}, "cometbft_validators = nothing: must be a whole number"),
    ({"mintnet_machines": 0}, "mintnet_machines = 0: must be 1 or more"),
    ({"mintnet_home": "relative/folder"}, "mintnet_home = 'relative/folder': must be an absolute path"),
    ({"mintnet_home": f"{__file__}/below"}, f"must be a folder, and {__file__} is none"),
    ({"machines_subnet": "10.89.64.1/24"}, "machines_subnet = '10.89.64.1/24': must be an IPv4 network"),
    ({"kubeadm_service_subnet": "fd00::/108"}, "kubeadm_service_subnet = 'fd00::/108': must be an IPv4 network"),
    ({"cni_pod_subnet": "10.1.0.0/16"}, "kubeadm_pod_subnet is 10.244.0.0/16 and cni_pod_subnet is 10.1.0.0/16"),
    ({"kubeadm_service_subnet": "10.244.128.0/20"}, "cni_pod_subnet is 10.244.0.0/16 and kubeadm_service_subnet is"),
    ({"machines_subnet": "10.96.5.0/24"}, "machines_subnet is 10.96.5.0/24 and kubeadm_service_subnet is 10.96.0.0/12"),
    ({"kubeadm_version": "1.35.0"}, "kubeadm_version = '1.35.0': must be 1.36.3"),
    ({"kubeadm_endpoint_port": 70000}, "kubeadm_endpoint_port = 70000: must be 1 to 65535"),
    ({"kubeadm_endpoint_name": "api_server"}, "must be a DNS name"),
    ({"kubeadm_endpoint_name": ".".join(["a" * 60] * 5)}, "must be a DNS name"),
    # Contradictions
    ({"mintnet_provider": "kubeadm", "mintnet_context": "work"}, "contradicts mintnet_provider = kubeadm"),
]


@pytest.mark.parametrize(("variables", "message"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_bad_input_is_named(variables: dict[str, t.Any], message: str) -> None:
    found = faults(variables)
    assert len(found) == 1
    assert message in found[0]
    assert any(name in found[0] for name in variables)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"cometbft_nodes": "7"},
        {"cometbft_nodes": 1},
        {"cometbft_nodes": 16, "cometbft_validators": 16},
        {"cometbft_nodes": 7, "cometbft_validators": "4"},
        {"cometbft_network": "a"},
        {"cometbft_network": "a" * 63},
        {"cometbft_network": "1net-2"},
        {"cometbft_network": 2026},
        {"cometbft_chain_id": "c" * 50},
        {"cometbft_chain_id": "My Chain_1"},
        {"cometbft_chain_id": "ü" * 25},
        {"cometbft_version": "0.38.25"},
        {"cometbft_version": "0.39.4-rc.1"},
        {"cometbft_block_time": "500ms"},
        {"cometbft_block_time": "1m30.5s"},
        {"cometbft_block_time": "0s"},
        {"cometbft_genesis_time": ""},
        {"cometbft_genesis_time": "2026-01-31T12:00:00.123+02:00"},
        {"cometbft_power": 2**58 - 1},
        {"cometbft_volume_size": "512Mi"},
        {"cometbft_volume_size": "1.5e3"},
        {"cometbft_storage_class": ""},
        {"cometbft_storage_class": "fast.example.com"},
        {"cometbft_image": "registry.example:5000/a/b-c:v1@sha256:" + "0" * 64},
        {"cometbft_image": "cometbft/cometbft"},
        {"cometbft_ephemeral": "yes"},
        {"cometbft_config": {"mempool": {"size": 1}, "log_level": "info"}},
        {"cometbft_node_config": {"tm-3": {"moniker": "mine", "mempool": {"size": 1}}}},
        {"cometbft_topology": {"kind": "regular", "degree": "3", "random_seed": 7}},
        {"cometbft_topology": {"kind": "sentries"}, "cometbft_nodes": 8, "cometbft_validators": 4},
        {"cometbft_topology": {"kind": "regular", "degree": 8}, "cometbft_nodes": 500},
        {"cometbft_consensus_params": {"block": {"max_gas": 10}}},
        {"cometbft_resources": {"requests": {"cpu": 1, "memory": "64Mi"}}},
        {"cometbft_node": "tm-12", "cometbft_tail": -1},
        {"mintnet_confirm": "true"},
        {"mintnet_provider": "existing", "mintnet_context": "work"},
        {"mintnet_context": "work"},
        {"mintnet_home": "~/somewhere/new"},
        {"cni_pod_subnet": "10.8.0.0/16", "kubeadm_pod_subnet": "10.8.0.0/16"},
        {"kubeadm_version": "1.36.3"},
        {"kubeadm_ignored_preflight_errors": [{"name": "Mem", "reason": "it is a test"}]},
        # Names of our own plays, and names that are not ours
        {
            "mintnet_plan": {},
            "mintnet_artifacts": {},
            "_kubeadm_x": 1,
            "__common_plan": {},
            "my_nodes": 4,
            "ansible_x": 1,
        },
    ],
)
def test_good_input_passes(variables: dict[str, t.Any]) -> None:
    assert faults(variables) == []


def examples() -> list[dict[str, t.Any]]:
    """Those of the guide."""
    guide = (ROLES.parent / "docs" / "docsite" / "rst" / "guide_network.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. code-block:: yaml\n\n((?:  .*\n|\n)+)", guide, re.MULTILINE)
    return [yaml.safe_load(block) for block in blocks]


@pytest.mark.parametrize("variables", examples())
def test_examples_of_the_guide_pass(variables: dict[str, t.Any]) -> None:
    assert variables
    assert faults(variables) == []


def test_every_fault_is_found_at_once() -> None:
    variables = {
        "cometbft_nodez": 4,
        "cometbft_nodes": 0,
        "cometbft_chain_id": "c" * 51,
        "cometbft_network": "A",
        "mintnet_provider": "gke",
    }
    found = faults(variables)
    assert len(found) == len(variables)
    for name in variables:
        assert sum(fault.startswith((f"{name} ", f"{name}:")) for fault in found) == 1


def test_checks_and_relations_name_variables_that_exist() -> None:
    named = {*_validate.CHECKS, *_validate.RELATED, *_validate.PINNED}
    assert named - KNOWN.options.keys() == set()


def test_own_names_are_no_options() -> None:
    assert not _validate.OWN & KNOWN.options.keys()


def test_every_default_is_sound() -> None:
    given = {
        name: spec["default"]
        for name, spec in KNOWN.options.items()
        if "default" in spec and "{{" not in str(spec["default"])
    }
    assert check_values(given, {}, KNOWN) == []


def test_names_that_only_resemble_ours_are_doubted() -> None:
    names = ["cometbtf_nodes", "machine_names", "nodes", "ansible_cometbft_nodes", "cometbft_nodes", "cometbft_node"]
    assert doubtful_names(names, KNOWN) == [
        "cometbtf_nodes is not a variable of this collection; was cometbft_nodes meant?"
    ]


@pytest.mark.parametrize(
    ("name", "value", "spec"),
    [
        ("x_password", "s3cret", {}),
        ("x_private_key", "s3cret", {"type": "str"}),
        ("x_harmless", "s3cret", {"no_log": True}),
        ("x_token", ["s3cret"], {"type": "str"}),
        ("x_secrets", {"a": "s3cret"}, {"type": "dict", "no_log": True, "options": {"b": {}}}),
        ("x_password", "s3cret", {"choices": ["a", "b"]}),
    ],
)
def test_secrets_are_not_echoed(name: str, value: t.Any, spec: dict[str, t.Any]) -> None:
    assert "s3cret" not in show(name, value, spec)
    wrong = check_type(name, value, {**spec, "type": "int"})[1] + check_type(name, value, spec)[1]
    assert wrong
    assert "s3cret" not in "".join(wrong)


def test_long_values_are_cut() -> None:
    assert len(show("x", "a" * 1000, {})) <= 80


def test_entries_of_mappings_are_checked_at_any_depth() -> None:
    spec = {"type": "dict", "options": {"outer": {"type": "dict", "options": {"inner": {"type": "int"}}}}}
    assert check_type("x", {"outer": {"inner": "1"}}, spec)[1] == []
    assert check_type("x", {"outer": {"inner": "a"}}, spec)[1] == ["x.outer.inner = 'a': must be a whole number"]
    assert check_type("x", {"outer": {"innr": 1}}, spec)[1] == [
        "x.outer.innr: there is no such entry; did you mean inner?"
    ]


def test_known_is_read_from_all_entry_points_with_the_roles_defaults(tmp_path: Path) -> None:
    meta, defaults = tmp_path / "a" / "meta", tmp_path / "a" / "defaults"
    meta.mkdir(parents=True)
    defaults.mkdir()
    (meta / "argument_specs.yml").write_text(
        "argument_specs: {main: {options: {a_x: {type: int}}}, absent: {options: {a_y: {}}}, no: {}}"
    )
    (defaults / "main.yml").write_text("{a_x: '{{ 1 + 1 }}', a_z: 1}")
    assert read_known(tmp_path) == Known(
        {"a_x": {"type": "int", "default": "{{ 1 + 1 }}"}, "a_y": {}}, frozenset({"mintnet_", "a_"})
    )
