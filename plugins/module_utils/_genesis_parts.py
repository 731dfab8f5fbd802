# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A genesis in ConfigMaps: whole in one where it fits, else compressed and cut, with a head that says how it is whole.

The script of the init container puts it together in the pod in the same way.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import typing as t
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import json_text

Json = dict[str, t.Any]

#: In the head: the genesis itself, or the names of the parts, one a line, and the whole's sum as sha256sum writes it.
KEY, PARTS, SUM = "genesis.json", "genesis.parts", "genesis.sha256"
#: Instead of them: what pods that make their own keys make the genesis of. Its validators have a line each, with name
#: and power, so that their number can be changed by hand before anything is made of it.
TEMPLATE, VALIDATORS = "genesis.template", "validators"

#: What Kubernetes allows as the sum of a ConfigMap's values.
CONFIG_MAP_LIMIT = 1024 * 1024
PART_BYTES = 1000 * 1024
#: Every pod fetches all of them, and holds what comes out of them in memory.
MAX_PARTS = 32


@dataclass(frozen=True)
class Packed:
    """The data of the head, and the bytes of each part by its name."""

    head: dict[str, str]
    parts: dict[str, bytes] = field(default_factory=dict)


def pack(name: str, text: str) -> Packed:
    """What the ConfigMap of this name holds, and further ones.

    The parts are named by what is in them: runs at once that have different genesis files do not meet in them.
    """
    whole = text.encode()
    if len(whole) <= CONFIG_MAP_LIMIT:
        return Packed({KEY: text})
    small = gzip.compress(whole, mtime=0)
    pieces = [small[start : start + PART_BYTES] for start in range(0, len(small), PART_BYTES)]
    if len(pieces) > MAX_PARTS:
        raise MintnetError(
            f"writing ConfigMap {name}: the genesis has {len(whole)} bytes, compressed {len(small)}, and at most "
            f"{MAX_PARTS * PART_BYTES} can be given to pods; make its app_state smaller"
        )
    stem = f"{name}-{hashlib.sha256(small).hexdigest()[:10]}"
    parts = {f"{stem}-{number}": piece for number, piece in enumerate(pieces, 1)}
    names = "".join(f"{part}\n" for part in parts)
    return Packed({PARTS: names, SUM: f"{hashlib.sha256(whole).hexdigest()}  {KEY}\n"}, parts)


def part_names(head: Mapping[str, str]) -> list[str]:
    return head.get(PARTS, "").split()


def unpack(doing: str, head: Mapping[str, str], part: Callable[[str], Json | None]) -> str:
    """The genesis that a head leads to; ``part`` gives the ConfigMap of a name."""
    if KEY in head:
        return head[KEY]
    names = part_names(head)
    pieces = []
    for name in names:
        found = part(name)
        if found is None:
            raise MintnetError(
                f"{doing}: its ConfigMap {name} is missing; bring it back, or start a new chain with reset"
            )
        pieces.append(base64.b64decode((found.get("binaryData") or {}).get(name, "")))
    try:
        whole = gzip.decompress(b"".join(pieces))
        text = whole.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise MintnetError(
            f"{doing}: what {', '.join(names)} hold together is damaged ({error}); start a new chain with reset"
        ) from error
    if head.get(SUM, "").split()[:1] != [hashlib.sha256(whole).hexdigest()]:
        raise MintnetError(f"{doing}: its parts do not give what {SUM} says; start a new chain with reset")
    return text


def whole(doing: str, head: Mapping[str, str], config_maps: Iterable[Json]) -> str | None:
    """The genesis out of ConfigMaps that were read already; None where there is none."""
    if KEY not in head and PARTS not in head:
        return None
    by_name = {item["metadata"]["name"]: item for item in config_maps}
    return unpack(doing, head, by_name.get)


def template_head(text: str) -> dict[str, str]:
    """What a ConfigMap holds of a template, whose validators have neither address nor key."""
    document = json.loads(text)
    lines = "".join(f"{item['name']} {item['power']}\n" for item in document["validators"])
    return {TEMPLATE: json_text({**document, "validators": []}, indent=2), VALIDATORS: lines}


def template_of(doing: str, head: Mapping[str, str]) -> str:
    """The template that a ConfigMap holds, with its validators in it."""
    try:
        document = json.loads(head[TEMPLATE])
        validators = [line.split() for line in head.get(VALIDATORS, "").splitlines() if line.strip()]
        document["validators"] = [{"power": str(int(power)), "name": name} for name, power in validators]
    except (ValueError, TypeError) as error:
        raise MintnetError(
            f"{doing}: its {TEMPLATE} must be a genesis, and its {VALIDATORS} lines with name and power ({error}); "
            "restore it, or start a new chain with reset"
        ) from error
    return json_text(document, indent=2)
