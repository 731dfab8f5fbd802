# SPDX-License-Identifier: GPL-3.0-or-later
"""A network on somebody else's cluster, by a user who has rights in one namespace alone: those that the guide names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tree
import yaml
from explained import failure, story
from surroundings import CLUSTER, User

NAMESPACE = "tenant"
GUIDE = tree.ROOT / "docs" / "docsite" / "rst" / "guide_existing.rst"


def role() -> Any:
    """The one that the guide shows."""
    text = GUIDE.read_text(encoding="utf-8").replace("my-namespace", NAMESPACE)
    (found,) = [block for block in re.findall(r"yaml\n\n((?:  .*\n|\n)+)", text) if "kind: Role" in block]
    return yaml.safe_load(found)


@pytest.fixture(scope="module")
def tenant(user: User, clone: Path, cluster: None) -> Iterator[str]:
    """A namespace and its user, who may do nothing yet; gives make's arguments."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    account = {"kind": "ServiceAccount", "name": "deployer", "namespace": NAMESPACE}
    reference = {"kind": "Role", "name": "cometbft", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"kind": "RoleBinding", "metadata": {"name": "cometbft", "namespace": NAMESPACE}}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": NAMESPACE}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", **binding, "roleRef": reference, "subjects": [account]},
    ]
    apply(user, *objects)
    theirs = yaml.safe_load(user.kubeconfig.read_text(encoding="utf-8"))
    (server,) = [item["cluster"] for item in theirs["clusters"] if item["name"] == CLUSTER]
    token = user.kubectl(f"-n {NAMESPACE} create token deployer").output.strip()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "company", "cluster": server}],
        "contexts": [{"name": "company", "context": {"cluster": "company", "user": "deployer"}}],
        "users": [{"name": "deployer", "user": {"token": token}}],
    }
    kubeconfig = user.home / "company"
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    kubeconfig.chmod(0o600)
    network = {
        "mintnet_cluster": "company",
        "mintnet_kubeconfig": str(kubeconfig),
        "mintnet_context": "company",
        "cometbft_network": NAMESPACE,
        "cometbft_nodes": 4,
    }
    file = user.home / "company.yml"
    file.write_text(yaml.safe_dump(network), encoding="utf-8")
    yield f"NETWORK={file}"
    user.kubectl(f"delete namespace {NAMESPACE}")
    for path in (kubeconfig, file):
        path.unlink()


def apply(user: User, *objects: Any) -> None:
    file = user.home / "objects.yml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    user.kubectl(f"apply -f {file}")
    file.unlink()


def test_too_few_rights_are_named_before_anything_is_made(user: User, clone: Path, tenant: str) -> None:
    told = story(user.run(f"make create {tenant}", clone, code=1).output)["why"]
    assert "the user of context company may not, in namespace tenant: get list create patch delete configmaps" in told
    assert "create pods/proxy" in told
    assert user.objects(NAMESPACE) == {
        "ConfigMap/kube-root-ca.crt": user.objects(NAMESPACE)["ConfigMap/kube-root-ca.crt"]
    }


def test_quota_that_is_too_small_is_named(user: User, clone: Path, tenant: str) -> None:
    """It is seen where the user may look at quotas."""
    see = {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["list"]}
    quota = {"kind": "ResourceQuota", "metadata": {"name": "company", "namespace": NAMESPACE}}
    given = role()
    apply(
        user,
        {**given, "rules": [*given["rules"], see]},
        {"apiVersion": "v1", **quota, "spec": {"hard": {"pods": "1"}}},
    )
    try:
        failed = failure(user, f"make create {tenant}", clone)
    finally:
        user.kubectl(f"-n {NAMESPACE} delete resourcequota company")
    failed.says("quota company of namespace tenant allows 1 of pods, of which 0 are used, and 4 nodes need 4")


def test_network_of_a_user_of_one_namespace(user: User, clone: Path, tenant: str) -> None:
    apply(user, role())
    run = user.run(f"make create {tenant}", clone)
    assert "not verified" in run.output
    assert "storage classes" in run.output
    user.agree(NAMESPACE)
    assert user.run(f"make status {tenant}", clone).code == 0
    user.run(f"make tx {tenant} TX='seen=there'", clone)
    assert {user.read(node, "seen", NAMESPACE) for node in ("tm-0", "tm-1", "tm-2", "tm-3")} == {"there"}
    assert "5 accepted" in user.run(f"make transact {tenant} ARGS='-e cometbft_transact_count=5'", clone).output
    assert "executed block" in user.run(f"make logs {tenant} NODE=tm-1", clone).output
    pods = user.pods(NAMESPACE)
    assert user.run(f"make create {tenant}", clone).changed == 0
    assert user.pods(NAMESPACE) == pods


def test_what_was_not_ours_stays(user: User, clone: Path, tenant: str) -> None:
    run = user.run(f"make destroy-cluster {tenant} CONFIRM=yes", clone, code=1)
    assert "which we did not make" in run.output
    user.run(f"make destroy {tenant} CONFIRM=yes", clone)
    assert not user.get("pods", NAMESPACE)
    assert not user.get("persistentvolumeclaims", NAMESPACE)
    assert user.kubectl(f"get namespace {NAMESPACE} -o name").output.strip() == f"namespace/{NAMESPACE}"
    assert user.run(f"make destroy {tenant} CONFIRM=yes", clone).changed == 0
