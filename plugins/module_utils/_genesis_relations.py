# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relations (see _relations) of what a genesis is made of, down to the contents of files on the controller.

These are read as the module cometbft_genesis reads them later, when a cluster and keys are made already: nothing is
refused here that it would take.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _checks, _genesis
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app import GRPC_BLOCK_BYTES
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import compose, plain
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import FaultsError, MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_file import existing
from ansible_collections.mintnet.kubernetes.plugins.module_utils._genesis_source import (
    is_url,
    load,
    read_text,
    taking,
)


def sound_genesis_sources(
    cometbft_genesis_src: str, cometbft_genesis_sha256: str, cometbft_app_state: t.Any, cometbft_app_state_src: str
) -> list[str]:
    faults = []
    if is_url(cometbft_genesis_src):
        if not cometbft_genesis_sha256:
            faults.append(
                "cometbft_genesis_src: a URL needs the SHA-256 of what it leads to, in cometbft_genesis_sha256"
            )
    elif cometbft_genesis_src and _checks.file(cometbft_genesis_src):
        faults.append(f"cometbft_genesis_src = {cometbft_genesis_src!r}: must be a file that exists, or a URL")
    if cometbft_genesis_sha256 and not cometbft_genesis_src:
        faults.append("cometbft_genesis_sha256: there is no cometbft_genesis_src that it could belong to")
    if cometbft_app_state and cometbft_app_state_src:
        faults.append("cometbft_app_state_src: contradicts cometbft_app_state; leave one of them out")
    return faults


def sound_app_state(cometbft_app_state_src: str) -> list[str]:
    _state, faults = _app_state(cometbft_app_state_src)
    return [
        f"cometbft_app_state_src = {cometbft_app_state_src!r}: must be a file that holds a JSON object; {fault}"
        for fault in faults
    ]


def _app_state(src: str) -> tuple[t.Any, list[str]]:
    """What the file holds, and what is wrong with it."""
    if not src:
        return None, []
    doing = f"reading the app_state {src}"
    faults: list[str] = []
    try:
        state = compose(None, read_text(doing, src), None, faults)
    except MintnetError as error:
        return None, [str(error).removeprefix(f"{doing}: ")]
    return state, [fault.removeprefix("app_state_src: ") for fault in faults]


def sound_genesis(
    cometbft_version: str, cometbft_validators: int, cometbft_consensus_params: Mapping[str, t.Any]
) -> list[str]:
    validators = [{"name": str(number)} for number in range(cometbft_validators)]
    try:
        _genesis.request(
            version=cometbft_version,
            chain_id="checked-apart",
            validators=validators,
            power=1,
            consensus_params=cometbft_consensus_params,
            allow_pending=True,
        )
    except FaultsError as error:
        return [f"cometbft_{fault}" for fault in error.faults]
    return []


def sound_genesis_file(
    cometbft_genesis_src: str,
    cometbft_genesis_sha256: str,
    cometbft_version: str,
    cometbft_validators: int,
    cometbft_chain_id: str,
    cometbft_genesis_time: str,
    cometbft_consensus_params: Mapping[str, t.Any],
    cometbft_app: str,
    cometbft_app_transport: str,
    cometbft_app_state: Mapping[str, t.Any],
    cometbft_app_state_src: str,
    cometbft_app_state_patch: Mapping[str, t.Any],
    cometbft_custody: str,
) -> list[str]:
    """Its validators are compared later, with keys that may be still to be made; what a URL leads to is read later."""
    src = cometbft_genesis_src
    if not src or is_url(src) or _checks.file(src) or cometbft_custody == "pod":
        return []
    state, faults = _app_state(cometbft_app_state_src)
    if faults or sound_genesis(cometbft_version, cometbft_validators, cometbft_consensus_params):
        return []  # it is told already
    try:
        existing(
            load(src, cometbft_genesis_sha256 or None, None),
            src,
            version=cometbft_version,
            chain_id=cometbft_chain_id,
            time=cometbft_genesis_time or None,
            consensus_params=plain(cometbft_consensus_params),
            app_state=plain(cometbft_app_state) or state,
            app_state_patch=plain(cometbft_app_state_patch),
            sdk=cometbft_app == "node",
            block_bytes=GRPC_BLOCK_BYTES if (cometbft_app, cometbft_app_transport) == ("container", "grpc") else None,
        )
    except FaultsError as error:
        found = "; ".join(error.faults)
    except MintnetError as error:
        found = str(error).removeprefix(f"{taking(src)}: ")
    else:
        return []
    wanted = f"a genesis that CometBFT {cometbft_version} reads, and that has what the other variables ask for"
    return [f"cometbft_genesis_src = {src!r}: must be {wanted}; {found}"]
