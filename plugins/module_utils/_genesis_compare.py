# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sets a genesis that exists apart from the one that is asked for."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import digest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._consensus_params import KNOWN, LINES
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import Genesis, Request, Validator

#: How many names a list of differences shows.
SHOWN = 5


def differences(live: Genesis, asked: Request, name: str = "the live chain") -> list[str]:
    """What sets the chain that lives apart from the one asked for, in words; nothing where they are the same.

    What nobody asked for may be as any supported version has it by default, so that a chain can be updated. The time
    counts only if it was asked for.
    """

    def differs(what: str, there: t.Any, wanted: t.Any) -> list[str]:
        return [] if there == wanted else [f"{what}: {name} has {there}, asked is {wanted}"]

    found = differs("chain_id", live.chain_id, asked.chain_id)
    if asked.time:
        found += differs("genesis_time", live.time, asked.time)
    found += differs("initial_height", live.initial_height, asked.initial_height)
    found += _validator_differences(live, asked, name)
    for group, member in KNOWN:
        there = live.params.get(group, {}).get(member)
        what = f"consensus_params.{group}.{member}"
        wanted = asked.params.get(group, {}).get(member)
        if member in asked.asked_params.get(group, {}):
            found += differs(what, KNOWN[group, member] if there is None else there, wanted)
        elif there not in (None, wanted, *(line.defaults.get(group, {}).get(member) for line in LINES.values())):
            found.append(f"{what}: {name} has {there}, asked is the default{f' {wanted}' if wanted else ''}")
    if live.app_state != asked.app_state:
        found.append(
            "app_state: "
            + (f"{name} has none" if live.app_state is None else f"{name}'s {_digest(live.app_state)}")
            + (", asked is none" if asked.app_state is None else f", the one asked for {_digest(asked.app_state)}")
        )
    return found


def _digest(app_state: t.Any) -> str:
    return f"has the SHA-256 {digest(app_state)[:12]}…"


def _validator_differences(live: Genesis, asked: Request, name: str) -> list[str]:
    def by_key(validators: Iterable[Validator]) -> dict[tuple[str, str], Validator]:
        return {(v.pub_key["type"], v.pub_key["value"]): v for v in validators}

    there, wanted = by_key(live.validators), by_key(asked.validators)
    missing = [str(v) for key, v in wanted.items() if key not in there]
    missing += [f"{pending} (its key is still to be made)" for pending in asked.pending]
    surplus = [str(v) for key, v in there.items() if key not in wanted]
    powers = [
        f"{wanted[key]} has power {v.power}, asked is {wanted[key].power}"
        for key, v in there.items()
        if key in wanted and v.power != wanted[key].power
    ]
    if not (missing or surplus or powers):
        return []
    count = len(asked.validators) + len(asked.pending)
    parts = [f"{name} has {len(live.validators)} genesis validators, asked are {count}"]
    parts += [f"only in {name}: {_some(surplus)}"] if surplus else []
    parts += [f"only asked for: {_some(missing)}"] if missing else []
    return [f"validators: {', '.join(parts + ([_some(powers)] if powers else []))}"]


def _some(items: Sequence[str]) -> str:
    shown = ", ".join(items[:SHOWN])
    return f"{shown} and {len(items) - SHOWN} more" if len(items) > SHOWN else shown
