# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _story

COLLECTIONS = Path(_story.__file__).parents[5]
END = "next      make status\n"


class Run(t.NamedTuple):
    code: int
    out: str
    err: str


Play = t.Callable[..., Run]


@pytest.fixture(scope="module")
def play(playbooks: t.Any, tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Runs tasks by the real ansible-playbook, with the callback as it is used."""
    home = tmp_path_factory.mktemp("home")

    def run(
        folder: Path,
        tasks: list[dict[str, t.Any]],
        *options: str,
        hosts: str = "all",
        callback: str = "mintnet.kubernetes.story",
    ) -> Run:
        playbook = folder / "playbook.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
        inventory = folder / "hosts"
        if not inventory.exists():
            inventory.write_text("localhost ansible_connection=local\n")
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_STDOUT_CALLBACK": callback,
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        done = playbooks(**settings).run(folder, "-i", str(inventory), str(playbook), *options)
        return Run(done.returncode, re.sub(r"\d+:\d\d ·", "0:00 ·", done.stdout), done.stderr)

    return run


def tell(text: str, label: str = "cluster", **more: t.Any) -> dict[str, t.Any]:
    return {"mintnet.kubernetes.tell": {"label": label, "text": text, **more}}


def fail(name: str, msg: str, **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "ansible.builtin.fail": {"msg": msg}, **more}


def command(name: str, script: str, host: str, argument: str = "", **more: t.Any) -> dict[str, t.Any]:
    argv = ["sh", "-c", script, argument]
    return {"name": name, "ansible.builtin.command": {"argv": argv}, "when": f"inventory_hostname == '{host}'", **more}


def test_a_run_without_failure(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "file"
    tasks = [
        tell("kubeadm\non 1 machine"),
        tell("make status", label="next", last=True),
        {"mintnet.kubernetes.tell": {"raw": "node  height\ntm-0  1"}},
        fail("Skipped", "never", when=False),
        fail("Ignored", "never shown", ignore_errors=True),
        {"block": [fail("First", "never shown")], "rescue": [tell("saved")]},
        {"ansible.builtin.debug": {"msg": "asked for"}},
        {"ansible.builtin.assert": {"that": True}},
        {"name": "Write", "ansible.builtin.copy": {"content": "new\n", "dest": str(file), "mode": "0600"}},
        {"name": "Warn", "ansible.builtin.set_fact": {"hosts": 1}},
    ]
    told = (
        "cluster   kubeadm\n          on 1 machine\nnode  height\ntm-0  1\ncluster   saved\n"
        '{\n    "msg": "asked for"\n}\n'
    )
    check = play(tmp_path, tasks, "--check", "--diff")
    diff = f"--- before\n+++ after: {file}\n@@ -0,0 +1 @@\n+new\n\n"
    assert check.out == told + diff + "done      0:00 · would change 1\n" + END
    assert not file.exists()
    first = play(tmp_path, tasks)
    assert first.out == told + "done      0:00 · changed 1\n" + END
    again = play(tmp_path, tasks)
    assert again.out == told + "done      0:00 · changed 0\n" + END
    assert (check.code, first.code, again.code) == (0, 0, 0)
    assert "[WARNING]" in first.err


def test_verbose_is_ansibles_own_output_and_the_end(play: Play, tmp_path: Path) -> None:
    run = play(tmp_path, [tell("ready"), tell("make status", label="next", last=True)], "-v")
    assert run.out.count("cluster   ready\n") == 1
    assert "TASK [mintnet.kubernetes.tell]" in run.out
    assert "PLAY RECAP" in run.out
    assert run.out.endswith("done      0:00 · changed 0\n" + END)


def test_told_once_under_ansibles_default_callback(play: Play, tmp_path: Path) -> None:
    tasks = [tell("ready"), tell("make status", label="next", last=True)]
    run = play(tmp_path, tasks, callback="ansible.builtin.default")
    assert run.out.count("cluster   ready\n") == 1
    assert run.out.count(END) == 1
    assert "done " not in run.out


@pytest.fixture(scope="module")
def failures(play: Play, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run in which each host fails in its own way."""
    folder = tmp_path_factory.mktemp("failures")
    (folder / "hosts").write_text(
        "localhost\nlooped\nlong\nsecret\nrescued\nsame1\nsame2\n[gone]\ngone1\ngone2\n"
        "[all:vars]\nansible_connection=local\n"
        "[gone:vars]\nansible_connection=ssh\nansible_host=127.0.0.1\nansible_port=1\n"
    )
    rescue = {
        "when": "inventory_hostname == 'rescued'",
        "block": [fail("First", "it broke")],
        "rescue": [fail("Second", "diagnosis")],
    }
    return play(
        folder,
        [
            tell("make status", label="next", last=True),
            {"name": "Look", "ansible.builtin.ping": {}, "when": "inventory_hostname is match('gone')"},
            command("Loop", "echo out $0; echo err $0 >&2; exit $0", "looped", "{{ item }}", loop=[0, 1, 2]),
            command("Much", "seq 101 160; false", "long"),
            command("Hidden", "echo {{ given }}; false", "secret", no_log=True),
            rescue,
            fail("Same", "for all", when="inventory_hostname is match('same')"),
            {
                "name": "Ask {{ 'about' }} it",
                "mintnet.kubernetes.confirm": {"question": "Remove all?", "hint": "CONFIRM=yes"},
            },
        ],
        "-e",
        "given=s3cret",
    )


def test_a_failed_run_ends_as_failed_and_leaves_out_what_is_next(failures: Run) -> None:
    assert failures.code not in (0, 1)
    assert failures.out.endswith("failed    0:00 · changed 0\n")
    assert "make status" not in failures.out
    assert "\ndone" not in failures.out


def test_failure_says_what_where_why_and_next(failures: Run) -> None:
    assert (
        "failed    Ask about it\n"
        "where     localhost\n"
        "why       Asked for confirmation (Remove all?): there is no terminal to ask on; nothing was done.\n"
        "next      to go on, say so beforehand: CONFIRM=yes\n"
    ) in failures.out


def test_failed_items_of_a_loop(failures: Run) -> None:
    assert "failed    Loop\nwhere     looped\nwhy       1: " in failures.out
    for row in ("          2: ", "          out 1\n", "          err 1\n", "          out 2\n", "          err 2\n"):
        assert row in failures.out
    assert "out 0" not in failures.out


def test_long_output_is_cut_to_its_end(failures: Run) -> None:
    assert "(40 lines before; -v shows them)" in failures.out
    assert "          141\n" in failures.out
    assert "          140\n" not in failures.out


def test_secrets_stay_hidden(failures: Run) -> None:
    assert "failed    Hidden\nwhere     secret\nwhy       hidden, because the task handles secrets\n" in failures.out
    assert "s3cret" not in failures.out + failures.err


def test_rescued_failure_is_told_with_the_failure_of_its_rescue(failures: Run) -> None:
    assert ("before    First: it broke\nfailed    Second\nwhere     rescued\nwhy       diagnosis\n") in failures.out


def test_same_failure_of_several_hosts_is_told_once(failures: Run) -> None:
    assert failures.out.count("failed    Same\n") == 1
    assert len(re.findall(r"where     same\d · the same\n", failures.out)) == 1


def test_unreachable_machines(failures: Run) -> None:
    first = r"failed    Look: no connection\nwhere     gone\d\nwhy       Failed to connect to the host via ssh"
    assert len(re.findall(first, failures.out)) == 1
    assert len(re.findall(r"where     gone\d · the same\n", failures.out)) == 1


def test_causes_logs_and_steps_of_a_failed_wait(play: Play, tmp_path: Path) -> None:
    """As cometbft_wait returns them; here a module says so in its stead."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "sorry.py").write_text(
        "from ansible.module_utils.basic import AnsibleModule\n"
        "AnsibleModule({}).fail_json(msg='all in one', why=['waiting 9 s', 'tm-0, tm-1: crashed', 'tm-2: away'],\n"
        "                            log=['tm-0: panic: x'], next=['tm-0, tm-1: mend it', 'tm-2: find it'])\n"
    )
    run = play(tmp_path, [{"name": "Wait", "sorry": {}}])
    assert (
        "why       waiting 9 s\n          tm-0, tm-1: crashed\n          tm-2: away\n"
        "log       tm-0: panic: x\n"
        "next      tm-0, tm-1: mend it\n          tm-2: find it\n"
    ) in run.out


def test_a_full_disk_has_a_next_step_whoever_finds_it(play: Play, tmp_path: Path) -> None:
    run = play(tmp_path, [fail("Write", "[Errno 28] No space left on device: '/x'")])
    assert "next      free some disk space there, then run the same command again\n" in run.out


def test_no_host(play: Play, tmp_path: Path) -> None:
    run = play(tmp_path, [tell("never")], hosts="nobody")
    assert "done      0:00 · no host matched, nothing was done\n" in run.out


@pytest.mark.parametrize("option", ["--list-tasks", "--syntax-check"])
def test_what_runs_nothing_tells_nothing(play: Play, tmp_path: Path, option: str) -> None:
    run = play(tmp_path, [tell("never")], option)
    assert run.code == 0
    assert "done" not in run.out
