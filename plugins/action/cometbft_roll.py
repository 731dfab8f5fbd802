# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roll import PEERS, REVISION
from ansible_collections.mintnet.kubernetes.plugins.module_utils._roller import Roller
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._live_task import LiveTask


class ActionModule(LiveTask):
    label = "roll"
    spec = {
        "cause": {"type": "str", "choices": [REVISION, PEERS], "default": REVISION},
        "min_available": {"type": "int", "required": True},
        "changing": {"type": "list", "elements": "str", "default": []},
        "rows": {"type": "dict"},
        "may_halt": {"type": "list", "elements": "str", "default": []},
    }

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        roller = Roller(api, args["network"], args["cause"], args["min_available"], self.tell, sleep=args["wait_sleep"])
        if self._task.check_mode:
            found = roller.look(args["changing"], args["rows"])
            result.update(order=found.order, halting=found.halting, faults=found.faults, changed=bool(found.order))
            return
        roller.may_halt = args["may_halt"]
        try:
            result["network"] = roller.roll(args["wait_timeout"])
        finally:
            result.update(changed=roller.changed, replaced=roller.replaced)
