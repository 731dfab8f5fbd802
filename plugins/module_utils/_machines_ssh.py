# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way into local machines: a key pair and known hosts of the cluster's own, and short-lived master connections.

Nothing of the user's is read or written: neither the folder ~/.ssh, nor an agent, nor a configuration.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._podman import PodmanError, attempt, run

#: Short, because a socket's path has at most 107 bytes and ssh adds 17 of its own, and a home folder may be deep.
CONTROL = Path("/run/mintnet")
PORT = 22
USER = "root"


def keypair(folder: Path, name: str, comment: str) -> tuple[str, str]:
    """A new ed25519 key pair: the private key in OpenSSH's format, and the public one as a line."""
    path = folder / name
    run(f"Making the key {name}", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


def draft(path: Path) -> Path:
    """Where a file or folder is made ready beside its place: always there, so that what was cut off is found again."""
    return path.with_name(f".{path.name}")


def write(path: Path, text: str) -> None:
    """Put a file in place at once, readable by its owner alone."""
    temporary = draft(path)
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise


def config_path(path: Path) -> str:
    """A path as ssh wants it in an option: blanks within quotes, and a percent sign is no token."""
    return '"{}"'.format(str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%"))


class Access:
    """What is needed to reach the machines of one cluster."""

    def __init__(self, home: Path, cluster: str) -> None:
        self.folder = home / "ssh"
        self.key = self.folder / "id_ed25519"
        self.known_hosts = self.folder / "known_hosts"
        self.control = CONTROL / cluster

    # What Ansible is told

    def common_args(self) -> str:
        options = ["-F", "/dev/null"]
        for option in (
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            f"UserKnownHostsFile={config_path(self.known_hosts)}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            # A machine that was switched off is noticed after 15 s, not after minutes.
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
        ):
            options += ["-o", option]
        return shlex.join(options)

    def variables(self, number: int, address: str) -> dict[str, object]:
        """How Ansible connects to a machine."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": address,
            "ansible_port": PORT,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": self.common_args(),
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=10m",
            "ansible_host_key_checking": True,
            "ansible_control_path_dir": str(self.control),
            "ansible_control_path": f"%(directory)s/{number}",
            "ansible_pipelining": True,
        }

    # What is there

    def is_complete(self, hosts: Mapping[str, str]) -> bool:
        """Whether the key is there and the known hosts are those, and nobody else can read them."""
        try:
            private = all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (self.folder, self.key))
            return private and not self.leftovers() and self.known_hosts.read_text() == self.lines(hosts)
        except OSError:
            return False

    def leftovers(self) -> list[Path]:
        """Drafts of a run that was killed."""
        return sorted(self.folder.glob(".*"))

    def clear(self) -> None:
        for path in self.leftovers():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder that only we can read, gone afterwards."""
        folder = draft(self.folder / name)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def has_key(self) -> bool:
        """Whether the key is there; its folder is, afterwards, and only for us."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)
        if self.key.exists():
            self.key.chmod(0o600)
            return True
        return False

    @staticmethod
    def lines(hosts: Mapping[str, str]) -> str:
        return "".join(f"{address} {key}\n" for address, key in hosts.items())

    def public_key(self) -> str:
        """The line for authorized_keys. It is derived, because the file beside the private key may be gone."""
        return run("Reading the cluster's key", "ssh-keygen", "-y", "-f", str(self.key)).stdout.strip()

    # Connections

    def answers(self, address: str, timeout: float = 1) -> bool:
        """Whether an SSH server says its name."""
        try:
            with socket.create_connection((address, PORT), timeout=timeout) as connection:
                connection.settimeout(timeout)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def ask(self, address: str, command: str, timeout: float) -> tuple[str, str]:
        """What a command on a machine says, and what was said against it; over a connection of its own."""
        try:
            answer = attempt(
                f"Asking the machine at {address}",
                "ssh",
                *shlex.split(self.common_args()),
                *("-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", f"ConnectTimeout={max(int(timeout), 1)}"),
                *("-i", str(self.key), "-p", str(PORT), f"{USER}@{address}", command),
                timeout=timeout,
            )
        except PodmanError as error:
            return "", str(error)
        return answer.stdout.strip(), answer.stderr.strip()

    def hang_up(self, number: int | None = None) -> None:
        """End master connections, to one machine or to all: to a machine that was off, an old one only hangs."""
        for path in sorted(self.control.glob("*" if number is None else str(number))):
            attempt("Ending a connection", "ssh", "-F", "/dev/null", "-S", str(path), "-O", "exit", "-", timeout=10)
            path.unlink(missing_ok=True)
        # Where a run was cut off, one may have lost its socket.
        deadline = time.monotonic() + 5
        while (left := self.masters(number)) and time.monotonic() < deadline:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
            time.sleep(0.05)

    def masters(self, number: int | None = None) -> list[int]:
        """Master connections by the title that ssh gives their processes."""
        socket_path = re.escape(f"{self.control}/") + ("[^ ]+" if number is None else str(number))
        title = re.compile(f"ssh: {socket_path} \\[mux\\]".encode())
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if title.match(path.read_bytes()):
                    found.append(int(path.parent.name))
        return found

    def remove(self) -> None:
        """Take away keys, known hosts and connections; folders above only where nobody else has anything in them."""
        self.hang_up()
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.control, CONTROL, self.folder.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()
