# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._watch import Watcher
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._live_task import LiveTask
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._screen import Screen, terminal

display = Display()

# Ansible loads action plugins before it forks its workers, which have no terminal any more.
TERMINAL = terminal()
#: Seconds without a terminal, where nobody could end it.
BOUND = 60.0


class ActionModule(LiveTask):
    """Show the status of a network again and again."""

    BYPASS_HOST_LOOP = True
    label = "status"
    spec = {"wait_timeout": {"type": "float", "default": 0}, "wait_sleep": {"type": "float", "default": 1}}

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        timeout, sleep, playbook = args["wait_timeout"], args["wait_sleep"], os.getppid()

        def pause(passes: Callable[[float], object] = time.sleep) -> bool:
            """A check run looks once, and a playbook that was killed is not outlived."""
            return not self._task.check_mode and passes(sleep) is not False and os.getppid() == playbook

        if TERMINAL is None or self._task.check_mode:
            watcher = Watcher(api, args["network"], self._print, only_news=True)
            result["network"] = watcher.watch(timeout or BOUND, pause)
        else:
            with Screen(TERMINAL, self._draw) as screen:
                watcher = Watcher(api, args["network"], screen.draw, only_news=False)
                result["network"] = watcher.watch(timeout, lambda: pause(screen.wait))
        result["looks"] = watcher.looks

    @staticmethod
    def _draw(text: str) -> None:
        display.display(text, screen_only=True, newline=False)

    @staticmethod
    def _print(text: str) -> None:
        display.display(f"{text}\n")
