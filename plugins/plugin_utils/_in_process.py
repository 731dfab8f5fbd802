# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module's work in Ansible's own process.

These modules work on the controller whatever the host. Shipping each of them to an interpreter that then imports the
Kubernetes client anew takes several times as long as the work itself.
"""

from __future__ import annotations

import contextlib
import json
import sys
from types import ModuleType
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._redact import Redactor

# Ansible loads action plugins before it forks: imported here, every later task has it already. That it is missing is
# said in words where a cluster is reached.
with contextlib.suppress(ImportError):
    import kubernetes.client  # pylint: disable=unused-import
    import kubernetes.config  # noqa: F401  # pylint: disable=unused-import


def plain(args: dict[str, Any]) -> dict[str, Any]:
    """As a module gets them: Ansible's own strings, which know where they came from, are refused by libraries."""
    found: dict[str, Any] = json.loads(json.dumps(args))
    return found


class InProcess(ActionBase):
    """``module`` has the arguments' ``SPEC`` and ``run(params, check_mode)``, which its own main() uses as well."""

    TRANSFERS_FILES = False

    module: ModuleType
    #: With this option given the work is on the host, and the module goes there, unless that would change nothing.
    on_host_with: str | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        on_host = self.on_host_with and self._task.args.get(self.on_host_with) is not None
        if on_host and self._is_elsewhere(task_vars or {}):
            return {**result, **self._execute_module(task_vars=task_vars)}
        args = self.arguments(task_vars or {})
        try:
            result.update(self.work(plain(args)))
        except MintnetError as error:
            result.update(error.result, failed=True, changed=False, msg=str(error))
        except OSError as error:
            doing = f"running {self.module.__name__.rsplit('.', 1)[-1]}"
            result.update(failed=True, changed=False, msg=str(system_error(doing, error)))
        except Exception as error:
            secrets = self.secrets(args)
            if not secrets:
                raise
            # A library may quote what it could not take; Ansible would print that, with the traceback.
            result.update(failed=True, changed=False, msg=secrets.text(f"{type(error).__name__}: {error}"))
        return result

    def _is_elsewhere(self, task_vars: dict[str, Any]) -> bool:
        """Whether a module would be on another host, as another user, by another Python or in another environment."""
        return bool(
            self._connection.transport != "local"
            or self._connection.become
            or self._templar.template(task_vars.get("ansible_python_interpreter", sys.executable)) != sys.executable
            or any(self._task.environment or [])
        )

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        """A plugin may pass on what only Ansible's process can do, such as printing."""
        found: dict[str, Any] = self.module.run(args, self._task.check_mode)
        return found

    def secrets(self, args: dict[str, Any]) -> Redactor | None:
        """What hides the arguments that are secrets, if there are any."""
        redactor = None
        for name, spec in self.module.SPEC["argument_spec"].items():
            if spec.get("no_log") and args.get(name):
                redactor = redactor or Redactor()
                redactor.learn(str(args[name]).encode())
        return redactor

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The task's own; a plugin may add what only Ansible's process knows."""
        args: dict[str, Any] = self.validate_argument_spec(**self.module.SPEC)[1]
        return args
