# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line
from ansible_collections.mintnet.kubernetes.plugins.modules import minikube_profile
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import InProcess

display = Display()


class ActionModule(InProcess):
    module = minikube_profile

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        return minikube_profile.run(
            args, self._task.check_mode, lambda text: display.display(line("minikube", text)) if text else None
        )
