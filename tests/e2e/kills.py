# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed: the play and all that it started, at a random moment of a phase.

A run writes a journal of the tasks that it begins (callbacks/journal.py), from which its phase is known. How long a
phase takes is learned from the runs that came to their end.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tree
from surroundings import Run, User

SEED = int(os.environ.get("MINTNET_E2E_SEED") or random.SystemRandom().randrange(10**6))
"""Of every random moment; name it to see a failure again."""
POINTS = int(os.environ.get("MINTNET_E2E_POINTS") or 20)
"""How many moments of each phase are tried in a long run; a short one tries one."""

Entry = dict[str, Any]

PARTS = ("containerd", "cni", "kubeadm", "storage", "kubectl", "program")
_ROLES = {"artifacts": "build", "machines": "machine", **dict.fromkeys(PARTS, "kubeadm"), "minikube": "minikube"}
_ACTIONS = {
    "cometbft_keys": "keys",
    "cometbft_genesis": "keys",
    "objects": "apply",
    "cometbft_roll": "roll",
    "cometbft_wait": "wait",
    "cometbft_absent": "destroy",
}
_VERBS = {"stop": "cometbft_state", "start": "cometbft_state", "reset": "cometbft_absent"}
"""Playbooks, and with what they do of their own. They look with the same before, which is no part of it."""
SECONDS = {
    "build": 8,
    "machine": 8,
    "kubeadm": 30,
    "minikube": 40,
    "keys": 1,
    "apply": 1,
    "roll": 6,
    "wait": 8,
    "stop": 2,
    "start": 5,
    "reset": 3,
    "destroy": 4,
    "destroy-cluster": 3,
}
"""How long a phase takes, until it was seen."""
_COMING = ("build", "machine", "kubeadm", "minikube", "reset", "keys", "apply", "roll", "wait", "destroy")
_ORDER = {**{phase: number for number, phase in enumerate(_COMING)}, "destroy-cluster": 0, "stop": 0, "start": 0}


@dataclass(frozen=True)
class Blow:
    """What was killed, and when."""

    phase: str
    task: str
    seconds: float
    processes: int

    def __str__(self) -> str:
        return f"killed {self.processes} processes {self.seconds:.2f} s into {self.phase}, at: {self.task}"


@dataclass
class Victim(User):
    """A user whose runs are killed. Their temporary files have a folder of their own, so that they are seen."""

    quiet: bool = True
    seconds: dict[str, float] = field(default_factory=lambda: dict(SECONDS))
    tally: Counter[str] = field(default_factory=Counter)
    converged: Counter[str] = field(default_factory=Counter)
    blows: list[Blow] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.temporary = self.home / "tmp"
        self.temporary.mkdir()
        self.environment |= {
            "TMPDIR": str(self.temporary),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            **self.journaling,
        }

    # Runs

    def play(self, book: Path | str, options: str = "", *, code: int | None = 0) -> Run:
        """To its end; what its phases took is remembered."""
        self.journal.unlink(missing_ok=True)
        run = self.run(f"ansible-playbook {book} {options}", tree.ROOT, code=code)
        if run.code == 0:
            self._learn(book)
        return run

    def start(self, book: Path | str, options: str = "", journal: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            f"exec ansible-playbook {book} {options}",
            shell=True,
            cwd=tree.ROOT,
            env={**self.environment, "JOURNAL": str(journal or self.journal)},
            stdin=subprocess.DEVNULL,
            stdout=(self.home / "output").open("w", encoding="utf-8") if not journal else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def changes(self) -> set[str]:
        """What the last run told that it changed, or would: each thing, but a part of a cluster as one."""
        return {name for entry in self.entries() if "changed" in entry for name in _things(entry)}

    def kill(
        self, book: Path | str, phase: str, point: int, options: str = "", undo: Callable[[], object] | None = None
    ) -> Blow:
        """Kills a run in this phase, at the moment that seed and number of the point say.

        With ``undo``, what a run did that came to its end before is done anew.
        """
        share = random.Random(f"{SEED}:{phase}:{point}").random()
        expected = self.seconds[phase]
        for _attempt in range(6):
            blow = self._try(book, phase, share * expected, options)
            if blow:
                self.tally[blow.phase] += 1
                self.blows.append(blow)
                self.note(f"seed {SEED}, {phase} {point}: {blow}")
            if blow and blow.phase == phase:
                return blow
            # It was over sooner than expected.
            if undo:
                undo()
            expected /= 2
            self.seconds[phase] = expected
        raise AssertionError(f"{phase} was not met:\n{(self.home / 'output').read_text(encoding='utf-8')}")

    def came_through(self) -> None:
        """What was killed in this test has come to its end, and was found whole."""
        self.converged.update(blow.phase for blow in self.blows)
        self.blows.clear()

    def _try(self, book: Path | str, phase: str, moment: float, options: str) -> Blow | None:
        """Kills when the run has been in the phase for so long, or is past it."""
        self.journal.unlink(missing_ok=True)
        process = self.start(book, options)
        while process.poll() is None:
            entries = self.entries()
            spans = phases(entries, book)
            spent = [end - began for name, began, end in spans if name == phase]
            past = bool(spans) and _ORDER.get(spans[-1][0], 0) > _ORDER[phase]
            if (spent and sum(spent) >= moment and spans[-1][0] == phase) or past:
                number = kill_family(process.pid)
                process.wait()
                task = [entry["task"] for entry in entries if "task" in entry][-1]
                return Blow(spans[-1][0], task, sum(spent), number)
            time.sleep(0.005)
        return None

    def _learn(self, book: Path | str) -> None:
        """From phases in which something was done."""
        entries = self.entries()
        took: Counter[str] = Counter()
        for phase, began, end in phases(entries, book):
            if any("changed" in entry and began <= entry["at"] <= end for entry in entries):
                took[phase] += end - began  # type: ignore[assignment]
        self.seconds.update({phase: seconds for phase, seconds in took.items() if phase in SECONDS})


def _things(entry: Entry) -> list[str]:
    if entry["role"] in PARTS:
        return [entry["role"]]
    if entry["action"].endswith(".kubeconfig"):
        return ["kubeconfig"]
    return entry["what"] or [entry["changed"]]


def phases(entries: list[Entry], book: Path | str) -> list[tuple[str, float, float]]:
    """(phase, when it began, when it ended or now), in the order in which they came."""
    if not entries:
        return []
    found: list[tuple[str, float]] = [("beginning", entries[0]["at"])]
    for entry in entries:
        if "task" not in entry:
            continue
        name = phase_of(entry, Path(book).stem)
        if name == "apply" and not any(one == "keys" for one, _began in found):
            name = "keys"  # the namespace, which comes before them
        if name and name != found[-1][0]:
            found.append((name, entry["at"]))
    ends = [*(began for _name, began in found[1:]), time.time()]
    return [(name, began, end) for (name, began), end in zip(found, ends, strict=True)]


def phase_of(entry: Entry, book: str) -> str | None:
    """None: it belongs to what came before it."""
    action = entry["action"].rsplit(".", 1)[-1]
    looks = entry["task"].rpartition(" : ")[2].startswith("See ")
    if action == _VERBS.get(book):
        return None if looks else book
    if action == "cometbft_roll" and looks:
        return None
    if book == "destroy_cluster":
        return "destroy-cluster" if entry["role"] in ("machines", "minikube") or action == "kubeconfig" else None
    return _ACTIONS.get(action) if entry["role"] == "cometbft" else _ROLES.get(entry["role"])


def kill_family(pid: int) -> int:
    """A process and all that descend from it, none of which can start another meanwhile."""
    stopped: set[int] = set()
    while new := family(pid) - stopped:
        for one in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        stopped |= new
    for one in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    until = time.monotonic() + 10
    while any(map(lives, stopped)) and time.monotonic() < until:
        time.sleep(0.01)
    return len(stopped)


def lives(pid: int) -> bool:
    """What nobody has waited for yet does not."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def family(pid: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in brackets may hold blanks and brackets.
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    members = {pid}
    while more := {one for one, parent in parents.items() if parent in members} - members:
        members |= more
    return members
