# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that a task brings from files of the controller; and the examples of the documentation."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.constants import DEFAULT_VAULT_IDENTITY
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.playbook.task import Task
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import ED25519, Kind, PrivateKey
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_keys, cometbft_keys_info

Act = t.Callable[..., dict[str, t.Any]]

VALIDATOR = PrivateKey.derive(ED25519, b"\1" * 32)
NODE = PrivateKey.derive(ED25519, b"\2" * 32)


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> VaultLib:
    """Every data loader knows the password."""
    secrets = [(DEFAULT_VAULT_IDENTITY, VaultSecret(b"a password"))]
    begin = DataLoader.__init__

    def knowing(self: DataLoader) -> None:
        begin(self)
        self.set_vault_secrets(secrets)

    monkeypatch.setattr(DataLoader, "__init__", knowing)
    return VaultLib(secrets)


def bring(act: Act, **source: t.Any) -> dict[str, t.Any]:
    return act("cometbft_keys", {"count": 1, "sources": [{"node": "tm-0", **source}]}, check=True)


def test_files_also_encrypted_ones(act: Act, tmp_path: Path, vault: VaultLib) -> None:
    (tmp_path / "validator.json").write_bytes(vault.encrypt(Kind.VALIDATOR.write(VALIDATOR)))
    (tmp_path / "node.json").write_text(Kind.NODE.write(NODE))
    assert (tmp_path / "validator.json").read_text().startswith("$ANSIBLE_VAULT;")
    files = {"validator_key_file": str(tmp_path / "validator.json"), "node_key_file": str(tmp_path / "node.json")}
    planned = bring(act, **files)
    (node,) = planned["nodes"]
    assert node["address"] == VALIDATOR.public.address
    assert node["node_id"] == NODE.public.address.lower()
    assert not [key for key in (VALIDATOR, NODE) if key.json["value"] in json.dumps(planned)]


def test_what_files_hold_is_in_no_argument(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks are given the task's arguments when it has ended."""
    (tmp_path / "validator.json").write_text(Kind.VALIDATOR.write(VALIDATOR))
    tasks: list[Task] = []
    begin = Task.__init__

    def noted(self: Task, *args: t.Any, **options: t.Any) -> None:
        begin(self, *args, **options)
        tasks.append(self)

    monkeypatch.setattr(Task, "__init__", noted)
    source = {"node": "tm-0", "validator_key_file": str(tmp_path / "validator.json")}
    assert bring(act, **source)["nodes"][0]["address"] == VALIDATOR.public.address
    assert tasks[-1].args["sources"] == [source]


def test_files_that_cannot_be_read_are_all_named(act: Act, tmp_path: Path) -> None:
    encrypted = VaultLib([(DEFAULT_VAULT_IDENTITY, VaultSecret(b"a password"))]).encrypt("x")
    (tmp_path / "validator.json").write_bytes(encrypted)
    files = {"validator_key_file": str(tmp_path / "validator.json"), "node_key_file": str(tmp_path / "none.json")}
    failed = bring(act, **files)
    assert failed["failed"] is True
    assert len(failed["faults"]) == 2
    assert failed["msg"].startswith("reading the keys that are brought: 2 faults: (1) validator_key_file of tm-0: ")
    assert "A vault password must be specified" in failed["faults"][0]
    assert "none.json" in failed["faults"][1]


def test_damaged_file_is_named(act: Act, tmp_path: Path) -> None:
    (tmp_path / "validator.json").write_text("{}")
    failed = bring(act, validator_key_file=str(tmp_path / "validator.json"))
    said = "sources, tm-0: validator_key: priv_key: it is missing or no object with type and value"
    assert failed["msg"] == f"checking what was asked: {said}"


@pytest.mark.parametrize("sources", ["x", ["x"], [{"node": "tm-0", "validator_key": "{}", "validator_key_file": "x"}]])
def test_arguments_of_another_shape_are_refused(act: Act, sources: t.Any) -> None:
    with pytest.raises(Exception, match=r"sources|dictionary|mutually exclusive"):
        act("cometbft_keys", {"count": 1, "sources": sources}, check=True)


def test_examples_are_run(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as it stands, but with a directory where a cluster is needed."""
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "priv_validator_key.json").write_text(Kind.VALIDATOR.write(VALIDATOR))
    (tmp_path / "alice" / "node_key.json").write_text(Kind.NODE.write(NODE))
    monkeypatch.chdir(tmp_path)
    results = []
    for module in (cometbft_keys, cometbft_keys_info):
        for example in yaml.safe_load(module.EXAMPLES):
            name = module.__name__.rpartition(".")[2]
            arguments = example.get(f"mintnet.kubernetes.{name}")
            if arguments is None:
                continue
            for option in ("context", "namespace"):
                arguments.pop(option, None)
            directory = str(arguments.get("directory") or "~/network").replace("~", str(tmp_path))
            results.append(act(name, {**arguments, "directory": directory}))
            assert "msg" not in results[-1], results[-1]
    assert [len(result["nodes"]) for result in results] == [7, 2, 4, 2, 1, 4, 4, 7, 2]
    _network, _files, mixed, brought, signer, seeded, regenerated, network_info, files_info = results
    assert [node["key_type"] for node in mixed["nodes"]] == ["secp256k1", "secp256k1", "ml_dsa_65", "secp256k1eth"]
    assert brought["nodes"][0]["address"] == VALIDATOR.public.address
    assert signer["nodes"][0]["address"] == "E74FBE24164CFC4F88E311C3AC92E63D0DC310D8"
    assert [item["node"] for item in regenerated["regenerated"]] == ["tm-2"]
    assert regenerated["nodes"][2] != seeded["nodes"][2]
    assert all(node["peer"].endswith(f"@{node['name']}:26656") for node in network_info["nodes"])
    assert files_info["nodes"][0]["peer"].endswith("@192.0.2.10:26656")
