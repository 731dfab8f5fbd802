# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs and does not have: an API server, valid credentials, disk space, a Go module proxy."""

from __future__ import annotations

import base64
import contextlib
import datetime
import socket
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
from explained import ALLOWANCE, LONG, ONE, Case, Failure, Json, failure, until
from surroundings import User

pytestmark = pytest.mark.usefixtures("cluster")


def expired(user: User) -> Path:
    """A kubeconfig whose client certificate the cluster's own authority signed, for a time that is over."""
    authority = x509.load_pem_x509_certificate(user.inside("cat /etc/kubernetes/pki/ca.crt").encode())
    signer = serialization.load_pem_private_key(user.inside("cat /etc/kubernetes/pki/ca.key").encode(), None)
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
    cluster = next(item["cluster"] for item in document["clusters"] if item["name"] == user.cluster)
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
    failed = failure(user, f"make create PROVIDER=existing ARGS='{arguments}'", clone)
    failed.says(
        "the credentials of context old are refused (its client certificate expired on 20",
        "renew them",
    )
    assert failed.run.seconds < 60  # it is not waited for


@contextlib.contextmanager
def api_server_away(user: User) -> Iterator[None]:
    manifest, away = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/kube-apiserver.away"
    user.inside(f"mv {manifest} {away}; kill -9 $(pidof kube-apiserver)")
    try:
        yield
    finally:
        user.inside(f"mv {away} {manifest}")


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
    with api_server_away(case.user):
        time.sleep(10)
    thread.join()
    assert "waiting for the API server: " in outcome[0]
    assert "the API server answers again" in outcome[0]


@pytest.mark.long
def test_api_server_that_stays_away(case: Case) -> None:
    case.create(code=0, **ONE)
    with api_server_away(case.user):
        failed = failure(case.user, case.waiting(15), case.clone)
    failed.says("does not answer: Connection refused", "check that the cluster runs")
    step = "have the API server running again, then run create again"
    assert step in failed.told["next"]
    assert step in failed.result["next"][0]
    assert failed.run.seconds < 40
    until("the API server answers", lambda: case.kubectl("get pods", code=None).code == 0, 120)
    case.is_well()


@pytest.mark.long
def test_api_server_that_goes_once_the_keys_are_made(case: Case) -> None:
    """The run ends, whatever it was about to do; the next one makes the rest, with the same keys."""
    network = {**ONE, "cometbft_nodes": 2}
    seconds = 30
    outcome: list[Failure] = []
    case.user.journal.unlink(missing_ok=True)  # of an earlier run, which has keys, too
    thread = threading.Thread(
        target=lambda: outcome.append(
            failure(case.user, case.creating(**network, cometbft_timeout=seconds), case.clone)
        )
    )
    thread.start()

    def keys_are_made() -> bool:
        return any(entry["action"].endswith(".cometbft_keys") for entry in case.user.entries() if "changed" in entry)

    until("the keys are made", keys_are_made, 120, pause=0.02)
    with api_server_away(case.user):
        thread.join()
    assert outcome, "the run ended well, or not in words"
    (failed,) = outcome
    failed.says("does not answer: ", "check that the cluster runs")
    assert failed.run.seconds < seconds + ALLOWANCE
    until("the API server answers", lambda: case.kubectl("get pods", code=None).code == 0, 120)
    keys = case.get("secret tm-keys")["data"]
    # The controllers come back later than the API server.
    case.create(code=0, **network, cometbft_timeout=2 * LONG)
    assert case.get("secret tm-keys")["data"] == keys
    assert case.create(code=0, **network, cometbft_timeout=2 * LONG).changed == 0


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
        failed = failure(user, command, clone, MINTNET_HOME=str(user.home / "other"))
        failed.says(f"0.0 GB are free in {place}", "free some, or name another folder in artifacts_cache_dir")

        command = "make create ARGS='-e mintnet_cluster=e2e-full'"
        failed = failure(user, command, clone, MINTNET_HOME=str(place))
        failed.says("No space left on device")
        assert "free some disk space" in failed.told["why"] + failed.told["next"]


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A proxy that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("refusing", "connection refused"),
        pytest.param("off", "GOPROXY=off", marks=pytest.mark.long),
        ("silent", "no answer within 4 s"),
    ],
)
def test_go_module_proxy_that_is_not_reached(user: User, clone: Path, kind: str, cause: str) -> None:
    """With caches of their own, so that nothing is there from before."""
    place = user.home / f"go-{kind}"
    caches: Json = {
        "MINTNET_HOME": str(user.home / "other"),
        "GOMODCACHE": str(place / "mod"),
        "GOCACHE": str(place / "cache"),
        "GOFLAGS": "-modcacherw",
    }
    arguments = f"-e mintnet_cluster=e2e-go -e artifacts_jobs=1 -e artifacts_cache_dir={place}/artifacts"
    with silent() as address:
        proxy = {"refusing": "http://127.0.0.1:9", "off": "off", "silent": address}[kind]
        environment = {"GOPROXY": proxy, "GONOSUMDB": "*", "no_proxy": "127.0.0.1", **caches}
        failed = failure(user, f"make create ARGS='{arguments}'", clone, **environment)
    failed.says(cause, "the Go module proxy was not reached, or refused")
    assert failed.run.seconds < 60
