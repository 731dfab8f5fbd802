# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive for a bug report: from a server that answers like a real cluster, whole, broken in part, or not there."""

from __future__ import annotations

import base64
import copy
import json
import random
import stat
import tarfile
import threading
import typing as t
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _podman
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_diagnose

Json = dict[str, t.Any]
RECORDED: Json = json.loads((Path(__file__).parents[2] / "fixtures/network/running.json").read_text(encoding="utf-8"))
LISTS = {kind.path("mintnet"): name for name, kind in KINDS.items() if kind.namespaced}
SEED = random.Random(3).randbytes(32)
KEY = base64.b64encode(SEED + bytes(32)).decode()
KEY_FILE = json.dumps({"priv_key": {"type": "tendermint/PrivKeyEd25519", "value": KEY}})


class Api:
    """What the server answers; a test changes it."""

    def __init__(self) -> None:
        self.data = copy.deepcopy(RECORDED)
        self.data["Secret"] = [
            {
                "metadata": {"name": "tm-keys", "annotations": {"note": KEY}},
                "type": "Opaque",
                "data": {"tm-0.priv_validator_key.json": base64.b64encode(KEY_FILE.encode()).decode()},
            }
        ]
        # Where nobody should write a key, and somebody did.
        self.data["Event"][0]["message"] = f"key {SEED.hex()} is odd"
        self.data["ConfigMap"][0]["data"]["leak"] = f"x{KEY_FILE}"
        self.log = f"2026 started with {KEY}\n2026 {base64.b64encode(b'xx' + SEED).decode()}\nexecuted block height=7\n"
        self.refused: dict[str, int] = {}
        self.queries: list[tuple[str, dict[str, list[str]]]] = []

    def answer(self, path: str, query: dict[str, list[str]], body: t.Any) -> tuple[int, t.Any]:
        self.queries.append((path, query))
        for part, status in self.refused.items():
            if part in path:
                return status, {"reason": "Refused", "message": f"{path} is refused"}
        if "/proxy/" in path:
            return 200, self.rpc(path.split("/pods/")[1].split(":")[0], body)
        if path.endswith("/log"):
            return 200, self.log.encode()
        if path == "/version":
            return 200, {"gitVersion": "v1.36.3"}
        if path == "/api/v1/namespaces/mintnet":
            return 200, self.data["Namespace"]
        if path in LISTS:
            return 200, {"items": self.data.get(LISTS[path], [])}
        return 200, {"items": []}

    def rpc(self, pod: str, body: t.Any) -> t.Any:
        if isinstance(body, dict):
            return self.data["validators"]
        recorded = dict(zip(("status", "net_info", "blockchain"), self.data["rpc"][pod], strict=True))
        own: Json = {"result": {"here": pod}}
        return [{**recorded.get(call["method"], own), "id": call["id"]} for call in body]


@pytest.fixture
def cluster() -> Api:
    return Api()


@pytest.fixture
def kubeconfig(cluster: Api, tmp_path: Path) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            url = urlsplit(self.path)
            status, answer = cluster.answer(url.path, parse_qs(url.query), body)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_any

        def log_message(self, *_args: t.Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        path = tmp_path / "kubeconfig"
        document = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "a-token-of-the-user"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        yield str(path)
        server.shutdown()
        thread.join()


def parameters(kubeconfig: str, folder: Path, **more: t.Any) -> Json:
    defaults = {"documents": {}, "limit": 1 << 20, "machines": None}
    return {"kubeconfig": kubeconfig, "context": "c", "network": "mintnet", "path": str(folder), **defaults, **more}


def unpack(result: Json) -> dict[str, str]:
    path = Path(result["path"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        members = {member.name: archive.extractfile(member) for member in archive}
        found = {name.partition("/")[2]: file.read().decode() for name, file in members.items() if file}
    assert {name.partition("/")[0] for name in members} == {path.name.removesuffix(".tar.gz")}
    return found


def test_archive_holds_what_the_manifest_lists(cluster: Api, kubeconfig: str, tmp_path: Path) -> None:
    cluster.data["Pod"][1]["status"]["containerStatuses"][0]["restartCount"] = 2
    result = cometbft_diagnose.run(parameters(kubeconfig, tmp_path / "new" / "folder"), False)
    files = unpack(result)
    assert result["changed"] is True
    assert result["missing"] == []
    assert {file["name"]: file["size"] for file in result["files"]} == {n: len(t.encode()) for n, t in files.items()}
    rows = {row.split()[1]: int(row.split()[0]) for row in files["MANIFEST"].splitlines()[2:] if row}
    assert rows == {name: len(text.encode()) for name, text in files.items() if name != "MANIFEST"}
    for name in (
        *("versions.json", "controller.json", "events.txt", "status.json", "status.txt", "cluster/version.json"),
        *(
            "objects/pods.json",
            "objects/secrets.json",
            "objects/namespaces.json",
            "objects/persistentvolumeclaims.json",
        ),
        *("logs/tm-0/tm.log", "logs/tm-0/tm-gen-validator.log", "logs/tm-1/tm.previous.log"),
        *("rpc/tm-0/status.json", "rpc/tm-3/dump_consensus_state.json"),
    ):
        assert files[name].strip(), name
    assert "logs/tm-0/tm.previous.log" not in files
    assert "executed block" in files["logs/tm-0/tm.log"]
    assert json.loads(files["rpc/tm-2/net_info.json"])["n_peers"] == "3"
    assert "tm-3" in files["status.txt"]


def test_secrets_are_in_no_file(cluster: Api, kubeconfig: str, tmp_path: Path) -> None:
    documents = {"variables": {"a_password": "hunter2", "nested": {"leak": KEY, "own": "a-token-of-the-user"}}}
    result = cometbft_diagnose.run(parameters(kubeconfig, tmp_path, documents=documents), False)
    files = unpack(result)
    everything = "\n".join([*files.values(), json.dumps(result)]).lower()
    secrets = [SEED[:12], SEED[16:28]]
    wanted = [secret.hex() for secret in secrets]
    wanted += [base64.b64encode(b"\0" * n + secret).decode()[n + 1 : 14] for secret in secrets for n in range(3)]
    wanted += [base64.b64encode(KEY.encode()).decode()[:20], "hunter2", "a-token-of-the-user"]
    assert not [text for text in wanted if text.lower() in everything]
    (secret,) = json.loads(files["objects/secrets.json"])
    assert secret == {"metadata": {"name": "tm-keys"}, "type": "Opaque", "keys": ["tm-0.priv_validator_key.json"]}
    assert "(hidden) is odd" in files["events.txt"]
    assert json.loads(files["variables.json"])["a_password"] == "(hidden)"


def test_each_part_that_fails_is_listed_with_its_reason(cluster: Api, kubeconfig: str, tmp_path: Path) -> None:
    cluster.refused = {"/statefulsets": 500, "pods/tm-2/log": 400, "pods/tm-1:26657": 503, "/secrets": 403}
    result = cometbft_diagnose.run(parameters(kubeconfig, tmp_path), False)
    files = unpack(result)
    missing = {one["what"]: one["reason"] for one in result["missing"]}
    assert missing.keys() == {
        *("objects/secrets.json", "objects/statefulsets.json", "status", "rpc/tm-1/"),
        *("logs/tm-2/tm.log", "logs/tm-2/tm-gen-validator.log"),
    }
    assert "is refused (400)" in missing["logs/tm-2/tm.log"]
    assert "lacks this right" in missing["objects/secrets.json"]
    assert "not collected:" in files["MANIFEST"]
    assert all(reason in files["MANIFEST"] for reason in missing.values())
    assert {"objects/pods.json", "logs/tm-1/tm.log", "rpc/tm-0/status.json"} <= files.keys()
    assert KEY not in files["objects/configmaps.json"]  # nothing taught the value, its form gives it away


def test_without_a_cluster_the_controller_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_podman(doing: str, *_arguments: str) -> list[Json]:
        raise MintnetError(f"{doing}: podman is not installed")

    monkeypatch.setattr(_podman, "listed", no_podman)
    result = cometbft_diagnose.run(parameters(str(tmp_path / "none"), tmp_path, machines="mintnet"), False)
    assert unpack(result).keys() == {"MANIFEST", "versions.json", "controller.json"}
    assert [one["what"] for one in result["missing"]] == ["machines/", "the cluster"]


def test_silent_api_costs_one_reason(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "c", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    result = cometbft_diagnose.run(parameters(str(path), tmp_path), False)
    (missing,) = result["missing"]
    assert "does not answer" in missing["reason"]


def test_machines_and_their_journals(kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"Names": ["m-1"], "State": "running"}, {"Names": ["m-2"], "State": "exited"}]
    inspected = [{"State": {"Status": "running"}, "Config": {"Env": ["A_PASSWORD=hunter2"]}}]
    asked: list[tuple[str, ...]] = []

    class Answer(t.NamedTuple):
        stdout: str
        stderr: str = ""
        returncode: int = 0

    def attempt(_doing: str, *command: str, timeout: float = 0) -> Answer:
        asked.append(command)
        return Answer("" if "df" in command else f"output of {command[3]}")

    monkeypatch.setattr(_podman, "listed", lambda _doing, what, *_more: rows if what == "ps" else inspected)
    monkeypatch.setattr(_podman, "attempt", attempt)
    result = cometbft_diagnose.run(parameters(kubeconfig, tmp_path, machines="m"), False)
    files = unpack(result)
    assert files["machines/m-1/kubelet.log"] == "output of journalctl"
    assert json.loads(files["machines/m-2/container.json"])["State"] == {"Status": "running"}
    assert "hunter2" not in "".join(files.values())
    missing = {one["what"]: one["reason"] for one in result["missing"]}
    assert missing == {
        "machines/m-1/disk.txt": "df ended with 0 and said nothing",
        "machines/m-2/": "the machine is exited: make create starts it",
    }
    assert {command[2] for command in asked} == {"m-1"}


def test_sizes_are_bounded(cluster: Api, kubeconfig: str, tmp_path: Path) -> None:
    cluster.log = "first line\n" + "x" * 5000 + "\nlast line\n"
    result = cometbft_diagnose.run(parameters(kubeconfig, tmp_path, limit=2000), False)
    files = unpack(result)
    assert max(len(text.encode()) for name, text in files.items() if name != "MANIFEST") == 2000
    assert files["logs/tm-0/tm.log"].endswith("last line\n")
    assert "(cut to its last 2000 bytes)" in files["MANIFEST"]
    # Those for the archive have the times of their lines; the status reads less of a log.
    queries = [query for path, query in cluster.queries if path.endswith("/log") and "timestamps" in query]
    assert queries
    assert all(query["tailLines"] and query["limitBytes"] == ["8000"] for query in queries)


def test_check_run_tells_and_writes_nothing(cluster: Api, kubeconfig: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    result = cometbft_diagnose.run(parameters(kubeconfig, folder, documents={"plan": {}}), True)
    assert result["changed"] is True
    assert "would hold" in result["manifest"]
    assert {"plan.json", "logs/POD/CONTAINER.log"} <= {file["name"] for file in result["files"]}
    assert not folder.exists()
    assert cluster.queries == []


def test_archive_of_the_same_second_is_not_replaced(kubeconfig: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MintnetError, match=r"writing the archive .*/file/mintnet-diagnose.*mintnet_diagnose_path"):
        cometbft_diagnose.run(parameters(kubeconfig, tmp_path / "file"), False)
