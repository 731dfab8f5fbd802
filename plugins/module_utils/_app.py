# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application in a container of its own beside each node: what its variables must be.

Checks give what a value must be, or None where it is that; the relation gives faults.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import is_label

#: What CometBFT, as a gRPC client, takes in one answer, less what a proposal holds besides its transactions. gRPC's own
#: default is 4 MiB, and CometBFT leaves it at that (abci/client/grpc_client.go).
GRPC_BLOCK_BYTES = 4 * 1024 * 1024 - 64 * 1024
#: What a ConfigMap holds.
MAX_FILES = 1024 * 1024 - 16 * 1024
#: A pod's annotations hold 256 KiB, the validators among them.
MAX_SCRIPT = 64 * 1024
#: Set for every application; and ports of the node, in the same pod.
OWN_ENV = ("ABCI_ADDRESS", "APP_HOME", "CMTHOME", "NODE")
OWN_PORTS = {"p2p": 26656, "rpc": 26657, "abci": 26658, "metrics": 26660}
#: Where the container has something mounted in any case, or a node in its place has.
OWN_FOLDERS = ("/app", "/cometbft", "/socks", "/tmp")
#: Volumes of Kubernetes into which nothing is ever written, so that nothing can be mounted below them.
READ_ONLY = ("configMap", "downwardAPI", "projected", "secret")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)
_REGISTRY = re.compile(r"localhost(:\d+)?|[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+(:\d+)?|[a-zA-Z0-9-]+:\d+", re.ASCII)
_REPOSITORY = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", re.ASCII)
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", re.ASCII)


def env(value: Mapping[t.Any, t.Any]) -> str | None:
    wanted = "texts, or mappings with secret and key, by names such as LOG_LEVEL"
    for name, given in value.items():
        if not _VARIABLE.fullmatch(str(name)):
            return f"{wanted}, and {name!r} is no such name"
        if name in OWN_ENV:
            return f"{wanted}, and {name} is set in any case"
        if isinstance(given, Mapping):
            if given.keys() != {"secret", "key"} or not _refers(given):
                return f"{wanted}, and {name} must name a Secret and one of its data keys"
        elif isinstance(given, bool | float) or not isinstance(given, str | int):
            return f"{wanted}, and {name} is neither; put a number or a truth value in quotes"
    return None


def _refers(given: Mapping[str, t.Any]) -> bool:
    names = str(given["secret"]).split(".")
    return all(map(is_label, names)) and _SECRET_KEY.fullmatch(str(given["key"])) is not None


def files(value: Mapping[t.Any, t.Any]) -> str | None:
    wanted = "texts by absolute paths, such as /etc/app.toml"
    for path, text in value.items():
        if not _is_place(path):
            return f"{wanted}, and {path!r} is no such path"
        if _is_own(path):
            return f"{wanted}, and {path} lies in a folder that the container has for something else"
        if not isinstance(text, str):
            return f"{wanted}, and what {path} shall hold is no text"
    size = sum(len(text.encode()) for text in value.values())
    return None if size <= MAX_FILES else f"{MAX_FILES} bytes at most in all, which is what a ConfigMap holds"


def _is_place(path: t.Any) -> bool:
    """An absolute path without detours, which Kubernetes takes, too."""
    if not isinstance(path, str) or ":" in path or not path.startswith("/"):
        return False
    return not {"", ".", ".."} & set(path.split("/")[1:])


def _is_own(path: str) -> bool:
    return any(PurePosixPath(path).is_relative_to(own) for own in OWN_FOLDERS)


def volumes(value: Sequence[Mapping[str, t.Any]]) -> str | None:
    wanted = "volumes such as {path: /cache, source: {emptyDir: {}}}"
    for volume in value:
        path = str(volume["path"])
        if not _is_place(path):
            return f"{wanted}, and {path!r} is no such path"
        if _is_own(path):
            return f"{wanted}, and {path} lies in a folder that the container has for something else"
        if "name" in volume["source"]:
            return f"{wanted}, and the source of {path} has a name, which is given to it"
        if len(volume["source"]) != 1:
            return f"{wanted}, and the source of {path} must be one kind of volume"
    paths = [str(volume["path"]) for volume in value]
    return None if len(paths) == len(set(paths)) else f"{wanted}, each path once"


def ports(value: Mapping[t.Any, t.Any]) -> str | None:
    wanted = "port numbers by names of at most 15 of a-z, 0-9 and dashes"
    for name, port in value.items():
        if not _PORT_NAME.fullmatch(str(name)):
            return f"{wanted}, and {name!r} is no such name"
        if isinstance(port, bool) or not str(port).isdecimal() or not 1 <= int(port) <= 65535:
            return f"{wanted}, and {name} must be 1 to 65535"
        if name in OWN_PORTS or int(port) in OWN_PORTS.values():
            return f"{wanted}, and {name} = {port} is the node's"
    numbers = [int(port) for port in value.values()]
    return None if len(numbers) == len(set(numbers)) else f"{wanted}, each number once"


def build(value: Mapping[str, t.Any]) -> str | None:
    if not value:
        return None
    if not value.get("context"):
        return "{context: FOLDER}, and no context is named"
    context = Path(value["context"]).expanduser()
    if not context.is_dir():
        return f"{{context: FOLDER}}, and there is no folder {context}"
    if value.get("push") and not image_name(value["push"]):
        return f"such that push is the name of an image in a registry, without a tag, and {value['push']!r} is none"
    return _go_module(context, value) if value.get("go") is not None else _containerfile(context, value)


def _go_module(context: Path, value: Mapping[str, t.Any]) -> str | None:
    others = [name for name in ("file", "contexts", "args", "flags", "base", "protos") if value.get(name)]
    if others:
        return f"either of Go or of a Containerfile, and {', '.join(others)} mean nothing with go"
    if not (context / "go.mod").is_file():
        return f"such that its context is a Go module, and there is no {context / 'go.mod'}"
    package = context / (value["go"].get("package") or ".")
    return None if package.is_dir() else f"such that its package is a folder, and there is no {package}"


def _containerfile(context: Path, value: Mapping[str, t.Any]) -> str | None:
    absent = [
        folder for folder in (value.get("contexts") or {}).values() if not Path(str(folder)).expanduser().is_dir()
    ]
    if absent:
        return f"such that its contexts are folders, and there is no folder {absent[0]}"
    file = context / (value.get("file") or "Containerfile")
    return None if file.is_file() else f"{{context: FOLDER, file: FILE}}, and there is no file {file}"


def image_name(text: str) -> bool:
    """Whether it is REGISTRY/PATH, where the registry has a dot or a port, or is localhost."""
    registry, slash, path = text.partition("/")
    return bool(slash and _REGISTRY.fullmatch(registry) and _REPOSITORY.fullmatch(path))


def archives(value: Sequence[str]) -> str | None:
    missing = [path for path in value if not Path(path).expanduser().is_file()]
    return f"files that exist, and there is no {missing[0]}" if missing else None


def pull_secrets(value: Sequence[str]) -> str | None:
    sound = all(all(map(is_label, name.split("."))) for name in value)
    return None if sound else "names of Secrets in the network's namespace"


def sound_app(
    cometbft_app: str,
    cometbft_app_image: str,
    cometbft_app_build: Mapping[str, t.Any],
    cometbft_app_transport: str,
    cometbft_app_resources: Mapping[str, t.Any],
    cometbft_consensus_params: Mapping[str, t.Any],
) -> list[str]:
    """The image is what the user names: what was built comes later."""
    if cometbft_app not in ("container", "node"):
        return []  # sound_built_in tells of it
    faults = []
    if not cometbft_app_image and not cometbft_app_build:
        faults.append(
            f"cometbft_app = {cometbft_app!r}: needs the application's image in cometbft_app_image, or the folder that "
            "it is built from in cometbft_app_build"
        )
    if cometbft_app_image and cometbft_app_build:
        faults.append(
            f"cometbft_app_image = {cometbft_app_image!r}: contradicts cometbft_app_build, which makes the image; "
            "leave one of them out"
        )
    if cometbft_app == "node":
        if cometbft_app_transport != "unix":
            faults.append("cometbft_app_transport: with cometbft_app = 'node' both are one program; leave it out")
        if cometbft_app_resources:
            faults.append(
                "cometbft_app_resources: with cometbft_app = 'node' there is the node's container alone; set "
                "cometbft_resources"
            )
    elif cometbft_app_transport == "grpc":
        faults += _small_blocks(cometbft_consensus_params)
    return faults


def sound_built_in(
    cometbft_app: str,
    cometbft_app_image: str,
    cometbft_app_build: Mapping[str, t.Any],
    cometbft_app_command: Sequence[str],
    cometbft_app_args: Sequence[str],
    cometbft_app_env: Mapping[str, t.Any],
    cometbft_app_files: Mapping[str, t.Any],
    cometbft_app_transport: str,
    cometbft_app_user: int,
    cometbft_app_writable: bool,
    cometbft_app_ports: Mapping[str, t.Any],
    cometbft_app_probe: Mapping[str, t.Any],
    cometbft_app_volumes: Sequence[Mapping[str, t.Any]],
    cometbft_app_resources: Mapping[str, t.Any],
) -> list[str]:
    """Nothing of a container is set where there is none."""
    if cometbft_app in ("container", "node"):
        return []
    given = {
        "cometbft_app_image": cometbft_app_image,
        "cometbft_app_build": cometbft_app_build,
        "cometbft_app_command": cometbft_app_command,
        "cometbft_app_args": cometbft_app_args,
        "cometbft_app_env": cometbft_app_env,
        "cometbft_app_files": cometbft_app_files,
        "cometbft_app_transport = " + repr(cometbft_app_transport): cometbft_app_transport != "unix",
        f"cometbft_app_user = {cometbft_app_user}": cometbft_app_user != 100,
        "cometbft_app_writable = true": cometbft_app_writable,
        "cometbft_app_ports": cometbft_app_ports,
        "cometbft_app_probe": cometbft_app_probe,
        "cometbft_app_volumes": cometbft_app_volumes,
        "cometbft_app_resources": cometbft_app_resources,
    }
    return [
        f"{name}: cometbft_app is {cometbft_app}, which is built into CometBFT; set cometbft_app to container or "
        f"node, or leave {'the image' if name in ('cometbft_app_image', 'cometbft_app_build') else 'it'} out"
        for name, value in given.items()
        if value
    ]


def sound_mounts(
    cometbft_app_files: Mapping[str, t.Any], cometbft_app_volumes: Sequence[Mapping[str, t.Any]]
) -> list[str]:
    """What would hide, or could not be mounted in, something else."""
    faults = []
    places = [*cometbft_app_files, *(volume["path"] for volume in cometbft_app_volumes)]
    for volume in cometbft_app_volumes:
        path = PurePosixPath(volume["path"])
        above = [file for file in cometbft_app_files if path.is_relative_to(file)]
        if above:
            faults.append(f"cometbft_app_volumes: {path} must not be in the place of {above[0]} of cometbft_app_files")
            continue
        below = [place for place in places if path in PurePosixPath(place).parents]
        if below and (volume.get("read_only") or not volume["source"].keys().isdisjoint(READ_ONLY)):
            faults.append(f"cometbft_app_volumes: {path} is only read, so {below[0]} must not lie below it")
    return faults


def _small_blocks(params: Mapping[str, t.Any]) -> list[str]:
    block = params.get("block")
    most = str((block.get("max_bytes") if isinstance(block, Mapping) else None) or "")
    if not most.lstrip("-").isdecimal() or 0 < int(most) <= GRPC_BLOCK_BYTES:
        return []
    return [
        f"cometbft_consensus_params.block.max_bytes = {most}: must be at most {GRPC_BLOCK_BYTES} over gRPC, since "
        "a node takes 4 MiB in one answer; choose unix or tcp in cometbft_app_transport for larger blocks"
    ]


def sound_genesis_script(
    cometbft_app: str,
    cometbft_genesis_script: str,
    cometbft_genesis_src: str,
    cometbft_app_state: t.Any,
    cometbft_app_state_src: str,
) -> list[str]:
    if not cometbft_genesis_script:
        return []
    faults = []
    if cometbft_app != "node":
        faults.append(
            "cometbft_genesis_script: a chain's commands are in a program that is the node, too, and cometbft_app is "
            f"{cometbft_app}; set it to node, or leave the script out"
        )
    if not Path(cometbft_genesis_script).expanduser().is_file():
        faults.append(f"cometbft_genesis_script = {cometbft_genesis_script!r}: must be a file that exists")
    elif Path(cometbft_genesis_script).expanduser().stat().st_size > MAX_SCRIPT:
        faults.append(f"cometbft_genesis_script: its file must have at most {MAX_SCRIPT} bytes")
    others = {
        "cometbft_genesis_src": cometbft_genesis_src,
        "cometbft_app_state": cometbft_app_state,
        "cometbft_app_state_src": cometbft_app_state_src,
    }
    for name, value in others.items():
        if value:
            faults.append(
                f"{name}: contradicts cometbft_genesis_script, which makes the genesis; leave one of them out"
            )
    return faults
