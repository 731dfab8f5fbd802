# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._recover import Recovery, needed
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._live_task import LiveTask


class ActionModule(LiveTask):
    label = "recover"
    spec = {"node": {"type": "str", "required": True}}

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        recovery = Recovery(api, args["network"], args["node"], self.tell, sleep=args["wait_sleep"])
        network = recovery.look()
        lost = needed(network, args["node"])
        result.update(lost=lost, changed=lost)
        if self._task.check_mode:
            return
        if lost:
            result["network"] = recovery.recover(args["wait_timeout"])
        else:
            result["changed"] = recovery.close(network)
