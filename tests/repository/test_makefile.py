# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Makefile's verbs would run."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import tree

MAKEFILE = (tree.ROOT / "Makefile").read_text(encoding="utf-8")
VERBS = re.findall(r"^([a-z-]+): ready ", MAKEFILE, re.MULTILINE)


def line(*arguments: str, **environment: str) -> str:
    """The last line that make would run, which is the playbook's."""
    # Make takes its variables from the environment, too.
    environment = {"PATH": os.environ["PATH"], **environment}
    command = ["make", "--dry-run", *arguments]
    answer = subprocess.run(command, cwd=tree.ROOT, env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[-1]


def test_new_takes_a_name() -> None:
    assert line("new", "NAME=myapp") == ".venv/bin/ansible-playbook playbooks/new.yml -e 'cometbft_network=myapp'"


def test_render_takes_a_folder_or_a_file() -> None:
    said = line("render", "OUT=my manifests")
    assert said == """.venv/bin/ansible-playbook playbooks/render.yml -e '{"cometbft_render_path": "my manifests"}'"""
    assert line("render", "OUT=app.yaml").endswith('{"cometbft_render_path": "app.yaml"}\'')
    assert "there" not in line("create", OUT="there")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "new"])
def test_no_other_verb_takes_the_name_of_this_machine(verb: str) -> None:
    """As WSL has it in the environment."""
    said = line(verb, "NETWORK=examples/kvstore/network.yml", "CONFIRM=yes", NAME="DESKTOP-1")
    assert "DESKTOP-1" not in said
    assert "cometbft_network" not in said
    assert "@examples/kvstore/network.yml" in said
