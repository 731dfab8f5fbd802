# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The podman of this host, through its command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t
from collections.abc import Collection
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

#: What podman remembers until the host is restarted.
STATE = Path("/run/libpod")
#: Where conmon, the watcher of a container, leaves its exit code for podman.
EXITS = STATE / "exits"
#: Programs that podman runs itself lie here, outside of PATH.
HELPERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/lib/podman", "/usr/local/libexec/podman")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class PodmanError(MintnetError):
    """Podman, or another program beside it, did not do what was asked."""


def environment(temporary: Path | None = None) -> dict[str, str]:
    """Our own environment, except that a podman elsewhere is never meant, and that tools of the system are found."""
    env = {key: value for key, value in os.environ.items() if key not in ("CONTAINER_HOST", "CONTAINER_CONNECTION")}
    return {**env, "PATH": f"{env.get('PATH', '/usr/bin:/bin')}:{SBIN}", "LC_ALL": "C.UTF-8"} | (
        {"TMPDIR": str(temporary)} if temporary else {}
    )


def which(command: str) -> str | None:
    return shutil.which(command, path=os.pathsep.join([environment()["PATH"], *HELPERS]))


def run(
    doing: str,
    *command: str,
    data: bytes | None = None,
    timeout: float = 300,
    advice: str = "",
    temporary: Path | None = None,
    holds: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; whatever goes wrong becomes an error that begins with ``doing``."""
    answer = attempt(doing, *command, data=data, timeout=timeout, temporary=temporary, holds=holds)
    if answer.returncode:
        said = [row for row in answer.stderr.splitlines() if row.strip() and "level=warning" not in row]
        cause = " ".join(said[-3:]) or f"{command[0]} ended with {answer.returncode} and said nothing"
        raise PodmanError(f"{doing}: {cause}" + (f"; {advice}" if advice else ""))
    return answer


def attempt(
    doing: str,
    *command: str,
    data: bytes | None = None,
    timeout: float = 300,
    temporary: Path | None = None,
    holds: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a command whose failure is an answer, too. It holds these locks to its end, even if we are killed before."""
    try:
        answer = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            input=data or b"",
            capture_output=True,
            env=environment(temporary),
            timeout=timeout,
            # What ends us must not end podman halfway: it would not know afterwards what it has.
            start_new_session=True,
            pass_fds=tuple(holds),
            check=False,
        )
    except FileNotFoundError as error:
        raise PodmanError(f"{doing}: {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise PodmanError(f"{doing}: {command[0]} did not end within {timeout:.0f} s") from error
    return subprocess.CompletedProcess(
        command, answer.returncode, answer.stdout.decode(errors="replace"), answer.stderr.decode(errors="replace")
    )


def podman(
    doing: str,
    *arguments: str,
    data: bytes | None = None,
    timeout: float = 300,
    temporary: Path | None = None,
    holds: Collection[int] = (),
) -> str:
    return run(doing, "podman", *arguments, data=data, timeout=timeout, temporary=temporary, holds=holds).stdout


def listed(doing: str, *arguments: str) -> list[dict[str, t.Any]]:
    """The objects that a podman command lists as JSON."""
    said = podman(doing, *arguments, timeout=60)
    try:
        return t.cast("list[dict[str, t.Any]]", json.loads(said or "[]") or [])
    except ValueError as error:
        raise PodmanError(f"{doing}: podman's answer is not JSON: {error}") from error
