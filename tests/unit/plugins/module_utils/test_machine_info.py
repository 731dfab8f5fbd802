# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import hashlib
import ssl
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster_state import (
    dashboards,
    default_storage_class,
    look,
    unready_pod,
    unsettled,
    unsigned_requests,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_info import (
    Machine,
    admin_certificate_sha256,
    not_after,
    parse_images,
    parse_listening,
    parse_meminfo,
    parse_os_release,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_install import Installation, WantedFile
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_record import parse_show
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SHA = "ab" * 32
IMAGES = f"""\
REF                               TYPE        DIGEST        SIZE     PLATFORMS   LABELS
localhost/kubernetes/pause:3.10.2 application sha256:12ab34 1.6 MiB  linux/amd64 a=b,io.mintnet.archive={SHA},c=d
docker.io/library/busybox:1       application sha256:56cd78 -        linux/amd64 -
sha256:12ab34                     application sha256:12ab34 1.6 MiB  linux/amd64 io.mintnet.archive={SHA}
"""
SHOW = """\
Id=containerd.service
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no

Id=kubelet.service
ActiveState=failed
SubState=failed
UnitFileState=disabled
NeedDaemonReload=no
"""
LISTENING = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0B62590A:0016 0162590A:D4A2 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
"""


def pod(name: str, owner: str = "", restart: str = "Always", **status: t.Any) -> dict[str, t.Any]:
    """Of the system; it runs and is ready unless told otherwise."""
    owners = [{"kind": owner, "controller": True}] if owner else None
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "metadata": {"namespace": "kube-system", "name": name, "ownerReferences": owners},
        "spec": {"restartPolicy": restart},
        "status": {**ready, **status},
    }


def test_os_release() -> None:
    found = parse_os_release('# comment\nID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n\n')
    assert found == {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}


def test_meminfo() -> None:
    found = parse_meminfo("MemTotal:       24683852 kB\nHugePages_Total:       0\nSwapTotal:             0 kB\n")
    assert found == {"MemTotal": 24683852, "SwapTotal": 0}


def test_only_listening_ports_count() -> None:
    assert parse_listening(LISTENING) == {8443, 22}
    assert parse_listening("") == set()


def test_images_and_the_archives_they_came_from() -> None:
    assert parse_images(IMAGES) == {"localhost/kubernetes/pause:3.10.2": SHA, "docker.io/library/busybox:1": ""}
    assert parse_images("") == {}


def test_units() -> None:
    found = parse_show(SHOW)
    assert found["containerd.service"]["ActiveState"] == "active"
    assert found["kubelet.service"]["UnitFileState"] == "disabled"
    assert parse_show("") == {}


def test_the_administrators_certificate_by_its_hash() -> None:
    text = "users:\n- name: a\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n"
    assert admin_certificate_sha256(text) == hashlib.sha256(b"Y2VydA==").hexdigest()
    assert admin_certificate_sha256("") == ""


def certificate(ends: str) -> str:
    """A PEM that ends then (ISO 8601), of a key made now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime(2026, 1, 2, 3, 4, 5))
        .not_valid_after(datetime.datetime.fromisoformat(ends))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("ends", ["2026-12-31T23:59:59", "2049-12-31T23:59:59", "2051-01-01T00:00:00"])
def test_the_end_of_a_certificate(ends: str) -> None:
    wanted = int(datetime.datetime.fromisoformat(f"{ends}+00:00").timestamp())
    assert not_after(ssl.PEM_cert_to_DER_cert(certificate(ends))) == wanted


def test_the_first_certificate_that_ends(tmp_path: Path) -> None:
    """Of those that are renewed: authorities are not, and a kubelet has a file of its own."""
    pki, conf = "etc/kubernetes/pki", "etc/kubernetes"
    admin = base64.b64encode(certificate("2027-03-01T00:00:00").encode()).decode()
    files = {
        f"{pki}/ca.crt": certificate("2026-05-01T00:00:00"),
        f"{pki}/etcd/ca.crt": certificate("2026-05-01T00:00:00"),
        f"{pki}/front-proxy-ca.crt": certificate("2026-05-01T00:00:00"),
        f"{pki}/apiserver.crt": certificate("2027-04-01T00:00:00"),
        f"{pki}/etcd/server.crt": certificate("2027-02-01T00:00:00"),
        f"{conf}/admin.conf": f"users:\n- user:\n    client-certificate-data: {admin}\n",
        f"{conf}/kubelet.conf": "users:\n- user:\n    client-certificate: /var/lib/kubelet/pki/current.pem\n",
    }
    assert machine(tmp_path, {}).certificates_until() == 0
    found = machine(tmp_path, files)
    assert found.certificates_until() == datetime.datetime(2027, 2, 1, tzinfo=datetime.UTC).timestamp()
    (tmp_path / f"{pki}/etcd/server.crt").unlink()
    assert found.certificates_until() == datetime.datetime(2027, 3, 1, tzinfo=datetime.UTC).timestamp()
    # Somebody else's is nobody's to renew.
    (tmp_path / f"{pki}/oidc.crt").write_text(certificate("2026-05-01T00:00:00"))
    assert found.certificates_until() == datetime.datetime(2027, 3, 1, tzinfo=datetime.UTC).timestamp()
    (tmp_path / "var/lib/mintnet").mkdir(parents=True)
    (tmp_path / "var/lib/mintnet/renewing").touch()
    assert found.certificates_until() == 0
    (tmp_path / "var/lib/mintnet/renewing").unlink()
    (tmp_path / f"{pki}/apiserver.crt").write_text("half of a")
    assert found.certificates_until() == 0


def test_default_storage_class() -> None:
    mark = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    assert default_storage_class([{"metadata": {"name": "a"}}, {"metadata": {"name": "b", **mark}}]) == "b"
    assert default_storage_class([]) == ""


def machine(root: Path, files: dict[str, str], get: t.Callable[[str], t.Any] | None = None) -> Machine:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(root, run=lambda command: SHOW if command[0] == "systemctl" else IMAGES, get=get)


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "none"),
        ({"etc/kubernetes/kubelet.conf": ""}, "foreign"),
        ({"var/lib/mintnet/cluster.begun": "mintnet\n"}, "begun"),
        ({"var/lib/mintnet/cluster.begun": "mintnet\n", "etc/kubernetes/admin.conf": ""}, "begun"),
        ({"var/lib/mintnet/cluster.done": "mintnet\n", "etc/kubernetes/admin.conf": ""}, "done"),
    ],
)
def test_whose_cluster_it_is(tmp_path: Path, files: dict[str, str], state: str) -> None:
    def refuse(path: str) -> t.Any:
        raise ConnectionRefusedError("nobody there")

    found = machine(tmp_path, files, refuse).kubernetes()
    assert found["state"] == state
    assert found["cluster"] == ("mintnet" if state in ("begun", "done") else "")
    assert not found["api"]["answers"]
    if state == "done":
        assert found["api"]["reason"] == "nobody there"
        assert found["api"]["nodes"] == []


def test_a_live_cluster(tmp_path: Path) -> None:
    deployment = {
        "metadata": {"namespace": "mintnet-storage", "name": "p", "annotations": {"mintnet.io/inputs": "h"}},
        "spec": {"replicas": 1},
        "status": {"availableReplicas": 1},
    }
    node = {
        "metadata": {"name": "mintnet-1"},
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.36.3", "architecture": "arm64"},
            "addresses": [
                {"type": "Hostname", "address": "mintnet-1"},
                {"type": "InternalIP", "address": "192.0.2.11"},
            ],
        },
    }
    answers: dict[str, t.Any] = {
        "/readyz": "ok",
        "/api/v1/nodes": {"items": [node]},
        "/apis/apps/v1/namespaces/mintnet-storage/deployments": {"items": [deployment]},
        "/apis/apps/v1/namespaces/kube-system/deployments": {"items": []},
        "/api/v1/namespaces/mintnet-storage/pods": {"items": None},
        "/api/v1/namespaces/kube-system/pods": {"items": [pod("kube-proxy-x", "DaemonSet")]},
        "/apis/storage.k8s.io/v1/storageclasses": {"items": None},
    }
    files = {
        "var/lib/mintnet/cluster.done": "mintnet\n",
        "etc/kubernetes/pki/ca.crt": "PEM",
        "etc/kubernetes/admin.conf": "",
        "etc/kubernetes/manifests/kube-apiserver.yaml": "",
    }
    found = machine(tmp_path, files, answers.__getitem__).kubernetes()
    assert base64.b64decode(found["ca"]) == b"PEM"
    assert found["control_plane"]
    assert found["api"] == {
        "answers": True,
        "reason": "",
        "nodes": [
            {
                "name": "mintnet-1",
                "ready": True,
                "reason": "",
                "pressures": [],
                "version": "v1.36.3",
                "arch": "arm64",
                "pod_cidr": "10.244.0.0/24",
                "address": "192.0.2.11",
            }
        ],
        "deployments": {"mintnet-storage/p": {"inputs": "h", "wanted": 1, "available": 1}},
        "pods": {},
        "unsigned": {},
        "storage_class": "",
        "unsettled": [],
    }


def test_a_server_that_is_still_starting_does_not_answer(tmp_path: Path) -> None:
    def get(path: str) -> t.Any:
        if path == "/readyz":
            raise ValueError("GET /readyz: 500 Internal Server Error")
        return {"items": []}

    files = {"var/lib/mintnet/cluster.done": "mintnet\n", "etc/kubernetes/admin.conf": ""}
    found = machine(tmp_path, files, get).kubernetes()
    assert not found["api"]["answers"]
    assert found["api"]["unsettled"] == ["the API server does not answer: GET /readyz: 500 Internal Server Error"]


def test_what_has_not_come_up_is_named() -> None:
    api: dict[str, t.Any] = {
        "answers": True,
        "reason": "",
        "nodes": [
            {"name": "a-1", "ready": False, "reason": "cni plugin not initialized", "pressures": []},
            {"name": "a-2", "ready": True, "pressures": ["DiskPressure"]},
        ],
        "deployments": {"kube-system/coredns": {"wanted": 2, "available": 0}, "x/y": {"wanted": 2, "available": 1}},
        "pods": {"kube-system/kube-proxy-x": "ErrImagePull"},
        # The other one is gone.
        "unsigned": {"a-2": "csr-2", "a-3": "csr-3"},
    }
    assert unsettled(api) == [
        "node a-1 is not ready: cni plugin not initialized",
        "node a-2 takes no pods: DiskPressure",
        "node a-2 has no answer to its request csr-2 for a serving certificate",
        "no pod of kube-system/coredns is available",
        "pod kube-system/kube-proxy-x is not ready: ErrImagePull",
    ]
    assert unsettled({"answers": False, "reason": "refused"}) == ["the API server does not answer: refused"]


STARTING = {"state": {"running": {}}, "ready": False, "started": False}
CRASHED = {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}
UNREADY = {"type": "Ready", "status": "False", "message": "containers with unready status: [a]"}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (pod("proxy", "DaemonSet"), ""),
        (pod("proxy", "DaemonSet", conditions=[UNREADY]), "containers with unready status: [a]"),
        (pod("proxy", "DaemonSet", phase="Pending", conditions=[]), "Pending"),
        (
            pod("proxy", "DaemonSet", conditions=[UNREADY], initContainerStatuses=[CRASHED]),
            "CrashLoopBackOff, back-off 40s",
        ),
        (pod("bare", conditions=[UNREADY], containerStatuses=[CRASHED]), "CrashLoopBackOff, back-off 40s"),
        (pod("bare", phase="Failed", reason="Evicted", conditions=[]), "Evicted"),
        # Its owner has made another.
        (pod("proxy", "DaemonSet", phase="Failed", reason="Evicted", conditions=[]), ""),
        (pod("done", phase="Succeeded", conditions=[UNREADY]), ""),
        (pod("task", "Job", restart="OnFailure", conditions=[UNREADY]), ""),
        # Told with their deployment.
        (pod("coredns-1", "ReplicaSet", conditions=[UNREADY]), ""),
        # Static pods: their first probe comes late.
        (pod("etcd-a", "Node", conditions=[UNREADY], containerStatuses=[STARTING]), ""),
        (pod("etcd-a", "Node", conditions=[UNREADY], containerStatuses=[CRASHED]), "CrashLoopBackOff, back-off 40s"),
        (pod("etcd-a", "Node", phase="Pending", conditions=[]), "Pending"),
    ],
)
def test_a_pod_of_the_system_that_is_not_ready(found: dict[str, t.Any], reason: str) -> None:
    assert unready_pod(found) == reason
    leaving = {**found, "metadata": {**found["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert unready_pod(leaving) == ""


def asked(name: str, user: str, second: int, signer: str = "kubelet-serving", *said: str, signed: str = "") -> t.Any:
    """A CertificateSigningRequest, with the conditions that were set."""
    metadata = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{second:02}Z"}
    status = {"conditions": [{"type": one, "status": "True"} for one in said], "certificate": signed}
    spec = {"username": user, "signerName": f"kubernetes.io/{signer}"}
    return {"metadata": metadata, "spec": spec, "status": status}


def test_the_newest_request_of_a_node_counts() -> None:
    serving = "kubelet-serving"
    items = [
        asked("late", "system:node:a-1", 2),
        asked("early", "system:node:a-1", 1, serving, "Approved", signed="x"),
        asked("early", "system:node:a-2", 1),
        asked("late", "system:node:a-2", 2, serving, "Approved", signed="x"),
        asked("approved", "system:node:a-3", 1, serving, "Approved"),
        asked("denied", "system:node:a-4", 1, serving, "Denied"),
        asked("client", "system:node:a-5", 1, "kube-apiserver-client-kubelet"),
        asked("anew", "system:node:old", 1),
        asked("gone", "system:node:a-6", 1),
    ]
    nodes = [came(f"a-{number}", "2026-01-01T00:00:00Z") for number in range(1, 6)]
    nodes.append(came("old", "2025-12-31T23:50:00Z"))
    found = unsigned_requests(lambda path: {"items": items}, nodes, (ValueError,))
    assert found == {"a-1": "late", "a-3": "approved"}


def came(name: str, when: str) -> dict[str, t.Any]:
    return {"metadata": {"name": name, "creationTimestamp": when}}


def test_who_may_not_look_at_requests_learns_of_all_else() -> None:
    def get(path: str) -> t.Any:
        if path.endswith("/certificatesigningrequests"):
            raise ValueError(f"GET {path}: 403 Forbidden")
        return "ok" if path == "/readyz" else {"items": []}

    assert look(lambda: get)["unsettled"] == []


def test_who_may_not_look_at_pods_learns_of_all_else() -> None:
    def get(path: str) -> t.Any:
        if path.endswith("/pods"):
            raise ValueError(f"GET {path}: 403 Forbidden")
        return "ok" if path == "/readyz" else {"items": []}

    api = look(lambda: get)
    assert api["answers"]
    assert len(api["unsettled"]) == 2
    assert "they cannot be listed: GET /api/v1/namespaces/kube-system/pods: 403 Forbidden" in api["unsettled"][0]


def test_drift_of_files_and_units(tmp_path: Path) -> None:
    found = machine(tmp_path, {})
    files = [WantedFile("/etc/a", content="a"), WantedFile("/etc/b", content="b"), WantedFile("/etc/c", content="c")]
    units = ["containerd.service", "kubelet.service", "missing.service"]
    Installation("trial", "inputs", files, units, tmp_path, run=lambda command: SHOW).apply()
    (tmp_path / "etc/b").write_text("changed")
    (tmp_path / "etc/c").unlink()
    assert found.records() == {
        "trial": {
            "inputs": "inputs",
            "drift": [
                "/etc/b was changed",
                "/etc/c is gone",
                "kubelet.service is not enabled",
                "missing.service is not enabled",
            ],
        }
    }


def test_an_unreadable_record_counts_as_none(tmp_path: Path) -> None:
    found = machine(tmp_path, {"var/lib/mintnet/records/trial.json": "{"})
    assert found.records() == {"trial": {"inputs": "", "drift": []}}


def test_dashboards_the_best_first() -> None:
    def service(place: str, called: str, **port: object) -> dict[str, t.Any]:
        return {"metadata": {"namespace": place, "name": called}, "spec": {"ports": [port]}}

    services = [
        service("kubernetes-dashboard", "kubernetes-dashboard", port=80),
        service("default", "my-kong-proxy", port=443),
        service("mintnet", "tm-0", port=26657),
        service("kube-system", "my-headlamp", port=80, name="http"),
    ]
    assert dashboards(lambda _path: {"items": services}) == [
        "/api/v1/namespaces/kube-system/services/my-headlamp:http/proxy/",
        "/api/v1/namespaces/default/services/https:my-kong-proxy:443/proxy/",
        "/api/v1/namespaces/kubernetes-dashboard/services/kubernetes-dashboard:80/proxy/",
    ]


def test_a_node_asks_nobody(tmp_path: Path) -> None:
    def unasked(path: str) -> t.Any:
        raise AssertionError(path)

    files = {"var/lib/mintnet/cluster.done": "mintnet\n", "etc/kubernetes/kubelet.conf": ""}
    found = machine(tmp_path, files, unasked).kubernetes()
    assert found["state"] == "done"
    assert not found["control_plane"]
    assert not found["api"]["answers"]
