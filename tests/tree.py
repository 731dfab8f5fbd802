# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the repository, and copies of them: where a tool wants another place, and as a newcomer's clone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def files() -> list[Path]:
    """What git has or would take, relative to the root."""
    command = ["git", "ls-files", "-coz", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    present = (Path(name) for name in names if name)
    return sorted({name for name in present if (ROOT / name).is_symlink() or (ROOT / name).is_file()})


def copy(target: Path, without: Collection[Path] = ()) -> Path:
    """A copy without history; symlinks stay symlinks."""
    for name in (name for name in files() if name not in without):
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place, follow_symlinks=False)
    return target
