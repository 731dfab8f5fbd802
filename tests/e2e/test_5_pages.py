# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the docs' pages as they stand there, in the order in which they stand there."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pages
import pytest
import yaml
from surroundings import NETWORK, User

pytestmark = pytest.mark.long

# What other tests run.
ELSEWHERE = {
    "app": {"test_5_apps", "test_5_apps_options"},
    "crash": {"test_5_life"},
    "machines": {"test_8_listed", "test_8_departure"},
    "minikube": {"test_5_minikube"},
    "original": {"test_4_network", "test_5_custody"},
    # And the tests' own users, each of which has a cluster and a subnet of its own.
    "path": {"test_5_mirror", "test_8_machines"},
}
CLOUDS = ("digitalocean", "eks", "gke", "kind", "kubespray")
"""What they begin with is never run here; the line that follows is, with its context leading to the tests' cluster."""
NOT_RUN = {
    "Kubespray's own, before ours": r"ansible-playbook -i inventory/mycluster/",
    "test_5_template, with an image that there is": r"sed .*YOUR_APP_IMAGE",
}
CHAIN = "my-chain"


def typed(name: str) -> list[str]:
    """A page's commands that are run here."""
    found = pages.page(name)
    return [line for line in found if not any(re.match(pattern, line) for pattern in NOT_RUN.values())]


@pytest.fixture(scope="module")
def place(user: User, clone: Path, cluster: None) -> Iterator[Path]:
    """A clone with a network of four, and a kubeconfig of its own in which the pages' contexts lead to it."""
    user.run("make create", clone)
    config = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    (ours,) = [item["context"] for item in config["contexts"] if item["name"] == user.cluster]
    named = re.findall(r"mintnet_context=([^\s']+)", " ".join(line for cloud in CLOUDS for line in typed(cloud)))
    assert len(named) > len(CLOUDS)
    named += [NETWORK, "name-of-your-context"]
    config["contexts"] += [{"name": name, "context": ours} for name in named]
    # Where a page names no context, the reader's current one is meant.
    config["current-context"] = NETWORK
    user.kubeconfig.rename(user.home / "kubeconfig-kept")
    user.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    user.kubeconfig.chmod(0o600)
    yield clone
    (user.home / "kubeconfig-kept").rename(user.kubeconfig)
    user.run(f"make destroy CONFIRM=yes ARGS='-e mintnet_context={user.cluster}'", clone)


def test_every_page_is_run_by_a_test() -> None:
    names = {page.stem.removeprefix("guide_") for page in pages.PLACE.glob("guide_*.rst") if pages.commands(page)}
    here = {"existing", "manifests", "operate", "trouble", *CLOUDS}
    assert names - set(ELSEWHERE) == here
    for files in ELSEWHERE.values():
        assert all(Path(__file__).with_name(f"{file}.py").exists() for file in files)
    lines = [line for name in here for line in pages.page(name)]
    assert not [why for why, pattern in NOT_RUN.items() if not any(re.match(pattern, line) for line in lines)]


@pytest.mark.parametrize("name", ["existing", *CLOUDS])
def test_a_cluster_that_exists(user: User, place: Path, tmp_path: Path, name: str) -> None:
    """The network that is there is the one that is asked for, whatever the context is called."""
    before = user.pods()
    lines = typed(name)
    assert lines
    for line in lines:
        # For somebody who has made no cluster, nor named one before.
        home = tempfile.mkdtemp(dir=tmp_path)
        run = user.run(line.replace("/path/to/admin.conf", str(user.kubeconfig)), place, MINTNET_HOME=home)
        assert run.changed == 0
    assert user.pods() == before


def test_operating(user: User, place: Path) -> None:
    counts = "TX='{n}'"
    for line in typed("operate"):
        if counts in line:
            # Its sentence: it counts on in the example counter, which begins with 0.
            folder = place / "examples" / "counter"
            user.run("make create", folder)
            first = "-e cometbft_transact_first=0 -e cometbft_transact_count=7"
            user.run(f"make transact NODE=tm-0 {counts} ARGS='{first}'", folder)
            assert "20 accepted" in user.run(line, folder).output
            user.run("make destroy CONFIRM=yes", folder)
            continue
        output = user.run(line, place).output
        if line.startswith("make tx"):
            assert user.read("tm-3", "name") == "satoshi"
        elif line == "make transact":
            assert "100 accepted" in output
        elif line == "make stop CONFIRM=yes":
            assert not user.nodes()
        elif line == "make diagnose":
            (archive,) = place.glob("*.tar.gz")
            assert archive.name in output
            archive.unlink()
    user.agree()


def test_trouble(user: User, place: Path) -> None:
    for line in typed("trouble"):
        assert "null" not in user.run(line, place).output


def test_manifests(user: User, place: Path) -> None:
    """Of a network that lives, of one that no cluster has, and of one that kubectl alone brings to life."""
    variables, password, out = place / "my.yml", place / "password.txt", place / "manifests"
    chosen = {"cometbft_network": CHAIN, "cometbft_nodes": 1, "cometbft_app": "kvstore"}
    variables.write_text(yaml.safe_dump(chosen), encoding="utf-8")
    password.write_text("not a secret\n", encoding="utf-8")
    living, single, create, watch, delete, by_sed, diff, vault, plain, *applied = typed("manifests")
    assert by_sed == create

    def run(line: str) -> None:
        user.run(f"PATH=.venv/bin:$PATH; {line}", place, NETWORK="my.yml", ANSIBLE_VAULT_PASSWORD_FILE=str(password))

    def lives_and_ends(end: str) -> None:
        user.wait("it makes blocks", lambda: user.nodes(CHAIN) and user.agree(CHAIN) >= 1)
        run(end)
        shutil.rmtree(out, ignore_errors=True)

    for line in ("make create", living, diff):
        run(line)
    lives_and_ends("make destroy CONFIRM=yes")
    for rendering, applying in ((plain, applied[:1]), (vault, applied[1:])):
        for line in (rendering, *applying):
            run(line)
        lives_and_ends("make destroy CONFIRM=yes")
    # No registry is here: create brings the images, those of custody pod too.
    for line in ("make create ARGS='-e cometbft_custody=pod'", "make destroy CONFIRM=yes", single, create):
        run(line)
    assert "tm-0" in user.run(f"timeout --preserve-status -s INT 10 {watch}", place, code=None).output
    lives_and_ends(delete)
    for path in (variables, password, place / "app.yaml"):
        path.unlink()
