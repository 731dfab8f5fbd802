# SPDX-License-Identifier: GPL-3.0-or-later
"""From the topology to what each node reads: the role's template writes rows, the script in the pod reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _observed
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_config

ROLE = Path(__file__).resolve().parents[3] / "roles" / "cometbft"
#: macOS has it under another name.
SHA256SUM = "#!/bin/sh\nexec shasum -a 256\n"
#: In a cluster every name has a Service; a name that has none stands in the file missing.
GETENT = '#!/bin/sh\n! grep -qx "$2" "$MINTNET/missing"\n'


def node_id(name: str) -> str:
    return name.encode().hex().rjust(40, "0")


class Network:
    """The objects that the role would apply, and the folders that a pod would see."""

    def __init__(
        self, folder: Path, count: int, validators: int, groups: dict[str, dict[str, Any]] | None = None, **wanted: Any
    ) -> None:
        self.folder = folder
        further = groups or {}
        sizes = {"tm": count, **{name: group["nodes"] for name, group in further.items()}}
        names = [f"{name}-{number}" for name, size in sizes.items() for number in range(size)]
        wanted["groups"] = [{"name": name, "guards": [], "version": None, **group} for name, group in further.items()]
        params = {name: option.get("default") for name, option in cometbft_config.SPEC["argument_spec"].items()}
        params |= {"version": "0.40.0", "nodes": names, "validators": names[:validators]} | wanted
        keys = [
            {"name": name, "node_id": node_id(name), "validator": number < validators}
            for number, name in enumerate(names)
        ]
        variables = {
            "__cometbft_config": cometbft_config.run(params, False),
            "_cometbft_keys": {"nodes": keys},
            "_cometbft_own_keys": False,
            "_cometbft_custody_texts": {},
            "cometbft_network": "net",
            "_cometbft_labels": {"tm": "tm"},
            "_cometbft_own": False,
            "_cometbft_beside": False,
            "_cometbft_settings": {name: f"{name}-settings-1" for name in sizes},
            "_cometbft_group_names": list(sizes),
            "_cometbft_groups": [{"name": "tm", "mode": "full"}, *wanted["groups"]],
            "_cometbft_script": (ROLE / "files" / "tm-gen-validator.sh").read_text(encoding="utf-8"),
        }
        template = trust_as_template((ROLE / "templates" / "nodes.yml.j2").read_text(encoding="utf-8"))
        text = Templar(DataLoader(), variables=variables).template(template)
        self.objects = [found for found in yaml.safe_load_all(text) if found]
        self.rows = self.data("tm-nodes")
        self.write("nodes", self.rows)
        self.write("settings", self.data("tm-settings-1"))
        for path in ("keys", "genesis", "started", "bin"):
            (folder / path).mkdir()
        for name in names:
            for file in ("priv_validator_key.json", "node_key.json"):
                (folder / "keys" / f"{name}.{file}").write_text("{}", encoding="utf-8")
        (folder / "genesis" / "genesis.json").write_text("{}", encoding="utf-8")
        (folder / "missing").write_text("", encoding="utf-8")
        programs = {"getent": GETENT, **({} if shutil.which("sha256sum") else {"sha256sum": SHA256SUM})}
        for name, text in programs.items():
            (folder / "bin" / name).write_text(text, encoding="utf-8")
            (folder / "bin" / name).chmod(0o755)

    def write(self, path: str, data: dict[str, str]) -> None:
        (self.folder / path).mkdir(exist_ok=True)
        for name, content in data.items():
            (self.folder / path / name).write_text(content, encoding="utf-8")

    def data(self, name: str) -> dict[str, str]:
        (found,) = [o for o in self.objects if o["kind"] == "ConfigMap" and o["metadata"]["name"] == name]
        data: dict[str, str] = found["data"]
        return data

    def start(self, name: str) -> subprocess.CompletedProcess[str]:
        home = self.folder / f"home-{name}"
        self.write("settings", self.data(f"{name.rpartition('-')[0]}-settings-1"))
        for path in ("config", "data"):
            (home / path).mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            **{"NODE": name, "CMTHOME": str(home), "MINTNET": str(self.folder), "WAIT": "0"},
            "MESSAGE": str(home / "message"),
        }
        command = ["sh", str(self.folder / "settings" / "tm-gen-validator.sh")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def config(self, name: str) -> str:
        run = self.start(name)
        assert run.returncode == 0, run.stderr
        return (self.folder / f"home-{name}" / "config" / "config.toml").read_text(encoding="utf-8")

    def p2p(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = tomllib.loads(self.config(name))["p2p"]
        return found


def addresses(*names: str) -> str:
    return ",".join(f"{node_id(name)}@{name}:26656" for name in names)


def ids(*names: str) -> str:
    return ",".join(map(node_id, names))


def test_an_application_has_a_folder_on_the_node_s_volume(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "CMTHOME": str(tmp_path)}
    subprocess.run(["sh", str(ROLE / "files" / "tm-gen-app.sh")], env=environment, check=True)
    assert (tmp_path / "data" / "app").stat().st_mode & 0o7777 == 0o2770


def test_mesh(tmp_path: Path) -> None:
    network = Network(tmp_path, 4, 3)
    assert list(network.rows) == ["nodes"]
    rows = _observed.parse_rows(network.rows["nodes"])
    assert {name: row.peers for name, row in rows.items()} == {
        "tm-0": ("tm-1", "tm-2"),
        "tm-1": ("tm-0", "tm-2"),
        "tm-2": ("tm-0", "tm-1"),
        "tm-3": ("tm-0", "tm-1", "tm-2"),
    }
    assert [(row.moniker, row.node_id, row.mode) for row in rows.values()] == [
        (name, node_id(name), "full" if name == "tm-3" else "validator") for name in rows
    ]
    p2p = network.p2p("tm-1")
    assert p2p["persistent_peers"] == addresses("tm-0", "tm-2")
    assert p2p["unconditional_peer_ids"] == ids("tm-0", "tm-2")
    assert (p2p["external_address"], p2p["seeds"], p2p["private_peer_ids"]) == ("tm-1:26656", "", "")
    assert network.p2p("tm-3")["unconditional_peer_ids"] == ids("tm-0", "tm-1", "tm-2")
    assert tomllib.loads(network.config("tm-3"))["moniker"] == "tm-3"


def test_one_node_has_no_peers(tmp_path: Path) -> None:
    network = Network(tmp_path, 1, 1)
    p2p = network.p2p("tm-0")
    assert (p2p["persistent_peers"], p2p["unconditional_peer_ids"]) == ("", "")
    assert "tm-0 is ready to start, with no peers" in network.start("tm-0").stdout


def test_seeds(tmp_path: Path) -> None:
    network = Network(tmp_path, 4, 2, topology={"kind": "seeds", "seeds": ["tm-2"]})
    p2p = network.p2p("tm-0")
    assert (p2p["seeds"], p2p["persistent_peers"], p2p["pex"], p2p["seed_mode"]) == (
        addresses("tm-2"),
        "",
        True,
        False,
    )
    assert p2p["unconditional_peer_ids"] == ids("tm-1")
    assert network.p2p("tm-3")["unconditional_peer_ids"] == ""
    seed = network.p2p("tm-2")
    assert (seed["seeds"], seed["persistent_peers"], seed["seed_mode"]) == ("", addresses("tm-0", "tm-1"), True)


def test_sentries(tmp_path: Path) -> None:
    network = Network(tmp_path, 4, 2, topology={"kind": "sentries"})
    validator, sentry = network.p2p("tm-1"), network.p2p("tm-3")
    assert (validator["persistent_peers"], validator["pex"]) == (addresses("tm-3"), False)
    assert validator["unconditional_peer_ids"] == ids("tm-3", "tm-0")
    assert (sentry["persistent_peers"], sentry["pex"]) == (addresses("tm-1", "tm-2"), True)
    assert sentry["private_peer_ids"] == ids("tm-1")
    assert list(network.rows) == ["nodes", "tm-2.toml", "tm-3.toml"]


def test_groups_of_sentries_and_seeds(tmp_path: Path) -> None:
    """What the nodes themselves read of it in the end."""
    groups = {
        "sentry": {"mode": "sentry", "nodes": 2, "guards": ["tm-0", "tm-1"]},
        "seed": {"mode": "seed", "nodes": 1},
        "archive": {"mode": "full", "nodes": 1},
    }
    network = Network(tmp_path, 3, 2, groups=groups)
    validator, sentry, seed = (network.p2p(name) for name in ("tm-0", "sentry-1", "seed-0"))
    assert (validator["persistent_peers"], validator["seeds"]) == (addresses("sentry-0", "sentry-1"), "")
    assert (validator["pex"], validator["private_peer_ids"]) == (False, "")
    assert sentry["persistent_peers"] == addresses("sentry-0", "tm-0", "tm-1")
    assert sentry["private_peer_ids"] == ids("tm-0", "tm-1", "seed-0")
    assert sentry["unconditional_peer_ids"] == ids("sentry-0", "tm-0", "tm-1")
    assert (sentry["pex"], sentry["seed_mode"], sentry["addr_book_strict"]) == (True, False, False)
    assert (seed["seed_mode"], seed["persistent_peers"]) == (True, addresses("sentry-0", "sentry-1"))
    for name in ("tm-2", "archive-0"):
        full = network.p2p(name)
        assert (full["persistent_peers"], full["seeds"]) == (addresses("sentry-0", "sentry-1"), addresses("seed-0"))
        assert full["pex"]


def test_a_node_s_own_part_is_laid_over_its_group_s(tmp_path: Path) -> None:
    own = {
        "moniker": "mine & \\1 | more",
        "p2p": {"pex": True, "external_address": "a.example:1", "laddr": "tcp://0.0.0.0:26656"},
        "tx_index": {"psql-conn": 'a = "b" # \\n'},
        "rpc": {"cors_allowed_origins": ["a", "b"], "max_open_connections": 7},
        "instrumentation": {"max_open_connections": 9},
    }
    network = Network(tmp_path, 3, 3, node_settings={"tm-1": own})
    plain, text = tomllib.loads(network.config("tm-0")), network.config("tm-1")
    document = tomllib.loads(text)
    assert document["moniker"] == "mine & \\1 | more"
    assert document["tx_index"]["psql-conn"] == 'a = "b" # \\n'
    assert document["rpc"]["cors_allowed_origins"] == ["a", "b"]
    # Two sections have a key of this name.
    assert document["rpc"]["max_open_connections"] == 7
    assert document["instrumentation"]["max_open_connections"] == 9
    assert document["p2p"]["external_address"] == "a.example:1"
    assert document["p2p"]["persistent_peers"] == addresses("tm-0", "tm-2")
    for section, keys in plain.items():
        if isinstance(keys, dict):
            assert document[section].keys() == keys.keys()
    # What is the user's has lost the comment that said why it was otherwise.
    assert "# every node is told its peers" not in text
    assert text.count("# addresses in a cluster are private ones") == 1
    assert sorted(path.name for path in (tmp_path / "home-tm-1" / "config").iterdir()) == [
        "config.toml",
        "genesis.json",
        "node_key.json",
        "priv_validator_key.json",
    ]


def test_the_cluster_is_told_what_a_node_has_read(tmp_path: Path) -> None:
    network = Network(tmp_path, 3, 3, node_settings={"tm-1": {"log_level": "debug"}})
    expected = _observed.parts(network.rows)
    for name in ("tm-0", "tm-1"):
        network.config(name)
        assert (tmp_path / f"home-{name}" / "message").read_text(encoding="utf-8") == f"{expected[name]}\n"
    changed = _observed.parts({**network.rows, "tm-1.toml": 'log_level = "info"\n'})
    assert [name for name in expected if changed[name] != expected[name]] == ["tm-1"]


def test_who_joins_changes_no_row(tmp_path: Path) -> None:
    for topology in ({"kind": "mesh"}, {"kind": "ring"}, {"kind": "regular", "degree": 3}, {"kind": "star"}):
        texts = []
        for count in (5, 7):
            folder = tmp_path / f"{topology['kind']}-{count}"
            folder.mkdir()
            texts.append(Network(folder, count, 4, topology=topology).rows["nodes"].splitlines())
        assert texts[1][:5] == texts[0]


@pytest.mark.parametrize(
    ("rows", "missing", "said"),
    [
        ("tm-1 tm-1 aa full - - -", "", "tm-0 has no row in the ConfigMap tm-nodes"),
        ("tm-0 tm-0 aa full tm-1,tm-7 - -\ntm-1 tm-1 bb full - - -", "", "tm-7, a peer of tm-0, has no row"),
        ("tm-0 tm-0 aa full - tm-7 -", "", "tm-7, a seed of tm-0, has no row"),
        ("tm-0 tm-0 aa full - - tm-7", "", "tm-7, a peer of tm-0, has no row"),
        ("tm-0 tm-0 aa full - - -", "tm-0", "the name tm-0 cannot be resolved after 0 s"),
        ("tm-0 tm-0 aa full - tm-1 -\ntm-1 tm-1 bb full - - -", "tm-1", "the name tm-1 cannot be resolved"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, rows: str, missing: str, said: str) -> None:
    network = Network(tmp_path, 1, 1)
    (tmp_path / "nodes" / "nodes").write_text(f"{rows}\n", encoding="utf-8")
    (tmp_path / "missing").write_text(f"{missing}\n", encoding="utf-8")
    run = network.start("tm-0")
    assert run.returncode == 1
    assert f"tm-gen-validator: {said}" in run.stderr
    assert not (tmp_path / "home-tm-0" / "config" / "config.toml").exists()


#: As init does it, in the home of the environment; each run makes others.
COMETBFT = """#!/bin/sh
[ ! -e "$MINTNET/broken" ] || { echo no room left; exit 1; }
mkdir -p "$CMTHOME/config"
echo "of $$" >"$CMTHOME/config/node_key.json"
echo "of $$" >"$CMTHOME/config/priv_validator_key.json"
"""


@pytest.fixture
def scaled(tmp_path: Path) -> Network:
    """Four nodes that create knows, of whom tm-3 is told to nobody, and two that kubectl scale has added."""
    network = Network(tmp_path, 4, 2)
    rows = [line for line in network.rows["nodes"].splitlines() if not line.startswith("tm-3 ")]
    rows.append(f"tm-3 tm-3 {node_id('tm-3')} full tm-2 - -")
    rows[2] = rows[2].removesuffix(" -") + " tm-3"
    (tmp_path / "nodes" / "nodes").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "bin" / "cometbft").write_text(COMETBFT, encoding="utf-8")
    (tmp_path / "bin" / "cometbft").chmod(0o755)
    return network


def test_scaled_by_hand_it_joins_with_keys_of_its_own(scaled: Network) -> None:
    p2p = scaled.p2p("tm-4")
    assert p2p["persistent_peers"] == addresses("tm-0", "tm-1", "tm-2")
    # Its Service comes later, and with it another name.
    assert p2p["external_address"] == "tm-4.tm:26656"
    home = scaled.folder / "home-tm-4"
    kept = (home / "data" / "keys" / "node_key.json").read_text(encoding="utf-8")
    assert scaled.start("tm-4").returncode == 0
    for file in ("node_key.json", "priv_validator_key.json"):
        assert (home / "config" / file).read_text(encoding="utf-8") == kept
    # With what create brings it is one like the others.
    with (scaled.folder / "nodes" / "nodes").open("a", encoding="utf-8") as rows:
        rows.write(f"tm-4 tm-4 {node_id('tm-4')} full tm-0 - -\n")
    for file in ("node_key.json", "priv_validator_key.json"):
        (scaled.folder / "keys" / f"tm-4.{file}").write_text("from create", encoding="utf-8")
    p2p = scaled.p2p("tm-4")
    assert (p2p["persistent_peers"], p2p["external_address"]) == (addresses("tm-0"), "tm-4:26656")
    assert (home / "config" / "node_key.json").read_text(encoding="utf-8") == "from create"


def test_keys_of_its_own_are_whole_or_not_there(scaled: Network) -> None:
    (scaled.folder / "broken").touch()
    run = scaled.start("tm-4")
    assert run.returncode == 1
    assert "tm-4 cannot make its keys on its volume: no room left" in run.stderr
    (scaled.folder / "broken").unlink()
    assert scaled.start("tm-4").returncode == 0


@pytest.mark.parametrize("has", ["keys/tm-4.node_key.json", "started/tm-4"])
def test_who_has_keys_already_needs_a_row(scaled: Network, has: str) -> None:
    (scaled.folder / has).write_text("{}", encoding="utf-8")
    run = scaled.start("tm-4")
    assert run.returncode == 1
    assert "tm-4 has no row in the ConfigMap tm-nodes; run create again" in run.stderr


#: Answers of nodes, as CometBFT gives them, for those that have a file.
CURL = """#!/bin/sh
for url; do :; done
name=${url#http://}
name=${name%%:*}
[ -e "$MINTNET/answers/$name" ] || exit 7
case $url in
  */status) printf '{\\n  "result": {"sync_info": {"latest_block_height": "%s"}}}' "$(cat "$MINTNET/answers/$name")" ;;
  *) printf '{"header":{"last_block_id": {"hash": "00"}},"commit":{"block_id": {\\n"hash": "AB%s"}}}' "${url##*=}" ;;
esac
"""


def synced(network: Network, name: str, **heights: int) -> dict[str, Any]:
    """The node's section for state sync, where others are at these heights."""
    answers = network.folder / "answers"
    shutil.rmtree(answers, ignore_errors=True)
    answers.mkdir()
    for other, height in heights.items():
        (answers / other.replace("_", "-")).write_text(str(height), encoding="utf-8")
    curl = network.folder / "bin" / "curl"
    curl.write_text(CURL, encoding="utf-8")
    curl.chmod(0o755)
    found: dict[str, Any] = tomllib.loads(network.config(name))["statesync"]
    return found


def test_joining_by_state_sync(tmp_path: Path) -> None:
    """As section statesync of config.toml must be: two servers or more, and height and hash of a block."""
    network = Network(tmp_path, 5, 3, settings={"statesync": {"enable": True}})
    twice = synced(network, "tm-4", tm_1=105)
    assert twice["rpc_servers"] == "http://tm-1:26657,http://tm-1:26657"
    found = synced(network, "tm-4", tm_0=20, tm_1=21, tm_2=22)
    assert (found["enable"], found["rpc_servers"]) == (True, "http://tm-0:26657,http://tm-1:26657")
    assert (found["trust_height"], found["trust_hash"]) == (15, "AB15")
    # What it has of its own is kept, and so is all else of the section.
    assert found["trust_period"] == twice["trust_period"] == "168h0m0s"
    # Before the chain, or without an answer, and validators always.
    assert synced(network, "tm-4")["enable"] is False
    assert "begins with the chain's first one" in network.start("tm-4").stdout
    assert synced(network, "tm-4", tm_0=2, tm_1=0)["enable"] is False
    assert synced(network, "tm-1", tm_0=20, tm_2=20)["enable"] is False


def test_state_sync_is_left_as_the_user_has_it(tmp_path: Path) -> None:
    own = {"enable": True, "rpc_servers": "http://a:1,http://b:1", "trust_height": 7, "trust_hash": "AA"}
    network = Network(tmp_path, 2, 1, settings={"statesync": own})
    assert own.items() <= synced(network, "tm-1", tm_0=20).items()


def test_without_state_sync_nobody_is_asked(tmp_path: Path) -> None:
    network = Network(tmp_path, 2, 1)
    assert synced(network, "tm-1", tm_0=20)["enable"] is False
    assert "snapshot" not in network.start("tm-1").stdout
