# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._plan import (
    Record,
    Situation,
    decide,
    read_contexts,
    read_record,
)

NOTHING = Situation(
    provider="auto",
    cluster="mintnet",
    cluster_dir="/home/.mintnet/clusters/mintnet",
    kubeconfig="/home/.kube/config",
    context="",
    machines=(),
    record=None,
    contexts={"work": False, "other": False},
    system="Linux",
    root=True,
    minikube=False,
    driver=lambda: pytest.fail("nobody needs to know"),
)
MADE = Record(provider="kubeadm", context="mintnet", kubeconfig="/home/first", local=True)
USED = Record(provider="existing", context="work", kubeconfig="/home/second", local=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            {
                "provider": "kubeadm",
                "local": True,
                "reason": "no context named, no machines listed: built from source",
                "minutes": "about 20 min once",
                "kubeconfig": "/home/.kube/config",
                "context": "mintnet",
                "exists": False,
            },
        ),
        (
            {"provider": "kubeadm"},
            {"local": True, "reason": "kubeadm was asked for, no machines listed: built from source"},
        ),
        ({"machines": ("m1",)}, {"provider": "kubeadm", "local": False, "context": "mintnet", "exists": False}),
        ({"machines": ("m1",), "system": "Darwin", "root": False}, {"provider": "kubeadm", "local": False}),
        ({"cluster": "test"}, {"cluster": "test", "context": "test"}),
        (
            {"context": "work"},
            {
                "provider": "existing",
                "local": False,
                "context": "work",
                "exists": True,
                "reason": "context work was named",
            },
        ),
        ({"context": "work", "machines": ("m1",)}, {"provider": "existing"}),
        (
            {"provider": "minikube", "root": False, "machines": ("m1",)},
            {
                "provider": "minikube",
                "local": False,
                "context": "mintnet",
                "exists": False,
                "reason": "minikube was asked for",
            },
        ),
        (
            {"provider": "minikube", "system": "Darwin"},
            {"provider": "minikube", "minutes": "a few minutes once"},
        ),
        (
            {"minikube": True, "driver": lambda: "docker"},
            {
                "provider": "minikube",
                "local": False,
                "context": "mintnet",
                "reason": "no context named, no machines listed, minikube is here and its driver docker works",
            },
        ),
        (
            {"system": "Darwin", "root": False, "driver": lambda: "vfkit"},
            {
                "provider": "minikube",
                "reason": "no context named, no machines listed, minikube can be had and its driver vfkit works",
            },
        ),
        ({"minikube": True, "driver": lambda: ""}, {"provider": "kubeadm", "local": True}),
        ({"minikube": True, "machines": ("m1",)}, {"provider": "kubeadm", "local": False}),
        ({"minikube": True, "provider": "kubeadm"}, {"provider": "kubeadm", "local": True}),
        ({"minikube": True, "context": "work"}, {"provider": "existing"}),
        ({"minikube": True, "record": MADE}, {"provider": "kubeadm"}),
        ({"context": "work", "system": "Darwin", "root": False}, {"provider": "existing"}),
        # A record is sticky, and brings its own kubeconfig.
        (
            {"record": MADE, "contexts": {"mintnet": True}},
            {
                "provider": "kubeadm",
                "local": True,
                "exists": True,
                "kubeconfig": "/home/first",
                "minutes": "about 1 min once all is built",
            },
        ),
        ({"record": MADE, "root": False}, {"provider": "kubeadm", "local": True}),
        ({"record": MADE, "context": "mintnet"}, {"provider": "kubeadm"}),
        (
            {"record": MADE, "machines": ("m1",)},
            {"local": True, "reason": "made by an earlier run, the inventory's machines are left alone"},
        ),
        ({"record": USED}, {"provider": "existing", "context": "work", "reason": "used by an earlier run"}),
        ({"record": USED, "provider": "existing"}, {"provider": "existing", "context": "work"}),
        # The context of a cluster whose record is lost.
        ({"contexts": {"mintnet": True}}, {"provider": "kubeadm", "context": "mintnet", "exists": False}),
        # A cluster that is not ours does not hold back who names another.
        ({"record": USED, "context": "other"}, {"context": "other", "kubeconfig": "/home/.kube/config"}),
    ],
)
def test_chosen(changes: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    plan = dataclasses.asdict(decide(dataclasses.replace(NOTHING, **changes)))
    assert plan.keys() == {
        "provider", "local", "reason", "minutes", "cluster", "kubeconfig", "context", "cluster_dir", "exists"
    }  # fmt: skip
    assert plan["cluster_dir"] == NOTHING.cluster_dir
    assert {name: plan[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"provider": "existing"}, "needs the name of a context", "contexts in /home/.kube/config: work, other"),
        ({"context": "wrk"}, "no context wrk in /home/.kube/config; did you mean work?", "work, other"),
        ({"context": "wrk", "contexts": {}}, "no context wrk", "contexts in /home/.kube/config: none"),
        ({"contexts": {"mintnet": False}}, "would replace the context mintnet", "-e mintnet_context=mintnet"),
        (
            {"contexts": {"mintnet": False}, "machines": ("m1",)},
            "would replace the context mintnet",
            "delete-context mintnet",
        ),
        (
            {"root": False, "driver": lambda: ""},
            "needs root, and this user is not",
            "run it as root, or name a cluster that exists",
        ),
        (
            {"system": "Darwin", "driver": lambda: ""},
            "needs Linux, and this is macOS",
            "inventory's kube_control_plane, or start one of minikube's drivers (docker, vfkit, qemu)",
        ),
        ({"record": MADE, "provider": "existing"}, "provider kubeadm since an earlier run", "-e mintnet_cluster=NAME"),
        ({"record": MADE, "context": "work"}, "mintnet_context = 'work': contradicts", "destroy_cluster"),
        (
            {"record": USED, "provider": "kubeadm"},
            "provider existing since an earlier run",
            "clusters/mintnet/cluster.yml",
        ),
        ({"record": USED, "context": "wrk"}, "no context wrk", "work, other"),
        ({"record": MADE, "provider": "minikube"}, "provider kubeadm since an earlier run", "-e mintnet_cluster=NAME"),
        ({"record": USED, "provider": "minikube"}, "provider existing since an earlier run", "-e mintnet_cluster=NAME"),
        (
            {"provider": "minikube", "contexts": {"mintnet": False}},
            "would replace the context mintnet",
            "-e mintnet_context=mintnet",
        ),
    ],
)
def test_refused(changes: dict[str, t.Any], message: str, hint: str) -> None:
    with pytest.raises(MintnetError) as caught:
        decide(dataclasses.replace(NOTHING, **changes))
    assert str(caught.value).startswith("Choosing the cluster: ")
    assert message in str(caught.value)
    assert hint in caught.value.result["hint"]


def test_a_current_context_is_never_taken(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("current-context: work\ncontexts: [{name: work}]\n")
    plan = decide(dataclasses.replace(NOTHING, kubeconfig=str(kubeconfig), contexts=read_contexts(kubeconfig)))
    assert plan.context == "mintnet"


def test_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "cluster.yml").write_text(
        "provider: kubeadm\ncontext: mintnet\nkubeconfig: /home/first\nlocal: true\nmore: 1\n"
    )
    assert read_record(tmp_path) == MADE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("provider: kubeadm\nlocal: true\nkubeconfig: /x\n", "context is missing"),
        ("a: 1", "provider is missing"),
        (
            "{provider: kubeadmin, context: a, kubeconfig: /x, local: true}",
            "provider = 'kubeadmin': must be existing, kubeadm or minikube; did you mean kubeadm?",
        ),
        ("", "it holds no mapping"),
        ("- a", "it holds no mapping"),
        ("{", "Reading the record of the cluster"),
        ("a: \udc80", "Reading the record of the cluster"),
    ],
)
def test_broken_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cluster.yml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(MintnetError) as caught:
        read_record(tmp_path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_contexts(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    assert read_contexts(kubeconfig) == {}
    kubeconfig.write_text("contexts: null")
    assert read_contexts(kubeconfig) == {}
    mark = "{extensions: [{name: other}, {name: mintnet.io/kubernetes, extension: {cluster: b}}]}"
    kubeconfig.write_text(
        f"contexts: [{{name: a, context: {{cluster: x}}}}, {{name: b, context: {mark}}}, {{name: c}}]"
    )
    assert read_contexts(kubeconfig) == {"a": False, "b": True, "c": False}
    kubeconfig.write_text("users: [s3cret")
    with pytest.raises(MintnetError) as caught:
        read_contexts(kubeconfig)
    assert str(kubeconfig) in str(caught.value)
    assert "s3cret" not in str(caught.value)
