# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line

display = Display()


class ActionModule(ActionBase):
    """Go on only when the user said yes: by a variable, or on the terminal."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                "question": {"type": "str", "required": True},
                "confirmed": {"type": "bool", "default": False},
                "hint": {"type": "str", "default": "-e mintnet_confirm=true"},
            },
        )[1]
        result.update(changed=False, asked=False)

        if args["confirmed"]:
            return result
        if self._task.check_mode:
            display.display(line("confirm", f"would ask: {args['question']}"))
            return result

        try:
            answer = display.prompt_until(line("confirm", f"{args['question']} (yes/no)"))
        except (AnsiblePromptNoninteractive, AnsiblePromptInterrupt) as exc:
            asked = isinstance(exc, AnsiblePromptInterrupt)
            cause = "the question was interrupted" if asked else "there is no terminal to ask on"
        else:
            asked = True
            cause = "the answer was not yes"
            if answer.decode(errors="replace").strip().lower() in ("yes", "y"):
                return {**result, "asked": True}
        return {
            **result,
            "asked": asked,
            "failed": True,
            "msg": f"Asked for confirmation ({args['question']}): {cause}; nothing was done.",
            "hint": f"to go on, say so beforehand: {args['hint']}",
        }
