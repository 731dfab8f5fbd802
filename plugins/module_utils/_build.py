# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs jobs that depend on one another, side by side, and keeps what they leave in a cache that is keyed by content.

A job's result is CACHE/NAME/KEY/, written beside it as KEY.part and renamed when it is whole, under a lock of the
folder CACHE/NAME: so an interrupted run leaves nothing that looks finished, and a second run waits instead of doing
the work again. What a killed run has left (KEY.part, KEY.tmp, KEY.log) is cleared by the next, but for the draft of a
job that resumes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

METADATA = "artifact.json"
POLL = 0.2
GRACE = 10.0
TELLING_LINES = 6

# What a log says of a cause outside the job, and what to do then.
HINTS = (
    (r"no space left on device", "free some disk space"),
    (r"signal: killed|cannot allocate memory", "memory was short: lower artifacts_jobs, or free some memory"),
    (
        r"SECURITY ERROR|checksum mismatch",
        "what the Go module proxy served is not what the role pins: check GOPROXY, then 'go clean -modcache'",
    ),
    (
        r"No matching distribution found",
        "the Python package index was not reached, or does not have it: check pip's settings, or install Go yourself",
    ),
    (
        r"Temporary failure resolving|Could not connect to|Failed to fetch|Unable to connect to",
        "the Debian mirror was not reached: check the network and the host's apt sources",
    ),
    (
        r"Go module proxy .* no answer|GOPROXY=off|GOPROXY list is not|dial tcp|no such host|proxyconnect|TLS handshake"
        r"|i/o timeout|(reading|Get) \"?https?://",
        "the Go module proxy was not reached, or refused: check the network, or name a proxy in the variable GOPROXY",
    ),
)


class BuildError(MintnetError):
    """A job failed; the message has the cause and the telling end of its log, the hint says what to do."""


class Stopped(Exception):
    """The job was ended because the run ends."""


class _Interrupted(BaseException):
    """A signal asks this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True)
class Job:
    """One piece of work; ``key`` stands for all that its result depends on.

    A job that ``resumes`` goes on with what an earlier run has left in its folder; ``doing`` is for messages. Results
    older than the last ``keeps`` are removed, where it is not 0.
    """

    name: str
    label: str
    key: str
    files: tuple[str, ...]
    run: Callable[[Work], None] = field(compare=False)
    needs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    megabytes: int = 0
    doing: str = "Building"
    resumes: bool = False
    keeps: int = 0

    def folder(self, cache: Path) -> Path:
        return cache / self.name / self.key


@dataclass(frozen=True)
class Stored:
    """What the cache has of a job."""

    folder: Path
    sha256: Mapping[str, str]
    seconds: float


@dataclass(frozen=True)
class Progress:
    done: int
    total: int
    running: tuple[str, ...]
    seconds: float


def clear(folder: Path) -> None:
    """Remove what a killed run has left, and nothing of what is mounted in it."""
    for place, names, _files_there in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if path.is_mount() and not path.is_symlink():
                raise BuildError(f"Clearing {folder}: {path} is mounted", hint=f"umount {path}, and run the same again")
    shutil.rmtree(folder, ignore_errors=True)


def content_key(value: object) -> str:
    """A key that is the same for the same content; paths are not content, bytes are."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def stored(cache: Path, job: Job) -> Stored | None:
    """What is in the cache, if it is whole; sizes stand for content, since hashing all of it takes seconds."""
    folder = job.folder(cache)
    try:
        data = json.loads((folder / METADATA).read_text())
        if all((folder / name).stat().st_size == data["files"][name]["size"] for name in job.files):
            return Stored(folder, {name: data["files"][name]["sha256"] for name in job.files}, data["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


class Work:
    """Where a job works: what it leaves in ``folder`` is its result, and nothing stays of ``scratch``. Its commands end
    with the run.
    """

    def __init__(
        self, folder: Path, log: IO[bytes], tools: Mapping[str, str], processes: _Processes, scratch: Path, lock: int
    ) -> None:
        self.folder = folder
        self.tools = tools
        self._log = log
        self.scratch = scratch
        self._lock = lock
        self._processes = processes

    def note(self, text: str) -> None:
        """Keep a line in the job's log."""
        self._log.write(f"{text}\n".encode())
        self._log.flush()

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the run lasts."""
        if self._processes.stopped.wait(seconds):
            raise Stopped

    def call(self, argv: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Run a command; what it prints goes to the job's log."""
        command = [str(word) for word in argv]
        self.note(f"$ {' '.join(command)}")
        # Compilers fill this with gigabytes, which stay when they are killed: so it lies where the next run clears it.
        temporary = dict.fromkeys(("TMPDIR", "GOTMPDIR"), str(self.scratch))
        # They inherit the lock: what outlives a killed run is waited for before anybody begins anew.
        code = self._processes.run(command, cwd, {**os.environ, **temporary, **(env or {})}, self._log, self._lock)
        if code:
            how = f"was ended by signal {-code}" if code < 0 else f"failed with code {code}"
            raise BuildError(f"{Path(command[0]).name} {how}")


class _Processes:
    """The child processes of a run, each with a process group of its own: all that it started can be ended with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped = threading.Event()
        # A killed run cannot end its children: the kernel does, where it can.
        setpriv = shutil.which("setpriv")
        self._prefix = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []

    def run(self, argv: list[str], cwd: Path | None, env: Mapping[str, str], log: IO[bytes], lock: int) -> int:
        with self._lock:
            if self.stopped.is_set():
                raise Stopped
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                self._prefix + argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock,),
            )
            self._running.add(process)
        try:
            code = process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
        if self.stopped.is_set():
            raise Stopped
        return code

    def stop(self) -> None:
        with self._lock:
            self.stopped.set()
            running = list(self._running)
        for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 1.0)):
            for process in running:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)
            end = time.monotonic() + seconds
            while any(process.returncode is None for process in running) and time.monotonic() < end:
                time.sleep(0.05)


class Builder:
    """Runs the jobs that the cache does not have."""

    def __init__(self, cache: Path, jobs: Sequence[Job]) -> None:
        self._cache = cache
        self._jobs = {job.name: job for job in jobs}
        self._tools: Mapping[str, str] = {}
        self._processes = _Processes()

    def pending(self, goals: Iterable[str]) -> list[Job]:
        """What is to be run for these jobs, in the order of the jobs; what only finished jobs need is left alone."""
        found: set[str] = set()
        names = list(goals)
        while names:
            name = names.pop()
            if name not in found and stored(self._cache, self._jobs[name]) is None:
                found.add(name)
                names += self._jobs[name].needs
        return [job for job in self._jobs.values() if job.name in found]

    def run(
        self, pending: Sequence[Job], workers: int, tools: Mapping[str, str], report: Callable[[Progress], None]
    ) -> list[str]:
        """Run jobs, each after those that it needs; returns what this run has built (another may have been faster)."""
        self._tools = tools
        waiting = {job.name: job for job in pending}
        total, built, done, start = len(waiting), list[str](), 0, time.monotonic()
        futures: dict[Future[bool], Job] = {}

        def tell() -> None:
            labels = tuple(job.label for job in futures.values())
            report(Progress(done, total, labels, time.monotonic() - start))

        parent = os.getppid()
        with _unwinding_on_signals(), ThreadPoolExecutor(workers) as pool:
            try:
                while waiting or futures:
                    unfinished = {*waiting, *(job.name for job in futures.values())}
                    ready = [job for job in waiting.values() if unfinished.isdisjoint(job.needs)]
                    for job in ready[: workers - len(futures)]:
                        futures[pool.submit(self._build, job)] = waiting.pop(job.name)
                    tell()
                    if os.getppid() != parent:
                        # Whoever wanted this was killed.
                        raise Stopped
                    finished, _rest = wait(futures, timeout=1, return_when=FIRST_COMPLETED)
                    for future in finished:
                        job = futures.pop(future)
                        if future.result():
                            built.append(job.name)
                        done += 1
                tell()
            finally:
                # On success there is nothing to stop; else the pool would wait for jobs that nobody needs any more.
                self._processes.stop()
        return built

    def _build(self, job: Job) -> bool:
        folder = job.folder(self._cache)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(folder.parent) as lock:
            if stored(self._cache, job) is not None:
                return False
            part, scratch, log = (folder.with_name(f"{job.key}.{kind}") for kind in ("part", "tmp", "log"))
            leftovers = {*folder.parent.glob("*.part"), *folder.parent.glob("*.tmp"), folder}
            for leftover in leftovers - ({part} if job.resumes else set()):
                clear(leftover)
            for leftover in folder.parent.glob("*.log"):
                leftover.unlink()
            part.mkdir(exist_ok=job.resumes)
            scratch.mkdir()
            start = time.monotonic()
            try:
                with log.open("wb") as file:
                    job.run(Work(part, file, self._tools, self._processes, scratch, lock))
                self._store(job, part, time.monotonic() - start)
            except (MintnetError, OSError) as exc:
                abandon(job, part)
                raise failure(job, exc, log) from exc
            except Stopped:
                abandon(job, part)
                raise
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            log.rename(part / "build.log")
            part.rename(folder)
            if job.keeps:
                results = sorted(folder.parent.glob(f"*/{METADATA}"), key=lambda path: path.stat().st_mtime)
                for old in results[: -job.keeps]:
                    clear(old.parent)
            return True

    def _store(self, job: Job, part: Path, seconds: float) -> None:
        files = {}
        for name in job.files:
            path = part / name
            if not path.is_file():
                raise BuildError(f"it did not leave {name}")
            files[name] = {"sha256": _files.sha256(path), "size": path.stat().st_size}
        metadata = {"label": job.label, "seconds": round(seconds, 1), "files": files}
        (part / METADATA).write_text(json.dumps(metadata, indent=1) + "\n")

    @contextlib.contextmanager
    def _locked(self, folder: Path) -> Iterator[int]:
        # The kernel gives a lock back when all who hold it are dead, so it cannot be left over.
        handle = os.open(folder, os.O_RDONLY)
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._processes.stopped.wait(POLL):
                        raise Stopped from None
            yield handle
        finally:
            os.close(handle)


@contextlib.contextmanager
def _unwinding_on_signals() -> Iterator[None]:
    """Lets a signal end the children first, and then do what it would have done (Ansible's worker ends at once)."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def unwind(number: int, _frame: object) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise _Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, unwind) for number in numbers}

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    try:
        yield
    except _Interrupted as exc:
        restore()
        os.kill(os.getpid(), exc.number)
        raise Stopped from exc
    finally:
        restore()


def abandon(job: Job, part: Path) -> None:
    """Leave nothing of an unfinished job but what the next run goes on with."""
    if not job.resumes:
        shutil.rmtree(part, ignore_errors=True)
    with contextlib.suppress(OSError):
        part.rmdir()


def failure(job: Job, cause: Exception, log: Path) -> BuildError:
    """The error that the user sees of a job."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [
        line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith(("go: downloading", "$ "))
    ]
    said = text + str(cause)
    hint = next((advice for pattern, advice in HINTS if re.search(pattern, said, re.IGNORECASE)), "read the log")
    if isinstance(cause, MintnetError) and "hint" in cause.result:  # it explains itself
        hint, lines = cause.result["hint"], []
    tail = "".join(f"\n  {line[:300]}" for line in lines[-TELLING_LINES:])
    return BuildError(
        f"{job.doing} {job.label}: {cause}{tail}\nThe whole log: {log}",
        log=str(log),
        hint=f"{hint}; then run the same command again: what was built so far is kept",
    )
