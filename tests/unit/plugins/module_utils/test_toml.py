# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import tomllib
import typing as t

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._toml import dumps

TABLES: list[dict[str, t.Any]] = [
    {},
    {"version": 3, "plugins": {"io.containerd.cri.v1.runtime": {"cni": {"bin_dirs": ["/opt/cni/bin"]}}}},
    {"yes": True, "no": False, "ratio": 0.5, "below": -1, "text": 'quote " slash \\ line\n tab\t bell\x07 del\x7f ünï'},
    {"": {"empty key": {}}, "mixed": [{"a b": 1, "c": [True, "x"]}, {}]},
    {"after": {"table": 1}, "top": "stays on top"},
]


@pytest.mark.parametrize("table", TABLES)
def test_it_reads_back_as_it_was(table: dict[str, t.Any]) -> None:
    assert tomllib.loads(dumps(table)) == table


def test_what_toml_has_no_value_for() -> None:
    with pytest.raises(TypeError, match="None"):
        dumps({"a": {"b": None}})
