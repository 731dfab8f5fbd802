# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that never start, each for a cause made for real: the run ends in time, with cause and next step."""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
from collections.abc import Iterator

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from explained import LONG, ONE, SHORT, Case, explained, failure, story, until
from surroundings import User


@pytest.fixture
def registry(user: User) -> Iterator[str]:
    """On the machine's loopback, at the port at which containerd expects no TLS; it has nothing."""
    port = 80
    script = f"cd $(mktemp -d) && {{ python3 -m http.server {port} --bind 127.0.0.1 >/dev/null 2>&1 & echo $!; }}"
    process = user.inside(script).strip()
    yield f"127.0.0.1:{port}"
    user.inside(f"kill {process}")


def test_image_that_does_not_exist(case: Case, registry: str) -> None:
    """It does not heal, so the run ends long before its time is over."""
    run = case.create(**ONE, cometbft_image=f"{registry}/nothing:1", cometbft_timeout=LONG, whole=True)
    explained(run, case.result(), node="tm-0", reason="cannot be pulled: .*not found", step="name an image that exists")
    ended = re.search(r"waiting (\d+) s of 120 s .*does not end by itself", story(run.output)["why"])
    assert ended
    assert 30 <= int(ended[1]) < 60


@pytest.mark.long
def test_registry_that_is_away(case: Case) -> None:
    """It may come back, so the run waits for its whole time."""
    run = case.create(**ONE, cometbft_image="127.0.0.1:5098/nothing:1", cometbft_timeout=45)
    explained(run, case.result(), node="tm-0", reason="connection refused", step="reaches the registry")
    assert "does not end by itself" not in run.output
    assert run.seconds > 45


def archive(reference: str, architecture: str) -> bytes:
    """An image, as docker saves one, whose programs are for arm64, whatever it says of itself."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 124, 124, 0x1000)
    program = ident + header + load + bytes(4)

    def tar(files: dict[str, bytes], mode: int) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as file:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), mode
                file.addfile(entry, io.BytesIO(content))
        return data.getvalue()

    layer = tar({"bin/sh": program, "usr/bin/cometbft": program}, 0o755)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(layer)
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{digest.finalize().hex()}"]}
    config = {"architecture": architecture, "os": "linux", "config": {"Env": ["PATH=/usr/bin:/bin"]}, "rootfs": rootfs}
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}]
    texts = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    return tar({**texts, "layer.tar": layer}, 0o644)


@pytest.mark.long
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_image_for_another_architecture(case: Case, architecture: str) -> None:
    """One that says so, and one that does not."""
    image = f"localhost/other-{architecture}:1"
    case.user.inside("ctr -n k8s.io images import --all-platforms --no-unpack -", archive(image, architecture))
    try:
        run = case.create(**ONE, cometbft_image=image, cometbft_timeout=SHORT)
        result = case.result()
        explained(
            run, result, node="tm-0", reason="exec format error|not for the machine", step="an image for|cometbft_image"
        )
        assert result["network"]["nodes"][0]["lasting"]
    finally:
        case.user.kubectl(f"delete namespace {case.name} --wait=true --timeout=60s")
        case.user.inside(f"ctr -n k8s.io images rm {image}")


@pytest.mark.long
@pytest.mark.parametrize("what", ["cpu", "memory"])
def test_no_room_on_any_machine(case: Case, what: str) -> None:
    asked = {"cpu": "1000", "memory": "4Ti"}
    wanted = {kind: {what: asked[what]} for kind in ("requests", "limits")}
    run = case.create(**ONE, cometbft_resources=wanted, cometbft_timeout=SHORT)
    explained(
        run, case.result(), node="tm-0", reason=f"no machine takes it: .*Insufficient {what}", step="ask for less with"
    )
    assert case.result()["network"]["nodes"][0]["lasting"]


@pytest.mark.long
def test_no_room_in_a_quota(case: Case) -> None:
    """The namespace is somebody else's, and so is its quota."""
    case.user.kubectl(f"create namespace {case.name}")
    case.kubectl("create quota theirs --hard=requests.cpu=40m,requests.memory=1Gi,limits.cpu=4,limits.memory=4Gi")
    run = case.create(**ONE, cometbft_timeout=SHORT)
    explained(run, case.result(), node="tm-0", reason="exceeded quota: theirs", step="raise this quota")
    assert case.result()["network"]["nodes"][0]["lasting"]


@pytest.mark.long
def test_volume_that_stays_pending(case: Case) -> None:
    wanted = {**ONE, "cometbft_ephemeral": False, "cometbft_storage_class": "never-heard-of"}
    run = case.create(**wanted, cometbft_timeout=SHORT)
    explained(
        run,
        case.result(),
        node="tm-0",
        reason='its volume data-tm-0 is pending: .*"never-heard-of" not found',
        step="name a storage class",
    )


@pytest.mark.long
def test_container_that_crashes_at_once(case: Case) -> None:
    """CometBFT itself refuses what it is told; its last words are in the story, and in the archive of diagnose."""
    run = case.create(**ONE, cometbft_config={"db_backend": "nodb"}, cometbft_timeout=SHORT)
    explained(
        run, case.result(), node="tm-0", reason="tm ended with exit code 1", step="make logs NODE=tm-0", log="nodb"
    )
    reports = case.user.home / "reports"
    network = case.user.home / f"{case.name}.yml"
    case.user.run(f"make diagnose NETWORK={network} ARGS='-e mintnet_diagnose_path={reports}'", case.clone)
    (archive,) = reports.iterdir()
    with tarfile.open(archive) as tar:
        (log,) = [name for name in tar.getnames() if name.endswith("/logs/tm-0/tm.previous.log")]
        said = tar.extractfile(log)
        assert said
        assert b"nodb" in said.read()
    archive.unlink()


@pytest.mark.long
def test_memory_that_is_short(case: Case) -> None:
    wanted = {kind: {"memory": "8Mi"} for kind in ("requests", "limits")}
    run = case.create(**ONE, cometbft_resources=wanted, cometbft_timeout=30)
    explained(run, case.result(), node="tm-0", reason="out of memory|OOM", step="cometbft_resources")


def test_namespace_that_is_being_deleted(case: Case) -> None:
    case.user.kubectl(f"create namespace {case.name}")
    hold = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hold", "finalizers": ["tests/hold"]}}
    file = case.user.home / "hold.yml"
    file.write_text(yaml.safe_dump(hold), encoding="utf-8")
    case.kubectl(f"create -f {file}")
    try:
        case.user.kubectl(f"delete namespace {case.name} --wait=false")
        until("the finalizer is named", lambda: "hold" in json.dumps(case.user.get(f"namespace {case.name}")["status"]))
        failed = failure(case.user, case.creating(**ONE), case.clone)
        failed.says(f"the namespace {case.name} is still being deleted", "tests/hold", "run again when it is gone")
        failed = failure(case.user, case.waiting(30), case.clone)
        failed.says("being deleted")
        assert "run create again when it is gone" in failed.told["next"]
        assert "run create again when it is gone" in failed.result["next"][0]
    finally:
        case.kubectl('patch configmap hold --type=merge -p \'{"metadata":{"finalizers":null}}\'')
