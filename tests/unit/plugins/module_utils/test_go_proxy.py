# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download, _go_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, BuildError, Job, Work
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

# Stands for Go: it has the modules that it is told to have, and takes down what it is asked.
GO = """#!/bin/sh
echo "$* $GOPROXY" >> "$0.told"
[ "$1" = env ] && {{ echo "{proxy}"; exit; }}
exit {code}
"""
NEEDED = ("-mod=readonly", "example.org/ctl")

Make = t.Callable[..., str]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(_download, "PROBE_SECONDS", 0.2)
    monkeypatch.delenv("GOPROXY", raising=False)

    def go(proxy: str, code: int = 1) -> str:
        path = tmp_path / "go"
        path.write_text(GO.format(proxy=proxy, code=code), encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return go


def told(go: str) -> list[str]:
    return Path(f"{go}.told").read_text(encoding="utf-8").splitlines()


def test_silence_is_refused_within_seconds(make: Make, hanging: str, tmp_path: Path) -> None:
    go = make(f"http://name:s3cret@{hanging},direct")
    began = time.monotonic()
    with pytest.raises(MintnetError) as caught:
        _go_proxy.check(go, tmp_path, {}, NEEDED)
    assert time.monotonic() - began < 5
    assert str(caught.value) == f"the Go module proxy {hanging}: no answer within 0.2 s"
    assert told(go) == ["env GOPROXY ", "list -deps -mod=readonly example.org/ctl off"]


def test_silence_does_no_harm_where_the_modules_are_there(make: Make, hanging: str, tmp_path: Path) -> None:
    _go_proxy.check(make(f"http://{hanging}", code=0), tmp_path, {}, NEEDED)


def test_modules_that_no_cache_can_have_are_not_looked_for(make: Make, hanging: str, tmp_path: Path) -> None:
    go = make(f"http://{hanging}", code=0)
    with pytest.raises(MintnetError, match="no answer within"):
        _go_proxy.check(go, tmp_path, {})
    assert told(go) == ["env GOPROXY "]


def test_what_is_not_silent_is_left_to_go(
    make: Make, refusing: str, web: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "PROBE_SECONDS", 60.0)
    for proxy in ("direct", "off", "", "file:///proxy", f"http://{refusing}", f"{web.url}|direct"):
        go = make(proxy)
        _go_proxy.check(go, tmp_path, {}, NEEDED)
    assert set(told(go)) == {"env GOPROXY "}


def test_a_build_ends_with_the_advice_of_a_proxy_that_refuses(make: Make, hanging: str, tmp_path: Path) -> None:
    go = make(f"http://{hanging}")

    def run(work: Work) -> None:
        _go_proxy.check(go, tmp_path, {}, NEEDED)
        work.call([go, "build"])

    builder = Builder(tmp_path / "cache", [Job("tools", "tools v1", "key", ("ctl",), run)])
    with pytest.raises(BuildError) as caught:
        builder.run(builder.pending(["tools"]), 1, {}, lambda _progress: None)
    assert re.search("^Building tools v1: the Go module proxy .*: no answer within", str(caught.value))
    assert "the Go module proxy was not reached, or refused" in caught.value.result["hint"]
    assert not any("build" in line for line in told(go))
