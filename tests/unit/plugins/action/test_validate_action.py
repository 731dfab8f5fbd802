# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from ansible.template import trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.action import validate

Act = t.Callable[..., dict[str, t.Any]]


class HostVars(dict[str, dict[str, t.Any]]):
    """What the action uses of Ansible's own."""

    def raw_get(self, host: str) -> dict[str, t.Any]:
        return self[host]


@pytest.fixture(autouse=True)
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller of a unit test need not have what a run needs."""
    monkeypatch.setattr(validate, "PACKAGES", {})
    monkeypatch.setattr(validate, "COLLECTIONS", ())


def test_sound_variables_pass(act: Act) -> None:
    result = act("validate", {}, {"mintnet_machines": "1", "mintnet_provider": "auto", "other": 1})
    assert (result["changed"], result["faults"], "failed" in result) == (False, [], False)


def test_all_faults_stand_in_one_message(act: Act) -> None:
    result = act("validate", {}, {"mintnet_machines": 0, "mintnet_provider": "gke", "mintnet_machine_count": 1})
    assert result["failed"] is True
    assert len(result["faults"]) == 3
    assert result["msg"].splitlines() == [
        "Checking the variables and the controller: 3 faults; nothing was touched",
        *(f"- {fault}" for fault in result["faults"]),
    ]
    assert "ansible-doc" in result["hint"]


def test_values_are_what_templates_come_to(act: Act) -> None:
    variables = {
        # Builds on a default of another role, which this play does not have.
        "mintnet_cluster": trust_as_template("{{ kubeadm_version | replace('.', '-') }}"),
        "machines_count": trust_as_template("{{ 1 - 1 }}"),
        "kubeadm_cluster": trust_as_template("{{ no_such_variable }}"),
        # Told by a fact that comes later.
        "machines_home": trust_as_template("{{ mintnet_plan.cluster_dir }}"),
        "machines_subnet": trust_as_template("{{ ansible_default_ipv4.network }}"),
    }
    assert act("validate", {}, variables)["faults"] == [
        "kubeadm_cluster: its value cannot be told: 'no_such_variable' is undefined",
        "machines_count = 0: must be 1 or more",
    ]


def test_broken_template_is_a_fault(act: Act) -> None:
    faults = act("validate", {}, {"mintnet_cluster": trust_as_template("{{ broken ")})["faults"]
    assert len(faults) == 1
    assert faults[0].startswith("mintnet_cluster: its value cannot be told: ")


def test_variables_of_machines_are_checked(act: Act) -> None:
    hosts = HostVars(
        m1={"containerd_image": [], "kubeadm_endpoint_port": 0},
        m2={"containerd_image": [], "containerd_import_jobs": trust_as_template("{{ later }}")},
    )
    result = act("validate", {"machines": ["m1", "m2"]}, {"hostvars": hosts})
    assert result["faults"] == [
        "containerd_image: there is no such variable; did you mean containerd_images? (on m1, m2)",
        "kubeadm_endpoint_port = 0: must be 1 to 65535 (on m1)",
    ]


def test_names_that_resemble_ours_are_a_warning(act: Act, capsys: pytest.CaptureFixture[str]) -> None:
    assert act("validate", {}, {"mintent_machines": 1})["faults"] == []
    assert "mintent_machines is not a variable of this collection; was mintnet_machines meant?" in " ".join(
        capsys.readouterr().err.split()
    )


def test_what_the_controller_lacks_is_named_with_its_remedy(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "PACKAGES", {"pyyaml": "yaml", "no-such": "no_such_module"})
    monkeypatch.setattr(validate, "COLLECTIONS", ("mintnet.kubernetes", "no.such", "mintnet.such"))
    requirements = Path(validate.__file__).resolve().parents[2] / "requirements.txt"
    result = act("validate", {}, {})
    assert "hint" not in result
    assert result["faults"] == [
        f"Python packages missing: no-such; install them with: {sys.executable} -m pip install -r {requirements}",
        "collections missing: no.such, mintnet.such; install them with: ansible-galaxy collection install no.such "
        f"mintnet.such, or with the package ansible: {sys.executable} -m pip install -r {requirements}",
    ]
    assert requirements.exists()
