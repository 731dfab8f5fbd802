# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook, once for each line of its input, each time in a process of its own.

These are forked when Ansible's imports are done, which take longer than most plays. What Ansible reads with them, its
settings, is this process's own. A line is JSON: argv, cwd, env, and stdout and stderr as files; the answer is the code.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
import typing as t

from ansible.cli import playbook

# What most plays import later on, where it is installed.
for name in ("kubernetes.client", "kubernetes.dynamic"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)


def serve(run: dict[str, t.Any]) -> int:
    os.chdir(run["cwd"])
    os.environ.clear()
    os.environ.update(run["env"])
    opened = os.open(os.devnull, os.O_RDONLY)
    os.dup2(opened, 0)
    for number, path in ((1, run["stdout"]), (2, run["stderr"])):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
    sys.argv = ["ansible-playbook", *run["argv"]]
    try:
        playbook.main()
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = serve(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            # What is to be done at an exit is this process's own to do.
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
