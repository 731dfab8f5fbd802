# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on a network that take a while and tell how far they are: only the controller's own process can print."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster
from ansible_collections.mintnet.kubernetes.plugins.module_utils._api import Api
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import plain

display = Display()


class LiveTask(ActionBase):
    """``label`` is the story's word for the step, ``spec`` what it takes besides the cluster, network and times."""

    TRANSFERS_FILES = False
    _requires_connection = False

    label: str
    spec: dict[str, Any] = {}

    def work(self, api: Api, args: dict[str, Any], result: dict[str, Any]) -> None:
        """Does it and adds to the result, which is kept where a MintnetError ends it."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = plain(
            self.validate_argument_spec(
                argument_spec={
                    **_cluster.ARGUMENT_SPEC,
                    "network": {"type": "str", "required": True},
                    "wait_timeout": {"type": "float", "default": 300},
                    "wait_sleep": {"type": "float", "default": 0.4},
                    **self.spec,
                }
            )[1]
        )
        result["changed"] = False
        try:
            self.work(Api(_cluster.connect(args["kubeconfig"], args["context"])), args, result)
        except MintnetError as error:
            result.update(failed=True, msg=str(error), **error.result)
        return result

    def tell(self, text: str) -> None:
        display.display(line(self.label, text))
