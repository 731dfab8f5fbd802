# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of a run's variables at once: unknown names, wrong types, values that no role can use.

Types come from the roles' argument specifications; what a type cannot say stands in ``CHECKS`` (one variable, in
_values) and ``RELATIONS`` (several, in _relations). Text for the user says what is allowed and never shows a secret.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import inspect
import itertools
import math
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import nearest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._relations import CONTENTS, RELATIONS
from ansible_collections.mintnet.kubernetes.plugins.module_utils._values import CHECKS

Spec = Mapping[str, t.Any]

# Facts and variables of machines that our own plays set; they may outlive a run in a cache of facts.
OWN = frozenset(
    {
        "mintnet_plan",
        "mintnet_cluster_required",
        "mintnet_makes_chain",
        "mintnet_artifacts",
        "mintnet_artifacts_shared",
        "mintnet_machine",
        "kubeadm_access",
        "machines_surplus",
    }
)

# Ansible's own variables that would be ours with a prefix.
ANSIBLES = frozenset({"groups"})

# The collection installs one version of these, their default.
PINNED = frozenset({"kubeadm_version"})

SHOWN = 80

_NAME = re.compile(r"[a-z]\w+", re.ASCII)
_PASSWORD = re.compile(r"(?<=://)[^/\s]*@")
_SECRET = re.compile(r"password|passwd|token|secret|mnemonic|private|credential|_key", re.IGNORECASE)

TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "path": "a path",
    "list": "a list",
    "dict": "a mapping",
    "raw": "a value",
}


@dataclasses.dataclass(frozen=True)
class Known:
    """What the roles take: options by name, and the prefixes that belong to us."""

    options: Mapping[str, Spec]
    prefixes: frozenset[str]


def read_known(roles: Path) -> Known:
    """All entry points of all roles below the folder, with the defaults that the roles give."""
    options: dict[str, Spec] = {}
    prefixes = {"mintnet_"}
    for role in sorted(roles.iterdir()):
        defaults = _read(role / "defaults" / "main.yml")
        for entry_point in _read(role / "meta" / "argument_specs.yml").get("argument_specs", {}).values():
            for name, spec in (entry_point.get("options") or {}).items():
                # A specification leaves out defaults that are computed and no text.
                options[name] = {**spec, **({"default": defaults[name]} if name in defaults else {})}
        prefixes.add(f"{role.name}_")
    return Known(options, frozenset(prefixes))


def _read(file: Path) -> dict[str, t.Any]:
    if not file.exists():
        return {}
    with file.open(encoding="utf-8") as stream:
        return yaml_load(stream) or {}


# Names


def unknown_names(names: Iterable[str], known: Known) -> list[str]:
    """Names that begin like ours and are none."""
    faults = []
    for name in sorted(names):
        if name in known.options or name in OWN or not name.startswith(tuple(known.prefixes)):
            continue
        faults.append(f"{name}: there is no such variable{_meant(name, known.options)}")
    return faults


def _meant(name: str, options: Iterable[str]) -> str:
    """'; did you mean X?' for the most similar name, or the names that are nearly as similar."""
    rated = [(difflib.SequenceMatcher(None, name, option).ratio(), option) for option in options]
    best = max(rated, default=(0.0, ""))[0]
    close = [option for ratio, option in sorted(rated, reverse=True) if ratio > max(best - 0.04, 0.6)]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def doubtful_names(names: Iterable[str], known: Known) -> list[str]:
    """Names that do not begin like ours, but lack only that, or hardly differ from one of ours."""
    doubts = []
    for name in sorted(names):
        if name.startswith(("_", "ansible_", *known.prefixes)) or name in ANSIBLES:
            continue
        near = [full for prefix in known.prefixes if (full := prefix + name) in known.options]
        if not near and "_" in name.strip("_"):
            near = difflib.get_close_matches(name, known.options, n=1, cutoff=0.92)
        if near:
            doubts.append(f"{name} is not a variable of this collection; was {' or '.join(sorted(near))} meant?")
    return doubts


# Types


def show(name: str, value: t.Any, spec: Spec) -> str:
    """The value for a message: short, and never a secret."""
    if spec.get("no_log") or (spec.get("no_log") is None and _SECRET.search(name)):
        return "(hidden)"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    text = repr(_PASSWORD.sub("…@", str(value))) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def expected(spec: Spec) -> str:
    kind = spec.get("type", "str")
    if choices := spec.get("choices"):
        return "one of " + ", ".join(str(choice) for choice in choices)
    if kind == "list" and spec.get("elements"):
        return f"a list, each item {TYPES[spec['elements']]}"
    return TYPES[kind]


def _is_of(kind: str, value: t.Any) -> bool:
    """Refuses what Ansible would convert, but hand to the role unconverted."""
    if isinstance(value, bool):
        return kind in ("bool", "raw")
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if kind == "list":
        return isinstance(value, Sequence) and not isinstance(value, str)
    if kind == "dict":
        return isinstance(value, Mapping)
    return kind == "raw" or isinstance(value, str | int | float)


def check_type(name: str, value: t.Any, spec: Spec) -> tuple[t.Any, list[str]]:
    """The value in its type, and the faults of it and of everything in it."""
    kind = spec.get("type", "str")
    if value is None and spec.get("default") is None:
        return None, []
    wrong = f"{name} = {show(name, value, spec)}: must be {expected(spec)}"
    if value is None or not _is_of(kind, value):
        # YAML makes a time of what looks like one.
        return None, [f"{wrong}, in quotes" if isinstance(value, datetime.date) else wrong]

    verdict = ArgumentSpecValidator({name: {"type": kind, "choices": spec.get("choices")}}).validate({name: value})
    if verdict.error_messages:
        return None, [wrong + nearest(str(value), map(str, spec.get("choices") or []))]

    faults: list[str] = []
    if kind == "dict" and spec.get("options"):
        faults = _check_entries(name, value, spec["options"])
    elif kind == "list" and spec.get("elements"):
        item_spec = {"type": spec["elements"], **{key: spec[key] for key in ("options", "no_log") if key in spec}}
        for number, item in enumerate(value):
            faults += check_type(f"{name}[{number}]", item, item_spec)[1]
    return verdict.validated_parameters[name], faults


def _check_entries(name: str, value: Mapping[t.Any, t.Any], options: Mapping[str, Spec]) -> list[str]:
    faults = []
    for key, entry in value.items():
        if key in options:
            faults += check_type(f"{name}.{key}", entry, options[key])[1]
        else:
            near = nearest(str(key), options) or f"; there are {', '.join(options)}"
            faults.append(f"{name}.{key}: there is no such entry{near}")
    faults += [
        f"{name}.{key}: missing; must be {expected(spec)}"
        for key, spec in options.items()
        if spec.get("required") and key not in value
    ]
    return faults


# Values

_PARAMETERS = {relation: tuple(inspect.signature(relation).parameters) for relation in (*RELATIONS, *CONTENTS)}
RELATED = frozenset(itertools.chain.from_iterable(_PARAMETERS.values()))


def given_names(variables: Mapping[str, t.Any], known: Known) -> set[str]:
    """Without those that a play has from a role's defaults and that only repeat another variable."""

    def repeats(name: str) -> bool:
        default = known.options[name].get("default")
        if default != variables[name] or not isinstance(default, str):
            return False
        return "{{" in default and not known.options.keys().isdisjoint(_NAME.findall(default))

    return {name for name in known.options.keys() & variables.keys() if not repeats(name)}


def check_values(
    given: Mapping[str, t.Any], defaults: Mapping[str, t.Any], known: Known, *, contents: bool = False
) -> list[str]:
    """Faults of the values that were given; defaults are what the others have, for the relations.

    With ``contents`` the files that are named are read, too.
    """
    faults: list[str] = []
    sound: dict[str, t.Any] = {}
    for name, value in {**defaults, **given}.items():
        spec = known.options[name]
        typed, found = check_type(name, value, spec)
        if not found and typed is not None and (wanted := _verdict(name, typed, spec)):
            found = [f"{name} = {show(name, value, spec)}: must be {wanted}"]
        if not found:
            sound[name] = typed
        elif name in given:  # a default is only as bad as what it builds on, which is told
            faults += found
    for relation, names in _PARAMETERS.items():
        if relation in CONTENTS and not contents:
            continue
        if not given.keys().isdisjoint(names) and all(sound.get(name) is not None for name in names):
            faults += relation(**{name: sound[name] for name in names})
    return faults


def _verdict(name: str, value: t.Any, spec: Spec) -> str | None:
    if name in PINNED and value != spec["default"]:
        return f"{spec['default']}, the version that this collection installs"
    return CHECKS[name](value) if name in CHECKS else None
