# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A context of several servers leads to one that takes connections. They listen on loopback."""

from __future__ import annotations

import contextlib
import socket
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.modules import kubeconfig, kubeconfig_failover

Run = t.Callable[..., dict[str, t.Any]]


@contextlib.contextmanager
def server(listening: bool = True) -> Iterator[str]:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        if listening:
            place.listen()
        yield f"https://127.0.0.1:{place.getsockname()[1]}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config"


def noted(run: Run, path: Path, server: str, servers: list[str]) -> None:
    secrets = dict.fromkeys(("certificate_authority_data", "client_certificate_data", "client_key_data"), "eA==")
    run(kubeconfig.main, {"path": str(path), "name": "mintnet", "server": server, "servers": servers, **secrets})


def leads_to(path: Path) -> str:
    (cluster,) = yaml.safe_load(path.read_text())["clusters"]
    return str(cluster["cluster"]["server"])


def test_one_that_does_not_answer_is_left(run: Run, path: Path) -> None:
    with server(listening=False) as dead, server() as other, server() as third:
        noted(run, path, dead, [dead, other, third])
        asked = {"path": str(path), "name": "mintnet"}
        check = run(kubeconfig_failover.main, asked, check=True)
        assert (check["changed"], check["server"]) == (True, other)
        assert f"would lead to {other}" in check["reason"]
        assert leads_to(path) == dead
        real = run(kubeconfig_failover.main, asked)
        assert (real["changed"], real["diff"]["before"], real["diff"]["after"]) == (True, f"{dead}\n", f"{other}\n")
        assert leads_to(path) == other
        for check_again in (True, False):
            again = run(kubeconfig_failover.main, asked, check=check_again)
            assert (again["changed"], again["server"], again["reason"]) == (False, other, "")
        # All of them are remembered: the way back is open.
        noted_servers = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["extensions"][0]["extension"]
        assert noted_servers["servers"] == [dead, other, third]


def test_where_none_answers_nothing_changes(run: Run, path: Path) -> None:
    with server(listening=False) as dead, server(listening=False) as other:
        noted(run, path, dead, [dead, other])
        before = path.read_text()
        assert not run(kubeconfig_failover.main, {"path": str(path), "name": "mintnet"})["changed"]
        assert path.read_text() == before


def test_a_context_of_one_server_or_of_others_is_left_alone(run: Run, path: Path) -> None:
    with server(listening=False) as dead:
        noted(run, path, dead, [])
        before = path.read_text()
        for name in ("mintnet", "work"):
            assert not run(kubeconfig_failover.main, {"path": str(path), "name": name})["changed"]
        assert path.read_text() == before
