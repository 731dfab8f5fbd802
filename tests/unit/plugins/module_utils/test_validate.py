# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _validate, _values
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


def faults(variables: dict[str, t.Any]) -> list[str]:
    """As the action does it; the one default of these that is a template is here what it comes to."""
    defaults = {name: spec["default"] for name, spec in KNOWN.options.items() if "default" in spec}
    defaults["cometbft_validators"] = variables.get("cometbft_nodes", 4)
    given = {name: value for name, value in variables.items() if name in KNOWN.options}
    others = {name: defaults[name] for name in _validate.RELATED & defaults.keys() - given.keys()}
    return unknown_names(variables, KNOWN) + check_values(given, others, KNOWN)


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
        {"cometbft_groups": [{"name": "archive", "nodes": "2", "version": "0.39.4", "image": None}]},
        {
            "cometbft_groups": [
                {"name": "sentry", "mode": "sentry", "nodes": 2, "guards": ["tm-0", "tm-1", "tm-2", "tm-3"]},
                {"name": "seed", "mode": "seed", "node_selector": {"example.com/disk": "ssd", "empty": ""}},
                {"name": "gone", "nodes": 0},
            ],
            "cometbft_node_config": {"sentry-1": {"log_level": "debug"}},
        },
        {"cometbft_node_selector": {"disktype": "ssd"}},
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
    named = {*_values.CHECKS, *_validate.RELATED, *_validate.PINNED}
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


def test_all_faults_of_groups_are_told_at_once() -> None:
    groups = [
        {"name": "a", "nodes": -1, "version": "0.37.2", "node_selector": {"disk": "not a label"}},
        {"name": "b", "mode": "sentry", "guards": ["tm-4"], "config": {"mempool": {"siz": 1}}},
        {"name": "c", "guards": ["tm-0"]},
    ]
    found = faults({"cometbft_groups": groups})
    for part in ("[0].nodes", "[0].version", "[0].node_selector", ".b.guards", ".b.config.mempool.siz", ".c.guards"):
        assert [fault for fault in found if fault.startswith(f"cometbft_groups{part}")], part


def test_names_that_only_resemble_ours_are_doubted() -> None:
    names = ["cometbtf_nodes", "machine_names", "nodes", "ansible_cometbft_nodes", "cometbft_nodes", "version"]
    assert doubtful_names(names, KNOWN) == [
        "cometbtf_nodes is not a variable of this collection; was cometbft_nodes meant?",
        "nodes is not a variable of this collection; was cometbft_nodes or minikube_nodes meant?",
        "version is not a variable of this collection; was cometbft_version or kubeadm_version meant?",
    ]
    ansibles = ["groups", "group_names", "hostvars", "inventory_dir", "omit", "playbook_dir", "role_path", "vars"]
    assert doubtful_names(ansibles, KNOWN) == []


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
