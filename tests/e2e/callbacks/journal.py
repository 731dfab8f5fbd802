# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes to the file $JOURNAL, line by line, what a run begins, what it changes, and why it fails."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: journal
type: aggregate
short_description: Tells tests what a run begins and what it changes
description:
  - Appends a line of JSON to the file that the environment variable JOURNAL names, for each task and each change.
"""

# The fields of a result that list what was done, or would be.
LISTS = ("built", "downloaded", "pushed", "did", "created", "updated", "removed", "imported", "replaced", "recorded")


# What a failed result says of the cause and of the way on. Nothing else of it is written.
CAUSES = ("msg", "why", "log", "next", "hint")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "journal"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        role = task._role.get_name().rsplit(".", 1)[-1] if task._role else ""
        self._write(task=task.get_name(), action=task.resolved_action or task.action, role=role)

    def v2_runner_on_ok(self, result: Any) -> None:
        found = result.result
        if found.get("changed") and "results" not in found:
            self._write_change(result, self._names(result.task.action, found))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        found = result.result
        if found.get("changed"):
            self._write_change(result, [str(found.get("_ansible_item_label", ""))])

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            found = {name: result.result[name] for name in CAUSES if name in result.result}
            self._write(failed=result.task.get_name(), result=found)

    def _write_change(self, result: Any, what: list[str]) -> None:
        task = result.task
        role = task._role.get_name().rsplit(".", 1)[-1] if task._role else ""
        self._write(changed=task.name, action=task.resolved_action or task.action, role=role, what=what)

    @staticmethod
    def _names(action: str, found: Any) -> list[str]:
        # What a check run would create or replace has a name of its own where the names are those of keys or nodes.
        would = {"created": found.get("would_create"), "replaced": found.get("order")}
        lists = {**found, **{field: names for field, names in would.items() if names}}
        names = [f"{field} {name}" for field in LISTS if isinstance(lists.get(field), list) for name in lists[field]]
        if action.endswith("podman_machines") and isinstance(found["diff"]["before"], dict):
            before, after = found["diff"]["before"], found["diff"]["after"]
            names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return sorted(names)

    @staticmethod
    def _write(**entry: object) -> None:
        with open(os.environ["JOURNAL"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps({"at": time.time(), **entry}) + "\n")
