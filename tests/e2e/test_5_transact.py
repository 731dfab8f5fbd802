# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that is watched, and that many transactions are sent to from inside it."""

from __future__ import annotations

import base64
import fcntl
import itertools
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from surroundings import User, traces

NAME = "transact"
NODES = ["tm-0", "tm-1", "tm-2", "tm-3"]
SLOW = "-e cometbft_transact_count=300 -e cometbft_transact_rate=2"


@pytest.fixture(scope="module")
def file(user: User, clone: Path, cluster: None) -> Iterator[str]:
    """A network of its own; gives make's argument for it."""
    path = user.home / f"{NAME}.yml"
    path.write_text(yaml.safe_dump({"cometbft_network": NAME, "cometbft_ephemeral": True}), encoding="utf-8")
    user.run(f"make create NETWORK={path}", clone)
    yield f"NETWORK={path}"
    # The last test has removed it with the cluster.
    user.run(f"make destroy NETWORK={path} CONFIRM=yes", clone, code=None)


def txs(user: User, first: int) -> dict[int, list[str]]:
    """Every transaction from a height on, as the chain has it."""
    return {
        int(block["header"]["height"]): [base64.b64decode(tx).decode() for tx in block["data"]["txs"] or []]
        for block in user.blocks(first=first, namespace=NAME)
    }


def senders(user: User) -> list[str]:
    return [item["metadata"]["name"] for item in user.get("jobs,pods -l app.kubernetes.io/component=transact", NAME)]


def kill(user: User) -> None:
    """The play with its workers, which have process groups of their own."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            if "playbooks/transact.yml" in line and str(user.home) in line:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:  # it has ended meanwhile
            continue


def start(user: User, clone: Path, file: str) -> subprocess.Popen[bytes]:
    """A run that would take minutes; it is there when its pod sends."""
    command = ["make", "transact", file, f"ARGS={SLOW}"]
    process = subprocess.Popen(command, cwd=clone, env=user.environment, stdout=subprocess.DEVNULL)
    user.wait("the sender runs", lambda: len(sent_now(user)) >= 2, 60)
    return process


def sent_now(user: User) -> list[str]:
    names = [pod["metadata"]["name"] for pod in user.get("pods -l app.kubernetes.io/component=transact", NAME)]
    logs = [user.kubectl(f"-n {NAME} logs {name}", code=None).output for name in names]
    return [line for log in logs for line in log.splitlines() if line[:1].isdigit()]


# --- sending ---------------------------------------------------------------------------------------------------------


def test_check_run_says_what_it_would_send(user: User, clone: Path, file: str) -> None:
    before = user.objects(NAME), user.pods(NAME)
    run = user.run(f"make transact {file} ARGS=--check", clone)
    assert (
        "would send 100 × k{n}=v{n}-{run} with n from 1 · 10 a second at most · to tm-0, tm-1, tm-2, tm-3" in run.output
    )
    assert (user.objects(NAME), user.pods(NAME)) == before
    assert not senders(user)


def test_all_are_in_blocks_and_every_node_has_them(user: User, clone: Path, file: str) -> None:
    first, before = user.height("tm-0", NAME), (user.objects(NAME), user.pods(NAME))
    run = user.run(f"make transact {file}", clone)
    assert re.search(r"^transact +100 sent in 0:(09|1\d) · 100 accepted · 0 refused$", run.output, re.MULTILINE)
    assert re.search(r"^transact +\d+ of 100 sent$", run.output, re.MULTILINE)
    found = {height: sent for height, sent in txs(user, first).items() if sent}
    (line,) = [row for row in run.output.splitlines() if "by height: " in row]
    told = {int(height): int(count) for height, count in re.findall(r"(\d+) \((\d+)\)", line)}
    assert told == {height: len(sent) for height, sent in found.items() if height in told}
    assert len(told) == min(len(found), 12)
    every = list(itertools.chain.from_iterable(found.values()))
    (moment,) = {tx.partition("-")[2] for tx in every}
    assert sorted(every) == sorted(f"k{number}=v{number}-{moment}" for number in range(1, 101))
    for node in NODES:
        assert user.read(node, "k100", NAME) == f"v100-{moment}"
    assert (user.objects(NAME), user.pods(NAME)) == before
    assert not senders(user)


@pytest.mark.long
def test_a_second_run_is_no_duplicate_and_one_node_can_have_all(user: User, clone: Path, file: str) -> None:
    run = user.run(
        f"make transact {file} NODE=tm-2 ARGS='-e cometbft_transact_count=9 -e cometbft_transact_rate=50'", clone
    )
    assert re.search(r"9 × .* to tm-2$", run.output, re.MULTILINE)
    assert "9 accepted · 0 refused" in run.output


@pytest.mark.long
def test_refusals_are_told_in_the_words_of_who_refuses(user: User, clone: Path, file: str) -> None:
    few = "-e cometbft_transact_count=4"
    run = user.run(f"make transact {file} TX='{{n}}' ARGS='{few}'", clone, code=1)
    assert "none of 4 was accepted" in " ".join(run.output.split())
    same = f"make transact {file} TX='same{{n}}=v' NODE=tm-1"
    user.run(f"{same} ARGS='{few}'", clone)
    run = user.run(f"{same} ARGS='-e cometbft_transact_count=5'", clone)
    assert "1 accepted · 4 refused" in run.output
    assert "4 refused: tx already exists in cache; the first was number 1, by tm-1" in run.output
    run = user.run(f"make transact {file} NODE=tm-9", clone, code=1)
    assert "tm-9" in run.output
    assert not senders(user)


# --- a run that is killed --------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_sender_is_no_node_and_the_next_run_removes_what_a_killed_one_left(
    user: User, clone: Path, file: str
) -> None:
    process = start(user, clone, file)
    try:
        status = user.run(f"make status {file} QUERY='nodes[].name'", clone).output
        assert re.findall(r'^ +"([^"]+)",?$', status, re.MULTILINE) == NODES
        (budget,) = user.get("poddisruptionbudgets", NAME)
        assert budget["status"]["expectedPods"] == 4
        assert user.run(f"make create {file}", clone).changed == 0
    finally:
        kill(user)
        process.wait(timeout=30)
    assert len(senders(user)) == 2
    run = user.run(f"make transact {file} ARGS='-e cometbft_transact_count=5'", clone)
    assert "what an earlier run has left is removed" in run.output
    assert "5 accepted · 0 refused" in run.output
    assert not senders(user)


# --- watching --------------------------------------------------------------------------------------------------------


def test_without_a_terminal_each_height_is_a_table(user: User, clone: Path, file: str) -> None:
    run = user.run(f"make status {file} WATCH=yes ARGS='-e cometbft_seconds=8'", clone)
    heights = [int(height) for height in re.findall(r"^network .* height (\d+) ·", run.output, re.MULTILINE)]
    assert len(heights) >= 3
    assert heights == sorted(set(heights))
    assert len(
        re.findall(r"^blocks +one every \d\.\d\d s · \d+ transactions? in the newest \d+$", run.output, re.M)
    ) == len(heights)
    assert "\x1b" not in run.output
    assert 8 < run.seconds < 60


@pytest.mark.long
def test_watching_and_a_query_contradict_each_other(user: User, clone: Path, file: str) -> None:
    run = user.run(f"make status {file} WATCH=yes QUERY=nodes", clone, code=1)
    assert "cometbft_query = 'nodes': contradicts cometbft_watch" in " ".join(run.output.split())


@pytest.mark.long
def test_on_a_terminal_it_is_drawn_in_place_until_ctrl_c(user: User, clone: Path, file: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["make", "status", file, "WATCH=yes"],
        cwd=clone,
        env={**user.environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    before = termios.tcgetattr(theirs)
    output, pressed, ends = "", False, time.monotonic() + 60
    try:
        while time.monotonic() < ends and process.poll() is None:
            if select.select([ours], [], [], 0.5)[0]:
                output += os.read(ours, 65536).decode(errors="replace")
            if not pressed and output.count("\x1b[H") >= 4:
                os.write(ours, b"\x03")
                pressed = True
        code = process.wait(timeout=10)
    finally:
        process.kill()
        after = termios.tcgetattr(theirs)
        os.close(theirs)
        os.close(ours)
    print(output)
    assert pressed
    assert code == 0
    assert after == before
    assert "tm-3  validator" in output
    assert re.search(r"done +0:\d\d · changed 0", output)
    assert not re.search("Traceback|interrupt|rror", output)


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_destroy_takes_a_sender_along(user: User, clone: Path, file: str) -> None:
    process = start(user, clone, file)
    kill(user)
    process.wait(timeout=30)
    user.run(f"make destroy {file} CONFIRM=yes", clone)
    assert f"namespace/{NAME}\n" not in user.kubectl("get namespaces -o name").output


def test_the_cluster_of_these_files_goes(user: User, clone: Path) -> None:
    """It is needed no more, and takes its share of the processors."""
    user.run("make destroy-cluster CONFIRM=yes", clone)
    assert {kind: names for kind, names in traces(user).items() if names} == {}
