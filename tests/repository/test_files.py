# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader of the repository should meet, and should never meet."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
import tree
from ansible.cli.galaxy import GalaxyCLI

FILES = [name for name in tree.files() if not (tree.ROOT / name).is_symlink()]

# Folders of one machine, and hosts of package registries: true for their author alone.
FOREIGN = re.compile(
    r"(?<![\w./-])/(?:work|farm|Users/\w+|root|home/\w+)/"
    r"|(?:files\.pythonhosted|pypi|proxy\.golang|deb\.debian|registry\.npmjs)\.(?:org|net|io)\b"
)
# Placeholders that stand for anybody's folder.
FOREIGN_ALLOWED = re.compile(r"/home/(?:user|me|you)/|/Users/(?:user|me|you)/")

# What a user of the collection needs, and nothing else.
TARBALL = re.compile(
    r"""
      (?:README|CHANGELOG)\.md | COPYING | requirements\.txt | MANIFEST\.json | FILES\.json
    | meta/(?:runtime|execution-environment)\.yml
    | changelogs/(?:config|changelog)\.yaml | changelogs/fragments/[\w.-]+\.ya?ml
    | docs/docsite/(?:links|extra-docs)\.yml | docs/docsite/rst/\w+\.rst
    | plugins/(?:action|callback|doc_fragments|filter|inventory|lookup|modules|\w+_utils)/\w+\.(?:py|yml)
    | playbooks/\w+\.yml | playbooks/templates/.+\.j2
    | inventories/\w+/(?:hosts\.yml|group_vars/\w+\.yml)
    | examples/LICENSE | examples/.+\.(?:md|yml|go|mod|sum|sh|py|txt) | examples/\w+/(?:Makefile|Containerfile)
    | roles/\w+/README\.md
    | roles/\w+/(?:defaults|handlers|meta|tasks|vars)/\w+\.yml
    | roles/\w+/templates/.+\.j2
    | roles/\w+/files/.+\.(?:conf|go|mod|py|sum|service|sh|toml|yml|yaml)
    """,
    re.VERBOSE,
)


def test_readme_is_short() -> None:
    assert len((tree.ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("name", [name for name in FILES if name.suffix != ".sum"], ids=str)
def test_nothing_of_one_machine(name: Path) -> None:
    if name == Path(__file__).relative_to(tree.ROOT):
        return
    lines = (tree.ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [
        f"{name}:{number}: {line.strip()}"
        for number, line in enumerate(lines, 1)
        if FOREIGN.search(FOREIGN_ALLOWED.sub("", line))
    ]
    assert not found


def test_no_file_is_large() -> None:
    """Binaries, images and archives are built, never committed."""
    assert not [str(name) for name in FILES if (tree.ROOT / name).stat().st_size > 512 * 1024]


def test_no_sanity_ignores() -> None:
    assert not list((tree.ROOT / "tests" / "sanity").glob("ignore*.txt"))


def test_tarball_holds_what_users_need(tmp_path: Path) -> None:
    source = tree.copy(tmp_path / "source")
    # What development leaves in a clone, and `collection build` would take since it does not read .gitignore.
    for litter in (
        ".venv/bin/python",
        ".venv-py3.11/x",
        ".mypy_cache/x",
        "collections/x",
        "tests/output/x",
        ".ansible/x",
    ):
        (source / litter).parent.mkdir(parents=True, exist_ok=True)
        (source / litter).write_text("litter", encoding="utf-8")
    GalaxyCLI(["ansible-galaxy", "collection", "build", str(source), "--output-path", str(tmp_path)]).run()
    (tarball,) = tmp_path.glob("mintnet-kubernetes-*.tar.gz")
    with tarfile.open(tarball) as archive:
        members = [member.name for member in archive.getmembers() if not member.isdir()]
    assert not [member for member in members if not TARBALL.fullmatch(member)]
    # The other way round: all of these folders is in it.
    needed = [str(name) for name in FILES if name.parts[0] in ("plugins", "roles", "playbooks", "inventories", "meta")]
    assert set(needed) <= set(members)
