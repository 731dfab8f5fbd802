# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys in a folder of manifests that is encrypted with Ansible Vault, and those of a network that lives."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.constants import DEFAULT_VAULT_IDENTITY
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.modules import manifests

Act = t.Callable[..., dict[str, t.Any]]
Json = dict[str, t.Any]

SECRET: Json = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "tm-keys",
        "namespace": "net",
        "uid": "1",
        "resourceVersion": "7",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{c2VjcmV0}", "mine": "kept"},
    },
    "type": "Opaque",
    "data": {"tm-0.node_key.json": "c2VjcmV0"},
}


def passwords(*named: tuple[str, bytes]) -> list[tuple[str, VaultSecret]]:
    return [(name, VaultSecret(password)) for name, password in named]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, VaultSecret]]:
    """The passwords that every data loader knows; a test may change them."""
    secrets = passwords((DEFAULT_VAULT_IDENTITY, b"a password"))
    begin = DataLoader.__init__

    def knowing(self: DataLoader) -> None:
        begin(self)
        self.set_vault_secrets(secrets)

    monkeypatch.setattr(DataLoader, "__init__", knowing)
    return secrets


def keys(act: Act, folder: Path, **more: t.Any) -> Json:
    return act("cometbft_keys", {"count": 1, "namespace": "net", "manifests": str(folder), **more})


def render(act: Act, folder: Path, **more: t.Any) -> Json:
    return act("manifests", {"path": str(folder), "namespace": "net", "definitions": [], **more})


def test_keys_that_are_made_are_never_there_as_plain_text(act: Act, tmp_path: Path, known: t.Any) -> None:
    made = keys(act, tmp_path, encrypt=True)
    file = tmp_path / "10-secrets.yaml"
    text = file.read_text()
    assert text.startswith("$ANSIBLE_VAULT;1.1;AES256\n")
    assert file.stat().st_mode & 0o777 == 0o600
    secret = yaml.safe_load(VaultLib(known).decrypt(text))
    assert list(secret["data"]) == ["tm-0.node_key.json", "tm-0.priv_validator_key.json"]
    assert not [value for value in secret["data"].values() if value in json.dumps(made)]
    again = keys(act, tmp_path, encrypt=True)
    assert (again["changed"], again["nodes"]) == (False, made["nodes"])
    assert render(act, tmp_path, secrets="vault")["changed"] is True
    assert render(act, tmp_path, secrets="vault")["changed"] is False
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir() if "priv" in path.read_text()] == []


def test_without_a_password_nothing_is_made(act: Act, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for failed in (keys(act, folder, encrypt=True), render(act, folder, secrets="vault")):
        assert failed["failed"] is True
        assert "there is no vault password to encrypt it with; name a vault password, such as" in failed["msg"]
    assert not folder.exists()


def test_another_password_is_told(act: Act, tmp_path: Path, known: t.Any) -> None:
    keys(act, tmp_path, encrypt=True)
    known[:] = passwords((DEFAULT_VAULT_IDENTITY, b"another"))
    failed = keys(act, tmp_path, encrypt=True)
    assert "it is encrypted with another vault password" in failed["msg"]


def test_the_first_of_several_passwords_encrypts(act: Act, tmp_path: Path, known: t.Any) -> None:
    known[:] = passwords(("ops", b"a password"), ("other", b"another"))
    keys(act, tmp_path, encrypt=True)
    text = (tmp_path / "10-secrets.yaml").read_text()
    assert text.startswith("$ANSIBLE_VAULT;1.2;AES256;ops\n")
    assert VaultLib(passwords(("ops", b"a password"))).decrypt(text)


def test_live_secrets_are_copied_without_what_a_cluster_writes(
    act: Act, tmp_path: Path, known: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def get(_self: Api, _doing: str, kind: str, _namespace: str, name: str) -> Json | None:
        asked.append(f"{kind} {name}")
        return json.loads(json.dumps(SECRET)) if name == "tm-keys" else None

    monkeypatch.setattr(Api, "get", get)
    place = {"context": "(to be made)", "live_secrets": ["tm-keys"]}
    assert render(act, tmp_path, **place)["files"] == ["20-genesis.yaml", "kustomization.yaml"]
    assert asked == []
    result = render(act, tmp_path, **place, secrets="plain")
    assert asked == ["Secret tm-keys"]
    assert "c2VjcmV0" not in json.dumps(result)
    assert result["warnings"] == [f"10-secrets.yaml in {tmp_path} holds private keys that are not encrypted"]
    found = yaml.safe_load((tmp_path / "10-secrets.yaml").read_text())
    assert found["metadata"] == {"name": "tm-keys", "namespace": "net", "annotations": {"mine": "kept"}}
    assert found["data"] == SECRET["data"]
    failed = render(act, tmp_path, context="(to be made)", live_config_maps=["tm-config"])
    assert failed["msg"] == "writing manifests: ConfigMap net/tm-config is gone; run this again"


def test_examples_are_run(act: Act, tmp_path: Path, known: t.Any) -> None:
    """Each as it stands, but for the folder and a template of the user's."""
    names = []
    for example in yaml.safe_load(manifests.EXAMPLES):
        (name,) = [key for key in example if key.startswith("mintnet.kubernetes.")]
        arguments = {
            key: value.replace("~/my-chain", str(tmp_path / "chain")) if isinstance(value, str) else value
            for key, value in example[name].items()
        }
        if "definitions" in arguments:
            arguments["definitions"] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "my-chain"}}]
        result = act(name.rpartition(".")[2], arguments)
        assert "msg" not in result, result
        names.append(name)
    assert names == ["mintnet.kubernetes.cometbft_keys", *["mintnet.kubernetes.manifests"] * 2]
    assert sorted(path.name for path in (tmp_path / "chain").iterdir()) == [
        "00-namespace.yaml",
        "10-secrets.yaml",
        "app.yaml",
        "kustomization.yaml",
    ]
