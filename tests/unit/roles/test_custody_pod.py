# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that make their own keys: the role's objects and scripts, run by sh over folders of pods that ask each other.

Each pod has a web server on loopback, as pub-key is in a cluster, and curl is told that a Service's name leads to it.
What CometBFT does is make key files: a program of the test gives it real ones.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load, yaml_load_all
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _genesis, _observed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_parts import template_head
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_template import template_text
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import ED25519, Kind, PrivateKey
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_config

Json = dict[str, Any]
ROLE = Path(__file__).resolve().parents[3] / "roles" / "cometbft"
TIME = "2026-01-01T00:00:00Z"
#: What Go escapes, numbers that jq 1.6 would round, and lines like those that are filled in.
APP_STATE = {
    "a": "<&>\u2028ü",
    "big": 12345678901234567890,
    "float": 1.0,
    "list": [],
    "name": {"x": {"power": "1", "name": "tm-0"}},
}
LOST = 3
#: CometBFT's init: it lays the next of the keys that the test has made into the home of the environment.
COMETBFT = """#!/bin/sh
[ "$1" = init ] && [ $# = 1 ] || exit 2
mkdir -p "$CMTHOME/config" "$CMTHOME/data"
spare=$(ls "$SPARE" | head -n 1)
mv "$SPARE/$spare"/* "$CMTHOME/config/"
rmdir "$SPARE/$spare"
: > "$CMTHOME/config/genesis.json"
[ ! -e "$SPARE/../fails" ] || { echo "no space left on device"; exit 1; }
"""
#: A second goes by in a moment, for whoever sleeps it and then asks for the time.
SLEEP = """#!/bin/sh
read -r now < "$CLOCK"
echo $((now + $1)) > "$CLOCK"
exec /bin/sleep 0.2
"""
DATE = """#!/bin/sh
[ "$*" = +%s ] || exit 2
cat "$CLOCK"
"""
#: macOS has it under another name.
SHA256SUM = "#!/bin/sh\nexec shasum -a 256\n"

pytestmark = pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("curl")),
    reason="NOT CHECKED: the node's image has jq and curl, this machine not",
)


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


@functools.cache
def objects(count: int, validators: int) -> list[Json]:
    return render(count, validators)


def render(count: int, validators: int, **variables: Any) -> list[Json]:
    """What the role would apply in a namespace where nothing is."""
    known: Json = {}
    for name in ("defaults", "vars"):
        known |= trusted(yaml_load((ROLE / name / "main.yml").read_text(encoding="utf-8")))
    names = [f"tm-{number}" for number in range(count)]
    params = {name: option.get("default") for name, option in cometbft_config.SPEC["argument_spec"].items()}
    params |= {"version": "0.40.0", "nodes": names, "validators": names[:validators]}
    params |= {"topology": {"kind": "mesh"}}
    chosen = {
        **{"cometbft_custody": "pod", "cometbft_network": "net", "_cometbft_rolling": False},
        **{"_cometbft_sizes": {"tm": count}, "_cometbft_names": names, "_cometbft_validators": names[:validators]},
        "_cometbft_live": {"genesis": None, "namespace": {"exists": False, "made": False}},
        "__cometbft_config": cometbft_config.run(params, False),
        "__cometbft_genesis": {"config_maps": ["tm-config"]},
        "ansible_search_path": [str(ROLE)],
    }
    templar = Templar(DataLoader(), variables={**known, **chosen, **variables})
    templates = ("namespace", "bounds", "nodes", "statefulset")
    texts = [
        trust_as_template((ROLE / "templates" / f"{name}.yml.j2").read_text(encoding="utf-8")) for name in templates
    ]
    return [item for text in texts for item in yaml_load_all(templar.template(text)) if item]


def named(found: list[Json], kind: str, name: str) -> Json:
    (one,) = [item for item in found if item["kind"] == kind and item["metadata"]["name"].startswith(name)]
    return one


#: A machine may be busy.
PATIENCE = 120.0


class Running:
    """A container's process. What it says is the pod's."""

    def __init__(self, pod: Pod, command: list[str]) -> None:
        self.pod = pod
        pod.said = ""
        self._process = subprocess.Popen(
            command,
            env=pod.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.pod.said += line

    def until(self, true: Callable[[], object]) -> None:
        """Goes on until this is so, and must not have ended before."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert self._process.poll() is None, self.pod.said
            assert time.monotonic() < deadline, self.pod.said
            time.sleep(0.02)

    def says(self, text: str) -> None:
        self.until(lambda: text in self.pod.said)

    def asks(self, times: int = 2) -> None:
        """Goes on with its questions, of which this many more reach each of the others that are not away."""
        before = {
            pod.name: len(pod.served) for pod in self.pod.net.pods.values() if pod is not self.pod and not pod.away
        }
        self.until(lambda: all(len(self.pod.net.pods[name].served) >= count + times for name, count in before.items()))

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.end()

    def end(self) -> int:
        code = self._process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        return code


class Pod:
    """One pod's folders, and what its containers do, one after the other, as kubelet would start them."""

    def __init__(self, net: Net, name: str) -> None:
        self.net, self.name = net, name
        self.folder = net.folder / name
        self.public, self.data = self.folder / "public", self.folder / "data"
        for path in ("spare", "bin", "started"):
            (self.folder / path).mkdir(parents=True)
        self.data.mkdir()
        self.spares = 0
        self.away = False
        self.said = ""
        self.served: list[str] = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        for tool, text in net.tools.items():
            (self.folder / "bin" / tool).write_text(text, encoding="utf-8")
            (self.folder / "bin" / tool).chmod(0o755)
        (self.folder / "clock").write_text("1000\n", encoding="utf-8")
        self.fresh()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        pod = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file = pod.public / self.path.lstrip("/")
                pod.served.append(self.path)
                if pod.away:
                    self.close_connection = True
                elif not file.is_file():
                    self.send_error(404)
                else:
                    content = file.read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler

    def fresh(self) -> None:
        """What goes with a pod: everything but its volume."""
        for path in (self.public, self.folder / "config", self.folder / "tmp"):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()

    def lose_volume(self) -> None:
        shutil.rmtree(self.data)
        self.data.mkdir()
        self.fresh()

    def _spare(self) -> None:
        folder = self.folder / "spare" / str(self.spares)
        folder.mkdir()
        self.spares += 1
        for kind, file in ((Kind.VALIDATOR, "priv_validator_key.json"), (Kind.NODE, "node_key.json")):
            (folder / file).write_text(kind.write(PrivateKey.make(ED25519)), encoding="utf-8")
            (folder / file).chmod(0o600)

    def become(self, other: Pod) -> None:
        """Its folders are as those of this one are now."""
        for path in ("public", "data", "config", "tmp"):
            shutil.rmtree(self.folder / path)
            shutil.copytree(other.folder / path, self.folder / path, symlinks=True)

    @property
    def environment(self) -> dict[str, str]:
        home = {"CMTHOME": str(self.folder), "PUBLIC": str(self.public), "SCRATCH": str(self.folder / "tmp")}
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            # There curl finds where the Services lead.
            "HOME": str(self.net.folder),
            **home,
            **{"NODE": self.name, "NAMESPACE": "net", "MINTNET": str(self.mounts), "WAIT": str(self.net.wait)},
            **{"MESSAGE": str(self.folder / "message"), "SPARE": str(self.folder / "spare")},
            "CLOCK": str(self.folder / "clock"),
        }

    @property
    def mounts(self) -> Path:
        """What is mounted: the same for all but the record of who has started."""
        return self.net.mounts

    def run(self, script: str) -> Running:
        return Running(self, ["sh", str(self.mounts / "settings" / script)])

    def make_keys(self, code: int = 0) -> None:
        if not list((self.folder / "spare").iterdir()):
            self._spare()
        assert self.run("tm-pod-keys.sh").end() == code, self.said

    def collect(self) -> int:
        return self.run("tm-collect.sh").end()

    def start(self) -> int:
        self.make_keys()
        return self.collect()

    @property
    def key(self) -> Json:
        found: Json = json.loads((self.data / "keys" / "priv_validator_key.json").read_text(encoding="utf-8"))
        return found

    @property
    def node_id(self) -> str:
        text = (self.data / "keys" / "node_key.json").read_text(encoding="utf-8")
        return Kind.NODE.id_of(Kind.NODE.read(text))

    @property
    def genesis(self) -> str:
        return (self.folder / "config" / "genesis.json").read_bytes().decode()

    @property
    def config(self) -> str:
        return (self.folder / "config" / "config.toml").read_text(encoding="utf-8")

    def peers(self) -> list[str]:
        (line,) = [line for line in self.config.splitlines() if line.startswith("persistent_peers = ")]
        return [peer for peer in line.split('"')[1].split(",") if peer]


class Net:
    """Pods of one network. What kubelet mounts from ConfigMaps is one folder for all of them."""

    def __init__(self, folder: Path, count: int, validators: int, app_state: Any = None) -> None:
        self.folder, self.mounts = folder, folder / "mintnet"
        self.wait = 2
        self.powers = {f"tm-{number}": 10 + number for number in range(validators)}
        self.app_state = app_state
        self.tools = {"cometbft": COMETBFT, "getent": "#!/bin/sh\n", "sleep": SLEEP, "date": DATE}
        if not shutil.which("sha256sum"):
            self.tools["sha256sum"] = SHA256SUM
        self.objects = copy.deepcopy(objects(count, validators))
        head = template_head(template_text(self.request([]).build(), self.powers))
        self.template = head["genesis.template"]
        data = {
            "nodes": named(self.objects, "ConfigMap", "tm-nodes")["data"],
            "settings": named(self.objects, "ConfigMap", "tm-settings-")["data"],
            "genesis": head,
            "started": {},
        }
        for path, files in data.items():
            (self.mounts / path).mkdir(parents=True)
            for name, text in files.items():
                (self.mounts / path / name).write_bytes(text.encode())
        self.pods = {f"tm-{number}": Pod(self, f"tm-{number}") for number in range(count)}
        lines = [
            f'connect-to = "{name}.net.svc:8080:127.0.0.1:{pod.server.server_port}"\n'
            for name, pod in self.pods.items()
        ]
        (folder / ".curlrc").write_text(f'noproxy = "*"\n{"".join(lines)}', encoding="utf-8")

    def request(self, keys: list[Json]) -> _genesis.Request:
        validators = keys or [{"name": name, "pub_key": None, "power": power} for name, power in self.powers.items()]
        return _genesis.request(
            version="0.40.0",
            chain_id="net",
            time=TIME,
            validators=validators,
            app_state=self.app_state,
            allow_pending=not keys,
        )

    def expected(self) -> str:
        """The genesis that would be made here of the pods' keys."""
        keys = [
            {"name": name, "pub_key": self.pods[name].key["pub_key"], "power": power}
            for name, power in self.powers.items()
        ]
        return self.request(keys).build().text

    def start(self, *names: str) -> dict[str, int]:
        """Of these pods, at the same time; how each has ended."""
        pods = [self.pods[name] for name in names or self.pods]
        for pod in pods:
            pod.make_keys()
        running = {pod.name: pod.run("tm-collect.sh") for pod in pods}
        return {name: process.end() for name, process in running.items()}

    def become(self, other: Net) -> None:
        for name, pod in self.pods.items():
            pod.become(other.pods[name])

    def agree(self, *names: str) -> str:
        (text,) = {self.pods[name].genesis for name in names or self.pods}
        return text

    def close(self) -> None:
        for pod in self.pods.values():
            pod.server.shutdown()
            pod.server.server_close()


@pytest.fixture
def nets() -> Iterator[list[Net]]:
    made: list[Net] = []
    yield made
    for net in made:
        net.close()


@pytest.fixture
def net(tmp_path: Path, nets: list[Net]) -> Net:
    nets.append(Net(tmp_path, 3, 3, APP_STATE))
    return nets[0]


OK = {"tm-0": 0, "tm-1": 0, "tm-2": 0}


@pytest.fixture(scope="module")
def with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """Made once, and only looked at: all have their keys, and none has begun to collect."""
    made = Net(tmp_path_factory.mktemp("keys"), 3, 3, APP_STATE)
    with contextlib.closing(made):
        for pod in made.pods.values():
            pod.make_keys()
        yield made


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, with_keys: Net) -> Iterator[Net]:
    """Made once, and only looked at: all have started for the first time."""
    made = Net(tmp_path_factory.mktemp("begun"), 3, 3, APP_STATE)
    with contextlib.closing(made):
        made.become(with_keys)
        running = {name: pod.run("tm-collect.sh") for name, pod in made.pods.items()}
        assert {name: process.end() for name, process in running.items()} == OK
        yield made


@pytest.fixture
def keyed(net: Net, with_keys: Net) -> None:
    """In the network all have their keys."""
    net.become(with_keys)


@pytest.fixture
def started(net: Net, begun: Net) -> None:
    """In the network all have started."""
    net.become(begun)


# --- the way that all goes well --------------------------------------------------------------------------------------


def test_the_genesis_is_the_one_that_would_be_made_here(begun: Net) -> None:
    assert begun.agree() == begun.expected()
    for name, pod in begun.pods.items():
        assert sorted(path.name for path in (pod.data / "keys").iterdir()) == [
            "genesis.json",
            "node_key.json",
            "peers",
            "priv_validator_key.json",
        ]
        assert (pod.data / "keys").stat().st_mode & 0o777 == 0o700
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in (pod.data / "keys").iterdir())
        others = [other for other in begun.pods.values() if other is not pod]
        assert pod.peers() == [f"{other.node_id}@{other.name}:26656" for other in others]
        ids = ",".join(other.node_id for other in others)
        assert f'unconditional_peer_ids = "{ids}"' in pod.config
        assert f'moniker = "{name}"' in pod.config
        for file in ("priv_validator_key.json", "node_key.json"):
            assert (pod.folder / "config" / file).read_bytes() == (pod.data / "keys" / file).read_bytes()
        assert json.loads((pod.data / "priv_validator_state.json").read_text())["height"] == "0"


def test_nothing_secret_is_public(begun: Net) -> None:
    for pod in begun.pods.values():
        assert sorted(path.name for path in pod.public.iterdir()) == ["genesis.json", "node.json"]
        assert json.loads((pod.public / "node.json").read_text()) == {
            "name": pod.name,
            "node_id": pod.node_id,
            "pub_key": pod.key["pub_key"],
        }
        node_key = json.loads((pod.data / "keys" / "node_key.json").read_text())
        texts = [path.read_text() for path in pod.public.iterdir()] + [pod.said, (pod.folder / "message").read_text()]
        texts += [path.read_text() for path in (pod.folder / "tmp").rglob("*.json") if not path.is_symlink()]
        for secret in (pod.key["priv_key"]["value"], node_key["priv_key"]["value"]):
            assert not any(secret in text for text in texts)


def test_the_cluster_is_told_the_row_that_was_read_whatever_the_ids_are(begun: Net) -> None:
    """So that ids, which no row has, make no node an older one."""
    rows = named(begun.objects, "ConfigMap", "tm-nodes")["data"]
    assert {row.node_id for row in _observed.parse_rows(rows["nodes"]).values()} == {None}
    for name, part in _observed.parts(rows).items():
        assert (begun.pods[name].folder / "message").read_text() == f"{part}\n"


def test_one_validator_alone(tmp_path: Path, nets: list[Net]) -> None:
    nets.append(Net(tmp_path, 1, 1))
    assert nets[0].start() == {"tm-0": 0}
    assert nets[0].agree() == nets[0].expected()


def test_a_full_node_behind_the_validators(tmp_path: Path, nets: list[Net]) -> None:
    nets.append(net := Net(tmp_path, 3, 2))
    assert net.start() == OK
    assert net.agree() == net.expected()
    assert len(net.pods["tm-2"].peers()) == 2
    assert "tm-2" not in "".join(net.pods["tm-0"].peers())


# --- written by hand ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "validators"), [(1, 1), (3, 2), (5, 3)])
def test_without_rows_pods_make_the_mesh_that_create_lays_out(
    tmp_path: Path, nets: list[Net], count: int, validators: int
) -> None:
    """So that create, which brings rows, finds no node that reads another one."""
    nets.append(net := Net(tmp_path, count, validators))
    rows = named(net.objects, "ConfigMap", "tm-nodes")["data"]
    (net.mounts / "nodes" / "nodes").write_text("\n")
    assert net.start() == dict.fromkeys(net.pods, 0)
    for name, part in _observed.parts(rows).items():
        assert (net.pods[name].folder / "message").read_text() == f"{part}\n"
        assert len(net.pods[name].peers()) == max(validators - 1, int(name[3:]))
    # The status knows the same rows.
    config = {
        "metadata": {"name": "tm-config"},
        "data": template_head(template_text(net.request([]).build(), net.powers)),
    }
    genesis = _observed.genesis_of([config])
    assert _observed.read_by_nodes([config], genesis, net.pods) == rows
    assert _observed.read_by_nodes([config, {"metadata": {"name": "tm-nodes"}, "data": rows}], genesis, []) == rows


def test_the_number_of_validators_is_a_number_of_lines(tmp_path: Path, nets: list[Net]) -> None:
    nets.append(net := Net(tmp_path, 3, 3))
    (net.mounts / "nodes" / "nodes").write_text("\n")
    listed = net.mounts / "genesis" / "validators"
    listed.write_text(listed.read_text().replace("tm-2 12\n", "\n").replace("tm-1 11", "tm-1 7"))
    net.powers = {"tm-0": 10, "tm-1": 7}
    assert net.start() == OK
    assert net.agree() == net.expected()
    assert "tm-2" not in "".join(net.pods["tm-0"].peers())


# --- what it survives ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("started")
def test_a_second_start_asks_nobody_for_the_genesis_and_changes_nothing(net: Net) -> None:
    before = {name: (pod.genesis, pod.key, pod.config) for name, pod in net.pods.items()}
    for pod in net.pods.values():
        pod.fresh()
        pod.served.clear()
    assert net.start() == OK
    assert {name: (pod.genesis, pod.key, pod.config) for name, pod in net.pods.items()} == before
    assert not any("/genesis.json" in pod.served for pod in net.pods.values())


def test_a_pod_that_comes_late_is_waited_for(net: Net) -> None:
    for name in ("tm-0", "tm-1"):
        net.pods[name].make_keys()
    first, second = (net.pods[name].run("tm-collect.sh") for name in ("tm-0", "tm-1"))
    first.says("tm-collect: tm-0 waits for tm-2 \n")
    second.says("tm-1 waits for the genesis, which tm-0 makes when all validators are there")
    first.asks()
    assert not (net.pods["tm-0"].data / "keys" / "genesis.json").exists()
    assert net.start("tm-2") == {"tm-2": 0}
    assert (first.end(), second.end()) == (0, 0)
    assert net.agree() == net.expected()


@pytest.mark.usefixtures("keyed")
def test_whoever_is_killed_at_any_moment_goes_on(net: Net) -> None:
    keys = {name: pod.key for name, pod in net.pods.items()}
    for delay in (0.0, 0.03, 0.1, 0.3, 0.6):
        running = [pod.run("tm-collect.sh") for pod in net.pods.values()]
        time.sleep(delay)
        for process in running:
            process.kill()
    assert net.start() == OK
    assert {name: pod.key for name, pod in net.pods.items()} == keys
    assert net.agree() == net.expected()


def test_keys_that_were_half_made_are_made_anew(net: Net) -> None:
    pod = net.pods["tm-0"]
    (pod.folder / "fails").touch()
    pod.make_keys(code=1)
    assert "tm-0 cannot make its keys on its volume: no space left on device" in pod.said
    assert not (pod.data / "keys").exists()
    assert (pod.data / "keys.new").exists()
    (pod.folder / "fails").unlink()
    assert net.start() == OK
    assert not (pod.data / "keys.new").exists()


@pytest.mark.usefixtures("keyed")
def test_a_peer_that_goes_during_the_collection_is_waited_for(net: Net) -> None:
    net.pods["tm-2"].away = True
    first = net.pods["tm-0"].run("tm-collect.sh")
    first.says("tm-0 waits for tm-2 \n")
    net.pods["tm-1"].away = True
    net.pods["tm-2"].away = False
    # Its half was seen before, and does not count any more.
    first.says("tm-0 waits for tm-1 \n")
    net.pods["tm-1"].away = False
    assert first.end() == 0
    assert net.start("tm-1", "tm-2") == {"tm-1": 0, "tm-2": 0}
    assert net.agree() == net.expected()


@pytest.mark.usefixtures("started")
def test_a_peer_that_is_away_after_the_genesis_is_not_waited_for_twice(net: Net) -> None:
    net.pods["tm-2"].away = True
    net.pods["tm-1"].fresh()
    net.pods["tm-2"].served.clear()
    assert net.start("tm-1") == {"tm-1": 0}
    # Its id is known from before.
    assert len(net.pods["tm-1"].peers()) == 2
    assert net.pods["tm-2"].served == ["/node.json"]


@pytest.mark.usefixtures("keyed")
def test_who_knows_some_peers_starts_with_these(net: Net) -> None:
    assert net.pods["tm-0"].collect() == 0
    net.pods["tm-2"].away = True
    assert net.pods["tm-1"].collect() == 0
    assert net.pods["tm-1"].peers() == [f"{net.pods['tm-0'].node_id}@tm-0:26656"]
    assert "after 2 s tm-2 has told no node id: tm-1 starts without dialling it" in net.pods["tm-1"].said


@pytest.mark.usefixtures("started")
def test_who_knows_no_peer_does_not_start(net: Net) -> None:
    pod = net.pods["tm-1"]
    (pod.data / "keys" / "peers").unlink()
    for other in ("tm-0", "tm-2"):
        net.pods[other].away = True
    assert net.start("tm-1") == {"tm-1": 1}
    assert "tm-1 knows the node id of none of its peers after 2 s" in pod.said


def test_a_volume_lost_before_the_genesis_gets_another_key(net: Net) -> None:
    for name in ("tm-0", "tm-1"):
        net.pods[name].make_keys()
    first = net.pods["tm-0"].run("tm-collect.sh")
    first.says("tm-0 waits for tm-2 \n")
    old = net.pods["tm-1"].key
    net.pods["tm-1"].lose_volume()
    net.pods["tm-1"].make_keys()
    net.pods["tm-2"].make_keys()
    assert first.end() == 0
    assert net.pods["tm-1"].key != old
    assert net.start() == OK
    assert net.agree() == net.expected()


@pytest.mark.parametrize("name", ["tm-0", "tm-1"])
@pytest.mark.usefixtures("started")
def test_a_volume_lost_after_the_genesis_is_refused(net: Net, name: str) -> None:
    """The first validator, too: it finds with the others that there is a genesis, and makes no other one."""
    genesis = net.agree()
    pod = net.pods[name]
    pod.lose_volume()
    assert net.start(name) == {name: LOST}
    assert f"{name} has another key than the genesis of the chain says: its volume was lost" in pod.said
    assert f"make recover NODE={name}" in pod.said
    assert not (pod.folder / "config" / "config.toml").exists()
    for other in net.pods.values():
        other.fresh()
    rest = [other for other in net.pods if other != name]
    assert set(net.start(*rest).values()) == {0}
    assert net.agree(*rest) == genesis
    # However often it is started.
    assert net.start(name) == {name: LOST}


@pytest.mark.usefixtures("started")
def test_the_first_validator_finds_a_genesis_that_only_the_last_one_has(net: Net) -> None:
    genesis = net.agree()
    for name in ("tm-0", "tm-1"):
        (net.pods[name].data / "keys" / "genesis.json").unlink()
        net.pods[name].fresh()
    assert net.start() == OK
    assert net.agree() == genesis
    assert "tm-0 has the genesis of tm-2" in net.pods["tm-0"].said


@pytest.mark.usefixtures("started")
def test_a_recovery_lets_it_go_on_without_a_vote(net: Net) -> None:
    genesis = net.agree()
    pod = net.pods["tm-1"]
    pod.lose_volume()
    sha256 = hashlib.sha256(genesis.encode()).hexdigest()
    (net.mounts / "started" / "tm-1").write_text(sha256)
    assert net.start("tm-1") == {"tm-1": LOST}
    (net.mounts / "started" / "tm-1").write_text(f"{sha256} 42")
    assert net.start("tm-1") == {"tm-1": 0}
    assert "tm-1 goes on with a new key, which has no vote" in pod.said
    assert pod.genesis == genesis
    assert json.loads((pod.data / "priv_validator_state.json").read_text())["height"] == "42"


@pytest.mark.usefixtures("started")
def test_signing_state_that_is_lost_beside_the_key_is_refused_as_ever(net: Net) -> None:
    pod = net.pods["tm-1"]
    (net.mounts / "started" / "tm-1").write_text(hashlib.sha256(pod.genesis.encode()).hexdigest())
    (pod.data / "priv_validator_state.json").unlink()
    assert net.start("tm-1") == {"tm-1": LOST}
    assert "its volume has no priv_validator_state.json" in pod.said


@pytest.mark.usefixtures("started")
def test_a_genesis_that_was_half_written_is_taken_anew(net: Net) -> None:
    genesis = net.agree()
    for name in ("tm-0", "tm-1"):
        (net.pods[name].data / "keys" / "genesis.json").write_text(genesis[:100])
    net.pods["tm-2"].fresh()
    assert net.start() == OK
    assert net.agree() == genesis


def test_a_node_that_joins_later(tmp_path: Path, nets: list[Net]) -> None:
    """With the first validator away it has the genesis from another one."""
    nets.append(net := Net(tmp_path, 4, 3))
    assert net.start("tm-0", "tm-1", "tm-2") == OK
    net.pods["tm-0"].away = True
    assert net.start("tm-3") == {"tm-3": 0}
    assert "tm-3 has the genesis of tm-1" in net.pods["tm-3"].said
    assert net.agree() == net.expected()
    # The one that is away is connected later.
    assert [peer.partition("@")[2] for peer in net.pods["tm-3"].peers()] == ["tm-1:26656", "tm-2:26656"]


def seen(net: Net) -> list[Json]:
    """The two ConfigMaps by which the status tells what nodes read."""
    places = {"tm-config": net.mounts / "genesis", "tm-nodes": net.mounts / "nodes"}
    return [
        {"metadata": {"name": name}, "data": {path.name: path.read_text() for path in place.iterdir()}}
        for name, place in places.items()
    ]


def test_who_was_added_by_kubectl_scale_joins_without_a_row(tmp_path: Path, nets: list[Net]) -> None:
    """The first one reads what create writes for it later, so that it is not started anew."""
    nets.append(net := Net(tmp_path, 3, 1))
    table = net.mounts / "nodes" / "nodes"
    first, later, _last = table.read_text().splitlines(keepends=True)
    table.write_text(first)
    # Of one there is no Service.
    getent = net.pods["tm-2"].folder / "bin" / "getent"
    getent.write_text('#!/bin/sh\ncase $2 in "$NODE" | *.svc) exit 2 ;; esac\n')
    assert net.start("tm-0") == {"tm-0": 0}
    assert net.start("tm-1", "tm-2") == {"tm-1": 0, "tm-2": 0}
    assert net.agree() == net.expected()
    config_maps = seen(net)
    read = _observed.read_by_nodes(config_maps, _observed.genesis_of(config_maps), net.pods)
    assert read["nodes"] == f"{first}{later}{later.replace('tm-1', 'tm-2')}"
    for name, address in {"tm-1": "tm-1", "tm-2": "tm-2.tm"}.items():
        pod = net.pods[name]
        assert pod.peers() == [f"{net.pods['tm-0'].node_id}@tm-0:26656"]
        assert f'external_address = "{address}:26656"' in pod.config
        assert (pod.folder / "message").read_text() == f"{_observed.parts(read)[name]}\n"
        assert f"{name} has no row in the ConfigMap tm-nodes yet: it joins without a vote" in pod.said


def test_who_has_no_row_does_not_dial_whom_a_sentry_keeps_to_itself(tmp_path: Path, nets: list[Net]) -> None:
    nets.append(net := Net(tmp_path, 3, 1))
    rows = "\ntm-0 tm-0 - validator tm-1 - -\ntm-1 tm-1 - full tm-0 - tm-0"
    (net.mounts / "nodes" / "nodes").write_text(rows)
    assert net.start() == OK
    assert [peer.partition("@")[2] for peer in net.pods["tm-2"].peers()] == ["tm-1:26656"]
    config_maps = seen(net)
    read = _observed.read_by_nodes(config_maps, _observed.genesis_of(config_maps), net.pods)
    assert read["nodes"] == f"{rows}\ntm-2 tm-2 - full tm-1 - -\n"
    assert (net.pods["tm-2"].folder / "message").read_text() == f"{_observed.parts(read)['tm-2']}\n"


def test_a_full_node_that_lost_its_volume_heals(tmp_path: Path, nets: list[Net]) -> None:
    nets.append(net := Net(tmp_path, 3, 2))
    assert net.start() == OK
    old = net.pods["tm-2"].node_id
    net.pods["tm-2"].lose_volume()
    assert net.start("tm-2") == {"tm-2": 0}
    assert net.pods["tm-2"].node_id != old


# --- whom it believes ------------------------------------------------------------------------------------------------


def forge(pod: Pod, **members: Any) -> None:
    half = json.loads((pod.public / "node.json").read_text())
    (pod.public / "node.json").write_text(json.dumps({**half, **members}))


@pytest.mark.usefixtures("keyed")
def test_what_is_no_sound_half_is_not_taken(net: Net) -> None:
    sound = (net.pods["tm-2"].public / "node.json").read_text()
    forge(net.pods["tm-2"], name="tm-1")
    first = net.pods["tm-0"].run("tm-collect.sh")
    first.says("tm-0 waits for tm-2 \n")
    for members in (
        {"node_id": "0" * 39},
        {"node_id": "x\ntm-1 " + "0" * 40},
        {"pub_key": {"type": "tendermint/PubKeySecp256k1", "value": "A" * 43 + "="}},
        {"pub_key": {"type": "tendermint/PubKeyEd25519", "value": "short"}},
        {"pub_key": None},
    ):
        (net.pods["tm-2"].public / "node.json").write_text(sound)
        forge(net.pods["tm-2"], **members)
        first.asks()
    assert not (net.pods["tm-0"].data / "keys" / "genesis.json").exists()
    (net.pods["tm-2"].public / "node.json").write_text(sound)
    assert first.end() == 0


@pytest.mark.usefixtures("keyed")
def test_two_with_one_key_are_refused(net: Net) -> None:
    forge(net.pods["tm-2"], pub_key=net.pods["tm-1"].key["pub_key"])
    assert net.pods["tm-0"].collect() == 1
    assert "tm-2 has the key of another validator" in net.pods["tm-0"].said


@pytest.mark.usefixtures("started")
def test_a_genesis_that_is_not_made_of_the_template_is_not_taken(net: Net) -> None:
    sound = net.agree()
    forged = net.pods["tm-0"].public / "genesis.json"
    forged.write_text(sound.replace('"chain_id": "net"', '"chain_id": "ned"'))
    for name in ("tm-1", "tm-2"):
        (net.pods[name].data / "keys" / "genesis.json").unlink()
        net.pods[name].fresh()
        net.pods[name].make_keys()
    second = net.pods["tm-1"].run("tm-collect.sh")
    second.says("what tm-0 serves is no genesis of the ConfigMap tm-config, and is not taken")
    others = {
        '"power": "11"': '"power": "19"',
        '"float": 1.0': '"float": 1',
        "\n": "\n\n",
        '"address": "': '"address": "00',
    }
    for old, new in others.items():
        assert old in sound
        forged.write_text(sound.replace(old, new))
        net.pods["tm-0"].served.clear()
        second.until(lambda: net.pods["tm-0"].served.count("/genesis.json") > 1)
    assert not (net.pods["tm-1"].data / "keys" / "genesis.json").exists()
    forged.write_text(sound)
    assert second.end() == 0
    assert net.pods["tm-1"].genesis == sound


@pytest.mark.usefixtures("started")
def test_another_template_than_that_of_the_chain_is_refused(net: Net) -> None:
    (net.mounts / "genesis" / "genesis.template").write_text(net.template.replace('"net"', '"other"'))
    assert net.start() == dict.fromkeys(OK, 1)
    assert "the genesis on the volume of tm-1 is not made of the ConfigMap tm-config" in net.pods["tm-1"].said


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: "", "has no genesis.template"),
        (lambda text: text[:-1], "is no genesis in JSON"),
        (lambda text: text.replace('"validators"', '"others"'), 'must have the line "validators": [],'),
        (lambda text: json.dumps(json.loads(text)), 'must have the line "validators": [],'),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(tmp_path: Path, nets: list[Net], edit: Any, said: str) -> None:
    nets.append(net := Net(tmp_path, 1, 1))
    (net.mounts / "genesis" / "genesis.template").write_text(edit(net.template))
    assert net.start() == {"tm-0": 1}
    assert said in net.pods["tm-0"].said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has: nothing"),
        ("\n", "has: nothing"),
        ("tm-0\n", "has: tm-0"),
        ("tm-0 0\n", "has: tm-0 0"),
        ("tm-0 10 # first\n", "has: tm-0 10 # first"),
        ('tm-0",\n 10', 'has: tm-0",'),
        ("tm-0 10\ntm-0 10\n", "has: tm-0 10"),
    ],
)
def test_validators_that_cannot_be_read_are_refused(tmp_path: Path, nets: list[Net], text: str, said: str) -> None:
    nets.append(net := Net(tmp_path, 1, 1))
    (net.mounts / "genesis" / "validators").write_text(text)
    assert net.start() == {"tm-0": 1}
    assert (
        f"validators of the ConfigMap tm-config must have a line with name and power for each validator, and {said}\n"
        in (net.pods["tm-0"].said)
    )


def test_a_validator_without_a_row_is_told(net: Net) -> None:
    (net.mounts / "nodes" / "nodes").write_text("tm-0 tm-0 - validator - - -\n")
    assert net.start("tm-1") == {"tm-1": 1}
    assert "tm-1 has no row in the ConfigMap tm-nodes" in net.pods["tm-1"].said


@pytest.mark.parametrize("file", ["priv_validator_key.json", "node_key.json"])
def test_a_damaged_key_is_not_replaced(net: Net, file: str) -> None:
    pod = net.pods["tm-0"]
    pod.make_keys()
    for text in ("", "{}", '{"priv_key": {"value": "AAAA"}}'):
        (pod.data / "keys" / file).write_text(text)
        pod.make_keys(code=1)
        assert f"{file}, on the volume of tm-0, is no ed25519 key" in pod.said
        assert (pod.data / "keys" / file).read_text() == text


# --- the objects -----------------------------------------------------------------------------------------------------


def test_only_pub_key_is_told_of_and_only_to_the_network() -> None:
    found = objects(2, 1)
    service = named(found, "Service", "tm-1")["spec"]
    assert service["selector"] == {
        "mintnet.io/network": "net",
        "tm": "tm",
        "statefulset.kubernetes.io/pod-name": "tm-1",
    }
    assert [port["port"] for port in service["ports"]] == [26656, 26657, 8080]
    policy = named(found, "NetworkPolicy", "tm")["spec"]
    (within,) = [rule for rule in policy["ingress"] if {"port": 8080, "protocol": "TCP"} in rule["ports"]]
    assert within["from"] == [{"podSelector": {"matchLabels": {"mintnet.io/network": "net"}}}]
    pod = named(found, "StatefulSet", "tm")["spec"]["template"]["spec"]
    assert "tm-keys" not in json.dumps(pod)
    begins = {container["name"]: container for container in pod["initContainers"]}
    assert list(begins) == ["tm-gen-validator", "pub-key", "tm-collect"]
    sidecar = begins["pub-key"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["name"]: mount for mount in sidecar["volumeMounts"]}
    assert set(mounts) == {"public", "pub-key-tmp", "settings"}
    assert mounts["public"]["readOnly"] is True


def test_its_pods_satisfy_the_restricted_standard(unrestricted: Callable[[Any], list[str]]) -> None:
    pod = named(objects(2, 1), "StatefulSet", "tm")["spec"]["template"]["spec"]
    assert unrestricted(pod) == []


def test_custody_secret_has_nothing_of_it() -> None:
    keys = {"nodes": [{"name": "tm-0", "node_id": "aa", "validator": True}], "validators": []}
    found = render(1, 1, cometbft_custody="secret", __cometbft_keys=keys)
    text = json.dumps(found)
    assert "8080" not in text
    assert "pub-key" not in text
    assert "tm-collect" not in text.replace("(tm-collect.sh)", "")
    pod = named(found, "StatefulSet", "tm")["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["initContainers"]] == ["tm-gen-validator"]


def test_nginx_is_the_one_that_a_cluster_of_ours_has() -> None:
    """By its public name, so that the same files run on any cluster."""
    artifacts = yaml_load((ROLE.parent / "artifacts" / "vars" / "main.yml").read_text(encoding="utf-8"))
    version = artifacts["_artifacts_versions"]["nginx"]
    (image,) = {
        container["image"]
        for container in named(objects(1, 1), "StatefulSet", "tm")["spec"]["template"]["spec"]["initContainers"]
        if container["name"] == "pub-key"
    }
    assert image == f"nginxinc/nginx-unprivileged:{version}"


def test_no_count_of_nodes_changes_the_template() -> None:
    few, many = (named(objects(count, 2), "StatefulSet", "tm")["spec"]["template"] for count in (2, 5))
    assert few == many


def test_nginx_serves_the_two_files_and_nothing_else(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if nginx is None:
        pytest.skip("NOT CHECKED: pub-key.conf, since there is no nginx on this machine")
    public, tmp = tmp_path / "public", tmp_path / "tmp"
    for folder in (public, tmp):
        folder.mkdir()
    (public / "node.json").write_text('{"name": "tm-0"}')
    (public / ".node.json").write_text("half")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    text = (ROLE / "files" / "pub-key.conf").read_text(encoding="utf-8")
    # Its worker would be somebody who cannot read this folder.
    text = f"user root;\n{text}" if os.geteuid() == 0 else text
    for old, new in {"/tmp/": f"{tmp}/", "/public": str(public), "listen 8080": f"listen 127.0.0.1:{port}"}.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "pub-key.conf").write_text(text)
    process = subprocess.Popen(
        [nginx, "-e", "stderr", "-c", tmp_path / "pub-key.conf"], stderr=subprocess.PIPE, text=True
    )

    def status(path: str, method: str = "GET") -> int:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    try:
        for _time in range(100):
            try:
                status("/node.json")
                break
            except urllib.error.URLError:
                time.sleep(0.05)
        assert {path: status(path) for path in ("/node.json", "/genesis.json", "/", "/.node.json", "/../tmp")} == {
            "/node.json": 200,
            "/genesis.json": 404,
            "/": 404,
            "/.node.json": 404,
            "/../tmp": 400,
        }
        assert {method: status("/node.json", method) for method in ("HEAD", "PUT", "DELETE", "POST")} == {
            "HEAD": 200,
            "PUT": 403,
            "DELETE": 403,
            "POST": 403,
        }
    finally:
        process.terminate()
        _nothing, said = process.communicate(timeout=10)
    assert "emerg" not in said
