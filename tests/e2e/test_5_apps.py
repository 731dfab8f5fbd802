# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications beside their nodes: the examples as their READMEs say, over each transport, and when they die."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from surroundings import User

pytestmark = pytest.mark.usefixtures("cluster")
COUNTER = "counter"
PYTHON = "/venv/bin/python"


def count(user: User, node: str) -> int:
    answer = user.rpc(node, "abci_query?path=%22/count%22", COUNTER)["response"]
    return int(base64.b64decode(answer["value"]))


def restarts(user: User, node: str, container: str) -> int:
    (status,) = [
        item for item in user.get(f"pod {node}", COUNTER)["status"]["containerStatuses"] if item["name"] == container
    ]
    return int(status["restartCount"])


def kill(user: User, node: str) -> None:
    """Its application, as a crash would end it."""
    end = f"{PYTHON} -c 'import os, signal; os.kill(1, signal.SIGTERM)'"
    user.kubectl(f"-n {COUNTER} exec {node} -c app -- {end}")


def survives(user: User, folder: Path, number: int) -> None:
    """The application of one node ends, and both come back by themselves."""
    before = user.height("tm-1", COUNTER)
    kill(user, "tm-2")
    seconds = user.wait("tm-2 goes on", lambda: user.height("tm-2", COUNTER) > before + 1)
    user.note(f"application ended to next block of its node: {seconds:.1f} s")
    user.run(f"make tx TX={number}", folder)
    user.agree(COUNTER)
    user.wait("all have counted it", lambda: {count(user, node) for node in user.nodes(COUNTER)} == {number + 1})
    user.nobody_signed_twice(COUNTER)


@pytest.fixture(scope="module")
def counter(clone: Path) -> Path:
    return clone / "examples" / "counter"


def test_counter_over_a_unix_socket(user: User, counter: Path) -> None:
    run = user.run("make create", counter)
    assert re.search(r"localhost/mintnet/app:[0-9a-f]{12} over unix|built from examples/counter over unix", run.output)
    for number in (0, 1):
        user.run(f"make tx TX={number}", counter)
    refused = user.run("make tx TX=7", counter, code=1)
    assert "7 is too high, the next is 2" in " ".join(refused.output.split())
    user.wait("all have counted", lambda: {count(user, node) for node in user.nodes(COUNTER)} == {2})
    status = user.run("make status", counter).output
    assert re.search(r"tm-0 .* running ", status)
    assert "listening on unix:///socks/app.sock" in user.run("make logs NODE=tm-0 CONTAINER=app", counter).output


def test_nothing_is_done_again(user: User, counter: Path) -> None:
    before = user.pods(COUNTER)
    assert user.run("make create", counter).changed == 0
    assert user.pods(COUNTER) == before


def test_unix_application_that_ends(user: User, counter: Path) -> None:
    survives(user, counter, 2)


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
@pytest.mark.parametrize(("transport", "number"), [("tcp", 4), ("grpc", 5)])
def test_other_transports(user: User, counter: Path, transport: str, number: int) -> None:
    options = f"-e cometbft_app_transport={transport}"
    if transport == "grpc":
        options += ' -e "{cometbft_app_args: [--grpc]}"'
    user.run(f"make destroy CONFIRM=yes; make create ARGS='{options}'", counter)
    for earlier in range(number):
        user.run(f"make tx TX={earlier}", counter)
    survives(user, counter, number)


def test_counter_goes(user: User, counter: Path) -> None:
    user.run("make destroy CONFIRM=yes", counter)


@pytest.mark.long
def test_basecoin_moves_coins(user: User, clone: Path) -> None:
    """Its README's commands, one after the other."""
    folder = clone / "examples" / "basecoin"
    user.run("make create", folder)
    blocks = re.findall(r"```\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    shell, *lines = [line.partition("  #")[0].strip() for line in blocks[1].splitlines()]
    bob = client(user, shell, lines[:3]).splitlines()[-1].strip()
    assert re.fullmatch("[0-9A-F]{40}", bob)
    client(user, shell, [lines[0], lines[3].replace("BOBS-ADDRESS", bob)])
    balance = [lines[0], lines[4].replace("BOBS-ADDRESS", bob)]
    user.wait("another node has it, too", lambda: "10 coins, 0 transfers made" in client(user, shell, balance))
    user.agree("basecoin")
    user.run("make destroy CONFIRM=yes", folder)


def client(user: User, shell: str, lines: list[str]) -> str:
    """What these lines say in the README's shell, in this cluster and without a terminal."""
    kubectl, _it, inside = shell.partition(" -it ")
    arguments = kubectl.removeprefix("kubectl --context mintnet ")
    assert arguments != kubectl
    assert inside
    text = "\n".join(["shopt -s expand_aliases", "set -e", *lines])
    return user.kubectl(f"{arguments} -i {inside} -s <<'END'\n{text}\nEND\n").output


@pytest.mark.long
def test_from_make_new_to_a_container_of_ones_own(user: User, clone: Path) -> None:
    """As the guide of applications begins, with a folder that a newcomer may have."""
    user.run("make new NAME=myapp", clone)
    (clone / "myapp").mkdir()
    for name in ("counter.py", "Containerfile"):
        (clone / "myapp" / name).write_bytes((clone / "examples" / "counter" / name).read_bytes())
    file = clone / "myapp.yml"
    build = "cometbft_app_build: {context: myapp, contexts: {abci: examples/abci}, protos: true, base: python}"
    text = file.read_text(encoding="utf-8").replace('cometbft_app_image: "YOUR_APP:TAG"', build)
    assert build in text
    file.write_text(text, encoding="utf-8")
    user.run("make create NETWORK=myapp.yml", clone)
    assert "height" in user.run("make tx NETWORK=myapp.yml TX=0", clone).output
    assert "listening on" in user.run("make logs NETWORK=myapp.yml NODE=tm-0 CONTAINER=app", clone).output
    user.agree("myapp")
    refused = user.run("make new NAME=myapp", clone, code=None)
    assert refused.code
    assert "is left as it is" in " ".join(refused.output.split())
    assert file.read_text(encoding="utf-8") == text
    user.run("make destroy NETWORK=myapp.yml CONFIRM=yes", clone)
