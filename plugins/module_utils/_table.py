# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network's status as people read it: a row for each node, then the verdict."""

from __future__ import annotations

import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils._status import wanted
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import line

Json = dict[str, t.Any]

SHORT = 8
NUMBERS = {"power", "height", "peers", "restarts", "age"}


def table(network: Json) -> str:
    """The whole status. Columns are as wide as they must be; the reason comes last, as it may be long."""
    rows = [_row(node, network["compared_height"]) for node in network["nodes"]]
    parts = [*aligned(rows), ""] if rows else []
    facts = [line("network", _facts(network)), *_blocks(network["recent"])] if network["chain_id"] else []
    return "\n".join(parts + facts + _verdict(network))


def _row(node: Json, compared: int) -> dict[str, str]:
    at = f"@{compared}" if compared else ""
    answers = node["answers"]
    return {
        "node": node["name"],
        "mode": node["mode"],
        "power": str(node["power"]),
        "height": _known(node["height"]),
        "catching up": {True: "yes", False: "no", None: "-"}[node["catching_up"]],
        "peers": _peers(node["peers"] if answers else None, node["peers_expected"]),
        f"block{at}": _short(node["block_id"]),
        f"app hash{at}": _short(node["app_hash"]),
        "pod": node["pod"] if node["ready"] or node["pod"] != "Running" else "Running, not ready",
        "restarts": str(node["restarts"]),
        "app": _app(node.get("app")),
        "age": duration(node["age"]),
        "reason": node["reason"],
    }


def _peers(found: int | None, expected: int) -> str:
    return str(found) if found is not None and found > expected else f"{_known(found)} of {expected}"


def _app(app: Json | None) -> str:
    if app is None:
        return ""
    restarts = app["restarts"]
    return str(app["state"]) + (f", {restarts} restart{'s' if restarts > 1 else ''}" if restarts else "")


def _known(value: int | None) -> str:
    return "-" if value is None else str(value)


def _short(value: str | None) -> str:
    if value is None:
        return "-"
    return value[:SHORT] + "…" if len(value) > SHORT + 1 else value or "empty"


def duration(seconds: int | None) -> str:
    """An age in its two greatest units."""
    if seconds is None:
        return "-"
    units = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    while len(units) > 1 and not units[0][0]:
        units.pop(0)
    return "".join(f"{count}{unit}" for count, unit in units[:2] if count) or "0s"


def aligned(rows: list[dict[str, str]]) -> list[str]:
    """A head and the rows, each column as wide as its longest text; numbers to the right."""
    head = {name: name for name in rows[0]}
    shown = [name for name in head if name not in ("app", "reason") or any(row[name] for row in rows)]
    widths = {name: max(len(row[name]) for row in [head, *rows]) for name in shown}
    return [
        "  ".join(
            row[name].rjust(widths[name]) if name in NUMBERS else row[name].ljust(widths[name]) for name in shown
        ).rstrip()
        for row in [head, *rows]
    ]


def _facts(network: Json) -> str:
    nodes = wanted(network)
    power = network["power"]
    parts = [
        network["network"] + (f", chain {network['chain_id']}" if network["chain_id"] != network["network"] else ""),
        f"height {network['height']}",
        f"{sum(node['answers'] for node in nodes)} of {len(nodes)} answering",
        f"power {power['online']} of {power['total']} online, {power['needed']} needed",
    ]
    if network["block_age"] is not None:
        parts.append(f"newest block {duration(max(0, int(network['block_age'])))} old")
    return " · ".join(parts)


def _blocks(recent: Json) -> list[str]:
    """How the newest blocks came, and what is in them."""
    if not recent["blocks"]:
        return []
    pace = [] if recent["interval"] is None else [f"one every {recent['interval']:.2f} s"]
    txs, blocks = recent["txs"], recent["blocks"]
    within = f"{txs} transaction{'' if txs == 1 else 's'} in the newest {blocks}"
    return [line("blocks", " · ".join([*pace, within]))]


def _verdict(network: Json) -> list[str]:
    compared = f"all agree at height {network['compared_height']}" if network["compared_height"] else ""
    verdict = f"healthy · {compared}" if network["healthy"] else "\n".join(["unhealthy", *network["reasons"]])
    lines = [line("notes", "\n".join(network["notes"]))] if network["notes"] else []
    if network["not_verified"]:
        lines.append(line("unknown", "\n".join(network["not_verified"])))
    logs = [f"{node['name']}: {row}" for node in network["nodes"] for row in node["log"] if row not in node["reason"]]
    told = {"log": "\n".join(logs), "next": "" if network["healthy"] else "\n".join(network["next"])}
    return [*lines, line("verdict", verdict), *(line(label, text) for label, text in told.items() if text)]
