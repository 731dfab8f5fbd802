# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets Python believe that it runs on a Mac, and fails what a Mac does not have.

Every Python of a run imports this at its start, the modules' own too. PATH consists of the stand-ins; what is run by a
path of its own must be one of them, or Python, or the shell.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import PurePath

MACHINE = os.environ["MAC_MACHINE"]
COMMANDS = os.environ["PATH"].split(os.pathsep)
LINUX = ("/proc", "/sys", "/run", "/etc/os-release", "/usr/lib/os-release")
OPENS = ("open", "os.listdir", "os.scandir", "os.chdir")
RUNS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system")
# The last one is how Python finds the C library here.
ALWAYS = ("/bin/sh", "sh", sys.executable, os.path.realpath(sys.executable), "/sbin/ldconfig")

platform.system = lambda: "Darwin"
platform.machine = lambda: MACHINE


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in OPENS and isinstance(arguments[0], (str, bytes)):
        path = os.fsdecode(arguments[0])
        if any(path == one or path.startswith(f"{one}/") for one in LINUX):
            raise RuntimeError(f"a Mac has no {path}")
    if event in RUNS and isinstance(arguments[0], (str, bytes)):
        command = os.fsdecode(arguments[0])
        if command in ALWAYS or str(PurePath(command).parent) in COMMANDS:
            return
        if "/" not in command and any(os.access(f"{folder}/{command}", os.X_OK) for folder in COMMANDS):
            return
        raise RuntimeError(f"a Mac may not have {command}")


sys.addaudithook(watch)
