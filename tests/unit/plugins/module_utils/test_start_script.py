# SPDX-License-Identifier: GPL-3.0-or-later
"""How a node starts beside its application: its script, run by sh, with sockets of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[4] / "roles" / "cometbft" / "files" / "tm-start.sh"
#: In place of CometBFT: it says how it was started, and waits.
NODE = '#!/bin/sh\necho "cometbft $*"\n[ -z "${STAY:-}" ] || exec /bin/sleep "$STAY"\n'
#: A second of the script goes by in a moment, and is counted.
SLEEP = '#!/bin/sh\necho "$1" >> "$CMTHOME/slept"\nexec /bin/sleep 0.05\n'

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pods run on Linux")


class Pod:
    def __init__(self, folder: Path, abci: str = "socket") -> None:
        self.folder = folder
        (folder / "config").mkdir()
        (folder / "config" / "config.toml").write_text(f'abci = "{abci}"\n')
        (folder / "bin").mkdir()
        for name, text in {"cometbft": NODE, "sleep": SLEEP}.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.socket = folder / "app.sock"

    def start(self, address: str = "", **environment: str) -> subprocess.Popen[str]:
        variables = {"ABCI_ADDRESS": address or f"unix://{self.socket}", "CMTHOME": str(self.folder), **environment}
        variables["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.Popen(["sh", SCRIPT], env=variables, stdout=subprocess.PIPE, text=True)

    @property
    def slept(self) -> int:
        """How many seconds the script believes to have slept, the one that it has begun included."""
        file = self.folder / "slept"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def goes_on(self, process: subprocess.Popen[str], looks: int = 3) -> bool:
        """Whether the node runs on while the script looks this many times at its application."""
        begun, until = self.slept, time.monotonic() + 60
        while self.slept <= begun + looks:
            if process.poll() is not None:
                return False
            assert time.monotonic() < until
            time.sleep(0.02)
        return process.poll() is None

    def says(self, address: str = "") -> str:
        process = self.start(address)
        said = process.communicate(timeout=10)[0]
        assert process.returncode == 0
        return said


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.fixture
def app(pod: Pod) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(pod.socket))
        listener.listen()
        yield listener


def test_the_node_starts_with_its_home(pod: Pod) -> None:
    assert pod.says() == f"cometbft start --home {pod.folder}\n"


@pytest.mark.usefixtures("app")
def test_the_socket_of_an_application_that_runs_is_left_alone(pod: Pod) -> None:
    assert "removed" not in pod.says()
    assert pod.socket.is_socket()


def test_a_socket_that_was_left_behind_is_removed(pod: Pod, app: socket.socket) -> None:
    app.close()
    assert pod.socket.is_socket()
    assert "is left from an application that ended; it is removed" in pod.says()
    assert not pod.socket.exists()


def test_what_is_no_socket_is_left_alone(pod: Pod) -> None:
    pod.socket.write_text("mine")
    pod.says()
    assert pod.socket.read_text() == "mine"


def ends(process: subprocess.Popen[str], within: float) -> bool:
    until = time.monotonic() + within
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    return process.poll() is not None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_over_grpc_the_node_ends_with_its_application(tmp_path: Path, family: socket.AddressFamily) -> None:
    pod = Pod(tmp_path, "grpc")
    with socket.create_server(("", 0), family=family) as app:
        process = pod.start(f"tcp://127.0.0.1:{app.getsockname()[1]}", STAY="30")
        assert pod.goes_on(process)
    assert ends(process, 5)
    assert process.stdout is not None
    assert "tm-start: the application has ended, and the node ends with it" in process.stdout.read()
    assert process.returncode == 128 + signal.SIGKILL


def test_over_grpc_the_node_ends_with_an_application_that_was_started_anew(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "grpc")
    with socket.create_server(("127.0.0.1", 0)) as app:
        port = app.getsockname()[1]
        process = pod.start(f"tcp://127.0.0.1:{port}", STAY="30")
        assert pod.goes_on(process)
    with socket.create_server(("127.0.0.1", port)):
        assert ends(process, 5)


def test_over_grpc_a_node_waits_for_its_application(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "grpc")
    with socket.create_server(("127.0.0.1", 0)) as app:
        port = app.getsockname()[1]
    process = pod.start(f"tcp://127.0.0.1:{port}", STAY="30")
    assert pod.goes_on(process)
    process.terminate()
    assert ends(process, 3)


def test_over_grpc_a_node_that_ends_by_itself_is_not_waited_for(tmp_path: Path) -> None:
    assert Pod(tmp_path, "grpc").says("tcp://127.0.0.1:1") == f"cometbft start --home {tmp_path}\n"


def test_over_a_socket_the_node_is_left_to_itself(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as app:
        process = pod.start(f"tcp://127.0.0.1:{app.getsockname()[1]}", STAY="30")
        assert process.stdout is not None
        assert process.stdout.readline() == f"cometbft start --home {tmp_path}\n"
    # In this time a script that looks would have done so several times.
    assert not ends(process, 0.5)
    assert pod.slept == 0
    process.terminate()
    assert ends(process, 3)
