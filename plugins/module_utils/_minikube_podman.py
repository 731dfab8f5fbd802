# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What minikube's driver podman needs of a Linux host where root runs it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_host, _podman
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube_cache import manifest_of

#: Mounted into each node, whether the host's kernel has modules or not.
MODULES = Path("/lib/modules")
#: Commands and the packages of Debian that bring them.
COMMANDS: Mapping[str, str] = {name: name for name in ("conmon", "iptables", "netavark", "podman", "runc")}
SUDO = """\
#!/bin/sh
# Who runs minikube is root already, and what podman is told by the environment must reach it.
while :; do
    case "${1:-}" in
    --) shift && break ;;
    -*) shift ;;
    *) break ;;
    esac
done
exec "$@"
"""


@contextmanager
def surroundings() -> Iterator[dict[str, str]]:
    """Variables for minikube, and the files that they name, for as long as it runs."""
    with tempfile.TemporaryDirectory(prefix="mintnet-minikube-") as folder:
        sudo = Path(folder, "sudo")
        sudo.write_text(SUDO, encoding="utf-8")
        sudo.chmod(0o755)
        variables = {"PATH": f"{folder}:{_podman.environment()['PATH']}"}
        limits = _machines_host.limits(_machines_host.look())
        if limits:
            # Podman would raise them, which nobody may here.
            conf = Path(folder, "containers.conf")
            values = json.dumps(limits[1::2])
            conf.write_text(f"[containers]\ndefault_ulimits = {values}\n", encoding="utf-8")
            variables["CONTAINERS_CONF"] = str(conf)
        yield variables


def have_image(archive: Path, reference: str) -> None:
    """Load it where podman has none, or another, of that name."""
    doing = f"Loading {reference} into podman"
    wanted = str(manifest_of(archive)[0]["Config"]).removeprefix("sha256:").removesuffix(".json")
    found = _podman.attempt(doing, "podman", "image", "inspect", "--format", "{{.Id}}", reference)
    if found.returncode != 0 or found.stdout.strip() != wanted:
        _podman.podman(doing, "load", "--input", str(archive), timeout=600)
