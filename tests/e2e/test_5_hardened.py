# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that we made, as somebody sees it who wants to get in: from outside, or with what one machine has."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from surroundings import User

pytestmark = pytest.mark.usefixtures("cluster")

PROBE = "hardened-probe"
"""Name of the Secret, and of the ConfigMap beside it."""
APPROVER = "mintnet:serving-approver"


@pytest.fixture(scope="module")
def address(user: User, cluster: None) -> str:
    """Where the machine is reached."""
    addresses = user.get(f"node {user.machine}")["status"]["addresses"]
    return str(next(one["address"] for one in addresses if one["type"] == "InternalIP"))


@pytest.fixture(scope="module")
def marks(user: User, cluster: None) -> Iterator[dict[str, str]]:
    """What the Secret holds, and what the ConfigMap holds."""
    found = {kind: secrets.token_hex(16) for kind in ("Secret", "ConfigMap")}
    objects = [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": PROBE}, field: {"mark": found[kind]}}
        for kind, field in (("Secret", "stringData"), ("ConfigMap", "data"))
    ]
    file = user.home / "probe.yml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    user.kubectl(f"-n default create -f {file}")
    yield found
    user.kubectl(f"-n default delete -f {file}")


def trusting(certificate: Path | None = None) -> ssl.SSLContext:
    """Takes whoever answers, as an intruder would; with a client's certificate and key, where there is one."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    return context


def get(address: str, port: int, path: str, context: ssl.SSLContext | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPSConnection(address, port, timeout=10, context=context or trusting())
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def taken(user: User, name: str, *files: str) -> Path:
    """A copy of a client's certificate and key, as somebody has it who has got into the machine."""
    path = user.home / name
    path.touch(0o600)
    path.write_text(user.inside(f"cat {' '.join(files)}"), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_anybody_learns_whether_the_api_server_is_well(address: str, path: str) -> None:
    assert get(address, 6443, path) == (200, "ok")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/apis",
        "/version",
        "/metrics",
        "/openapi/v2",
        "/readyz/etcd",
        "/debug/pprof/",
        "/api/v1/namespaces/kube-public/configmaps/cluster-info",
        "/api/v1/secrets",
        "/api/v1/nodes",
    ],
)
def test_nobody_learns_anything_else(address: str, path: str) -> None:
    assert get(address, 6443, path)[0] == 401
    assert get(address, 6443, path, Authorization="Bearer guessed")[0] == 401


@pytest.mark.parametrize("path", ["/pods", "/metrics", "/configz", "/healthz", "/run/default/x/y"])
def test_a_kubelet_answers_nobody(address: str, path: str) -> None:
    assert get(address, 10250, path)[0] == 401


@pytest.mark.parametrize(
    "port",
    [
        10255,  # the kubelet's, for anybody to read
        10248,  # whether it is well
        10249,  # kube-proxy's metrics
        10257,  # the controller manager's
        10259,  # the scheduler's
        2381,  # etcd's metrics
        8443,  # the machine's own balancer
    ],
)
def test_ports_are_closed_towards_others(address: str, port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), 10)


def test_etcd_answers_its_own_clients_only(user: User, address: str) -> None:
    for port in (2379, 2380):
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            get(address, port, "/version")
    # The kubelet's certificate is of another authority.
    kubelet = taken(user, "kubelet.pem", "/var/lib/kubelet/pki/kubelet-client-current.pem")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        get(address, 2379, "/version", trusting(kubelet))
    own = taken(user, "etcd.pem", *(f"/etc/kubernetes/pki/etcd/healthcheck-client.{kind}" for kind in ("crt", "key")))
    status, answer = get(address, 2379, "/version", trusting(own))
    assert status == 200
    assert json.loads(answer)["etcdserver"]


def test_a_kubelet_reads_no_secret_that_its_pods_do_not_have(user: User, address: str, marks: dict[str, str]) -> None:
    kubelet = trusting(taken(user, "kubelet.pem", "/var/lib/kubelet/pki/kubelet-client-current.pem"))
    assert get(address, 6443, f"/api/v1/nodes/{user.machine}", kubelet)[0] == 200
    assert get(address, 6443, f"/api/v1/namespaces/default/secrets/{PROBE}", kubelet)[0] == 403
    assert get(address, 6443, "/api/v1/secrets", kubelet)[0] == 403


def test_secrets_are_encrypted_at_rest(user: User, marks: dict[str, str]) -> None:
    def files(text: str) -> list[str]:
        return user.inside(f"grep --recursive --text --files-with-matches '{text}' /var/lib/etcd || true").split()

    assert files(marks["ConfigMap"])
    assert files("k8s:enc:secretbox:v1:first:")
    for form in (marks["Secret"], base64.b64encode(marks["Secret"].encode()).decode()):
        assert not files(form)
    # They come back from it.
    assert base64.b64decode(user.get(f"secret {PROBE}", "default")["data"]["mark"]).decode() == marks["Secret"]


def test_it_is_written_down_who_reads_a_secret(user: User, marks: dict[str, str]) -> None:
    user.get(f"secret {PROBE}", "default")
    log = user.inside("cat /var/log/kubernetes/audit/audit.log")
    entries = [json.loads(line) for line in log.splitlines()]
    told = [one for one in entries if one.get("objectRef", {}).get("name") == PROBE]
    assert ("secrets", "create", "kubernetes-admin") in {
        (one["objectRef"]["resource"], one["verb"], one["user"]["username"]) for one in told
    }
    assert ("secrets", "get") in {(one["objectRef"]["resource"], one["verb"]) for one in told}
    # Not their content, of that or of anything else.
    assert {one["level"] for one in entries} == {"Metadata"}
    for form in (*marks.values(), base64.b64encode(marks["Secret"].encode()).decode()):
        assert form not in log
    quiet = {one["objectRef"]["resource"] for one in entries if "objectRef" in one}
    assert not {"leases", "events", "subjectaccessreviews"} & quiet
    modes = user.inside("stat -c '%a %U' /var/log/kubernetes/audit /var/log/kubernetes/audit/audit.log")
    assert modes.splitlines() == ["700 root", "600 root"]


def test_keys_are_roots_alone(user: User) -> None:
    assert user.inside("stat -c '%a %U' /etc/mintnet/apiserver/encryption.yaml /etc/mintnet/approver.conf").split() == [
        *("600", "root"),
        *("600", "root"),
    ]


def test_kubelets_have_certificates_of_the_cluster(user: User, address: str) -> None:
    entries = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))["clusters"]
    (entry,) = [one["cluster"] for one in entries if one["name"] == user.cluster]
    authority = base64.b64decode(entry["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    for name in (user.machine, address):
        with (
            socket.create_connection((address, 10250), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as told,
        ):
            assert told.getpeercert()
    # And the API server insists on it.
    assert "--kubelet-certificate-authority=" in user.inside("cat /etc/kubernetes/manifests/kube-apiserver.yaml")
    user.kubectl(f"-n kube-system logs --tail=1 kube-apiserver-{user.machine}")


def request(user: User, name: str, names: list[x509.GeneralName]) -> None:
    """Asks for a serving certificate, as the machine's kubelet does."""
    node = f"system:node:{user.machine}"
    subject = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, node)]
    content = (
        x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(*part) for part in subject]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    spec = {
        "signerName": "kubernetes.io/kubelet-serving",
        "usages": ["digital signature", "server auth"],
        "request": base64.b64encode(content).decode(),
    }
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    file = user.home / f"{name}.yml"
    file.write_text(yaml.safe_dump({**kind, "metadata": {"name": name}, "spec": spec}), encoding="utf-8")
    user.kubectl(f"create -f {file} --as {node} --as-group system:nodes --as-group system:authenticated")


def conditions(user: User, name: str) -> list[str]:
    status: dict[str, Any] = user.get(f"csr {name}").get("status", {})
    return [one["type"] for one in status.get("conditions", [])]


def test_a_node_gets_no_certificate_for_another_name(user: User, address: str) -> None:
    own = x509.IPAddress(ipaddress.ip_address(address))
    foreign = x509.DNSName("kubernetes.default.svc")
    try:
        request(user, "forged", [own, foreign])
        user.wait(
            "the request is refused",
            lambda: (
                "not " + user.machine
                in user.inside("journalctl --unit=mintnet-approver --output=cat | grep '^forged '")
            ),
            30,
        )
        # What comes after it is looked at all the same.
        request(user, "rightful", [own])
        user.wait("its own is approved", lambda: conditions(user, "rightful") == ["Approved"], 30)
        assert conditions(user, "forged") == []
    finally:
        user.kubectl("delete csr forged rightful --ignore-not-found")


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("get", "secrets"),
        ("create", "pods"),
        ("create", "certificatesigningrequests"),
        ("approve", "signers/kubernetes.io/kube-apiserver-client"),
    ],
)
def test_who_approves_may_do_nothing_else(user: User, verb: str, what: str) -> None:
    run = user.kubectl(f"auth can-i {verb} {what} --as {APPROVER} --all-namespaces", code=1)
    assert "no" in run.output.splitlines()
