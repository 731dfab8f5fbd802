# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines come and go under a network of two, and one of somebody's own is left as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from surroundings import Run, User, remove, sweep

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
    assert "a control plane is wanted" in said(refused)
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


MACHINE = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [machine]
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.machines
    - ansible.builtin.copy:
        content: "{{ found | dict2items | selectattr('key', 'in', names) | items2dict | to_json }}"
        dest: "{{ lookup('ansible.builtin.env', 'SEEN') }}"
        mode: "0600"
      vars:
        found: "{{ hostvars[groups['kube_control_plane'][0]] }}"
        names:
          - ansible_connection
          - ansible_host
          - ansible_port
          - ansible_user
          - ansible_ssh_private_key_file
          - ansible_ssh_args
          - ansible_ssh_common_args
          - ansible_host_key_checking
          - ansible_control_path
          - ansible_control_path_dir
          - ansible_pipelining
          - ansible_python_interpreter
          - containerd_config_overlay
          - kubeadm_kubelet_overlay
          - kubeadm_proxy_overlay
          - kubeadm_ignored_preflight_errors
"""
FILES = r"""
cd / && find etc usr/local opt run/mintnet var/lib var/cache -xdev \
    \( -path var/lib/dpkg -o -path var/lib/apt -o -path var/cache/apt -o -path var/cache/debconf \
    -o -path var/lib/systemd -o -path var/lib/private -o -path var/lib/containerd \) -prune \
    -o -printf '%M %p ' \( -type f -exec sha256sum {} ';' -o -type l -printf '%l\n' -o -printf '\n' \) | sort
ls -A var/lib/containerd var/lib/etcd var/lib/kubelet
iptables-save 2>/dev/null | grep -E 'KUBE|CNI|mintnet'
ip -o link | grep -E 'cni0|veth'
ip route
systemctl list-unit-files --no-legend '*mintnet*' 'kube*' 'containerd*'
true
"""
"""What a machine has, without its logs and the database of its packages. The three folders are mounts of its own, which
stay; containerd closes its one."""


@pytest.fixture(scope="module")
def somebody(user: User) -> Iterator[User]:
    """Has a machine, which another tool made, and lists it in an inventory."""
    sweep("e2eown")
    owner = User(user.home / "owner", "e2eown", "10.89.76.0/24")
    yield owner
    remove(owner)


def test_a_machine_of_ones_own_is_left_as_it_was(user: User, clone: Path, somebody: User) -> None:
    book, seen = somebody.home / "machine.yml", somebody.home / "machine.json"
    book.write_text(MACHINE, encoding="utf-8")
    ansible = f"{clone}/.venv/bin/ansible-playbook"
    somebody.run(f"{ansible} {book}", clone, SEEN=str(seen))
    # Packages stay: those that the roles would install are there before.
    somebody.inside("apt-get update -q && apt-get install -qy conntrack haproxy iptables socat ethtool")
    before = somebody.inside(FILES)

    hosts: dict[str, Any] = {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}}
    hosts["kube_control_plane"] = {"hosts": {"machine-1": json.loads(seen.read_text(encoding="utf-8"))}}
    inventory = somebody.home / "own"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    own: dict[str, Any] = {
        "INVENTORY": str(inventory),
        "ANSIBLE_INVENTORY": str(inventory),
        "MINTNET_HOME": str(somebody.home / "other"),
    }
    named = "ARGS='-e mintnet_cluster=e2eowned -e cometbft_nodes=1'"
    somebody.run(f"make create {named}", clone, **own)
    assert somebody.inside(FILES) != before

    check = somebody.run(f"make destroy-cluster {named[:-1]} --check'", clone, **own)
    assert "Remove cluster e2eowned with its networks (mintnet) and their volumes from machine-1?" in said(check)
    refused = somebody.run(f"make destroy-cluster {named}", clone, code=1, **own)
    assert "there is no terminal to ask on; nothing was done" in said(refused)
    run = somebody.run(f"make destroy-cluster CONFIRM=yes {named}", clone, **own)
    assert "machine-1 is as it was" in said(run)
    assert somebody.inside(FILES).splitlines() == before.splitlines()
    assert somebody.run(f"make destroy-cluster CONFIRM=yes {named}", clone, **own).changed == 0
