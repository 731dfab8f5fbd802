# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of minikube 1.38.1, from a stand-in that prints what the real one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube import (
    Minikube,
    MinikubeError,
    Wanted,
    drift,
)

WANTED = Wanted(driver="podman", kubernetes_version="1.36.3")
CONFIG: dict[str, Any] = {
    "Name": "mintnet",
    "Driver": "podman",
    "CPUs": 2,
    "Memory": 4096,
    "DiskSize": 20000,
    "KubernetesConfig": {"KubernetesVersion": "v1.36.3", "ContainerRuntime": "containerd"},
    "Nodes": [{"Name": ""}],
}


def minikube(tmp_path: Path, script: str) -> Minikube:
    binary = tmp_path / "minikube"
    binary.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/log\n{script}\n')
    binary.chmod(0o755)
    return Minikube(str(binary), tmp_path, str(tmp_path / "kubeconfig"))


def prints(tmp_path: Path, found: object, code: int = 0) -> Minikube:
    (tmp_path / "out").write_text(json.dumps(found))
    return minikube(tmp_path, f"cat {tmp_path}/out; exit {code}")


def test_profile_as_wanted_does_not_differ() -> None:
    assert drift(CONFIG, WANTED) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Driver": "docker"}, "driver: docker, wanted podman"),
        ({"CPUs": 4}, "cpus: 4, wanted 2"),
        ({"Memory": 5120}, "memory in MiB: 5120, wanted 4096"),
        ({"DiskSize": 10000}, "disk in MiB: 10000, wanted 20000"),
        ({"Nodes": [{}, {}]}, "nodes: 2, wanted 1"),
        (
            {"KubernetesConfig": {"KubernetesVersion": "v1.35.1", "ContainerRuntime": "containerd"}},
            "Kubernetes: v1.35.1, wanted v1.36.3",
        ),
    ],
)
def test_what_minikube_does_not_change_is_named(change: dict[str, Any], said: str) -> None:
    assert drift({**CONFIG, **change}, WANTED) == [said]


def test_profiles(tmp_path: Path) -> None:
    listed = {"invalid": [{"Name": "broken", "Config": None}], "valid": [{"Name": "mintnet", "Config": CONFIG}]}
    one = prints(tmp_path, listed)
    assert one.profile("mintnet") == CONFIG
    assert one.profile("broken") == {}
    assert one.profile("other") is None


@pytest.mark.parametrize(
    ("status", "code", "runs"),
    [
        ({"Host": "Running", "Kubelet": "Running", "APIServer": "Running", "Kubeconfig": "Configured"}, 0, True),
        ({"Host": "Stopped", "Kubelet": "Stopped", "APIServer": "Stopped", "Kubeconfig": "Stopped"}, 7, False),
        (None, 7, False),
        (
            [
                {"Host": "Running", "Kubelet": "Running", "APIServer": "Running", "Kubeconfig": "Configured"},
                {"Host": "Running", "Kubelet": "Running", "APIServer": "Irrelevant", "Worker": True},
            ],
            0,
            True,
        ),
    ],
)
def test_whether_it_runs(tmp_path: Path, status: object, code: int, runs: bool) -> None:
    assert prints(tmp_path, status, code).runs("mintnet") == runs


def event(kind: str, **data: str) -> str:
    return json.dumps({"specversion": "1.0", "type": f"io.k8s.sigs.minikube.{kind}", "data": data})


def test_start_tells_its_steps_and_takes_no_error_of_a_good_start_for_one(tmp_path: Path) -> None:
    lines = [
        event("step", message="Using the podman driver"),
        "not an event",
        event("error", message="The driver should not be used with root privileges."),
        event("step", message="Done!"),
    ]
    (tmp_path / "out").write_text("\n".join(lines))
    told: list[str] = []
    minikube(tmp_path, f"cat {tmp_path}/out").start("mintnet", WANTED, told.append)
    assert told == ["Using the podman driver", "Done!"]
    words = (tmp_path / "log").read_text().split()
    assert words[:3] == ["start", "-p", "mintnet"]
    assert {"--driver=podman", "--kubernetes-version=v1.36.3", "--keep-context=true", "--cni=bridge"} <= set(words)


def test_start_that_fails_has_the_reason_and_the_advice(tmp_path: Path) -> None:
    lines = [
        event("error", message="Failing to connect to a registry"),
        event("error", message="Exiting due to GUEST_PROVISION: no disk", exitcode="80", advice="Try freeing some"),
    ]
    (tmp_path / "out").write_text("\n".join(lines))
    with pytest.raises(MinikubeError) as raised:
        minikube(tmp_path, f"cat {tmp_path}/out; exit 80").start("mintnet", WANTED, lambda _text: None)
    assert "GUEST_PROVISION: no disk (exit code 80)" in str(raised.value)
    assert raised.value.result == {"hint": "Try freeing some"}


def test_only_images_that_lack_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "images").write_text(json.dumps([{"repoTags": ["docker.io/cometbft/cometbft:v0.40.0"]}]))
    after = json.dumps([{"repoTags": ["localhost/mintnet/helper:1"]}])
    script = f"""case "$2" in
  ls) cat {tmp_path}/images ;;
  load) echo '{after}' >{tmp_path}/images ;;
esac"""
    one = minikube(tmp_path, script)
    archives = {"cometbft/cometbft:v0.40.0": tmp_path / "a.tar", "localhost/mintnet/helper:1": tmp_path / "b.tar"}
    assert one.load("mintnet", archives) == ["localhost/mintnet/helper:1"]
    assert "a.tar" not in (tmp_path / "log").read_text()


def test_load_that_loads_nothing_is_noticed(tmp_path: Path) -> None:
    one = minikube(tmp_path, "echo '[]'")
    with pytest.raises(MinikubeError, match="not there afterwards: x:1"):
        one.load("mintnet", {"x:1": tmp_path / "x.tar"})


def test_answer_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(MinikubeError, match="it ended with 3 and said no such thing"):
        minikube(tmp_path, "echo no such thing >&2; exit 3").profile("mintnet")
