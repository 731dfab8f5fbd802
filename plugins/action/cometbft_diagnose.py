# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.mintnet.kubernetes.plugins.action.validate import COLLECTION
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _validate
from ansible_collections.mintnet.kubernetes.plugins.module_utils._redact import HIDDEN
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_diagnose
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import InProcess

#: Of a host's other variables only the names are told: nobody can know which of them are secrets.
OF_HOSTS = (
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_connection",
    "ansible_become",
    "ansible_become_method",
)


class ActionModule(InProcess):
    """Only here are the variables and the inventory known."""

    module = cometbft_diagnose

    def arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        args = super().arguments(task_vars)
        known = _validate.read_known(COLLECTION / "roles")
        own = {
            "variables": self._values(task_vars, sorted(known.options.keys() & task_vars.keys()), known),
            "inventory": self._inventory(task_vars, known),
        }
        # Times and what else YAML has and JSON has not are text.
        documents = json.loads(json.dumps({**own, **args["documents"]}, default=str))
        return {**args, "documents": documents}

    def _values(self, variables: Mapping[str, Any], names: Iterable[str], known: _validate.Known) -> dict[str, Any]:
        templar = self._templar.copy_with_new_env(available_variables=variables)
        values: dict[str, Any] = {}
        for name in names:
            if known.options.get(name, {}).get("no_log"):
                values[name] = HIDDEN
                continue
            try:
                values[name] = templar.template(variables[name])
            except AnsibleError as error:
                values[name] = f"(cannot be told: {error})"
        return values

    def _inventory(self, task_vars: Mapping[str, Any], known: _validate.Known) -> dict[str, Any]:
        hosts = {}
        for host in sorted({host for members in task_vars.get("groups", {}).values() for host in members}):
            variables = task_vars["hostvars"].raw_get(host)
            told = [name for name in sorted(variables) if name in known.options or name in OF_HOSTS]
            # Our own facts and Ansible's would fill pages.
            others = [name for name in sorted(variables) if name not in told and not name.startswith("ansible_")]
            hosts[host] = {"variables": self._values(variables, told, known), "names_of_others": others}
        return {"groups": dict(task_vars.get("groups", {})), "hosts": hosts}
