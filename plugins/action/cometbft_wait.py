# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._wait import Waiter
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._live_task import LiveTask


class ActionModule(LiveTask):
    label = "pods"
    spec = {"validators": {"type": "list", "elements": "str", "default": []}}

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        waiter = Waiter(api, args["network"], self.tell)
        try:
            if self._task.check_mode:
                result["network"] = waiter.foresee(args["validators"])
            else:
                result["network"] = waiter.wait(args["wait_timeout"], args["wait_sleep"])
        finally:
            result.update(changed=waiter.changed, recorded=waiter.recorded)
