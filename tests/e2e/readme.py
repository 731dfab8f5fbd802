# SPDX-License-Identifier: GPL-3.0-or-later
"""What the examples' READMEs have their readers type."""

from __future__ import annotations

import re
from pathlib import Path

from surroundings import User


def blocks(clone: Path, example: str) -> list[list[str]]:
    """The lines of each block, with their comments."""
    text = (clone / "examples" / example / "README.md").read_text(encoding="utf-8")
    return [block.splitlines() for block in re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


def make(user: User, clone: Path, example: str, lines: list[str]) -> None:
    """Runs lines in the example's folder. One whose comment begins with "refused: " is, with these words."""
    for line in lines:
        if line == f"cd examples/{example}":
            continue
        _command, _blanks, refusal = line.partition("# refused: ")
        run = user.run(line, clone / "examples" / example, code=1 if refusal else 0)
        assert refusal in " ".join(run.output.split()), run


def in_pod(user: User, shell: str, lines: list[str]) -> str:
    """What lines say in a shell that a README opens in a pod, in this cluster and without a terminal."""
    kubectl, _it, inside = shell.partition(" -it ")
    assert inside
    text = "\n".join(["shopt -s expand_aliases", "set -e", *lines])
    return user.kubectl(f"{arguments(kubectl)} -i {inside} -s <<'END'\n{text}\nEND\n").output


def arguments(command: str) -> str:
    """Of kubectl, without the context, which is another one here."""
    found = command.removeprefix("kubectl --context mintnet ")
    assert found != command
    return found
