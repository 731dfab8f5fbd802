# SPDX-License-Identifier: GPL-3.0-or-later
"""A network on a cluster of minikube: the stock program, with podman, and everything that it needs given to it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tree
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _minikube_podman
from explained import story
from kills import Victim
from surroundings import FOREIGN, Run, User, remove, sweep, traces

pytestmark = pytest.mark.long

CLUSTER = "e2eminikube"
SUBNET = "10.89.73.0/24"
YES = "-e mintnet_confirm=true"
MINIKUBE = "-e mintnet_provider=minikube"
BIN = "-e minikube_bin_dir={user.home}/bin"


@pytest.fixture(scope="module")
def user() -> Iterator[Victim]:
    sweep(CLUSTER)
    someone = Victim(Path(tempfile.mkdtemp(prefix=f"{CLUSTER}-")), CLUSTER, SUBNET, quiet=False)
    someone.environment["MINIKUBE_HOME"] = str(someone.home)
    someone.environment["PATH"] = f"{someone.home / 'bin'}:{someone.environment['PATH']}"
    yield someone
    play(someone, "destroy_cluster", YES, code=None)
    remove(someone)


def play(user: User, name: str, options: str = "", *, code: int | None = 0) -> Run:
    command = f"ansible-playbook playbooks/{name}.yml {BIN.format(user=user)} {options}"
    return user.run(command, tree.ROOT, code=code)


def minikube(user: User, arguments: str) -> Run:
    """As the user, with what it needs of a host without sudo."""
    with _minikube_podman.surroundings() as variables:
        given: dict[str, Any] = {**variables}
        return user.run(f"{user.home / 'bin' / 'minikube'} {arguments} -p {CLUSTER}", user.home, **given)


def test_check_run_makes_nothing(user: User) -> None:
    assert "would be made with the driver podman" in play(user, "create", f"{MINIKUBE} --check").output
    assert not (user.home / ".minikube" / "profiles" / CLUSTER).exists()


def test_network(user: User, clone: Path) -> None:
    made = user.run(f"make create PROVIDER=minikube ARGS='{BIN.format(user=user)}'", clone)
    assert "made with the driver podman" in made.output
    user.agree()
    claims = user.get("persistentvolumeclaims")
    assert {claim["status"]["phase"] for claim in claims} == {"Bound"}
    assert len(claims) == len(user.nodes())
    # The user has it, too, and it knows the profile.
    assert CLUSTER in user.run("minikube profile list -o json", user.home).output
    entries = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    assert entries["current-context"] == FOREIGN["current-context"]
    assert {item["name"] for item in entries["contexts"]} == {"theirs", CLUSTER}


def test_again_changes_nothing(user: User) -> None:
    pods = user.pods()
    assert play(user, "create").changed == 0
    assert user.pods() == pods


def test_profile_that_was_stopped_is_started_and_the_chain_goes_on(user: User) -> None:
    height = user.height("tm-0")
    minikube(user, "stop")
    run = play(user, "create")
    assert "started with the driver podman" in run.output
    assert user.agree() > height


def test_addon_that_is_asked_for_is_enabled(user: User) -> None:
    told = " ".join(play(user, "dashboard", code=1).output.split())
    assert f"minikube addons enable headlamp --profile {CLUSTER}" in told
    addons = """-e '{"minikube_addons": ["headlamp"]}'"""
    assert "enables the addon headlamp" in play(user, "create", addons).output
    assert json.loads(minikube(user, "addons list -o json 2>/dev/null").output)["headlamp"]["Status"] == "enabled"
    assert play(user, "create", addons).changed == 0


def test_profile_that_differs_is_a_choice(user: User) -> None:
    told = story(play(user, "create", "-e minikube_memory=3000", code=1).output)
    assert "memory in MiB: 4096, wanted 3000" in told["why"]
    assert "minikube_on_drift=recreate" in told["next"]
    kept = play(user, "create", "-e minikube_memory=3000 -e minikube_on_drift=keep")
    assert kept.changed == 0
    assert "is kept as it is" in kept.output


def test_profile_of_somebody_else_is_refused(user: User) -> None:
    """As after the loss of what we know of our clusters."""
    record = user.home / "mintnet" / "clusters" / CLUSTER
    away = user.home / "away"
    record.rename(away)
    entries = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    user.kubeconfig.write_text(yaml.safe_dump(FOREIGN), encoding="utf-8")
    try:
        told = story(play(user, "create", MINIKUBE, code=1).output)["why"]
    finally:
        user.kubeconfig.write_text(yaml.safe_dump(entries), encoding="utf-8")
        if record.exists():
            for path in record.iterdir():
                path.unlink()
            record.rmdir()
        away.rename(record)
    assert "there is one, which we did not make" in told
    user.agree()


def test_it_leaves_nothing(user: User) -> None:
    play(user, "destroy", YES)
    play(user, "destroy_cluster", YES)
    assert not {kind: names for kind, names in traces(user).items() if names}
    entries = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    assert {item["name"] for item in entries["contexts"]} == {"theirs"}
    assert play(user, "destroy_cluster", YES).changed == 0


def test_killed_at_any_moment_it_goes_on(user: Victim) -> None:
    for point in range(3):
        user.kill("playbooks/create.yml", "minikube", point, f"{MINIKUBE} {BIN.format(user=user)}")
    play(user, "create", MINIKUBE)
    user.agree()
    assert play(user, "create").changed == 0
    user.kill("playbooks/destroy_cluster.yml", "destroy-cluster", 0, f"{YES} {BIN.format(user=user)}")
    play(user, "destroy_cluster", YES)
    assert not {kind: names for kind, names in traces(user).items() if names}
