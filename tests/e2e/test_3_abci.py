# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples' ABCI server, spoken to the way CometBFT does, and the way nobody should."""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import tree
from test_3_binary import free_port

EXAMPLES = tree.ROOT / "examples"
BUILD = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
    - role: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [protos]
  tasks:
    - ansible.builtin.copy:
        content: "{{ mintnet_artifacts.protos.path }}"
        dest: "{{ place }}"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """CometBFT's own messages, compiled as the examples' images do it; they can be imported, too."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "play.yml").write_text(BUILD, encoding="utf-8")
    command = ["ansible-playbook", str(folder / "play.yml"), "-e", f"place={folder / 'place'}"]
    subprocess.run(command, cwd=tree.ROOT, check=True)
    with tarfile.open((folder / "place").read_text(encoding="utf-8")) as protos:
        protos.extractall(folder / "protos", filter="data")
    compile_them = ["sh", str(EXAMPLES / "abci" / "types.sh"), str(folder / "protos"), str(folder / "types")]
    subprocess.run(compile_them, env={**os.environ, "PYTHON": sys.executable}, check=True)
    sys.path.insert(0, str(folder / "types"))
    yield folder / "types"
    sys.path.remove(str(folder / "types"))


@pytest.fixture(scope="module")
def t(types: Path) -> Any:
    return importlib.import_module("tendermint.abci.types_pb2")


class App:
    """An example that runs, with a home of its own."""

    def __init__(self, types: Path, folder: Path, transport: str, name: str = "counter") -> None:
        self.folder, self.transport = folder, transport
        self.address = f"unix://{folder}/app.sock" if transport == "unix" else f"tcp://127.0.0.1:{free_port()}"
        self.command = [sys.executable, str(EXAMPLES / name / f"{name}.py"), "--address", self.address]
        self.command += ["--home", str(folder), *(["--grpc"] if transport == "grpc" else [])]
        self.environment = {**os.environ, "PYTHONPATH": f"{types}:{EXAMPLES / 'abci'}"}
        self.log = folder / "app.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log)
        for _attempt in range(200):
            try:
                self.connect().close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it does not listen")

    def connect(self) -> socket.socket:
        if self.transport == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(10)
            connection.connect(self.address.removeprefix("unix://"))
            return connection
        host, _colon, port = self.address.removeprefix("tcp://").partition(":")
        return socket.create_connection((host, int(port)), timeout=10)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture(params=["unix", "tcp", "grpc"])
def app(request: pytest.FixtureRequest, types: Path, tmp_path: Path) -> Iterator[App]:
    found = App(types, tmp_path, request.param)
    found.start()
    yield found
    found.kill()


class Node:
    """Calls an application as CometBFT does: over one connection, call by call."""

    def __init__(self, app: App, t: Any) -> None:
        self.t = t
        self.channel: Any = None
        if app.transport == "grpc":
            options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
            self.channel = grpc.insecure_channel(app.address.removeprefix("tcp://"), options=options)
            stubs = importlib.import_module("tendermint.abci.types_pb2_grpc")
            self.stub = stubs.ABCIStub(self.channel)
        else:
            self.connection = app.connect()

    def call(self, name: str, **fields: Any) -> Any:
        field = self.t.Request.DESCRIPTOR.fields_by_name[name]
        request = getattr(self.t, field.message_type.name)(**fields)
        if self.channel:
            title = field.message_type.name.removeprefix("Request")
            return getattr(self.stub, title)(request, timeout=30)
        self.send(self.t.Request(**{name: request}).SerializeToString())
        response = self.receive()
        return getattr(response, response.WhichOneof("value"))

    def send(self, message: bytes) -> None:
        self.connection.sendall(prefix(len(message)) + message)

    def receive(self) -> Any:
        length = shift = 0
        while True:
            byte = self.exactly(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return self.t.Response.FromString(self.exactly(length))

    def exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self.connection.recv(count - len(found))
            if not part:
                raise EOFError
            found += part
        return found

    def close(self) -> None:
        (self.channel or self.connection).close()


def prefix(length: int) -> bytes:
    found = bytearray()
    while length > 0x7F:
        found.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*found, length])


@pytest.fixture
def node(app: App, t: Any) -> Iterator[Node]:
    found = Node(app, t)
    yield found
    found.close()


# Handshake and blocks


def test_handshake_and_blocks(node: Node) -> None:
    assert node.call("echo", message="hello").message == "hello"
    info = node.call("info", version="0.40.0")
    assert (info.last_block_height, info.last_block_app_hash) == (0, b"")
    node.call("init_chain", chain_id="c")
    assert node.call("check_tx", tx=b"0").code == 0
    assert node.call("check_tx", tx=b"1").code == 0
    refused = node.call("check_tx", tx=b"9")
    assert (refused.code, refused.log) == (2, "9 is too high, the next is 2")
    assert node.call("prepare_proposal", txs=[b"0", b"1"], max_tx_bytes=1).txs == [b"0"]
    assert node.call("process_proposal", txs=[b"0"]).status == 1
    block = node.call("finalize_block", height=1, txs=[b"0", b"x", b"1"])
    assert [result.code for result in block.tx_results] == [0, 1, 0]
    assert block.app_hash == (2).to_bytes(8, "big")
    assert node.call("query", path="/count").value == b"0"
    node.call("commit")
    assert node.call("query", path="/count").value == b"2"
    assert node.call("info").last_block_height == 1


def test_an_ordinary_end(app: App, t: Any) -> None:
    node = Node(app, t)
    node.call("info")
    assert app.stop() == 0
    node.close()
    assert "Traceback" not in app.log.read_text(encoding="utf-8")


def calls_of(blocks: Sequence[Sequence[bytes]], app_state: bytes = b"") -> list[tuple[str, dict[str, Any]]]:
    """What CometBFT calls for these blocks."""
    return [
        ("info", {}),
        ("init_chain", {"chain_id": "c", "app_state_bytes": app_state}),
        *(
            step
            for height, txs in enumerate(blocks, 1)
            for step in (
                ("prepare_proposal", {"txs": txs, "max_tx_bytes": 10_000}),
                ("process_proposal", {"txs": txs}),
                ("finalize_block", {"height": height, "txs": txs}),
                ("commit", {}),
            )
        ),
    ]


def crash_behind_every_call(
    apps: Iterator[App], t: Any, blocks: Sequence[Sequence[bytes]], app_state: bytes, query: str
) -> tuple[bytes, bytes]:
    """What CometBFT does at its start: it asks how far the application is, and gives it what is behind that.

    Gives the app hash and the answer to a query, which must be the same after each crash.
    """
    ends = set()
    calls = calls_of(blocks, app_state)
    for count in range(len(calls) + 1):
        app = next(apps)
        app.start()
        node = Node(app, t)
        committed = 0
        for name, fields in calls[:count]:
            node.call(name, **fields)
            committed += name == "commit"
        app.kill()
        node.close()
        app.start()
        node = Node(app, t)
        assert node.call("info").last_block_height == committed
        for name, fields in calls[2 + 4 * committed if committed else 1 :]:
            if name in ("init_chain", "finalize_block", "commit"):
                node.call(name, **fields)
        info = node.call("info")
        assert info.last_block_height == len(blocks)
        ends.add((info.last_block_app_hash, node.call("query", path=query).value))
        node.close()
        app.kill()
    (end,) = ends
    return end


def fresh(types: Path, folder: Path, transport: str, name: str) -> Iterator[App]:
    """One application after the other, each with an empty home."""
    for number in itertools.count():
        home = folder / str(number)
        home.mkdir()
        yield App(types, home, transport, name)


@pytest.mark.parametrize("transport", ["unix", "grpc"])
def test_replay_after_a_crash_behind_every_call(types: Path, t: Any, tmp_path: Path, transport: str) -> None:
    blocks = ([b"0", b"1"], [b"2"], [b"3", b"bad", b"4"])
    apps = fresh(types, tmp_path, transport, "counter")
    assert crash_behind_every_call(apps, t, blocks, b"", "/count") == ((5).to_bytes(8, "big"), b"5")


# What nobody should send


@pytest.fixture
def socket_app(types: Path, tmp_path: Path) -> Iterator[App]:
    found = App(types, tmp_path, "unix")
    found.start()
    yield found
    found.kill()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\xff" * 10, "what comes is not the length of a message"),
        (prefix(104_857_601), "a message of 104857601 bytes, 104857600 are allowed"),
        (b"\x05\xff\xff\xff\xff\xff", "5 bytes are no request of ABCI"),
        (b"\x00", "a request without a call, as of another version of ABCI than 2.0"),
        (b"\x05\x01", "the connection ended within a message"),
        (b"\x80", "the connection ended within a message"),
        (b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100, "no request of ABCI"),
    ],
)
def test_what_is_no_request_ends_its_connection_alone(socket_app: App, t: Any, sent: bytes, said: str) -> None:
    good = Node(socket_app, t)
    good.call("info")
    with socket_app.connect() as bad:
        bad.sendall(sent)
        bad.shutdown(socket.SHUT_WR)
        assert bad.recv(1) == b""
    assert said in socket_app.log.read_text(encoding="utf-8")
    assert good.call("echo", message="still here").message == "still here"
    good.close()


def test_big_blocks(node: Node) -> None:
    """Beyond what gRPC takes by default."""
    node.call("init_chain", chain_id="c")
    huge = b"x" * 8_000_000
    block = node.call("finalize_block", height=1, txs=[b"0", huge])
    assert [result.code for result in block.tx_results] == [0, 1]
    assert node.call("prepare_proposal", txs=[huge], max_tx_bytes=10_000_000).txs == [huge]


def test_connections_side_by_side(app: App, t: Any) -> None:
    """CometBFT has four, which call at once; each gets the answers to its own calls, in order."""
    nodes = [Node(app, t) for _number in range(4)]
    nodes[0].call("init_chain", chain_id="c")
    begin = threading.Barrier(len(nodes))

    def calls(which: int) -> list[str]:
        begin.wait(10)
        return [nodes[which].call("echo", message=f"{which} {number}").message for number in range(100)]

    with ThreadPoolExecutor(len(nodes)) as threads:
        found = list(threads.map(calls, range(len(nodes))))
    assert found == [[f"{which} {number}" for number in range(100)] for which in range(len(nodes))]
    for node in nodes:
        node.close()
    last = Node(app, t)
    assert last.call("info").last_block_height == 0
    last.close()


def test_calls_that_wait_in_one_connection(socket_app: App, t: Any) -> None:
    node = Node(socket_app, t)
    for number in range(300):
        node.send(t.Request(echo=t.RequestEcho(message=str(number))).SerializeToString())
    node.send(t.Request(flush=t.RequestFlush()).SerializeToString())
    assert [node.receive().echo.message for _number in range(300)] == [str(number) for number in range(300)]
    assert node.receive().WhichOneof("value") == "flush"
    node.close()


@pytest.mark.parametrize("transport", ["unix", "grpc"])
@pytest.mark.parametrize("name", ["me", "\\ud800"])
def test_an_application_whose_call_fails_ends(types: Path, t: Any, tmp_path: Path, transport: str, name: str) -> None:
    app = App(types, tmp_path, transport, "basecoin")
    app.start()
    node = Node(app, t)
    wrong = f'{{"accounts": {{"{name}": 1}}}}'.encode()
    said = f"app_state.accounts: {name} is no address, 40 digits of upper-case hex"
    if transport == "grpc":
        with pytest.raises(grpc.RpcError, match=r"init_chain: app_state\.accounts"):
            node.call("init_chain", chain_id="c", app_state_bytes=wrong)
    else:
        assert said in node.call("init_chain", chain_id="c", app_state_bytes=wrong).error
    assert app.process is not None
    assert app.process.wait(10) == 1
    assert f"init_chain failed, and the application ends: {said}" in app.log.read_text(encoding="utf-8")
    node.close()


def test_a_socket_that_was_left_behind_is_replaced(socket_app: App, t: Any) -> None:
    socket_app.kill()
    assert Path(socket_app.address.removeprefix("unix://")).is_socket()
    socket_app.start()
    node = Node(socket_app, t)
    assert node.call("info").data == "counter"
    node.close()
