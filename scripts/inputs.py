# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/inputs.py NETWORK INVENTORY   refuses files that Ansible could not read, in words, before it is started."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml


def network(name: str) -> str | None:
    """What is wrong with a file of variables; the tags of Ansible's vault are left to Ansible."""
    path = Path(name).expanduser()
    if path.is_dir():
        return "must be a file of variables, and this is a folder"
    if not path.exists():
        return f"there is no such file{similar(path)}"
    try:
        text = path.read_text(encoding="utf-8")
        node = None if text.startswith("$ANSIBLE_VAULT;") else yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        return f"it is not valid YAML{where}: {getattr(error, 'problem', None) or 'no text'}"
    if text.startswith("$ANSIBLE_VAULT;"):
        return None
    if isinstance(node, yaml.MappingNode):
        return next(
            (f"{key.value} is given twice, at line {key.start_mark.line + 1} again" for key in twice(node)), None
        )
    found = {yaml.SequenceNode: "a list", type(None): "nothing"}.get(type(node), "text")
    return f"must hold variables, such as cometbft_nodes: 4, and it holds {found}"


def twice(node: yaml.Node) -> Iterator[yaml.Node]:
    """Keys of one mapping that stand in it already."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key.value, str) and key.value in seen:
                yield key
            seen.add(key.value if isinstance(key.value, str) else "")
            yield from twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from twice(value)


def inventory(name: str) -> str | None:
    path = Path(name).expanduser()
    return None if "," in name or path.exists() else f"there is no such file or folder{similar(path)}"


def similar(path: Path) -> str:
    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def main() -> int:
    given = (("NETWORK", sys.argv[1], network), ("INVENTORY", sys.argv[2], inventory))
    faults = [f"{name} = {value!r}: {said}" for name, value, check in given if value and (said := check(value))]
    for fault in faults:
        print(f"Checking what make was given: {fault}; nothing was touched", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
