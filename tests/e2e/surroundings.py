# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of our own: folders, a kubeconfig, a cluster name and a subnet that touch nobody else's."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import tree
import yaml
from votes import Told, contradictions

CLUSTER = os.environ.get("MINTNET_E2E_CLUSTER", "mintnet-e2e")
SUBNET = os.environ.get("MINTNET_E2E_SUBNET", "10.89.65.0/24")
NETWORK = "mintnet"
"""The default network's namespace and chain id."""

VOLUMES = Path("/var/lib/containers/storage/volumes")

FIGURES = tree.ROOT / "tests" / "output" / "figures.log"
"""What tests measured: a runner in parallel shows nothing of a test that passes."""

KINDS = (
    *("configmaps", "secrets", "services", "statefulsets", "persistentvolumeclaims"),
    *("networkpolicies", "poddisruptionbudgets", "limitranges", "resourcequotas"),
)
"""What a network is made of, besides its pods."""

# Somebody's cluster, which is their current context: it must stay what it is.
FOREIGN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "theirs",
    "clusters": [{"name": "theirs", "cluster": {"server": "https://192.0.2.1:6443"}}],
    "contexts": [{"name": "theirs", "context": {"cluster": "theirs", "user": "theirs"}}],
    "users": [{"name": "theirs", "user": {"token": "theirs"}}],
}


@dataclass(frozen=True)
class Run:
    command: str
    code: int
    output: str
    seconds: float

    @property
    def changed(self) -> int:
        """From the story's last line, or from Ansible's recap."""
        story = re.findall(r"^done .* (?:changed|would change) (\d+)$", self.output, re.MULTILINE)
        recap = re.findall(r"\bchanged=(\d+)", self.output)
        found = story or recap
        assert found, f"{self.command} says nothing of changes:\n{self.output}"
        return sum(int(number) for number in found)

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.output}\n→ {self.code} after {self.seconds:.1f} s"


@dataclass
class User:
    home: Path
    cluster: str = CLUSTER
    subnet: str = SUBNET
    quiet: bool = False
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        inventory = self.home / "inventory"
        (inventory / "group_vars").mkdir(parents=True)
        hosts = (tree.ROOT / "inventories" / "local" / "hosts.yml").read_text(encoding="utf-8")
        (inventory / "hosts.yml").write_text(hosts, encoding="utf-8")
        names = {"mintnet_cluster": self.cluster, "machines_subnet": self.subnet}
        (inventory / "group_vars" / "all.yml").write_text(yaml.safe_dump(names), encoding="utf-8")
        self.kubeconfig.write_text(yaml.safe_dump(FOREIGN), encoding="utf-8")
        self.kubeconfig.chmod(0o600)
        self.environment = {
            **os.environ,
            # Make takes its variables from the environment too: so the README's commands run as they stand.
            "INVENTORY": str(inventory),
            "ANSIBLE_INVENTORY": str(inventory),
            "KUBECONFIG": str(self.kubeconfig),
            "MINTNET_HOME": str(self.home / "mintnet"),
            "COLUMNS": "160",
        }

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def python(self) -> str:
        """The Python under which these tests run, without their virtual environment."""
        return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")

    def run(self, command: str, place: Path, *, code: int | None = 0, timeout: float = 3600, **environment: str) -> Run:
        """Runs a command without a terminal; `code` is what it should end with, None for any."""
        began = time.monotonic()
        process = subprocess.run(
            ["bash", "-c", command],
            cwd=place,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        run = Run(command, process.returncode, process.stdout, time.monotonic() - began)
        self.runs.append(run)
        if not self.quiet:
            print(f"\n{run}", flush=True)
        if code is not None:
            assert (run.code != 0) if code else (run.code == 0), str(run)
        return run

    def kubectl(self, arguments: str, *, code: int | None = 0) -> Run:
        return self.run(f"kubectl --context {self.cluster} {arguments}", self.home, code=code)

    @property
    def journal(self) -> Path:
        return self.home / "journal"

    @property
    def journaling(self) -> dict[str, str]:
        """What makes a run of Ansible keep the journal (callbacks/journal.py)."""
        return {
            "ANSIBLE_CALLBACK_PLUGINS": str(tree.ROOT / "tests" / "e2e" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "journal",
            "JOURNAL": str(self.journal),
        }

    def entries(self) -> list[dict[str, Any]]:
        """What the last run that kept a journal has written so far."""
        lines = self.journal.read_text(encoding="utf-8").splitlines(True) if self.journal.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @staticmethod
    def note(text: str) -> None:
        note(text)

    @property
    def machine(self) -> str:
        """The only one, or the first, of a cluster that was made."""
        return f"{self.cluster}-1"

    def inside(self, command: str, data: bytes | None = None) -> str:
        """Runs a command in that machine."""
        interactive = ["-i"] if data is not None else []
        run = subprocess.run(
            ["podman", "exec", *interactive, self.machine, "sh", "-c", command],
            input=data,
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, f"{command}: {run.stderr.decode(errors='replace')}"
        return run.stdout.decode()

    def ask(self, *arguments: str) -> str:
        """What kubectl answers, without a line in the log."""
        command = ["kubectl", "--context", self.cluster, *arguments]
        answer = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, errors="replace", check=False
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def get(self, what: str, namespace: str = NETWORK) -> Any:
        """Objects as the API server has them."""
        found = json.loads(self.ask("-n", namespace, "get", *shlex.split(what), "-o", "json"))
        return found["items"] if found["kind"] == "List" else found

    def rpc(self, node: str, path: str, namespace: str = NETWORK) -> Any:
        """A node's answer, through the API server."""
        url = f"/api/v1/namespaces/{namespace}/pods/{node}:26657/proxy/{path}"
        return json.loads(self.ask("get", "--raw", url))["result"]

    def height(self, node: str, namespace: str = NETWORK) -> int:
        return int(self.rpc(node, "status", namespace)["sync_info"]["latest_block_height"])

    def block(self, node: str, height: int, namespace: str = NETWORK) -> tuple[str, str]:
        """Block id and app hash."""
        block = self.rpc(node, f"block?height={height}", namespace)
        return block["block_id"]["hash"], block["block"]["header"]["app_hash"]

    def nodes(self, namespace: str = NETWORK) -> list[str]:
        return sorted(
            (pod["metadata"]["name"] for pod in self.get("pods", namespace)), key=lambda name: (len(name), name)
        )

    def pods(self, namespace: str = NETWORK) -> dict[str, tuple[str, int]]:
        """Each pod's identity and restarts: equal before and after means that nothing restarted."""
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(status["restartCount"] for status in pod["status"].get("containerStatuses", [])),
            )
            for pod in self.get("pods", namespace)
        }

    def objects(self, namespace: str = NETWORK) -> dict[str, str]:
        """Every object that we make → a mark that changes when somebody writes to it."""
        return {
            f"{item['kind']}/{item['metadata']['name']}": mark(item) for item in self.get(",".join(KINDS), namespace)
        }

    def agree(self, namespace: str = NETWORK) -> int:
        """All nodes hold the same block at one height, and heights rise. Gives that height."""
        nodes = self.nodes(namespace)
        height = min(self.height(node, namespace) for node in nodes)
        assert height >= 1
        blocks = {self.block(node, height, namespace) for node in nodes}
        assert len(blocks) == 1, blocks
        for _attempt in range(60):
            if all(self.height(node, namespace) > height for node in nodes):
                return height
            time.sleep(0.5)
        raise AssertionError(f"heights do not rise above {height} on all of {nodes}")

    def wait(self, what: str, holds: Callable[[], object], seconds: float = 120) -> float:
        """Until it holds; gives the seconds that it took. A request that fails meanwhile does not count."""
        began, trouble = time.monotonic(), ""
        while time.monotonic() - began < seconds:
            try:
                if holds():
                    return time.monotonic() - began
            except (AssertionError, LookupError, json.JSONDecodeError) as error:
                trouble = str(error)
            time.sleep(0.3)
        raise AssertionError(f"{what}: not within {seconds} s {trouble}")

    def bulk(self, node: str, *paths: str, namespace: str = NETWORK) -> list[Any]:
        """Many answers of a node, which one curl in it fetches: a kubectl for each would take minutes.

        A path may have a range such as ``[1-500]``.
        """
        urls = [f"http://127.0.0.1:26657/{path}" for path in paths]
        text, place = self.ask("-n", namespace, "exec", "-c", "tm", node, "--", "curl", "-s", *urls), 0
        found, decoder = [], json.JSONDecoder()
        while place < len(text):
            answer, place = decoder.raw_decode(text, place)
            assert "result" in answer, f"{node}: {answer}"
            found.append(answer["result"])
            while text[place : place + 1].isspace():
                place += 1
        return found

    def blocks(self, node: str = "tm-0", first: int = 1, namespace: str = NETWORK) -> list[dict[str, Any]]:
        """All blocks from a height on."""
        newest = self.height(node, namespace)
        if newest < first:
            return []
        found = [one["block"] for one in self.bulk(node, f"block?height=[{first}-{newest}]", namespace=namespace)]
        assert len(found) == newest - first + 1
        return found

    def longest_gap(self, first: int, namespace: str = NETWORK) -> float:
        """Seconds between two blocks, at most, from a height on."""
        times = [
            datetime.fromisoformat(block["header"]["time"][:26].rstrip("Z") + "+00:00")
            for block in self.blocks(first=first, namespace=namespace)
        ]
        return max((after - before).total_seconds() for before, after in itertools.pairwise(times))

    def lose_pods(self, *nodes: str, namespace: str = NETWORK) -> None:
        """As a machine does it that loses them: without a farewell."""
        for node in nodes:
            self.kubectl(f"-n {namespace} delete pod {node} --grace-period=0 --force")

    def nobody_signed_twice(self, namespace: str = NETWORK) -> None:
        """All signatures in all blocks that the nodes hold, their newest commits, evidence and logs."""
        pods = self.pods(namespace)
        with ThreadPoolExecutor(max(1, len(pods))) as pool:
            told = pool.map(lambda node: self.told(node, pods[node][1] > 0, namespace), pods)
            finds = contradictions(dict(zip(pods, told, strict=True)))
        assert not finds, "\n".join(finds)

    def told(self, node: str, restarted: bool, namespace: str = NETWORK) -> Told:
        """What a node tells of its chain; where a container of its pod restarted, with the log of the life before."""
        info = self.rpc(node, "status", namespace)["sync_info"]
        first, newest = int(info["earliest_block_height"]), int(info["latest_block_height"])
        *blocks, seen = self.bulk(node, f"block?height=[{first}-{newest}]", "commit", namespace=namespace)
        logs = ["-n", namespace, "logs", node, "-c", "tm"]
        log = self.ask(*logs)
        if restarted:
            # It may have been another container, and a machine that was killed does not keep all logs.
            with suppress(AssertionError):
                log += self.ask(*logs, "--previous")
        return Told(first, newest, blocks, [seen], log)

    def values(self, nodes: Iterable[str], key: str, namespace: str = NETWORK) -> dict[str, str]:
        """What each of these nodes says of a key."""
        return {node: self.read(node, key, namespace) for node in nodes}

    def read(self, node: str, key: str, namespace: str = NETWORK) -> str:
        """A key of the built-in application, read through the node's own RPC inside the network."""
        query = f"http://{node}.{namespace}:26657/abci_query?data=0x{key.encode().hex()}"
        answer = self.kubectl(f"-n {namespace} exec -c tm tm-0 -- curl -s '{query}'").output
        value = json.loads(answer)["result"]["response"].get("value")
        return base64.b64decode(value).decode() if value else ""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a plain web server on loopback that has this folder."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def note(text: str) -> None:
    """Kept with the results of the tests, and shown with a failure."""
    print(f"\n{text}", flush=True)
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].removeprefix("tests/e2e/")
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with FIGURES.open("a", encoding="utf-8") as log:
        print(f"{test}: {text}" if test else text, file=log)


def mark(item: dict[str, Any]) -> str:
    """Of an object, changes when somebody writes to it.

    The cluster writes the status of some; of those, what was asked for counts.
    """
    metadata = item["metadata"]
    if "status" in item:
        return digest([item.get("spec"), metadata.get("labels"), metadata.get("annotations")])
    return str(metadata["resourceVersion"])


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def folder(path: Path, without: Collection[str] = ()) -> dict[str, str]:
    """Every file below a folder → its mode and content; what is large and nobody's concern can be left out."""
    found: dict[str, str] = {}
    tops = [top for top in path.iterdir() if top.name not in without]
    for name in sorted(name for top in tops for name in (top, *(top.rglob("*") if top.is_dir() else ()))):
        status = name.lstat()
        content = str(name.readlink()) if name.is_symlink() else "folder" if name.is_dir() else "other"
        if name.is_file() and not name.is_symlink():
            content = hashlib.sha256(name.read_bytes()).hexdigest()
        found[str(name.relative_to(path))] = f"{status.st_mode:o} {content}"
    return found


def ours(command: list[str], words: tuple[str, ...]) -> set[str]:
    """Lines of a listing that speak of us; a tool that is not installed has nothing to list."""
    if not shutil.which(command[0]):
        return set()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return {line for line in answer.stdout.splitlines() if any(word in line for word in words)}


def traces(user: User) -> dict[str, set[str]]:
    """What a cluster of ours leaves on this machine, by kind."""
    words = (user.cluster, user.subnet.rsplit(".", 1)[0] + ".")
    volumes = VOLUMES.glob(f"{user.cluster}-*")  # those that podman has forgotten, too
    places = (user.home / "mintnet" / "clusters" / user.cluster, Path("/run/mintnet") / user.cluster, *volumes)
    return {
        "containers": ours(["podman", "ps", "-a", "--format", "{{.ID}} {{.Names}}"], words),
        "volumes": ours(["podman", "volume", "ls", "--format", "{{.Name}}"], words),
        "networks": ours(["podman", "network", "ls", "--format", "{{.Name}}"], words),
        "interfaces": ours(["ip", "-o", "address"], words),
        "firewall": ours(["iptables-save"], words) | ours(["nft", "list", "ruleset"], words),
        "mounts": ours(["cat", "/proc/self/mounts"], words),
        "processes": processes(user),
        "folders": {str(path) for path in places if path.exists()},
    }


def processes(user: User, *, outside: bool = False) -> set[str]:
    """Command lines that speak of us; with ``outside`` only those that run in no container."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            inside = (process / "ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
        except OSError:
            continue
        # Not the tests themselves, which run below this folder.
        if user.cluster in line or (str(user.home) in line and "pytest" not in line):
            found |= set() if inside and outside else {line}
    return found


def remove(user: User) -> None:
    """Also after a failure: first as a user would, then what that has left."""
    clone = user.home / "clone"
    if (user.home / "mintnet" / "clusters" / user.cluster).exists() and clone.exists():
        user.run("make destroy-cluster CONFIRM=yes", clone, code=None)
    sweep(user.cluster)
    shutil.rmtree(user.home, ignore_errors=True)


def sweep(cluster: str) -> None:
    """What a cluster that only tests make has left on this machine, found by its label or by minikube's."""
    kinds = (("container", "ps -a"), ("volume", "volume ls"), ("network", "network ls"))
    if shutil.which("podman"):
        for (kind, names), label in itertools.product(kinds, ("io.mintnet.cluster", "name.minikube.sigs.k8s.io")):
            listing = ["podman", *names.split(), "-q", "--filter", f"label={label}={cluster}"]
            found = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
            for name in found:
                force = ["-t", "0"] if kind == "container" else []
                subprocess.run(["podman", kind, "rm", "-f", *force, name], capture_output=True, check=False)
    for left in (Path("/run/mintnet") / cluster, *VOLUMES.glob(f"{cluster}-*")):
        shutil.rmtree(left, ignore_errors=True)
