# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender of transactions: the Job that the role makes, and its script, run by sh beside a curl of the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.module_utils._transact import parse

ROLE = Path(__file__).resolve().parents[3] / "roles" / "cometbft"
SCRIPT = ROLE / "files" / "transact.sh"
#: It writes down what it is asked for, and answers as a node does, over several lines.
CURL = """#!/bin/sh
for last; do :; done
echo "$last" >> "$PROC/asked"
while [ "$1" != --data-urlencode ]; do shift; done
printf '%s\\n' "$2" >> "$PROC/sent"
case $last in
  *tm-1*) echo "curl: (7) Failed to connect to tm-1" >&2; exit 7 ;;
esac
printf '{\\n  "result": {"code": 0, "hash": "AB"}\\n}\\n'
"""
#: Time passes only where it is slept.
SLEEP = """#!/bin/sh
echo "$1" >> "$PROC/slept"
awk -v more="$1" '{ printf "%.2f 0.00\\n", $1 + more }' "$PROC/uptime" > "$PROC/later"
mv "$PROC/later" "$PROC/uptime"
"""


def job(**variables: Any) -> dict[str, Any]:
    """What the template makes of the role's own defaults and variables."""
    templar = Templar(DataLoader())
    known: dict[str, Any] = {}
    for name in ("defaults", "vars"):
        text = (ROLE / name / "main.yml").read_text(encoding="utf-8")
        known |= {
            key: trust_as_template(value) if isinstance(value, str) else value
            for key, value in yaml.safe_load(text).items()
        }
    labels = {key: trust_as_template(value) for key, value in known["_cometbft_labels"].items()}
    chosen = {"_cometbft_transact_nodes": ["tm-0", "tm-1"], "_cometbft_transact_image": "node:1"}
    templar.available_variables = {**known, "_cometbft_labels": labels, **chosen, **variables}
    template = (ROLE / "templates" / "transact.yml.j2").read_text(encoding="utf-8")
    template = template.replace(
        "lookup('ansible.builtin.file', 'transact.sh')", f"lookup('ansible.builtin.file', '{SCRIPT}')"
    )
    return dict(yaml.safe_load(templar.template(trust_as_template(template))))


def environment(made: dict[str, Any]) -> dict[str, str]:
    (container,) = made["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item["value"].replace("$$", "$") for item in container["env"]}


class Pod:
    """What the container sees; ``run`` gives what it prints, and what it asked curl for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name, text in {"curl": CURL, "sleep": SLEEP}.items():
            (folder / "bin" / name).write_text(text, encoding="utf-8")
            (folder / "bin" / name).chmod(0o755)
        (folder / "uptime").write_text("4711.08 0.00\n", encoding="utf-8")

    def run(self, variables: Mapping[str, str] | None = None, *, code: int = 0, path: str = "") -> str:
        chosen = {
            "NODES": "tm-0 tm-1 tm-2",
            "TX": '"k{n}=v{n}"',
            "FIRST": "1",
            "COUNT": "4",
            "RATE": "10",
            "LIMIT": "60",
        }
        given = {"PROC": str(self.folder), "PATH": path or f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", SCRIPT.read_text(encoding="utf-8")],
            env={**given, **chosen, **(variables or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_nodes_get_them_in_turn_and_each_answer_is_a_line(pod: Pod) -> None:
    sent = parse(pod.run())
    assert [(one.number, one.node, one.hash) for one in sent] == [
        (1, "tm-0", "AB"),
        (2, "tm-1", ""),
        (3, "tm-2", "AB"),
        (4, "tm-0", "AB"),
    ]
    assert sent[1].words == "curl: (7) Failed to connect to tm-1"
    assert pod.lines("sent") == [f'tx="k{number}=v{number}"' for number in range(1, 5)]
    assert pod.lines("asked")[0] == "http://tm-0:26657/broadcast_tx_sync"


@pytest.mark.parametrize(
    ("rate", "count", "slept"),
    [("10", "4", ["0.10"] * 3), ("1", "2", ["1.00"]), ("3", "4", ["0.34", "0.33", "0.33"]), ("50", "3", ["0.02"] * 2)],
)
def test_the_rate_is_kept(pod: Pod, rate: str, count: str, slept: list[str]) -> None:
    pod.run({"RATE": rate, "COUNT": count})
    assert pod.lines("slept") == slept


def test_it_ends_when_its_time_is_over(pod: Pod) -> None:
    assert len(pod.run({"COUNT": "100", "RATE": "1", "LIMIT": "3"}).splitlines()) == 3


@pytest.mark.parametrize("tx", ['"{n}"', '"{\\"a\\": {n}}"', '"a b&c%=\\\\$HOME `id` {n}{n}x"', '"{n }{n"'])
def test_a_transaction_is_sent_as_it_stands(pod: Pod, tx: str) -> None:
    pod.run({"TX": tx, "FIRST": "7", "COUNT": "2", "NODES": "tm-0"})
    assert pod.lines("sent") == [f"tx={tx.replace('{n}', str(number))}" for number in (7, 8)]


def test_an_image_without_curl_is_told(pod: Pod) -> None:
    (pod.folder / "empty").mkdir()
    shell = subprocess.run(["sh", "-c", "command -v sh"], capture_output=True, text=True, check=True).stdout.strip()
    (pod.folder / "empty" / "sh").symlink_to(shell)
    assert pod.run(code=3, path=str(pod.folder / "empty")) == "transact: there is no curl in the image of the nodes\n"


def test_the_sender_is_of_the_network_and_no_node() -> None:
    made = job(cometbft_network="net")
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        assert labels["mintnet.io/network"] == "net"
        assert labels["app.kubernetes.io/component"] == "transact"
        assert "tm" not in labels
    assert made["metadata"]["namespace"] == "net"


def test_the_job_is_bounded_and_restricted(unrestricted: Callable[[Any], list[str]]) -> None:
    made = job(cometbft_transact_count=1000, cometbft_transact_rate=50, cometbft_pull_secrets=["theirs"])
    spec = made["spec"]
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (0, 600)
    assert spec["activeDeadlineSeconds"] == int(environment(made)["LIMIT"]) + 120 == 220
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["imagePullSecrets"] == [{"name": "theirs"}]
    assert unrestricted(pod) == []
    (container,) = pod["containers"]
    assert container["image"] == "node:1"
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_script_and_transaction_reach_the_pod_as_they_are(pod: Pod) -> None:
    """Kubernetes replaces $(NAME) in both, and reads two dollars as one."""
    made = job(cometbft_transact_tx='{"n": {n}, "cost": "$(RATE) $$", "run": "{run}"}', cometbft_transact_count=1)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    shell, option, script = container["command"]
    assert (shell, option) == ("sh", "-c")
    assert script.replace("$$", "$") == SCRIPT.read_text(encoding="utf-8").rstrip("\n")
    assert "$" not in script.replace("$$", "")
    pod.run(environment(made))
    (sent,) = pod.lines("sent")
    tx = yaml.safe_load(sent.removeprefix("tx="))
    assert tx.startswith('{"n": 1, "cost": "$(RATE) $$", "run": "20')
