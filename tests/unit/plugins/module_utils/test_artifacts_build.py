# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs here are real commands of a shell."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import (
    METADATA,
    Builder,
    BuildError,
    Job,
    Progress,
    Stored,
    Work,
    content_key,
    stored,
)


def shell(name: str, script: str, needs: Sequence[str] = (), files: Sequence[str] = ("out",)) -> Job:
    def run(work: Work) -> None:
        work.call(["sh", "-c", script], cwd=work.folder)

    return Job(name, f"{name} v1", content_key(script), tuple(files), run, tuple(needs))


def build(cache: Path, jobs: Sequence[Job], workers: int = 2) -> tuple[list[str], list[Progress]]:
    reports: list[Progress] = []
    builder = Builder(cache, jobs)
    return builder.run(builder.pending([job.name for job in jobs]), workers, {}, reports.append), reports


def found(cache: Path, job: Job) -> Stored:
    result = stored(cache, job)
    assert result is not None
    return result


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")


def wait_for(path: Path) -> str:
    end = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)
    return path.read_text().strip()


def gone(pid: int) -> bool:
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_builds_once(tmp_path: Path) -> None:
    job = shell("a", "echo hello > out")
    assert build(tmp_path, [job])[0] == ["a"]
    result = found(tmp_path, job)
    assert (result.folder / "out").read_text() == "hello\n"
    assert result.sha256["out"] == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["a", job.key, METADATA, "build.log", "out"])

    before = (result.folder / "out").stat().st_mtime_ns
    assert build(tmp_path, [job])[0] == []
    assert (result.folder / "out").stat().st_mtime_ns == before


def test_the_newest_results_are_kept(tmp_path: Path) -> None:
    for number in range(4):
        job = dataclasses.replace(shell("a", f"echo {number} > out"), keeps=2)
        build(tmp_path, [job])
        os.utime(found(tmp_path, job).folder / METADATA, (number, number))
    texts = {path.read_text() for path in tmp_path.glob("a/*/out")}
    assert texts == {"2\n", "3\n"}


def test_runs_after_what_it_needs(tmp_path: Path) -> None:
    log = tmp_path / "order"
    jobs = [
        shell("c", f"echo c >> {log}; touch out", needs=["a", "b"]),
        shell("b", f"echo b >> {log}; touch out", needs=["a"]),
        shell("a", f"sleep 0.1; echo a >> {log}; touch out"),
    ]
    built, reports = build(tmp_path / "cache", jobs)
    assert log.read_text().split() == built == ["a", "b", "c"]
    assert (reports[-1].done, reports[-1].total, reports[-1].running) == (3, 3, ())
    assert {report.running for report in reports} >= {("b v1",), ("c v1",)}


def test_runs_side_by_side(tmp_path: Path) -> None:
    # Each waits for the other: one after the other they would never end.
    wait = "n=0; until [ -e {dir}/{other} ]; do sleep 0.01; n=$((n+1)); [ $n -lt 500 ] || exit 1; done"
    meet = f"touch {{dir}}/{{me}}; {wait}; touch out"
    jobs = [
        shell("a", meet.format(dir=tmp_path, me="a", other="b")),
        shell("b", meet.format(dir=tmp_path, me="b", other="a")),
    ]
    assert sorted(build(tmp_path / "cache", jobs)[0]) == ["a", "b"]


def test_needs_only_what_is_missing(tmp_path: Path) -> None:
    part, whole = shell("part", "touch out"), shell("whole", "touch out", needs=["part"])
    build(tmp_path, [part, whole])
    shutil.rmtree(tmp_path / "part")
    builder = Builder(tmp_path, [part, whole])
    assert builder.pending(["whole"]) == []
    shutil.rmtree(tmp_path / "whole")
    assert [job.name for job in builder.pending(["whole"])] == ["part", "whole"]


@pytest.mark.parametrize("damage", ["truncate", "remove", "metadata"])
def test_a_damaged_result_is_built_again(tmp_path: Path, damage: str) -> None:
    job = shell("a", "echo hello > out")
    build(tmp_path, [job])
    folder = job.folder(tmp_path)
    if damage == "truncate":
        (folder / "out").write_text("hel")
    elif damage == "remove":
        (folder / "out").unlink()
    else:
        (folder / METADATA).write_text('{"files": ')
    assert build(tmp_path, [job])[0] == ["a"]
    assert (folder / "out").read_text() == "hello\n"


def test_what_is_mounted_in_a_leftover_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the host's, as /dev/shm in a root file system that somebody was killed over."""
    job = shell("one", "echo 1 > out")
    mounted = tmp_path / "one" / "older.tmp" / "tree" / "dev" / "shm"
    mounted.mkdir(parents=True)
    (mounted / "theirs").write_text("x", encoding="utf-8")
    (mounted.parent / "fd").symlink_to("/proc/self/fd")  # which is mounted, but not here
    monkeypatch.setattr(Path, "is_mount", lambda path: path == mounted)
    with pytest.raises(BuildError, match=r"older\.tmp: .*/dev/shm is mounted"):
        build(tmp_path, [job])
    assert (mounted / "theirs").exists()
    monkeypatch.setattr(Path, "is_mount", lambda _path: False)
    assert build(tmp_path, [job])[0] == ["one"]
    assert not mounted.exists()


def test_a_leftover_of_an_interrupted_run_is_replaced(tmp_path: Path) -> None:
    job = shell("a", "ls > out")
    part = tmp_path / "a" / f"{job.key}.part"
    part.mkdir(parents=True)
    (part / "half").write_text("of an older run")
    older = part.with_name("olderkey.part")
    older.mkdir()
    assert stored(tmp_path, job) is None
    assert build(tmp_path, [job])[0] == ["a"]
    assert (job.folder(tmp_path) / "out").read_text() == "out\n"
    assert not part.exists()
    assert not older.exists()


def test_a_failure_is_told_and_stops_the_others(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    jobs = [
        shell("slow", f"sleep 60 & echo $! > {pid}; wait; touch out"),
        shell("good", "echo kept > out"),
        shell(
            "bad",
            f"cat out 2>/dev/null; until [ -s {pid} ]; do sleep 0.01; done; echo first; echo the reason >&2; exit 3",
            ["good"],
        ),
    ]
    start = time.monotonic()
    with pytest.raises(BuildError) as caught:
        build(tmp_path / "cache", jobs)
    assert time.monotonic() - start < 30
    text = str(caught.value)
    log = tmp_path / "cache" / "bad" / f"{jobs[2].key}.log"
    assert text.startswith("Building bad v1: sh failed with code 3\n  first\n  the reason\n")
    assert str(log) in text
    assert caught.value.result["hint"].startswith("read the log; then run the same command again")
    assert caught.value.result["log"] == str(log)
    assert "the reason" in log.read_text()
    assert gone(int(pid.read_text())), "a grandchild of the job that was stopped still runs"
    assert found(tmp_path / "cache", jobs[1])
    assert stored(tmp_path / "cache", jobs[0]) is None
    assert list((tmp_path / "cache").rglob("*.part")) == []


@pytest.mark.parametrize(
    ("printed", "advice"),
    [
        ('example.org/x@v1: Get "https://proxy.example/x": dial tcp: lookup proxy.example: no such host', "GOPROXY"),
        ("go: example.org/x@v1: reading https://proxy.example/x/@v/v1.zip: 403 Forbidden", "GOPROXY"),
        ("link: write /tmp/x: no space left on device", "disk space"),
        ("compile: signal: killed", "artifacts_jobs"),
        ("verifying module: checksum mismatch", "go clean -modcache"),
        ("E: Failed to fetch http://mirror.example/x  Could not connect to mirror.example", "apt sources"),
        ("main.go:3: undefined: x", "read the log"),
    ],
)
def test_a_failure_says_what_to_do(tmp_path: Path, printed: str, advice: str) -> None:
    with pytest.raises(BuildError) as caught:
        build(tmp_path, [shell("a", f"echo '{printed}'; exit 1")])
    assert advice in caught.value.result["hint"]


def test_a_result_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    job = shell("a", "touch out", files=["out", "other"])
    with pytest.raises(BuildError, match="Building a v1: it did not leave other"):
        build(tmp_path, [job])
    assert stored(tmp_path, job) is None


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    def run(work: Work) -> None:
        work.call(["/nowhere/go", "build"])

    # Without setpriv in front, as on macOS, it is Python that does not find it.
    with pytest.raises(BuildError, match="Building a v1: "):
        build(tmp_path, [Job("a", "a v1", "k", ("out",), run)])


def test_waits_for_another_run_and_takes_its_result(tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = shell("a", f"echo run >> {count}; echo mine > out")
    folder = tmp_path / "cache" / "a"
    folder.mkdir(parents=True)
    holder = os.open(folder, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    answers: list[list[str]] = []
    waiter = threading.Thread(target=lambda: answers.append(build(tmp_path / "cache", [job])[0]))
    waiter.start()
    time.sleep(0.1)
    assert waiter.is_alive()
    theirs = job.folder(tmp_path / "cache")
    theirs.mkdir()
    (theirs / "out").write_text("theirs")
    (theirs / METADATA).write_text(json.dumps({"seconds": 1, "files": {"out": {"sha256": "0" * 64, "size": 6}}}))
    os.close(holder)
    waiter.join(5)
    assert answers == [[]]
    assert (theirs / "out").read_text() == "theirs"
    assert not count.exists()


def test_two_runs_at_once_do_the_work_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = shell("a", f"echo run >> {count}; sleep 0.2; echo x > out")
    answers: list[list[str]] = []
    runs = [threading.Thread(target=lambda: answers.append(build(tmp_path / "cache", [job])[0])) for _time in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(10)
    assert sorted(answers) == [[], [], ["a"]]
    assert count.read_text() == "run\n"


def test_temporary_files_lie_in_the_cache(tmp_path: Path) -> None:
    job = shell("a", 'touch "$TMPDIR/x" "$GOTMPDIR/y"; ls "$TMPDIR" > out; echo "$TMPDIR" >> out')
    build(tmp_path / "cache", [job])
    names = (found(tmp_path / "cache", job).folder / "out").read_text().split()
    assert names[:2] == ["x", "y"]
    assert Path(names[2]).parent == tmp_path / "cache" / "a"
    assert not Path(names[2]).exists()


def test_what_outlives_a_killed_run_is_waited_for(tmp_path: Path) -> None:
    """A grandchild that nobody could end holds the lock."""
    pid = tmp_path / "pid"
    script = f"trap '' TERM; sleep 1 & echo $! > {pid}; wait"
    code = KILLED.format(root=collections_root(), cache=str(tmp_path / "cache"), script=script)
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    child = int(wait_for(pid))
    process.kill()
    process.wait(10)
    assert alive(child)
    job = Job("a", "a v1", "key", ("out",), lambda work: work.call(["touch", work.folder / "out"]))
    assert build(tmp_path / "cache", [job])[0] == ["a"]
    assert not alive(child)


KILLED = """
import sys
from pathlib import Path
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[{root!r}])._install()
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, Job
job = Job("a", "a v1", "key", ("out",), lambda work: work.call(["sh", "-c", {script!r}], cwd=work.folder))
Builder(Path({cache!r}), [job]).run([job], 1, {{}}, lambda progress: None)
"""


def collections_root() -> str:
    import ansible_collections.mintnet.kubernetes.plugins.module_utils._build as module

    assert module.__file__
    return str(Path(module.__file__).parents[5])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_no_process_and_nothing_finished(tmp_path: Path, number: signal.Signals) -> None:
    if number == signal.SIGKILL and not shutil.which("setpriv"):
        pytest.skip("only Linux ends the children of a killed process")
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; exec sleep 60"
    code = KILLED.format(root=collections_root(), cache=str(tmp_path / "cache"), script=script)
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    child = int(wait_for(pid))
    assert alive(child)
    process.send_signal(number)
    assert process.wait(10) != 0
    assert gone(child)
    job = Job("a", "a v1", "key", ("out",), lambda work: work.call(["touch", work.folder / "out"]))
    assert stored(tmp_path / "cache", job) is None
    assert build(tmp_path / "cache", [job])[0] == ["a"]
    assert [path.name for path in (tmp_path / "cache" / "a").iterdir()] == ["key"]
