# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster on machines that an inventory lists: a control plane and a node, reached over SSH, and left as they were.

Who made them does not matter to what is tested; here they are containers, made as local machines are.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pages
import pytest
import yaml
from local_machines import ABSENT, MACHINES
from surroundings import User, sweep

pytestmark = pytest.mark.long

HOSTS = "e2ehosts"
CREATE, STATUS, RENEW, SNAPSHOT, DESTROY = (line for line in pages.page("machines") if "INVENTORY=my" in line)
SIZE = "-e cometbft_nodes=2"

PRESENT = (
    MACHINES
    + """\
    - ansible.builtin.copy:
        content: "{{ dict(names | zip(names | map('extract', hostvars))) | to_json }}"
        dest: "{{ seen }}"
        mode: "0600"
      vars:
        names: "{{ groups['all'] | difference(['localhost']) }}"
"""
)
# What a container asks of the roles; that it reads the controller's cache is not among it.
SPECIAL = (
    "containerd_config_overlay",
    "kubeadm_ignored_preflight_errors",
    "kubeadm_kubelet_overlay",
    "kubeadm_proxy_overlay",
)

FILES = r"""
cd / && find etc usr/local opt run/mintnet var/lib var/cache var/log/kubernetes -xdev \
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


def inside(machine: str, command: str) -> str:
    run = ["podman", "exec", machine, "sh", "-c", command]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module", autouse=True)
def machines(user: User, clone: Path) -> Iterator[dict[str, str]]:
    """Two machines, in the inventory of a user who has never made one, in the folder that the page names.

    Gives what each of them has by its name.
    """
    sweep(HOSTS)
    seen = user.home / "seen.json"
    options = f"-e mintnet_cluster={HOSTS} -e machines_subnet={user.subnet} -e machines_count=2 -e seen={seen}"

    def play(text: str) -> None:
        book = user.home / "machines.yml"
        book.write_text(text, encoding="utf-8")
        user.run(f".venv/bin/ansible-playbook {book} {options}", clone, MINTNET_HOME=str(user.home / "elsewhere"))

    play(PRESENT)
    told = json.loads(seen.read_text(encoding="utf-8"))
    inventory = shutil.copytree(user.home / "inventory", clone / "my")
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))
    connections = {
        name: {key: value for key, value in known.items() if key.startswith("ansible_") or key in SPECIAL}
        for name, known in told.items()
    }
    first, second = sorted(connections)
    hosts["all"]["children"] = {
        "kube_control_plane": {"hosts": {first: connections[first]}},
        "kube_node": {"hosts": {second: connections[second]}},
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    yield {name: inside(name, FILES) for name in told}
    play(ABSENT)
    sweep(HOSTS)


def test_network_on_listed_machines(user: User, clone: Path) -> None:
    """By the page's commands."""
    run = user.run(CREATE, clone, ARGS=SIZE)
    user.note(f"create on two listed machines, everything copied over SSH: {run.seconds:.0f} s")
    names = {f"{HOSTS}-1", f"{HOSTS}-2"}
    assert {item["metadata"]["name"] for item in user.get("nodes")} == names
    assert {pod["spec"]["nodeName"] for pod in user.get("pods -l tm=tm")} == names
    assert re.search(r"^tm-1 ", user.run(STATUS, clone).output, re.MULTILINE)
    user.agree()


def test_second_create_changes_nothing(user: User, clone: Path) -> None:
    before = user.objects(), user.pods()
    assert user.run(CREATE, clone, ARGS=f"{SIZE} --check").changed == 0
    run = user.run(CREATE, clone, ARGS=SIZE)
    assert run.changed == 0
    user.note(f"second create on two listed machines: {run.seconds:.0f} s")
    assert (user.objects(), user.pods()) == before


def test_snapshot(user: User, clone: Path) -> None:
    user.run(SNAPSHOT, clone)
    (file,) = clone.glob(f"{user.cluster}-etcd-*.db")
    assert file.stat().st_size > 2**18
    file.unlink()


def test_certificates_are_renewed(user: User, clone: Path) -> None:
    """Those that end within longer than they were made for, so all of them; the chain does not notice."""

    def until() -> str:
        return inside(f"{HOSTS}-1", "openssl x509 -noout -enddate -in /etc/kubernetes/pki/apiserver.crt")

    height, before, context = user.height("tm-0"), until(), user.kubeconfig.read_text(encoding="utf-8")
    renew = RENEW.replace("ARGS='", f"ARGS='{SIZE} ")
    told = user.run(f"{renew[:-1]} --check'", clone)
    assert f"{HOSTS}-1: certificates end in 36" in told.output
    assert until() == before
    run = user.run(renew, clone)
    assert f"{HOSTS}-1: certificates are renewed, for 36" in run.output
    assert until() != before
    # The user's own is one of them.
    assert user.kubeconfig.read_text(encoding="utf-8") != context
    assert user.run(CREATE, clone, ARGS=SIZE).changed == 0
    assert user.agree() > height
    user.note(f"longest time between two blocks while certificates were renewed: {user.longest_gap(height):.1f} s")


def test_machines_are_left_as_they_were(user: User, clone: Path, machines: dict[str, str]) -> None:
    assert all(inside(name, FILES) != files for name, files in machines.items())
    before, names = user.pods(), ", ".join(sorted(machines))
    asked = f"Remove cluster {user.cluster} with its networks (mintnet) and their volumes from {names}?"
    check = user.run(f"{DESTROY.replace(' CONFIRM=yes', '')} ARGS=--check", clone)
    refused = user.run(DESTROY.replace(" CONFIRM=yes", ""), clone, code=1)
    for run in (check, refused):
        assert asked in " ".join(run.output.split())
    assert user.pods() == before
    run = user.run(DESTROY, clone)
    for name, files in machines.items():
        assert f"{name} is as it was" in run.output
        assert inside(name, FILES).splitlines() == files.splitlines()
    assert user.run(DESTROY, clone).changed == 0
