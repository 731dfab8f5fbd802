# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs and does not have: an API server, valid credentials, disk space, a Go module proxy."""

from __future__ import annotations

import base64
import contextlib
import datetime
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from explained import LONG, ONE, Case, Json, inside, story, until
from surroundings import CLUSTER, User

pytestmark = pytest.mark.usefixtures("cluster")


def expired(user: User) -> Path:
    """A kubeconfig whose client certificate the cluster's own authority signed, for a time that is over."""
    authority = x509.load_pem_x509_certificate(inside("cat /etc/kubernetes/pki/ca.crt").encode())
    signer = serialization.load_pem_private_key(inside("cat /etc/kubernetes/pki/ca.key").encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    names = [(NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.COMMON_NAME, "tests")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(*name) for name in names]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    document = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    cluster = next(item["cluster"] for item in document["clusters"] if item["name"] == CLUSTER)
    old = {
        "client-certificate-data": base64.b64encode(certificate.public_bytes(serialization.Encoding.PEM)).decode(),
        "client-key-data": base64.b64encode(private).decode(),
    }
    file = user.home / "expired"
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "old", "cluster": cluster}],
        "contexts": [{"name": "old", "context": {"cluster": "old", "user": "old"}}],
        "users": [{"name": "old", "user": old}],
    }
    file.write_text(yaml.safe_dump(text), encoding="utf-8")
    file.chmod(0o600)
    return file


def test_kubeconfig_that_has_expired(user: User, clone: Path) -> None:
    arguments = f"-e mintnet_cluster=e2e-old -e mintnet_context=old -e mintnet_kubeconfig={expired(user)}"
    run = user.run(f"make create PROVIDER=existing ARGS='{arguments}'", clone, code=1)
    told = story(run.output)
    assert "the credentials of context old are refused (its client certificate expired on 20" in told["why"]
    assert "renew them" in told["why"]
    assert "Traceback" not in run.output
    assert run.seconds < 60  # it is not waited for


@contextlib.contextmanager
def api_server_away() -> Iterator[None]:
    manifest, away = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/kube-apiserver.away"
    inside(f"mv {manifest} {away}; kill -9 $(pidof kube-apiserver)")
    try:
        yield
    finally:
        inside(f"mv {away} {manifest}")


def later(seconds: int) -> str:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.long
def test_api_server_that_is_away_in_the_middle(case: Case) -> None:
    """The chain begins late, so the run waits; meanwhile the API server goes and comes back. The run ends well."""
    start = later(50)
    outcome: list[Any] = []
    thread = threading.Thread(
        target=lambda: outcome.append(
            case.create(code=0, **ONE, cometbft_genesis_time=start, cometbft_timeout=LONG).output
        )
    )
    thread.start()
    until("the node runs", lambda: "Running" in case.kubectl("get pods", code=None).output)
    time.sleep(3)
    with api_server_away():
        time.sleep(10)
    thread.join()
    assert "waiting for the API server: " in outcome[0]
    assert "the API server answers again" in outcome[0]


@pytest.mark.long
def test_api_server_that_stays_away(case: Case) -> None:
    case.create(code=0, **ONE)
    with api_server_away():
        run = case.wait(15)
        result = case.result()
    told = story(run.output)
    assert "does not answer: Connection refused" in told["why"] + result["msg"]
    assert "check that the cluster runs" in told["why"]
    assert "have the API server running again" in told["next"]
    assert result["failed"]
    assert run.seconds < 40
    until("the API server answers", lambda: case.kubectl("get pods", code=None).code == 0, 120)
    case.is_well()


# --- the controller's means are short --------------------------------------------------------------------------------


@contextlib.contextmanager
def full_disk(place: Path) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        with contextlib.suppress(OSError), (place / "fill").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def test_disk_of_the_controller_that_is_full(user: User, clone: Path) -> None:
    """Where artifacts are built, which is refused beforehand, and where a run writes which cluster it makes."""
    with full_disk(user.home / "full") as place:
        command = f"make create ARGS='-e mintnet_cluster=e2e-full -e artifacts_cache_dir={place}'"
        told = story(user.run(command, clone, code=1, MINTNET_HOME=str(user.home / "other")).output)
        assert f"0.0 GB are free in {place}" in told["why"]
        assert "free some, or name another folder in artifacts_cache_dir" in told["next"]

        run = user.run("make create ARGS='-e mintnet_cluster=e2e-full'", clone, code=1, MINTNET_HOME=str(place))
        told = story(run.output)
        assert "No space left on device" in told["why"]
        assert "free some disk space" in told["why"] + told["next"]
        assert "Traceback" not in run.output


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "off"])
def test_go_module_proxy_that_is_not_reached(user: User, clone: Path, proxy: str) -> None:
    """With caches of their own, so that nothing is there from before."""
    place = user.home / "go"
    caches: Json = {
        "MINTNET_HOME": str(user.home / "other"),
        "GOMODCACHE": str(place / "mod"),
        "GOCACHE": str(place / "cache"),
        "GOFLAGS": "-modcacherw",
    }
    arguments = f"-e mintnet_cluster=e2e-go -e artifacts_jobs=1 -e artifacts_cache_dir={place}/artifacts"
    run = user.run(f"make create ARGS='{arguments}'", clone, code=1, GOPROXY=proxy, GONOSUMDB="*", **caches)
    told = story(run.output)
    assert "connection refused" in told["why"] or "GOPROXY=off" in told["why"]
    assert "the Go module proxy was not reached, or refused" in told["next"]
    assert "Traceback" not in run.output
    assert run.seconds < 60
