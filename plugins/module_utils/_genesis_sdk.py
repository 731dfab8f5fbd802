# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Cosmos SDK's own form of a genesis (AppGenesis in its x/genutil/types), which its nodes read.

It has what consensus needs below ``consensus``, its height as a number, and the app hash in base64.
"""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping

#: What it has besides the members of CometBFT's form.
MEMBERS = frozenset({"app_name", "app_version", "consensus"})


def is_sdk(document: Mapping[str, t.Any]) -> bool:
    return isinstance(document.get("consensus"), Mapping) and "consensus_params" not in document


def plain(document: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The same genesis in CometBFT's form, in which the node tells it over RPC."""
    if not is_sdk(document):
        return dict(document)
    consensus, height = document["consensus"], document.get("initial_height")
    known = {
        "consensus_params": consensus.get("params"),
        "validators": consensus.get("validators"),
        "app_hash": _hexadecimal(document.get("app_hash")),
        "initial_height": str(height) if isinstance(height, int) and not isinstance(height, bool) else height,
    }
    return {name: value for name, value in document.items() if name not in MEMBERS} | known


def _hexadecimal(app_hash: t.Any) -> t.Any:
    """What is no base64 is left for whoever checks the document."""
    try:
        return base64.b64decode(app_hash or "", validate=True).hex().upper()
    except (binascii.Error, TypeError, ValueError):
        return app_hash
