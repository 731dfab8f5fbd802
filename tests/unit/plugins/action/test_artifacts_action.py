# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.action import artifacts
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Progress

Act = t.Callable[..., dict[str, t.Any]]

# Stands for Go: what it "builds" is a text.
GO = """#!/bin/sh
[ "$1" = env ] && { echo go1.26.1; exit; }
while [ "$1" != -o ]; do shift; done
echo "$GOOS-$GOARCH $3" > "$2"
"""


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, t.Any]:
    module = tmp_path / "files" / "go" / "tools"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module example.org/tools\n\ngo 1.26\n")
    go = tmp_path / "go"
    go.write_text(GO)
    go.chmod(0o755)
    packages = {"ctl": "example.org/ctl"}
    return {
        "table": {"ctl": {"kind": "binary", "version": "1", "source": {"build": "tools", "file": "ctl"}}},
        "builds": {"tools": {"version": "v1", "megabytes": 1, "go": {"module": "tools", "packages": packages}}},
        "files": str(tmp_path / "files"),
        "cache_dir": str(tmp_path / "cache"),
        "arch": "arm64",
        "go": [str(go)],
    }


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(artifacts.display, "display", lines.append)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return lines


def test_a_check_touches_nothing(act: Act, arguments: dict[str, t.Any], tmp_path: Path, told: list[str]) -> None:
    result = act("artifacts", arguments, check=True)
    assert (result["changed"], result["built"], result["missing_tools"]) == (True, ["tools"], [])
    fact = result["ansible_facts"]["mintnet_artifacts"]["ctl"]
    assert fact["sha256"] == ""
    assert not (tmp_path / "cache").exists()
    assert told == []


def test_builds_and_then_finds(act: Act, arguments: dict[str, t.Any], told: list[str]) -> None:
    planned = act("artifacts", arguments, check=True)["ansible_facts"]["mintnet_artifacts"]["ctl"]
    first = act("artifacts", arguments)
    assert (first["changed"], first["built"]) == (True, ["tools"])
    fact = first["ansible_facts"]["mintnet_artifacts"]["ctl"]
    content = b"linux-arm64 example.org/ctl\n"
    assert Path(fact["path"]).read_bytes() == content
    assert fact == {**planned, "sha256": hashlib.sha256(content).hexdigest()}
    assert told == ["build     1 of 1 done · 0:00"]

    second = act("artifacts", arguments)
    assert (second["changed"], second["built"]) == (False, [])
    assert second["ansible_facts"] == first["ansible_facts"]
    assert len(told) == 1


def test_a_missing_tool(act: Act, arguments: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    arguments["go"] = []
    assert act("artifacts", arguments, check=True)["missing_tools"] == ["go"]
    result = act("artifacts", arguments)
    assert result["failed"]
    assert result["msg"] == "Building artifacts: go not found on the controller (or too old)"


def test_too_little_disk(act: Act, arguments: dict[str, t.Any]) -> None:
    arguments["builds"]["tools"]["megabytes"] = 10**12
    result = act("artifacts", arguments)
    assert result["failed"]
    assert result["msg"].startswith("Building artifacts: about 1000000000.0 GB are needed, with Go's caches, and ")
    assert "artifacts_cache_dir" in result["hint"]


def test_a_failed_build(act: Act, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    (tmp_path / "go").write_text(GO.replace("while", "echo no such package; exit 4; while"))
    result = act("artifacts", arguments)
    assert result["failed"]
    assert not result["changed"]
    assert result["msg"].startswith("Building tools v1: go failed with code 4\n  no such package\n")
    assert Path(result["log"]).read_text().endswith("no such package\n")
    assert "run the same command again" in result["hint"]


def test_a_cache_that_cannot_be_written(act: Act, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    result = act("artifacts", arguments)
    assert result["failed"]
    assert "cache" in result["msg"]


def test_lines_come_on_change_and_now_and_then(told: list[str]) -> None:
    story = artifacts.Story()
    for done, seconds in ((0, 0), (0, 1), (0, 20), (0, 30), (1, 31), (2, 32), (2, 33), (2, 34), (2, 35), (3, 36)):
        story.tell(Progress(done, 3, ("a", "b")[: 3 - done], seconds))
    assert told == [
        "build     0 of 3 done · a, b · 0:20",
        "build     1 of 3 done · a, b · 0:31",
        "build     2 of 3 done · a · 0:34",
        "build     3 of 3 done · 0:36",
    ]
