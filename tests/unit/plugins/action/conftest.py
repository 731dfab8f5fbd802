# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

Act = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def act() -> Act:
    """Runs an action plugin of the collection as a task does, in this process."""

    def run(name: str, args: dict[str, t.Any], variables: dict[str, t.Any] | None = None, check: bool = False) -> t.Any:
        module = importlib.import_module(f"ansible_collections.mintnet.kubernetes.plugins.action.{name}")
        task, loader = Task(), DataLoader()
        task.action, task.args, task.check_mode = f"mintnet.kubernetes.{name}", args, check
        plugin = module.ActionModule(
            task=task,
            connection=connection_loader.get("ansible.builtin.local", PlayContext()),
            play_context=PlayContext(),
            loader=loader,
            templar=Templar(loader=loader, variables=variables or {}),
            shared_loader_obj=None,
        )
        return plugin.run(task_vars=variables or {})

    return run
