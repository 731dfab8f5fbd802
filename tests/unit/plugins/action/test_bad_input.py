# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of bad input, refused by the tasks that every playbook begins with."""

from __future__ import annotations

import functools
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.yaml import yaml_load
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.action import validate
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _validate
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import ED25519, Kind, PrivateKey

Act = t.Callable[..., dict[str, t.Any]]
Row = dict[str, t.Any]

TABLE: list[Row] = yaml_load(Path(__file__).with_name("bad_input.yml").read_text(encoding="utf-8"))
ROLES = validate.COLLECTION / "roles"
TASKS = yaml.safe_load((ROLES / "common" / "tasks" / "once.yml").read_text(encoding="utf-8"))
DEFAULTS = {
    name: validate.trusted(value)
    for role in ("common", "cometbft")
    for name, value in yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8")).items()
}
# A value of these types is shown in words.
SHOWN: dict[type, t.Callable[[t.Any], str]] = {
    bool: lambda value: str(value).lower(),
    type(None): lambda _value: "nothing",
    list: lambda _value: "a list",
}

# What a message must say besides the fault: what is allowed, or how to get there.
ALLOWED = re.compile(
    r"\bmust\b|did you mean|[Tt]here (is|are) no\b|contradicts|needs|known: |allowed|at most|which may have"
    r"|has room for|is no (whole number|duration)|it knows|only CometBFT .* has it|it takes|it belongs to"
    r"|(;|, or|:) (add|choose|leave|raise|repair|set|write|-e)\b"
)

BUILD = {"context": "{folder}"}
APP = {
    "cometbft_app": "container",
    "cometbft_app_files": {"/cache/app.toml": "x"},
    "cometbft_app_volumes": [
        {"path": "/cache", "source": {"emptyDir": {}}},
        {"path": "/etc/app", "source": {"configMap": {"name": "mine"}}, "read_only": True},
    ],
}

STATE = {"a": 1}
GENESIS = {"genesis_time": "2026-01-01T12:00:00Z", "chain_id": "mintnet", "app_state": STATE}
SDK = {
    **GENESIS,
    "initial_height": 1,
    "consensus": {
        "params": {
            "block": {"max_bytes": "1048576", "max_gas": "-1"},
            "evidence": {"max_age_num_blocks": "1000", "max_age_duration": "172800000000000", "max_bytes": "1024"},
            "validator": {"pub_key_types": ["ed25519"]},
        }
    },
}

read_once = functools.cache(_validate.read_known)


class HostVars(dict[str, dict[str, t.Any]]):
    """What the action uses of Ansible's own."""

    def raw_get(self, host: str) -> dict[str, t.Any]:
        return self[host]


@pytest.fixture(autouse=True)
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller of a unit test need not have what a run needs."""
    monkeypatch.setattr(validate, "PACKAGES", {})
    monkeypatch.setattr(validate, "COLLECTIONS", ())
    # Read once: the roles' files do not change between two rows.
    monkeypatch.setattr(_validate, "read_known", read_once)


def lay(files: dict[str, t.Any], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        elif isinstance(content, dict):
            path.symlink_to(content["link"])
        else:
            path.write_text(content, encoding="utf-8")


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in [folder, *folder.rglob("*")]}


def placed(value: t.Any, folder: Path) -> t.Any:
    """The row's data with {folder} in place."""
    if isinstance(value, dict):
        return {key: placed(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [placed(one, folder) for one in value]
    return value.replace("{folder}", str(folder)) if isinstance(value, str) else value


def variables_of(row: Row, folder: Path) -> dict[str, t.Any]:
    """As the first play of create has them: the defaults of both roles, then what the user gives."""
    groups = row.get("inventory", {})
    hosts = HostVars({host: {} for group in groups.values() for host in group})
    home = {"mintnet_home": str(folder / "mine"), "mintnet_kubeconfig": str(folder / "kubeconfig")}
    return {**DEFAULTS, **home, "mintnet_makes_chain": True, "groups": groups, "hostvars": hosts, **row.get("give", {})}


def refusals(act: Act, variables: dict[str, t.Any]) -> list[str]:
    """What the role's tasks say, each with its own arguments, until one refuses."""
    templar = Templar(loader=DataLoader(), variables=variables)
    for task in TASKS:
        for action in ("validate", "plan"):
            if args := task.get(f"mintnet.kubernetes.{action}"):
                result = act(
                    action, {key: templar.template(trust_as_template(v)) for key, v in args.items()}, variables
                )
                if result.get("failed"):
                    assert result.get("hint")
                    return list(result.get("faults") or [f"{result['msg']}; {result['hint']}"])
    return []


def shown(value: t.Any) -> str:
    if type(value) in SHOWN:
        return SHOWN[type(value)](value)
    return repr(value)[:79] if isinstance(value, str) else str(value)


@pytest.mark.parametrize("row", TABLE, ids=[str(number) for number in range(len(TABLE))])
def test_bad_input_is_refused_by_name(act: Act, tmp_path: Path, row: Row) -> None:
    row = placed(row, tmp_path)
    lay(row.get("files", {}), tmp_path)
    before = state(tmp_path)
    faults = refusals(act, variables_of(row, tmp_path))
    assert len(faults) == 1, faults
    (fault,) = faults
    assert not [text for text in row["say"] if text not in fault], fault
    assert ALLOWED.search(fault), fault
    given = row.get("give", {})
    assert not given or any(name in fault for name in given), fault
    if len(given) == 1 and " = " in fault:
        ((name, value),) = given.items()
        assert isinstance(value, dict) or f"{name} = {shown(value)}" in fault or f"{name}[" in fault, fault
    assert "s3cret" not in fault
    assert "\n" not in fault
    assert state(tmp_path) == before


def test_table_is_large_and_has_no_row_twice() -> None:
    assert len(TABLE) >= 60
    kept = [yaml.safe_dump({**row, "say": None}) for row in TABLE]
    assert len(set(kept)) == len(kept)


def test_good_input_passes_the_same_tasks(act: Act, tmp_path: Path) -> None:
    good: list[Row] = [
        {},
        {"give": {"cometbft_nodes": "7", "cometbft_query": "nodes[?ready].name | sort(@)"}},
        {"give": {"cometbft_resources": {"requests": {"cpu": "100u"}, "limits": {"nvidia.com/gpu": 1}}}},
        {"inventory": {"kube_control_plane": ["machine-1"], "etcd": ["machine-1"], "web": ["A_1"]}},
        {"inventory": {"kube_control_plane": ["192.0.2.11"], "kube_node": ["n.example.com"]}},
        {"inventory": {"kube_nodes": []}},
        {"give": {"artifacts_source": "mirror", "artifacts_mirror_url": "https://mirror.example.com:8443/kubernetes/"}},
        {"give": {"artifacts_source": "auto", "mintnet_mirror_dir": "mirror"}},
        {"give": {**APP, "cometbft_app_image": "example.org/app:1"}},
        # As a later play has it: what was built is no choice of the user.
        {"give": {**APP, "cometbft_app_build": BUILD, "mintnet_artifacts": {"app": {"image": "localhost/app:1"}}}},
        # What is set to its default says nothing.
        {"give": {"cometbft_app": "kvstore", "cometbft_app_transport": "unix", "cometbft_app_user": "100"}},
        {"give": {"cometbft_app": "container", "cometbft_app_build": {"context": str(tmp_path), "go": {}}}},
        {"give": {"cometbft_genesis_src": "{folder}/genesis.json", "cometbft_app_state_src": "{folder}/state.json"}},
        {"give": {"cometbft_app": "node", "cometbft_app_image": "a/b:1", "cometbft_genesis_src": "{folder}/sdk.json"}},
        {"give": {"cometbft_key_sources": [{"node": "tm-0", "validator_key_file": "{folder}/key.json"}]}},
    ]
    good = [placed(row, tmp_path) for row in good]
    lay({"Containerfile": "FROM scratch"}, tmp_path)
    lay({"go.mod": "module x"}, tmp_path)
    lay(
        {
            name: json.dumps(content)
            for name, content in {"state.json": STATE, "genesis.json": GENESIS, "sdk.json": SDK}.items()
        },
        tmp_path,
    )
    lay({"key.json": Kind.VALIDATOR.write(PrivateKey.derive(ED25519, bytes(32)))}, tmp_path)
    assert [refusals(act, variables_of(row, tmp_path)) for row in good] == [[]] * len(good)


@pytest.mark.parametrize("book", ["create", "network", "render", "reset"])
def test_where_a_chain_is_made_its_files_are_read(book: str) -> None:
    plays = yaml.safe_load((ROLES.parent / "playbooks" / f"{book}.yml").read_text(encoding="utf-8"))
    assert plays[0]["vars"]["mintnet_makes_chain"] is True


def test_elsewhere_they_may_be_gone(act: Act, tmp_path: Path) -> None:
    """As with status and destroy: keys that were brought need not lie about any more."""
    row: Row = {"give": {"cometbft_key_sources": [{"node": "tm-0", "validator_key_file": f"{tmp_path}/key.json"}]}}
    assert refusals(act, {**variables_of(row, tmp_path), "mintnet_makes_chain": False}) == []
