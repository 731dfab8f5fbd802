# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _etcd_members
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _etcd_snapshot as snapshot
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

DATABASE = bytes(range(256)) * 40
SUM = hashlib.sha256(DATABASE).digest()


def line(blob: bytes) -> bytes:
    return json.dumps({"result": {"remaining_bytes": "0", "blob": base64.b64encode(blob).decode()}}).encode() + b"\n"


@pytest.mark.parametrize("size", [1, 31, 32, 33, 1000, 100_000])
def test_however_it_is_cut(tmp_path: Path, size: int) -> None:
    whole = DATABASE + SUM
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    path = tmp_path / "new" / "etcd.db"
    taken = snapshot.write(path, snapshot.blobs(map(line, pieces)))
    assert path.read_bytes() == whole
    assert taken == (len(whole), hashlib.sha256(whole).hexdigest())
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", SUM, DATABASE, DATABASE[:-1] + SUM, DATABASE + SUM[:-1]],
    ids=["nothing", "only a sum", "no sum", "cut in the middle", "cut at the end"],
)
def test_what_is_not_whole_takes_nobodys_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "etcd.db"
    path.write_text("an older one")
    with pytest.raises(MintnetError, match=f"^Taking a snapshot of etcd: {len(content)} bytes came, and they are not"):
        snapshot.write(path, [content])
    assert [one.name for one in tmp_path.iterdir()] == ["etcd.db"]
    assert path.read_text() == "an older one"


def test_error_in_the_stream(tmp_path: Path) -> None:
    lines = [line(DATABASE), b'{"error": {"code": 14, "message": "etcdserver: not capable"}}\n']
    with pytest.raises(MintnetError, match=r"^Taking a snapshot of etcd: etcdserver: not capable$"):
        snapshot.write(tmp_path / "etcd.db", snapshot.blobs(lines))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"result": {"blob": "%"}}', b'{"other": 1}'])
def test_answer_of_something_else(answer: bytes) -> None:
    with pytest.raises(MintnetError, match="its answer is no stream of blobs"):
        list(snapshot.blobs([answer]))


def test_a_machine_without_etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_etcd_members, "PKI", tmp_path)
    with pytest.raises(MintnetError, match=r"No such file or directory.*a control plane that kubeadm made"):
        snapshot.save(tmp_path / "etcd.db")
