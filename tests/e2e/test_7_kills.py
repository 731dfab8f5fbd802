# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed anywhere, and run again: it converges, with the same keys and the same genesis, and nothing is left over.

On a cluster of its own. A short run tries one random moment of each phase, a long one MINTNET_E2E_POINTS of them; the
seed is printed, and MINTNET_E2E_SEED repeats it. The phases of a run are killed one after the other: what was killed in
one phase has to come through it before it can be killed in the next.
"""

from __future__ import annotations

import fcntl
import functools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kills import POINTS, SEED, Victim, kill_family
from surroundings import FOREIGN, NETWORK, folder, mark, processes, sweep, traces

CLUSTER = "e2ekills"
SUBNET = "10.89.71.0/24"
NODES = 2
NETWORK_BOOK, DESTROY = "playbooks/network.yml", "playbooks/destroy.yml"
CLUSTER_BOOK, DESTROY_CLUSTER = "playbooks/cluster.yml", "playbooks/destroy_cluster.yml"
STOP, START, RESET = (f"playbooks/{verb}.yml" for verb in ("stop", "start", "reset"))
YES = "-e mintnet_confirm=true"
SIZE = f"-e cometbft_nodes={NODES}"
KEPT = "-e cometbft_tx=kept=through-all"
OURS = "app.kubernetes.io/managed-by in (mintnet, mintnet.kubernetes)"

# Parts that are built in seconds, with what both kinds of builds leave: a Go program, a file system, an image.
BUILD = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [pause, helper]
"""
# Ansible's own, of the runs that were killed, and a cache of kubernetes.core: no file of ours is in them.
ANSIBLES = re.compile(r"ansible(-local-|-tmp-|_|\.)|tmp[a-z0-9_]{8}$|pymp-|k8srcp-")
PRIVATE = re.compile(rb"PRIVATE KEY|client-key-data|priv_key")


pointwise = pytest.mark.parametrize("point", range(1, POINTS))
operations = pytest.mark.parametrize("point", range(min(5, POINTS)))


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with (Path(tempfile.gettempdir()) / f"{CLUSTER}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(CLUSTER)
        someone = Victim(Path(tempfile.mkdtemp(prefix=f"{CLUSTER}-")), CLUSTER, SUBNET)
        left = {kind: names for kind, names in traces(someone).items() if names}
        assert not left, f"an earlier run of these tests left something; remove it first: {left}"
        someone.note(f"MINTNET_E2E_SEED={SEED}")
        yield someone
        for phase, times in sorted(someone.tally.items()):
            someone.note(f"{phase}: killed {times} times, converged {someone.converged[phase]} times")
        someone.play(DESTROY_CLUSTER, YES, code=None)
        sweep(CLUSTER)
        shutil.rmtree(someone.home, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_kills(victim: Victim) -> None:
    """What came of those of a test that failed is not known."""
    victim.blows.clear()


def book(victim: Victim, name: str, text: str) -> Path:
    path = victim.home / f"{name}.yml"
    path.write_text(text, encoding="utf-8")
    return path


# --- what there is ----------------------------------------------------------------------------------------------------


def exists(victim: Victim) -> bool:
    return (victim.home / "mintnet" / "clusters" / CLUSTER).exists()


def podman(*words: str) -> list[str]:
    """Of a machine where the first run has still to install it, it has nothing to say."""
    if not shutil.which("podman"):
        return []
    answer = subprocess.run(["podman", *words], capture_output=True, text=True, check=True)
    return answer.stdout.split()


def no_drafts(victim: Victim) -> None:
    """Nothing half made among files: ours, in the machine, and temporary ones."""
    places = (path for path in victim.home.rglob("*") if path.relative_to(victim.home).parts[0] != "ansible")
    assert not [path for path in places if re.search(r"\.lock$|\.part$|\.mintnet$|/ssh/\..*", str(path))]
    for path in victim.temporary.iterdir():
        assert ANSIBLES.match(path.name), f"{path} is not Ansible's"
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        assert not [file for file in files if PRIVATE.search(file.read_bytes())]
    for machine in podman("ps", "-q", "--filter", f"label=io.mintnet.cluster={CLUSTER}"):
        assert not podman("exec", machine, "find", "/", "-xdev", "-name", ".*.mintnet")


def no_processes(victim: Victim) -> None:
    """Only connections to machines stay for a while, and who watches a container."""
    running = processes(victim, outside=True)
    left = {line for line in running if not re.match(r"ssh: |\S*conmon |ssh .*ControlPersist", line)}
    assert not left


def things(victim: Victim) -> dict[str, Any]:
    """All that a run could touch: equal before and after means that nothing was changed."""
    files = {
        name: mark
        for name, mark in folder(victim.home).items()
        if not name.startswith(("tmp/", "ansible/")) and name not in ("tmp", "ansible", "journal", "output")
    }
    found: dict[str, Any] = {**traces(victim), "processes": set(), "files": files}
    machines = podman("ps", "-a", "-q", "--filter", f"label=io.mintnet.cluster={CLUSTER}")
    for machine in machines:
        found[machine] = podman("inspect", "-f", "{{.State.Status}} {{.State.StartedAt}}", machine)
        if "running" in found[machine]:
            found[f"files of {machine}"] = written(machine)
    found |= around(victim)
    if there(victim):
        found |= victim.objects()
        found["pods"] = {name: uid for name, (uid, _restarts) in victim.pods().items()}
    return found


def written(machine: str) -> set[str]:
    """Each file of a machine that is ours to write, with a time that changes with whatever is done to it.

    What nodes write all the time, into their volumes, is left out.
    """
    places = "/etc /usr/local /var/lib/mintnet -xdev -path /var/lib/mintnet/volumes -prune -o"
    run = f"find {places} -type f -printf '%p %m %s %C@\\n' 2>/dev/null || true"
    answer = subprocess.run(["podman", "exec", machine, "sh", "-c", run], capture_output=True, text=True, check=True)
    assert "/etc/" in answer.stdout
    return set(answer.stdout.splitlines())


def around(victim: Victim) -> dict[str, str]:
    """Whatever of ours is in the cluster outside of the network; nothing where no cluster answers yet."""
    kinds = "namespaces,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,configmaps,deployments"
    command = ["kubectl", "--context", CLUSTER, "get", f"{kinds},storageclasses", "-A", "-l", OURS, "-o", "json"]
    answer = subprocess.run(command, env=victim.environment, capture_output=True, text=True, check=False)
    items = json.loads(answer.stdout)["items"] if answer.returncode == 0 else []
    return {
        f"{item['kind']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}": mark(item)
        for item in items
        if item["metadata"].get("namespace") != NETWORK
    }


def there(victim: Victim) -> bool:
    """Whether the network's namespace is there."""
    command = ["kubectl", "--context", CLUSTER, "get", "namespace", NETWORK, "--ignore-not-found", "-o", "name"]
    answer = subprocess.run(command, env=victim.environment, capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip())


def settled(victim: Victim) -> dict[str, Any]:
    """What Kubernetes still makes of its own accord is awaited."""
    before = things(victim)
    for _attempt in range(60):
        time.sleep(1)
        after = things(victim)
        if after == before and not at_work(victim):
            return after
        before = after
    raise AssertionError("it does not come to rest")


def at_work(victim: Victim) -> bool:
    """Whether, after the run that began it was killed, volumes or pods are still made, or a machine's cluster."""
    if there(victim):
        claims, sets = victim.get("persistentvolumeclaims"), victim.get("statefulsets")
        if any(item["status"]["phase"] == "Pending" for item in claims):
            return True
        if len(victim.pods()) < sum(item["spec"]["replicas"] for item in sets):
            return True
    machines = podman("ps", "-q", "--filter", f"label=io.mintnet.cluster={CLUSTER}")
    unit = "systemctl is-active mintnet-cluster-init.service || true"
    return any("activating" in podman("exec", machine, "sh", "-c", unit) for machine in machines)


def documents(victim: Victim) -> tuple[dict[str, str], dict[str, str]]:
    """Keys and genesis, as far as there are any."""
    if not there(victim):
        return {}, {}
    secrets = {item["metadata"]["name"]: item for item in victim.get("secrets")}
    maps = {item["metadata"]["name"]: item for item in victim.get("configmaps")}
    return secrets.get("tm-keys", {}).get("data", {}), maps.get("tm-config", {}).get("data", {})


def uids(victim: Victim) -> dict[str, str]:
    """Whatever was made is not made once more."""
    if not there(victim):
        return {}
    kinds = "statefulsets,services,pods,persistentvolumeclaims,secrets,configmaps"
    return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["uid"] for item in victim.get(kinds)}


# --- build, machine, cluster ------------------------------------------------------------------------------------------


def test_build(victim: Victim) -> None:
    kill_a_build(victim, 0)


@pytest.mark.long
@pointwise
def test_build_at_many_moments(victim: Victim, point: int) -> None:
    kill_a_build(victim, point)


def kill_a_build(victim: Victim, point: int) -> None:
    play, cache = book(victim, "build", BUILD), victim.home / "artifacts"
    option = f"-e artifacts_cache_dir={cache}"
    shutil.rmtree(cache, ignore_errors=True)
    victim.kill(play, "build", point, option)
    assert not [line for line in traces(victim)["processes"] if "go build" in line or "mmdebstrap" in line]
    whole = {path: path.stat().st_ino for path in cache.glob("*/*/artifact.json")}

    victim.play(play, option)
    assert victim.play(play, option).changed == 0
    built = {path: path.stat().st_ino for path in cache.glob("*/*/artifact.json")}
    assert {path: built[path] for path in whole} == whole, "what was whole is not built again"
    assert {path.parent.parent.name for path in built} >= {"pause", "image-pause", "debian-busybox", "image-helper"}
    for path in cache.glob("*"):
        assert len(list(path.iterdir())) == 1
    assert str(victim.home) not in Path("/proc/self/mounts").read_text(encoding="utf-8")
    no_drafts(victim)
    no_processes(victim)
    victim.came_through()


def test_cluster(victim: Victim) -> None:
    """The network's tests go on with it."""
    kill_a_cluster(victim, 0)


def gone(victim: Victim) -> None:
    assert not {kind: names for kind, names in traces(victim).items() if names}
    assert yaml.safe_load(victim.kubeconfig.read_text(encoding="utf-8")) == FOREIGN
    no_drafts(victim)


def remove_cluster(victim: Victim, point: int) -> None:
    """Killed as well, where there is something to remove."""
    if exists(victim):
        victim.kill(DESTROY_CLUSTER, "destroy-cluster", point, YES)
        victim.play(DESTROY_CLUSTER, YES)
    assert victim.play(DESTROY_CLUSTER, YES).changed == 0
    gone(victim)


def one_machine() -> None:
    label = f"label=io.mintnet.cluster={CLUSTER}"
    assert podman("ps", "-a", "--filter", label, "--format", "{{.Names}}") == [f"{CLUSTER}-1"]
    assert len(podman("volume", "ls", "-q", "--filter", label)) == 3
    assert len(podman("network", "ls", "-q", "--filter", label)) == 1
    everything = podman("ps", "-a", "--external", "--format", "{{.Names}}")
    assert [name for name in everything if name.startswith(CLUSTER)] == [f"{CLUSTER}-1"]


# --- check runs -------------------------------------------------------------------------------------------------------


def check(victim: Victim, play: Path | str, options: str = "", shows: str = "") -> set[str]:
    """What a check run tells that it would change, with a line that its difference shows; it changes nothing."""
    before = settled(victim)
    run = victim.play(play, f"{options} --check --diff")
    told = victim.changes()
    assert re.search(shows, run.output, re.MULTILINE), run
    assert things(victim) == before
    return told


def as_told(victim: Victim, play: Path | str, options: str = "", shows: str = "") -> set[str]:
    """A run that changes what a check run before it has told, and nothing else."""
    told = check(victim, play, options, shows)
    run = victim.play(play, options)
    assert victim.changes() == told, run
    return told


def finish(victim: Victim, play: str, options: str, point: int) -> set[str]:
    """What was killed comes to its end; in a short run a check run says before what is left to do."""
    if point == 0:
        return as_told(victim, play, options)
    victim.play(play, options)
    return victim.changes()


# --- network ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(victim: Victim) -> Victim:
    """One that exists, without the network."""
    if not exists(victim):
        victim.play(CLUSTER_BOOK)
    if there(victim):
        victim.play(DESTROY, YES)
    return victim


def test_network(cluster: Victim) -> None:
    kill_a_network(cluster, 0)


@pytest.mark.long
@pointwise
def test_network_at_many_moments(cluster: Victim, point: int) -> None:
    kill_a_network(cluster, point)


def kill_a_network(victim: Victim, point: int) -> None:
    keys: dict[str, str] = {}
    genesis: dict[str, str] = {}
    made: dict[str, str] = {}
    for phase in ("keys", "apply", "wait"):
        victim.kill(NETWORK_BOOK, phase, point, SIZE)
        (now_keys, now_genesis), now_made = documents(victim), uids(victim)
        unchanged(keys, now_keys)
        unchanged(genesis, now_genesis)
        unchanged(made, now_made)
        keys, genesis, made = now_keys, now_genesis, now_made

    finish(victim, NETWORK_BOOK, SIZE, point)
    assert len(victim.nodes()) == NODES
    victim.agree()
    victim.nobody_signed_twice()
    now_keys, now_genesis = documents(victim)
    assert len(now_keys) == 2 * NODES
    unchanged(keys, now_keys)
    unchanged(genesis, now_genesis)
    unchanged(made, uids(victim))
    assert set(victim.get("configmap tm-started")["data"]) == set(victim.nodes())
    assert len(victim.get("persistentvolumes", "default")) == NODES
    assert victim.play(NETWORK_BOOK, SIZE).changed == 0
    no_drafts(victim)
    no_processes(victim)

    victim.kill(DESTROY, "destroy", point, YES)
    victim.play(DESTROY, YES)
    nothing_of_the_network(victim)
    assert victim.play(DESTROY, YES).changed == 0
    no_drafts(victim)
    victim.came_through()


@pytest.mark.long
def test_check_of_a_half_made_network(cluster: Victim) -> None:
    """Some of it is there, and nobody has waited for it."""
    cluster.kill(NETWORK_BOOK, "apply", 0, SIZE)
    told = as_told(cluster, NETWORK_BOOK, SIZE)
    assert {"recorded tm-0", "recorded tm-1"} <= told
    cluster.agree()
    cluster.came_through()


def unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    """What was there is there, and the same."""
    assert {name: after.get(name) for name in before} == before


def nothing_of_the_network(victim: Victim) -> None:
    assert not there(victim)
    assert not victim.get("persistentvolumes", "default")
    machine = f"{CLUSTER}-1"
    (settings,) = [
        item for item in victim.get("configmaps", "mintnet-storage") if item["metadata"]["name"] == "local-path-config"
    ]
    (paths,) = json.loads(settings["data"]["config.json"])["nodePathMap"]
    for path in paths["paths"]:
        assert not podman("exec", machine, "sh", "-c", f"ls {path} 2>/dev/null || true")
    assert not podman("exec", machine, "sh", "-c", f"mount | grep {NETWORK}_tm || true")


@pytest.mark.long
def test_two_creates_at_once(cluster: Victim) -> None:
    """Both end well: one set of keys, one genesis, nothing twice."""
    both(cluster, NETWORK_BOOK)
    assert len(cluster.nodes()) == NODES
    cluster.agree()
    cluster.nobody_signed_twice()
    assert len(documents(cluster)[0]) == 2 * NODES
    assert cluster.play(NETWORK_BOOK, SIZE).changed == 0
    no_drafts(cluster)


@pytest.mark.long
def test_two_creates_at_once_from_nothing(victim: Victim) -> None:
    remove_cluster(victim, POINTS + 1)
    both(victim, "playbooks/create.yml")
    one_machine()
    victim.agree()
    victim.nobody_signed_twice()
    assert victim.play("playbooks/create.yml", SIZE).changed == 0
    no_drafts(victim)


def both(victim: Victim, play: str) -> None:
    runs = [victim.start(play, SIZE, victim.home / f"journal-{number}") for number in range(2)]
    outputs = [run.communicate(timeout=900)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n\n".join(outputs)
    for number in range(2):
        (victim.home / f"journal-{number}").unlink()


# --- operations on a network that lives -------------------------------------------------------------------------------


@pytest.fixture
def running(victim: Victim) -> Victim:
    """A network at rest, with a value that is written."""
    if not exists(victim):
        victim.play(CLUSTER_BOOK)
    victim.play(NETWORK_BOOK, f"{SIZE} {YES}")
    if not victim.read("tm-0", "kept"):
        victim.play("playbooks/tx.yml", KEPT)
    return victim


def went_on(victim: Victim, height: int, size: str = SIZE) -> None:
    """The same chain, with all that was written, and nothing left to do."""
    assert victim.play(NETWORK_BOOK, size).changed == 0
    assert victim.agree() > height
    assert {victim.read(node, "kept") for node in victim.nodes()} == {"through-all"}
    victim.nobody_signed_twice()
    no_drafts(victim)
    no_processes(victim)
    victim.came_through()


@pytest.mark.long
@operations
def test_roll_at_many_moments(running: Victim, point: int) -> None:
    """Each node's restart halts a chain of two, which is confirmed."""
    before, height, pods = documents(running), running.height("tm-0"), running.pods()
    budget = [item["spec"] for item in running.get("poddisruptionbudgets")]
    other = f"{SIZE} -e cometbft_block_time={600 + point}ms"
    back = functools.partial(running.play, NETWORK_BOOK, f"{SIZE} {YES}")
    running.kill(NETWORK_BOOK, "roll", point, f"{other} {YES}", undo=back)
    running.play(NETWORK_BOOK, f"{other} {YES}")
    assert documents(running) == before
    assert not {uid for uid, _restarts in pods.values()} & {uid for uid, _restarts in running.pods().values()}
    assert [item["spec"] for item in running.get("poddisruptionbudgets")] == budget
    went_on(running, height, other)


@pytest.mark.long
@operations
def test_stop_and_start_at_many_moments(running: Victim, point: int) -> None:
    """Of the whole network and, at every second point, of one node."""
    before, height, claims = documents(running), running.height("tm-0"), volumes(running)
    one = "-e cometbft_node=tm-1" if point % 2 else ""
    stop, start = (functools.partial(running.play, verb, f"{one} {YES}") for verb in (STOP, START))
    running.kill(STOP, "stop", point, f"{one} {YES}", undo=start)
    stop()
    assert nodes_that_run(running) == (["tm-0"] if one else [])
    assert stop().changed == 0
    running.kill(START, "start", point, one, undo=stop)
    start()
    went_on(running, height)
    assert start().changed == 0
    assert nodes_that_run(running) == running.nodes()
    assert (documents(running), volumes(running)) == (before, claims)


@pytest.mark.long
@operations
def test_reset_at_many_moments(running: Victim, point: int) -> None:
    """The old chain is gone as a whole, with its keys and its volumes, and the new one is whole."""
    (old_keys, old_genesis), claims = documents(running), volumes(running)
    running.kill(RESET, "reset", point, f"{SIZE} {YES}")
    running.play(RESET, f"{SIZE} {YES}")
    keys, genesis = documents(running)
    assert sorted(keys) == sorted(old_keys)
    assert not set(keys.values()) & set(old_keys.values())
    assert sorted(genesis) == sorted(old_genesis)
    assert genesis != old_genesis
    assert sorted(volumes(running)) == sorted(claims)
    assert not set(volumes(running).values()) & set(claims.values())
    running.wait("old volumes are gone", lambda: len(running.get("persistentvolumes", "default")) == NODES)
    running.play("playbooks/tx.yml", KEPT)
    went_on(running, 0)


@pytest.mark.long
def test_check_of_a_roll(running: Victim) -> None:
    told = as_told(running, NETWORK_BOOK, f"{SIZE} -e cometbft_block_time=700ms {YES}")
    assert {"replaced tm-0", "replaced tm-1", "updated StatefulSet tm"} <= told
    running.agree()


def volumes(victim: Victim) -> dict[str, str]:
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in victim.get("persistentvolumeclaims")}


def nodes_that_run(victim: Victim) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in victim.get("pods")
        if {kind for item in pod["status"].get("containerStatuses", []) for kind in item["state"]} == {"running"}
    ]


# --- cluster ----------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pointwise
def test_cluster_at_many_moments(victim: Victim, point: int) -> None:
    kill_a_cluster(victim, point)


def kill_a_cluster(victim: Victim, point: int) -> None:
    remove_cluster(victim, point)
    for phase in ("machine", "kubeadm"):
        victim.kill(CLUSTER_BOOK, phase, point)
    known = authority()
    told = finish(victim, CLUSTER_BOOK, "", point)
    assert told or known, "a cluster that is half made has something left to do"
    one_machine()
    assert authority() == known or not known
    assert [item["metadata"]["name"] for item in victim.get("nodes")] == [f"{CLUSTER}-1"]
    assert podman("exec", f"{CLUSTER}-1", "ls", "/var/lib/mintnet") == ["cluster.done", "records"]
    assert podman("exec", f"{CLUSTER}-1", "systemctl", "is-system-running") == ["running"]
    assert victim.play(CLUSTER_BOOK).changed == 0
    entries = yaml.safe_load(victim.kubeconfig.read_text(encoding="utf-8"))
    assert [context["name"] for context in entries["contexts"]] == ["theirs", CLUSTER]
    no_drafts(victim)
    no_processes(victim)
    victim.came_through()


def authority() -> list[str]:
    """The certificate of a cluster that is made: it is not made once more."""
    done = "test ! -e /var/lib/mintnet/cluster.done || cat /etc/kubernetes/pki/ca.crt"
    return podman("exec", f"{CLUSTER}-1", "sh", "-c", done)


@pytest.mark.long
def test_machine_whose_first_start_was_killed(victim: Victim) -> None:
    """It has a process and a watcher of which podman does not know; the next test removes them with the cluster."""
    labels = json.loads(" ".join(podman("inspect", "-f", "{{json .Config.Labels}}", f"{CLUSTER}-1")))
    image = podman("inspect", "-f", "{{.Image}}", f"{CLUSTER}-1")[0]
    options = [f"--label={key}={value}" for key, value in {**labels, "io.mintnet.machine": "2"}.items()]
    options += ["--network", CLUSTER, "--privileged", "--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:4096"]
    assert any(begun([*options, image, "/sbin/init"]) for _attempt in range(30))
    assert any(f"-n {CLUSTER}-2 " in line for line in traces(victim)["processes"])


def begun(arguments: list[str]) -> bool:
    """Whether podman was killed between the runtime's answer and its own record of it."""
    (container,) = podman("--runtime", "runc", "create", "--name", f"{CLUSTER}-2", *arguments)
    start = subprocess.Popen(["podman", "start", container], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while start.poll() is None and not Path("/run/runc", container, "state.json").exists():
        time.sleep(0.001)
    kill_family(start.pid)
    start.wait()
    time.sleep(0.5)
    state = subprocess.run(["runc", "state", container], capture_output=True, check=False)
    if state.returncode == 0 and podman("inspect", "-f", "{{.State.Status}}", container) == ["created"]:
        return True
    podman("rm", "--force", "--time", "0", container)
    subprocess.run(["runc", "delete", "--force", container], capture_output=True, check=False)
    return False


# --- check runs, on nothing and on a network that lives ---------------------------------------------------------------
# Behind the others: what they install for the first time on this machine, and what they build, both runs find.


@pytest.mark.long
def test_check_of_an_empty_machine(victim: Victim) -> None:
    remove_cluster(victim, POINTS)
    told = as_told(victim, "playbooks/create.yml", SIZE, shows=r"^\+tm-0: missing keys would be made$")
    assert {"containerd", "kubeadm", "kubeconfig", "storage", f"{CLUSTER}-1", "created tm-0", "recorded tm-0"} <= told
    victim.agree()


@pytest.mark.long
def test_check_of_a_running_network(victim: Victim) -> None:
    """Nothing to do, and something."""
    assert as_told(victim, "playbooks/create.yml", SIZE) == set()
    more, new = f"-e cometbft_nodes={NODES + 1} -e cometbft_validators={NODES}", f"tm-{NODES}"
    told = as_told(victim, NETWORK_BOOK, more, shows=rf'^\+ +"nodes": "tm-0 .*\\n{new} {new} ')
    assert {f"created tm-{NODES}", f"created Service tm-{NODES}", "updated StatefulSet tm"} <= told
    victim.agree()
    assert "removed Namespace mintnet" in as_told(victim, DESTROY, YES)
    nothing_of_the_network(victim)


@pytest.mark.long
def test_check_of_a_build(victim: Victim) -> None:
    """With nothing in the cache."""
    cache = victim.home / "artifacts-anew"
    told = as_told(victim, book(victim, "build", BUILD), f"-e artifacts_cache_dir={cache}")
    assert {f"built {part}" for part in ("pause", "image-pause", "debian-busybox", "image-helper")} <= told
    shutil.rmtree(cache)


def test_the_end(victim: Victim) -> None:
    remove_cluster(victim, POINTS + 2)
    victim.came_through()
