# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a network again and again, and shows its status."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._live import explain, observe
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import Observed
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line
from ansible_collections.mintnet.kubernetes.plugins.module_utils._table import table


class Watcher:
    """``show`` gets the text of each look, with ``only_news`` only where there is something new to see."""

    def __init__(self, api: Api, network: str, show: Callable[[str], None], *, only_news: bool) -> None:
        self.api = api
        self.network = network
        self.show = show
        self.only_news = only_news
        self.looks = 0
        self._seen: Observed | None = None
        self._report: Json = {}
        self._news: object = None

    def watch(self, timeout: float, wait: Callable[[], bool]) -> Json:
        """Until ``wait``, which passes the time between two looks, says no, or the time is over (0: never)."""
        began = time.monotonic()
        while True:
            self.look()
            if (timeout and time.monotonic() - began >= timeout) or not wait():
                return self._report

    def look(self) -> None:
        try:
            # While all is well only what moves is looked at: whatever else changes shows in a node before long.
            now = observe(self.api, self.network, self._seen if self._report.get("healthy") else None)
            found = self._report = explain(self.api, now)
        except ClusterError as error:
            # What is there at the first look is there to stay, and one that is only away comes back.
            if not (error.passing and self._seen):
                raise
            self._tell(line("verdict", f"unknown\n{error}"), str(error))
            return
        self._seen = now
        self._tell(table(found), (found["height"], found["reasons"], found["notes"]))

    def _tell(self, text: str, news: object) -> None:
        self.looks += 1
        if not self.only_news or news != self._news:
            self.show(text)
        self._news = news
