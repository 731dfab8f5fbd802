# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: those of a network that lives show no difference, and kubectl alone brings others to life."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import score
import yaml
from explained import ONE, Case, network
from surroundings import User, folder

OTHER = "x-kubectl-alone"


@pytest.fixture
def other(user: User, clone: Path) -> Iterator[Case]:
    with network(user, clone, OTHER) as one:
        yield one


def rendered(user: User, clone: Path, out: Path, variables: Path, more: str = "") -> int:
    """How many tasks have changed something."""
    return user.run(f"make render OUT={out} NETWORK={variables} ARGS='{more}'", clone).changed


def test_manifests_of_a_network_that_lives(case: Case) -> None:
    user, out = case.user, case.user.home / "manifests"
    case.create(code=0, **ONE, cometbft_config={"mempool": {"size": 4000}})
    variables, before = user.home / f"{case.name}.yml", user.objects(case.name)
    assert rendered(user, case.clone, out, variables, "--check") == 1
    assert not out.exists()
    assert rendered(user, case.clone, out, variables) == 1
    user.kubectl(f"diff -k {out}")
    # With the keys, too, of which kubectl shows nothing.
    plain = "-e cometbft_render_secrets=plain"
    assert rendered(user, case.clone, out, variables, plain) == 1
    files = folder(out)
    user.kubectl(f"diff -k {out}")
    assert rendered(user, case.clone, out, variables, plain) == 0
    assert folder(out) == files
    assert user.objects(case.name) == before
    shutil.rmtree(out)


@pytest.mark.long
def test_kubectl_alone_brings_manifests_to_life(user: User, clone: Path, cluster: None, other: Case) -> None:
    out, variables = user.home / "alone", user.home / "alone.yml"
    variables.write_text(yaml.safe_dump({"cometbft_network": OTHER, **ONE, "cometbft_nodes": 2}), encoding="utf-8")
    user.run(f"make render OUT={out} NETWORK={variables}", clone, code=1)
    assert not out.exists()
    plain = "-e cometbft_render_secrets=plain"
    rendered(user, clone, out, variables, plain)
    files = folder(out)
    assert rendered(user, clone, out, variables, plain) == 0
    user.kubectl(f"apply --server-side -k {out}")
    user.wait("both make blocks", lambda: len(user.nodes(OTHER)) == 2 and user.agree(OTHER) >= 1)
    user.kubectl(f"diff -k {out}")
    # Of what kubectl has made, the keys and the genesis are the same once they are read from the cluster.
    assert rendered(user, clone, out, variables, plain) == 0
    assert folder(out) == files
    # And create has nothing to do but to record who has started.
    assert user.run(f".venv/bin/ansible-playbook playbooks/network.yml -e @{variables}", clone).changed == 1
    assert list(user.get("configmap tm-started", OTHER)["data"]) == ["tm-0", "tm-1"]
    other.is_well()
    shutil.rmtree(out)


@pytest.mark.long
def test_kube_score_finds_nothing_critical_that_has_no_reason(user: User, clone: Path) -> None:
    """It needs no cluster; what it finds is in the list, and what is in the list it finds."""
    place = user.home / "score"
    place.mkdir()
    tool = score.program(place)
    if isinstance(tool, str):
        pytest.skip(f"NOT CHECKED: what kube-score finds: {tool}")
    wanted = {check: {kind} for check, (kind, _reason) in score.REASONS.items()}
    app = {"cometbft_app": "container", "cometbft_app_image": "example.org/app:1"}
    for name, chosen in {"secret": {}, "app.yaml": {**app, "cometbft_custody": "pod"}}.items():
        variables, out = place / "network.yml", place / name
        variables.write_text(yaml.safe_dump({"cometbft_network": "x-score", **chosen}), encoding="utf-8")
        rendered(user, clone, out, variables, "" if chosen else "-e cometbft_render_secrets=plain")
        files = [out] if out.is_file() else sorted(out.glob("[0-9]*.yaml"))
        assert score.critical(tool, files) == wanted, name
    template = place / "template.yaml"
    text = (clone / "app.template.yaml").read_text(encoding="utf-8")
    template.write_text(text.replace("YOUR_APP_IMAGE", "example.org/app:1"), encoding="utf-8")
    assert score.critical(tool, [template]) == wanted
    shutil.rmtree(place)
