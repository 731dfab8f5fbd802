# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bug report needs, in one archive. A part that fails leaves its reason and holds up no other part."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import shutil
import sys
import tarfile
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._redact import Redactor

COLLECTION = Path(__file__).resolve().parents[2]
PACKAGES = ("ansible", "ansible-core", "kubernetes", "pynacl", "jmespath", "PyYAML")
MANIFEST = "MANIFEST"


@dataclass(frozen=True)
class File:
    name: str
    what: str
    data: bytes

    def told(self) -> dict[str, t.Any]:
        return {"name": self.name, "what": self.what, "size": len(self.data)}


class Collected:
    """Everything goes in through ``add``, which hides secrets and bounds sizes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.redactor = Redactor()
        self.files: dict[str, File] = {}
        self.missing: list[dict[str, str]] = []

    def add(self, name: str, what: str, content: t.Any, *, keep_end: bool = False, names: bool = False) -> None:
        """Text as it is, and anything else as JSON; what is too long keeps its beginning or its end."""
        if isinstance(content, str):
            text = self.redactor.text(content)
        else:
            text = json.dumps(self.redactor.data(content, names), indent=1, ensure_ascii=False, default=str)
            text = self.redactor.text(text) + "\n"
        data = text.encode(errors="replace")
        if len(data) > self.limit:
            data = data[-self.limit :] if keep_end else data[: self.limit]
            what += f" (cut to its {'last' if keep_end else 'first'} {self.limit} bytes)"
        self.files[name] = File(name, what, data)

    def miss(self, what: str, reason: str) -> None:
        self.missing.append({"what": what, "reason": self.redactor.text(" ".join(reason.split()))})

    def attempt(self, what: str, collect: Callable[[], None]) -> None:
        try:
            collect()
        except MintnetError as error:
            self.miss(what, str(error))
        except Exception as error:  # an archive with a hole is what somebody with a broken network needs
            self.miss(what, f"{type(error).__name__}: {error}")

    def seal(self) -> None:
        """Hide once more: a secret may have been learned after something with it was added."""
        for name, file in self.files.items():
            text = self.redactor.text(file.data.decode(errors="replace"))
            self.files[name] = File(name, file.what, text.encode())

    def manifest(self, title: str) -> str:
        files = [self.files[name] for name in sorted(self.files)]
        width = max((len(file.name) for file in files), default=0)
        rows = [f"{len(file.data):>9}  {file.name:<{width}}  {file.what}" for file in files]
        if self.missing:
            rows += ["", "not collected:", *(f"  {one['what']}: {one['reason']}" for one in self.missing)]
        return "\n".join([title, "", *rows]) + "\n"


# This controller


def collect_controller(into: Collected, folders: dict[str, str]) -> None:
    into.attempt("versions.json", lambda: into.add("versions.json", "versions on the controller", versions()))
    into.attempt("controller.json", lambda: into.add("controller.json", "the controller", controller(folders)))


def versions() -> dict[str, t.Any]:
    found: dict[str, t.Any] = {"mintnet.kubernetes": collection_version(COLLECTION), "python": sys.version}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def collection_version(folder: Path) -> str:
    """From what a built collection carries, or a clone."""
    if (folder / "MANIFEST.json").exists():
        return str(json.loads((folder / "MANIFEST.json").read_text("utf-8"))["collection_info"]["version"])
    lines = (folder / "galaxy.yml").read_text("utf-8").splitlines()
    return (
        next((line.split(":", 1)[1].strip() for line in lines if line.startswith("version:")), "unknown") + " (clone)"
    )


def controller(folders: dict[str, str]) -> dict[str, t.Any]:
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "root": os.geteuid() == 0,
        "programs": {name: shutil.which(name) for name in ("kubectl", "podman", "go", "make")},
        "free": {what: _free(Path(folder)) for what, folder in folders.items()},
    }


def _free(folder: Path) -> dict[str, t.Any]:
    present = next(part for part in (folder, *folder.parents) if part.exists())
    usage = shutil.disk_usage(present)
    return {"folder": str(folder), "exists": folder.exists(), "free_bytes": usage.free, "total_bytes": usage.total}


# The archive


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def archive_name(network: str, when: datetime) -> str:
    return f"mintnet-diagnose-{network}-{when:%Y%m%dT%H%M%SZ}"


def write(files: list[File], folder: Path, name: str, when: datetime) -> Path:
    """A new file that only its owner may read."""
    doing = f"writing the archive {folder / name}.tar.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.tar.gz"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise MintnetError(f"{doing}: {error.strerror}; name another folder with mintnet_diagnose_path") from error
    try:
        with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for file in files:
                entry = tarfile.TarInfo(f"{name}/{file.name}")
                entry.size, entry.mode, entry.mtime = len(file.data), 0o600, int(when.timestamp())
                archive.addfile(entry, io.BytesIO(file.data))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise MintnetError(f"{doing}: {error.strerror}; name another folder with mintnet_diagnose_path") from error
    return path
