# SPDX-License-Identifier: GPL-3.0-or-later
"""A user of a Mac, as far as there can be one without a Mac: its facts, its few commands, and nothing of Linux."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import tree
from surroundings import Run, User

#: What POSIX has and a run needs; where a flag is not of POSIX, this does not show it.
COMMANDS = ("bash", "sh", "cat", "chmod", "echo", "mkdir", "rm", "sleep")


@dataclass
class Mac(User):
    machine: str = "arm64"
    context: str = "theirs"
    """Of somebody else's cluster: most runs need none of ours. Without a name, the run chooses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bin = self.home / "bin"
        self.bin.mkdir()
        for name in COMMANDS:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.stand_in("uname", 'case "$1" in -m) echo "$MAC_MACHINE";; *) echo Darwin;; esac')
        self.stand_in("id", "echo 501")
        self.environment |= {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "PYTHONPATH": str(Path(__file__).with_name("mac_python")),
            "MAC_MACHINE": self.machine,
        }
        # Where a Mac keeps caches is what the collection has to know.
        self.environment.pop("XDG_CACHE_HOME", None)

    def stand_in(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def play(self, book: Path | str, options: str = "", *, code: int | None = 0) -> Run:
        command = f"{sys.executable} -m ansible playbook {book} -e mintnet_context={self.context} {options}"
        return self.run(command, tree.ROOT, code=code)
