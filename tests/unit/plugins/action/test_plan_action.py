# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _minikube_drivers

Act = t.Callable[..., dict[str, t.Any]]


def arguments(tmp_path: Path, **more: t.Any) -> dict[str, t.Any]:
    return {"cluster": "mintnet", "home": str(tmp_path), "kubeconfig": str(tmp_path / "config"), **more}


def test_plan_is_a_fact(act: Act, tmp_path: Path) -> None:
    result = act("plan", arguments(tmp_path, machines=["m1"]))
    assert result["changed"] is False
    assert result["ansible_facts"] == {
        "mintnet_plan": {
            "provider": "kubeadm",
            "local": False,
            "reason": "no context named, machines listed: built from source",
            "minutes": "about 20 min once",
            "cluster": "mintnet",
            "kubeconfig": str(tmp_path / "config"),
            "context": "mintnet",
            "cluster_dir": str(tmp_path / "clusters" / "mintnet"),
            "exists": False,
        }
    }


def test_record_and_kubeconfig_are_read(act: Act, tmp_path: Path) -> None:
    (tmp_path / "clusters" / "mintnet").mkdir(parents=True)
    (tmp_path / "clusters" / "mintnet" / "cluster.yml").write_text(
        "{provider: existing, context: a, kubeconfig: /somewhere, local: false}"
    )
    plan = act("plan", arguments(tmp_path))["ansible_facts"]["mintnet_plan"]
    assert (plan["provider"], plan["context"], plan["kubeconfig"]) == ("existing", "a", "/somewhere")
    (tmp_path / "config").write_text("contexts: [{name: b}]")
    plan = act("plan", arguments(tmp_path, context="b"))["ansible_facts"]["mintnet_plan"]
    assert (plan["context"], plan["kubeconfig"]) == ("b", str(tmp_path / "config"))


def test_refusal_says_what_to_do(act: Act, tmp_path: Path) -> None:
    result = act("plan", arguments(tmp_path, context="c"))
    assert result["failed"] is True
    assert (
        result["msg"] == f"Choosing the cluster: mintnet_context = 'c': there is no context c in {tmp_path / 'config'}"
    )
    assert "-e mintnet_kubeconfig=FILE" in result["hint"]
    assert "ansible_facts" not in result


def test_where_none_is_needed_none_is_chosen(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what could make one is looked for."""
    monkeypatch.setattr(_minikube_drivers, "at_hand", lambda: pytest.fail("nobody asked for a driver"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    plan = act("plan", arguments(tmp_path, required=False))["ansible_facts"]["mintnet_plan"]
    assert (plan["provider"], plan["context"], plan["exists"]) == ("", "", False)
    (tmp_path / "config").write_text("contexts: [{name: b}]")
    plan = act("plan", arguments(tmp_path, required=False, context="b"))["ansible_facts"]["mintnet_plan"]
    assert (plan["provider"], plan["context"], plan["exists"]) == ("existing", "b", True)
    assert act("plan", arguments(tmp_path, required=False, context="c"))["failed"] is True


def test_nothing_is_written(act: Act, tmp_path: Path) -> None:
    act("plan", arguments(tmp_path, machines=["m1"]))
    assert list(tmp_path.iterdir()) == []


def test_unknown_provider(act: Act, tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="auto, existing, kubeadm"):
        act("plan", arguments(tmp_path, provider="gke"))
