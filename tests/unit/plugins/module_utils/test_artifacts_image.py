# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import COMPILING


@pytest.mark.skipif(not shutil.which("go"), reason="the image tool is tested by Go, which is not here")
def test_the_image_tool() -> None:
    """Its tests are beside it, in Go; a second run takes their result from Go's cache.

    They are compiled as the role compiles, so that what they are made of serves its builds, too.
    """
    module = Path(__file__).resolve().parents[4] / "roles" / "artifacts" / "files" / "go" / "image"
    command = ["go", "test", "-mod=readonly", *COMPILING, "./..."]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    ran = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.startswith("ok"), "no test has run"
