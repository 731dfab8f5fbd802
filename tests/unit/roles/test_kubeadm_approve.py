# SPDX-License-Identifier: GPL-3.0-or-later
"""Which serving certificates are approved: a node's own, and none for which anybody cheats."""

from __future__ import annotations

import base64
import importlib.util
import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier

FILE = Path(__file__).resolve().parents[3] / "roles" / "kubeadm" / "files" / "approve_serving.py"
_spec = importlib.util.spec_from_file_location("approve_serving", FILE)
assert _spec and _spec.loader
approve = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(approve)

KEY = ec.generate_private_key(ec.SECP256R1())
OWN_DNS, OWN_IP = x509.DNSName("node-1"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))
USAGES = ["digital signature", "server auth"]
SUBJECT = ((NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, "system:node:node-1"))


def node(name: str, *addresses: tuple[str, str]) -> dict[str, Any]:
    found = [{"type": kind, "address": address} for kind, address in addresses]
    return {"metadata": {"name": name}, "status": {"addresses": found}}


NODES = (
    node("node-1", ("InternalIP", "10.0.0.1"), ("InternalIP", "FD00::1"), ("Hostname", "node-1")),
    node("node-2", ("InternalIP", "10.0.0.2"), ("Hostname", "node-2")),
)


def content(
    names: Sequence[x509.GeneralName] = (OWN_DNS, OWN_IP),
    subject: Sequence[tuple[ObjectIdentifier, str]] = SUBJECT,
    extensions: Sequence[x509.ExtensionType] = (),
    challenge: bytes = b"",
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY,
) -> bytes:
    """A request in PEM."""
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(kind, value) for kind, value in subject])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    if challenge:
        builder = builder.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, challenge)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def asked(pem: bytes | None = None, **spec: Any) -> dict[str, Any]:
    """As the API server has it."""
    return {
        "metadata": {"name": "csr-x"},
        "spec": {
            "signerName": "kubernetes.io/kubelet-serving",
            "username": "system:node:node-1",
            "groups": ["system:nodes", "system:authenticated"],
            "usages": USAGES,
            "request": base64.b64encode(content() if pem is None else pem).decode(),
            **spec,
        },
    }


def refusal(request: dict[str, Any], nodes: Sequence[dict[str, Any]] = NODES) -> str:
    reason = approve.refusal(request, nodes)
    assert isinstance(reason, str)
    return reason


@pytest.mark.parametrize(
    "names",
    [
        [OWN_DNS, OWN_IP],
        [OWN_DNS],
        [OWN_IP],
        [OWN_DNS, OWN_IP, x509.IPAddress(ipaddress.ip_address("fd00::1"))],
    ],
)
def test_a_nodes_own_is_approved(names: list[x509.GeneralName]) -> None:
    assert refusal(asked(content(names))) == ""


def test_a_key_of_rsa_enciphers_keys_too() -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert refusal(asked(content(key=key), usages=[*USAGES, "key encipherment"])) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (x509.DNSName("node-2"), "not node-1's alone: node-2"),
        (x509.DNSName("kubernetes.default"), "not node-1's alone: kubernetes.default"),
        (x509.DNSName("*"), "not node-1's alone: *"),
        (x509.IPAddress(ipaddress.ip_address("10.0.0.2")), "not node-1's alone: 10.0.0.2"),
        (x509.IPAddress(ipaddress.ip_address("127.0.0.1")), "not node-1's alone: 127.0.0.1"),
        (x509.IPAddress(ipaddress.ip_address("fd00::2")), "not node-1's alone: fd00::2"),
        (x509.DNSName("10.0.0.1"), "not node-1's alone: 10.0.0.1"),
        (x509.UniformResourceIdentifier("https://node-1"), "neither DNS nor an address"),
        (x509.RFC822Name("root@node-1"), "neither DNS nor an address"),
    ],
)
def test_a_foreign_name_is_refused(name: x509.GeneralName, said: str) -> None:
    assert said in refusal(asked(content([OWN_DNS, OWN_IP, name])))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"signerName": "kubernetes.io/kube-apiserver-client"}, "its signer is kubernetes.io/kube-apiserver-client"),
        ({"signerName": "kubernetes.io/kube-apiserver-client-kubelet"}, "its signer is"),
        ({"username": "system:serviceaccount:default:default"}, "is no node"),
        ({"username": "kubernetes-admin"}, "is no node"),
        ({"groups": ["system:authenticated"]}, "is no node"),
        ({"groups": None}, "is no node"),
        ({"username": "system:node:node-2"}, "system:node:node-2 asks for system:node:node-1"),
        ({"usages": [*USAGES, "client auth"]}, "its usages are digital signature, server auth, client auth"),
        ({"usages": [*USAGES, "cert sign"]}, "its usages are"),
        ({"usages": ["server auth"]}, "its usages are server auth"),
        ({"usages": ["digital signature", "client auth"]}, "its usages are"),
        ({"usages": []}, "its usages are"),
    ],
)
def test_what_else_is_not_a_kubelets_is_refused(spec: dict[str, Any], said: str) -> None:
    assert said in refusal(asked(**spec))


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (
            [SUBJECT[0], (NameOID.COMMON_NAME, "system:node:node-2")],
            "asks for system:node:node-2 of system:nodes",
        ),
        ([(NameOID.ORGANIZATION_NAME, "system:masters"), SUBJECT[1]], "of system:masters"),
        ([*SUBJECT, (NameOID.ORGANIZATION_NAME, "system:masters")], "unknown form"),
        ([(NameOID.ORGANIZATION_NAME, "system:masters"), *SUBJECT], "unknown form"),
        ([*SUBJECT, (NameOID.COMMON_NAME, "system:node:node-2")], "unknown form"),
        ([*SUBJECT, (NameOID.ORGANIZATIONAL_UNIT_NAME, "x")], "not one organization and one common name"),
        (SUBJECT[:1], "not one organization and one common name"),
        ([], "not one organization and one common name"),
    ],
)
def test_another_subject_is_refused(subject: list[tuple[ObjectIdentifier, str]], said: str) -> None:
    assert said in refusal(asked(content(subject=subject)))


def test_more_than_names_is_refused() -> None:
    assert "not a kubelet's" in refusal(asked(content([])))
    authority = x509.BasicConstraints(ca=True, path_length=None)
    assert "not a kubelet's" in refusal(asked(content(extensions=[authority])))
    assert "not a kubelet's" in refusal(asked(content([], extensions=[authority])))
    assert "not a kubelet's" in refusal(asked(content(challenge=b"x")))


def test_a_node_that_is_not_there_is_refused() -> None:
    assert "not node-1's alone: 10.0.0.1, node-1" in refusal(asked(), NODES[1:])
    # It may only just be coming, and have no address yet.
    assert "not node-1's alone: 10.0.0.1" in refusal(asked(), [node("node-1"), NODES[1]])


def test_an_address_that_two_nodes_claim_is_refused() -> None:
    """A node writes what its own addresses are."""
    greedy = node("node-1", ("InternalIP", "10.0.0.1"), ("InternalIP", "10.0.0.2"), ("Hostname", "node-2"))
    both = [OWN_DNS, x509.IPAddress(ipaddress.ip_address("10.0.0.2")), x509.DNSName("node-2")]
    assert "not node-1's alone: 10.0.0.2, node-2" in refusal(asked(content(both)), [greedy, NODES[1]])
    assert refusal(asked(), [greedy, NODES[1]]) == ""


def damaged() -> dict[str, bytes]:
    good = content()
    return {
        "two requests": good + content([x509.DNSName("node-2")]),
        "text before it": b"x\n" + good,
        "a header": good.replace(b"REQUEST-----\n", b"REQUEST-----\nX: y\n\n", 1),
        "another block": good.replace(b"CERTIFICATE REQUEST", b"CERTIFICATE"),
        "nothing": b"",
        "not Base64": good.replace(b"\nMI", b"\n!!", 1),
        "not ASCII": b"\xff" + good,
    }


@pytest.mark.parametrize("kind", damaged())
def test_another_text_is_refused(kind: str) -> None:
    assert "its content is not a kubelet's" in refusal(asked(damaged()[kind]))


def wrapped(data: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n" % base64.encodebytes(data)


def long_form(data: bytes) -> bytes:
    """The outermost length in more bytes than it needs."""
    assert data[1] == 0x82
    return data[:1] + b"\x83\x00" + data[2:]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\x05\x00",
        lambda data: b"\x31" + data[1:],
        lambda data: b"\x30\x80" + data[4:] + b"\0\0",
        lambda data: b"\x3f" + data[1:],
        lambda data: b"",
        lambda data: b"\x30",
        lambda data: b"\x30\x84\xff",
        long_form,
    ],
)
def test_what_is_not_der_is_refused(change: Callable[[bytes], bytes]) -> None:
    data = x509.load_pem_x509_csr(content()).public_bytes(serialization.Encoding.DER)
    assert refusal(asked(wrapped(data))) == ""
    assert "its content is not a kubelet's" in refusal(asked(wrapped(change(data))))


def test_no_single_byte_makes_it_fail() -> None:
    """Whatever is changed, it is judged, and never approved for somebody else."""
    data = x509.load_pem_x509_csr(content()).public_bytes(serialization.Encoding.DER)
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
        if not refusal(asked(wrapped(changed))):
            again = approve.parse(wrapped(changed).decode())
            assert (again.common_name, again.organization) == ("system:node:node-1", "system:nodes")
            assert again.names == {"node-1", ipaddress.ip_address("10.0.0.1")}
