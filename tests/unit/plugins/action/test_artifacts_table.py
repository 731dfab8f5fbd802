# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's table, templated as the action receives it."""

from __future__ import annotations

from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import Catalogue, Platform


def test_the_roles_own_table_resolves(tmp_path: Path) -> None:
    role = Path(__file__).resolve().parents[4] / "roles" / "artifacts"
    variables = DataLoader().load_from_file(str(role / "vars" / "main.yml"), trusted_as_template=True)
    templar = Templar(DataLoader(), variables=variables)
    table, builds = (templar.template(variables[name]) for name in ("_artifacts_table", "_artifacts_builds"))
    linux = Platform("linux", "amd64")
    catalogue = Catalogue(table, builds, role / "files", tmp_path, linux, linux)
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
    modules = {path.name for path in (role / "files" / "go").iterdir()}
    assert modules == {row["go"]["module"] for row in builds.values() if "go" in row}
