# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module cometbft_keys is asked about keys: their types, those that are brought, those that are to go."""

from __future__ import annotations

import hashlib
import re
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_ensure import Entry, Wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import KeyType, line_fault, type_named
from ansible_collections.mintnet.kubernetes.plugins.module_utils._keys import (
    ED25519,
    KeyFault,
    Kind,
    PrivateKey,
    PublicKey,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import line_of, nearest, unknown_version

#: Gives the values of the Secret of a namespace and a name.
ReadSecret = Callable[[str, str], "t.Mapping[str, t.Any] | None"]

#: The options of a source, by the key that they are about.
OPTIONS = {Kind.VALIDATOR: "validator_key", Kind.NODE: "node_key"}

SOURCE_SPEC: dict[str, dict[str, t.Any]] = {
    "node": {"type": "str", "required": True},
    "validator_key": {"type": "json", "no_log": True},
    "validator_key_file": {"type": "str", "no_log": False},
    "validator_key_entry": {"type": "str", "no_log": False},
    "node_key": {"type": "json", "no_log": True},
    "node_key_file": {"type": "str", "no_log": False},
    "node_key_entry": {"type": "str", "no_log": False},
    "secret": {"type": "str", "no_log": False},
    "secret_namespace": {"type": "str", "no_log": False},
    "pub_key": {"type": "dict", "no_log": False},
}

SPEC: dict[str, dict[str, t.Any]] = {
    "version": {"type": "str"},
    "key_type": {"type": "str", "no_log": False},
    "key_types": {"type": "dict", "default": {}, "no_log": False},
    "sources": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": SOURCE_SPEC,
        "mutually_exclusive": [
            ("validator_key", "validator_key_file", "validator_key_entry", "pub_key"),
            ("node_key", "node_key_file", "node_key_entry"),
        ],
        "required_by": {"validator_key_entry": "secret", "node_key_entry": "secret", "secret_namespace": "secret"},
    },
    "known": {"type": "list", "elements": "str", "default": []},
    "seed": {"type": "str", "no_log": False},
    "insecure": {"type": "bool", "default": False},
    "regenerate": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "node": {"type": "str", "required": True},
            "address": {"type": "str"},
            "node_id": {"type": "str"},
        },
        "required_one_of": [("address", "node_id")],
    },
}

_ID = re.compile(r"[0-9A-Fa-f]{40}")


@dataclass
class Request:
    """``insecure`` names the nodes whose keys anybody can make who knows the seed."""

    wanted: Wanted
    insecure: list[str] = field(default_factory=list)


def request(params: dict[str, t.Any], names: Sequence[str], read: ReadSecret, faults: list[str]) -> Request:
    """What is asked of these nodes' keys. Whatever is wrong with it is added to the faults."""
    line = line_of(params["version"]) if params["version"] is not None else None
    if params["version"] is not None and line is None:
        faults.append(unknown_version(params["version"]))
    types = _types(params, names, line, faults)
    given, elsewhere = _sources(params, names, read, faults)
    insecure = _derive(params, names, types, given, elsewhere, faults)
    replace = dict(_regenerate(params["regenerate"], names, faults))
    return Request(Wanted(names, types, line, given, elsewhere, replace, params["known"]), insecure)


def _strange(option: str, name: str, names: Sequence[str]) -> str:
    return f"{option}: {name} is none of the nodes{nearest(name, names)}"


def _types(
    params: dict[str, t.Any], names: Sequence[str], line: str | None, faults: list[str]
) -> Mapping[str, KeyType]:
    types: dict[str, KeyType] = {}
    asked = {"key_type": params["key_type"]} if params["key_type"] is not None else {}
    asked |= {f"key_types.{name}": kind for name, kind in params["key_types"].items()}
    faults += [_strange("key_types", str(name), names) for name in params["key_types"] if name not in names]
    for option, name in asked.items():
        try:
            kind = type_named(str(name))
        except ValueError as error:
            faults.append(f"{option}: {error}")
            continue
        fault = line_fault(kind, line) if line else None
        if fault:
            faults.append(f"{option}: {fault}")
        types |= dict.fromkeys(names if option == "key_type" else [option.removeprefix("key_types.")], kind)
    return types


# --- brought keys


def _sources(
    params: dict[str, t.Any], names: Sequence[str], read: ReadSecret, faults: list[str]
) -> tuple[dict[Entry, PrivateKey], dict[str, PublicKey]]:
    given: dict[Entry, PrivateKey] = {}
    elsewhere: dict[str, PublicKey] = {}
    seen: set[str] = set()
    for source in params["sources"]:
        name, at = source["node"], f"sources, {source['node']}"
        if name not in names:
            faults.append(_strange("sources", name, names))
        if name in seen:
            faults.append(f"{at}: it is there twice")
        seen.add(name)
        faults += [f"{at}: {fault}" for fault in _bring(source, params["namespace"], read, given, elsewhere)]
    return given, elsewhere


def _bring(
    source: Mapping[str, t.Any],
    namespace: str | None,
    read: ReadSecret,
    given: dict[Entry, PrivateKey],
    elsewhere: dict[str, PublicKey],
) -> Iterator[str]:
    """Add the keys of one source; yields what is wrong with it."""
    if all(value is None for option, value in source.items() if option not in ("node", "secret", "secret_namespace")):
        yield "it brings nothing: name a file, a text, an entry of a Secret, or a public key"
    for kind, option in OPTIONS.items():
        try:
            found = _text(source, option, namespace, read)
        except ValueError as fault:
            yield str(fault)
            continue
        if found is None:
            continue
        origin, text = found
        try:
            given[Entry(source["node"], kind)] = kind.read_private(text)
        except KeyFault as fault:
            yield f"{origin}: {fault}"
    if source["pub_key"] is not None:
        try:
            elsewhere[source["node"]] = PublicKey.parse(source["pub_key"])
        except KeyFault as fault:
            yield str(fault)


def _text(source: Mapping[str, t.Any], option: str, namespace: str | None, read: ReadSecret) -> tuple[str, str] | None:
    """The text of one key and where it is from. A ValueError says why there is none."""
    if source[f"{option}_file"] is not None:
        raise ValueError(f"{option}_file: only a task can read it, on the controller; give the text as {option}")
    if source[f"{option}_entry"] is not None:
        entry = source[f"{option}_entry"]
        return _entry(source["secret"], source["secret_namespace"] or namespace, entry, read)
    return None if source[option] is None else (option, source[option])


def file_faults(sources: Sequence[Mapping[str, t.Any]], version: str, read: Callable[[str], str]) -> Iterator[str]:
    """What is wrong with the files that the role's variable names, of which nothing is shown.

    ``read`` gives the text of one; a ValueError says why there is none.
    """
    line = line_of(version)
    for number, source in enumerate(sources):
        for kind, option in OPTIONS.items():
            path = source.get(f"{option}_file")
            if not isinstance(path, str):
                continue
            at = f"cometbft_key_sources[{number}].{option}_file = {path!r}"
            try:
                key = kind.read_private(read(path))
                fault = line_fault(key.type, line) if line else None
            except (ValueError, MissingLibraryError) as error:
                fault = str(error)
            if fault:
                yield f"{at}: must be a file such as CometBFT's {kind.value}; {fault}"


def _entry(secret: str, namespace: str | None, entry: str, read: ReadSecret) -> tuple[str, str]:
    if namespace is None:
        raise ValueError(f"secret {secret}: name its namespace with secret_namespace")
    origin = f"Secret {namespace}/{secret}, {entry}"
    values = read(namespace, secret)
    if values is None:
        raise ValueError(f"there is no Secret {namespace}/{secret}")
    if entry not in values:
        raise ValueError(f"{origin}: there is no such entry{nearest(entry, values)}")
    if values[entry] is None:
        raise ValueError(f"{origin}: it is no text")
    return origin, values[entry]


# --- keys from a seed


def _derive(
    params: dict[str, t.Any],
    names: Sequence[str],
    types: Mapping[str, KeyType],
    given: dict[Entry, PrivateKey],
    elsewhere: Mapping[str, PublicKey],
    faults: list[str],
) -> list[str]:
    """Add what the seed gives for all that is not brought; the names of these nodes."""
    seed = params["seed"]
    if seed is None:
        return []
    if not params["insecure"]:
        faults.append(
            "seed: whoever knows it has all private keys, so it is for tests only: confirm with insecure: true"
        )
        return []
    if not seed:
        faults.append("seed: it is empty")
    derived: list[str] = []
    for name in names:
        for kind in Kind:
            entry = Entry(name, kind)
            if entry in given or (kind is Kind.VALIDATOR and name in elsewhere):
                continue
            key_type = types.get(name, ED25519) if kind is Kind.VALIDATOR else ED25519
            given[entry] = PrivateKey.derive(key_type, _seed(seed, name, kind))
            derived.append(name)
    return list(dict.fromkeys(derived))


def _seed(seed: str, name: str, kind: Kind) -> bytes:
    """Other bytes for every node and key. Neither names nor kinds hold a zero byte."""
    parts = (b"mintnet insecure key", name.encode(), kind.encode(), seed.encode("utf-8", "surrogatepass"))
    return hashlib.sha256(b"\0".join(parts)).digest()


# --- keys that are to go


def _regenerate(
    asked: Sequence[Mapping[str, t.Any]], names: Sequence[str], faults: list[str]
) -> Iterator[tuple[Entry, str]]:
    seen: set[Entry] = set()
    for item in asked:
        name = item["node"]
        if name not in names:
            faults.append(_strange("regenerate", name, names))
        for kind, option in ((Kind.VALIDATOR, "address"), (Kind.NODE, "node_id")):
            old_id = item[option]
            if old_id is None:
                continue
            entry = Entry(name, kind)
            if not _ID.fullmatch(old_id):
                faults.append(f"regenerate, {name}: {option} {old_id!r} is not 40 hexadecimal digits")
            if entry in seen:
                faults.append(f"regenerate, {name}: {option} is there twice")
            seen.add(entry)
            yield entry, old_id.upper() if kind is Kind.VALIDATOR else old_id.lower()
