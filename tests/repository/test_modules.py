# SPDX-License-Identifier: GPL-3.0-or-later
"""What several files say of the modules is the same."""

from __future__ import annotations

import ast
from pathlib import Path

import tree
import yaml

MODULES = sorted((tree.ROOT / "plugins" / "modules").glob("*.py"))


def documentation(module: Path) -> dict[str, object]:
    for statement in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            found: dict[str, object] = yaml.safe_load(ast.literal_eval(statement.value))
            return found
    raise AssertionError(f"{module.name} has no DOCUMENTATION")


def test_action_group_has_every_module_that_reaches_a_cluster() -> None:
    """So that plays can name kubeconfig and context once, by module_defaults."""
    runtime = yaml.safe_load((tree.ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    reaching = [
        module.stem
        for module in MODULES
        if "mintnet.kubernetes.cluster" in documentation(module).get("extends_documentation_fragment", [])  # type: ignore[operator]
    ]
    assert runtime["action_groups"]["mintnet"] == reaching
