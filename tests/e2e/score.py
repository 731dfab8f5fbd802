# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-score over manifests, built through the Go module proxy, and which of its critical findings stay, and why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

MODULE = "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"
CRITICAL = 1

#: Checks whose critical findings stay, each with the objects that it has something to say of, and why.
REASONS = {
    "service-targets-pod": (
        "Service of a node",
        "a node's Service selects by the label statefulset.kubernetes.io/pod-name, which the cluster sets: no template "
        "has it",
    ),
    "statefulset-has-poddisruptionbudget": (
        "StatefulSet",
        "the budget counts validators alone, and selects them by the same label, since full nodes have no vote",
    ),
    "container-image-pull-policy": (
        "StatefulSet",
        "tags are versions, which do not change; and a node must start again on a machine that has its image, whether "
        "a registry is reached or not",
    ),
    "container-security-context-user-group-id": (
        "StatefulSet",
        "user 100 and group 1000 are those of the official image, to whom the files of a volume belong that was made "
        "with it; nobody else is in the pod",
    ),
    "container-ephemeral-storage-request-and-limit": (
        "StatefulSet",
        "nodes write to their volume and to memory, the root file system is read-only, and kubelet rotates the logs: a "
        "limit could only evict a validator; an application sets its own in cometbft_app_resources",
    ),
}


def program(folder: Path) -> Path | str:
    """kube-score, or why there is none here."""
    go = shutil.which("go")
    if go is None:
        return "there is no Go on this machine"
    environment = {**os.environ, "GOBIN": str(folder)}
    run = subprocess.run(
        [go, "install", MODULE], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if run.returncode:
        return f"it could not be built: {' '.join(run.stderr.split())[-300:]}"
    return folder / "kube-score"


def critical(tool: Path, files: Iterable[Path]) -> dict[str, set[str]]:
    """What each check says is critical: a kind of object, by check."""
    command = [str(tool), "score", "--output-format", "json", *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, set[str]] = {}
    for item in json.loads(run.stdout):
        kind = item["type_meta"]["kind"]
        if kind == "Service" and item["object_meta"]["name"] != "tm":
            kind = "Service of a node"
        for check in item["checks"] or []:
            if check["grade"] == CRITICAL and not check.get("skipped"):
                found.setdefault(check["check"]["id"], set()).add(kind)
    return found
