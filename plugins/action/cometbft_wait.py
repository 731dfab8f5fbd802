# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import Waiter

display = Display()


class ActionModule(ActionBase):
    """Wait for a network on the controller, because only here lines can be told while it lasts."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                **_cluster.ARGUMENT_SPEC,
                "network": {"type": "str", "required": True},
                "validators": {"type": "list", "elements": "str", "default": []},
                "wait_timeout": {"type": "float", "default": 300},
                "wait_sleep": {"type": "float", "default": 0.4},
            },
        )[1]
        result["changed"] = False
        waiter = None
        try:
            api = Api(_cluster.connect(args["kubeconfig"], args["context"]))
            waiter = Waiter(api, args["network"], self._tell)
            if self._task.check_mode:
                result["network"] = waiter.foresee(args["validators"])
            else:
                result["network"] = waiter.wait(args["wait_timeout"], args["wait_sleep"])
        except MintnetError as error:
            result.update(failed=True, msg=str(error), **error.result)
        if waiter:
            result.update(changed=waiter.changed, recorded=waiter.recorded)
        return result

    @staticmethod
    def _tell(text: str) -> None:
        display.display(line("pods", text))
