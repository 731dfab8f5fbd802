# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Makefile's verbs would run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest
import tree
import yaml

MAKEFILE = (tree.ROOT / "Makefile").read_text(encoding="utf-8")
VERBS = re.findall(r"^([a-z-]+): ready ", MAKEFILE, re.MULTILINE)


def line(*arguments: str, **environment: str) -> str:
    """The last line that make would run, which is the playbook's."""
    # Make takes its variables from the environment, too.
    environment = {"PATH": os.environ["PATH"], **environment}
    command = ["make", "--dry-run", *arguments]
    answer = subprocess.run(command, cwd=tree.ROOT, env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[-1]


DOCUMENTS = [tree.ROOT / "README.md", *sorted((tree.ROOT / "docs" / "docsite" / "rst").glob("*.rst"))]
INLINE = re.compile(r"(`+)(make [^`]+)\1")
BLOCK = re.compile(r"^```shell\n(.*?)^```|^ *\.\. code-block:: shell\n\n((?:(?: +.*)?\n)+)", re.MULTILINE | re.DOTALL)
OPTIONS = {
    name
    for path in (tree.ROOT / "roles").glob("*/meta/argument_specs.yml")
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values()
    for name in entry.get("options", {})
}


def shown() -> Iterator[str]:
    """The lines of make that the documentation shows, in blocks and in sentences."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        yield from (" ".join(found[1].split()) for found in INLINE.findall(text))
        for found in BLOCK.findall(text):
            lines = "".join(found).replace("\\\n", " ").splitlines()
            yield from (line.strip() for line in lines if line.strip().startswith("make "))


# Without what is said of them; where a word ends in an ellipsis, any line of that kind is meant.
SHOWN = sorted({re.sub(r" +# .*", "", command) for command in shown() if not re.search(r"\w…$", command)})


def test_documentation_shows_lines_of_make() -> None:
    assert {"make create", "make create PROVIDER=minikube", "make destroy-cluster CONFIRM=yes"} <= set(SHOWN)
    assert len(SHOWN) > 40


@pytest.mark.parametrize("command", SHOWN)
def test_what_the_documentation_shows_can_be_typed(command: str) -> None:
    """The verb exists, make takes the line, and each variable in it is one of the collection."""
    verb, *words = shlex.split(command)[1:]
    assert re.search(rf"^{re.escape(verb)}:.*  ## ", MAKEFILE, re.MULTILINE)
    line(verb, *words)
    passed = [word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")]
    given = re.findall(r"-e ([a-z_]+)=", " ".join(passed))
    assert set(given) <= OPTIONS


def test_each_variable_that_the_documentation_passes_is_known() -> None:
    """Also where it is passed to ansible-playbook."""
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert set(re.findall(r"""-e ["']?([a-z_]+)=""", text)) <= OPTIONS


# What macOS has is GNU make 3.81 and bash 3.2; its sh is that bash.
NEWER_MAKE = {
    "!= (4.0)": r"!=",
    "::= (4.0)": r"::=",
    "a function (4.0)": r"\$[({](?:file|guile|intcmp|let) ",
    ".ONESHELL (3.82)": r"^\.(?:ONESHELL|RECIPEPREFIX|NOTINTERMEDIATE|WAIT)\b",
    "undefine, private (3.82)": r"^\s*(?:undefine|private|load)\s",
    "define with = (3.82)": r"^\s*define\s+\S+\s*[:+?]?=",
    "&: (4.3)": r"^[^\t#]*&:",
}
NEWER_SHELL = {
    "an array by name (4.0), a name by name (4.3)": r"\b(?:declare|local|typeset)\s+-[a-zA-Z]*[An]",
    "mapfile (4.0)": r"\b(?:mapfile|readarray|coproc)\b",
    "upper and lower case (4.0)": r"\$\{\w+(?:,,?|\^\^?)",
    "a transformation (4.4)": r"\$\{\w+@[A-Za-z]\}",
    "&>> or |& (4.0)": r"&>>|\|&",
    ";& (4.0)": r";;?&",
    "a negative index (4.2)": r"\$\{\w+\[-",
    "the time by printf (4.2)": r"%\(",
    "globstar, inherit_errexit (4.0)": r"shopt\s.*\b(?:globstar|inherit_errexit|lastpipe|autocd)\b",
    "EPOCHSECONDS (5.0)": r"\b(?:EPOCHSECONDS|EPOCHREALTIME|SRANDOM)\b",
    "a test for a variable (4.2)": r"\[\[? -v ",
    "wait -n (4.3)": r"\bwait -n\b",
}
MAKEFILES = sorted(name for name in tree.files() if name.name == "Makefile")
SCRIPTS = sorted(
    name
    for name in tree.files()
    # Others run on machines and in containers, which are Linux.
    if name.parts[0] == "scripts" and (tree.ROOT / name).read_bytes().startswith(b"#!/bin/")
)


def newer(text: str, features: dict[str, str]) -> list[str]:
    return [name for name, pattern in features.items() if re.search(pattern, text, re.MULTILINE)]


def test_makefiles_keep_to_make_3_81() -> None:
    found = {name: newer((tree.ROOT / name).read_text(encoding="utf-8"), NEWER_MAKE) for name in MAKEFILES}
    assert len(found) > 1
    assert not {str(name): features for name, features in found.items() if features}


def test_scripts_keep_to_bash_3_2() -> None:
    """So does what recipes run."""
    found = {name: newer((tree.ROOT / name).read_text(encoding="utf-8"), NEWER_SHELL) for name in SCRIPTS + MAKEFILES}
    assert SCRIPTS
    assert not {str(name): features for name, features in found.items() if features}


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("now != date\n", NEWER_MAKE),
        ("now ::= 1\n", NEWER_MAKE),
        ("a := $(file <b)\n", NEWER_MAKE),
        (".ONESHELL:\n", NEWER_MAKE),
        ("a b &: c\n", NEWER_MAKE),
        ("define a =\n", NEWER_MAKE),
        ("declare -A a\n", NEWER_SHELL),
        ("mapfile -t a <b\n", NEWER_SHELL),
        ('echo "${a,,}"\n', NEWER_SHELL),
        ('echo "${a[-1]}"\n', NEWER_SHELL),
        ("a |& b\n", NEWER_SHELL),
        ("if [ -v a ]; then\n", NEWER_SHELL),
    ],
)
def test_what_is_newer_is_seen(text: str, features: dict[str, str]) -> None:
    assert len(newer(text, features)) == 1


def test_create_takes_a_provider() -> None:
    said = line("create", "PROVIDER=minikube")
    assert said == ".venv/bin/ansible-playbook playbooks/create.yml -e 'mintnet_provider=minikube'"


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
