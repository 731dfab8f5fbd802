# SPDX-License-Identifier: GPL-3.0-or-later
"""The template for plain kubectl: it is what render gives today, and little of it has to be edited."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import Any

import kubernetes_validate
import pytest
import tree
import yaml

Json = dict[str, Any]
TEXT = (tree.ROOT / "app.template.yaml").read_text(encoding="utf-8")
EDITS = {
    "your-app": "my-chain",
    "YOUR_APP_IMAGE": "example.org/app:1",
    "YOUR_APP_COMMAND": "my-app",
    "YOUR_APP_ARGS": "--address=$(ABCI_ADDRESS)",
    "  replicas: 4\n": "  replicas: 9\n",
    "    tm-3 10\n": "".join(f"    tm-{number} 10\n" for number in range(3, 7)),
}


def edited() -> list[Json]:
    text = TEXT
    for old, new in EDITS.items():
        assert old in text
        text = text.replace(old, new)
    return [item for item in yaml.safe_load_all(text) if item]


def found(kind: str, name: str = "") -> Json:
    (one,) = [item for item in edited() if item["kind"] == kind and name in ("", item["metadata"]["name"])]
    return one


def test_it_is_what_render_gives() -> None:
    """If not: .venv/bin/python scripts/app_template.py"""
    spec = importlib.util.spec_from_file_location("_app_template", tree.ROOT / "scripts" / "app_template.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.template() == TEXT


def test_the_places_to_edit_are_marked_and_few() -> None:
    rows = TEXT.splitlines()
    marked = [number for number, row in enumerate(rows) if re.match(r" +# EDIT", row)]
    below = [next(row.strip() for row in rows[number:] if "#" not in row) for number in marked]
    assert below == [
        "genesis.template: |-",
        "validators: |",
        "replicas: 4",
        "image: YOUR_APP_IMAGE",
        "command: [YOUR_APP_COMMAND]",
        "args: [YOUR_APP_ARGS]",
    ]
    for marker in ("YOUR_APP_IMAGE", "YOUR_APP_COMMAND", "YOUR_APP_ARGS"):
        assert TEXT.partition("\n---\n")[2].count(marker) == 1
    assert len(set(re.findall("YOUR_[A-Z_]+", TEXT))) == 3


@pytest.mark.parametrize("version", ["1.34", "1.35", "1.36", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    for item in edited():
        assert kubernetes_validate.validate(item, version, strict=True) == version


def test_nothing_of_it_is_secret_or_ours_alone() -> None:
    kinds = [item["kind"] for item in edited()]
    assert kinds[0] == "Namespace"
    assert kinds[-1] == "StatefulSet"
    assert "Secret" not in kinds
    pod = found("StatefulSet")["spec"]["template"]["spec"]
    images = {
        container["image"].partition(":")[0] for part in ("initContainers", "containers") for container in pod[part]
    }
    assert images == {"cometbft/cometbft", "nginxinc/nginx-unprivileged", "example.org/app"}
    assert "localhost" not in json.dumps(pod)


def test_more_nodes_need_nothing_but_their_numbers() -> None:
    names = {item["metadata"]["name"] for item in edited() if item["kind"] == "Service"}
    replicas = found("StatefulSet")["spec"]["replicas"]
    assert {f"tm-{number}" for number in range(replicas)} <= names
    assert replicas <= int(found("ResourceQuota")["spec"]["hard"]["pods"])
    assert found("ConfigMap", "tm-nodes")["data"] == {"nodes": ""}
    config = found("ConfigMap", "tm-config")["data"]
    assert config["validators"].splitlines() == [f"tm-{number} 10" for number in range(7)]
    assert json.loads(config["genesis.template"])["chain_id"] == "my-chain"
    budget = found("PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == "67%"
    assert {f"tm-{number}" for number in range(replicas)} <= set(budget["selector"]["matchExpressions"][0]["values"])
