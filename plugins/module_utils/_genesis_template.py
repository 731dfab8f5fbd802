# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The genesis of a chain whose pods make their own keys: all of it but the keys, which the first validator fills in.

It is stored once and never changed, like a genesis; what pods make of it has the same bytes as what would be made here.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import Genesis, Request
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_compare import differences
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import parse
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_settle import (
    Store,
    read_again,
    refuse_another,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text

#: The powers of the validators by their names, in the order in which the genesis has them.
Powers = Mapping[str, int]


def template_text(genesis: Genesis, powers: Powers) -> str:
    """As CometBFT writes a genesis, with validators that have neither address nor key yet."""
    document: dict[str, t.Any] = {}
    for name, value in json.loads(replace(genesis, validators=()).text).items():
        if name == "app_hash":
            document["validators"] = [{"power": str(power), "name": node} for node, power in powers.items()]
        document[name] = value
    return json_text(document, indent=2)


def powers_of(validators: Sequence[Mapping[str, t.Any]], power: int) -> dict[str, int]:
    return {item["name"]: power if item.get("power") is None else int(item["power"]) for item in validators}


def settle_template(store: Store, asked: Request, powers: Powers, *, dry_run: bool) -> tuple[str | None, str]:
    """The template before and after: stored where there is none, and held against what is asked where there is one."""
    before = store.read()
    if before is None:
        text = template_text(asked.build(), powers)
        if dry_run or store.create(text):
            return None, text
        before = read_again(store)
    refuse_another(store, _differences(before, asked, powers, str(store)))
    return before, before


def _differences(text: str, asked: Request, powers: Powers, where: str) -> list[str]:
    try:
        document = json.loads(text)
        there = {item["name"]: int(item["power"]) for item in document.pop("validators")}
        live = parse(json_text(document), where)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MintnetError(
            f"reading the genesis in {where}: it is no template of one ({error!r}); restore it, or reset the network"
        ) from error
    found = differences(live, replace(asked, validators=(), pending=()))
    if there != dict(powers):
        others = {name for name in {*there, *powers} if there.get(name) != powers.get(name)}
        shown = ", ".join(sorted(others, key=lambda name: (len(name), name))[:5])
        found.append(f"validators: the live chain has {len(there)}, asked are {len(powers)}; they differ in {shown}")
    return found
