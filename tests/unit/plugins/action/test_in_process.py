# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run in Ansible's own process get what they would get as programs."""

from __future__ import annotations

import sys
import types
import typing as t
from pathlib import Path

import pytest
from ansible.template import trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import InProcess, plain

SECRET = "a-key-that-nobody-should-see"


def test_strings_are_plain() -> None:
    text = trust_as_template("text")
    assert text.__class__ is not str
    args = plain({"one": text, "many": [{"deep": text}], "number": 4, "none": None, "yes": True})
    assert args == {"one": "text", "many": [{"deep": "text"}], "number": 4, "none": None, "yes": True}
    assert args["one"].__class__ is str
    assert args["many"][0]["deep"].__class__ is str


def plugin(spec: dict[str, t.Any], error: Exception, args: dict[str, t.Any]) -> InProcess:
    """One whose module fails in a way that nobody foresaw."""

    def run(_params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
        raise error

    module = types.ModuleType("module")
    module.SPEC, module.run = {"argument_spec": spec}, run  # type: ignore[attr-defined]
    task = types.SimpleNamespace(args=args, check_mode=False, async_val=0, diff=False, _role=None, action="module")
    connection = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None))
    made = InProcess(task, connection, None, None, None, None)
    made.module = module
    return made


def test_secret_that_an_unforeseen_error_quotes_is_hidden() -> None:
    spec = {"key": {"type": "str", "no_log": True}, "name": {"type": "str"}}
    failing = plugin(spec, ValueError("cannot represent", SECRET, "of tm-0"), {"key": SECRET, "name": "tm-0"})
    result = failing.run(None, {})
    assert result["failed"] is True
    assert result["msg"] == "ValueError: ('cannot represent', '(hidden)', 'of tm-0')"
    assert SECRET not in str(result)


def test_unforeseen_error_without_secrets_is_told_in_full() -> None:
    with pytest.raises(KeyError, match="x"):
        plugin({"name": {"type": "str"}}, KeyError("x"), {"name": "tm-0"}).run(None, {})


@pytest.mark.parametrize(
    ("changes", "elsewhere"),
    [
        ({}, False),
        ({"ansible_python_interpreter": sys.executable}, False),
        ({"ansible_python_interpreter": "/usr/bin/python9"}, True),
        ({"transport": "ssh"}, True),
        ({"become": object()}, True),
        ({"environment": [{"LANG": "C"}]}, True),
    ],
)
def test_work_on_a_host_is_done_here_where_that_is_the_same(
    act: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, t.Any], elsewhere: bool
) -> None:
    """The option that names a place on the host is what matters."""
    sent: list[str] = []
    begin = InProcess.__init__

    def send(_self: InProcess, task_vars: t.Any) -> dict[str, t.Any]:
        sent.append("it")
        return {}

    def changed(self: InProcess, *args: t.Any, **options: t.Any) -> None:
        begin(self, *args, **options)
        self._connection = types.SimpleNamespace(
            transport=changes.get("transport", "local"), become=changes.get("become"), _shell=self._connection._shell
        )
        self._task.environment = changes.get("environment")

    monkeypatch.setattr(InProcess, "__init__", changed)
    monkeypatch.setattr(InProcess, "_execute_module", send)
    variables = {name: value for name, value in changes.items() if name.startswith("ansible_")}
    act("cometbft_keys", {"directory": str(tmp_path / "keys"), "count": 1}, variables)
    assert sent == (["it"] if elsewhere else [])
    assert (tmp_path / "keys").exists() != elsewhere
    act("cometbft_keys", {"count": 1}, variables, check=True)
    assert sent == (["it"] if elsewhere else [])
