# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _containerd_images
from ansible_collections.mintnet.kubernetes.plugins.module_utils._containerd_images import (
    NOTICED,
    Image,
    full_name,
    load,
    missing,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

CTR = ["ctr", "--namespace", "k8s.io"]
OLD, NEW = "0" * 64, "1" * 64
LISTING = (
    f"REF TYPE DIGEST SIZE PLATFORMS LABELS\nlocalhost/a:1 t sha256:1 1 MiB linux/amd64 io.mintnet.archive={OLD}\n"
)


def test_an_image_built_anew_under_its_old_name_is_missing() -> None:
    same, rebuilt = Image("localhost/a:1", "/a.tar", OLD), Image("localhost/a:1", "/a.tar", NEW)
    assert missing([same, rebuilt], CTR, lambda command: LISTING) == [rebuilt]


def test_what_is_imported_is_marked_and_kept() -> None:
    calls: list[list[str]] = []

    def run(command: list[str]) -> str:
        calls.append(command)
        return NOTICED

    load([Image("localhost/a:1", "/a.tar", NEW), Image("localhost/b:1", "/b.tar", OLD)], CTR, 2, run)
    imports = [command for command in calls if "import" in command]
    assert sorted(command[-1] for command in imports) == ["/a.tar", "/b.tar"]
    for command in imports:
        labels = [command[index + 1] for index, word in enumerate(command) if word == "--label"]
        assert labels == ["io.cri-containerd.pinned=pinned"]
    for name, path, archive in (("localhost/a:1", "/a.tar", NEW), ("localhost/b:1", "/b.tar", OLD)):
        mark = [*CTR, "images", "label", name, f"io.mintnet.archive={archive}"]
        assert calls.index(mark) > next(number for number, command in enumerate(calls) if command[-1] == path)


def test_an_image_is_marked_when_the_kubelet_would_find_it() -> None:
    answers = iter(["REF LABELS\nlocalhost/a:1 -", f"REF LABELS\nlocalhost/a:1 {NOTICED}"])
    calls: list[list[str]] = []

    def run(command: list[str]) -> str:
        calls.append(command)
        return next(answers) if "list" in command else ""

    load([Image("localhost/a:1", "/a.tar", NEW)], CTR, 1, run)
    asked = [*CTR, "images", "list", "name==localhost/a:1"]
    assert calls[1:3] == [asked, asked]
    assert calls[3] == [*CTR, "images", "label", "localhost/a:1", f"io.mintnet.archive={NEW}"]


def test_an_image_that_the_kubelet_never_finds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_containerd_images, "NOTICE_SECONDS", 0)
    calls: list[list[str]] = []

    def run(command: list[str]) -> str:
        calls.append(command)
        return "REF LABELS"

    with pytest.raises(MintnetError, match=r"importing localhost/a:1 .* took no notice of it"):
        load([Image("localhost/a:1", "/a.tar", NEW)], CTR, 1, run)
    assert not [command for command in calls if command[-1].startswith("io.mintnet")]


def test_an_import_that_fails_leaves_no_mark() -> None:
    calls: list[list[str]] = []

    def run(command: list[str]) -> str:
        calls.append(command)
        raise MintnetError("killed")

    with pytest.raises(MintnetError):
        load([Image("localhost/a:1", "/a.tar", NEW)], CTR, 1, run)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("localhost/a:1", "localhost/a:1"),
        ("registry.example:5000/a:1", "registry.example:5000/a:1"),
        ("example.org/a/b:1", "example.org/a/b:1"),
        ("cometbft/cometbft:v0.40.0", "docker.io/cometbft/cometbft:v0.40.0"),
        ("busybox:1", "docker.io/library/busybox:1"),
    ],
)
def test_names_are_those_of_containerd(image: str, name: str) -> None:
    assert full_name(image) == name


def test_errors_name_the_image() -> None:
    def run(command: list[str]) -> str:
        raise MintnetError("ctr: unexpected EOF")

    with pytest.raises(MintnetError, match=r"importing localhost/a:1 from /a.tar: ctr: unexpected EOF"):
        load([Image("localhost/a:1", "/a.tar", NEW)], CTR, 1, run)
    with pytest.raises(MintnetError, match=r"listing the images of containerd: .*journalctl -u containerd"):
        missing([], CTR, run)
