# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole: where there is none, or in the place of one that is to go."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def read(path: Path) -> str | None:
    """The text, line ends and all as they are, or None where there is no such file."""
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def sha256(path: Path) -> str:
    """Of a file of any size, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def create(path: Path, text: str, mode: int) -> bool:
    """Write a file that is not there; False where it is (by now), whatever it holds."""
    temporary = _temporary(path, text, mode)
    try:
        # A rename would replace the file of another run that was quicker, a link does not.
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def replace(path: Path, text: str, mode: int) -> None:
    """Write a file in the place of the one that is there: nobody ever finds none, or half of one."""
    _temporary(path, text, mode).replace(path)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A file beside it that takes its place when it is whole. What a run that was cut off has left is written over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.mintnet")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Nobody else is in here for the same folder. A child process that is given the handle holds the lock, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _temporary(path: Path, text: str, mode: int) -> Path:
    """A file beside it that holds the text and has reached the disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
    except OSError:
        temporary.unlink()
        raise
    return temporary
