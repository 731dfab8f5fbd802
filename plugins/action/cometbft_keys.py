# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _key_sources
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.modules import cometbft_keys
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import InProcess
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._vault import RunVault


class ActionModule(InProcess):
    module = cometbft_keys
    on_host_with = "directory"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        asked = self._task.args
        try:
            self._task.args = self._with_texts(asked)
            return super().run(tmp, task_vars)
        except FaultsError as error:
            return {**error.result, "failed": True, "changed": False, "msg": str(error)}
        finally:
            # What the files hold goes no further: callbacks are shown the task's arguments.
            self._task.args = asked

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        return cometbft_keys.run(args, self._task.check_mode, RunVault(self._loader))

    def _with_texts(self, args: dict[str, Any]) -> dict[str, Any]:
        """The arguments with what the files of the controller hold instead of their paths."""
        sources = args.get("sources")
        if not isinstance(sources, list):
            return args
        faults: list[str] = []
        texts = [self._source(source, faults) if isinstance(source, dict) else source for source in sources]
        if faults:
            raise FaultsError("reading the keys that are brought", faults)
        return {**args, "sources": texts}

    def _source(self, source: dict[str, Any], faults: list[str]) -> dict[str, Any]:
        read = dict(source)
        for option in _key_sources.OPTIONS.values():
            path = source.get(f"{option}_file")
            # Both a path and a text are a fault that the arguments' check names.
            if path is None or source.get(option) is not None:
                continue
            try:
                read[option] = self._loader.get_text_file_contents(self._find_needle("files", path))
            except AnsibleError as error:
                faults.append(f"{option}_file of {source.get('node')}: {error}")
            del read[f"{option}_file"]
        return read
