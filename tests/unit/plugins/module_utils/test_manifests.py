# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of manifests: its text, what of it is ours, and two of its files in the place of a cluster."""

from __future__ import annotations

import base64
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import ConfigMap
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import Wanted as WantedKeys
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import ensure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_secret import Secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._manifests import (
    ENCRYPTED,
    GENESIS,
    KUSTOMIZATION,
    MARK,
    NODES,
    SECRETS,
    Manifest,
    Outcome,
    Wanted,
    objects_of,
    text_of,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

Json = dict[str, t.Any]
LABELS = {"tm": "tm", "mintnet.io/network": "net"}
NAMES = ["tm-0", "tm-1"]


def thing(kind: str, name: str, version: str = "v1", **fields: t.Any) -> Json:
    metadata = {"name": name} if kind == "Namespace" else {"name": name, "namespace": "net"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


DEFINITIONS = [
    thing("StatefulSet", "tm", "apps/v1", spec={"replicas": 2}),
    thing("Namespace", "net"),
    thing("Service", "tm-0", spec={}),
    thing("Service", "tm-1", spec={}),
    thing("ResourceQuota", "tm", spec={"hard": {"pods": "8"}}),
    thing("ConfigMap", "tm-nodes", data={"nodes": "tm-0 tm-0 aa validator - - -\n"}),
]


class Cipher:
    """Encrypts in another way each time, as the vault does; without a password it refuses."""

    def __init__(self) -> None:
        self.times = 0

    def open(self, doing: str, text: str) -> str:
        return base64.b64decode(text.splitlines()[2]).decode()

    def seal(self, doing: str, text: str) -> str:
        self.times += 1
        return f"{ENCRYPTED}1.1\n{self.times}\n{base64.b64encode(text.encode()).decode()}\n"


def render(folder: Path, definitions: list[Json] | None = None, *, check: bool = False, **more: t.Any) -> Outcome:
    vault = more.pop("vault", None)
    wanted = Wanted("net", DEFINITIONS if definitions is None else definitions, **{"secrets": "none", **more})
    return write(folder, wanted, vault, dry_run=check)


def keys(folder: Path, count: int = 2, *, check: bool = False, **more: t.Any) -> list[str]:
    """Have keys in the folder; the ids of its nodes."""
    place = Secret(Manifest(folder, SECRETS, "net", **more), "net", "tm-keys", LABELS)
    outcome = ensure(place, WantedKeys([f"tm-{number}" for number in range(count)]), dry_run=check)
    return [str(node.node_id) for node in outcome.after]


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mode & 0o777, path.read_bytes()) for path in folder.iterdir()}


# Text


def test_each_file_says_what_it_is_and_each_kind_once() -> None:
    text = text_of(NODES, [DEFINITIONS[2], DEFINITIONS[3], DEFINITIONS[5]])
    assert text.startswith(f"{MARK}\n# What nodes find when they start. ")
    assert text.count("# Stable names: ") == 1
    assert text.count("# One row a node, ") == 1
    assert "  nodes: |\n    tm-0 tm-0 aa validator - - -\n" in text
    assert objects_of(text) == [DEFINITIONS[2], DEFINITIONS[3], DEFINITIONS[5]]
    assert max(len(line) for line in text.splitlines()) <= 120


@pytest.mark.parametrize(
    "value", ["y", "n", "no", "On", "1e3", "0o17", "1_000", "0x1f", "~", "", "2026-01-01", "=", "8", "null"]
)
def test_what_readers_take_for_something_else_is_in_quotes(value: str) -> None:
    """kubectl's reader knows other words than Python's."""
    text = text_of(NODES, [thing("ConfigMap", "c", data={"key": value})])
    assert f'  key: "{value}"\n' in text


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=40), max_size=3))
def test_every_text_is_read_as_it_was(data: dict[str, str]) -> None:
    item = thing("ConfigMap", "c", data=data)
    try:
        json.dumps(item).encode()
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a character
        return
    text = text_of(NODES, [item])
    assert objects_of(text) == [item]
    assert [found for found in yaml.safe_load_all(text) if found] == [item]
    # What ends a line for some readers only stands nowhere as it is.
    assert not re.search("[\x85\u2028\u2029\ufeff]", text)


def test_the_order_in_which_a_cluster_tells_does_not_count() -> None:
    ours = thing("Secret", "tm-keys", type="Opaque", data={"tm-2": "a", "tm-10": "b"})
    ours["metadata"]["labels"] = {"b": "1", "a": "2"}
    theirs = json.loads(json.dumps(ours, sort_keys=True))
    assert text_of(SECRETS, [theirs]) == text_of(SECRETS, [ours])


# A file in the place of a cluster


def test_keys_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert keys(folder, check=True) == ["None", "None"]
    assert not folder.exists()
    first = keys(folder)
    before = tree(folder)
    assert before[SECRETS.file][0] == 0o600
    assert keys(folder) == first
    assert tree(folder) == before
    more = keys(folder, 3)
    assert more[:2] == first
    (secret,) = objects_of((folder / SECRETS.file).read_text())
    assert secret["metadata"] == {"name": "tm-keys", "namespace": "net", "labels": dict(sorted(LABELS.items()))}
    assert len(secret["data"]) == 6


def test_what_one_secret_cannot_hold_goes_on_as_in_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_key_secret, "SECRET_LIMIT", 1500)
    first = keys(tmp_path, 4)
    assert keys(tmp_path, 4) == first
    secrets = objects_of((tmp_path / SECRETS.file).read_text())
    names = [item["metadata"]["name"] for item in secrets]
    assert names == ["tm-keys", *(f"tm-keys-{number}" for number in range(2, len(names) + 1))]
    assert len(names) > 1
    assert secrets[0]["metadata"]["annotations"] == {"mintnet.io/continued-in": "tm-keys-2"}


def test_who_writes_with_an_old_version_is_refused(tmp_path: Path) -> None:
    file = Manifest(tmp_path, SECRETS, "net")
    version = file.create("creating", thing("Secret", "s", data={"a": "1"}))["metadata"]["resourceVersion"]
    with pytest.raises(ClusterError, match="already exists") as refused:
        file.create("creating", thing("Secret", "s", data={}))
    assert refused.value.reason == "AlreadyExists"
    patch = {"metadata": {"resourceVersion": version}, "data": {"b": "2"}}
    assert file.merge("writing", "Secret", "net", "s", patch)["data"] == {"a": "1", "b": "2"}
    with pytest.raises(ClusterError) as conflict:
        file.merge("writing", "Secret", "net", "s", patch)
    assert conflict.value.status == 409
    assert "resourceVersion" not in (tmp_path / SECRETS.file).read_text()
    file.delete("removing", "Secret", "net", "s")
    assert file.get("reading", "Secret", "net", "s") is None


def test_a_genesis_is_created_once(tmp_path: Path) -> None:
    store = ConfigMap(Manifest(tmp_path, GENESIS, "net"), "net", "tm-config", LABELS)
    assert store.read() is None
    assert store.create('{\n  "a": "1"\n}')
    assert not store.create("{}")
    assert ConfigMap(Manifest(tmp_path, GENESIS, "net"), "net", "tm-config", LABELS).read() == '{\n  "a": "1"\n}'
    (made,) = objects_of((tmp_path / GENESIS.file).read_text())
    assert made["immutable"] is True


def test_a_folder_is_of_one_network(tmp_path: Path) -> None:
    keys(tmp_path)
    with pytest.raises(MintnetError, match=r"it is of the network net, not of other; name another folder"):
        Manifest(tmp_path, SECRETS, "other").get("reading", "Secret", "other", "tm-keys")


def test_encrypted_keys_need_a_password(tmp_path: Path) -> None:
    with pytest.raises(MintnetError, match=r"no vault password to encrypt it with; name a vault password"):
        Manifest(tmp_path / "new", SECRETS, "net", sealed=True)
    assert not (tmp_path / "new").exists()
    made = keys(tmp_path, vault=Cipher(), sealed=True)
    text = (tmp_path / SECRETS.file).read_text()
    assert text.startswith(ENCRYPTED)
    assert keys(tmp_path, vault=Cipher(), sealed=True) == made
    assert (tmp_path / SECRETS.file).read_text() == text
    with pytest.raises(MintnetError, match=r"it is encrypted; name a vault password"):
        keys(tmp_path)


# The folder


def test_files_are_in_the_order_of_application(tmp_path: Path) -> None:
    keys(tmp_path)
    outcome = render(tmp_path, secrets="plain")
    files = ["00-namespace.yaml", SECRETS.file, GENESIS.file, "30-bounds.yaml", NODES.file, "50-statefulset.yaml"]
    assert outcome.files == [*files, KUSTOMIZATION]
    assert yaml.safe_load((tmp_path / KUSTOMIZATION).read_text()) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": files,
    }
    found = [
        item for name in files for item in objects_of((tmp_path / name).read_text() if name != GENESIS.file else "")
    ]
    kinds = [item["kind"] for item in found]
    assert kinds == ["Namespace", "Secret", "ResourceQuota", "Service", "Service", "ConfigMap", "StatefulSet"]


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    keys(tmp_path, vault=Cipher(), sealed=True)
    assert render(tmp_path, secrets="vault", vault=Cipher()).written
    before = tree(tmp_path)
    again = render(tmp_path, secrets="vault", vault=Cipher())
    assert (again.written, again.removed, again.diff) == ([], [], [])
    assert tree(tmp_path) == before


def test_check_run_tells_the_truth_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    planned = render(folder, check=True)
    assert not folder.exists()
    made = render(folder)
    assert (planned.written, planned.diff) == (made.written, made.diff)
    changed = [*DEFINITIONS[:2], thing("Service", "tm-0", spec={"key": 1})]
    before = tree(folder)
    planned = render(folder, changed, check=True)
    assert tree(folder) == before
    assert planned.removed == ["30-bounds.yaml"]
    assert planned.written == [NODES.file, KUSTOMIZATION]
    (shown,) = [diff for diff in planned.diff if diff["after_header"] == NODES.file]
    assert shown["before"] == before[NODES.file][1].decode()
    assert "key: 1" in shown["after"]


def test_only_what_is_ours_is_removed(tmp_path: Path) -> None:
    render(tmp_path)
    foreign = {"notes.yaml": "a: 1\n", "30-mine.yaml": "# my own\n", "README.md": f"{MARK}\n"}
    for name, text in foreign.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "45-old.yaml").write_text(f"{MARK}\n# Of an older release.\n")
    (tmp_path / "folder.yaml").mkdir()
    outcome = render(tmp_path, DEFINITIONS[:4])
    assert outcome.removed == ["30-bounds.yaml", "45-old.yaml"]
    assert {name: (tmp_path / name).read_text() for name in foreign} == foreign
    assert not (tmp_path / "45-old.yaml").exists()


def test_a_name_of_ours_that_somebody_else_has(tmp_path: Path) -> None:
    (tmp_path / KUSTOMIZATION).write_text("resources: []\n")
    (tmp_path / NODES.file).symlink_to(tmp_path / "elsewhere")
    before = sorted(path.name for path in tmp_path.iterdir())
    said = f"{NODES.file}, {KUSTOMIZATION} in {tmp_path} are not ours, and left alone"
    for work in (lambda: render(tmp_path), lambda: keys(tmp_path)):
        with pytest.raises(MintnetError, match=re.escape(said)):
            work()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(MintnetError, match="is no folder"):
        render(tmp_path / "file")


def test_one_file_has_all_in_order_and_each_stage_explained_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "app.yaml"
    store = ConfigMap(Manifest(path, GENESIS, "net"), "net", "tm-config", LABELS)
    assert store.create("{}")
    outcome = render(path)
    assert (outcome.files, outcome.written) == (["app.yaml"], ["app.yaml"])
    text = path.read_text()
    kinds = [item["kind"] for item in objects_of(text)]
    assert kinds == ["Namespace", "ConfigMap", "ResourceQuota", "Service", "Service", "ConfigMap", "StatefulSet"]
    assert text.count("# What nodes find when they start. ") == 1
    assert text.count("# Stable names: ") == 1
    assert max(len(line) for line in text.splitlines()) <= 120
    assert store.read() == "{}"
    assert not render(path).written
    (there,) = [item for item in objects_of(text) if item["metadata"]["name"] == "tm-config"]
    live = {**there, "data": {"genesis.json": "[]"}}
    assert render(path, live_genesis=[live], check=True).written
    assert path.read_text() == text
    render(path, live_genesis=[live])
    assert store.read() == "[]"
    # A folder's files may lie beside it.
    render(path.parent)
    assert render(path.parent).removed == []
    assert store.read() == "[]"


def test_one_file_is_ours_of_one_network_and_without_keys(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    for attempt in (lambda: render(path, secrets="plain"), lambda: keys(path)):
        with pytest.raises(
            MintnetError, match="one file holds no private keys; name a folder, or leave the keys to the"
        ):
            attempt()
    render(path)
    with pytest.raises(MintnetError, match="it is of the network net, not of other; name another file"):
        Manifest(path, GENESIS, "other").get("reading", "ConfigMap", "other", "tm-config")
    path.write_text("kind: Mine\n")
    with pytest.raises(MintnetError, match=r"app.yml in .* is not ours, and left alone; name another file, or move it"):
        render(path)
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(MintnetError, match=r"folder.yaml is no file; name another one"):
        render(tmp_path / "folder.yaml")


def test_unknown_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="not among the kinds that are known"):
        render(tmp_path / "folder", [thing("Secret", "s")])
    assert not (tmp_path / "folder").exists()


def test_keys_are_never_removed(tmp_path: Path) -> None:
    keys(tmp_path)
    text = (tmp_path / SECRETS.file).read_text()
    outcome = render(tmp_path)
    assert outcome.keys_kept
    assert SECRETS.file not in outcome.files
    assert SECRETS.file not in (tmp_path / KUSTOMIZATION).read_text().partition("resources:")[2]
    assert (tmp_path / SECRETS.file).read_text() == text


def test_keys_become_encrypted_and_plain_again(tmp_path: Path) -> None:
    keys(tmp_path)
    text = (tmp_path / SECRETS.file).read_text()
    planned = render(tmp_path, secrets="vault", vault=Cipher(), check=True)
    assert planned.written[0] == SECRETS.file
    assert (tmp_path / SECRETS.file).read_text() == text
    outcome = render(tmp_path, secrets="vault", vault=Cipher())
    assert outcome.written[0] == SECRETS.file
    assert (tmp_path / SECRETS.file).read_text().startswith(ENCRYPTED)
    assert tree(tmp_path)[SECRETS.file][0] == 0o600
    resources = (tmp_path / KUSTOMIZATION).read_text()
    assert f"ansible-vault view {SECRETS.file} | kubectl apply" in resources
    assert SECRETS.file not in resources.partition("resources:")[2]
    render(tmp_path, secrets="plain", vault=Cipher())
    assert (tmp_path / SECRETS.file).read_text() == text


def test_live_keys_and_genesis_are_taken(tmp_path: Path) -> None:
    live = thing("Secret", "tm-keys", type="Opaque", data={"tm-0.node_key.json": "c2VjcmV0"})
    genesis = thing("ConfigMap", "tm-config", immutable=True, data={"genesis.json": "{}"})
    outcome = render(tmp_path, secrets="plain", live_secrets=[live], live_genesis=[genesis])
    assert objects_of((tmp_path / SECRETS.file).read_text()) == [live]
    assert objects_of((tmp_path / GENESIS.file).read_text()) == [genesis]
    assert "c2VjcmV0" not in str(outcome)
    (shown,) = [diff for diff in outcome.diff if diff["after_header"] == SECRETS.file]
    assert (shown["before"], shown["after"]) == ("", "tm-keys: tm-0.node_key.json\n")
    again = render(tmp_path, secrets="plain", live_secrets=[live], live_genesis=[genesis])
    assert not again.written


def test_other_keys_than_the_cluster_s_are_not_written_over(tmp_path: Path) -> None:
    keys(tmp_path)
    before = tree(tmp_path)
    live = thing("Secret", "tm-keys", type="Opaque", data={"tm-0.node_key.json": "c2VjcmV0"})
    with pytest.raises(MintnetError, match=r"it holds other keys than the cluster \(tm-0.* and 1 more\); move it away"):
        render(tmp_path, secrets="plain", live_secrets=[live])
    assert tree(tmp_path) == before
    # Nobody asked for keys.
    assert render(tmp_path, live_secrets=[live]).keys_kept
