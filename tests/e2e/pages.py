# SPDX-License-Identifier: GPL-3.0-or-later
"""What the docs' pages have their readers type."""

from __future__ import annotations

import re
from pathlib import Path

import tree

PLACE = tree.ROOT / "docs" / "docsite" / "rst"
BLOCK = re.compile(r"^ *\.\. code-block:: shell\n\n((?:(?: +.*)?\n)+)", re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Of its shell blocks, in their order, without their comments."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    # A sentence that follows a block in a list is as far to the right as the block's own lines are.
    typed = [re.sub(r" {2,}# .*", "", line.strip()) for line in lines]
    return [line for line in typed if re.match(r"(?:make|kubectl|sed|ansible-\w+) ", line)]


def page(name: str) -> list[str]:
    found = commands(PLACE / f"guide_{name}.rst")
    assert found
    return found
