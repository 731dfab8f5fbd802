# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the collection's own imports resolve when pytest runs from a clone; under ansible-test they do already.

And servers on loopback, sound and unsound ones, and ansible-playbook.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

if AnsibleCollectionConfig.collection_finder is None:
    _AnsibleCollectionFinder(paths=[str(Path(__file__).resolve().parents[2] / ".dev")])._install()


class Web:
    """A web server on loopback: its files, what is wrong with it, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        #: How many bytes of a file come before the connection is cut, one number for each time.
        self.cuts: dict[str, list[int]] = {}
        #: What it answers instead, one status for each time.
        self.refusals: dict[str, list[int]] = {}
        self.ranges = True
        self.requests: list[tuple[str, str]] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> Web:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def whole(self) -> list[str]:
        """The files that were asked for, without those that were only looked at."""
        return [path for path, part in self.requests if part != "bytes=0-0"]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, part = self.path.lstrip("/"), self.headers.get("Range", "")
                web.requests.append((path, part))
                if web.refusals.get(path):
                    self.send_error(web.refusals[path].pop(0))
                elif path not in web.files:
                    self.send_error(404)
                else:
                    self.answer(path, part if web.ranges else "")

            def answer(self, path: str, part: str) -> None:
                content = web.files[path]
                begin = int(match[1]) if (match := re.match(r"bytes=(\d+)-", part)) else 0
                if part and begin >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206 if part else 200)
                self.send_header("Content-Length", str(len(content) - begin))
                if part:
                    self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
                self.end_headers()
                cut = web.cuts[path].pop(0) if web.cuts.get(path) and part != "bytes=0-0" else len(content)
                self.wfile.write(content[begin : begin + cut])

            def log_message(self, *_args: t.Any) -> None:
                pass

        return Handler


class Playbooks:
    """The real ansible-playbook, for many runs with the same settings: its imports, which take long, are done once."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._files = {name: folder / name for name in ("stdout", "stderr")}
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("playbook_server.py"))],
            env=self.environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """That of the test at this moment, with no other settings than these."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {**others, **self._settings}

    def run(self, folder: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """In this folder, with these variables of the environment as well."""
        assert self._server.stdin
        assert self._server.stdout
        files = {name: str(path) for name, path in self._files.items()}
        asked = {"argv": argv, "cwd": str(folder), "env": {**self.environment, **environment}, **files}
        self._server.stdin.write(f"{json.dumps(asked)}\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        told = {name: path.read_text(encoding="utf-8") for name, path in self._files.items()}
        return subprocess.CompletedProcess(list(argv), code, **told)

    def close(self) -> None:
        self._server.communicate()


@pytest.fixture(scope="session")
def playbooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[t.Callable[..., Playbooks]]:
    """Gives ansible-playbook with these settings, by their names in the environment, and no others."""
    made: dict[str, Playbooks] = {}

    def give(**settings: str) -> Playbooks:
        name = json.dumps(settings, sort_keys=True)
        if name not in made:
            made[name] = Playbooks(tmp_path_factory.mktemp("playbooks"), settings)
        return made[name]

    yield give
    for one in made.values():
        one.close()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "*")
    with Web() as server:
        yield server


@pytest.fixture
def hanging() -> Iterator[str]:
    """The address of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing() -> str:
    """An address where nobody is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


#: Kinds of volumes that the Pod Security standard "restricted" allows.
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}


@pytest.fixture
def unrestricted() -> t.Callable[[dict[str, t.Any]], list[str]]:
    """In what a pod does not satisfy the Pod Security standard "restricted"."""

    def faults(pod: dict[str, t.Any]) -> list[str]:
        found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
        found += [f"volume {one['name']}" for one in pod.get("volumes", []) if not one.keys() - {"name"} <= VOLUMES]
        shared = pod.get("securityContext", {})
        found += ["sysctls"] if shared.get("sysctls") else []
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            context = {**shared, **container.get("securityContext", {})}
            verdicts = {
                "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
                "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
                "privileged": not context.get("privileged"),
                "capabilities": context.get("capabilities") == {"drop": ["ALL"]},
                "runAsNonRoot": context.get("runAsNonRoot") is True,
                "runAsUser": context.get("runAsUser") != 0,
                "seccompProfile": context.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
                "procMount": context.get("procMount", "Default") == "Default",
                "seLinuxOptions": "seLinuxOptions" not in context,
            }
            found += [f"{container['name']}: {name}" for name, sound in verdicts.items() if not sound]
        return found

    return faults
