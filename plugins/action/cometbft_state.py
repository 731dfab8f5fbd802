# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._stop import (
    STATE_STARTED,
    STATE_STOPPED,
    Switch,
    plan_start,
    plan_stop,
)
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._live_task import LiveTask


class ActionModule(LiveTask):
    label = "pods"
    spec = {
        "state": {"type": "str", "choices": [STATE_STARTED, STATE_STOPPED], "required": True},
        "node": {"type": "str", "default": ""},
        "may_halt": {"type": "bool", "default": False},
    }

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        switch = Switch(api, args["network"], self.tell, sleep=args["wait_sleep"])
        stops = args["state"] == STATE_STOPPED
        found = (plan_stop if stops else plan_start)(switch.look(), args["node"])
        result.update(nodes=found.nodes, power=found.power, halts=found.halts, changed=bool(found.nodes))
        before, after = (STATE_STARTED, STATE_STOPPED) if stops else (STATE_STOPPED, STATE_STARTED)
        result["diff"] = {"before": dict.fromkeys(found.nodes, before), "after": dict.fromkeys(found.nodes, after)}
        if self._task.check_mode:
            return
        try:
            if stops:
                result["network"] = switch.stop(args["node"], args["wait_timeout"], may_halt=args["may_halt"])
            else:
                result["network"] = switch.start(args["node"], args["wait_timeout"])
        finally:
            result["changed"] = switch.changed
