# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules are run as Ansible runs them: arguments in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call main() with these arguments; its result, or that of its failure with ``failed``."""
    # Tests of plugins make this process a controller, where a module's warnings would go to the screen.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)

    def call(main: Callable[[], None], arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        internal = {"_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args({**arguments, **internal}), pytest.raises(SystemExit) as stop:
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        result.pop("invocation", None)  # the arguments once more, with some versions of ansible-core
        assert bool(stop.value.code) == bool(result.get("failed"))
        return result

    return call
