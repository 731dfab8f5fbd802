# SPDX-License-Identifier: GPL-3.0-or-later
"""Our times beside the floor: shell and kubectl with everything ready-made, on the same machine in the same run.

Nothing is asserted: times belong to a machine. The floor's manifests are the very objects that our create has made.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "bench"), str(TESTS / "e2e"), str(TESTS.parent / ".dev")]

import apps  # noqa: E402
import join  # noqa: E402
import tree  # noqa: E402
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube_podman import surroundings  # noqa: E402
from surroundings import KINDS, NETWORK, User, remove  # noqa: E402

PARTS = ("keys", "render", "sources", "network", "custody", "survival", "join", "apps", "minikube")
SIZES = (4, 16)
ROLLS = (4, 7)
KEYS = (4, 100, 1000)
MANY = 10_000
# Runs a command and prints how much memory the largest of its processes had, in KiB on Linux.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
BUILD = """\
- name: What the floor is measured with
  hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - name: Have the program
      ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [cometbft]
"""
TREE = """\
- name: Keys, genesis and configuration for many nodes
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Make the keys
      mintnet.kubernetes.cometbft_keys:
        directory: "{{ directory }}"
        count: "{{ count }}"
        key_type: "{{ key_type | default('ed25519') }}"
      register: keys

    - name: Make the genesis
      mintnet.kubernetes.cometbft_genesis:
        path: "{{ directory }}/genesis.json"
        chain_id: bench
        version: "0.40.0"
        validators: "{{ keys.validators }}"

    - name: Make the configuration
      mintnet.kubernetes.cometbft_config:
        version: "0.40.0"
        # As the command does, each with all as its peers; more are refused.
        nodes: "{{ keys.nodes | map(attribute='name') if count | int <= 1000 else [] }}"
        validators: "{{ keys.nodes | map(attribute='name') if count | int <= 1000 else [] }}"

    - name: Take the time
      ansible.builtin.debug:
"""


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def show(work: str, ours: float, floor: float | None = None) -> None:
    beside = f"{floor:8.1f} s {ours / floor:7.2f}×" if floor else ""
    print(f"{work:<58} {ours:8.1f} s {beside}", flush=True)


def first_block(user: User, count: int, began: float) -> float:
    """Seconds until every node has a block, asked through the API server."""
    waiting = [f"tm-{number}" for number in range(count)]
    while waiting and time.monotonic() - began < 600:
        url = f"/api/v1/namespaces/{NETWORK}/pods/{waiting[-1]}:26657/proxy/status"
        command = ["kubectl", "--context", user.cluster, "get", "--raw", url]
        answer = subprocess.run(command, env=user.environment, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and int(json.loads(answer.stdout)["result"]["sync_info"]["latest_block_height"]) >= 1:
            waiting.pop()
        else:
            time.sleep(0.2)
    return time.monotonic() - began


def manifests(user: User) -> str:
    """What our create has made, as somebody would keep it in a file."""
    objects: list[dict[str, Any]] = [user.get(f"namespace {NETWORK}")]
    for item in user.get(",".join(kind for kind in KINDS if kind != "persistentvolumeclaims")):
        if item["metadata"]["name"] not in ("kube-root-ca.crt", "tm-started"):
            objects.append(item)
    for item in objects:
        item.pop("status", None)
        for name in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
            item["metadata"].pop(name, None)
        for name in ("clusterIPs", "clusterIP") if item["kind"] == "Service" else ():
            if item["spec"].get("clusterIP") != "None":
                item["spec"].pop(name, None)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def created(user: User, clone: Path, create: str, count: int) -> tuple[float, float]:
    """Seconds until every node has a block, and until the command has ended."""
    reached: list[float] = []
    watcher = threading.Thread(target=lambda: reached.append(first_block(user, count, time.monotonic())))
    watcher.start()
    ended = user.run(create, clone).seconds
    watcher.join()
    return reached[0], ended


def network(user: User, clone: Path, count: int) -> None:
    create = f"make create ARGS='-e cometbft_nodes={count}'"
    reached, ours = created(user, clone, create, count)
    again = user.run(create, clone).seconds
    file = user.home / f"{count}.json"
    file.write_text(manifests(user), encoding="utf-8")
    destroyed = user.run("make destroy CONFIRM=yes", clone).seconds

    began = time.monotonic()
    applied = timed(lambda: user.kubectl(f"apply --server-side -f {file}"))
    floor = first_block(user, count, began)
    user.kubectl(f"delete namespace {NETWORK}")

    show(f"cluster → height 1 on all of {count}", reached, floor)
    show(f"cluster → create has ended, {count} nodes", ours, floor)
    show(f"  of the floor: kubectl apply, {count} nodes", applied)
    show(f"second create, {count} nodes", again)
    show(f"destroy, {count} nodes", destroyed)


def custody(user: User, clone: Path) -> None:
    """Keys that pods make, beside those that are there before any pod is."""
    destroy = "make destroy CONFIRM=yes"

    def create(count: int, custody: str) -> str:
        return f"make create ARGS='-e cometbft_nodes={count} -e cometbft_custody={custody}'"

    # The images of both are in the cluster, and were run, before anything is measured.
    user.run(create(1, "pod"), clone)
    user.run(destroy, clone)
    for count in SIZES:
        floor, floor_ended = created(user, clone, create(count, "secret"), count)
        user.run(destroy, clone)
        ours, ours_ended = created(user, clone, create(count, "pod"), count)
        again = user.run(create(count, "pod"), clone).seconds
        user.run(destroy, clone)

        show(f"custody pod beside secret: height 1 on all of {count}", ours, floor)
        show(f"  create has ended, {count} nodes", ours_ended, floor_ended)
        show(f"  second create with custody pod, {count} nodes", again)


def survival(user: User, clone: Path, count: int) -> None:
    """Figures of a network that lives: blocks come every second."""
    file = user.home / "survival.yml"
    file.write_text("{}\n", encoding="utf-8")
    create = f"make create NETWORK={file} ARGS='-e cometbft_nodes={count}'"
    user.run(create, clone)
    height = user.height("tm-0")
    file.write_text("cometbft_config: {mempool: {size: 4000}}\n", encoding="utf-8")
    show(f"every one of {count} nodes replaced, one by one", user.run(create, clone).seconds)
    show("  the longest time between two blocks meanwhile", user.longest_gap(height))

    nodes = user.nodes()

    def above(height: int) -> float:
        return user.wait("all go on", lambda: all(user.height(node) > height for node in nodes), 300)

    height = max(user.height(node) for node in nodes)
    user.lose_pods("tm-1")
    show(f"one pod of {count} killed → all above the old height", above(height))
    height = max(user.height(node) for node in nodes)
    user.run(f"podman kill {user.machine}", user.home)
    show(f"power cut, {count} nodes → create has ended", user.run(create, clone).seconds)
    above(height)
    user.run("make destroy CONFIRM=yes", clone)


def minikube(user: User, clone: Path, count: int = 4) -> None:
    """The floor has what create has put into minikube's cache, and volumes that need no provisioner, as create has."""
    before = dict(user.environment)
    user.environment |= {"MINIKUBE_HOME": str(user.home), "MINIKUBE_IN_STYLE": "false"}
    program = user.home / "bin" / "minikube"
    options = f"-e cometbft_nodes={count} -e cometbft_ephemeral=true -e minikube_bin_dir={user.home / 'bin'}"
    create = f"make create PROVIDER=minikube ARGS='{options}'"
    destroy = "make destroy-cluster CONFIRM=yes"
    try:
        user.run(destroy, clone)
        # Artifacts, kubectl and minikube's cache are there for both.
        user.run(create, clone)
        user.run(destroy, clone)
        reached, ours = created(user, clone, create, count)
        again = user.run(create, clone).seconds
        known = json.loads(user.run(f"{program} profile list -o json --light 2>/dev/null", user.home).output)["valid"]
        (made,) = [item["Config"] for item in known if item["Name"] == user.cluster]
        (image,) = {item["spec"]["template"]["spec"]["containers"][0]["image"] for item in user.get("statefulsets")}
        archive = image_archive(image)
        file = user.home / "minikube.json"
        file.write_text(manifests(user), encoding="utf-8")
        user.run(destroy, clone)

        with surroundings() as variables:
            user.environment |= variables
            start = (
                f"{program} start -p {user.cluster} --driver={made['Driver']} --cpus={made['CPUs']} "
                f"--memory={made['Memory']}mb --kubernetes-version={made['KubernetesConfig']['KubernetesVersion']} "
                f"--base-image={made['KicBaseImage']} --container-runtime=containerd --cni=bridge --wait=all "
                "--preload=false --install-addons=false --force --keep-context=true"
            )
            try:
                began = time.monotonic()
                started = timed(lambda: user.run(start, user.home))
                user.run(f"{program} image load -p {user.cluster} {archive}", user.home)
                user.kubectl(f"apply --server-side -f {file}")
                floor = first_block(user, count, began)
            finally:
                user.run(f"{program} delete -p {user.cluster}", user.home, code=None)
    finally:
        user.environment = before

    show(f"nothing → minikube and height 1 on all of {count}", reached, floor)
    show("  create has ended", ours, floor)
    show("  of the floor: minikube start", started)
    show("second create on minikube", again)


def image_archive(reference: str) -> Path:
    """Of the image that nodes run: the newest that the cache has of it."""
    specs = [path for path in cached("image-cometbft", "spec.json") if f'"{reference}"' in path.read_text("utf-8")]
    return max(specs, key=lambda path: path.stat().st_mtime).with_name("cometbft.tar")


def sources(user: User, clone: Path) -> None:
    """The floor of the decision is a run that has nothing to decide."""
    empty = f"--check -e artifacts_cache_dir={user.home / 'empty'}"
    play = f".venv/bin/ansible-playbook playbooks/cluster.yml {empty}"
    with socket.create_server(("127.0.0.1", 0), backlog=200) as nobody:
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        proxies = " ".join(f"{name}={away}" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"))
        ours = user.run(f"{proxies} {play} -e artifacts_source=auto", clone).seconds
    floor = user.run(f"{play} -e artifacts_source=source", clone).seconds
    show("source chosen where each host hangs, in a check run", ours, floor)
    show("  of it: the decision by itself", ours - floor)

    for provider in ("kubeadm", "minikube"):
        folder = user.home / f"mirror-{provider}"
        fill = f"make mirror PROVIDER={provider} ARGS='-e mintnet_mirror_dir={folder}'"
        show(f"mirror for {provider} filled (artifacts cached, or built in this run)", user.run(fill, clone).seconds)
        show("  filled again", user.run(fill, clone).seconds)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"  its size: {size // 2**20} MiB", flush=True)


def cached(name: str, file: str = "artifact.json") -> list[Path]:
    """What the cache says of an artifact, in each of its versions."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mintnet" / "artifacts"
    return sorted((cache / name).glob(f"*/{file}"))


def many_keys(user: User, clone: Path) -> None:
    playbook = clone / "playbooks" / "bench.yml"
    playbook.write_text(BUILD, encoding="utf-8")
    user.run(f".venv/bin/ansible-playbook {playbook}", clone)
    playbook.write_text(TREE, encoding="utf-8")
    binary = next(path.with_name("cometbft") for path in cached("cometbft") if "v0.40.0" in path.read_text("utf-8"))

    def command(count: int, more: str = "") -> str:
        arguments = f"-e directory={user.home / f'keys-{count}{more}'} -e count={count}"
        arguments += f" -e key_type={more}" if more else ""
        return f".venv/bin/ansible-playbook {playbook} {arguments}"

    journal = user.home / "journal"
    journaled: dict[str, Any] = {
        "ANSIBLE_CALLBACK_PLUGINS": str(tree.ROOT / "tests" / "e2e" / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "journal",
        "JOURNAL": str(journal),
    }

    def ours(count: int, more: str = "") -> float:
        """From the first task to the last: the modules with their start, without that of ansible-playbook."""
        journal.unlink(missing_ok=True)
        user.run(command(count, more), clone, **journaled)
        began = [json.loads(line)["at"] for line in journal.read_text(encoding="utf-8").splitlines() if "task" in line]
        return float(began[-1] - began[0])

    for count in KEYS:
        floor = user.run(f"{binary} testnet --v {count} --o {user.home / f'testnet-{count}'} >/dev/null", user.home)
        show(f"keys, genesis and configuration of {count} nodes", ours(count), floor.seconds)
    show("the same with ml_dsa_65, 100 nodes", ours(100, "ml_dsa_65"))
    script = user.home / "peak.py"
    script.write_text(PEAK, encoding="utf-8")
    run = user.run(f".venv/bin/python {script} {command(MANY)}", clone)
    show(f"the same with ed25519, {MANY} nodes", run.seconds)
    print(f"  memory of its largest process: {int(run.output.split()[-1]) // 1024} MiB", flush=True)
    playbook.unlink()


def render(user: User, clone: Path, count: int = 100) -> None:
    """Without a cluster; a run of Ansible that does nothing is the floor."""
    out = user.home / "manifests"
    options = f"-e cometbft_nodes={count} -e cometbft_render_path={out} -e cometbft_render_secrets=plain"
    play = f".venv/bin/ansible-playbook playbooks/render.yml {options}"
    floor = user.run(".venv/bin/ansible localhost -m ansible.builtin.debug", clone).seconds
    show(f"manifests of {count} nodes, with new keys", user.run(play, clone).seconds, floor)
    show("  written again", user.run(play, clone).seconds, floor)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"  their size: {size // 2**10} KiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints our times, beside their floor where there is one.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what is measured; everything without a name")
    parts = parser.parse_args().parts or PARTS
    user = User(
        Path(tempfile.mkdtemp(prefix="mintnet-bench-")), cluster="mintnet-bench", subnet="10.89.67.0/24", quiet=True
    )
    clone = tree.copy(user.home / "clone")
    try:
        user.run("scripts/venv .venv requirements.txt", clone)
        print(f"{'':<58} {'ours':>10} {'floor':>10}")
        if "keys" in parts:
            many_keys(user, clone)
        if "render" in parts:
            render(user, clone)
        if "sources" in parts:
            sources(user, clone)
        if {"network", "custody", "survival", "join", "apps"} & set(parts):
            cluster = user.run(".venv/bin/ansible-playbook playbooks/cluster.yml", clone).seconds
            show("nothing → cluster (artifacts cached, or built in this run)", cluster)
            for count in SIZES if "network" in parts else ():
                network(user, clone, count)
            if "custody" in parts:
                custody(user, clone)
            for count in ROLLS if "survival" in parts else ():
                survival(user, clone, count)
            for name, module in (("join", join), ("apps", apps)):
                for line in module.figures(user, clone) if name in parts else ():
                    print(line, flush=True)
            show("destroy-cluster", user.run("make destroy-cluster CONFIRM=yes", clone).seconds)
        if "minikube" in parts:
            minikube(user, clone)
    finally:
        remove(user)


if __name__ == "__main__":
    main()
