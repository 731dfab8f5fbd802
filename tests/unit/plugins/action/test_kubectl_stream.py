# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streaming kubectl: programs of the test stand for it; signals and time are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

Act = t.Callable[..., dict[str, t.Any]]
Program = t.Callable[[str], str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def make(script: str) -> str:
        path = tmp_path / "kubectl"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


def test_lines_are_shown_and_the_cluster_is_named(
    act: Act, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = program('echo "$@"; printf "no end"')
    args = {"kubectl": kubectl, "kubeconfig": "/k", "context": "c", "args": ["logs", "tm-0"]}
    result = act("kubectl_stream", args)
    assert capsys.readouterr().out == "--kubeconfig /k --context c logs tm-0\nno end\n"
    assert result == {"changed": False, "lines": 2, "timed_out": False}


def test_its_complaint_is_ours(act: Act, program: Program) -> None:
    kubectl = program("echo one; echo 'error: no such pod' >&2; exit 3")
    result = act("kubectl_stream", {"kubectl": kubectl, "context": "c", "args": ["logs"]})
    assert result["failed"] is True
    assert result["msg"].endswith("error: no such pod")
    assert result["rc"] == 3


def test_it_ends_after_its_time(act: Act, program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl = program("echo $$; exec sleep 60")
    began = time.monotonic()
    result = act("kubectl_stream", {"kubectl": kubectl, "context": "c", "args": [], "timeout": 0.3})
    assert time.monotonic() - began < 10
    assert result["timed_out"] is True
    assert "failed" not in result
    with pytest.raises(ProcessLookupError):
        os.kill(int(capsys.readouterr().out), 0)


def test_readiness_is_told_once_in_our_words(act: Act, program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl = program("echo 'Forwarding from 127.0.0.1'; echo 'Forwarding from [::1]'; echo 'Handling connection'")
    args = {"kubectl": kubectl, "context": "c", "args": [], "ready": "^Forwarding", "ready_label": "forward"}
    act("kubectl_stream", {**args, "ready_text": "http://127.0.0.1:1"})
    assert capsys.readouterr().out == "forward   http://127.0.0.1:1\n"


def test_check_mode_only_says_so(
    act: Act, program: Program, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kubectl = program(f"touch {tmp_path / 'ran'}")
    act("kubectl_stream", {"kubectl": kubectl, "context": "c", "args": ["logs"]}, check=True)
    assert f"would run: {kubectl} --context c logs" in capsys.readouterr().out
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [({"kubectl": "/nowhere/kubectl", "context": "c"}, "/nowhere/kubectl is not found"), ({}, "no context is named")],
)
def test_what_is_missing_is_named(act: Act, program: Program, args: dict[str, str], words: str) -> None:
    result = act("kubectl_stream", {"kubectl": program("true"), "args": [], **args})
    assert words in result["msg"]


WORKER = """
import os, signal, sys, time
from ansible_collections.mintnet.kubernetes.plugins.action.kubectl_stream import stream
worker = os.fork()
if worker == 0:
    def term(number, frame):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, term)
    stream([sys.argv[1]], 0, lambda row: print(row, flush=True))
time.sleep(60)
"""


@pytest.mark.parametrize("end", ["as Ansible does", "worker killed", "playbook killed"])
def test_it_never_outlives_the_play(program: Program, end: str) -> None:
    """Ansible interrupts a worker and then, at once, terminates it."""
    if end == "worker killed" and sys.platform != "linux":
        pytest.skip("only Linux ends the children of a process that was killed")
    kubectl = program("echo $$ $PPID; exec sleep 60")
    play = subprocess.Popen(
        [sys.executable, "-c", WORKER, kubectl],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if play.stdout is None:
            raise AssertionError
        child, worker = map(int, play.stdout.readline().split())
        if end == "as Ansible does":
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(worker, number)
        else:
            os.kill(worker if end == "worker killed" else play.pid, signal.SIGKILL)
        for _attempt in range(100):
            try:
                os.kill(child, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        os.kill(child, signal.SIGKILL)
        raise AssertionError("it lives on")
    finally:
        play.kill()
        play.wait()
