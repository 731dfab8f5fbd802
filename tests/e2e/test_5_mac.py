# SPDX-License-Identifier: GPL-3.0-or-later
"""From a Mac, as far as there can be one here, to a network on somebody's cluster: nothing of Linux is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mac import Mac
from surroundings import User

NAMESPACE = "mac"
OPTIONS = f"-e cometbft_network={NAMESPACE} -e cometbft_nodes=2 -e cometbft_ephemeral=true"


@pytest.mark.long
def test_network_from_a_mac(user: User, cluster: None, tmp_path: Path) -> None:
    mac = Mac(tmp_path, "mac", context=user.cluster)
    mac.kubeconfig.write_bytes(user.kubeconfig.read_bytes())
    (mac.bin / "kubectl").symlink_to(str(shutil.which("kubectl")))
    mac.play("playbooks/create.yml", OPTIONS)
    user.agree(NAMESPACE)
    assert mac.play("playbooks/create.yml", OPTIONS).changed == 0
    assert "2 of 2" in mac.play("playbooks/status.yml", OPTIONS).output
    mac.play("playbooks/tx.yml", f"{OPTIONS} -e cometbft_tx=from=mac")
    assert user.read("tm-1", "from", NAMESPACE) == "mac"
    assert "executed block" in mac.play("playbooks/logs.yml", f"{OPTIONS} -e cometbft_node=tm-1").output
    mac.play("playbooks/destroy.yml", f"{OPTIONS} -e mintnet_confirm=true")
    assert f"namespace/{NAMESPACE}\n" not in user.kubectl("get namespaces -o name").output
