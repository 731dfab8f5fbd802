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
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roll import PEERS, REVISION
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roller import Roller
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line

display = Display()


class ActionModule(ActionBase):
    """Replace nodes from the controller, because only here lines can be told while it lasts."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                **_cluster.ARGUMENT_SPEC,
                "network": {"type": "str", "required": True},
                "cause": {"type": "str", "choices": [REVISION, PEERS], "default": REVISION},
                "min_available": {"type": "int", "required": True},
                "changing": {"type": "list", "elements": "str", "default": []},
                "rows": {"type": "dict"},
                "wait_timeout": {"type": "float", "default": 300},
                "wait_sleep": {"type": "float", "default": 0.4},
            },
        )[1]
        result.update(changed=False, replaced=[])
        roller = None
        try:
            api = Api(_cluster.connect(args["kubeconfig"], args["context"]))
            roller = Roller(
                api, args["network"], args["cause"], args["min_available"], self._tell, sleep=args["wait_sleep"]
            )
            if self._task.check_mode:
                found = roller.look(args["changing"], args["rows"])
                result.update(order=found.order, halting=found.halting, faults=found.faults, changed=bool(found.order))
            else:
                result["network"] = roller.roll(args["wait_timeout"])
        except MintnetError as error:
            result.update(failed=True, msg=str(error), **error.result)
        if roller:
            result["replaced"] = roller.replaced
            result["changed"] = result["changed"] or roller.changed
        return result

    @staticmethod
    def _tell(text: str) -> None:
        display.display(line("roll", text))
