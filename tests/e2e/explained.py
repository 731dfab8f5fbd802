# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that fail, and what is said of them: in the story that a run tells, and in the result of the module."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from modules import module
from surroundings import Run, User

Json = dict[str, Any]

ONE: Json = {"cometbft_nodes": 1, "cometbft_app": "kvstore", "cometbft_ephemeral": True}
SHORT = 12
"""Seconds that a network has which cannot start; those that end by themselves have LONG."""
LONG = 120
ALLOWANCE = 60
"""Seconds that a run that fails may take besides: to begin, to apply objects, and to find out why."""

WAIT = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Wait until all nodes make the same blocks
      mintnet.kubernetes.cometbft_wait: {{context: {context}, network: {network}, wait_timeout: {seconds}}}
"""


def story(output: str) -> dict[str, str]:
    """The labelled parts of what a run told of its failure, each in one line."""
    output = f"\n{output}"
    told = output[output.rindex("\nfailed    ", 0, output.rindex("\nfailed    ")) :]
    parts: dict[str, str] = {}
    label = ""
    for row in told.strip().splitlines():
        label = row[:10].strip() or label
        parts[label] = f"{parts.get(label, '')} {row[10:].strip()}".strip()
    return parts


@dataclass(frozen=True)
class Failure:
    """A run that failed: what it told, and the result of the task that failed, as programs get it."""

    run: Run
    told: dict[str, str]
    result: Json

    def says(self, *texts: str) -> None:
        """Both do."""
        values = [value if isinstance(value, list) else [value] for value in self.result.values()]
        result = " ".join(" ".join(str(line) for value in values for line in value).split())
        for text in texts:
            assert text in " ".join(self.told.values()), (text, self.told)
            assert text in result, (text, self.result)


def failure(user: User, command: str, place: Path, **environment: str) -> Failure:
    """Runs a command that fails, without a traceback."""
    user.journal.unlink(missing_ok=True)
    run = user.run(command, place, code=1, timeout=600, **user.journaling, **environment)
    assert "Traceback" not in run.output
    results = [entry["result"] for entry in user.entries() if "failed" in entry]
    assert results, f"no task has failed: {run}"
    return Failure(run, story(run.output), results[-1])


@dataclass
class Case:
    """One network in a namespace of its own."""

    user: User
    clone: Path
    name: str

    def creating(self, *, whole: bool = False, **variables: Any) -> str:
        """The command for the part of create that makes the network, which is quicker, or for the whole of it."""
        file = self.user.home / f"{self.name}.yml"
        file.write_text(yaml.safe_dump({"cometbft_network": self.name, **variables}), encoding="utf-8")
        part = f".venv/bin/ansible-playbook playbooks/network.yml -e @{file}"
        return f"make create NETWORK={file}" if whole else part

    def create(self, *, code: int | None = 1, whole: bool = False, **variables: Any) -> Run:
        """A failure comes in time."""
        run = self.user.run(self.creating(whole=whole, **variables), self.clone, code=code, timeout=600)
        if run.code and "cometbft_timeout" in variables:
            assert run.seconds < variables["cometbft_timeout"] + ALLOWANCE, str(run)
        return run

    def waiting(self, seconds: float) -> str:
        """The command that waits, and does nothing else."""
        playbook = self.user.home / f"{self.name}-wait.yml"
        playbook.write_text(
            WAIT.format(context=self.user.cluster, network=self.name, seconds=seconds), encoding="utf-8"
        )
        return f".venv/bin/ansible-playbook {playbook}"

    def wait(self, seconds: float, *, code: int = 1) -> Run:
        """Waiting alone, told as `make create` tells it."""
        run = self.user.run(self.waiting(seconds), self.clone, code=code, timeout=600)
        assert run.seconds < seconds + ALLOWANCE, str(run)
        return run

    def result(self, seconds: float = 1) -> Json:
        """The module's result, as JSON."""
        access: Json = {"kubeconfig": str(self.user.kubeconfig), "context": self.user.cluster}
        return module("cometbft_wait", **access, network=self.name, wait_timeout=seconds)

    def is_well(self, seconds: float = 120) -> None:
        answer = self.result(seconds)
        assert not answer["failed"], answer["msg"]

    def kubectl(self, arguments: str, code: int | None = 0) -> Run:
        return self.user.kubectl(f"-n {self.name} {arguments}", code=code)

    def get(self, what: str) -> Any:
        return self.user.get(what, self.name)

    def restart(self, *nodes: str) -> None:
        self.kubectl(f"delete pod {' '.join(nodes)} --wait=true --grace-period=1")


@contextlib.contextmanager
def network(user: User, clone: Path, name: str) -> Iterator[Case]:
    """Its namespace goes at the end, without being waited for: the next network has another one."""
    try:
        yield Case(user, clone, name)
    finally:
        user.kubectl(f"delete namespace {name} --ignore-not-found --wait=false")


def explained(run: Run, result: Json, *, node: str, reason: str, step: str, log: str = "") -> None:
    """Cause, telling lines and next step of a node, in the story and in the result."""
    told = story(run.output)
    assert "Traceback" not in run.output
    assert re.search(rf"{node}\b[^:]*: .*{reason}", told["why"]), told
    assert re.search(rf"{node}\b[^:]*: .*{step}", told["next"]), told
    found = next(item for item in result["network"]["nodes"] if item["name"] == node)
    assert result["failed"]
    assert re.search(reason, found["reason"]), found
    assert re.search(step, found["next"]), found
    assert any(re.search(step, line) for line in result["next"]), result["next"]
    if log:
        assert re.search(log, told.get("log", "") + told["why"]), told
        assert any(re.search(log, line) for line in found["log"]), found


def until(what: str, holds: Any, seconds: float = 60, pause: float = 0.5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not after {seconds} s: {what}"
        time.sleep(pause)
