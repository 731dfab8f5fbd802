# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of a log tell why it ends, and what helps against what they tell."""

from __future__ import annotations

import re

# Lines that tell the cause of a crash, the best first.
_TELLING = (
    re.compile(
        r"^panic:|^ERROR:|^fatal error:|^tm-(gen-validator|collect):|exec format error|CONSENSUS FAILURE"
        r"|no space left on device|Error in validation|conflicting vote"
    ),
    # CometBFT's own errors, without those about peers that come and go.
    re.compile(r"^E\[(?!.*(dialing peer|Stopping peer|Reconnecting|Stopped accept routine))"),
    re.compile(r"\b(err|error|panic|fatal|failed|cannot|mismatch|denied)\b", re.IGNORECASE),
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What a log may hold of a key file; it is shown to nobody.
_SECRET = re.compile(r"priv_key|PrivKey")
# Go's traces, which come after what they belong to and may push it out of a container's last words.
_FRAME = re.compile(
    r"^goroutine \d+ |^panic\(|^created by |\.go:\d+( \+0x[0-9a-f]+)?$|^[\w./@-]+\.[\w.()*\[\]]+\([^\n]*\)$"
)
_LINE = 300
# CometBFT ends a line about a panic with the stack of calls, in one line.
_STACK = re.compile(r"\s+(stack|stacktrace)=.*", re.DOTALL)

# A node that holds another app hash than the block which is proposed to it; a proposal's height is one above it.
_EXPECTED = re.compile(r" height=(\d+) .*wrong Block\.Header\.AppHash\.\s+Expected ([0-9A-F]+)")

_REMEDIES = (
    (
        r"no space left on device|disk quota exceeded",
        "its disk is full: free some on the machine, or give the nodes larger volumes in a new network "
        "(cometbft_volume_size), then run create again",
    ),
    (
        r"exec format error",
        "the image is for another kind of processor than the machine: build or name one for it in cometbft_image, "
        "then run create again",
    ),
    (
        r"AppHash|app hash|LastResultsHash",
        "its application computes something else than the others': run the same application and version everywhere, "
        "and let this node start over from an empty volume if its application's data are damaged",
    ),
    (
        r"is not equal to genesis time|ValidatorsHash|ConsensusHash",
        "it started from another genesis than the others: compare its genesis.json with ConfigMap tm-config",
    ),
    (
        r"conflicting vote from ourselves",
        "another node signs with the same key: stop one of both at once, and give it a key of its own",
    ),
    (
        # As servers of earlier versions answer what they do not know, over a socket and over gRPC.
        r"(err=\"|error: |reason: )[Uu]nknown request|code = Unimplemented",
        "the application speaks another version of ABCI than its node: build it for ABCI 2.0, that of CometBFT 0.38 to "
        "0.40, then run create again",
    ),
    (
        r"failed to connect to \S+.*permission denied",
        "the node may not write to the application's socket: let the application's group write to it (umask 007), or "
        "give both the same user with cometbft_app_user",
    ),
    (
        r"failed to connect to \S+.*(no such file|connection refused)",
        "nothing listens there: the application must listen on its ABCI_ADDRESS, which cometbft_app_transport chooses; "
        "its own log may say why it does not",
    ),
)


def telling(log: str, count: int = 3) -> list[str]:
    """The lines at the end of a log that say why it ends."""
    lines = _lines(log)
    found = next((good for pattern in _TELLING if (good := [line for line in lines if pattern.search(line)])), lines)
    return [_STACK.sub("", line)[:_LINE] for line in found[-count:]]


def tells(log: str) -> bool:
    """Whether any line of it says more than that something ended."""
    return any(pattern.search(line) for line in _lines(log) for pattern in _TELLING)


def expected(log: str) -> tuple[int, str] | None:
    """The height and the app hash that a node's application has, by what it last refused."""
    found = _EXPECTED.findall(_COLOURS.sub("", log))
    return (int(found[-1][0]) - 1, found[-1][1]) if found else None


def _lines(log: str) -> list[str]:
    lines = (line.strip() for line in _COLOURS.sub("", log).splitlines())
    return [line for line in lines if line and not _SECRET.search(line) and not _FRAME.search(line)]


def remedy(log: str) -> str:
    """What helps against a cause that is known by its words."""
    return next((advice for pattern, advice in _REMEDIES if re.search(pattern, log)), "")
