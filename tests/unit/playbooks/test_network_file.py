# SPDX-License-Identifier: GPL-3.0-or-later
"""The network file that make new writes: every choice is explained, and it stays YAML when one is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[3]
SPECS = ROOT / "roles" / "cometbft" / "meta" / "argument_specs.yml"
OPTIONS: dict[str, Any] = yaml.safe_load(SPECS.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
#: A variable that has its default, and what is said of it, in a paragraph of its own.
CHOICE = re.compile(r"^# (cometbft_\w+): ", re.MULTILINE)


@pytest.fixture(scope="module")
def text() -> str:
    template = ROOT / "playbooks" / "templates" / "network.yml.j2"
    variables = {"new_name": "myapp", "new_options": OPTIONS, "template": str(template)}
    lookup = trust_as_template("{{ lookup('ansible.builtin.template', template) }}")
    return str(Templar(DataLoader(), variables=variables).template(lookup))


def paragraph(text: str, name: str) -> str:
    (found,) = [part for part in text.split("\n\n") if re.search(rf"^(# )?{name}: ", part, re.MULTILINE)]
    return found


def entries(options: dict[str, Any], margin: str = "#   ") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Everything in a mapping, with how its line begins."""
    for name, option in options.items():
        yield name, f"{margin}{name}: ", option
        yield from entries(option.get("options", {}), margin + "  ")


def test_it_is_yaml_and_asks_for_the_image(text: str) -> None:
    assert yaml.safe_load(text) == {
        "cometbft_network": "myapp",
        "cometbft_nodes": 4,
        "cometbft_app": "container",
        "cometbft_app_image": "YOUR_APP:TAG",
        "cometbft_app_transport": "unix",
    }
    assert text.count('\ncometbft_app_image: "YOUR_APP:TAG"\n') == 1


def test_every_choice_can_be_taken(text: str) -> None:
    names = CHOICE.findall(text)
    assert len(names) > 20
    for name in names:
        taken = yaml.safe_load(text.replace(f"\n# {name}: ", f"\n{name}: "))
        assert name in taken
        assert taken[name] == OPTIONS[name].get("default", "")
    assert set(names) < set(yaml.safe_load(CHOICE.sub(r"\1: ", text)))


@pytest.mark.parametrize("variable", ["cometbft_app_build", "cometbft_app_volumes", "cometbft_topology"])
def test_what_a_mapping_holds_is_explained(text: str, variable: str) -> None:
    said = paragraph(text, variable).splitlines()
    for name, begins, option in entries(OPTIONS[variable]["options"]):
        (number,) = [number for number, line in enumerate(said) if line.startswith(begins)]
        more = ""
        for line in said[number + 1 :]:
            if not line.startswith(" " * 4, begins.index(name)):
                break
            more += " " + line.lstrip("# ")
        shown = said[number].removeprefix(begins) + more
        assert shown, name
        assert shown.endswith("Needed.") == option.get("required", False)
        assert all(choice in shown for choice in option.get("choices", []))


def test_app_build_names_what_is_in_it(text: str) -> None:
    said = paragraph(text, "cometbft_app_build")
    for name in ("context", "file", "contexts", "args", "flags", "base", "go", "package", "binary", "push", "protos"):
        assert re.search(rf"^#  +{name}: \w", said, re.MULTILINE), name


def test_lines_can_be_read(text: str) -> None:
    assert [line for line in text.splitlines() if len(line) > 102] == []
    assert "(O" not in text
    assert not re.search(r"\b[COVI]\(", text)
