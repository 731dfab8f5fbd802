# SPDX-License-Identifier: GPL-3.0-or-later
"""No private key is in anything that runs leave, with every detail printed, every file kept and every cache on.

A network of its own is made, broken, diagnosed and removed; then all that these runs left is searched.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from search import Search
from surroundings import KINDS, Run, User

# What is printed and what lies in the API is searched in short runs, too, where networks are looked at.
pytestmark = pytest.mark.long

NETWORK = "secretive"
PLACES = ("ansible", "facts", "remote", "local", "temporary", "reports", "machine")


class Processes(threading.Thread):
    """Takes down the command lines and environments of all processes while runs last."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._looks: dict[str, int] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.03):
            names = (path.name for path in Path("/proc").iterdir())
            present = [name for name in names if name.isdigit() and name != str(os.getpid())]
            self._looks = {name: self._looks.get(name, 0) + 1 for name in present}
            # A process is looked at a few times, since it may become another program.
            for name in present:
                if self._looks[name] <= 5:
                    self._look(Path("/proc") / name)

    def _look(self, process: Path) -> None:
        for file in ("cmdline", "environ"):
            try:
                self.seen.add((process / file).read_bytes())
            except OSError:
                continue

    def stop(self) -> None:
        self._over.set()
        if self.is_alive():
            self.join()


class Left:
    """The runs, and the folder in which everything is that they can be made to leave."""

    def __init__(self, user: User, clone: Path) -> None:
        self.user, self.clone = user, clone
        self.home = user.home / "secretive"
        self.secrets: dict[str, bytes] = {}
        self.runs: list[Run] = []
        self.processes = Processes()
        for name in PLACES:
            (self.home / name).mkdir(parents=True)
        network = {"cometbft_network": NETWORK, "cometbft_nodes": 2, "cometbft_ephemeral": True}
        (self.home / "network.yml").write_text(yaml.safe_dump(network), encoding="utf-8")
        self.environment: dict[str, str] = {
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "ANSIBLE_LOG_PATH": str(self.home / "log"),
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.home / "facts"),
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_REMOTE_TEMP": str(self.home / "remote"),
            "ANSIBLE_LOCAL_TEMP": str(self.home / "local"),
            "ANSIBLE_DISPLAY_TRACEBACK": "always",
            "TMPDIR": str(self.home / "temporary"),
        }

    def make(self, verb: str, *, code: int | None = 0) -> Run:
        arguments = f"-vvvv --diff -e mintnet_diagnose_path={self.home / 'reports'}"
        command = f"make {verb} NETWORK={self.home / 'network.yml'} ARGS='{arguments}'"
        self.user.quiet = True  # megabytes
        try:
            run = self.user.run(command, self.clone, code=code, timeout=900, **self.environment)
        finally:
            self.user.quiet = False
        print(f"$ {command} → {run.code} after {run.seconds:.0f} s, {len(run.output)} characters", flush=True)
        self.runs.append(run)
        return run


def keys_of(data: dict[str, str]) -> dict[str, bytes]:
    """The seeds of the ed25519 keys in a Secret; the other half of each key is public."""
    found = {}
    for name, value in data.items():
        key = base64.b64decode(json.loads(base64.b64decode(value))["priv_key"]["value"])
        assert len(key) == 64
        found[name] = key[:32]
    return found


def numbers_of(name: str, key: Any) -> dict[str, bytes]:
    """What of a private key is private."""
    if isinstance(key, rsa.RSAPrivateKey):
        private = key.private_numbers()
        parts = {"d": private.d, "p": private.p, "q": private.q}
        return {f"{name}, {part}": value.to_bytes((value.bit_length() + 7) // 8) for part, value in parts.items()}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {name: key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8)}
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return {name: key.private_bytes_raw()}


def admin_of(kubeconfig: Path, name: str) -> dict[str, bytes]:
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    (user,) = (entry["user"] for entry in document["users"] if entry["name"] == name)
    pem = base64.b64decode(user["client-key-data"])
    return numbers_of("the administrator's key", serialization.load_pem_private_key(pem, None))


def cluster_keys(user: User) -> dict[str, bytes]:
    """The cluster's own: of its authorities, its servers, its service accounts, and of etcd."""
    texts = user.inside("find /etc/kubernetes/pki -name '*.key' -exec cat {} +")
    found: dict[str, bytes] = {}
    for number, pem in enumerate(
        re.finditer(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", texts, re.DOTALL)
    ):
        key = serialization.load_pem_private_key(pem[0].encode(), None)
        found |= numbers_of(f"the cluster's key {number}", key)
    # Three authorities, four servers and clients of etcd, three of the API server, and the one for service accounts.
    assert len(found) >= 11
    return found


def machine_keys(home: Path) -> dict[Path, dict[str, bytes]]:
    """Each file with a key to the machines, and the key."""
    found = {}
    for path in home.rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY"):
            key = serialization.load_ssh_private_key(path.read_bytes(), None)
            found[path] = numbers_of(f"the key {path.name}", key)
    return found


def damage(user: User, change: Callable[[str], str]) -> None:
    """The Secret's last key file becomes another text. Not by a command line, which is searched, too."""
    data = user.get("secret tm-keys", NETWORK)["data"]
    name = max(data)
    text = change(base64.b64decode(data[name]).decode())
    patch = user.home / "patch.json"
    patch.write_text(json.dumps({"data": {name: base64.b64encode(text.encode()).decode()}}), encoding="utf-8")
    user.kubectl(f"-n {NETWORK} patch secret tm-keys --patch-file {patch}")
    patch.unlink()


def take(left: Left) -> None:
    """What lies on the machine and in the cluster: files, journals, events, objects, logs."""
    machine, place = left.user.machine, left.home / "machine"
    remote = left.home / "remote"
    left.user.run(f"podman cp {machine}:{remote} {place}/remote", left.home)
    left.user.run(f"podman exec {machine} journalctl --no-pager -o cat > {place}/journal", left.home)
    for what in (
        "events --all-namespaces",
        f"all,{','.join(kind for kind in KINDS if kind != 'secrets')} -n {NETWORK}",
    ):
        name = what.partition(",")[0].partition(" ")[0]
        left.user.kubectl(f"get {what} -o yaml --show-managed-fields > {place}/{name}")
    for node in left.user.nodes(NETWORK):
        left.user.kubectl(f"-n {NETWORK} logs {node} --all-containers > {place}/{node}.log")


@pytest.fixture(scope="module")
def left(user: User, clone: Path) -> Iterator[Left]:
    """All runs, with what they left."""
    left = Left(user, clone)
    left.processes.start()
    try:
        # So that the administrator's key is fetched from the machine and written once more.
        left.secrets |= admin_of(user.kubeconfig, user.cluster)
        for kind in ("context", "user", "cluster"):
            user.run(f"kubectl config delete-{kind} {user.cluster}", user.home)
        left.make("create")
        left.secrets |= keys_of(user.get("secret tm-keys", NETWORK)["data"])
        left.secrets |= cluster_keys(user)
        for keys in machine_keys(user.home / "mintnet").values():
            left.secrets |= keys
        left.make("status")
        left.make("diagnose")
        left.make("tx TX='name=satoshi'")
        # Without a word of consent: the one has nothing to recover, the other is refused.
        left.make("recover NODE=tm-1")
        left.make("reset", code=1)
        # Keys that cannot be read, for two reasons: what is said of them must not quote them.
        damage(user, lambda text: text.replace("PrivKeyEd25519", "PrivKeyNone"))
        left.make("create", code=1)
        damage(user, lambda text: f"[{text}")
        left.make("create", code=1)
        take(left)
        left.make("destroy CONFIRM=yes")
        left.processes.stop()
        yield left
    finally:
        left.processes.stop()
        left.make("destroy CONFIRM=yes", code=None)
        shutil.rmtree(left.home)


def test_runs_left_something_to_search(left: Left) -> None:
    for place in (*PLACES, "log"):
        path = left.home / place
        # Only a module that was shipped leaves something in these.
        unused = place in ("ansible", "local", "temporary")
        assert unused or (path.stat().st_size if path.is_file() else any(path.iterdir())), place
    assert any(b"ansible-playbook" in line for line in left.processes.seen)
    assert all("TASK [" in run.output for run in left.runs)
    # The validator's and the node's key of two nodes, the administrator's, the one to the machine, and the cluster's.
    assert len(left.secrets) >= 17
    events = (left.home / "machine" / "events").read_text(encoding="utf-8")
    assert "kind: Event\n" in events
    assert f"namespace: {NETWORK}\n" in events


def test_search_finds_the_keys_where_they_live(left: Left) -> None:
    """So it would find them elsewhere."""
    finds = Search(left.secrets).data(left.user.kubeconfig.read_bytes(), "kubeconfig")
    pem = base64.b64decode(re.findall(r"client-key-data: (\S+)", left.user.kubeconfig.read_text(encoding="utf-8"))[-1])
    assert finds or Search(left.secrets).data(base64.b64decode(b"".join(pem.splitlines()[1:-1])), "key")


def test_no_key_is_in_the_output(left: Left) -> None:
    search = Search(left.secrets)
    assert not [find for run in left.runs for find in search.data(run.output.encode(), run.command)]


def test_no_key_is_in_a_process_list(left: Left) -> None:
    search = Search(left.secrets)
    assert not [find for line in left.processes.seen for find in search.data(line, line.decode(errors="replace")[:200])]


def test_no_key_is_in_what_lies_about(left: Left) -> None:
    """Log, facts, temporary and remote files, archive, journals, events, objects; and the records of the cluster."""
    search = Search(left.secrets)
    own = frozenset(machine_keys(left.user.home / "mintnet"))
    assert search.tree(left.home) == []
    assert search.tree(left.user.home / "mintnet", own) == []


def test_report_is_whole_and_for_its_owner(left: Left) -> None:
    (archive,) = (left.home / "reports").iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        files = {member.name.partition("/")[2]: tar.extractfile(member) for member in tar}
        texts = {name: file.read().decode() for name, file in files.items() if file}
    assert texts["MANIFEST"] in (told := left.runs[2].output) or all(
        row in told for row in texts["MANIFEST"].split("\n")
    )
    assert "not collected" not in texts["MANIFEST"]
    machine = f"machines/{left.user.machine}"
    for name in (
        *("versions.json", "plan.json", "variables.json", "inventory.json", "status.json", "events.txt"),
        *("objects/statefulsets.json", "objects/secrets.json", "cluster/nodes.json", "logs/tm-1/tm.log"),
        *("rpc/tm-0/status.json", "rpc/tm-0/net_info.json", "rpc/tm-1/dump_consensus_state.json"),
        *(f"{machine}/kubelet.log", f"{machine}/containerd.log", f"{machine}/system.txt", f"{machine}/container.json"),
    ):
        assert texts[name].strip(), name
    assert json.loads(texts["status.json"])["healthy"] is True
    assert json.loads(texts["variables.json"])["cometbft_nodes"] == 2
