# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hides secrets in what is given away: those that are known by value, by the name they have, and by their form."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import typing as t
from collections.abc import Iterator, Mapping

HIDDEN = "(hidden)"
#: A shorter value is no key, and hiding it would tear holes into harmless text.
SHORTEST = 12

SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|password|token|secret|mnemonic|private|priv_?key|credential|client[-_]key|(api|access)[-_]?key",
    re.IGNORECASE,
)

# What a secret looks like, whoever it belongs to; the first group stays.
_FORMS = [
    (re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r'(\\*"priv_?key\\*"\s*:\s*)(\{[^{}]*\}|\\*"[^"\\]*\\*")'), f'"{HIDDEN}"'),
    (re.compile(r'(PrivKey\w*\\*"\s*,\s*\\*"value\\*"\s*:\s*\\*")[\w+/=-]+'), HIDDEN),
    (
        re.compile(
            r"((?:client-key-data|token|password|passwd|secret)\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\s\"'\\,;]{12,}", re.I
        ),
        HIDDEN,
    ),
    (
        re.compile(
            r'(\\*"name\\*"\s*:\s*\\*"[^"\\]*(?:password|token|secret|private|credential|api_?key)[^"\\]*\\*"'
            r'\s*,\s*\\*"value\\*"\s*:\s*\\*")[^"\\]+',
            re.IGNORECASE,
        ),
        HIDDEN,
    ),
    (re.compile(r"(\b(?:bearer|basic)\s+)[\w.+/=~-]{12,}", re.IGNORECASE), HIDDEN),
    (re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"), HIDDEN),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+(?=@)", re.IGNORECASE), HIDDEN),
]


class Redactor:
    """Learns secrets first, then hides them wherever they appear."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, value: bytes) -> None:
        """A secret as it is, and, in a key file of CometBFT, the key in it."""
        for secret in {value, *_keys_within(value)}:
            if len(secret) >= SHORTEST:
                self._forms.update(forms(secret))
        self._pattern = None

    def text(self, text: str) -> str:
        if self._forms and self._pattern is None:
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        if self._pattern:
            text = self._pattern.sub(HIDDEN, text)
        for pattern, instead in _FORMS:
            text = pattern.sub(lambda match, instead=instead: f"{match[1]}{instead}", text)  # type: ignore[misc]
        return text

    def data(self, value: t.Any, names: bool = False, name: str = "") -> t.Any:
        """The value with all its text hidden as needed; with ``names`` also what a secret's name stands for.

        Objects of the API have many harmless fields with such names; there only a container's environment counts.
        """
        if isinstance(value, Mapping):
            own = str(value.get("name", "")) if "value" in value else ""
            secret = bool(SECRET_NAME.search(own))
            return {
                str(key): HIDDEN
                if secret and key == "value" and isinstance(one, str)
                else self.data(one, names, str(key))
                for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.data(one, names, name) for one in value]
        if isinstance(value, str):
            return HIDDEN if names and value and SECRET_NAME.search(name) else self.text(value)
        return value


def forms(secret: bytes) -> Iterator[str]:
    """A secret as text: plain, in hex, and in base64, whatever stands before it there."""
    with contextlib.suppress(UnicodeDecodeError):
        yield secret.decode("ascii")
    yield secret.hex()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            encoded = encode(b"\0" * before + secret).decode().rstrip("=")
            # The first and the last character mix in bits of the neighbours.
            yield encoded[(0, 2, 3)[before] : len(encoded) - (1 if (before + len(secret)) % 3 else 0)]


def _keys_within(value: bytes) -> Iterator[bytes]:
    try:
        key = json.loads(value)["priv_key"]["value"]
        yield key.encode()
        raw = base64.b64decode(key)
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    yield raw
    yield raw[:32]  # the seed: what follows in an ed25519 key is its public half
