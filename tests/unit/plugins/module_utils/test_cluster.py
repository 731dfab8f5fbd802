# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a cluster: what is said when it leads nowhere."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import Cluster, ClusterError, connect
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, MissingLibraryError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def config(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "theirs",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
        "contexts": [
            {"name": "theirs", "context": {"cluster": "c", "user": "u"}},
            {"name": "ours", "context": {"cluster": "c", "user": "u"}},
            {"name": "broken", "context": {"cluster": "nowhere", "user": "u"}},
        ],
    }


def kubeconfig(tmp_path: Path, server: str) -> str:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config(server)), encoding="utf-8")
    return str(path)


def test_named_context_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig(tmp_path, "https://192.0.2.1:6443")
    before = Path(path).read_bytes()
    assert connect(path, "ours").server == "https://192.0.2.1:6443"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{path}")
    assert connect(None, "ours").context == "ours"
    assert Path(path).read_bytes() == before


def test_default_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterError, match=r"the kubeconfig ~/\.kube/config: no such file"):
        connect(None, "ours")
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(yaml.safe_dump(config("https://h")), encoding="utf-8")
    assert connect(None, "ours").server == "https://h"


@pytest.mark.parametrize("context", [None, ""])
def test_current_context_is_never_used(tmp_path: Path, context: str | None) -> None:
    with pytest.raises(ClusterError, match=r"no context is named; name one of its contexts .*: broken, ours, theirs"):
        connect(kubeconfig(tmp_path, "https://h"), context)


def test_unknown_context_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"it has no context mine; name one .*: broken, ours, theirs"):
        connect(kubeconfig(tmp_path, "https://h"), "mine")


@pytest.mark.parametrize("text", ["", "[1, 2", "[]", "5", "contexts: 5", "contexts: [5]", "contexts: [{name: ours}]"])
def test_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ClusterError, match=f"reading the kubeconfig {path}: ") as error:
        connect(str(path), "ours")
    assert "\n" not in str(error.value)


def test_context_without_its_cluster_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"context broken cannot be used: .*nowhere"):
        connect(kubeconfig(tmp_path, "https://h"), "broken")


def test_missing_library_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'kubernetes>=31"):
        connect(kubeconfig(tmp_path, "https://h"), "ours")


def test_silent_api_is_told_in_words(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = connect(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"), "ours")
    with pytest.raises(ClusterError) as error:
        Api(cluster).get("reading Secret a/b", "Secret", "a", "b")
    assert str(error.value).startswith("reading Secret a/b: the API of context ours at http://127.0.0.1:")
    assert "does not answer: Connection refused; check that" in str(error.value)
    assert error.value.status is None


class Server(http.server.BaseHTTPRequestHandler):
    """Answers every request as its path's last part says."""

    def do_GET(self) -> None:
        word = self.path.rpartition("/")[2]
        status = int(word) if word.isdigit() else 200
        body = json.dumps({"kind": "Status", "reason": f"R{word}", "message": f"because of {word}"}).encode()
        if word == "503":
            body = b"no JSON"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield connect(kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}"), "ours")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "because of 401 (401); the credentials of context ours are refused: renew them"),
        (403, "because of 403 (403); the user of context ours lacks this right"),
        (409, "because of 409 (409)"),
        (503, "Service Unavailable (503)"),
    ],
)
def test_refusal_is_told_in_words(cluster: Cluster, status: int, said: str) -> None:
    with pytest.raises(ClusterError) as error:
        Api(cluster).get("reading it", "Secret", "a", str(status))
    assert str(error.value).startswith(f"reading it: {said}")
    assert error.value.status == status
    assert error.value.reason == (None if status == 503 else f"R{status}")
    assert "secret-token" not in str(error.value)


def certified(tmp_path: Path) -> tuple[Path, str, str]:
    """A certificate of its own for 127.0.0.1 with its key in one file, and both as a kubeconfig has them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(here, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "server.pem"
    path.write_bytes(certificate + private)
    return path, base64.b64encode(certificate).decode(), base64.b64encode(private).decode()


@pytest.mark.parametrize("trusts_anybody", [False, True])
def test_private_key_is_in_no_file_when_requests_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusts_anybody: bool
) -> None:
    """The key serves the connections all the same: this server wants to see the client's certificate."""
    pem, certificate, private = certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.load_verify_locations(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    load = ssl.SSLContext.load_cert_chain
    seen: list[list[Path]] = []

    def watched(self: ssl.SSLContext, *files: str) -> None:
        seen.append(list(temporary.iterdir()))
        load(self, *files)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            document = config(f"https://127.0.0.1:{server.server_port}")
            trust = (
                {"insecure-skip-tls-verify": True} if trusts_anybody else {"certificate-authority-data": certificate}
            )
            document["clusters"][0]["cluster"] |= trust
            document["users"][0]["user"] = {"client-certificate-data": certificate, "client-key-data": private}
            path = tmp_path / "kubeconfig"
            path.write_text(yaml.safe_dump(document), encoding="utf-8")
            for _again in range(2):
                api = Api(connect(str(path), "ours"))
                assert list(temporary.iterdir()) == []
                assert api.get("reading it", "Secret", "a", "b") == {
                    "kind": "Status",
                    "reason": "Rb",
                    "message": "because of b",
                }
            assert seen == [[], []], "nor while it is read, when the run may be killed"
        finally:
            server.shutdown()
            thread.join()


def test_what_is_not_there_is_none(cluster: Cluster) -> None:
    assert Api(cluster).get("reading it", "Secret", "a", "404") is None
    with pytest.raises(ClusterError) as error:
        Api(cluster).request("reading it", "GET", "/404")
    assert error.value.status == 404
    with pytest.raises(ClusterError):
        Api(cluster).get("reading it", "Secret", "a", "403")


def test_one_root_of_all_errors() -> None:
    assert issubclass(ClusterError, MintnetError)
    assert issubclass(MissingLibraryError, MintnetError)
    assert MintnetError("x", nodes=[1]).result == {"nodes": [1]}


def shown_until(ends: datetime.datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - datetime.timedelta(days=2), ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (shown_until(datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.UTC)), "expired on 2020-01-02 at 03:04 UTC"),
        (shown_until(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)), "refused: renew them"),
        (b"", "refused: renew them"),
    ],
)
def test_refused_credentials_are_named_with_their_end(shown: bytes, said: str) -> None:
    from kubernetes.client.exceptions import ApiException

    def refuse(**_options: Any) -> None:
        raise ApiException(status=401, reason="Unauthorized")

    with pytest.raises(ClusterError, match=said):
        Cluster(None, "old", shown).call("reading", refuse)
