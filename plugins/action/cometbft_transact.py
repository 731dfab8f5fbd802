# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._transact import Sender
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._live_task import LiveTask


class ActionModule(LiveTask):
    """Send many transactions, and see them in blocks."""

    label = "transact"
    spec = {
        "job": {"type": "dict", "required": True},
        "first": {"type": "int", "default": 1},
        "count": {"type": "int", "required": True},
        "wait_sleep": {"type": "float", "default": 0.5},
    }

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        sender = Sender(api, args["network"], self.tell, args["wait_sleep"])
        try:
            if self._task.check_mode:
                sender.foresee(args["job"])
            else:
                numbers = range(args["first"], args["first"] + args["count"])
                result.update(sender.send(args["job"], numbers, args["wait_timeout"]))
        finally:
            result["changed"] = sender.changed
