# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the user's own: when one is built anew, with which command, and what an archive is called."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _image_builds
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, Job, Work, stored
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._image_builds import (
    Base,
    archive_job,
    build_job,
    image_of,
    program_build,
    push,
)

#: In place of podman: it writes down what it is told, and what it finds, and makes the file that it shall save.
PODMAN = """#!/bin/sh
echo "$*" >> "$0.told"
for word in "$@"; do
  case $word in
    cometbft=*) cat "${word#*=}/types.proto" >> "$0.told" ;;
    id=pip.conf,src=*) cat "${word#*src=}" >> "$0.told" ;;
  esac
done
[ "$1" != save ] || echo saved > "$3"
"""


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "podman"
    path.write_text(PODMAN, encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("PIP_CERT", "SSL_CERT_FILE", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_image_builds, "_pip_settings", lambda _environment: {"index-url": "https://pip.example.com"})
    return path


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "sub").mkdir(parents=True)
    (folder / "Containerfile").write_text("FROM scratch\n", encoding="utf-8")
    (folder / "sub" / "app.py").write_text("1", encoding="utf-8")
    return folder


def protos(work: Work) -> None:
    with tarfile.open(work.folder / _image_builds.PROTOS_FILE, "w") as tar:
        member = tarfile.TarInfo("types.proto")
        member.size = 7
        tar.addfile(member, io.BytesIO(b"message"))


PROTOS = Job("protos", "protos", "k", (_image_builds.PROTOS_FILE,), protos)


BASE = Base(
    "localhost/base:1", Job("base", "base", "b", ("base.tar",), lambda w: (w.folder / "base.tar").touch()), "base.tar"
)


def built(
    context: Path, cache: Path, protos: Job | None = None, base: Base | None = None, **recipe: Any
) -> tuple[Job, str]:
    return build_job("app", {"context": str(context), **recipe}, "linux/amd64", protos, base, cache)


def run(cache: Path, podman: Path, *jobs: Job) -> list[str]:
    builder = Builder(cache, jobs)
    pending = builder.pending([jobs[-1].name])
    return builder.run(pending, 1, {"podman": str(podman)}, lambda _progress: None)


def test_a_folder_is_built_and_saved(tmp_path: Path, podman: Path, context: Path) -> None:
    job, image = built(context, tmp_path, PROTOS, BASE, args={"LEVEL": 3}, flags=["--network=host"])
    assert run(tmp_path, podman, PROTOS, BASE.job, job) == ["protos", "base", "containerfile-app"]
    told = podman.with_name("podman.told").read_text(encoding="utf-8")
    kinds = ("load ", "build ", "save ", "rmi ")
    load, build, save, forget = (line for line in told.splitlines() if line.startswith(kinds))
    assert load == f"load --quiet --input {tmp_path}/base/b/base.tar"
    assert image == f"localhost/mintnet/app:{job.key[:12]}"
    for words in (
        f"build --tag {image} ",
        "--platform linux/amd64",
        "--build-arg BASE=localhost/base:1",
        "--build-arg LEVEL=3",
        "--network=host",
    ):
        assert words in build
    assert build.endswith(str(context))
    assert save.startswith("save --output ")
    assert save.endswith(image)
    assert forget == f"rmi --no-prune {image}"
    # What the build finds: the .proto files, and pip's settings.
    assert "message" in told
    assert "index-url = https://pip.example.com" in told
    found = stored(tmp_path, job)
    assert found is not None
    assert (found.folder / "app.tar").read_text(encoding="utf-8") == "saved\n"
    assert "pip.example.com" not in "".join(path.read_text(encoding="utf-8") for path in found.folder.iterdir())
    assert run(tmp_path, podman, PROTOS, BASE.job, job) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "sub" / "app.py").write_text("2", encoding="utf-8"),
        lambda folder: (folder / "sub" / "app.py").chmod(0o755),
        lambda folder: (folder / "sub" / "app.py").rename(folder / "app.py"),
        lambda folder: (folder / "new").symlink_to("sub"),
    ],
)
def test_what_is_built_anew(tmp_path: Path, podman: Path, context: Path, change: Any) -> None:
    before = built(context, tmp_path)
    assert built(context, tmp_path)[1] == before[1]
    change(context)
    assert built(context, tmp_path)[1] != before[1]


def test_an_image_for_a_registry_has_its_name(tmp_path: Path, podman: Path, context: Path) -> None:
    image = built(context, tmp_path, push="registry.example.com/team/app")[1]
    name, tag = image.split(":")
    assert name == "registry.example.com/team/app"
    assert not built(context, tmp_path)[1].endswith(tag), "the archive says another name"


@pytest.mark.parametrize("other", [{"args": {"A": 1}}, {"flags": ["--squash"]}])
def test_other_options_are_another_image(tmp_path: Path, podman: Path, context: Path, other: dict[str, Any]) -> None:
    assert built(context, tmp_path, **other)[1] != built(context, tmp_path)[1]


def test_another_base_is_another_image(tmp_path: Path, podman: Path, context: Path) -> None:
    assert built(context, tmp_path, base=BASE)[1] != built(context, tmp_path)[1]


def test_what_git_keeps_is_no_content(tmp_path: Path, podman: Path, context: Path) -> None:
    before = built(context, tmp_path)
    (context / ".git").mkdir()
    (context / ".git" / "index").write_text("x", encoding="utf-8")
    assert built(context, tmp_path)[1] == before[1]


def test_a_folder_without_its_file(tmp_path: Path, context: Path) -> None:
    with pytest.raises(MintnetError, match=r"there is no .*/Dockerfile"):
        built(context, tmp_path, file="Dockerfile")


def archive(path: Path, **members: Any) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"{name}.json")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


OCI = {"manifests": [{"annotations": {"org.opencontainers.image.ref.name": "example.org/app:2"}}]}


@pytest.mark.parametrize(
    ("members", "image"),
    [
        ({"manifest": [{"RepoTags": ["example.org/app:1"]}]}, "example.org/app:1"),
        ({"index": OCI}, "example.org/app:2"),
    ],
)
def test_an_archive_says_what_it_holds(tmp_path: Path, podman: Path, members: dict[str, Any], image: str) -> None:
    path = archive(tmp_path / "a.tar", **members)
    job, name = archive_job("archive-1", path)
    assert name == image
    assert run(tmp_path / "cache", podman, job) == [job.name]
    found = stored(tmp_path / "cache", job)
    assert found is not None
    assert (found.folder / "archive-1.tar").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"manifest": [{"RepoTags": ["a:1", "a:2"]}]}, "names 2 images, and must name one"),
        ({"manifest": [{"RepoTags": None}]}, "names 0 images"),
        ({"index": {"manifests": [{}]}}, "must name one"),
        ({"other": {}}, "Reading the image archive"),
        ({"manifest": {"RepoTags": []}}, "Reading the image archive"),
    ],
)
def test_archives_that_are_refused(tmp_path: Path, members: dict[str, Any], said: str) -> None:
    with pytest.raises(MintnetError, match=said):
        image_of(archive(tmp_path / "a.tar", **members))


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("text", encoding="utf-8")
    with pytest.raises(MintnetError, match="Reading the image archive"):
        image_of(tmp_path / "a.tar")


def test_settings_of_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example.com\ntimeout = 3\ncert = /here\n[install]\nuser = yes\n",
        encoding="utf-8",
    )
    environment = {
        "PIP_INDEX_URL": "https://b.example.com",
        "PIP_FIND_LINKS": "/wheels",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    found = _image_builds._pip_settings(environment)
    assert {name: found[name] for name in ("index-url", "timeout")} == {
        "index-url": "https://b.example.com",
        "timeout": "3",
    }
    assert not {"cert", "find-links", "config-file"} & found.keys()


def test_a_program_is_called_like_its_folder(tmp_path: Path) -> None:
    (tmp_path / "cmd" / "chaind").mkdir(parents=True)
    context = {"context": str(tmp_path)}
    assert program_build({**context, "go": {"package": "cmd/chaind"}})["go"] == {
        "module": str(tmp_path),
        "packages": {"chaind": "./cmd/chaind"},
    }
    assert program_build({**context, "go": {"binary": "appd"}})["go"]["packages"] == {"appd": "."}
    assert program_build({**context, "go": {"package": "."}})["go"]["packages"] == {tmp_path.name: "."}


def test_an_image_goes_to_a_registry_once(tmp_path: Path) -> None:
    tool = tmp_path / "image"
    tool.write_text(
        """#!/bin/sh
[ "$3" != away.example.com/app:1 ] || { echo "image: pushing $3: no such host" >&2; exit 1; }
[ -e "$2.there" ] && echo present && exit
[ "$1" = look ] && echo absent && exit
touch "$2.there"; echo pushed
""",
        encoding="utf-8",
    )
    tool.chmod(0o755)
    file = tmp_path / "app.tar"
    looks = (True, False, True, False)
    assert [push(tool, file, "example.com/app:1", looks=look) for look in looks] == [True, True, False, False]
    with pytest.raises(
        MintnetError, match=r"Bringing the image away\.example\.com/app:1 to its registry: .*no such host"
    ):
        push(tool, file, "away.example.com/app:1", looks=False)
