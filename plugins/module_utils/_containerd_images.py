# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from archives into containerd, side by side. Runs on the machine: standard library only."""

from __future__ import annotations

import concurrent.futures
import subprocess
import time
import typing as t
from collections.abc import Callable

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_info import IMAGE_LABEL, parse_images

Run = Callable[[list[str]], str]
#: By this label containerd's CRI plugin, which the kubelet asks, marks an image that it has taken notice of.
NOTICED = "io.cri-containerd.image=managed"
NOTICE_SECONDS = 120


class Image(t.NamedTuple):
    image: str
    path: str
    sha256: str


def run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, capture_output=True, text=True, timeout=600, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MintnetError(f"{error}") from error
    if done.returncode:
        raise MintnetError(done.stderr.strip() or f"ctr ended with {done.returncode}")
    return done.stdout


def missing(images: list[Image], ctr: list[str], run: Run = run) -> list[Image]:
    """Those whose very archive is not there. A tag alone does not count: it may have been built anew."""
    try:
        present = set(parse_images(run([*ctr, "images", "list"])).values())
    except MintnetError as error:
        raise MintnetError(f"listing the images of containerd: {error}; see: journalctl -u containerd") from error
    return [image for image in images if image.sha256 not in present]


def full_name(image: str) -> str:
    """The name under which containerd keeps an image that an archive calls so."""
    first, slash, rest = image.partition("/")
    if slash and (first == "localhost" or set(first) & set(".:")):
        return image
    return f"docker.io/{image}" if rest else f"docker.io/library/{image}"


def load(images: list[Image], ctr: list[str], jobs: int, run: Run = run) -> None:
    def load_one(image: Image) -> None:
        name = full_name(image.image)
        try:
            run(
                [
                    *ctr,
                    "images",
                    "import",
                    # Nearly twice as fast as containerd's own transfer service.
                    "--local",
                    # The kubelet must not collect it: there may be no registry to get it from again.
                    "--label",
                    "io.cri-containerd.pinned=pinned",
                    image.path,
                ]
            )
            _await_notice(name, ctr, run)
            # Last: an import that is cut off leaves the image's name, so that alone proves nothing.
            run([*ctr, "images", "label", name, f"{IMAGE_LABEL}={image.sha256}"])
        except MintnetError as error:
            raise MintnetError(f"importing {image.image} from {image.path}: {error}; run again") from error

    with concurrent.futures.ThreadPoolExecutor(max(1, jobs)) as pool:
        list(pool.map(load_one, images))


def _await_notice(name: str, ctr: list[str], run: Run) -> None:
    """The CRI plugin is told of an image by an event. On a busy machine that takes its time, and until then the kubelet
    and kubeadm would ask a registry for it."""
    until = time.monotonic() + NOTICE_SECONDS
    while NOTICED not in run([*ctr, "images", "list", f"name=={name}"]):
        if time.monotonic() > until:
            raise MintnetError(
                f"containerd has it, and its CRI plugin took no notice of it within {NOTICE_SECONDS} s; "
                "see: journalctl -u containerd"
            )
        time.sleep(0.2)
