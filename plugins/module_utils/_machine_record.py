# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role did to a machine, kept on the machine, so that a glance tells whether it still holds.

A record names the hash of the inputs, each file with its size, time and mode, and the units that must run.
Runs on the machine: standard library only.
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

RECORDS = "/var/lib/mintnet/records"


@dataclasses.dataclass
class FileMark:
    """One file as it was written. ``sha256`` is that of what it came from: its content, or a whole archive."""

    sha256: str
    size: int
    mtime_ns: int
    mode: int

    @classmethod
    def of(cls, path: Path, sha256: str) -> FileMark:
        found = path.lstat()
        return cls(sha256, found.st_size, found.st_mtime_ns, stat.S_IMODE(found.st_mode))

    def holds(self, path: Path) -> bool:
        try:
            return self == FileMark.of(path, self.sha256)
        except OSError:
            return False


@dataclasses.dataclass
class Record:
    inputs: str = ""
    files: dict[str, FileMark] = dataclasses.field(default_factory=dict)
    #: Units that are enabled and run all the time.
    units: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Record:
        """An unreadable record counts as none: the role then does its work once more and writes a new one."""
        try:
            found = json.loads(path.read_text())
            files = {name: FileMark(**mark) for name, mark in found["files"].items()}
            return cls(str(found["inputs"]), files, [str(name) for name in found["units"]])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def dump(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True) + "\n"


def file_drift(record: Record, root: Path = Path("/")) -> list[str]:
    drift = []
    for name, mark in record.files.items():
        path = root / name.lstrip("/")
        if not os.path.lexists(path):
            drift.append(f"{name} is gone")
        elif not mark.holds(path):
            drift.append(f"{name} was changed")
    return drift


def unit_drift(record: Record, states: dict[str, dict[str, str]]) -> list[str]:
    drift = []
    for name in record.units:
        state = states.get(name, {})
        if state.get("UnitFileState") not in ("enabled", "static"):
            drift.append(f"{name} is not enabled")
        elif state.get("ActiveState") != "active":
            drift.append(f"{name} is {state.get('ActiveState', 'unknown')}")
    return drift


def unit_states(units: Iterable[str], run: Callable[[list[str]], str | None]) -> dict[str, dict[str, str]]:
    """All units by one call of systemctl, which answers with one block of lines per unit."""
    names = list(units)
    if not names:
        return {}
    properties = "--property=Id,ActiveState,SubState,UnitFileState,NeedDaemonReload"
    return parse_show(run(["systemctl", "show", properties, *names]) or "")


def parse_show(text: str) -> dict[str, dict[str, str]]:
    blocks = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in text.split("\n\n"))
    return {block["Id"]: block for block in blocks if "Id" in block}
