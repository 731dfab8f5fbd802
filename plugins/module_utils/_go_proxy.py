# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Go module proxy that takes connections and is silent: go would wait for it without an end."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError


def check(go: str, module: Path, env: Mapping[str, str], needed: Sequence[str] = ()) -> None:
    """Refuse what would never end. ``needed`` tells go list what is wanted of the module; it may be there already.

    Only the first proxy is asked: go turns to the others when that one has answered. What is not silence, such as a
    refusal, is told by go itself.
    """
    # Beside the program, where no go.mod is that could ask for another version of Go, from that proxy.
    said = _run([go, "env", "GOPROXY"], Path(go).parent, env).stdout
    proxy = re.split("[,|]", said.strip())[0]
    if not re.match("https?://", proxy) or not _is_silent(proxy):
        return
    if needed and _run([go, "list", "-deps", *needed], module, {**env, "GOPROXY": "off"}).returncode == 0:
        return
    host = urlsplit(proxy).netloc.rpartition("@")[2]
    raise MintnetError(f"the Go module proxy {host}: {_download.silence(_download.PROBE_SECONDS)}")


@functools.cache
def _is_silent(proxy: str) -> bool:
    """Asked once by all builds of a run."""
    answers = _download.unreachable([proxy], _download.PROBE_SECONDS)
    return _download.silence(_download.PROBE_SECONDS) in answers.values()


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # pylint: disable=ansible-bad-function
        command,
        cwd=folder,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
