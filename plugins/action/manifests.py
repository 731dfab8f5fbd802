# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.modules import manifests
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import InProcess
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._vault import RunVault


class ActionModule(InProcess):
    module = manifests

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        return manifests.run(args, self._task.check_mode, RunVault(self._loader))
