# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures, each made for real on the tests' cluster: the run ends in time, and says the cause and the next step."""

from __future__ import annotations

import base64
import contextlib
import datetime
import io
import json
import re
import struct
import subprocess
import tarfile
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
from explained import MACHINE, Case, Json, explained, inside, network, story, until
from surroundings import CLUSTER, User

ONE: Json = {"cometbft_nodes": 1, "cometbft_app": "kvstore", "cometbft_ephemeral": True}
SHORT = 12
"""Seconds that a network has which cannot start; those that end by themselves have LONG."""
LONG = 120


@pytest.fixture(scope="module", autouse=True)
def cluster(user: User, clone: Path) -> None:
    """There from the tests before, or made now where this file runs alone."""
    contexts = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))["contexts"]
    if CLUSTER not in {item["name"] for item in contexts}:
        user.run("make create", clone)


@pytest.fixture
def case(user: User, clone: Path, request: pytest.FixtureRequest) -> Iterator[Case]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    with network(user, clone, f"x-{name}") as one:
        yield one


# --- it never starts -------------------------------------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[str]:
    """On the machine's loopback, at the port at which containerd expects no TLS; it has nothing."""
    port = 80
    script = f"cd $(mktemp -d) && {{ python3 -m http.server {port} --bind 127.0.0.1 >/dev/null 2>&1 & echo $!; }}"
    process = inside(script).strip()
    yield f"127.0.0.1:{port}"
    inside(f"kill {process}")


def test_image_that_does_not_exist(case: Case, registry: str) -> None:
    """It does not heal, so the run ends long before its time is over."""
    run = case.create(**ONE, cometbft_image=f"{registry}/nothing:1", cometbft_timeout=LONG, whole=True)
    explained(run, case.result(), node="tm-0", reason="cannot be pulled: .*not found", step="name an image that exists")
    assert "does not end by itself" in story(run.output)["why"]
    assert 30 < run.seconds < 90


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


@pytest.mark.parametrize("architecture", ["amd64", pytest.param("arm64", marks=pytest.mark.long)])
def test_image_for_another_architecture(case: Case, architecture: str) -> None:
    """One that says so, and one that does not."""
    image = f"localhost/other-{architecture}:1"
    inside("ctr -n k8s.io images import --all-platforms --no-unpack -", archive(image, architecture))
    try:
        run = case.create(**ONE, cometbft_image=image, cometbft_timeout=SHORT)
        result = case.result()
        explained(
            run, result, node="tm-0", reason="exec format error|not for the machine", step="an image for|cometbft_image"
        )
        assert result["network"]["nodes"][0]["lasting"]
    finally:
        case.user.kubectl(f"delete namespace {case.name} --wait=true --timeout=60s")
        inside(f"ctr -n k8s.io images rm {image}")


@pytest.mark.parametrize("what", ["cpu", pytest.param("memory", marks=pytest.mark.long)])
def test_no_room_on_any_machine(case: Case, what: str) -> None:
    asked = {"cpu": "1000", "memory": "4Ti"}
    wanted = {kind: {what: asked[what]} for kind in ("requests", "limits")}
    run = case.create(**ONE, cometbft_resources=wanted, cometbft_timeout=SHORT)
    explained(
        run, case.result(), node="tm-0", reason=f"no machine takes it: .*Insufficient {what}", step="ask for less with"
    )
    assert case.result()["network"]["nodes"][0]["lasting"]


def test_no_room_in_a_quota(case: Case) -> None:
    """The namespace is somebody else's, and so is its quota."""
    case.user.kubectl(f"create namespace {case.name}")
    case.kubectl("create quota theirs --hard=requests.cpu=40m,requests.memory=1Gi,limits.cpu=4,limits.memory=4Gi")
    run = case.create(**ONE, cometbft_timeout=SHORT)
    explained(run, case.result(), node="tm-0", reason="exceeded quota: theirs", step="raise this quota")
    assert case.result()["network"]["nodes"][0]["lasting"]


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


def test_container_that_crashes_at_once(case: Case) -> None:
    """CometBFT itself refuses what it is told; its last words are in the story."""
    run = case.create(**ONE, cometbft_config={"db_backend": "nodb"}, cometbft_timeout=SHORT)
    explained(
        run, case.result(), node="tm-0", reason="tm ended with exit code 1", step="make logs NODE=tm-0", log="nodb"
    )


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
        told = story(case.create(**ONE).output)
        assert f"the namespace {case.name} is still being deleted" in told["why"]
        assert "tests/hold" in told["why"]
        assert "run again when it is gone" in told["why"]
        answer = case.result(30)
        assert "being deleted" in answer["msg"]
        assert "run create again when it is gone" in answer["next"][0]
    finally:
        case.kubectl('patch configmap hold --type=merge -p \'{"metadata":{"finalizers":null}}\'')


# --- the cluster is away or refuses ----------------------------------------------------------------------------------


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
    assert run.seconds < 30


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


# --- a network that runs ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(user: User, clone: Path) -> Iterator[Case]:
    """Four validators and a full node."""
    with network(user, clone, "x-running") as one:
        one.create(code=0, cometbft_nodes=5, cometbft_validators=4)
        yield one


@contextlib.contextmanager
def template(case: Case, path: str, value: Any) -> Iterator[None]:
    """Another template of the StatefulSet: only pods that are made from now on follow it."""

    def patch(new: Any) -> None:
        text = json.dumps([{"op": "replace", "path": f"/spec/template/spec/{path}", "value": new}])
        case.kubectl(f"patch statefulset tm --type=json -p '{text}'")

    before: Any = case.get("statefulset tm")["spec"]["template"]["spec"]
    for part in path.split("/"):
        before = before[int(part) if part.isdigit() else part]
    patch(value)
    try:
        yield
    finally:
        patch(before)


def genesis_volume(case: Case) -> str:
    volumes = case.get("statefulset tm")["spec"]["template"]["spec"]["volumes"]
    return f"volumes/{[volume['name'] for volume in volumes].index('genesis')}/configMap/name"


def other_genesis(case: Case) -> str:
    genesis = json.loads(case.get("configmap tm-config")["data"]["genesis.json"])
    file = case.user.home / "genesis.json"
    file.write_text(json.dumps({**genesis, "genesis_time": "2026-01-01T00:00:00Z"}), encoding="utf-8")
    case.kubectl("delete configmap other --ignore-not-found")
    case.kubectl(f"create configmap other --from-file={file}")
    return "other"


def test_quorum_that_is_short(running: Case) -> None:
    """Two of four are held back by a taint: 20 of 40, and 27 are needed."""
    running.user.kubectl(f"taint node {MACHINE} tests=hold:NoSchedule")
    try:
        running.restart("tm-2", "tm-3")
        run, result = running.wait(8), running.result()
        explained(
            run,
            result,
            node="tm-3",
            reason="no machine takes it: .*untolerated taint",
            step="cometbft_resources|describe",
        )
        assert "the quorum is short by 7 power: 20 of 40 online" in story(run.output)["why"]
        assert "bring back validators that hold 7 of power or more, of tm-2, tm-3" in story(run.output)["next"]
        assert result["network"]["power"]["short"] == 7
    finally:
        running.user.kubectl(f"taint node {MACHINE} tests-")
    running.is_well()


@pytest.mark.long
def test_wrong_genesis_on_a_node_that_has_data(running: Case) -> None:
    with template(running, genesis_volume(running), other_genesis(running)):
        running.restart("tm-3")
        run, result = running.wait(15), running.result()
    explained(run, result, node="tm-3", reason="tm ended with exit code 1", step="ConfigMap tm-config", log="genesis")
    running.restart("tm-3")
    running.is_well()


@pytest.mark.long
def test_wrong_genesis_on_a_node_that_starts(running: Case) -> None:
    """It finds its peers, whose chain has the same name, and can use none of their blocks."""
    with template(running, genesis_volume(running), other_genesis(running)):
        running.kubectl("delete pvc data-tm-4 --wait=false")
        running.restart("tm-4")
        until("tm-4 answers", lambda: running.result()["network"]["nodes"][4]["answers"])
        run, result = running.wait(15), running.result()
    explained(run, result, node="tm-4", reason="another genesis .* genesis_time is 2026-01-01", step="tm-config")
    running.kubectl("delete pvc data-tm-4 --wait=false")
    running.restart("tm-4")
    running.is_well()


@pytest.mark.long
def test_two_nodes_with_one_key(running: Case) -> None:
    """The full node gets the keys of a validator."""
    keys = running.get("secret tm-keys")["data"]
    names = ("node_key.json", "priv_validator_key.json")

    def give(owner: str) -> None:
        patch = {"data": {f"tm-4.{name}": keys[f"{owner}.{name}"] for name in names}}
        file = running.user.home / "keys.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(patch), encoding="utf-8")
        running.kubectl(f"patch secret tm-keys --patch-file={file}")
        file.unlink()

    give("tm-3")
    try:
        # The keys are read before anything else is done.
        refused = story(running.create(cometbft_nodes=5, cometbft_validators=4).output)
        assert "has the same key; no two nodes may share one" in refused["why"]
        running.restart("tm-4")
        until("tm-4 answers", lambda: running.result()["network"]["nodes"][4]["answers"])
        run, result = running.wait(5), running.result()
        explained(run, result, node="tm-4", reason="has the same key as tm-3", step="its own key in the Secret tm-keys")
        assert "tm-3, tm-4: " in story(run.output)["next"] or "tm-3: " in story(run.output)["next"]
    finally:
        give("tm-4")
    running.restart("tm-3", "tm-4")
    running.is_well()


@contextlib.contextmanager
def cut_off(address: str) -> Iterator[None]:
    """No connection between this pod and other nodes, neither way, neither new nor old."""
    ways = [f"-{side} {address} -p tcp --{port} 26656" for side in "sd" for port in ("dport", "sport")]
    refuse = "-j REJECT --reject-with tcp-reset"
    inside("; ".join(f"iptables -I FORWARD {way} {refuse}" for way in ways))
    try:
        yield
    finally:
        inside("; ".join(f"iptables -D FORWARD {way} {refuse}" for way in ways))


def test_node_cut_off_from_its_peers(running: Case) -> None:
    with cut_off(running.get("pod tm-3")["status"]["podIP"]):
        until("tm-3 has no peers", lambda: running.result()["network"]["nodes"][3]["peers"] == 0)
        run, result = running.wait(4), running.result()
    explained(run, result, node="tm-3", reason="no peers, of 4", step="port 26656")
    running.restart("tm-3")
    running.is_well()


@pytest.mark.long
def test_app_hash_that_differs(running: Case) -> None:
    """One node runs another application, whose hash is never that of the others."""
    arguments = ["start", "--home", "/cometbft", "--proxy_app", "noop"]
    with template(running, "containers/0/args", arguments):
        running.restart("tm-3")
        run, result = running.wait(20), running.result()
    explained(
        run, result, node="tm-3", reason="tm ended with|stands at height", step="same application", log="(?i)app.?hash"
    )
    running.restart("tm-3")
    running.is_well()


@pytest.mark.long
def test_disk_of_a_machine_that_is_full(running: Case) -> None:
    """The full node's volume is as large as what it holds."""
    claim = running.get("pvc data-tm-4")["spec"]["volumeName"]
    spec = running.user.get(f"persistentvolume {claim}")["spec"]
    path = (spec.get("hostPath") or spec.get("local"))["path"]
    running.kubectl("scale statefulset tm --replicas=4")
    until("tm-4 is gone", lambda: "tm-4" not in running.user.nodes(running.name))
    inside(
        f"cp -a {path} {path}.kept && mount -t tmpfs -o size=3m,mode=0777 tmpfs {path} && cp -a {path}.kept/. {path}"
    )
    try:
        inside(f"dd if=/dev/zero of={path}/fill bs=4k 2>/dev/null || true")
        running.kubectl("scale statefulset tm --replicas=5")
        until("tm-4 has crashed", lambda: running.result()["network"]["nodes"][4]["restarts"] > 0)
        run, result = running.wait(10), running.result()
        explained(run, result, node="tm-4", reason="", step="its disk is full", log="no space left on device")
    finally:
        running.kubectl("scale statefulset tm --replicas=4")
        until("tm-4 is gone", lambda: "tm-4" not in running.user.nodes(running.name))
        inside(f"umount {path}; rm -r {path}.kept")
    running.kubectl("scale statefulset tm --replicas=5")
    running.is_well()
