# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.action.machine_info import ActionModule

Act = t.Callable[..., dict[str, t.Any]]


def test_the_controller_notes_when_it_asked(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine says of its clock was read in between, however long the way took."""

    def answer(_self: ActionModule, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        time.sleep(0.01)
        return {"clock": time.time(), "changed": False}

    monkeypatch.setattr(ActionModule, "_execute_module", answer)
    before = time.time()
    result = act("machine_info", {})
    began, ended = result["asked"]
    assert before <= began < result["clock"] <= ended <= time.time()


def test_a_failure_stays_what_it_is(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = {"failed": True, "msg": "The module interpreter '/usr/bin/python3' was not found.", "rc": 127}
    monkeypatch.setattr(ActionModule, "_execute_module", lambda _self, task_vars: failure)
    result = act("machine_info", {})
    assert {name: result[name] for name in failure} == failure
