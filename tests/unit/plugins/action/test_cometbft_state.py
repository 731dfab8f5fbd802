# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the task returns: before anything is touched, and when nobody has said that the chain may halt."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _cluster, _live
from ansible_collections.mintnet.kubernetes.plugins.module_utils._observed import NodeAnswer, Observed, parse_blocks

Act = t.Callable[..., dict[str, t.Any]]
RECORDED = json.loads((Path(__file__).parents[2] / "fixtures/network/running.json").read_text(encoding="utf-8"))
STOP = {"network": "mintnet", "state": "stopped", "context": "ours"}


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of four that runs, in a cluster that nothing can be sent to."""

    def observe(_api: t.Any, name: str, _before: t.Any = None) -> Observed:
        answers = {
            node: NodeAnswer(status["result"], net_info["result"], parse_blocks(blocks["result"]))
            for node, (status, net_info, blocks) in RECORDED["rpc"].items()
        }
        return Observed(
            network=name,
            now=datetime.fromisoformat(RECORDED["now"]),
            namespace=RECORDED["Namespace"],
            workloads=RECORDED["StatefulSet"],
            pods=RECORDED["Pod"],
            config_maps=RECORDED["ConfigMap"],
            answers=dict(answers),
            validators=RECORDED["validators"]["result"]["validators"],
        )

    monkeypatch.setattr(_live, "observe", observe)
    monkeypatch.setattr(_cluster, "connect", lambda *_args: _cluster.Cluster(None, "ours"))


def test_check_run_tells_the_power_that_is_left(act: Act) -> None:
    result = act("cometbft_state", STOP, check=True)
    assert result["nodes"] == ["tm-0", "tm-1", "tm-2", "tm-3"]
    assert (result["changed"], result["halts"]) == (True, True)
    assert result["power"] == {"total": 40, "online": 40, "needed": 27, "short": 0, "left": 0}
    assert result["diff"]["before"] == dict.fromkeys(result["nodes"], "started")
    assert result["diff"]["after"] == dict.fromkeys(result["nodes"], "stopped")


def test_chain_is_not_halted_unasked(act: Act) -> None:
    result = act("cometbft_state", STOP)
    assert result["failed"]
    assert "which nobody has confirmed" in result["msg"]
    assert not result["changed"]


def test_what_runs_is_not_started(act: Act) -> None:
    result = act("cometbft_state", {**STOP, "state": "started"})
    assert (result["nodes"], result["changed"]) == ([], False)


def test_unknown_states_are_refused(act: Act) -> None:
    with pytest.raises(Exception, match="state must be one of: started, stopped, got: restarted"):
        act("cometbft_state", {**STOP, "state": "restarted"})
