# SPDX-License-Identifier: GPL-3.0-or-later
"""ConfigMaps of a genesis, against an API server that is a dictionary, and where an existing one is taken from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _genesis_parts, _genesis_source
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Answer, Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import digest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import request
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import pack, unpack
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_settle import settle
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_source import load
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_stores import ConfigMap
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import genesis_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._removal import find
from hypothesis import given, settings
from hypothesis import strategies as st

Json = dict[str, Any]
KEY = {"type": "tendermint/PubKeyEd25519", "value": "UjxDQgVTlHJOZ7axpMl/iczMIJXiQpFxCFjwKGvzYqE="}
LABELS = {"mintnet.io/network": "net"}


def asked(noise: int = 0, **changes: Any) -> Any:
    """A genesis; with noise, so many random bytes in its app_state, which hardly become fewer by compression."""
    wanted: Json = {
        "version": "0.40.0",
        "chain_id": "net",
        "time": "2026-01-01T00:00:00Z",
        "validators": [{"pub_key": KEY}],
    }
    if noise:
        wanted["app_state"] = {"noise": base64.b64encode(random.Random(4).randbytes(noise)).decode()}
    return request(**wanted | changes)


LARGE = 2300


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth of Kubernetes's own, which only one test needs."""
    monkeypatch.setattr(_genesis_parts, "CONFIG_MAP_LIMIT", 1024)
    monkeypatch.setattr(_genesis_parts, "PART_BYTES", 1000)


class Server(Api):
    """Creates, reads and deletes; Kubernetes refuses what is too large for it."""

    def __init__(self) -> None:
        self._workers = 1
        self.objects: dict[str, Json] = {}
        self.before_create: Callable[[str], None] | None = None
        self.order: list[str] = []

    def request(
        self, doing: str, method: str, path: str, query: Any = None, body: Any = None, *rest: Any, **more: Any
    ) -> Answer:
        if method == "POST":
            name = body["metadata"]["name"]
            if self.before_create:
                self.before_create(name)
            at = f"{path}/{name}"
            if at in self.objects:
                raise ClusterError(f"{doing}: already exists", 409, "AlreadyExists")
            data = [value.encode() for value in body.get("data", {}).values()]
            data += [base64.b64decode(value, validate=True) for value in body.get("binaryData", {}).values()]
            assert sum(map(len, data)) <= 1024 * 1024
            self.objects[at] = json.loads(json.dumps(body))
            self.order.append(name)
        elif method == "DELETE":
            del self.objects[path]
            return self._answer({})
        if method == "GET" and query:
            return self._answer({"items": [item for at, item in self.objects.items() if at.startswith(f"{path}/")]})
        found = self.objects.get(path if method == "GET" else f"{path}/{body['metadata']['name']}")
        if found is None:
            raise ClusterError(f"{doing}: not found", 404, "NotFound")
        return self._answer(found)

    @staticmethod
    def _answer(content: Json) -> Answer:
        return Answer(json.dumps(content).encode(), datetime.now(UTC))

    def config_map(self, name: str) -> Json:
        return self.objects[KINDS["ConfigMap"].path("net", name)]

    @property
    def names(self) -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.objects)

    def store(self) -> ConfigMap:
        return ConfigMap(self, "net", "tm-config", LABELS)


@pytest.fixture
def server(small_limits: None) -> Server:
    return Server()


def test_three_megabytes_are_held() -> None:
    server = Server()
    made = settle(server.store(), asked(2_300_000), dry_run=False)
    assert len(made.after or "") > 3_000_000
    assert len(server.names) == 4
    assert server.store().read() == made.after


def test_a_genesis_that_fits_is_one_config_map(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    monkeypatch.setattr(_genesis_parts, "CONFIG_MAP_LIMIT", len(asked().build().text))
    store = server.store()
    made = settle(store, asked(), dry_run=False)
    assert server.config_map("tm-config") == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "net", "name": "tm-config", "labels": LABELS},
        "immutable": True,
        "data": {"genesis.json": made.after},
    }
    assert store.names(made.after or "") == server.names == ["tm-config"]


def test_check_real_check_real_of_a_large_genesis(server: Server) -> None:
    store = server.store()
    planned = settle(store, asked(LARGE), dry_run=True)
    assert server.names == []
    names = store.names(planned.after or "")

    made = settle(server.store(), asked(LARGE), dry_run=False)
    text = made.after or ""
    assert text == planned.after == asked(LARGE).build().text
    assert server.names == names
    assert server.order == [*names[1:], names[0]]
    digest = hashlib.sha256(text.encode()).hexdigest()
    head = server.config_map("tm-config")
    assert head["data"] == {
        "genesis.parts": "".join(f"{name}\n" for name in names[1:]),
        "genesis.sha256": f"{digest}  genesis.json\n",
    }
    whole = b""
    for name in names[1:]:
        part = server.config_map(name)
        assert part["immutable"] is True
        assert part["metadata"]["labels"] == LABELS
        assert part["metadata"]["annotations"] == {"mintnet.io/genesis-sha256": digest}
        whole += base64.b64decode(part["binaryData"].pop(name))
        assert part["binaryData"] == {}
    assert gzip.decompress(whole).decode() == text
    assert len(names) == 1 + -(-len(whole) // 1000)


def test_large_genesis_is_read_again_and_removed_with_its_chain(server: Server) -> None:
    text = settle(server.store(), asked(LARGE), dry_run=False).after
    before = json.dumps(server.objects)
    for dry_run in (True, False):
        store = server.store()
        again = settle(store, asked(LARGE, time=None), dry_run=dry_run)
        assert (again.before, again.after) == (text, text)
        assert store.names(text or "") == server.names
    assert json.dumps(server.objects) == before
    with pytest.raises(MintnetError, match="chain_id: the live chain has net, asked is other"):
        settle(server.store(), asked(LARGE, chain_id="other"), dry_run=False)

    seen = genesis_of(server.objects.values())
    assert seen is not None
    assert seen["sha256"] == hashlib.sha256((text or "").encode()).hexdigest()
    assert seen["chain_id"] == "net"
    assert seen["app_state_sha256"] == digest(json.loads(text or "")["app_state"])

    found = find(server, "net", chain_only=True)
    assert sorted(name for kind, name in found.objects if kind == "ConfigMap") == server.names


def test_quicker_run_with_another_genesis_leaves_nothing_of_ours(server: Server) -> None:
    def quicker(name: str) -> None:
        if name == "tm-config":
            server.before_create = None
            settle(server.store(), asked(LARGE, time="2026-02-02T00:00:00Z"), dry_run=False)

    server.before_create = quicker
    store = server.store()
    outcome = settle(store, asked(LARGE, time=None), dry_run=False)
    assert outcome.genesis is not None
    assert outcome.genesis.time == "2026-02-02T00:00:00Z"
    assert store.names(outcome.after or "") == server.names


def test_quicker_run_with_the_same_genesis_shares_its_parts(server: Server) -> None:
    def quicker(name: str) -> None:
        if name == "tm-config":
            server.before_create = None
            settle(server.store(), asked(LARGE), dry_run=False)

    server.before_create = quicker
    store = server.store()
    outcome = settle(store, asked(LARGE), dry_run=False)
    assert outcome.before == outcome.after
    assert store.names(outcome.after or "") == server.names


def test_run_that_was_killed_between_parts_is_taken_up(server: Server) -> None:
    def killed(name: str) -> None:
        if name == "tm-config":
            raise KeyboardInterrupt

    server.before_create = killed
    with pytest.raises(KeyboardInterrupt):
        settle(server.store(), asked(LARGE), dry_run=False)
    assert "tm-config" not in server.names
    assert genesis_of(server.objects.values()) is None
    server.before_create = None
    made = settle(server.store(), asked(LARGE), dry_run=False)
    assert server.store().read() == made.after


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda part: part.pop("binaryData"), "hold together is damaged"),
        (lambda part: part["binaryData"].update(dict.fromkeys(part["binaryData"], "AAAA")), "together is damaged"),
        (None, r"its ConfigMap tm-config-[0-9a-f]{10}-2 is missing; bring it back"),
    ],
)
def test_damaged_parts_are_named(server: Server, damage: Callable[[Json], None] | None, said: str) -> None:
    settle(server.store(), asked(LARGE), dry_run=False)
    second = server.names[2]
    if damage:
        damage(server.config_map(second))
    else:
        del server.objects[KINDS["ConfigMap"].path("net", second)]
    with pytest.raises(MintnetError, match=f"^reading ConfigMap net/tm-config: .*{said}"):
        server.store().read()
    with pytest.raises(MintnetError, match=f"^reading the genesis in ConfigMap tm-config: .*{said}"):
        genesis_of(server.objects.values())


def test_parts_of_another_genesis_are_named(server: Server) -> None:
    settle(server.store(), asked(LARGE), dry_run=False)
    server.config_map("tm-config")["data"]["genesis.sha256"] = "00  genesis.json\n"
    with pytest.raises(MintnetError, match=r"its parts do not give what genesis\.sha256 says"):
        server.store().read()


def test_config_map_of_somebody_else_is_left(server: Server) -> None:
    server.create("x", {"kind": "ConfigMap", "metadata": {"namespace": "net", "name": "tm-config"}, "data": {"x": "y"}})
    with pytest.raises(MintnetError, match=r"it has no key genesis\.json, so it is not ours"):
        settle(server.store(), asked(LARGE), dry_run=False)
    assert server.names == ["tm-config"]


def test_genesis_that_no_pod_could_take_is_refused(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setattr(_genesis_parts, "MAX_PARTS", 2)
    with pytest.raises(MintnetError, match="and at most 2000 can be given to pods; make its app_state smaller"):
        settle(server.store(), asked(LARGE), dry_run=False)
    assert server.names == []


@settings(deadline=None, database=None)
@given(st.text(st.characters(codec="utf-8"), max_size=300), st.integers(1, 60), st.integers(0, 100))
def test_what_is_packed_is_unpacked(text: str, size: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_genesis_parts, "PART_BYTES", size)
        patch.setattr(_genesis_parts, "CONFIG_MAP_LIMIT", limit)
        patch.setattr(_genesis_parts, "MAX_PARTS", 10_000)
        packed = pack("tm-config", text)
        held = {name: {"binaryData": {name: base64.b64encode(piece)}} for name, piece in packed.parts.items()}
        assert unpack("x", packed.head, held.get) == text
        assert bool(packed.parts) == (len(text.encode()) > limit)
        assert all(len(piece) <= size for piece in packed.parts.values())


# -- sources


class Handler(BaseHTTPRequestHandler):
    content = b"{}"
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path != "/genesis.json":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *arguments: Any) -> None:
        """Not to the tests' output."""


@pytest.fixture
def address() -> Iterator[str]:
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


SUM = hashlib.sha256(b"{}").hexdigest()


def test_file_is_taken_with_its_line_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    content = b'{\r\n  "a": "\xc3\xa4"\r\n}\r\n'
    (tmp_path / "genesis.json").write_bytes(content)
    assert load("~/genesis.json", None, None).encode() == content
    assert load("~/genesis.json", hashlib.sha256(content).hexdigest().upper(), None).encode() == content


def test_url_is_taken_with_its_sum_and_only_once(address: str) -> None:
    assert load(f"{address}/genesis.json", SUM, None) == "{}"
    assert load(f"{address}/genesis.json", SUM, "another") == "{}"
    assert load(f"{address}/genesis.json", SUM, "{}") == "{}"
    assert Handler.asked == ["/genesis.json"] * 2


@pytest.mark.parametrize(
    ("path", "sha256", "said"),
    [
        ("/genesis.json", None, "sha256: it is needed with a URL, or whoever serves it chooses your chain"),
        ("/genesis.json", "abc", "sha256: 'abc' is no SHA-256"),
        ("/genesis.json", "0" * 64, f"its SHA-256 is {SUM}, asked is 000"),
        ("/none", SUM, "HTTP Error 404: Not Found; check the address"),
        (":99999/", SUM, "; check the address"),
    ],
)
def test_faulty_url(address: str, path: str, sha256: str | None, said: str) -> None:
    with pytest.raises(MintnetError) as error:
        load(f"{address}{path}", sha256, None)
    assert str(error.value).startswith(f"taking the genesis of {address}{path}: ")
    assert said in str(error.value)


def test_download_without_end_is_cut(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_genesis_source, "MAX_BYTES", 1)
    with pytest.raises(MintnetError, match="it has more than 1 bytes, which no pod could take"):
        load(f"{address}/genesis.json", SUM, None)


@pytest.mark.parametrize(
    ("content", "sha256", "said"),
    [
        (None, None, "No such file or directory; give the path of a file that can be read"),
        (b"{}", "0" * 64, f"its SHA-256 is {SUM}, asked is 000"),
        (gzip.compress(b"{}", mtime=0), None, "it is no text in UTF-8 ("),
    ],
)
def test_faulty_file(tmp_path: Path, content: bytes | None, sha256: str | None, said: str) -> None:
    path = tmp_path / "genesis.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MintnetError) as error:
        load(str(path), sha256, None)
    assert said in str(error.value)
