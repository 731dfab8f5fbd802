# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The genesis document: built from what was asked, checked against CometBFT's limits, compared with one that exists."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import (
    MAX_INT64,
    json_text,
    nanoseconds,
    now_text,
    time_text,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import KEY_TYPES, KeyFault, PublicKey
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import line_of, nearest, unknown_version

MAX_CHAIN_ID_BYTES = 50
MAX_TOTAL_POWER = MAX_INT64 // 8
MAX_VALIDATORS = 10_000
MAX_BLOCK_BYTES = 100 * 1024 * 1024
MAX_AUTHORITY_LENGTH = 256

#: CometBFT takes this for "not set", and every node would fill in its own clock.
ZERO_TIME = "0001-01-01T00:00:00Z"

#: How many names a list of differences shows.
SHOWN = 5

Params = dict[str, dict[str, t.Any]]


@dataclass(frozen=True)
class Line:
    """What a release line of CometBFT makes of consensus parameters."""

    block_max_bytes: int
    has_authority: bool
    key_types: tuple[str, ...]
    #: What one validator's signature takes in a commit at most.
    signature_bytes: int

    @property
    def defaults(self) -> Params:
        params: Params = {
            "block": {"max_bytes": self.block_max_bytes, "max_gas": -1},
            "evidence": {
                "max_age_num_blocks": 100_000,
                "max_age_duration": 48 * 3600 * 10**9,
                "max_bytes": 1024 * 1024,
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": 0},
            "abci": {"vote_extensions_enable_height": 0},
        }
        return params | {"authority": {"authority": ""}} if self.has_authority else params


#: bls12_381 is left out: the official binaries are built without it.
LINES = {
    "0.38": Line(22020096, False, ("ed25519", "secp256k1"), 111),
    "0.39": Line(22020096, True, ("ed25519", "secp256k1"), 144),
    "0.40": Line(55600190, True, ("ed25519", "secp256k1", "ml_dsa_65", "secp256k1eth"), 3358),
}

#: What a block holds besides transactions, evidence and signatures: MaxOverheadForBlock, MaxHeaderBytes,
#: MaxCommitOverheadBytes.
BLOCK_OVERHEAD = 11 + 626 + 94


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
    pending: tuple[str, ...]

    def build(self) -> Genesis:
        return Genesis(
            chain_id=self.chain_id,
            time=self.time or now_text(),
            initial_height=self.initial_height,
            params=self.params,
            validators=self.validators,
            app_state=self.app_state,
        )


def request(
    *,
    version: str,
    chain_id: str,
    validators: Sequence[Mapping[str, t.Any]],
    power: int = 10,
    time: str | None = None,
    initial_height: int = 1,
    consensus_params: Mapping[str, t.Any] | None = None,
    app_state: Mapping[str, t.Any] | None = None,
    allow_pending: bool = False,
) -> Request:
    """Check everything that was asked; all faults are in the one error."""
    faults: list[str] = []
    line = LINES.get(line_of(version) or "")
    if line is None:
        raise FaultsError("checking the genesis", [unknown_version(version)])
    faults += _chain_faults(chain_id, initial_height)
    moment = None
    if time:
        try:
            moment = time_text(time)
        except ValueError as error:
            faults.append(f"genesis_time: {error}")
        if moment == ZERO_TIME:
            faults.append("genesis_time: CometBFT takes this time for none, and each node would fill in its own")
    asked = _overlay(consensus_params or {}, line, faults)
    params = {group: members | asked.get(group, {}) for group, members in line.defaults.items()}
    known, pending = _validators(validators, power, faults)
    if pending and not allow_pending:
        faults += [f"validator {name}: it has no pub_key" for name in pending]
    state = _canonical(app_state, faults) if app_state else None
    if not validators and state is None:
        faults.append("validators: at least one is needed, unless app_state lets the application name them")
    faults += _params_faults(params, line, known, len(validators))
    if faults:
        raise FaultsError("checking the genesis", faults)
    return Request(chain_id, moment, initial_height, params, asked, tuple(known), state, tuple(pending))


def _chain_faults(chain_id: str, initial_height: int) -> Iterable[str]:
    size = len(chain_id.encode())
    if not chain_id:
        yield "chain_id: it is empty"
    elif size > MAX_CHAIN_ID_BYTES:
        yield f"chain_id: it has {size} bytes, at most {MAX_CHAIN_ID_BYTES} are allowed"
    if not 1 <= initial_height <= MAX_INT64:
        yield f"initial_height: it is {initial_height}, allowed are 1 to {MAX_INT64}"


def _validators(
    asked: Sequence[Mapping[str, t.Any]], default_power: int, faults: list[str]
) -> tuple[list[Validator], list[str]]:
    """The validators, and the names of those without a key."""
    validators: list[Validator] = []
    pending: list[str] = []
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
        if item.get("address") and item["address"] != key.address:
            faults.append(f"{label}: its address is {item['address']}, its key's is {key.address}")
        if key.address in owners:
            faults.append(f"{label}: it has the same key as {owners[key.address]}")
        owners.setdefault(key.address, label)
        validators.append(Validator(name, key.address, key.json, power))
    if len(asked) > MAX_VALIDATORS:
        faults.append(f"validators: there are {len(asked)}, at most {MAX_VALIDATORS} can sign a block")
    if total > MAX_TOTAL_POWER:
        faults.append(f"validators: their power is {total} in all, at most {MAX_TOTAL_POWER} is allowed")
    return validators, pending


def _canonical(app_state: t.Any, faults: list[str]) -> t.Any:
    """The same for every order in which members were written."""
    try:
        return json.loads(json.dumps(app_state, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError) as error:
        faults.append(f"app_state: {error}")
        return app_state


# -- consensus parameters


def _integer(value: t.Any) -> int:
    """A number, or a number in quotes as the genesis file has it."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{value!r} is no whole number")
    if isinstance(value, str) and not re.fullmatch("-?[0-9]+", value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _duration(value: t.Any) -> int:
    try:
        return _integer(value)
    except ValueError:
        if isinstance(value, str):
            return nanoseconds(value)
        raise


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _texts(value: t.Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{value!r} is no list of texts")
    return [str(item) for item in value]


def _reader(group: str, name: str, default: t.Any) -> Callable[[t.Any], t.Any]:
    if (group, name) == ("evidence", "max_age_duration"):
        return _duration
    readers: dict[type, Callable[[t.Any], t.Any]] = {int: _integer, str: _text, list: _texts}
    return readers[type(default)]


def _overlay(asked: Mapping[str, t.Any], line: Line, faults: list[str]) -> Params:
    """What was asked of the consensus parameters, with values of the right type."""
    params: Params = {}
    for group, members in asked.items():
        known = line.defaults.get(group)
        at = f"consensus_params.{group}"
        if known is None:
            faults.append(f"{at}: {_unknown(group, line)}")
        elif not isinstance(members, Mapping):
            faults.append(f"{at}: it takes members: {', '.join(known)}")
        else:
            for name, value in members.items():
                if name not in known:
                    faults.append(f"{at}.{name}: there is no such parameter{nearest(name, known)}")
                    continue
                try:
                    params.setdefault(group, {})[name] = _reader(group, name, known[name])(value)
                except ValueError as error:
                    faults.append(f"{at}.{name}: {error}")
    return params


def _unknown(group: str, line: Line) -> str:
    others = [name for name, other in LINES.items() if group in other.defaults]
    if others:
        return f"only CometBFT {', '.join(others)} has it"
    return f"there are no such parameters{nearest(group, line.defaults)}"


def _params_faults(params: Params, line: Line, known: Sequence[Validator], count: int) -> Iterable[str]:
    """CometBFT's ConsensusParams.ValidateBasic, and what would stop the chain later."""
    block, evidence = params["block"], params["evidence"]
    size = MAX_BLOCK_BYTES if block["max_bytes"] == -1 else block["max_bytes"]
    needed = BLOCK_OVERHEAD + line.signature_bytes * count
    if size < 1:
        yield f"consensus_params.block.max_bytes: it is {size}, allowed are -1 and 1 to {MAX_BLOCK_BYTES}"
    elif size > MAX_BLOCK_BYTES:
        yield f"consensus_params.block.max_bytes: it is {size}, at most {MAX_BLOCK_BYTES} is allowed"
    elif size < needed:
        yield (
            f"consensus_params.block.max_bytes: it is {size}, but the signatures of {count} validators may take "
            f"{needed}, and the nodes would stop"
        )
    if block["max_gas"] < -1:
        yield f"consensus_params.block.max_gas: it is {block['max_gas']}, at least -1 is needed"
    for name in ("max_age_num_blocks", "max_age_duration"):
        if evidence[name] < 1:
            yield f"consensus_params.evidence.{name}: it is {evidence[name]}, at least 1 is needed"
    if evidence["max_bytes"] < 0 or evidence["max_bytes"] > size > 0:
        yield f"consensus_params.evidence.max_bytes: it is {evidence['max_bytes']}, allowed are 0 to {size} (a block)"
    yield from _key_type_faults(params["validator"]["pub_key_types"], line, known)
    if not 0 <= params["version"]["app"] < 2**64:
        yield f"consensus_params.version.app: it is {params['version']['app']}, allowed are 0 to {2**64 - 1}"
    height = params["abci"]["vote_extensions_enable_height"]
    if height < 0:
        yield f"consensus_params.abci.vote_extensions_enable_height: it is {height}, at least 0 is needed"
    length = len(params.get("authority", {}).get("authority", "").encode())
    if length > MAX_AUTHORITY_LENGTH:
        yield f"consensus_params.authority.authority: it has {length} bytes, at most {MAX_AUTHORITY_LENGTH} are allowed"
    for group, members in params.items():
        for name, value in members.items():
            if isinstance(value, int) and value > MAX_INT64 and (group, name) != ("version", "app"):
                yield f"consensus_params.{group}.{name}: it is {value}, at most {MAX_INT64} is allowed"


def _key_type_faults(allowed: Sequence[str], line: Line, validators: Sequence[Validator]) -> Iterable[str]:
    at = "consensus_params.validator.pub_key_types"
    unknown = [name for name in allowed if name not in line.key_types]
    names = {kind.public_type: kind.name for kind in KEY_TYPES}
    used = {names[v.pub_key["type"]] for v in validators}
    if unknown or not allowed:
        what = f"this version does not know {', '.join(unknown)}" if unknown else "it is empty"
        yield f"{at}: {what}; known: {', '.join(line.key_types)}"
    elif not used <= set(allowed):
        yield f"{at}: it allows {', '.join(allowed)}, but validators have {', '.join(sorted(used - set(allowed)))}"


# -- a genesis that exists


def parse(text: str, where: str) -> Genesis:
    """Read a genesis that CometBFT accepts, whoever wrote it."""
    try:
        document = json.loads(text)
        params = {
            group: {
                name: _reader(group, name, _KNOWN[group, name])(value) if (group, name) in _KNOWN else value
                for name, value in members.items()
            }
            for group, members in (document.get("consensus_params") or {}).items()
        }
        return Genesis(
            chain_id=_text(document["chain_id"]),
            time=time_text(document["genesis_time"]),
            initial_height=_integer(document.get("initial_height", 1)) or 1,
            params=params,
            validators=tuple(
                Validator(
                    name=item.get("name") or "",
                    address=item.get("address") or "",
                    pub_key={member: _text(item["pub_key"][member]) for member in ("type", "value")},
                    power=_integer(item["power"]),
                )
                for item in document.get("validators") or []
            ),
            app_state=document.get("app_state"),
            app_hash=document.get("app_hash") or "",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else error
        raise MintnetError(f"reading the genesis in {where}: {cause}; restore it, or reset the network") from error


#: One default of every parameter, which shows its type.
_KNOWN = {
    (group, name): value
    for line in LINES.values()
    for group, members in line.defaults.items()
    for name, value in members.items()
}


def differences(live: Genesis, asked: Request) -> list[str]:
    """What sets the chain that lives apart from the one asked for, in words; nothing where they are the same.

    What nobody asked for may be as any supported version has it by default, so that a chain can be updated. The time
    counts only if it was asked for.
    """

    def differs(what: str, there: t.Any, wanted: t.Any) -> list[str]:
        return [] if there == wanted else [f"{what}: the live chain has {there}, asked is {wanted}"]

    found = differs("chain_id", live.chain_id, asked.chain_id)
    if asked.time:
        found += differs("genesis_time", live.time, asked.time)
    found += differs("initial_height", live.initial_height, asked.initial_height)
    found += _validator_differences(live, asked)
    for group, name in _KNOWN:
        there = live.params.get(group, {}).get(name)
        what = f"consensus_params.{group}.{name}"
        if name in asked.asked_params.get(group, {}):
            found += differs(what, _KNOWN[group, name] if there is None else there, asked.params[group][name])
        elif there is not None and all(there != line.defaults.get(group, {}).get(name) for line in LINES.values()):
            wanted = asked.params.get(group, {}).get(name)
            found.append(f"{what}: the live chain has {there}, asked is the default{f' {wanted}' if wanted else ''}")
    if live.app_state != asked.app_state:
        found.append(
            "app_state: "
            + ("the live chain has none" if live.app_state is None else f"the live chain's {_digest(live.app_state)}")
            + (", asked is none" if asked.app_state is None else f", the one asked for {_digest(asked.app_state)}")
        )
    return found


def _digest(app_state: t.Any) -> str:
    text = json.dumps(app_state, sort_keys=True)
    return f"has the SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:12]}…"


def _validator_differences(live: Genesis, asked: Request) -> list[str]:
    def by_key(validators: Iterable[Validator]) -> dict[tuple[str, str], Validator]:
        return {(v.pub_key["type"], v.pub_key["value"]): v for v in validators}

    there, wanted = by_key(live.validators), by_key(asked.validators)
    missing = [str(v) for key, v in wanted.items() if key not in there]
    missing += [f"{name} (its key is still to be made)" for name in asked.pending]
    surplus = [str(v) for key, v in there.items() if key not in wanted]
    powers = [
        f"{wanted[key]} has power {v.power}, asked is {wanted[key].power}"
        for key, v in there.items()
        if key in wanted and v.power != wanted[key].power
    ]
    if not (missing or surplus or powers):
        return []
    count = len(asked.validators) + len(asked.pending)
    parts = [f"the live chain has {len(live.validators)} genesis validators, asked are {count}"]
    parts += [f"only in the live chain: {_some(surplus)}"] if surplus else []
    parts += [f"only asked for: {_some(missing)}"] if missing else []
    return [f"validators: {', '.join(parts + ([_some(powers)] if powers else []))}"]


def _some(items: Sequence[str]) -> str:
    shown = ", ".join(items[:SHOWN])
    return f"{shown} and {len(items) - SHOWN} more" if len(items) > SHOWN else shown


# -- storing it


class Store(t.Protocol):
    """Where the one genesis of a chain lies. It is created, and never changed."""

    def read(self) -> str | None:
        """Its text, or None where there is none."""

    def create(self, text: str) -> bool:
        """Store it; False where somebody else has, meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """The genesis that counts, None as long as keys are missing; ``before`` is the text that was stored already."""

    before: str | None
    after: str | None
    genesis: Genesis | None


def settle(store: Store | None, asked: Request, *, dry_run: bool) -> Outcome:
    """Store the genesis where there is none, and make sure that one that exists is the one asked for."""
    before = store.read() if store else None
    if before is None:
        if asked.pending:
            return Outcome(None, None, None)
        genesis = asked.build()
        if store is None or dry_run or store.create(genesis.text):
            return Outcome(None, genesis.text, genesis)
        before = store.read()
        if before is None:
            raise MintnetError(f"storing the genesis in {store}: it came and went while this ran; run this again")
    live = parse(before, str(store))
    found = differences(live, asked)
    if found:
        raise MintnetError(
            f"comparing the genesis with the one in {store}: it is another chain (nothing was changed): "
            + "; ".join(found)
            + "; a genesis never changes: ask for the same again, or use reset for a new chain",
            differences=found,
        )
    return Outcome(before, before, live)
