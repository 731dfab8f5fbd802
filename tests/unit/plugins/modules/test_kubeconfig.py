# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils._kubeconfig import beside, locked
from ansible_collections.mintnet.kubernetes.plugins.modules import kubeconfig

KEY = "c2VjcmV0IGtleQ=="
CERTIFICATE = "Y2xpZW50IGNlcnRpZmljYXRl"
OURS = {
    "name": "mintnet",
    "server": "https://10.89.64.11:6443",
    "tls_server_name": "api.mintnet.mintnet.internal",
    "certificate_authority_data": "YXV0aG9yaXR5",
    "client_certificate_data": CERTIFICATE,
    "client_key_data": KEY,
}
FOREIGN = """\
# my clusters
apiVersion: v1
kind: Config
current-context: work
preferences: {}
clusters:
- name: work
  cluster: {server: "https://work.example:6443", insecure-skip-tls-verify: true}
- name: mint
  cluster: {server: "https://mint.example:6443"}
contexts:
- name: work
  context: {cluster: work, user: me, namespace: dev}
users:
- name: me
  user: {token: my-token, exec: null}
"""

Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kube" / "config"


@pytest.fixture
def foreign(path: Path) -> Path:
    path.parent.mkdir()
    path.write_text(FOREIGN)
    path.chmod(0o640)
    return path


def read(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text())


def names(path: Path) -> dict[str, list[str]]:
    return {section: [one["name"] for one in read(path)[section]] for section in ("clusters", "contexts", "users")}


def present(run: Run, path: Path, check: bool = False, **changes: t.Any) -> dict[str, t.Any]:
    return run(kubeconfig.main, {"path": str(path), **OURS, **changes}, check=check)


def absent(run: Run, path: Path, check: bool = False) -> dict[str, t.Any]:
    return run(kubeconfig.main, {"path": str(path), "name": "mintnet", "state": "absent"}, check=check)


def test_a_missing_file_is_made_for_its_owner_only(run: Run, path: Path) -> None:
    assert present(run, path)["changed"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    made = read(path)
    assert "current-context" not in made
    assert made["clusters"][0]["cluster"]["tls-server-name"] == "api.mintnet.mintnet.internal"
    assert made["users"][0]["user"]["client-key-data"] == KEY
    assert {key: made["contexts"][0]["context"][key] for key in ("cluster", "user")} == {
        "cluster": "mintnet",
        "user": "mintnet",
    }
    assert list(path.parent.iterdir()) == [path]


def test_a_second_run_changes_nothing(run: Run, path: Path) -> None:
    present(run, path)
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert not present(run, path)["changed"]
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_everything_else_stays(run: Run, foreign: Path) -> None:
    before = read(foreign)
    present(run, foreign)
    assert foreign.stat().st_mode & 0o777 == 0o640
    after = read(foreign)
    assert after["current-context"] == "work"
    assert after["preferences"] == {}
    for section in ("clusters", "contexts", "users"):
        assert after[section][:-1] == before[section]
        assert after[section][-1]["name"] == "mintnet"
    assert absent(run, foreign)["changed"]
    assert read(foreign) == before


def test_check_mode_tells_and_touches_nothing(run: Run, path: Path, foreign: Path) -> None:
    before = foreign.read_bytes(), foreign.stat().st_mtime_ns, list(foreign.parent.iterdir())
    assert present(run, foreign, check=True)["changed"]
    assert not absent(run, foreign, check=True)["changed"]
    assert (foreign.read_bytes(), foreign.stat().st_mtime_ns, list(foreign.parent.iterdir())) == before
    missing = path.parent / "no" / "config"
    assert present(run, missing, check=True)["changed"]
    assert not missing.parent.exists()


def test_nothing_secret_in_results(run: Run, path: Path) -> None:
    results = [present(run, path), present(run, path, server="https://10.89.64.12:6443"), absent(run, path)]
    text = json.dumps(results)
    assert KEY not in text
    assert CERTIFICATE not in text
    # Hides it in what Ansible tells of the arguments.
    assert kubeconfig.SPEC["argument_spec"]["client_key_data"]["no_log"] is True
    assert "(hidden)" in results[0]["diff"]["after"]
    assert "10.89.64.11" in results[1]["diff"]["before"]
    assert results[2]["diff"]["after"] == ""


@pytest.mark.parametrize("section", ["clusters", "contexts", "users"])
def test_a_foreign_entry_of_our_name_is_refused_and_kept(run: Run, foreign: Path, section: str) -> None:
    config = read(foreign)
    foreign_entry = {
        "clusters": {
            "name": "mintnet",
            "cluster": {"server": "https://other"},
        },
        "contexts": {"name": "mintnet", "context": {"cluster": "work", "user": "me"}},
        "users": {"name": "mintnet", "user": {"token": "theirs"}},
    }[section]
    config[section].append(foreign_entry)
    foreign.write_text(yaml.safe_dump(config))
    before = foreign.read_bytes()
    refused = present(run, foreign)
    assert refused["failed"]
    assert "which is not ours" in refused["msg"]
    assert "rename-context mintnet" in refused["msg"]
    assert not absent(run, foreign)["changed"]
    assert foreign.read_bytes() == before


def test_a_foreign_entry_that_means_the_same_is_taken_over(run: Run, foreign: Path) -> None:
    config = read(foreign)
    config["clusters"].append(
        {
            "name": "mintnet",
            "cluster": {
                "server": OURS["server"],
                "tls-server-name": OURS["tls_server_name"],
                "certificate-authority-data": OURS["certificate_authority_data"],
            },
        }
    )
    foreign.write_text(yaml.safe_dump(config))
    assert present(run, foreign)["changed"]
    assert names(foreign)["clusters"] == ["work", "mint", "mintnet"]


def test_new_credentials_replace_ours_and_keep_the_users_namespace(run: Run, path: Path) -> None:
    present(run, path)
    config = read(path)
    config["contexts"][0]["context"]["namespace"] = "mynet"
    path.write_text(yaml.safe_dump(config))
    assert present(run, path, certificate_authority_data="bmV3", client_key_data="bmV3")["changed"]
    after = read(path)
    assert after["contexts"][0]["context"]["namespace"] == "mynet"
    assert after["clusters"][0]["cluster"]["certificate-authority-data"] == "bmV3"
    assert names(path) == {"clusters": ["mintnet"], "contexts": ["mintnet"], "users": ["mintnet"]}


def test_the_current_context_goes_only_with_its_context(run: Run, path: Path) -> None:
    present(run, path)
    config = read(path)
    config["current-context"] = "mintnet"
    path.write_text(yaml.safe_dump(config))
    absent(run, path)
    assert read(path)["current-context"] == ""


def test_absent_twice_and_from_nothing(run: Run, path: Path) -> None:
    assert not absent(run, path)["changed"]
    assert not path.parent.exists()
    present(run, path)
    assert absent(run, path)["changed"]
    assert not absent(run, path)["changed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clusters: [my-token", "it is not valid YAML at line 1"),
        ("- my-token", "it is not a kubeconfig file"),
        ("users: {my-token: 1}", "it is not a kubeconfig file"),
        ("contexts: [my-token]", "it is not a kubeconfig file"),
    ],
)
def test_a_corrupt_file_is_refused_without_quoting_it(run: Run, foreign: Path, text: str, said: str) -> None:
    foreign.write_text(text)
    for result in (present(run, foreign), absent(run, foreign)):
        assert result["failed"]
        assert said in result["msg"]
        assert "my-token" not in result["msg"]
    assert foreign.read_text() == text


def test_an_empty_file_holds_nothing(run: Run, foreign: Path) -> None:
    foreign.write_text("")
    assert present(run, foreign)["changed"]
    assert names(foreign)["contexts"] == ["mintnet"]


def test_a_link_is_followed(run: Run, foreign: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(foreign)
    present(run, link)
    assert link.is_symlink()
    assert "mintnet" in names(foreign)["contexts"]


def test_a_lock_that_stays_is_named(run: Run, foreign: Path) -> None:
    lock = foreign.with_name("config.lock")
    lock.touch(0)  # as kubectl does
    refused = present(run, foreign, lock_timeout=0.1)
    assert refused["failed"]
    assert str(lock) in refused["msg"]
    assert foreign.read_text() == FOREIGN
    assert lock.exists()


def test_what_another_wrote_under_the_lock_is_kept(run: Run, foreign: Path) -> None:
    lock = foreign.with_name("config.lock")
    lock.touch(0)

    def other() -> None:
        config = read(foreign)
        config["users"].append({"name": "late", "user": {"token": "x"}})
        foreign.write_text(yaml.safe_dump(config))
        lock.unlink()

    timer = threading.Timer(0.1, other)
    timer.start()
    assert present(run, foreign)["changed"]
    timer.join()
    assert names(foreign)["users"] == ["me", "late", "mintnet"]
    assert not lock.exists()


def killed(path: Path) -> None:
    """A run that ends without a word while it writes."""
    child = os.fork()
    if not child:
        with locked(path, 5):
            beside(path).write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("way", [present, absent])
def test_what_a_killed_run_left_is_cleared(run: Run, foreign: Path, way: t.Callable[..., dict[str, t.Any]]) -> None:
    present(run, foreign)
    wanted = foreign.read_bytes()
    if way is present:
        foreign.write_text(FOREIGN)
    killed(foreign)
    assert {one.name for one in foreign.parent.iterdir()} == {"config", "config.lock", ".config.mintnet"}
    assert way(run, foreign)["changed"]
    assert [one.name for one in foreign.parent.iterdir()] == ["config"]
    assert way is absent or foreign.read_bytes() == wanted


def test_what_a_killed_run_left_is_cleared_also_where_nothing_else_is_to_do(run: Run, foreign: Path) -> None:
    killed(foreign)
    assert not absent(run, foreign)["changed"]
    assert [one.name for one in foreign.parent.iterdir()] == ["config"]
    assert foreign.read_text() == FOREIGN


def test_many_at_once_lose_nothing(run: Run, foreign: Path) -> None:
    killed(foreign)
    children = []
    for number in range(8):
        if not (child := os.fork()):
            status = 1
            with contextlib.suppress(BaseException):
                kubeconfig.run(
                    {
                        "path": str(foreign),
                        "state": "present",
                        "lock_timeout": 10,
                        "servers": [],
                        **OURS,
                        "name": f"net{number}",
                    },
                    False,
                )
                status = 0
            os._exit(status)
        children.append(child)
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    assert set(names(foreign)["users"]) == {"me", *(f"net{number}" for number in range(8))}
    assert [one.name for one in foreign.parent.iterdir()] == ["config"]


def test_credentials_are_required_for_present(run: Run, path: Path) -> None:
    refused = run(kubeconfig.main, {"path": str(path), "name": "mintnet"})
    assert refused["failed"]
    assert "client_key_data" in refused["msg"]
