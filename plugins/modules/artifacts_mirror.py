# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts_mirror
short_description: List what a mirror of the artifacts holds, or fill one
version_added: 1.0.0
description:
  - Lists the files, sums and images that are to be had from elsewhere, and the packages that no mirror holds.
  - With O(path), fills a folder with the files of a cache, in the places where M(mintnet.kubernetes.artifacts) with
    O(mintnet.kubernetes.artifacts#module:source=mirror) looks for them on a web server that serves the folder.
  - The folder's file C(SHA256SUMS) has the sums of all its files. What it had before stays.
  - It works on the controller.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  needs:
    description: What M(mintnet.kubernetes.artifacts) returns in RV(mintnet.kubernetes.artifacts#module:needs).
    type: list
    elements: dict
    required: true
  elsewhere:
    description: Packages that no mirror holds, as lists by what they are for. They are told beside the rest.
    type: dict
    default: {}
  path:
    description: Folder that is filled. It is made when it is missing.
    type: path
  artifacts:
    description: The fact C(mintnet_artifacts), for O(path).
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: See what is needed
  mintnet.kubernetes.artifacts:
    table: "{{ my_table }}"
    builds: "{{ my_builds }}"
    files: "{{ playbook_dir }}/files"
    cache_dir: ~/.cache/mine
  register: had

- name: Fill a folder for a web server
  mintnet.kubernetes.artifacts_mirror:
    needs: "{{ had.needs }}"
    artifacts: "{{ mintnet_artifacts }}"
    path: /srv/mirror
"""

RETURN = r"""
listing:
  description: The list, one file, image or package a line.
  returned: success
  type: str
  sample: "# images of upstream\nregistry.k8s.io/pause:3.10.2"
copied:
  description: Places in the mirror that were filled, or would be.
  returned: success
  type: list
  elements: str
  sample: [dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet]
sha256:
  description: SHA-256 of the mirror's file C(SHA256SUMS). Empty in check mode.
  returned: when O(path) is given
  type: str
  sample: 5d41402abc4b2a76b9719d911017c592ae1e5fa1a1e0ab4e3f3a4b3a8a6a5a4f
told:
  description: What there is to say of the folder, for people.
  returned: when O(path) is given
  type: list
  elements: str
  sample: ["16 files in /srv/mirror, 16 of them new"]
"""

import typing as t
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _mirror
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "needs": {"type": "list", "elements": "dict", "required": True},
        "elsewhere": {"type": "dict", "default": {}},
        "path": {"type": "path"},
        "artifacts": {"type": "dict", "default": {}},
    },
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    listing = _mirror.listing(params["needs"], params["elsewhere"])
    if params["path"] is None:
        return {"changed": False, "listing": listing, "copied": []}
    folder = Path.cwd() / params["path"]
    artifacts = params["artifacts"]
    files = [
        _mirror.File(need["place"], Path(artifacts[need["name"]]["path"]), artifacts[need["name"]]["sha256"])
        for need in params["needs"]
    ]
    try:
        copied, sha256 = _mirror.fill(folder, files, check_mode)
    except OSError as error:
        raise system_error(f"filling the mirror {folder}", error, "make it writable or name another folder") from error
    told = [f"{len(files)} files in {folder}, {len(copied)} of them {'would be new' if check_mode else 'new'}"]
    if sha256:
        told.append(f"artifacts_mirror_sha256: {sha256}")
    told += [f"not in it: {', '.join(names)} ({kind})" for kind, names in params["elsewhere"].items()]
    return {"changed": bool(copied), "listing": listing, "copied": copied, "sha256": sha256, "told": told}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
