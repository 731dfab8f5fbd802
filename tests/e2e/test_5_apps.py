# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications beside their nodes: the examples as their READMEs say, over each transport, and when they die."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from crash import kill
from readme import blocks, in_pod, make
from surroundings import User

pytestmark = pytest.mark.usefixtures("cluster")
COUNTER = "counter"


def count(user: User, node: str) -> int:
    answer = user.rpc(node, "abci_query?path=%22/count%22", COUNTER)["response"]
    return int(base64.b64decode(answer["value"]))


def restarts(user: User, node: str, container: str) -> int:
    (status,) = [
        item for item in user.get(f"pod {node}", COUNTER)["status"]["containerStatuses"] if item["name"] == container
    ]
    return int(status["restartCount"])


def survives(user: User, folder: Path, times: int = 1) -> None:
    """The application of one node is killed, and both come back by themselves; what was counted is on the volume."""
    number = count(user, "tm-0")
    for _time in range(times):
        before = restarts(user, "tm-2", "app")
        kill(user, "tm-2", "counter.py")
        # Read now, so that nothing counts which its node had made before.
        height = max(user.height(node, COUNTER) for node in ("tm-0", "tm-1"))
        # The kubelet lets one wait that ends again and again.
        seconds = user.wait("tm-2 goes on", lambda: user.height("tm-2", COUNTER) > height + 1, 300)  # noqa: B023
        user.note(f"application killed to next block of its node: {seconds:.1f} s")
        assert restarts(user, "tm-2", "app") > before
    user.run(f"make tx TX={number}", folder)
    user.agree(COUNTER)
    user.wait("all have counted it", lambda: {count(user, node) for node in user.nodes(COUNTER)} == {number + 1})
    user.kubectl(f"-n {COUNTER} exec tm-2 -c tm -- sh -c 'test -s /cometbft/data/app/counter.json'")
    user.nobody_signed_twice(COUNTER)


@pytest.fixture(scope="module")
def counter(clone: Path) -> Path:
    return clone / "examples" / "counter"


def test_counter_over_a_unix_socket(user: User, clone: Path, counter: Path) -> None:
    """As its README begins."""
    began = len(user.runs)
    make(user, clone, COUNTER, blocks(clone, COUNTER)[0])
    output = "\n".join(run.output for run in user.runs[began:])
    assert re.search(r"localhost/mintnet/app:[0-9a-f]{12} over unix|built from examples/counter over unix", output)
    assert "listening on unix:///socks/app.sock" in output
    user.wait("all have counted", lambda: {count(user, node) for node in user.nodes(COUNTER)} == {2})
    assert re.search(r"tm-0 .* running ", user.run("make status", counter).output)


def test_nothing_is_done_again(user: User, counter: Path) -> None:
    before = user.pods(COUNTER)
    assert user.run("make create", counter).changed == 0
    assert user.pods(COUNTER) == before


def test_unix_application_that_ends(user: User, counter: Path) -> None:
    survives(user, counter)


@pytest.mark.long
def test_another_program_goes_from_node_to_node(user: User, counter: Path) -> None:
    program = counter / "counter.py"
    text = program.read_text(encoding="utf-8")
    program.write_text(text.replace('data="counter"', 'data="counter 2"'), encoding="utf-8")
    first = user.height("tm-0", COUNTER)
    run = user.run("make create", counter)
    assert run.changed
    for node in user.nodes(COUNTER):
        assert user.rpc(node, "abci_info", COUNTER)["response"]["data"] == "counter 2"
    user.note(f"longest gap while the image was rolled: {user.longest_gap(first, COUNTER):.1f} s")
    user.run("make tx TX=3", counter)


@pytest.mark.long
def test_a_new_chain_with_the_same_image(user: User, counter: Path) -> None:
    user.run("make reset CONFIRM=yes", counter)
    assert {count(user, node) for node in user.nodes(COUNTER)} == {0}
    user.run("make tx TX=0", counter)


@pytest.mark.long
def test_other_transports(user: User, clone: Path, counter: Path) -> None:
    """As its README goes on: in place from the unix socket to TCP, and then, with a chain of its own, to gRPC."""
    user.run("make create", counter)
    counted = count(user, "tm-0")
    tcp, *others = blocks(clone, COUNTER)[1]
    make(user, clone, COUNTER, [tcp])
    assert {count(user, node) for node in user.nodes(COUNTER)} == {counted}
    assert "listening on tcp://127.0.0.1:26658" in user.run("make logs NODE=tm-0 CONTAINER=app", counter).output
    survives(user, counter, times=2)
    make(user, clone, COUNTER, others)
    assert {count(user, node) for node in user.nodes(COUNTER)} == {0}
    survives(user, counter)


def test_counter_goes(user: User, counter: Path) -> None:
    user.run("make destroy CONFIRM=yes", counter)


@pytest.mark.long
def test_kvstore_keeps_what_is_sent(user: User, clone: Path) -> None:
    """Its README's commands, one after the other."""
    (lines,) = blocks(clone, "kvstore")
    make(user, clone, "kvstore", lines)
    assert user.read("tm-1", "name", "kvstore") == "satoshi"
    user.run("make destroy CONFIRM=yes", clone / "examples" / "kvstore")


@pytest.mark.long
def test_basecoin_moves_coins(user: User, clone: Path) -> None:
    """Its README's commands, one after the other."""
    creation, use = blocks(clone, "basecoin")
    make(user, clone, "basecoin", creation)
    shell, *lines = [line.partition("  #")[0].strip() for line in use]
    bob = in_pod(user, shell, lines[:3]).splitlines()[-1].strip()
    assert re.fullmatch("[0-9A-F]{40}", bob)
    in_pod(user, shell, [lines[0], lines[3].replace("BOBS-ADDRESS", bob)])
    balance = [lines[0], lines[4].replace("BOBS-ADDRESS", bob)]
    user.wait("another node has it, too", lambda: "10 coins, 0 transfers made" in in_pod(user, shell, balance))
    user.agree("basecoin")
    user.run("make destroy CONFIRM=yes", clone / "examples" / "basecoin")


@pytest.mark.long
def test_from_make_new_to_a_container_of_ones_own(user: User, clone: Path) -> None:
    """As the guide of applications begins, for a newcomer who has no application yet."""
    guide = (clone / "docs" / "docsite" / "rst" / "guide_app.rst").read_text(encoding="utf-8")
    begins = guide[: guide.index("What the application finds")]
    (copy,) = re.findall(r"``(cp -r [^`]+)``", begins)
    (build,) = re.findall(r"^   (cometbft_app_build: .*base.*)$", begins, re.MULTILINE)
    commands = re.findall(r"^   (make .*?)(?: +#.*)?$", begins, re.MULTILINE)
    assert commands[0] == "make new NAME=myapp"
    user.run(commands[0], clone)
    user.run(copy, clone)
    file = clone / "myapp.yml"
    text = file.read_text(encoding="utf-8").replace('cometbft_app_image: "YOUR_APP:TAG"', build)
    assert build in text
    file.write_text(text, encoding="utf-8")
    output = [user.run(command, clone).output for command in commands[1:]]
    assert "listening on" in output[-1]
    assert "height" in user.run("make tx NETWORK=myapp.yml TX=0", clone).output
    user.agree("myapp")
    refused = user.run("make new NAME=myapp", clone, code=None)
    assert refused.code
    assert "is left as it is" in " ".join(refused.output.split())
    assert file.read_text(encoding="utf-8") == text
    user.run("make destroy NETWORK=myapp.yml CONFIRM=yes", clone)
