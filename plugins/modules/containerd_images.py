# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: containerd_images
short_description: Import images from archives into containerd
version_added: 1.0.0
description:
  - Imports those archives that were not imported yet, several at a time, into the images that Kubernetes sees.
  - Each image is labelled with the SHA-256 of its archive, so an archive that was built anew under the same name is
    imported again, and it is kept from the kubelet's collection of unused images.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      image:
        description: Full name of the image, for messages.
        type: str
        required: true
      path:
        description: The archive on the machine, as Docker saves it or an OCI layout in a tar.
        type: path
        required: true
      sha256:
        description: SHA-256 of the archive.
        type: str
        required: true
  folder:
    description: A folder of the machine in which each archive is named by its SHA-256, instead of O(images[].path).
    type: path
  jobs:
    description: How many are imported at a time. V(0) stands for the number of CPUs.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Import the pause image
  mintnet.kubernetes.containerd_images:
    images:
      - image: localhost/kubernetes/pause:3.10.2
        path: /var/cache/mintnet/pause.tar
        sha256: 91be0c5a1a2f0d0a4d0b0a7b0a8b0ecab03cbd8b6d3b0f0f7f4f5f1e0c3d2b1f
"""

RETURN = r"""
imported:
  description: Names of the images that were imported, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: ["localhost/kubernetes/pause:3.10.2"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils._containerd_images import Image, load, missing
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

NAMESPACE = ("--namespace", "k8s.io")
ARGUMENT_SPEC = {
    "images": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "image": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "sha256": {"type": "str", "required": True},
        },
    },
    "folder": {"type": "path"},
    "jobs": {"type": "int", "default": 0},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    # A check run may come before containerd is installed: then every image is missing.
    ctr = module.get_bin_path("ctr", required=not module.check_mode, opt_dirs=["/usr/local/bin"])
    images = [Image(**one) for one in module.params["images"]]
    if folder := module.params["folder"]:
        images = [image._replace(path=f"{folder}/{image.sha256}") for image in images]
    try:
        wanted = missing(images, [ctr, *NAMESPACE]) if ctr else images
        if wanted and not module.check_mode:
            load(wanted, [ctr, *NAMESPACE], module.params["jobs"] or len(os.sched_getaffinity(0)))
    except MintnetError as error:
        module.fail_json(msg=str(error))
    names = [image.image for image in wanted]
    diff = {"before": "", "after": "".join(f"{name}\n" for name in names)}
    module.exit_json(changed=bool(names), imported=names, diff=diff)


if __name__ == "__main__":
    main()
