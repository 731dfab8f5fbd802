# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
#: Seconds between two looks at whether it should go on.
LOOK = 0.2


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
    """Show each line as it comes, until the program ends, its time is over, or the playbook was killed."""
    deadline, playbook = time.monotonic() + (timeout or math.inf), os.getppid()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
        preexec_fn=dies_with(os.getpid()),
    )
    lines, complaints, over = 0, "", False
    try:
        for error, row in rows(process):
            if row is None:
                over = time.monotonic() > deadline or os.getppid() != playbook
                if over:
                    break
            elif error:
                complaints += f" {row}"
            else:
                lines += 1
                show(row)
        else:
            process.wait()
    finally:
        end(process)
    if process.returncode and not over:
        cause = " ".join(complaints.split()) or f"it ended with {process.returncode}"
        raise MintnetError(f"running {shlex.join(command)}: {cause}", rc=process.returncode)
    return {"lines": lines, "timed_out": over}


def rows(process: subprocess.Popen[bytes]) -> Iterator[tuple[bool, str | None]]:
    """Lines of both outputs, with whether they are complaints, and None again and again between them.

    Nothing here is a thread: the kernel may give a thread the signals by which Ansible ends us, and then they are lost.
    """
    complaints = process.stderr.fileno() if process.stderr else -1
    rest: dict[int, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _events in selector.select(LOOK):
                part = os.read(key.fd, 65536)
                *whole, last = (rest.pop(key.fd, b"") + part).split(b"\n")
                if part:
                    rest[key.fd] = last
                else:
                    selector.unregister(key.fileobj)
                    whole += [last] if last else []
                for row in whole:
                    yield key.fd == complaints, row.decode(errors="replace")
            yield False, None


def end(process: subprocess.Popen[bytes]) -> None:
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
