# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says what it takes: its defaults and its argument spec are one truth in two files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tree
import yaml

ROLES = sorted(path.name for path in (tree.ROOT / "roles").iterdir() if (path / "meta").is_dir())
SHARED = "mintnet"
"""Prefix of what roles share; one role declares it."""


def load(role: str, name: str) -> dict[str, Any]:
    path = tree.ROOT / "roles" / role / name
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def options(role: str) -> dict[str, dict[str, Any]]:
    """Of all entry points: they share one defaults file."""
    merged: dict[str, dict[str, Any]] = {}
    for entry in load(role, "meta/argument_specs.yml")["argument_specs"].values():
        merged.update(entry.get("options", {}))
    return merged


def test_there_are_roles() -> None:
    assert ROLES


@pytest.mark.parametrize("role", ROLES)
def test_defaults_equal_spec(role: str) -> None:
    defaults = load(role, "defaults/main.yml")
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    for name, option in options(role).items():
        # A computed default is text, which a spec takes for options of a textual type only.
        if "{{" in str(defaults.get(name, "")) and option.get("type") not in ("path", "raw", "str"):
            assert "default" not in option
            del defaults[name]
    assert defaults == specified


@pytest.mark.parametrize("role", ROLES)
def test_options_are_documented(role: str) -> None:
    bare = [name for name, option in options(role).items() if not str(option.get("description", "")).strip()]
    assert not bare
    untyped = [name for name, option in options(role).items() if "type" not in option]
    assert not untyped


@pytest.mark.parametrize("role", ROLES)
def test_names_carry_the_prefix(role: str) -> None:
    prefix = f"{SHARED if role == 'common' else role}_"
    assert not [name for name in options(role) if not name.startswith(prefix)]
    private = load(role, "vars/main.yml")
    assert not [name for name in private if not name.startswith(f"_{role}_")]


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_is_specified(role: str) -> None:
    for name, entry in load(role, "meta/argument_specs.yml")["argument_specs"].items():
        assert (tree.ROOT / "roles" / role / "tasks" / f"{name}.yml").exists()
        assert entry.get("short_description")


@pytest.mark.parametrize("role", ROLES)
def test_role_introduces_itself(role: str) -> None:
    readme = tree.ROOT / "roles" / role / "README.md"
    assert 5 <= len(readme.read_text(encoding="utf-8").splitlines()) <= 40
    info = load(role, "meta/main.yml")["galaxy_info"]
    assert info["license"] == "GPL-3.0-or-later"
    assert info["min_ansible_version"] == "2.19"


def test_readme_names_every_role() -> None:
    text = Path(tree.ROOT / "README.md").read_text(encoding="utf-8")
    assert not [role for role in ROLES if f"`{role}`" not in text and f"mintnet.kubernetes.{role}`" not in text]


def test_what_is_true_or_false_may_be_a_text() -> None:
    """As -e NAME=false and INI inventories have it: in a condition, any text would count as true, or be refused."""
    names = [name for role in ROLES for name, option in options(role).items() if option["type"] == "bool"]
    assert names
    asked = re.compile(rf"(?:\b(?:if|not|and|or)|when:|^ +-) ({'|'.join(names)})(?! \||\w|:| is )")
    found = [
        f"{path.relative_to(tree.ROOT)}: {line.strip()}"
        for folder in ("playbooks", "roles")
        for path in sorted((tree.ROOT / folder).rglob("*"))
        if path.suffix in (".yml", ".j2") and "meta" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if asked.search(line)
    ]
    assert not found
