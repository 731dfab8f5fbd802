# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A genesis that exists: read as CometBFT reads it, and checked before a chain is begun with it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import merge, ordered, read_json
from ansible_collections.mintnet.kubernetes.plugins.module_utils._consensus_params import (
    KNOWN,
    Params,
    as_read,
    ignored,
    limit_faults,
    overlay,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis import (
    Genesis,
    Request,
    Validator,
    chain_faults,
    line_for,
    read_time,
    read_validators,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_compare import differences
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_sdk import is_sdk, plain
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import MAX_INT64, json_text, time_text

_MEMBERS = {
    "genesis_time",
    "chain_id",
    "initial_height",
    "consensus_params",
    "validators",
    "app_hash",
    "app_state",
}


class Fields:
    """The members of one object. As with CometBFT, what is missing or null is empty, and 64-bit numbers are in quotes.

    Whatever is wrong becomes a fault, and the value is empty.
    """

    def __init__(self, document: t.Any, at: str, faults: list[str]) -> None:
        self._at = at
        self._faults = faults
        if not isinstance(document, dict):
            self.fault("", "it is no object")
            document = {}
        self.members: dict[str, t.Any] = document

    def fault(self, name: str, text: str) -> None:
        at = ".".join(part for part in (self._at, name) if part)
        self._faults.append(f"{at}: {text}" if at else text)

    def text(self, name: str) -> str:
        value = self.members.get(name)
        if value is not None and not isinstance(value, str):
            self.fault(name, f"{value!r} is no text")
        return value if isinstance(value, str) else ""

    def number(self, name: str, most: int = MAX_INT64) -> int:
        value = self.members.get(name)
        if value is None:
            return 0
        if not isinstance(value, str) or not re.fullmatch("0|-?[1-9][0-9]{0,19}", value, re.ASCII):
            self.fault(name, f"{_short(value)} is no whole number in quotes")
            return 0
        if not -MAX_INT64 - 1 <= int(value) <= most:
            self.fault(name, f"{value} is beyond {most}")
            return 0
        return int(value)

    def texts(self, name: str) -> list[str]:
        value = self.members.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fault(name, f"{_short(value)} is no list of texts")
            return []
        return value

    def fields(self, name: str) -> Fields:
        value = self.members.get(name)
        at = ".".join(part for part in (self._at, name) if part)
        return Fields({} if value is None else value, at, self._faults)


def _short(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:60]}…"


def parse(text: str, where: str) -> Genesis:
    """Read a genesis that CometBFT accepts, whoever wrote it; what makes it unreadable is all in the one error."""
    document, faults = _document(text)
    genesis = _genesis(plain(document), faults)
    if faults:
        error = FaultsError(f"reading the genesis in {where}", faults)
        raise MintnetError(f"{error}; restore it, or reset the network", faults=error.faults)
    return genesis


def _document(text: str, *, exact: bool = False) -> tuple[dict[str, t.Any], list[str]]:
    try:
        document = read_json(text, exact=exact)
    except ValueError as error:
        return {}, [str(error)]
    if not isinstance(document, dict):
        return {}, ["it is no JSON object"]
    return document, []


def _genesis(document: dict[str, t.Any], faults: list[str]) -> Genesis:
    """The genesis in a document; anything goes where there are faults already."""
    if faults:
        return Genesis("", "", 1, {}, ())
    fields = Fields(document, "", faults)
    time = fields.text("genesis_time")
    try:
        if not re.fullmatch(r"[-0-9]+T[:0-9]+(\.[0-9]+)?Z", time):
            raise ValueError(f"{_short(time)} is not a time like 2026-01-01T12:00:00Z")
        time = time_text(time)
    except ValueError as error:
        fields.fault("genesis_time", str(error))
    if not fields.text("chain_id"):
        fields.fault("chain_id", "it is missing")
    app_hash = fields.text("app_hash")
    if not re.fullmatch("([0-9A-Fa-f]{2})*", app_hash):
        fields.fault("app_hash", f"{_short(app_hash)} is no text of hexadecimal digits")
    return Genesis(
        chain_id=fields.text("chain_id"),
        time=time,
        initial_height=fields.number("initial_height") or 1,
        params=_params(fields.fields("consensus_params"), faults),
        validators=_validators(fields, faults),
        app_state=document.get("app_state"),
        app_hash=app_hash,
    )


def _params(groups: Fields, faults: list[str]) -> Params:
    """Members that no supported version knows are kept as they are."""
    params: Params = {}
    for group in groups.members:
        fields = groups.fields(group)
        params[group] = dict(fields.members)
        for name, value in fields.members.items():
            default = KNOWN.get((group, name))
            if isinstance(default, int):
                params[group][name] = fields.number(
                    name, 2**64 - 1 if (group, name) == ("version", "app") else MAX_INT64
                )
            elif isinstance(default, list):
                params[group][name] = fields.texts(name)
            elif isinstance(default, str):
                params[group][name] = fields.text(name)
            elif isinstance(value, int) and not isinstance(value, bool):
                params[group][name] = value
    return params


def _validators(fields: Fields, faults: list[str]) -> tuple[Validator, ...]:
    items = fields.members.get("validators") or []
    if not isinstance(items, list):
        fields.fault("validators", f"{_short(items)} is no list")
        return ()
    validators = []
    for number, item in enumerate(items):
        one = Fields(item, f"validators[{number}]", faults)
        key = one.fields("pub_key")
        pub_key = {name: key.text(name) for name in ("type", "value")}
        if isinstance(item, dict) and not all(pub_key.values()):
            one.fault("pub_key", "it is missing, or has no type and value")
        validators.append(Validator(one.text("name"), one.text("address"), pub_key, one.number("power")))
    return tuple(validators)


def existing(
    text: str,
    where: str,
    *,
    version: str,
    chain_id: str,
    time: str | None = None,
    initial_height: int | None = None,
    consensus_params: Mapping[str, t.Any] | None = None,
    validators: Sequence[Mapping[str, t.Any]] | None = None,
    power: int = 10,
    app_state: t.Any = None,
    app_state_patch: Mapping[str, t.Any] | None = None,
    sdk: bool = False,
    block_bytes: int | None = None,
    faults: Sequence[str] = (),
) -> Request:
    """Check a genesis that exists, and that it is the one asked for; what nobody asked for may be as it likes.

    With ``sdk`` it may have the Cosmos SDK's own form. ``block_bytes`` is what a block may have at most.

    Its bytes are kept. Only a patch of its app_state writes it anew, with the new app_state in place of its own.
    """
    line = line_for(version)
    doing = f"checking the genesis in {where}"
    written, found = _document(text, exact=bool(app_state_patch))
    if is_sdk(written) and not sdk:
        found.append("consensus: this is the form of the Cosmos SDK's own genesis, which CometBFT does not read")
    document = plain(written)
    genesis = _genesis(document, found)
    if found:
        raise FaultsError(doing, [*faults, *found])

    found = [*faults, *chain_faults(genesis.chain_id, genesis.initial_height)]
    read_time(genesis.time, found)
    _all, _none, used = read_validators([v.public for v in genesis.validators], 0, line, found)
    params = None if document.get("consensus_params") is None else genesis.params
    read = as_read(params, line)
    found += limit_faults(read, line, used, len(genesis.validators))
    size = read["block"]["max_bytes"]
    if block_bytes and not 0 < size <= block_bytes:
        found.append(f"consensus_params.block.max_bytes: it is {size}, at most {block_bytes} is allowed here")

    asked: list[str] = []
    if time:
        time = read_time(time, asked)
    asked_params = overlay(consensus_params or {}, line, asked)
    wanted = Request(
        chain_id=chain_id,
        time=time,
        initial_height=genesis.initial_height if initial_height is None else initial_height,
        params=genesis.params | {group: genesis.params.get(group, {}) | asked_params[group] for group in asked_params},
        asked_params=asked_params,
        validators=genesis.validators,
        app_state=ordered(app_state, asked) if app_state else genesis.app_state,
    )
    if validators:
        known, pending, _used = read_validators(validators, power, line, asked)
        wanted = replace(wanted, validators=tuple(known), pending=tuple(pending))
    found += asked or differences(genesis, wanted, "the source")

    if app_state_patch:
        state = ordered(merge(genesis.app_state, app_state_patch), found)
        genesis = replace(genesis, app_state=state)
        text = json_text(written | {"app_state": state}, indent=2)
    if not genesis.validators and not genesis.app_state:
        found.append("validators: at least one is needed, unless app_state lets the application name them")
    if found:
        raise FaultsError(doing, found)
    over = [name for name in document if name not in _MEMBERS] + ignored(genesis.params, line)
    return Request(
        chain_id=chain_id,
        time=genesis.time,
        initial_height=genesis.initial_height,
        params=genesis.params,
        asked_params=genesis.params,
        validators=genesis.validators,
        app_state=genesis.app_state,
        text=text,
        warnings=tuple(f"the genesis in {where} sets {name}, which CometBFT {version} reads over" for name in over),
    )
