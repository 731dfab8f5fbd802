# SPDX-License-Identifier: GPL-3.0-or-later
"""Local machines in the real podman, without a cluster on them: made, kept, lost and found, gone without a trace."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tree
from kills import family
from local_machines import ABSENT, MACHINES
from surroundings import Run, User, folder, remove, traces

pytestmark = pytest.mark.long

CLUSTER, SUBNET = "e2emachines", "10.89.66.0/24"
OTHER, OTHER_SUBNET = "e2eother", "10.89.67.0/24"

PRESENT = (
    MACHINES
    + """
- hosts: all:!localhost
  gather_facts: false
  tasks:
    - ansible.builtin.command: systemctl is-system-running
      register: state
      changed_when: false
    - ansible.builtin.copy:
        content: "{{ dict(names | zip(names | map('extract', vars))) | combine({'state': state.stdout}) | to_json }}"
        dest: "{{ lookup('ansible.builtin.env', 'SEEN') }}/{{ inventory_hostname }}.json"
        mode: "0600"
      vars:
        names:
          - ansible_host
          - ansible_ssh_common_args
          - group_names
          - kubeadm_ignored_preflight_errors
          - kubeadm_kubelet_overlay
          - mintnet_artifacts_shared
      delegate_to: localhost
      connection: local
      changed_when: false
"""
)
CHECK = (
    MACHINES
    + """
- hosts: all:!localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.kubeadm
        tasks_from: preflight
"""
)
SURPLUS = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.machines
        tasks_from: surplus
      vars:
        machines_surplus: [one, or, more]
"""


class Owner(User):
    """Somebody with machines."""

    def present(self, count: int = 2, *, code: int = 0, options: str = "") -> Run:
        seen = self.home / "seen"
        seen.mkdir(exist_ok=True)
        for file in seen.iterdir():
            file.unlink()
        return self.play(PRESENT, f"-e machines_count={count} {options}", code=code)

    def absent(self, *, options: str = "") -> Run:
        return self.play(ABSENT, options)

    def play(self, text: str, options: str, *, code: int = 0) -> Run:
        book = self.home / "play.yml"
        book.write_text(text, encoding="utf-8")
        return self.run(f"ansible-playbook {book} {options}", tree.ROOT, code=code, SEEN=str(self.home / "seen"))

    def seen(self) -> dict[str, dict[str, Any]]:
        """What Ansible saw of each machine, over SSH."""
        return {
            path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((self.home / "seen").iterdir())
        }

    @property
    def folder(self) -> Path:
        return self.home / "mintnet" / "clusters" / self.cluster


def said(run: Run) -> str:
    """The output without the story's folding of lines."""
    return " ".join(run.output.split())


def podman(*words: str) -> str:
    answer = subprocess.run(["podman", *words], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"podman {' '.join(words)}: {answer.stderr}"
    return answer.stdout.strip()


def inside(machine: str, command: str) -> str:
    return podman("exec", machine, "sh", "-c", command)


def identity(machine: str) -> tuple[str, str]:
    """Equal before and after means that it was neither made anew nor restarted."""
    identifier, _blank, started = podman("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", machine).partition(" ")
    return identifier, started


def processes(machine: str) -> list[int]:
    """The watcher of a machine, and its first process."""
    return [int(word) for word in podman("inspect", "-f", "{{.State.ConmonPid}} {{.State.Pid}}", machine).split()]


def kill(machine: str) -> None:
    """Everything at once, so that nobody can tell podman."""
    for process in processes(machine):
        os.kill(process, signal.SIGKILL)
    time.sleep(1)


def host() -> dict[str, set[str]]:
    """What anybody's machines leave on this host, whatever it is called."""

    def lines(*command: str) -> set[str]:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        # Counters change by themselves.
        return {re.sub(r"\[\d+:\d+\]", "", row) for row in answer.stdout.splitlines() if not row.startswith("#")}

    return {
        "containers": lines("podman", "ps", "--all", "--external", "--quiet"),
        "volumes": lines("podman", "volume", "ls", "--quiet"),
        "networks": lines("podman", "network", "ls", "--quiet"),
        "images": lines("podman", "images", "--quiet"),
        "links": {path.name for path in Path("/sys/class/net").iterdir()},
        "namespaces": {path.name for path in Path("/run/netns").glob("*")},
        "rules": {row for row in lines("iptables-save") if row.startswith("-A") or row.startswith(":NETAVARK")},
        "mounts": {row.split()[1] for row in Path("/proc/self/mounts").read_text().splitlines()},
        "sockets": {str(path) for path in Path("/run/mintnet").glob("*")},
    }


def changes(before: dict[str, set[str]]) -> dict[str, set[str]]:
    """What came or went on this host since then."""
    after = host()
    return {kind: after[kind] ^ before[kind] for kind in after if after[kind] != before[kind]}


def owner(cluster: str, subnet: str) -> Iterator[Owner]:
    home = Path(tempfile.mkdtemp(prefix=f"{cluster}-"))
    someone = Owner(home, cluster, subnet)
    left = {kind: names for kind, names in traces(someone).items() if names}
    assert not left, f"an earlier run of these tests left something; remove it first: {left}"
    yield someone
    remove(someone)


@pytest.fixture(scope="module")
def before() -> dict[str, set[str]]:
    # The first command of all makes podman mount its own folder.
    subprocess.run(["podman", "ps"], capture_output=True, check=False)
    return host()


@pytest.fixture(scope="module")
def other(before: dict[str, set[str]]) -> Iterator[Owner]:
    yield from owner(OTHER, OTHER_SUBNET)


@pytest.fixture(scope="module")
def mine(other: Owner) -> Iterator[Owner]:
    yield from owner(CLUSTER, SUBNET)


def test_check_mode_makes_nothing(mine: Owner) -> None:
    before = host()
    run = mine.present(options="--check")
    assert "would change 1" in said(run)
    assert mine.seen() == {}
    assert changes(before) == {}
    assert not mine.folder.exists()


def test_two_machines(mine: Owner) -> None:
    assert mine.present().changed == 1
    seen = mine.seen()
    assert {name: one["ansible_host"] for name, one in seen.items()} == {
        "e2emachines-1": "10.89.66.11",
        "e2emachines-2": "10.89.66.12",
    }
    assert {one["state"] for one in seen.values()} == {"running"}
    assert {one["group_names"][0] for one in seen.values()} == {"kube_control_plane", "kube_node"}
    first = seen["e2emachines-1"]
    assert first["mintnet_artifacts_shared"] is True
    assert first["kubeadm_kubelet_overlay"]["cgroupDriver"] == "cgroupfs"
    assert all(error["name"] and error["reason"] for error in first["kubeadm_ignored_preflight_errors"])
    assert "StrictHostKeyChecking=yes" in first["ansible_ssh_common_args"]


def test_what_a_machine_is_like(mine: Owner) -> None:
    first, second = "e2emachines-1", "e2emachines-2"
    assert inside(first, "hostname; getent hosts e2emachines-2").split() == [first, "10.89.66.12", second]
    assert inside(first, "cat /proc/sys/net/ipv4/ip_forward") == "1"
    assert inside(first, "cat /etc/machine-id") != inside(second, "cat /etc/machine-id")
    assert inside(first, "cat /etc/ssh/ssh_host_ed25519_key") != inside(second, "cat /etc/ssh/ssh_host_ed25519_key")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mintnet" / "artifacts"
    assert inside(first, f"ls {cache}; touch {cache}/x 2>&1 || true").endswith("Read-only file system")
    # Each has a tree of services of its own in the host's, or the first to stop would end another's.
    own = {inside(one, "systemctl show --property=ControlGroup --value ssh.service") for one in (first, second)}
    assert own == {"/system.slice/ssh.service"}
    for one in (first, second):
        groups = Path(f"/proc/{processes(one)[1]}/cgroup").read_text(encoding="utf-8").splitlines()
        services = [row for row in groups if row.startswith("0::") or ":name=systemd:" in row]
        assert services
        assert all(identity(one)[0] in row for row in services)


def test_keys_are_the_clusters_own(mine: Owner) -> None:
    modes = {name: mark.split()[0] for name, mark in folder(mine.folder / "ssh").items()}
    assert modes == {"id_ed25519": "100600", "known_hosts": "100600"}
    assert oct((mine.folder / "ssh").stat().st_mode) == "0o40700"


def test_again_changes_nothing(mine: Owner) -> None:
    names = ("e2emachines-1", "e2emachines-2")
    before, machines, files = host(), [identity(name) for name in names], folder(mine.folder)
    assert mine.present().changed == 0
    assert [identity(name) for name in names] == machines
    assert folder(mine.folder) == files
    assert changes(before) == {}
    assert "would change 0" in said(mine.present(options="--check"))


def faults(run: Run) -> dict[str, str]:
    """What is wrong with each machine, from the table that a run has ended with."""
    lines = run.output.splitlines()
    head = next(number for number, line in enumerate(lines) if "what is wrong" in line)
    machine, wrong, todo = (lines[head].index(name) for name in ("machine", "what is wrong", "what to do"))
    found: dict[str, str] = {}
    name = ""
    for line in itertools.takewhile(lambda row: row.startswith(" "), lines[head + 1 :]):
        name = line[machine:wrong].strip() or name
        found[name] = f"{found.get(name, '')} {line[wrong:todo].strip()}".strip()
    return found


def files(machine: str) -> str:
    return inside(machine, "find /etc /opt /usr/local /var/cache /var/lib -xdev -type f -printf '%p %s %T@\n' | sort")


def test_all_faults_of_all_machines_are_told_at_once(mine: Owner) -> None:
    first, second = "e2emachines-1", "e2emachines-2"
    assert mine.play(CHECK, "-e machines_count=2").changed == 0
    ids = {name: inside(name, "cat /etc/machine-id") for name in (first, second)}
    listen = "import socket, time; place = socket.create_server(('127.0.0.1', 10250)); time.sleep(600)"
    try:
        inside(second, f"echo {ids[first]} > /etc/machine-id")
        inside(second, f'systemd-run --quiet --unit=taken python3 -c "{listen}"')
        inside(first, "mkdir -p /etc/rancher/k3s")
        before = files(first), files(second)
        assert faults(mine.play(CHECK, "-e machines_count=2", code=1)) == {
            first: "it has k3s of another installation (/etc/rancher/k3s) "
            f"its machine id {ids[first]} is that of {second}, too",
            second: "its port 10250 is in use, which Kubernetes needs "
            f"its machine id {ids[first]} is that of {first}, too",
        }
        assert (files(first), files(second)) == before
    finally:
        inside(second, f"systemctl stop taken.service; echo {ids[second]} > /etc/machine-id")
        inside(first, "rm -rf /etc/rancher")
    assert mine.play(CHECK, "-e machines_count=2").changed == 0


def test_stopped_machine_is_started_with_its_data(mine: Owner) -> None:
    for name in ("e2emachines-1", "e2emachines-2"):
        inside(name, f"echo {name} | tee /srv/data > /var/lib/etcd/data; echo 127.0.0.1 mine >> /etc/hosts; sync")
    other = identity("e2emachines-2")
    podman("stop", "-t", "20", "e2emachines-1")
    assert mine.present().changed == 1
    assert inside("e2emachines-1", "cat /srv/data /var/lib/etcd/data").split() == ["e2emachines-1"] * 2
    assert "127.0.0.1 mine" in inside("e2emachines-1", "cat /etc/hosts")
    assert mine.seen()["e2emachines-1"]["ansible_host"] == "10.89.66.11"
    assert identity("e2emachines-2") == other
    # Stopping one machine takes nothing from another.
    assert inside("e2emachines-2", "systemctl is-system-running") == "running"


def test_machine_whose_processes_were_killed(mine: Owner) -> None:
    kill("e2emachines-2")
    assert mine.present().changed == 1
    assert inside("e2emachines-2", "cat /srv/data /var/lib/etcd/data").split() == ["e2emachines-2"] * 2


def test_lost_keys_are_made_anew(mine: Owner) -> None:
    machines = [identity(name) for name in ("e2emachines-1", "e2emachines-2")]
    for path in (mine.folder / "ssh").iterdir():
        path.unlink()
    assert mine.present().changed == 1
    assert set(mine.seen()) == {"e2emachines-1", "e2emachines-2"}
    assert [identity(name) for name in ("e2emachines-1", "e2emachines-2")] == machines


def test_new_root_file_system_is_for_new_machines(mine: Owner) -> None:
    machine = identity("e2emachines-1")
    wanted = '{"machines_rootfs": {"path": "/nowhere", "sha256": "beef"}}'
    run = mine.present(options=f"-e '{wanted}'")
    assert run.changed == 0
    assert "e2emachines-1 keeps its root file system" in said(run)
    assert identity("e2emachines-1") == machine


@pytest.mark.parametrize("attempt", range(3))
def test_cut_off_anywhere(mine: Owner, attempt: int) -> None:
    """A third machine, whose making is cut off at a random moment."""
    seed = random.SystemRandom().randrange(1000)
    seconds = random.Random(seed).uniform(1.5, 7)
    print(f"seed {seed}: cut off after {seconds:.1f} s")
    old = [identity(name) for name in ("e2emachines-1", "e2emachines-2")]
    process = begin(mine, PRESENT, 3 + attempt)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    mine.present(3 + attempt)
    assert {one["state"] for one in mine.seen().values()} == {"running"}
    assert len(mine.seen()) == 3 + attempt
    assert mine.present(3 + attempt).changed == 0
    assert [identity(name) for name in ("e2emachines-1", "e2emachines-2")] == old
    assert f"e2emachines-{3 + attempt}" in inside("e2emachines-1", "cat /etc/hosts")


def test_machines_that_are_too_many_go_when_it_is_said(mine: Owner) -> None:
    others = [identity(f"e2emachines-{number}") for number in (1, 2, 3, 4)]
    assert mine.present(4).changed == 0
    assert mine.seen()["e2emachines-5"]["group_names"] == ["kube_removed"]
    podman("stop", "-t", "20", "e2emachines-5")
    assert "would change 1" in said(mine.play(SURPLUS, "-e machines_count=4 --check"))
    assert mine.play(SURPLUS, "-e machines_count=4").changed == 1
    assert "e2emachines-5" not in podman("ps", "--all", "--format", "{{.Names}}")
    assert "e2emachines-5" not in podman("volume", "ls", "--quiet")
    assert "e2emachines-5" not in inside("e2emachines-1", "cat /etc/hosts")
    assert [identity(f"e2emachines-{number}") for number in (1, 2, 3, 4)] == others
    assert mine.present(4).changed == 0
    assert len(mine.seen()) == 4
    assert mine.play(SURPLUS, "-e machines_count=4").changed == 0


def test_a_container_of_others_is_left_alone(mine: Owner) -> None:
    image = podman("inspect", "-f", "{{.Image}}", "e2emachines-1")
    podman("create", "--name", "e2emachines-6", image, "true")
    try:
        before, theirs = host(), identity("e2emachines-6")
        run = mine.present(6, code=1)
        assert "podman has a container e2emachines-6 that was not made for this cluster" in said(run)
        assert changes(before) == {}
        assert identity("e2emachines-6") == theirs
    finally:
        podman("rm", "-f", "e2emachines-6")


def test_networks_and_volumes_of_others_are_left_alone(other: Owner) -> None:
    podman("network", "create", "--subnet", "10.89.68.0/24", OTHER)
    podman("volume", "create", f"{OTHER}-1-etcd")
    try:
        before = host()
        run = other.present(1, code=1)
        assert f"a network {OTHER} that was not made for this cluster" in said(run)
        assert f"a volume {OTHER}-1-etcd that was not made for this cluster" in said(run)
        assert other.absent().changed == 0
        assert changes(before) == {}
    finally:
        podman("network", "rm", OTHER)
        podman("volume", "rm", f"{OTHER}-1-etcd")


@pytest.mark.parametrize("subnet", [SUBNET, "10.89.66.128/26"])
def test_a_subnet_of_another_network_is_refused(other: Owner, mine: Owner, subnet: str) -> None:
    before = host()
    run = other.present(1, code=1, options=f"-e machines_subnet={subnet}")
    assert f"podman's network {CLUSTER} ({SUBNET}) uses the subnet {subnet}" in said(run)
    assert changes(before) == {}


def test_a_subnet_with_a_route_is_refused(other: Owner) -> None:
    subprocess.run(["ip", "link", "add", "e2eroute", "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "10.89.67.1/25", "dev", "e2eroute"], check=True)
        subprocess.run(["ip", "link", "set", "e2eroute", "up"], check=True)
        run = other.present(1, code=1)
        assert "this host has a route to 10.89.67.0/25 by e2eroute" in said(run)
    finally:
        subprocess.run(["ip", "link", "delete", "e2eroute"], check=True)


def test_another_subnet_is_refused_for_machines_that_exist(mine: Owner) -> None:
    run = mine.present(2, code=1, options="-e machines_subnet=10.89.69.0/24")
    assert "were made with the subnet 10.89.66.0/24" in said(run)


def test_absent_leaves_nothing_and_nothing_of_another_cluster(
    mine: Owner, other: Owner, before: dict[str, set[str]]
) -> None:
    assert other.present(1).changed == 1
    neighbour = identity(f"{OTHER}-1")
    kill("e2emachines-2")
    podman("exec", "e2emachines-1", "mount", "-t", "tmpfs", "left", "/var/lib/kubelet")

    groups = [f"**/libpod-{identity(name)[0]}*" for name in ("e2emachines-1", "e2emachines-2")]
    assert any(Path("/sys/fs/cgroup").glob(groups[0]))
    listed = mine.absent(options="--check --diff")
    assert "container e2emachines-1" in said(listed)
    assert identity("e2emachines-1")

    assert mine.absent().changed == 1
    assert {kind: names for kind, names in traces(mine).items() if names} == {}
    assert not [path for group in groups for path in Path("/sys/fs/cgroup").glob(group)]
    assert identity(f"{OTHER}-1") == neighbour
    assert other.present(1).changed == 0

    assert other.absent().changed == 1
    after = host()
    # An unused image or rule of ours that was there before may have gone with them.
    assert {kind: after[kind] - before[kind] for kind in after if after[kind] - before[kind]} == {}


def test_absent_again_changes_nothing(mine: Owner) -> None:
    before = host()
    assert mine.absent().changed == 0
    assert changes(before) == {}


@pytest.mark.parametrize("with_podman", [True, False])
def test_a_removal_that_is_cut_off_leaves_nothing_to_new_machines(other: Owner, with_podman: bool) -> None:
    """A podman that removes a volume forgets it first. Whether it is killed then, or goes on alone: a new volume of the
    same name must not begin with what is left, nor lose what is put into it.
    """
    volume, machine = f"{OTHER}-1-containerd", f"{OTHER}-1"
    other.present(1)
    fill = "for i in $(seq 60); do mkdir $i && (cd $i && seq 1000 | xargs touch); done"
    inside(machine, f"mkdir /var/lib/containerd/blobs && cd /var/lib/containerd/blobs && {fill}")
    run = begin(other, ABSENT)
    other.wait("podman has forgotten the volume", lambda: volume not in podman("volume", "ls", "-q").split())
    (removal,) = removals(volume)
    os.kill(removal, signal.SIGSTOP)
    for process in family(run.pid) - (set() if with_podman else {removal}):
        os.kill(process, signal.SIGKILL)
    run.wait()
    left = Path(podman("info", "--format", "{{.Store.VolumePath}}")) / volume / "_data" / "blobs"
    assert left.exists(), "it was over too soon: more files are needed"
    run = begin(other, PRESENT)
    if not with_podman:  # it is waited for
        time.sleep(12)
        assert run.poll() is None
        assert volume not in podman("volume", "ls", "-q").split()
        os.kill(removal, signal.SIGCONT)
    assert run.wait(120) == 0, (other.home / "output").read_text(encoding="utf-8")
    assert "blobs" not in inside(machine, "ls /var/lib/containerd").split()
    assert other.absent().changed == 1


def begin(owner: Owner, text: str, count: int = 1) -> subprocess.Popen[bytes]:
    book = owner.home / "play.yml"
    book.write_text(text, encoding="utf-8")
    command = ["ansible-playbook", str(book), "-e", f"machines_count={count}"]
    environment = {**owner.environment, "SEEN": str(owner.home / "seen")}
    with (owner.home / "output").open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=tree.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def removals(volume: str) -> list[int]:
    """Processes of podman that remove it."""
    lines = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if " podman volume rm " in line and volume in line]
