# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single values that need more than a line. Each gives what the value must be, or None where it is that."""

from __future__ import annotations

import ipaddress
import itertools
import re
import typing as t
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _kubeconfig
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import is_label, is_single, nearest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._quantity import quantity

QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?", re.ASCII)

#: What a container has where nothing else is said, as role cometbft has it.
CONTAINER = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
RESOURCES = ("cpu", "memory", "ephemeral-storage")
RESOURCES_HELP = "requests and limits, each of them quantities by name, such as {requests: {memory: 64Mi}}"

DAY = 86_400
#: No wait is longer; what is meant by more is mostly a slip.
LONGEST = 7 * DAY
#: Bytes of what many transactions are made from, each of which is part of an address.
LARGEST = 2048


# Paths


def folder(value: str) -> str | None:
    path = _expanded(value)
    if path is None or not path.is_absolute():
        return "an absolute path"
    try:
        blocking = next((part for part in (path, *path.parents) if part.exists() or part.is_symlink()), path)
        return None if blocking.is_dir() else f"a folder, and {blocking} is none"
    except (OSError, ValueError) as error:  # too long, or with a character that no name can have
        return f"a folder, and it cannot be one: {_cause(error)}"


def current_folder(value: str) -> str | None:
    """As folder, but also below the current one."""
    path = _expanded(value)
    return "the path of a folder" if path is None or not value else folder(str(Path.cwd() / path))


def folder_or_manifest(value: str) -> str | None:
    """As current_folder, or a file by whose name all manifests go into it."""
    path = _expanded(value)
    if path is None or not is_single(value):
        return current_folder(value)
    try:
        if path.is_dir():
            return "a file, as its name says, and this is a folder"
    except (OSError, ValueError) as error:
        return f"a file, and it cannot be one: {_cause(error)}"
    return folder(str((Path.cwd() / path).parent))


def file(value: str) -> str | None:
    path = _expanded(value)
    try:
        return None if path is not None and path.is_file() else "a file that exists"
    except (OSError, ValueError) as error:
        return f"a file that exists, and it cannot be one: {_cause(error)}"


def kubeconfig(value: str) -> str | None:
    """A kubeconfig that can be read, or a place where there is none yet."""
    path = _expanded(value)
    if path is None or not path.is_absolute():
        return "the absolute path of a kubeconfig file"
    try:
        if path.is_dir():
            return "a kubeconfig file, and this is a folder"
        _kubeconfig.load(path)
    except MintnetError as error:
        said = str(error).removeprefix(f"reading the kubeconfig {path}: ")
        return f"a kubeconfig file that can be read: {said}"
    except (OSError, ValueError) as error:
        return f"a kubeconfig file, and it cannot be one: {_cause(error)}"
    above = folder(str(path.parent))
    return f"a kubeconfig file, which needs {above}" if above else None


def _expanded(value: str) -> Path | None:
    """None where it begins with the home folder of somebody whom this machine does not know."""
    try:
        return Path(value).expanduser()
    except RuntimeError:
        return None


def _cause(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


# Networks


def subnet(largest: int, smallest: int, why: str) -> Callable[[str], str | None]:
    """An IPv4 range with a prefix between both."""

    def check(value: str) -> str | None:
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError:
            return "an IPv4 network such as 10.244.0.0/16, with no bit set behind the prefix"
        if not largest <= network.prefixlen <= smallest:
            return f"an IPv4 network of /{largest} to /{smallest}, {why}"
        if network.is_loopback or network.is_multicast or network.is_link_local or not int(network.network_address):
            return "an IPv4 network whose addresses machines can have, such as one of 10.0.0.0/8"
        return None

    return check


# Resources


def resources(value: Mapping[t.Any, t.Any]) -> str | None:
    if not value.keys() <= CONTAINER.keys() or not all(isinstance(amounts, Mapping) for amounts in value.values()):
        return RESOURCES_HELP
    for kind, name, amount in _amounts(value):
        if name not in RESOURCES and "/" not in name and not name.startswith("hugepages-"):
            return f"quantities of {', '.join(RESOURCES)}, and {kind}.{name} is none of them{nearest(name, RESOURCES)}"
        if _number(amount) is None:
            return f"{RESOURCES_HELP}, and {kind}.{name} is {amount}"
    whole = {kind: {**amounts, **value.get(kind, {})} for kind, amounts in CONTAINER.items()}
    for name in whole["requests"].keys() & whole["limits"].keys():
        request, limit = whole["requests"][name], whole["limits"][name]
        if (_number(request) or 0) > (_number(limit) or 0):
            return f"such that no request is above its limit, and requests.{name} is {request}, limits.{name} {limit}"
    return None


def _amounts(value: Mapping[t.Any, Mapping[t.Any, t.Any]]) -> Iterator[tuple[str, str, str]]:
    return ((str(kind), str(name), str(amount)) for kind, named in value.items() for name, amount in named.items())


def _number(text: t.Any) -> Decimal | None:
    if not QUANTITY.fullmatch(str(text)):
        return None
    try:
        return quantity(str(text))
    except ArithmeticError:  # its exponent is beyond all bounds
        return Decimal(0)


_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)


def node_selector(value: Mapping[t.Any, t.Any]) -> str | None:
    wanted = "labels of machines by their names, such as {disktype: ssd}"
    for name, text in value.items():
        prefix, slash, key = str(name).rpartition("/")
        if not _LABEL.fullmatch(key) or (slash and not all(map(is_label, prefix.split(".")))):
            return f"{wanted}, and {name!r} is no name of a label"
        if not isinstance(text, str) or (text and not _LABEL.fullmatch(text)):
            return f"{wanted}, and what {name} is to be is no text that a label can have: {text!r}"
    return None


# Expressions


def numbered(value: str) -> str | None:
    """What many transactions are made from."""
    wanted = "a transaction on one line, with {n} where its number stands, such as k{n}=v{n}-{run}"
    if not value.isprintable() or "{n}" not in value:
        return wanted
    size = len(value.encode(errors="surrogatepass"))
    return None if size <= LARGEST else f"{wanted}, of {LARGEST} bytes at most, and it has {size}"


def query(value: str) -> str | None:
    """A JMESPath expression with functions that exist; what it finds is seen only later."""
    if not value.strip():
        return None
    try:
        from jmespath import compile as parse
        from jmespath.exceptions import JMESPathError
        from jmespath.functions import Functions
    except ImportError:  # which is a fault of its own
        return None
    wanted = "a JMESPath expression, such as nodes[].height"
    try:
        parsed = parse(value).parsed
    except JMESPathError as error:
        place = getattr(error, "lex_position", getattr(error, "lexer_position", 0))
        return f"{wanted}, and it is broken at its character {place + 1}"
    unknown = [name for name in _functions(parsed) if name not in Functions.FUNCTION_TABLE]
    if unknown:
        return f"{wanted}: there is no function {unknown[0]}{nearest(unknown[0], Functions.FUNCTION_TABLE)}"
    return None


def _functions(node: Mapping[str, t.Any]) -> Iterator[str]:
    if node.get("type") == "function_expression":
        yield node["value"]
    yield from itertools.chain.from_iterable(map(_functions, node.get("children") or []))
