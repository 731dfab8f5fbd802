# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's modules, called one by one as a user would with `ansible -m`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import tree

FOLDER = tempfile.TemporaryDirectory(prefix="mintnet-modules-")


def start(name: str, *, check: bool = False, **arguments: Any) -> subprocess.Popen[str]:
    # A thousand validators are too long for a command line.
    with tempfile.NamedTemporaryFile("w", dir=FOLDER.name, suffix=".json", delete=False, encoding="utf-8") as file:
        json.dump({"wanted": arguments}, file)
    python = f"ansible_python_interpreter={sys.executable}"
    names = json.dumps({option: f"{{{{ wanted.{option} }}}}" for option in arguments})
    command = ["ansible", "-i", "localhost,", "-c", "local", "-e", python, "-e", f"@{file.name}", "localhost"]
    command += [*(["--check"] if check else []), "-m", f"mintnet.kubernetes.{name}", "-a", names]
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"}
    return subprocess.Popen(
        command, cwd=tree.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _nothing = process.communicate(timeout=300)
    assert " => {" in output, output
    assert "Traceback" not in output, output
    said, _arrow, result = output.partition(" => ")
    return {**json.loads(result), "failed": said.endswith("FAILED!")}


def module(name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """What the module returns; a failure is returned, too."""
    return finish(start(name, check=check, **arguments))
