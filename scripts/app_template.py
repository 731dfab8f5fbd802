# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/app_template.py   writes app.template.yaml anew: what render gives for app_template.yml, for edits by hand.

It needs no cluster, but Ansible: .venv/bin/python scripts/app_template.py. The numbers of nodes and of validators stand
in one place each; all else that depends on them is written so that it need not be edited.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "app.template.yaml"
NETWORK = ROOT / "scripts" / "app_template.yml"
sys.path.append(str(ROOT / ".dev"))

from ansible_collections.mintnet.kubernetes.plugins.module_utils._manifests import objects_of, whole_text  # noqa: E402

Json = dict[str, Any]

HEAD = """\
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A network of your own application for plain kubectl: copy this file to app.yaml, and edit it at each EDIT.
#
#   sed -e 's/your-app/NAME/g' -e 's|YOUR_APP_IMAGE|IMAGE|' … app.template.yaml > app.yaml
#   kubectl create -f app.yaml
#   kubectl -n NAME get pods -w -L tm
#
# - your-app           the network: its namespace and its chain id. In lower case, with dashes.
# - YOUR_APP_IMAGE     the image of your application, which the machines of the cluster must be able to have.
# - YOUR_APP_COMMAND   what is run in it, and
# - YOUR_APP_ARGS      its arguments; without these two lines the image's own. $(ABCI_ADDRESS) is where to listen.
# - genesis time, chain id, validators, replicas: see there. They can be edited before the network is made, not after.
#
# Each pod makes its own keys on its volume, and the first validator's pod the genesis of them: no secret is in this
# file, and none in the API server. kubectl delete -f app.yaml removes all of it, with keys, chain and volumes. make
# create takes the network over with the same variables: cometbft_custody: pod, cometbft_network and so on.
#
# What `make render` writes, by scripts/app_template.py. The docs' page "Plain manifests" says more.
"""

#: Lines of what is rendered, what becomes of them, and what is said above them, at their margin.
EDITS = (
    (
        "  genesis.template: |-",
        None,
        "EDIT: genesis_time, which may be past; until it comes, no block is made. chain_id, if it is another one.",
    ),
    (
        "  validators: |",
        None,
        "EDIT: the validators of the genesis, each in a line with its power. They are the first of the replicas; the "
        "others are full nodes, and so is who is added later.",
    ),
    ('  nodes: ""', None, "Without rows the nodes make a mesh by themselves, however many they are."),
    ('  minAvailable: "67%"', None, "Of all replicas. Where only few of them are validators, say how many must stay."),
    (
        "  replicas: {validators}",
        None,
        "EDIT: how many nodes there are, at least as many as validators. There are Services and quota for {nodes}; for "
        "more, add a Service like the others for each, and raise the quota.",
    ),
    ("        image: {image}", "        image: YOUR_APP_IMAGE", "EDIT"),
    (
        "        command:\n        - YOUR_APP_COMMAND",
        "        command: [YOUR_APP_COMMAND]",
        "EDIT, or remove it. In a list: [sh, -c, ...]",
    ),
    ("        args:\n        - YOUR_APP_ARGS", "        args: [YOUR_APP_ARGS]", "EDIT, or remove it."),
)


def render(folder: Path) -> list[Json]:
    """What the playbook writes, on a machine that knows no cluster."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        **{"MINTNET_HOME": str(folder / "home"), "KUBECONFIG": str(folder / "none"), "NO_COLOR": "1"},
    }
    path = folder / "app.yaml"
    playbook = [str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/render.yml"]
    options = ["-e", f"@{NETWORK}", "-e", f"cometbft_render_path={path}"]
    run = subprocess.run(
        [*playbook, *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"rendering {NETWORK}: {run.stdout}")
    return objects_of(path.read_text(encoding="utf-8"))


def generalised(objects: list[Json], validators: int) -> list[Json]:
    """As many nodes as validators run, and what counts either of them need not be edited with their numbers."""
    names = [
        item["metadata"]["name"]
        for item in objects
        if item["kind"] == "Service" and item["spec"].get("clusterIP") != "None"
    ]
    for item in objects:
        spec = item.get("spec") or {}
        if item["metadata"]["name"] == "tm-nodes":
            item["data"]["nodes"] = ""
        elif item["kind"] == "PodDisruptionBudget":
            spec["minAvailable"] = "67%"
            spec["selector"]["matchExpressions"][0]["values"] = names
        elif item["kind"] == "StatefulSet":
            # What create has asked for, by which it tells what kubectl scale did.
            del item["metadata"]["annotations"]
            spec["replicas"] = validators
    return objects


def comment(text: str, margin: str) -> str:
    lines = [f"{margin}#"]
    for word in text.split():
        if len(lines[-1]) + len(word) > 118:
            lines.append(f"{margin}#")
        lines[-1] += f" {word}"
    return "\n".join(lines)


def made(objects: list[Json], network: Json) -> str:
    """The text of app.template.yaml."""
    words = {
        "validators": network["cometbft_validators"],
        "nodes": network["cometbft_nodes"],
        "image": network["cometbft_app_image"],
    }
    _head, mark, text = whole_text(generalised(objects, words["validators"])).partition("---\n")
    for line, after, said in EDITS:
        line = line.format(**words)
        times = text.count(f"\n{line}\n")
        if times != 1:
            raise SystemExit(f"editing what was rendered: {line.strip()!r} stands in it {times} times, and must once")
        margin = line[: len(line) - len(line.lstrip())]
        text = text.replace(f"\n{line}\n", f"\n{comment(said.format(**words), margin)}\n{after or line}\n")
    return HEAD + mark + text


def template() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return made(render(Path(folder)), yaml.safe_load(NETWORK.read_text(encoding="utf-8")))


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
