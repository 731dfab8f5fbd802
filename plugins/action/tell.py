# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _story

display = Display()


class ActionModule(ActionBase):
    """Tell the user one line of the story, at once."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                "label": {"type": "str"},
                "text": {"type": "str"},
                "raw": {"type": "str"},
                "last": {"type": "bool", "default": False},
            },
            required_together=[("label", "text")],
            mutually_exclusive=[("text", "raw")],
            required_one_of=[("text", "raw")],
        )[1]

        told = args["raw"] if args["raw"] is not None else _story.line(args["label"], args["text"])
        if args["last"] and _story.keeps_last:
            result["story_last"] = told
        else:
            display.display(told)
        result["changed"] = False
        return result
