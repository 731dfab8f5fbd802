# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's table, templated as the action receives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import Catalogue, Platform
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import LINES

ROLE = Path(__file__).resolve().parents[4] / "roles" / "artifacts"
LINUX = Platform("linux", "amd64")


def tables(**variables: Any) -> tuple[dict[str, Any], ...]:
    """What can be made of CometBFT, what is delivered, and what is built."""
    own = DataLoader().load_from_file(str(ROLE / "vars" / "main.yml"), trusted_as_template=True)
    templar = Templar(DataLoader(), variables={**own, **variables})
    names = ("_artifacts_cometbft", "_artifacts_table", "_artifacts_builds")
    return tuple(templar.template(own[name]) for name in names)


def test_the_roles_own_table_resolves(tmp_path: Path) -> None:
    releases, table, builds = tables()
    catalogue = Catalogue(table, builds, ROLE / "files", tmp_path, LINUX, LINUX)
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
