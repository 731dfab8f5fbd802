# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The genesis document: built from what was asked, and checked against CometBFT's limits."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import ordered
from ansible_collections.mintnet.kubernetes.plugins.module_utils._consensus_params import (
    LINES,
    Line,
    Params,
    limit_faults,
    overlay,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import (
    MAX_INT64,
    json_text,
    now_text,
    time_text,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import KeyFault, PublicKey
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import line_of, unknown_version

CHECKING = "checking the genesis"

MAX_CHAIN_ID_BYTES = 50
MAX_TOTAL_POWER = MAX_INT64 // 8
MAX_VALIDATORS = 10_000

#: CometBFT takes this for "not set", and every node would fill in its own clock.
ZERO_TIME = "0001-01-01T00:00:00Z"

#: Launches are agreed on some weeks ahead. What is further off is a slip in the year or the month, and the nodes
#: would sleep for it without a word on their RPC, while a genesis cannot be changed.
MAX_WAIT = datetime.timedelta(days=90)


@dataclass(frozen=True)
class Validator:
    name: str
    address: str
    pub_key: Mapping[str, str]
    power: int

    @property
    def public(self) -> dict[str, t.Any]:
        return {"name": self.name, "address": self.address, "pub_key": dict(self.pub_key), "power": self.power}

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.name else self.address


@dataclass(frozen=True)
class Genesis:
    chain_id: str
    time: str
    initial_height: int
    params: Params
    validators: tuple[Validator, ...]
    app_state: t.Any = None
    app_hash: str = ""

    @property
    def text(self) -> str:
        """Byte for byte what CometBFT writes: its order of members, 64-bit numbers in quotes, no line end."""
        document: dict[str, t.Any] = {
            "genesis_time": self.time,
            "chain_id": self.chain_id,
            "initial_height": str(self.initial_height),
            "consensus_params": {
                group: {name: str(value) if isinstance(value, int) else value for name, value in members.items()}
                for group, members in self.params.items()
            },
            "validators": [
                {"address": v.address, "pub_key": dict(v.pub_key), "power": str(v.power), "name": v.name}
                for v in self.validators
            ],
            "app_hash": self.app_hash,
        }
        if not self.validators:
            del document["validators"]
        if self.app_state is not None:
            document["app_state"] = self.app_state
        return json_text(document, indent=2)


@dataclass(frozen=True)
class Request:
    """What somebody asks of a genesis, checked. ``pending`` names validators whose keys are still to be made."""

    chain_id: str
    time: str | None
    initial_height: int
    params: Params
    asked_params: Params
    validators: tuple[Validator, ...]
    app_state: t.Any
    pending: tuple[str, ...] = ()
    #: The text of a genesis that exists, which is taken as it is.
    text: str | None = None
    warnings: tuple[str, ...] = ()

    def build(self) -> Genesis:
        return Genesis(
            chain_id=self.chain_id,
            time=self.time or now_text(),
            initial_height=self.initial_height,
            params=self.params,
            validators=self.validators,
            app_state=self.app_state,
        )


def line_for(version: str) -> Line:
    line = LINES.get(line_of(version) or "")
    if line is None:
        raise FaultsError(CHECKING, [unknown_version(version)])
    return line


def request(
    *,
    version: str,
    chain_id: str,
    validators: Sequence[Mapping[str, t.Any]],
    power: int = 10,
    time: str | None = None,
    initial_height: int = 1,
    consensus_params: Mapping[str, t.Any] | None = None,
    app_state: t.Any = None,
    allow_pending: bool = False,
    faults: Iterable[str] = (),
) -> Request:
    """Check everything that was asked; all faults are in the one error, after those that were found already."""
    line = line_for(version)
    found = [*faults, *chain_faults(chain_id, initial_height)]
    when = read_time(time, found) if time else None
    asked = overlay(consensus_params or {}, line, found)
    known, pending, used = read_validators(validators, power, line, found)
    params = {group: members | asked.get(group, {}) for group, members in line.defaults.items()}
    if used and "pub_key_types" not in asked.get("validator", {}):
        params["validator"] = {"pub_key_types": [name for name in line.key_types if name in used]}
    if pending and not allow_pending:
        found += [f"validator {name}: it has no pub_key" for name in pending]
    state = ordered(app_state, found) if app_state else None
    if not validators and not app_state:
        found.append("validators: at least one is needed, unless app_state lets the application name them")
    found += limit_faults(params, line, used, len(validators))
    if found:
        raise FaultsError(CHECKING, found)
    return Request(chain_id, when, initial_height, params, asked, tuple(known), state, tuple(pending))


def chain_faults(chain_id: str, initial_height: int) -> Iterable[str]:
    size = len(chain_id.encode(errors="replace"))
    if not chain_id:
        yield "chain_id: it is empty"
    elif size > MAX_CHAIN_ID_BYTES:
        yield f"chain_id: it has {size} bytes, at most {MAX_CHAIN_ID_BYTES} are allowed"
    if not 1 <= initial_height <= MAX_INT64:
        yield f"initial_height: it is {initial_height}, allowed are 1 to {MAX_INT64}"


def read_time(text: str, faults: list[str]) -> str | None:
    """The time as CometBFT writes it; None where it is no time."""
    try:
        time = time_text(text)
    except ValueError as error:
        faults.append(f"genesis_time: {error}")
        return None
    if time == ZERO_TIME:
        faults.append("genesis_time: CometBFT takes this time for none, and each node would fill in its own")
    elif waits(time) > MAX_WAIT:
        faults.append(
            f"genesis_time: it is {time}, so the nodes would sleep for {waits(time).days} days; "
            f"at most {MAX_WAIT.days} are allowed"
        )
    return time


def waits(time: str) -> datetime.timedelta:
    """How long nodes that are started now sleep until the chain begins."""
    return max(datetime.datetime.fromisoformat(time) - datetime.datetime.now(datetime.UTC), datetime.timedelta())


def read_validators(
    asked: Sequence[Mapping[str, t.Any]], default_power: int, line: Line, faults: list[str]
) -> tuple[list[Validator], list[str], set[str]]:
    """The validators, the names of those without a key, and the types of the keys."""
    validators: list[Validator] = []
    pending: list[str] = []
    used: set[str] = set()
    owners: dict[str, str] = {}
    total = 0
    for number, item in enumerate(asked):
        name = item.get("name") or ""
        label = f"validator {name or number}"
        power = default_power if item.get("power") is None else item["power"]
        total += max(power, 0)
        if power < 1:
            faults.append(f"{label}: its power is {power}, at least 1 is needed")
        if item.get("pub_key") is None:
            pending.append(name or str(number))
            continue
        try:
            key = PublicKey.parse(item["pub_key"])
        except KeyFault as fault:
            faults.append(f"{label}: {fault}")
            continue
        if key.type.name in line.key_types:
            used.add(key.type.name)
        else:
            known = ", ".join(line.key_types)
            faults.append(f"{label}: this version does not know keys of type {key.type.name}; known: {known}")
        if item.get("address") and item["address"].upper() != key.address:
            faults.append(f"{label}: its address is {item['address']}, its key's is {key.address}")
        if key.address in owners:
            faults.append(f"{label}: it has the same key as {owners[key.address]}")
        owners.setdefault(key.address, label)
        validators.append(Validator(name, key.address, key.json, power))
    if len(asked) > MAX_VALIDATORS:
        faults.append(f"validators: there are {len(asked)}, at most {MAX_VALIDATORS} can sign a block")
    if total > MAX_TOTAL_POWER:
        faults.append(f"validators: their power is {total} in all, at most {MAX_TOTAL_POWER} is allowed")
    return validators, pending, used
