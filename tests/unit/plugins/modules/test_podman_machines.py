# SPDX-License-Identifier: GPL-3.0-or-later
"""The module through main(), with a podman that only tells what it has; tests/e2e has the real one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import (
    _machines,
    _machines_host,
    _machines_plan,
    _machines_ssh,
    _podman,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_host import Host
from ansible_collections.mintnet.kubernetes.plugins.module_utils._podman import PodmanError
from ansible_collections.mintnet.kubernetes.plugins.modules import podman_machines

Run = Callable[..., dict[str, Any]]
ALIVE = 4711


class Podman:
    """What it is asked, and what it has; whatever would change something fails the test."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        self.has: dict[str, list[dict[str, Any]]] = {"ps": [], "network": [], "volume": [], "images": []}
        self.asked: list[str] = []

    def __call__(self, doing: str, *command: str, **_options: Any) -> Any:
        if command[0] != "podman":
            raise PodmanError(f"{doing}: {command[0]} is not for this test")
        if command[1] == "info":
            return subprocess.CompletedProcess(command, 0, f"{self.storage}\n", "")
        self.asked.append(command[1])
        if command[1] not in self.has or "json" not in command:
            raise PodmanError(f"{doing}: podman {' '.join(command)} is not for this test")
        return subprocess.CompletedProcess(command, 0, json.dumps(self.has[command[1]]), "")

    def add_machine(self, number: int, **other: Any) -> None:
        labels = {
            "cluster": "trial",
            "machine": str(number),
            "address": f"10.89.9.{10 + number}",
            "subnet": "10.89.9.0/24",
            "shared-dir": "",
            "host-key": f"ssh-ed25519 KEY{number}",
            "rootfs": "aa",
        }
        self.has["ps"].append(
            {
                "Id": f"id{number}",
                "Names": [f"trial-{number}"],
                "State": "running",
                "StartedAt": 1795480069,
                "Pid": ALIVE,
                "ImageID": "0377d2",
                "Image": "sha256:0377d2",
                "Labels": {f"io.mintnet.{name}": value for name, value in labels.items()},
                "Networks": ["trial"],
                **other,
            }
        )


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Podman:
    fake = Podman(tmp_path / "volumes")
    host = Host("Linux", root=True, cpus=2, memory_mib=8000, cgroup_version=1, can_raise_limits=False)
    monkeypatch.setattr(_podman, "attempt", fake)
    monkeypatch.setattr(_machines_host, "attempt", fake)
    monkeypatch.setattr(_machines_host, "look", lambda: host)
    monkeypatch.setattr(_machines_host, "kernel_faults", lambda _host: [])
    monkeypatch.setattr(_machines_host, "read", lambda _path: "MemAvailable: 99999999 kB\n")
    monkeypatch.setattr(_machines_host, "routes", lambda _table: [])
    monkeypatch.setattr(_machines_host, "disk_faults", lambda _new, _folder: [])
    monkeypatch.setattr(_machines_plan, "process_lives", lambda pid: pid == ALIVE)
    monkeypatch.setattr(_machines_ssh.Access, "answers", lambda _self, _address: True)
    monkeypatch.setattr(_machines_ssh, "CONTROL", tmp_path / "run")
    monkeypatch.setattr(_machines, "which", lambda command: f"/usr/bin/{command}")
    return fake


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "rootfs.tar").touch()
    return {
        "cluster": "trial",
        "home": str(tmp_path / "home"),
        "subnet": "10.89.9.0/24",
        "rootfs": {"path": str(tmp_path / "rootfs.tar"), "sha256": "aa"},
    }


@pytest.fixture
def keys(wanted: dict[str, Any]) -> Path:
    """What an earlier run left for the machines 1 and 2."""
    folder = Path(wanted["home"]) / "ssh"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "id_ed25519").touch(mode=0o600)
    (folder / "known_hosts").write_text("10.89.9.11 ssh-ed25519 KEY1\n10.89.9.12 ssh-ed25519 KEY2\n")
    return folder


def test_two_questions_where_everything_runs(run: Run, podman: Podman, wanted: dict[str, Any], keys: Path) -> None:
    podman.add_machine(1)
    podman.add_machine(2)
    result = run(podman_machines.main, {**wanted, "count": 2})
    assert (result["changed"], result["ready"], result["notes"]) == (False, True, [])
    assert podman.asked == ["ps", "volume"]
    assert [one["name"] for one in result["machines"]] == ["trial-1", "trial-2"]
    connection = result["machines"][1]["connection"]
    assert connection["ansible_host"] == "10.89.9.12"
    assert connection["ansible_ssh_private_key_file"] == str(keys / "id_ed25519")
    assert result["diff"]["before"] == result["diff"]["after"]


def test_what_a_removal_left_that_was_cut_off_is_too_much(
    run: Run, podman: Podman, wanted: dict[str, Any], keys: Path
) -> None:
    podman.add_machine(1)
    podman.add_machine(2)
    ours = {"io.mintnet.cluster": "trial"}
    podman.has["volume"] = [
        {"Name": f"trial-{number}-etcd", "Mountpoint": f"/v/trial-{number}-etcd/_data", "Labels": labels}
        for number, labels in ((2, ours), (4, ours), (5, None))
    ]
    result = run(podman_machines.main, {**wanted, "count": 2})
    assert (result["changed"], result["surplus"]) == (False, ["trial-4"])
    removal = {"cluster": "trial", "home": wanted["home"], "state": "absent", "above": 2}
    assert run(podman_machines.main, removal, check=True)["removed"] == ["volume trial-4-etcd"]


def test_check_mode_tells_and_touches_nothing(run: Run, podman: Podman, wanted: dict[str, Any], tmp_path: Path) -> None:
    podman.add_machine(2, State="exited", Pid=0)
    before = sorted(tmp_path.rglob("*"))
    result = run(podman_machines.main, {**wanted, "count": 3}, check=True)
    assert (result["changed"], result["ready"], result["machines"]) == (True, False, [])
    assert result["diff"] == {
        "before": {"trial-1": "absent", "trial-2": "exited", "trial-3": "absent"},
        "after": {"trial-1": "running", "trial-2": "running", "trial-3": "running"},
    }
    assert sorted(tmp_path.rglob("*")) == before


def test_known_hosts_that_are_lost_are_a_change(run: Run, podman: Podman, wanted: dict[str, Any], keys: Path) -> None:
    podman.add_machine(1)
    (keys / "known_hosts").unlink()
    result = run(podman_machines.main, wanted, check=True)
    assert (result["changed"], result["ready"]) == (True, False)


def test_running_but_silent_is_not_ready(
    run: Run, podman: Podman, wanted: dict[str, Any], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman.add_machine(1)
    podman.add_machine(2)
    monkeypatch.setattr(_machines_ssh.Access, "answers", lambda _self, address: address != "10.89.9.12")
    result = run(podman_machines.main, {**wanted, "count": 2}, check=True)
    assert (result["changed"], result["ready"]) == (False, False)


def test_every_fault_in_one_message(run: Run, podman: Podman, wanted: dict[str, Any], tmp_path: Path) -> None:
    podman.has["ps"].append({**foreign_container(), "Names": ["trial-1"]})
    podman.has["network"].append({"name": "theirs", "subnets": [{"subnet": "10.89.0.0/16"}], "labels": None})
    (tmp_path / "rootfs.tar").unlink()
    result = run(podman_machines.main, wanted)
    assert result["failed"]
    assert len(result["faults"]) == 3
    for part in ("container trial-1 that was not made", "network theirs (10.89.0.0/16)", "rootfs.tar is not there"):
        assert part in result["msg"]


def test_lacking_packages_are_named(
    run: Run, podman: Podman, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {**wanted, "commands": {"no-such-command": "some-package"}}
    assert run(podman_machines.main, wanted, check=True)["missing_packages"] == ["some-package"]
    # Where they cannot be installed they are a fault at once.
    monkeypatch.setattr(_machines, "which", lambda _command: None)
    result = run(podman_machines.main, wanted, check=True)
    assert "apt-get install --no-install-recommends some-package" in result["msg"]


def test_without_root(run: Run, podman: Podman, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host("Linux", root=False, cpus=2, memory_mib=8000, cgroup_version=2, can_raise_limits=True)
    monkeypatch.setattr(_machines_host, "look", lambda: host)
    assert "root is needed" in run(podman_machines.main, wanted, check=True)["msg"]
    assert "root is needed" in run(podman_machines.main, {**wanted, "state": "absent"})["msg"]
    assert "root is needed" in run(podman_machines.main, {**wanted, "state": "known"})["msg"]
    assert podman.asked == []


def test_known_are_those_that_run(run: Run, podman: Podman, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first is lost, nothing more fits on the host, and the subnet is not the usual one: it only looks."""
    podman.add_machine(2)
    podman.add_machine(3, State="exited", Pid=0)
    podman.has["ps"].append(foreign_container())
    monkeypatch.setattr(_machines_host, "read", lambda _path: "MemAvailable: 0 kB\n")
    monkeypatch.setattr(_machines_host, "disk_faults", lambda _new, _folder: ["no disk"])
    asked = {"cluster": "trial", "home": str(tmp_path / "home"), "state": "known"}
    result = run(podman_machines.main, asked)
    assert result["changed"] is False
    assert [(one["name"], one["number"], one["did"]) for one in result["machines"]] == [("trial-2", 2, "keep")]
    assert result["machines"][0]["connection"]["ansible_host"] == "10.89.9.12"
    assert result["host"]["cpus"] == 2
    assert podman.asked == ["ps"]
    assert not (tmp_path / "home").exists()
    assert run(podman_machines.main, asked, check=True) == result


def test_known_without_podman(run: Run, podman: Podman, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_machines, "which", lambda _command: None)
    result = run(podman_machines.main, {"cluster": "trial", "home": str(tmp_path), "state": "known"})
    assert (result["changed"], result["machines"], podman.asked) == (False, [], [])


def foreign_container() -> dict[str, Any]:
    return {
        "Id": "theirs",
        "Names": ["theirs"],
        "State": "running",
        "StartedAt": 1,
        "Pid": ALIVE,
        "ImageID": "beef",
        "Image": "debian",
        "Labels": None,
        "Networks": ["trial"],
    }


def test_absent_tells_what_is_ours_alone(run: Run, podman: Podman, wanted: dict[str, Any], keys: Path) -> None:
    podman.add_machine(1)
    label = {"io.mintnet.cluster": "trial"}
    podman.has["ps"].append({**foreign_container(), "Networks": ["theirs"]})
    podman.has["network"] = [{"name": "trial", "labels": label}, {"name": "theirs", "labels": None}]
    podman.has["volume"] = [
        {"Name": name, "Mountpoint": "/v", "Labels": labels} for name, labels in (("trial-1-etcd", label), ("x", None))
    ]
    podman.has["images"] = [{"Id": "sha256:0377d2"}, {"Id": "sha256:beef"}]
    result = run(podman_machines.main, {**wanted, "state": "absent"}, check=True)
    assert result["removed"] == [
        *("container trial-1", "volume trial-1-etcd", "network trial", "image 0377d2"),
        f"folder {keys}",
    ]
    assert result["changed"] is True
    assert keys.is_dir()


def test_absent_finds_what_podman_has_forgotten(run: Run, podman: Podman, wanted: dict[str, Any]) -> None:
    """What a removal that was killed has left; volumes that podman knows, and those of others, are none of it."""
    for name in ("trial-1-containerd", "trial-2-etcd", "trial-1-else", "mytrial-1-etcd", "trial-x-1-etcd"):
        (podman.storage / name).mkdir(parents=True)
    podman.has["volume"] = [{"Name": "trial-2-etcd", "Mountpoint": "/v", "Labels": {"io.mintnet.cluster": "trial"}}]
    result = run(podman_machines.main, {**wanted, "state": "absent"}, check=True)
    assert result["removed"] == ["volume trial-2-etcd", f"folder {podman.storage / 'trial-1-containerd'}"]


def test_absent_refuses_while_others_use_the_network(run: Run, podman: Podman, wanted: dict[str, Any]) -> None:
    podman.has["ps"].append(foreign_container())
    podman.has["network"] = [{"name": "trial", "labels": {"io.mintnet.cluster": "trial"}}]
    result = run(podman_machines.main, {**wanted, "state": "absent"})
    assert "containers of others use it: theirs" in result["msg"]
    assert "podman network disconnect trial" in result["hint"]


def test_absent_of_nothing(run: Run, podman: Podman, wanted: dict[str, Any], tmp_path: Path) -> None:
    podman.has["images"] = [{"Id": "sha256:beef"}]  # of another cluster, which is just being made
    result = run(podman_machines.main, {**wanted, "state": "absent"})
    assert (result["changed"], result["removed"]) == (False, [])
    assert not (tmp_path / "home").exists()


def test_podman_that_outlived_a_restart_is_explained(
    run: Run, podman: Podman, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del podman.has["ps"]
    (tmp_path / "alive").touch()
    monkeypatch.setattr(_machines, "STATE", tmp_path)
    assert "hint" not in run(podman_machines.main, wanted)
    monkeypatch.setattr(_machines_host, "read", lambda _path: "btime 99999999999\n")
    assert "rm -rf /run/libpod" in run(podman_machines.main, wanted)["hint"]


@pytest.mark.parametrize("subnet", ["10.89.9.0", "10.89.9.1/24", "fd00::/64", "here"])
def test_no_subnet(run: Run, podman: Podman, wanted: dict[str, Any], subnet: str) -> None:
    result = run(podman_machines.main, {**wanted, "subnet": subnet})
    assert result["failed"]
