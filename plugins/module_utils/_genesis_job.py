# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A genesis that a chain's own commands make, in a Job that ends its log with it.

The Job's name says of what it is made. So the run of another, or one that was killed, is joined and not repeated.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import KINDS, Api, Json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster import ClusterError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._diagnosis import Around, pod_trouble
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._job import last_warning_of, pods_of
from ansible_collections.mintnet.kubernetes.plugins.module_utils._logs import telling

#: The line of the log after which the genesis comes.
MARK = "--- genesis ---"
POLL = 1.0
#: For a genesis of some megabytes.
LOG_TIMEOUT = (5.0, 60.0)


class Maker:
    def __init__(self, api: Api, job: Json) -> None:
        self._api = api
        self._job = job
        self._namespace: str = job["metadata"]["namespace"]
        self._name: str = job["metadata"]["name"]
        self.doing = f"making the genesis in {self}"

    def __str__(self) -> str:
        return f"the Job {self._name} of {self._namespace}"

    def make(self, timeout: float) -> str | None:
        """The genesis; None where the Job went meanwhile, because another run had what it made."""
        try:
            self._api.create(self.doing, self._job)
        except ClusterError as error:
            if error.reason != "AlreadyExists":
                raise
        deadline = time.monotonic() + timeout
        while True:
            job = self._api.get(self.doing, "Job", self._namespace, self._name)
            if job is None:
                return None
            conditions = (job.get("status") or {}).get("conditions") or []
            ended = {one["type"] for one in conditions if one["status"] == "True"}
            if "Complete" in ended:
                return self._printed()
            late = time.monotonic() > deadline
            if "Failed" in ended or late or self._stuck():
                failure = self._failure(f"it was not done within {timeout:.0f} s" if late else "it failed")
                self.remove()
                raise failure
            time.sleep(POLL)

    def remove(self) -> None:
        """The Job with its pods."""
        path = KINDS["Job"].path(self._namespace, self._name)
        try:
            self._api.request(self.doing, "DELETE", path, {"propagationPolicy": "Background"})
        except ClusterError as error:
            if error.status != 404:
                raise

    def _pods(self) -> list[Json]:
        return pods_of(self._api, self.doing, self._namespace, self._name)

    def _stuck(self) -> bool:
        """Whether waiting longer makes no sense."""
        return any(pod_trouble(pod, 1, Around()).lasting for pod in self._pods())

    def _printed(self) -> str:
        for pod in self._pods():
            log = self._api.log(self.doing, self._namespace, pod["metadata"]["name"], {}, timeout=LOG_TIMEOUT)
            _before, mark, text = log.rpartition(f"{MARK}\n")
            if mark and text.strip():
                return text.strip() + "\n"
        self.remove()
        raise MintnetError(f"{self.doing}: it printed none", hint="the script must print the genesis, and nothing else")

    def _failure(self, how: str) -> MintnetError:
        said: list[str] = []
        for pod in self._pods():
            name = pod["metadata"]["name"]
            try:
                said = telling(self._api.log(self.doing, self._namespace, name, {"tailLines": "100"}), 5)
            except ClusterError:  # its container has not begun
                said = []
            said = said or [pod_trouble(pod, 1, Around()).reason]
        if not said:
            # It has no pod: a quota, or the namespace's Pod Security, refuses it.
            said = [last_warning_of(self._api, self.doing, self._namespace, self._name)]
        causes = ": ".join([how, *([" | ".join(filter(None, said))] if any(said) else [])])
        return MintnetError(
            f"{self.doing}: {causes}", hint="mend the script or its image, try it with podman run, and run create again"
        )


def obtain(maker: Maker, timeout: float, stored: t.Callable[[], str | None]) -> str:
    """What is stored, or else what the Job makes."""
    while True:
        text = stored()
        if text is None:
            text = maker.make(timeout)
        if text is not None:
            return text
