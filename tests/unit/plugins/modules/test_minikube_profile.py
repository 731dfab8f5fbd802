# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile from nothing to nothing, with a stand-in for minikube that keeps its state in files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _minikube_drivers, _minikube_podman
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube_drivers import Host
from ansible_collections.mintnet.kubernetes.plugins.modules import minikube_profile

PROFILE = {
    "Name": "mintnet",
    "Config": {
        "Driver": "docker",
        "CPUs": 2,
        "Memory": 4096,
        "DiskSize": 20000,
        "KubernetesConfig": {"KubernetesVersion": "v1.36.3", "ContainerRuntime": "containerd"},
        "Nodes": [{}],
    },
}
RUNS = {"Host": "Running", "Kubelet": "Running", "APIServer": "Running", "Kubeconfig": "Configured"}
SCRIPT = """\
#!/bin/sh
cd {folder}
echo "$1 $2" >>log
case "$1 $2" in
  profile*) [ -e made ] && cat profiles || echo '{{"invalid": [], "valid": []}}' ;;
  status*) [ -e runs ] && cat status || exit 7 ;;
  start*) touch made runs; if [ -e killed ]; then rm killed; exit 80; fi ;;
  "image ls") [ -e loaded ] && echo '[{{"repoTags": ["app:1"]}}]' || echo '[]' ;;
  "image load") touch loaded ;;
  "addons list") cat addons ;;
  "addons enable") sed '/"'$3'"/s/disabled/enabled/' addons >new && mv new addons ;;
  delete*) rm -f made runs loaded ;;
esac
"""


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "profiles").write_text(json.dumps({"invalid": [], "valid": [PROFILE]}))
    (tmp_path / "status").write_text(json.dumps(RUNS))
    known = {name: {"Status": "disabled"} for name in ("headlamp", "metrics-server")}
    (tmp_path / "addons").write_text(json.dumps(known, indent=0).replace('{\n"Status"', '{"Status"'))
    binary = tmp_path / "minikube"
    binary.write_text(SCRIPT.format(folder=tmp_path))
    binary.chmod(0o755)

    @contextlib.contextmanager
    def nothing() -> Iterator[dict[str, str]]:
        yield {}

    host = Host("Linux", False, 2, 8000, frozenset({"docker"}), lambda _command: True)
    monkeypatch.setattr(_minikube_drivers, "look", lambda: host)
    monkeypatch.setattr(_minikube_podman, "surroundings", nothing)
    given = {
        "name": "mintnet",
        "binary": str(binary),
        "home": str(tmp_path),
        "kubeconfig": str(tmp_path / "kubeconfig"),
        "kubernetes_version": "1.36.3",
        "images": {"app:1": str(tmp_path / "app.tar")},
        "base": None,
    }
    spec = minikube_profile.SPEC["argument_spec"]
    return {**{name: option.get("default") for name, option in spec.items()}, **given}


def log(params: dict[str, Any]) -> list[str]:
    return [line.split()[0] for line in (Path(params["home"]) / "log").read_text().splitlines()]


def test_four_runs(params: dict[str, Any]) -> None:
    told: list[str] = []
    checked = minikube_profile.run(params, True)
    assert (checked["changed"], checked["driver"]) == (True, "docker")
    assert checked["did"] == ["would be made with the driver docker, the first that works here", "would load app:1"]
    assert not (Path(params["home"]) / "made").exists()
    made = minikube_profile.run(params, False, told.append)
    assert made["did"] == ["made with the driver docker", "loaded app:1"]
    assert told == ["made with the driver docker, the first that works here"]
    for check in (True, False):
        again = minikube_profile.run({**params, "ours": True}, check)
        assert (again["changed"], again["did"]) == (False, [])


def test_profile_that_was_stopped(params: dict[str, Any]) -> None:
    minikube_profile.run(params, False)
    (Path(params["home"]) / "runs").unlink()
    assert minikube_profile.run({**params, "ours": True}, False)["did"] == ["started with the driver docker"]


def test_profile_whose_first_start_did_not_end_is_made_anew(params: dict[str, Any]) -> None:
    """Even where it seems to run, and whatever it is like: nothing was on it yet."""
    (Path(params["home"]) / "killed").touch()
    with pytest.raises(MintnetError, match="exit code 80"):
        minikube_profile.run(params, False)
    ours = {**params, "ours": True, "memory": 5000}
    why = "the profile's, since its first start did not come to its end"
    assert minikube_profile.run(ours, True)["did"][0] == f"would be made anew with the driver docker, {why}"
    told: list[str] = []
    made = minikube_profile.run(ours, False, told.append)
    assert (made["did"][0], told[0]) == ("made anew with the driver docker", f"made anew with the driver docker, {why}")
    assert log(params).count("delete") == 1
    assert minikube_profile.run({**params, "ours": True}, False)["changed"] is False
    # One that was whole is only started again, however that start ends.
    for name, present in (("runs", False), ("killed", True)):
        path = Path(params["home"]) / name
        path.touch() if present else path.unlink()
    with pytest.raises(MintnetError, match="exit code 80"):
        minikube_profile.run({**params, "ours": True}, False)
    assert minikube_profile.run({**params, "ours": True}, False)["changed"] is False
    assert log(params).count("delete") == 1


def test_half_made_profile_is_removed_whole(params: dict[str, Any]) -> None:
    home = Path(params["home"])
    (home / "killed").touch()
    with pytest.raises(MintnetError):
        minikube_profile.run(params, False)
    # As after a kill before minikube had written what it keeps of it.
    (home / "made").unlink()
    gone = {**params, "state": "absent"}
    assert minikube_profile.run(gone, False)["changed"] is True
    assert minikube_profile.run(gone, False)["changed"] is False
    assert not list((home / ".minikube").glob("*making"))


def test_profile_of_somebody_else_is_refused(params: dict[str, Any]) -> None:
    (Path(params["home"]) / "made").touch()
    with pytest.raises(MintnetError, match="there is one, which we did not make"):
        minikube_profile.run(params, False)
    assert set(log(params)) == {"profile"}


def test_difference_is_a_choice(params: dict[str, Any]) -> None:
    minikube_profile.run(params, False)
    other = {**params, "ours": True, "memory": 5000}
    with pytest.raises(MintnetError, match="memory in MiB: 4096, wanted 5000"):
        minikube_profile.run(other, False)
    kept = minikube_profile.run({**other, "on_drift": "keep"}, False)
    assert (kept["changed"], kept["drift"]) == (False, ["memory in MiB: 4096, wanted 5000"])
    assert "delete" not in log(params)
    assert minikube_profile.run({**other, "on_drift": "recreate"}, True)["did"][0].startswith("would be made anew")
    assert "delete" not in log(params)
    anew = minikube_profile.run({**other, "on_drift": "recreate"}, False)
    assert anew["did"] == ["made anew with the driver docker", "loaded app:1"]
    assert log(params).count("delete") == 1


def test_addons(params: dict[str, Any]) -> None:
    wanted = {**params, "addons": ["metrics-server"]}
    assert minikube_profile.run(wanted, True)["did"][-1] == "would enable the addon metrics-server"
    assert minikube_profile.run(wanted, False)["did"][-1] == "enabled the addon metrics-server"
    assert minikube_profile.run({**wanted, "ours": True}, False)["changed"] is False
    more = {**wanted, "ours": True, "addons": ["metrics-server", "headlamp"]}
    assert minikube_profile.run(more, True)["did"] == ["would enable the addon headlamp"]
    assert minikube_profile.run(more, False)["did"] == ["enabled the addon headlamp"]
    assert log(params).count("start") == 1


def test_all_faults_before_anything_is_made(params: dict[str, Any]) -> None:
    with pytest.raises(FaultsError) as raised:
        minikube_profile.run({**params, "cpus": 1, "memory": 100, "addons": ["metric-server"]}, False)
    assert len(raised.value.faults) == 3
    assert raised.value.faults[-1] == ("addons: this minikube has no metric-server; did you mean metrics-server?")
    assert set(log(params)) == {"profile", "addons"}


def test_absent(params: dict[str, Any]) -> None:
    gone = {**params, "state": "absent"}
    assert minikube_profile.run(gone, False)["changed"] is False
    minikube_profile.run(params, False)
    assert minikube_profile.run(gone, True) == {"changed": True, "did": ["deleted the profile mintnet"]}
    assert minikube_profile.run(gone, False)["changed"] is True
    assert minikube_profile.run(gone, False)["changed"] is False
