# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line

display = Display()

#: Seconds that kubectl gets to end by itself.
GRACE = 3.0


class ActionModule(ActionBase):
    """Run kubectl where its lines can be shown while it runs."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                **_cluster.ARGUMENT_SPEC,
                "args": {"type": "list", "elements": "str", "required": True},
                "kubectl": {"type": "str", "default": "kubectl"},
                "timeout": {"type": "float", "default": 0},
                "ready": {"type": "str"},
                "ready_label": {"type": "str", "default": "kubectl"},
                "ready_text": {"type": "str", "default": "works"},
            },
        )[1]
        result["changed"] = False
        try:
            command = [find(args["kubectl"]), *access(args), *args["args"]]
            if self._task.check_mode:
                display.display(line("kubectl", f"would run: {shlex.join(command)}"))
                return result
            return {**result, **self._stream(command, args)}
        except MintnetError as error:
            return {**result, "failed": True, "msg": str(error), **error.result}

    @staticmethod
    def _stream(command: list[str], args: dict[str, Any]) -> dict[str, Any]:
        ready = re.compile(args["ready"]) if args["ready"] else None

        def show(row: str) -> None:
            nonlocal ready
            if args["ready"] is None:
                display.display(row)
            elif ready and ready.search(row):
                ready = None  # it may say so for each address it listens on
                display.display(line(args["ready_label"], args["ready_text"]))
            else:
                display.v(row)

        return stream(command, args["timeout"], show)


def find(name: str) -> str:
    """Where the program is; a login that is older than our kubectl may not have its folder in PATH."""
    places = [os.environ.get("PATH", os.defpath), str(Path("~/.local/bin").expanduser()), "/usr/local/bin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if not found:
        raise MintnetError(
            f"running kubectl: {name} is not found on the controller",
            hint="install it, or name it; a cluster that create has made brings one",
        )
    return found


def access(args: dict[str, Any]) -> list[str]:
    if not args["context"]:
        raise MintnetError("running kubectl: no context is named; name one with the option context")
    return [*(["--kubeconfig", args["kubeconfig"]] if args["kubeconfig"] else []), "--context", args["context"]]


def stream(command: list[str], timeout: float, show: Callable[[str], None]) -> dict[str, Any]:
    """Show each line as it comes, until the program ends or its time is over."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        process_group=0,
        preexec_fn=dies_with(os.getpid()),
    )
    if process.stdout is None or process.stderr is None:
        raise MintnetError("running kubectl: its output cannot be read")
    complaints: list[str] = []
    reader = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
    over = threading.Event()

    def expire() -> None:
        over.set()
        end(process)

    timer = threading.Timer(timeout, expire) if timeout else None
    lines = 0
    try:
        reader.start()
        if timer:
            timer.start()
        for row in process.stdout:
            lines += 1
            show(row.rstrip("\n"))
        code = process.wait()
    finally:
        if timer:
            timer.cancel()
        end(process)
    reader.join(GRACE)
    if code and not over.is_set():
        cause = " ".join("".join(complaints).split()) or f"it ended with {code}"
        raise MintnetError(f"running {shlex.join(command)}: {cause}", rc=code, lines=lines)
    return {"rc": code, "lines": lines, "timed_out": over.is_set()}


def end(process: subprocess.Popen[str]) -> None:
    """The program and what it started, politely first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def dies_with(parent: int) -> Callable[[], None] | None:
    """On Linux the kernel ends the program when we end, even if we are killed. Elsewhere only an orderly end does."""
    if sys.platform != "linux":
        return None
    death_signal = 1  # PR_SET_PDEATHSIG
    prctl = ctypes.CDLL(None).prctl

    def before() -> None:
        prctl(death_signal, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before that
            os._exit(1)

    return before
