# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible would say of each machine in words of its own comes into one table: by the real ansible-playbook."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = [
    {
        "hosts": "all",
        "gather_facts": False,
        "roles": ["mintnet.kubernetes.common"],
        "tasks": [{"ansible.builtin.include_role": {"name": "mintnet.kubernetes.kubeadm", "tasks_from": "preflight"}}],
    },
    {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": "it goes on"}}]},
]


@pytest.fixture
def check(playbooks: t.Any, tmp_path: Path) -> t.Callable[..., subprocess.CompletedProcess[str]]:
    """Checks machines with these variables."""

    def run(hosts: dict[str, dict[str, str]]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "playbook.yml").write_text(yaml.safe_dump(PLAYBOOK))
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".dev"),
            "ANSIBLE_BECOME_ALLOW_SAME_USER": "true",
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_STDOUT_CALLBACK": "mintnet.kubernetes.story",
        }
        found: subprocess.CompletedProcess[str] = playbooks(**settings).run(
            tmp_path, "-i", "hosts.yml", "playbook.yml", HOME=str(tmp_path)
        )
        return found

    return run


@pytest.fixture
def hosts(tmp_path: Path, refusing: str) -> dict[str, dict[str, str]]:
    address, port = refusing.split(":")
    sudo = tmp_path / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    local = {"ansible_connection": "local"}
    return {
        "gone": {"ansible_host": address, "ansible_port": port, "ansible_connection": "ssh"},
        "bare": {**local, "ansible_python_interpreter": str(tmp_path / "python3")},
        "user": {
            **local,
            "ansible_become": "true",
            "ansible_become_exe": str(sudo),
            "ansible_python_interpreter": sys.executable,
        },
    }


def test_machines_that_cannot_be_looked_at(check: t.Any, hosts: dict[str, dict[str, str]]) -> None:
    done = check(hosts)
    assert done.returncode != 0
    assert "it goes on" not in done.stdout
    rows = re.findall(r"^ *(gone|bare|user)  +(\S.*?)(?:  |$)", done.stdout, re.MULTILINE)
    assert [name for name, _wrong in rows] == ["bare", "gone", "user"]
    wrong = dict(rows)
    assert wrong["gone"].startswith("it cannot be reached: ssh: ")
    assert wrong["bare"].startswith("it has no Python 3")
    assert wrong["user"].startswith("its sudo asks for a password")
    # Of each machine there is nothing but its row; one line begins the failure, and one ends the run.
    assert len(re.findall(r"^failed", done.stdout, re.MULTILINE)) == 2, done.stdout
