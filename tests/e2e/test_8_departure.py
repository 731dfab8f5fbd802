# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines come and go under a network of two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from surroundings import Run, User

pytestmark = pytest.mark.long

TWO = "-e mintnet_machines=2 -e cometbft_nodes=2"
LIST = """
import http.client, json, ssl
pki = "/etc/kubernetes/pki/etcd/"
context = ssl.create_default_context(cafile=pki + "ca.crt")
context.load_cert_chain(pki + "healthcheck-client.crt", pki + "healthcheck-client.key")
connection = http.client.HTTPSConnection("127.0.0.1", 2379, context=context)
connection.request("POST", "/v3/cluster/member/list", "{}")
print(json.dumps([member["name"] for member in json.load(connection.getresponse())["members"]]))
"""


def create(user: User, clone: Path, options: str, *, confirm: bool = True, code: int = 0) -> Run:
    return user.run(f"make create ARGS='{options}'{' CONFIRM=yes' if confirm else ''}", clone, code=code)


def said(run: Run) -> str:
    """The output without the story's folding of lines."""
    return " ".join(run.output.split())


def machines(user: User) -> list[str]:
    return sorted(node["metadata"]["name"] for node in user.get("nodes"))


def members(user: User) -> list[str]:
    """Of etcd, by its own word and by the API's."""
    pods = [pod["metadata"]["name"] for pod in user.get("pods -l component=etcd", "kube-system")]
    names = sorted(json.loads(user.inside("python3 -", LIST.encode())))
    assert sorted(pods) == [f"etcd-{name}" for name in names]
    return names


def of_podman(user: User) -> list[str]:
    """Containers and volumes of the third machine."""
    found = user.run("podman ps --all --format '{{.Names}}'; podman volume ls --format '{{.Name}}'", user.home).output
    return [name for name in found.split() if name.startswith(f"{user.cluster}-3")]


def test_two_machines_and_two_validators(user: User, clone: Path) -> None:
    create(user, clone, TWO)
    assert machines(user) == [f"{user.cluster}-{number}" for number in (1, 2)]
    user.agree()


def test_a_node_comes_and_goes(user: User, clone: Path) -> None:
    before = user.pods()
    create(user, clone, f"{TWO} -e mintnet_machines=3")
    assert machines(user) == [f"{user.cluster}-{number}" for number in (1, 2, 3)]
    check = create(user, clone, f"{TWO} --check", confirm=False)
    assert f"{user.cluster}-3 (node) would be removed" in said(check)
    assert check.changed > 0
    refused = create(user, clone, TWO, confirm=False, code=1)
    assert f"Remove {user.cluster}-3 (node) from cluster {user.cluster}?" in said(refused)
    assert len(machines(user)) == 3
    run = create(user, clone, TWO)
    user.note(f"a node has left in {run.seconds:.0f} s")
    assert machines(user) == [f"{user.cluster}-{number}" for number in (1, 2)]
    assert of_podman(user) == []
    assert user.pods() == before
    user.agree()
    assert create(user, clone, TWO, confirm=False).changed == 0


def test_a_node_that_is_gone_for_good_goes_without_being_reached(user: User, clone: Path) -> None:
    before = user.pods()
    create(user, clone, f"{TWO} -e mintnet_machines=3")
    lost = f"{user.cluster}-3"
    user.run(f"podman kill {lost}; podman rm --force {lost}", user.home)
    run = create(user, clone, TWO)
    assert f"{lost} (node, gone for good) is removed" in said(run)
    assert machines(user) == [f"{user.cluster}-{number}" for number in (1, 2)]
    assert user.pods() == before
    user.agree()
    assert create(user, clone, TWO, confirm=False).changed == 0


def test_control_planes_come_and_go(user: User, clone: Path) -> None:
    """From one to three is not possible on these machines: the second one is a node, with a validator on it."""
    refused = create(user, clone, f"{TWO} -e mintnet_control_planes=2", code=1)
    assert f"it is a node of the cluster {user.cluster}" in said(refused)
    assert "changed 0" in refused.output
    user.run("make destroy-cluster CONFIRM=yes", clone)
    two = f"{TWO} -e mintnet_control_planes=2"
    create(user, clone, two)
    before = user.pods()
    create(user, clone, f"{TWO} -e mintnet_machines=3 -e mintnet_control_planes=3")
    assert members(user) == [f"{user.cluster}-{number}" for number in (1, 2, 3)]
    run = create(user, clone, two)
    user.note(f"a control plane has left in {run.seconds:.0f} s")
    assert members(user) == [f"{user.cluster}-{number}" for number in (1, 2)]
    assert user.pods() == before
    assert of_podman(user) == []
    user.agree()
    assert create(user, clone, two, confirm=False).changed == 0


def test_a_machine_with_a_validators_volume_stays(user: User, clone: Path) -> None:
    nodes = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in user.get("pods -l tm=tm")}
    (held,) = [node for node, place in nodes.items() if place == f"{user.cluster}-2"]
    refused = create(user, clone, "-e mintnet_machines=1 -e cometbft_nodes=2", code=1)
    assert f"holds volumes of network mintnet, on its own disk: {held} (a validator, with its signing state)" in said(
        refused
    )
    assert f"make recover NODE={held}" in said(refused)
    assert machines(user) == [f"{user.cluster}-{number}" for number in (1, 2)]
    assert not any(node["spec"].get("unschedulable") for node in user.get("nodes"))
    user.agree()


def test_nobody_has_signed_twice(user: User) -> None:
    user.nobody_signed_twice()


def test_the_cluster_goes_without_a_trace(user: User, clone: Path) -> None:
    user.run("make destroy-cluster CONFIRM=yes", clone)
