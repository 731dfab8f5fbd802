# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What minikube finds in its cache: in its places, whole, and with the names that it asks for."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube_cache import image, program, seed

COREDNS = "registry.example/coredns/coredns:v1.14.2"


def archive(path: Path, config: str, name: str) -> Path:
    manifest = json.dumps([{"Config": config, "RepoTags": [name], "Layers": ["layer"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, content in ((config, b"{}"), ("layer", b"of files"), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_places() -> None:
    root = Path("/m/.minikube")
    assert str(program(root, "arm64", "1.36.3", "kubelet")) == "/m/.minikube/cache/linux/arm64/v1.36.3/kubelet"
    assert str(image(root, "amd64", COREDNS)) == (
        "/m/.minikube/cache/images/amd64/registry.example/coredns/coredns_v1.14.2"
    )


def test_seeded_once_and_anew_when_it_is_another(tmp_path: Path) -> None:
    kubelet = tmp_path / "kubelet"
    kubelet.write_text("program")
    tar = archive(tmp_path / "coredns.tar", "sha256:1", "localhost/kubernetes/coredns:v1.14.2")

    def placed() -> list[str]:
        return seed(tmp_path / ".minikube", "amd64", "1.36.3", {"kubelet": kubelet}, {COREDNS: tar})

    assert placed() == ["kubelet", COREDNS]
    assert placed() == []
    target = image(tmp_path / ".minikube", "amd64", COREDNS)
    with tarfile.open(target) as found:
        manifest = found.extractfile("manifest.json")
        layer = found.extractfile("layer")
        assert manifest and layer
        assert json.load(manifest) == [{"Config": "sha256:1", "RepoTags": [COREDNS], "Layers": ["layer"]}]
        assert layer.read() == b"of files"
    assert program(tmp_path / ".minikube", "amd64", "1.36.3", "kubelet").stat().st_mode & 0o111

    archive(tar, "sha256:2", "localhost/kubernetes/coredns:v1.14.2")
    kubelet.write_text("another")
    assert placed() == ["kubelet", COREDNS]
    assert not list((tmp_path / ".minikube").rglob("*.mintnet"))
