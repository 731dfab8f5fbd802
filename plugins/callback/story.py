# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: story
type: stdout
short_description: A run as a short story instead of a scroll of task names
version_added: 1.0.0
description:
  - Prints what M(mintnet.kubernetes.tell) and the collection's live steps have to say,
    and nothing about tasks that went well.
  - A failure is told as what failed, where, why, the lines of logs that tell it, and what to do next.
  - The last line says how long the run took and how much it changed.
  - With C(-v) it prints what P(ansible.builtin.default#callback) prints, too.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""

import errno
import io
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.task import Task
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.fqcn import add_internal_fqcns
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _story

DEBUG = add_internal_fqcns(("debug",))
# As many lines of a command's output as help on a terminal; -v shows all.
OUTPUT_LINES = 20
FULL = os.strerror(errno.ENOSPC)


def tail(output: str) -> str:
    rows = output.strip().splitlines()
    left_off = len(rows) - OUTPUT_LINES
    return "\n".join([f"({left_off} lines before; -v shows them)", *rows[-OUTPUT_LINES:]] if left_off > 0 else rows)


def why(result: Mapping[str, Any], failed_items: Sequence[Mapping[str, Any]] = ()) -> str:
    """Everything that a failed result says about its cause."""
    if "censored" in result:
        return "hidden, because the task handles secrets"
    if failed_items:
        return "\n".join(f"{item_label(item)}: {why(item)}" for item in failed_items)
    fallback = "its condition for failure holds" if result.get("failed_when_result") else "no message"
    if isinstance(told := result.get("why"), list) and told:
        return "\n".join(map(str, told))
    causes = [str(result.get("msg") or result.get("reason") or fallback).removeprefix("Task failed: ")]
    if assertion := result.get("assertion"):
        causes.append(f"not true: {assertion}")
    if "attempts" in result:
        causes[0] += f" (after {result['attempts']} attempts)"
    outputs = ("module_stdout", "module_stderr", "stdout", "stderr")
    return "\n".join(causes + [tail(str(result[name])) for name in outputs if result.get(name)])


def item_label(item: Mapping[str, Any]) -> str:
    return str(item.get("_ansible_item_label", item.get(item.get("ansible_loop_var", "item"), "item")))


def advice(result: Mapping[str, Any], failed_items: Sequence[Mapping[str, Any]] = ()) -> str:
    """What the failed step, or its items, say about the way on."""
    said = [part.get("next") or part.get("hint") or "" for part in (result, *failed_items)]
    lines = [str(line) for part in said for line in ([part] if isinstance(part, str) else part)]
    if not any(lines) and FULL in why(result, failed_items):
        lines = ["free some disk space there, then run the same command again"]
    return "\n".join(dict.fromkeys(filter(None, lines)))


def telling_lines(result: Mapping[str, Any], failed_items: Sequence[Mapping[str, Any]] = ()) -> str:
    """The lines of logs that a failed step, or its items, found to be telling."""
    logs = [part["log"] for part in (result, *failed_items) if isinstance(part.get("log"), list)]
    return "\n".join(str(line) for log in logs for line in log)


def spoken_name(result: CallbackTaskResult) -> str:
    """The task's name without its role's."""
    role = result.task._role
    return str(result.task_name).removeprefix(f"{role.get_name()} : " if role else "")


def stands_in(task: Task, section: str) -> bool:
    """Whether the task is in that section (block, rescue) of a block that rescues failures."""
    inner, outer = task, task._parent
    while outer is not None:
        rescues = isinstance(outer, Block) and outer.rescue
        if rescues and any(part._uuid == inner._uuid for part in getattr(outer, section)):
            return True
        inner, outer = outer, outer._parent
    return False


def only_verbose(name: str) -> Callable[..., None]:
    loud = getattr(Default, name)

    def method(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        if self._display.verbosity:
            loud(self, *args, **kwargs)

    return method


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "mintnet.kubernetes.story"

    _print_task_banner = only_verbose("_print_task_banner")
    v2_playbook_on_include = only_verbose("v2_playbook_on_include")
    v2_playbook_on_no_hosts_matched = only_verbose("v2_playbook_on_no_hosts_matched")
    v2_playbook_on_no_hosts_remaining = only_verbose("v2_playbook_on_no_hosts_remaining")
    v2_runner_on_async_failed = only_verbose("v2_runner_on_async_failed")
    v2_runner_on_async_ok = only_verbose("v2_runner_on_async_ok")
    v2_runner_on_async_poll = only_verbose("v2_runner_on_async_poll")
    v2_runner_retry = only_verbose("v2_runner_retry")

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._last: list[str] = []
        self._told: tuple[str, str] | None = None
        self._rescued: dict[str, str] = {}
        self._failed_items: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        _story.keeps_last = True
        _story.columns = self._columns()

    # The run

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._started = time.monotonic()
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Into a pipe or a file, too, a line is there when it is told.
            sys.stdout.reconfigure(line_buffering=True)
        if self._display.verbosity:
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_play_start(play)
        self._play = play

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_stats(stats)
        failed = bool(stats.failures or stats.dark)
        changed = sum(stats.changed.values())
        text = f"{_story.clock(time.monotonic() - self._started)} · "
        if not stats.processed:
            text += "no host matched, nothing was done"
        elif context.CLIARGS.get("check"):
            text += f"would change {changed}"
        else:
            text += f"changed {changed}"
        self._tell("failed" if failed else "done", text, C.COLOR_ERROR if failed else C.COLOR_OK)
        if not failed:
            for told in self._last:
                self._display.display(told)
        self._last.clear()

    # What went well

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep_last(result)
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings(result.result)
        self._print_asked_for(result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep_last(result)
        if self._display.verbosity:
            super().v2_runner_item_on_ok(result)
            return
        self._handle_warnings(result.result)
        self._print_asked_for(result)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        if self._display.verbosity:
            super().v2_runner_on_skipped(result)
        else:
            self._handle_warnings(result.result)

    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        if self._display.verbosity:
            super().v2_runner_item_on_skipped(result)
        else:
            self._handle_warnings(result.result)

    # What failed

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        self._handle_warnings(result.result)
        items = self._failed_items.pop((result.host.get_name(), result.task._uuid), [])
        if ignore_errors:
            return
        if stands_in(result.task, "block"):
            self._rescued[result.host.get_name()] = f"{spoken_name(result)}: {why(result.result, items)}"
        else:
            self._tell_failure(result, items)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        if self._display.verbosity:
            super().v2_runner_item_on_failed(result)
            return
        self._handle_warnings(result.result)
        key = (result.host.get_name(), result.task._uuid)
        self._failed_items.setdefault(key, []).append(result.result)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
            return
        self._handle_warnings(result.result)
        if not result.task.ignore_unreachable:
            self._tell_failure(result, unreachable=True)

    def _tell_failure(
        self, result: CallbackTaskResult, items: Sequence[Mapping[str, Any]] = (), unreachable: bool = False
    ) -> None:
        task, host = result.task, self.host_label(result)
        cause = why(result.result, items)
        if self._told == (task._uuid, cause):
            self._tell("where", f"{host} · the same", C.COLOR_ERROR)
            return
        self._told = (task._uuid, cause)
        before = self._rescued.get(result.host.get_name(), "") if stands_in(task, "rescue") else ""
        parts = [
            ("before", before),
            ("failed", f"{spoken_name(result)}{': no connection' if unreachable else ''}"),
            ("where", f"{host} · role {task._role.get_name().rsplit('.', 1)[-1]}" if task._role else host),
            ("why", cause),
            ("log", telling_lines(result.result, items)),
            ("next", advice(result.result, items)),
        ]
        self._display.display(
            _story.story(parts, self._columns()), color=C.COLOR_ERROR, stderr=self.get_option("display_failed_stderr")
        )

    # Helpers

    def _columns(self) -> int:
        return int(self._display.columns) if sys.stdout.isatty() else _story.LOG_COLUMNS

    def _tell(self, label: str, text: str, color: str) -> None:
        self._display.display(_story.line(label, text), color=color)

    def _keep_last(self, result: CallbackTaskResult) -> None:
        if told := result.result.get("story_last"):
            self._last.append(told)

    def _print_asked_for(self, result: CallbackTaskResult) -> None:
        """What debug is there for."""
        if result.task.action in DEBUG and self._run_is_verbose(result) and not result.result.get("results"):
            self._clean_results(result.result, result.task.action)
            self._display.display(self._dump_results(result.result))
