# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said before anything is made: of which images a pull may bring another one tomorrow."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

TASKS = Path(__file__).resolve().parents[3] / "roles" / "cometbft" / "tasks" / "announce.yml"
SUM = "sha256:" + "0" * 64


def warned_of(image: str, app_image: str) -> list[str]:
    (task,) = [item for item in yaml.safe_load(TASKS.read_text(encoding="utf-8")) if "loop" in item]
    vars_of = {name: trust_as_template(value) for name, value in task["vars"].items()}
    variables = {**vars_of, "_cometbft_groups": [{"image": image, "app_image": app_image}]}
    found: list[str] = Templar(DataLoader(), variables=variables).template(trust_as_template(task["loop"]))
    return found


@pytest.mark.parametrize(
    "image",
    [
        "myapp",
        "myapp:latest",
        "team/myapp:main",
        "registry.example.com:5000/team/myapp",
        "registry.example.com:5000/team/myapp:nightly",
        "localhost/myapp:dev",
    ],
)
def test_a_tag_that_moves_is_warned_of(image: str) -> None:
    assert warned_of("cometbft/cometbft:v0.40.0", image) == [image]
    assert warned_of(image, "") == [image]


@pytest.mark.parametrize(
    "image",
    [
        "",
        "myapp:1.0",
        "myapp:v2-main",
        "registry.example.com:5000/team/myapp:2026-11-24",
        f"registry.example.com:5000/team/myapp@{SUM}",
        f"myapp:latest@{SUM}",
        "localhost/mintnet/app:0123456789ab",
    ],
)
def test_a_version_or_a_digest_is_not(image: str) -> None:
    assert warned_of("cometbft/cometbft:v0.40.0", image) == []
