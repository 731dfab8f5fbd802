# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a new machine beside its root file system, as one archive."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

AUTHORIZED_KEYS = str(PurePosixPath("/root", ".ssh", "authorized_keys"))
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HOSTS = "/etc/hosts"
BASE_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
BEGIN, END = "# The machines of this cluster", "# End of the machines"


def machine(
    files: Mapping[str, str], masked_units: Sequence[str], hosts: str, host_key: str, authorized_key: str
) -> bytes:
    """All files of a new machine."""
    return archive(
        {
            **{path: (text, 0o644) for path, text in files.items()},
            HOSTS: (hosts, 0o644),
            "/etc/machine-id": (f"{uuid.uuid4().hex}\n", 0o444),
            HOST_KEY: (host_key, 0o600),
            AUTHORIZED_KEYS: (f"{authorized_key}\n", 0o600),
        },
        {f"/etc/systemd/system/{unit}": "/dev/null" for unit in masked_units},
    )


def login(authorized_key: str) -> bytes:
    return archive({AUTHORIZED_KEYS: (f"{authorized_key}\n", 0o600)})


def archive(files: Mapping[str, tuple[str, int]], links: Mapping[str, str] | None = None) -> bytes:
    """A tar of files with their modes, and links, with the folders that hold them; all of it is root's."""
    links = links or {}
    folders = {parent for path in [*files, *links] for parent in PurePosixPath(path).parents if len(parent.parts) > 2}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in sorted(folders):
            tar.addfile(entry(str(folder), tarfile.DIRTYPE, 0o700 if folder.name == ".ssh" else 0o755))
        for path, (text, mode) in files.items():
            data = text.encode()
            tar.addfile(entry(path, tarfile.REGTYPE, mode, size=len(data)), io.BytesIO(data))
        for path, target in links.items():
            tar.addfile(entry(path, tarfile.SYMTYPE, 0o777, target))
    return buffer.getvalue()


def entry(path: str, kind: bytes, mode: int, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.type, info.mode, info.linkname, info.size = kind, mode, target, size
    return info


def with_machines(hosts: str, addresses: Mapping[str, str]) -> str:
    """The text of /etc/hosts with the cluster's machines; other lines stay."""
    lines, inside = [], False
    for line in hosts.splitlines():
        inside = inside or line == BEGIN
        if not inside:
            lines.append(line)
        inside = inside and line != END
    return "\n".join([*lines, BEGIN, *(f"{address} {name}" for name, address in addresses.items()), END, ""])
