# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _minikube_drivers
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._plan import (
    Situation,
    decide,
    read_contexts,
    read_record,
)


class ActionModule(ActionBase):
    """Choose the cluster of this run."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                "provider": {"type": "str", "choices": ["auto", "existing", "kubeadm", "minikube"], "default": "auto"},
                "cluster": {"type": "str", "required": True},
                "home": {"type": "path", "required": True},
                "kubeconfig": {"type": "path", "required": True},
                "context": {"type": "str", "default": ""},
                "machines": {"type": "list", "elements": "str", "default": []},
                "required": {"type": "bool", "default": True},
            },
        )[1]

        cluster_dir = Path(args["home"]) / "clusters" / args["cluster"]
        try:
            plan = decide(
                Situation(
                    provider=args["provider"],
                    cluster=args["cluster"],
                    cluster_dir=str(cluster_dir),
                    kubeconfig=args["kubeconfig"],
                    context=args["context"],
                    machines=tuple(args["machines"]),
                    record=read_record(cluster_dir),
                    contexts=read_contexts(Path(args["kubeconfig"])),
                    system=platform.system(),
                    root=os.geteuid() == 0,
                    minikube=shutil.which("minikube") is not None,
                    driver=_minikube_drivers.at_hand,
                    required=args["required"],
                )
            )
        except MintnetError as exc:
            return {**result, "failed": True, "changed": False, "msg": str(exc), **exc.result}
        return {**result, "changed": False, "ansible_facts": {"mintnet_plan": dataclasses.asdict(plan)}}
