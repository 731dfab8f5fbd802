# SPDX-License-Identifier: GPL-3.0-or-later
"""What tm-gen-validator.sh makes of a volume with and without a signing state. It runs as in a pod, by sh."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[4] / "roles/cometbft/files/tm-gen-validator.sh"
GENESIS = '{"chain_id": "mintnet"}'
SHA256 = hashlib.sha256(GENESIS.encode()).hexdigest()
OTHER = hashlib.sha256(b"another chain's").hexdigest()


@dataclass
class Pod:
    home: Path
    mounted: Path
    tools: Path

    @property
    def state(self) -> Path:
        return self.home / "data" / "priv_validator_state.json"

    def record(self, text: str) -> None:
        (self.mounted / "started" / "tm-0").write_text(text, encoding="utf-8")

    def start(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", SCRIPT],
            env={
                "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
                "NODE": "tm-0",
                "CMTHOME": str(self.home),
                "MINTNET": str(self.mounted),
                "WAIT": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    found = Pod(tmp_path / "home", tmp_path / "mintnet", tmp_path / "tools")
    texts = {
        "genesis/genesis.json": GENESIS,
        "settings/config.toml": 'moniker = ""\nexternal_address = ""\npersistent_peers = ""\n',
        "nodes/nodes": "tm-0 tm-0 0123 validator -\n",
        "keys/tm-0.priv_validator_key.json": "{}",
        "keys/tm-0.node_key.json": "{}",
    }
    for name, text in texts.items():
        path = found.mounted / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (found.mounted / "started").mkdir()
    for folder in ("config", "data"):
        (found.home / folder).mkdir(parents=True)
    # Names resolve in a cluster only.
    found.tools.mkdir()
    (found.tools / "getent").write_text("#!/bin/sh\n", encoding="utf-8")
    (found.tools / "getent").chmod(0o755)
    return found


def test_a_first_start_signs_from_the_first_height(pod: Pod) -> None:
    assert pod.start().returncode == 0
    assert json.loads(pod.state.read_text(encoding="utf-8")) == {"height": "0", "round": 0, "step": 0}


def test_a_state_is_never_written_over(pod: Pod) -> None:
    pod.state.write_text('{"height": "7", "round": 0, "step": 3}', encoding="utf-8")
    pod.record(f"{SHA256} 4")
    assert pod.start().returncode == 0
    assert json.loads(pod.state.read_text(encoding="utf-8"))["height"] == "7"


def test_a_lost_state_stops_the_node_with_the_reason(pod: Pod) -> None:
    pod.record(SHA256)
    run = pod.start()
    assert run.returncode == 3
    assert run.stderr.startswith("tm-gen-validator: tm-0 has started before")
    assert "make recover NODE=tm-0" in run.stderr
    assert not pod.state.exists()


def test_a_recovered_node_signs_from_the_height_that_was_allowed(pod: Pod) -> None:
    pod.record(f"{SHA256} 42")
    assert pod.start().returncode == 0
    assert json.loads(pod.state.read_text(encoding="utf-8")) == {"height": "42", "round": 0, "step": 0}


@pytest.mark.parametrize("record", [OTHER, f"{OTHER} 42", ""])
def test_a_record_of_another_chain_does_not_count(pod: Pod, record: str) -> None:
    pod.record(record)
    assert pod.start().returncode == 0
    assert json.loads(pod.state.read_text(encoding="utf-8"))["height"] == "0"
