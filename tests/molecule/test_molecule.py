# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios, and the proof that its check for idempotence can fail."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import tree

CHANGING = """\
- name: A play that is never done
  hosts: localhost
  gather_facts: false
  tasks:
    - name: A task that changes each time
      ansible.builtin.command: "true"
"""


def molecule(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["molecule", *arguments]
    run = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(run.stdout)
    return run


def test_scenarios() -> None:
    try:
        assert molecule(tree.ROOT, "test", "--all").returncode == 0
    finally:
        shutil.rmtree(tree.ROOT / "tests" / "output" / "molecule", ignore_errors=True)


def test_a_changing_task_is_found(tmp_path: Path) -> None:
    """The same settings, with one scenario, which needs no cluster."""
    place = tree.copy(tmp_path)
    scenarios = place / "extensions" / "molecule"
    for scenario in scenarios.glob("*/molecule.yml"):
        shutil.rmtree(scenario.parent)
    (scenarios / "changing").mkdir()
    (scenarios / "changing" / "molecule.yml").write_text("{}\n", encoding="utf-8")
    (scenarios / "changing" / "converge.yml").write_text(CHANGING, encoding="utf-8")
    run = molecule(place, "test", "--scenario-name", "changing")
    assert run.returncode != 0
    assert "Idempotence test failed" in run.stdout
    assert "A task that changes each time" in run.stdout
