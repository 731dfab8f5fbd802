# SPDX-License-Identifier: GPL-3.0-or-later
"""What the init container makes of genesis and signing state: its script, run by sh over a pod's folders."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _genesis_parts
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import STATE_LOST
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import pack

SCRIPT = Path(__file__).parents[4] / "roles" / "cometbft" / "files" / "tm-gen-validator.sh"
SMALL = '{"chain_id": "ä"}'
LARGE = '{"noise": "' + base64.b64encode(random.Random(4).randbytes(2300)).decode() + '"}'


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that little is large."""
    monkeypatch.setattr(_genesis_parts, "CONFIG_MAP_LIMIT", 1024)
    monkeypatch.setattr(_genesis_parts, "PART_BYTES", 1000)


class Pod:
    """The folders of one, as its volumes would be mounted."""

    def __init__(self, root: Path, text: str) -> None:
        self.mounts, self.home, self.tools = root / "mintnet", root / "home", root / "tools"
        for name in ("keys", "genesis", "settings", "nodes", "started", "stopped"):
            (self.mounts / name).mkdir(parents=True)
        for folder in (self.home / "config", self.home / "data", self.tools):
            folder.mkdir(parents=True)
        for name in ("priv_validator_key.json", "node_key.json"):
            (self.mounts / "keys" / f"tm-0.{name}").write_text("{}")
        (self.mounts / "nodes" / "nodes").write_text("tm-0 me abc validator - - -\n")
        (self.mounts / "settings" / "config.toml").write_text('moniker = ""\npersistent_peers = ""\n')
        # Names are a matter of the cluster's DNS.
        (self.tools / "getent").write_text("#!/bin/sh\n")
        (self.tools / "getent").chmod(0o755)
        packed = pack("tm-config", text)
        self.parts = list(packed.parts)
        for name, value in packed.head.items():
            (self.mounts / "genesis" / name).write_bytes(value.encode())
        for name, piece in packed.parts.items():
            (self.mounts / "genesis" / name).write_bytes(piece)

    @property
    def environment(self) -> dict[str, str]:
        environment = {"NODE": "tm-0", "CMTHOME": str(self.home), "MINTNET": str(self.mounts), "WAIT": "0"}
        environment["MESSAGE"] = str(self.home / "message")
        environment["PATH"] = f"{self.tools}:{os.environ['PATH']}"
        return environment

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", SCRIPT], env=self.environment, capture_output=True, text=True, check=False)

    @contextmanager
    def waiting(self) -> Iterator[subprocess.Popen[str]]:
        """The script of a node that is stopped, once it says so."""
        (self.mounts / "stopped" / "tm-0").touch()
        # Pauses are short here.
        (self.tools / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.01\n")
        (self.tools / "sleep").chmod(0o755)
        with subprocess.Popen(["sh", SCRIPT], env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "tm-gen-validator: tm-0 is stopped; make start starts it\n"
            yield process

    @property
    def genesis(self) -> bytes:
        return (self.home / "config" / "genesis.json").read_bytes()

    @property
    def state(self) -> Path:
        return self.home / "data" / "priv_validator_state.json"

    @property
    def has_state(self) -> bool:
        return self.state.exists()

    def record(self, text: str) -> None:
        (self.mounts / "started" / "tm-0").write_text(text)


@pytest.mark.parametrize("text", [SMALL, LARGE])
def test_genesis_is_put_together(tmp_path: Path, text: str) -> None:
    pod = Pod(tmp_path, text)
    done = pod.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "tm-gen-validator: tm-0 is ready to start, with no peers\n"
    assert pod.genesis == text.encode()
    assert pod.has_state
    # A pod that comes back finds what it has left.
    assert pod.run().returncode == 0


def test_a_stopped_node_waits_until_it_is_started(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    with pod.waiting() as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        # No key is laid out meanwhile.
        assert list((pod.home / "config").iterdir()) == []
        (pod.mounts / "stopped" / "tm-0").unlink()
        assert process.wait(10) == 0
    assert pod.has_state


def test_waiting_ends_at_once_and_never_starts_the_node(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    with pod.waiting() as process:
        process.terminate()
        assert process.wait(10) == 143
    assert not pod.has_state


def test_another_node_that_is_stopped_holds_nobody(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    (pod.mounts / "stopped" / "tm-00").touch()
    assert pod.run().returncode == 0


SHA256 = hashlib.sha256(SMALL.encode()).hexdigest()
FRESH = {"height": "0", "round": 0, "step": 0}


def test_first_start_signs_from_the_first_height(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    assert pod.run().returncode == 0
    assert json.loads(pod.state.read_text()) == FRESH


def test_state_is_never_written_over(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    pod.state.write_text('{"height": "7", "round": 0, "step": 3}')
    pod.record(f"{SHA256} 4")
    assert pod.run().returncode == 0
    assert json.loads(pod.state.read_text())["height"] == "7"


@pytest.mark.parametrize("text", [SMALL, LARGE])
def test_validator_that_lost_its_state_is_not_started(tmp_path: Path, text: str) -> None:
    pod = Pod(tmp_path, text)
    pod.record(hashlib.sha256(text.encode()).hexdigest())
    done = pod.run()
    assert done.returncode == STATE_LOST
    assert done.stderr.startswith("tm-gen-validator: tm-0 has started before")
    assert "make recover NODE=tm-0" in done.stderr
    assert not pod.has_state


def test_recovered_validator_signs_from_the_height_that_was_allowed(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    pod.record(f"{SHA256} 42")
    assert pod.run().returncode == 0
    assert json.loads(pod.state.read_text()) == {**FRESH, "height": "42"}


@pytest.mark.parametrize("record", ["of another chain", f"{SHA256[::-1]} 42", ""])
def test_record_of_another_chain_does_not_count(tmp_path: Path, record: str) -> None:
    pod = Pod(tmp_path, SMALL)
    pod.record(record)
    assert pod.run().returncode == 0
    assert json.loads(pod.state.read_text()) == FRESH


def refused(pod: Pod) -> str:
    done = pod.run()
    assert done.returncode == 1
    assert not pod.has_state
    return done.stderr


def test_missing_part_is_named(tmp_path: Path) -> None:
    pod = Pod(tmp_path, LARGE)
    assert len(pod.parts) == 3
    (pod.mounts / "genesis" / pod.parts[1]).unlink()
    assert f"the ConfigMap {pod.parts[1]}, a part of the genesis, is missing" in refused(pod)


def test_damaged_part_is_refused(tmp_path: Path) -> None:
    pod = Pod(tmp_path, LARGE)
    path = pod.mounts / "genesis" / pod.parts[1]
    path.write_bytes(path.read_bytes()[:-1])
    assert "the parts of the genesis are damaged" in refused(pod)


def test_parts_in_another_order_are_refused(tmp_path: Path) -> None:
    pod = Pod(tmp_path, LARGE)
    (pod.mounts / "genesis" / "genesis.parts").write_text("".join(f"{name}\n" for name in reversed(pod.parts)))
    assert "the parts of the genesis are damaged" in refused(pod)


def test_other_genesis_than_the_sum_says_is_refused(tmp_path: Path) -> None:
    pod = Pod(tmp_path, LARGE)
    (pod.mounts / "genesis" / "genesis.sha256").write_text(f"{'0' * 64}  genesis.json\n")
    found = hashlib.sha256(LARGE.encode()).hexdigest()
    assert f"the genesis has the SHA-256 {found}, which is not what the ConfigMap tm-config says" in refused(pod)


def test_no_genesis_is_named(tmp_path: Path) -> None:
    pod = Pod(tmp_path, SMALL)
    (pod.mounts / "genesis" / "genesis.json").unlink()
    assert "the ConfigMap tm-config has no genesis" in refused(pod)
