# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What minikube would download, put where it looks first: programs and images below its folder "cache".

An image is a docker archive, named REGISTRY/PATH_TAG, and has to name itself as minikube asks for it.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

MANIFEST = "manifest.json"


def program(root: Path, arch: str, version: str, name: str) -> Path:
    return root / "cache" / "linux" / arch / f"v{version}" / name


def image(root: Path, arch: str, reference: str) -> Path:
    name, _colon, tag = reference.rpartition(":")
    return root / "cache" / "images" / arch / f"{name}_{tag}"


def put_program(source: Path, target: Path) -> bool:
    """Whether it was missing, or another."""
    if target.exists() and _files.sha256(target) == _files.sha256(source):
        return False
    with _files.draft(target) as draft:
        shutil.copyfile(source, draft)
        draft.chmod(0o755)
    return True


def put_image(source: Path, target: Path, reference: str) -> bool:
    """Whether it was missing, or another; the copy names itself ``reference``."""
    manifest = manifest_of(source)
    manifest[0]["RepoTags"] = [reference]
    if target.exists() and manifest_of(target) == manifest:
        return False
    text = json.dumps(manifest).encode()
    with _files.draft(target) as draft, tarfile.open(source) as old, tarfile.open(draft, "w") as new:
        for member in old:
            if member.name == MANIFEST:
                member.size = len(text)
                new.addfile(member, io.BytesIO(text))
            else:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return True


def manifest_of(archive: Path) -> list[dict[str, t.Any]]:
    """It holds the digests of configuration and layers, and so stands for all of the image."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(MANIFEST)
        if file is None:
            raise MintnetError(f"Reading the image {archive}: its {MANIFEST} is no file; remove it and run again")
        return t.cast("list[dict[str, t.Any]]", json.load(file))


def seed(root: Path, arch: str, version: str, programs: Mapping[str, Path], images: Mapping[str, Path]) -> list[str]:
    """The names of what was put there now."""
    placed = [name for name, source in programs.items() if put_program(source, program(root, arch, version, name))]
    return placed + [
        reference for reference, source in images.items() if put_image(source, image(root, arch, reference), reference)
    ]
