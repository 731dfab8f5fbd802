# SPDX-License-Identifier: GPL-3.0-or-later
"""On a machine where nothing of ours is: what must not do anything does nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree
import yaml
from surroundings import User, folder, traces


@pytest.fixture
def untouched(user: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The user's folder, kubeconfig and machine are what they were; so is the cache, which is empty."""
    monkeypatch.setitem(user.environment, "XDG_CACHE_HOME", str(user.home / "cache"))
    monkeypatch.setitem(user.environment, "PIP_NO_CACHE_DIR", "1")

    def state() -> object:
        return folder(user.home, without=["clone"]), traces(user)

    before = state()
    yield
    assert state() == before


@pytest.mark.usefixtures("untouched")
def test_every_fault_in_one_message(user: User, clone: Path) -> None:
    faults = {
        "cometbft_nodez": "4",
        "cometbft_version": "9.9.9",
        "cometbft_network": "Not_A_Label",
        "cometbft_chain_id": "c" * 51,
        "cometbft_power": "ten",
        "cometbft_nodes": "2",
        "cometbft_validators": "3",
        "kubeadm_version": "1.0",
        "mintnet_provider": "somebody",
    }
    arguments = " ".join(f"-e {name}={value}" for name, value in faults.items())
    run = user.run(f"make create ARGS='{arguments}'", clone, code=1)
    assert not [name for name in faults if name not in run.output]
    # … with the name that was meant, and what is allowed.
    for word in ("cometbft_nodes", "0.40.0", "50", "kubeadm", "existing"):
        assert word in run.output
    assert "Traceback" not in run.output


NOWHERE = yaml.safe_dump(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "gone"}}],
        "users": [{"name": "gone", "user": {"token": "gone"}}],
    }
)
# What make is given, the files in the clone that it names, and what the refusal says.
BAD: list[tuple[str, dict[str, str], list[str]]] = [
    ("create NETWORK=tests/bad/my.yml", {"my-net.yml": "{}"}, ["no such file; did you mean tests/bad/my-net.yml?"]),
    ("create NETWORK=tests/bad", {}, ["NETWORK = 'tests/bad': must be a file of variables, and this is a folder"]),
    ("create NETWORK=tests/bad/a.yml", {"a.yml": "a: [1\nb: 2"}, ["tests/bad/a.yml", "not valid YAML at line 2"]),
    ("create NETWORK=tests/bad/a.yml", {"a.yml": "- cometbft_nodes: 4"}, ["must hold variables", "holds a list"]),
    ("create NETWORK=tests/bad/a.yml", {"a.yml": ""}, ["must hold variables", "holds nothing"]),
    ("create NETWORK=tests/bad/a.yml", {"a.yml": "a: 1\na: 2"}, ["a is given twice, at line 2 again"]),
    ("create NETWORK=tests/bad/a.yml", {"a.yml": "cometbft_node_count: 4"}, ["cometbft_node_count: there is no such"]),
    ("create INVENTORY=tests/bad/hosts", {}, ["INVENTORY = 'tests/bad/hosts': there is no such file or folder"]),
    (
        "create INVENTORY=tests/bad/hosts.yml",
        {"hosts.yml": "kube_node: {hosts: {machine-1: {}}}"},
        ["inventory group kube_node (with machine-1)", "kube_control_plane, which has no machine"],
    ),
    ("create KUBECONFIG=tests/bad", {}, ["mintnet_kubeconfig = 'tests/bad'", "absolute path of a kubeconfig"]),
    ("create KUBECONFIG=$PWD/tests/bad", {}, ["mintnet_kubeconfig", "this is a folder"]),
    ("create KUBECONFIG=$PWD/tests/bad/config", {"config": "a: ["}, ["mintnet_kubeconfig", "not valid YAML at line 1"]),
    ("create PROVIDER=existing", {}, ["mintnet_provider = 'existing' needs the name of a context", "theirs"]),
    ("create ARGS='-e mintnet_context=their'", {}, ["no context their in", "did you mean theirs?"]),
    (
        "create KUBECONFIG=$PWD/tests/bad/config ARGS='-e mintnet_context=gone'",
        {"config": NOWHERE},
        ["the API of context gone at https://127.0.0.1:1 does not answer", "check that the cluster runs"],
    ),
    ("create PROVIDER=kubeadm ARGS='-e mintnet_context=theirs'", {}, ["contradicts mintnet_provider = kubeadm"]),
    ("create CONFIRM=perhaps", {}, ["mintnet_confirm = 'perhaps': must be true or false"]),
    ("create ARGS='-e mintnet_home=here'", {}, ["mintnet_home = 'here': must be an absolute path"]),
    ("status QUERY='nodes[].lenght(@)'", {}, ["there is no function lenght; did you mean length?"]),
    ("logs NODE=tm3 WATCH=always", {}, ["cometbft_node = 'tm3'", "did you mean tm-3?", "cometbft_watch = 'always'"]),
    ("tx TX=a=b NODE=TM-0", {}, ["cometbft_node = 'TM-0'", "did you mean tm-0?"]),
    ("forward ARGS='-e cometbft_port=http'", {}, ["cometbft_port = 'http': must be a whole number"]),
    ("diagnose ARGS='-e mintnet_diagnose_path=/dev/null'", {}, ["must be a folder, and /dev/null is none"]),
]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("command", "files", "said"),
    [
        pytest.param(*case, id=str(number), marks=pytest.mark.long if number % 3 else ())
        for number, case in enumerate(BAD)
    ],
)
def test_bad_input_touches_nothing(
    user: User, clone: Path, command: str, files: dict[str, str], said: list[str]
) -> None:
    """The table of the unit tests has all kinds; these come through make as a user's would."""
    folder = clone / "tests" / "bad"
    folder.mkdir()
    try:
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
        run = user.run(f"make {command}", clone, code=1)
    finally:
        shutil.rmtree(folder)
    words = " ".join(run.output.split())  # the story folds its lines
    assert not [text for text in said if text not in words]
    assert "Traceback" not in run.output


@pytest.mark.usefixtures("untouched")
def test_check_only_says_what_would_be(user: User, clone: Path) -> None:
    run = user.run("make create ARGS=--check", clone)
    assert "would" in run.output


@pytest.mark.usefixtures("untouched")
def test_a_mirror_is_listed_for_the_cluster_that_is_asked_for(user: User, clone: Path) -> None:
    assert "/minikube-linux-" in user.run("make mirror PROVIDER=minikube", clone).output


PACKAGES = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.common
        tasks_from: packages
      vars:
        mintnet_packages: [hello-traditional]
"""


@pytest.mark.usefixtures("untouched")
def test_check_where_no_list_of_packages_was_fetched_yet(user: User, tmp_path: Path) -> None:
    book, settings = tmp_path / "book.yml", tmp_path / "apt.conf"
    book.write_text(PACKAGES, encoding="utf-8")
    settings.write_text(f'Dir::State::lists "{tmp_path}/lists";', encoding="utf-8")
    run = user.run(f"ansible-playbook {book} --check", tree.ROOT, APT_CONFIG=str(settings))
    assert run.changed == 1


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("verb", ["destroy", "destroy-cluster"])
def test_removing_nothing(user: User, clone: Path, verb: str) -> None:
    assert user.run(f"make {verb} CONFIRM=yes", clone).changed == 0


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("verb", ["status", "logs", "tx TX=a=b", "reset CONFIRM=yes"])
def test_using_nothing_says_what_to_do(user: User, clone: Path, verb: str) -> None:
    run = user.run(f"make {verb}", clone, code=1)
    assert "make create" in run.output or "mintnet.kubernetes.create" in run.output
    assert "Traceback" not in run.output


def test_help_names_every_verb(user: User, clone: Path) -> None:
    run = user.run("make", clone)
    playbooks = {path.stem.replace("_", "-") for path in (clone / "playbooks").glob("*.yml")} - {"cluster", "network"}
    assert not [verb for verb in playbooks if f"  {verb} " not in run.output]
