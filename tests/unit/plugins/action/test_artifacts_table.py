# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's table, templated as the action receives it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _sources
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import Catalogue, Platform
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import LINES

ROLE = Path(__file__).resolve().parents[4] / "roles" / "artifacts"
LINUX = Platform("linux", "amd64")
#: What nobody else makes.
OURS = ["node", "machine", "protos"]


def tables(**variables: Any) -> tuple[dict[str, Any], ...]:
    """What can be made of CometBFT, what is delivered, and what is built."""
    own = DataLoader().load_from_file(str(ROLE / "vars" / "main.yml"), trusted_as_template=True)
    every = {"role_path": str(ROLE), "artifacts_with": ["nginx"]}
    templar = Templar(DataLoader(), variables={**own, **every, **variables})
    names = ("_artifacts_cometbft", "_artifacts_table", "_artifacts_builds")
    return tuple(templar.template(own[name]) for name in names)


def test_the_roles_own_table_resolves(tmp_path: Path) -> None:
    releases, table, builds = tables()
    (tmp_path / "Containerfile").touch()
    own = {"kind": "image", "version": "", "source": {"context": str(tmp_path), "protos": True, "base": "python"}}
    catalogue = Catalogue({**table, "app": own}, builds, ROLE / "files", tmp_path, LINUX, LINUX)
    artifacts = {artifact.name: artifact for artifact in catalogue.resolve()}
    assert artifacts["kubelet"].job is artifacts["kubeadm"].job
    assert {artifact.kind for artifact in artifacts.values()} == {"binary", "archive", "image", "rootfs"}
    for artifact in artifacts.values():
        assert artifact.file in artifact.job.files
        assert (artifact.kind == "image") == bool(artifact.image)
    used = {need for job in catalogue.jobs for need in job.needs} | {
        artifact.job.name for artifact in artifacts.values()
    }
    assert {job.name for job in catalogue.jobs} == used, "something is built that nothing needs"
    assert set(builds) <= used
    modules = {path.name for path in (ROLE / "files" / "go").iterdir()}
    assert modules == {
        row["go"]["module"] for row in [*builds.values(), *({"go": row} for row in releases.values())] if "go" in row
    }


def test_what_upstream_publishes() -> None:
    """Every row says it, but for those that nobody else makes; each sum is of a file that is still in the table."""
    _releases, table, _builds = tables()
    assert [name for name, row in table.items() if "release" not in row] == OURS
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    assert {name for name, row in table.items() if row.get("release", {}).get("sha256")} == set(
        own["_artifacts_sha256"]
    )
    pinned = set()
    for name, row in table.items():
        if name in OURS:
            continue
        upstream = [
            _sources.release(row, Platform(system, arch))
            for system in ("linux", "darwin")
            for arch in ("amd64", "arm64")
        ]
        assert "image" in row["release"] if row["kind"] == "image" else all(upstream)
        for one in filter(None, upstream):
            assert one.url.startswith("https://")
            assert "{" not in one.url
            assert one.sums.removeprefix(one.url) in (".sha256", ".sha256sum")
            assert not one.sha256 or re.fullmatch("[0-9a-f]{64}", one.sha256)
            pinned.add(one.sha256)
        for platform, sha256 in row.get("release", {}).get("sha256", {}).items():
            assert sha256 in pinned, f"{name} for {platform}: nobody asks for this sum"
    assert _sources.release(table["kubectl"], Platform("darwin", "arm64")).url.endswith("/bin/darwin/arm64/kubectl")  # type: ignore[union-attr]
    assert _sources.place("kubelet", table["kubelet"], LINUX) == (
        f"dl.k8s.io/release/v{table['kubelet']['version']}/bin/linux/amd64/kubelet"
    )
    assert (
        _sources.place("pause", table["pause"], LINUX)
        == f"mintnet/linux-amd64/image/pause-{table['pause']['version']}.tar"
    )


def test_places_of_a_mirror_are_apart() -> None:
    _releases, table, _builds = tables()
    places = [_sources.place(name, row, LINUX) for name, row in table.items()]
    assert len(set(places)) == len(places)


def test_upstream_does_not_change_what_is_built(tmp_path: Path) -> None:
    _releases, table, builds = tables()
    bare = {name: {key: value for key, value in row.items() if key != "release"} for name, row in table.items()}

    def keys(rows: dict[str, Any]) -> dict[str, str]:
        catalogue = Catalogue(rows, builds, ROLE / "files", tmp_path, LINUX, LINUX)
        catalogue.resolve()
        return {job.name: job.key for job in catalogue.jobs}

    assert keys(table) == keys(bare)


def test_packages_that_no_mirror_holds() -> None:
    """The list says what the roles install."""

    def installed(*roles: str) -> set[str]:
        texts = [
            file.read_text(encoding="utf-8")
            for role in roles
            for file in [*(ROLE.parent / role / "tasks").glob("*.yml"), *(ROLE.parent / role / "vars").glob("*.yml")]
        ]
        lists = re.findall(r"(?:mintnet_packages: |_kubeadm_packages: >-\s+{{ )\[([^]]+)\]", "".join(texts))
        return set(re.findall(r"[\w.-]+", " ".join(lists)))

    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    host = yaml.safe_load((ROLE.parent / "machines" / "vars" / "Linux.yml").read_text(encoding="utf-8"))
    _python, machine, local, source, folders = own["_artifacts_elsewhere"].values()
    assert set(machine) == installed("containerd", "cni", "kubeadm")
    assert set(local) == set(host["_machines_commands"].values())
    tools = own["_artifacts_tools"]
    assert set(folders) == set(tools.pop("podman"))
    assert set(source) == {package for packages in tools.values() for package in packages}


def test_what_only_one_provider_needs() -> None:
    own = DataLoader().load_from_file(str(ROLE / "vars" / "main.yml"), trusted_as_template=True)

    def offered(provider: str, *without: str) -> set[str]:
        named = {"artifacts_provider": provider, "artifacts_with": [], "artifacts_without": list(without)}
        variables = {**own, "role_path": str(ROLE), **named}
        return set(Templar(DataLoader(), variables=variables).template(own["_artifacts_offered"]))

    assert offered("minikube") - offered("kubeadm") == {"minikube", "node"}
    assert offered("kubeadm") - offered("minikube") == {"machine", "containerd", "cni_plugins"}
    assert offered("minikube") - offered("minikube", "minikube") == {"minikube"}


def test_what_not_every_cluster_needs_is_made_where_it_is_wanted(tmp_path: Path) -> None:
    def made(*wanted: str) -> set[str]:
        _releases, table, builds = tables(artifacts_with=list(wanted))
        catalogue = Catalogue(table, builds, ROLE / "files", tmp_path, LINUX, LINUX)
        return {artifact.name for artifact in catalogue.resolve()}

    assert made("nginx") - made() == {"nginx"}


def test_each_line_of_cometbft_is_made_alone(tmp_path: Path) -> None:
    releases, _table, _builds = tables()
    assert sorted(release.rpartition(".")[0] for release in releases) == list(LINES)
    keys = set()
    for release in releases:
        _releases, table, builds = tables(artifacts_cometbft_version=release)
        catalogue = Catalogue(table, builds, ROLE / "files", tmp_path, LINUX, LINUX)
        (artifact,) = catalogue.resolve(["cometbft"])
        assert (artifact.version, artifact.image) == (release, f"cometbft/cometbft:v{release}")
        (job,) = [job for job in catalogue.jobs if job.name == "cometbft"]
        keys.add(job.key)
        pinned = (ROLE / "files" / "go" / releases[release]["module"] / "go.mod").read_text(encoding="utf-8")
        assert f"require github.com/cometbft/cometbft v{release}\n" in pinned
    assert len(keys) == len(releases)
    # By default it is that of the role cometbft.
    defaults = yaml.safe_load((ROLE.parent / "cometbft" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert next(iter(releases)) == defaults["cometbft_version"]
    assert tables()[1]["cometbft"]["version"] == defaults["cometbft_version"]
