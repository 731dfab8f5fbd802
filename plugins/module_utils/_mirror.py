# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mirror holds: as a list, or as a folder that a plain web server serves."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download, _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._sources import SUMS

Need = Mapping[str, Any]


def listing(needs: Sequence[Need], elsewhere: Mapping[str, Sequence[str]]) -> str:
    """One line for each file and image, with a line above each kind."""
    return "\n".join(_lines(needs, elsewhere))


def _lines(needs: Sequence[Need], elsewhere: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "# files of upstream: SHA-256, or where upstream publishes it, and URL"
    yield from (f"{need['sha256'] or need['sums']}  {need['url']}" for need in needs if need["url"])
    yield "# images of upstream"
    yield from (need["image"] for need in needs if need["image"])
    yield "# built from source, where a mirror has no archive of it"
    for need in needs:
        if not need["url"]:
            yield f"{need['kind']} {need['name']} {need['version']} {need['os']}-{need['arch']}"
    for kind, names in elsewhere.items():
        yield f"# in no mirror: {kind}"
        yield from names


@dataclass(frozen=True)
class File:
    """A file of the cache, and its place in the mirror."""

    place: str
    path: Path
    sha256: str


def fill(folder: Path, files: Sequence[File], check: bool) -> tuple[list[str], str]:
    """Copies what the folder lacks; gives the places, and the SHA-256 of the list of sums.

    What else lies there stays, so that one folder serves several architectures and versions.
    """
    if check:
        old = _listed(folder)
        return [file.place for file in files if not _has(folder, old, file)], ""
    folder.mkdir(parents=True, exist_ok=True)
    with _files.locked(folder):
        old = _listed(folder)
        lacking = [file for file in files if not _has(folder, old, file)]
        for file in lacking:
            _copy(file, folder / file.place)
        kept = {place: sha256 for place, sha256 in old.items() if (folder / place).is_file()}
        sums = {**kept, **{file.place: file.sha256 for file in files}}
        text = "".join(f"{sha256}  {place}\n" for place, sha256 in sorted(sums.items()))
        # Last, so that it never names what is not there yet.
        if _files.read(folder / SUMS) != text:
            _files.replace(folder / SUMS, text, 0o644)
    return [file.place for file in lacking], hashlib.sha256(text.encode()).hexdigest()


def _listed(folder: Path) -> dict[str, str]:
    return _download.sums(_files.read(folder / SUMS) or "")


def _has(folder: Path, listed: Mapping[str, str], file: File) -> bool:
    """Sizes stand for content, as in the cache."""
    path = folder / file.place
    if listed.get(file.place) != file.sha256 or not path.is_file():
        return False
    return not file.path.exists() or path.stat().st_size == file.path.stat().st_size


def _copy(file: File, target: Path) -> None:
    with _files.draft(target) as draft:
        shutil.copyfile(file.path, draft)
        found = _files.sha256(draft)
        if found != file.sha256:
            raise MintnetError(
                f"Filling the mirror: the SHA-256 of {file.path} is {found}, and it was {file.sha256}",
                hint=f"remove {file.path.parent} and run the same command again",
            )
        draft.chmod(0o644)
