# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide's table of the commands of 2017, as they are today, and what each of them does on somebody's network."""

from __future__ import annotations

import re
import shutil

import tree
from surroundings import NETWORK, User


def table() -> dict[str, str]:
    """Each command of 2017 → today's."""
    text = (tree.ROOT / "docs" / "docsite" / "rst" / "guide_original.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^  \* - ``(.+?)``\n    - (.+)$", text, re.MULTILINE)
    return {then: then if today.startswith("the same") else today.split("``")[1] for then, today in rows}


def reading() -> list[str]:
    """Those of kubectl that change nothing. test_5_template has its own app.yaml, which begins with custody pod."""
    return [now for now in table().values() if now.startswith("kubectl") and not now.endswith(" app.yaml")]


def run(user: User, command: str, network: str = NETWORK) -> None:
    """As the guide says: the context gets the namespace once, and each command names the context.

    In a kubeconfig of its own, so that who comes afterwards has the context as it was.
    """
    own = user.home / "kubeconfig-original"
    shutil.copy(user.kubeconfig, own)
    try:
        user.run(f"kubectl config set-context {user.cluster} --namespace {network}", user.home, KUBECONFIG=str(own))
        endless = " -w " in command or " -f " in command
        words = command.replace("kubectl", f"kubectl --context {user.cluster}", 1)
        words = words.replace(f".{NETWORK}:", f".{network}:")
        if endless:
            words = f"timeout --preserve-status -s INT 5 {words}"
        told = user.run(words, user.home, code=None, KUBECONFIG=str(own))
    finally:
        own.unlink()
    assert told.code in ((0, 1, 130) if endless else (0,)), str(told)
    assert "tm" in told.output
    assert not re.search(r"^(Error\b|error:)", told.output, re.MULTILINE)
