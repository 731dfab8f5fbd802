# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of every error that the collection raises on purpose.

A message reads "what was being done: the cause; what to do next".
"""

from __future__ import annotations

import errno
import sys
import typing as t
from collections.abc import Iterable


class MintnetError(Exception):
    """An error that is shown to the user as it stands.

    ``result`` is what was reached before it, so that a failed task still returns it.
    """

    def __init__(self, message: str, **result: t.Any) -> None:
        super().__init__(message)
        self.result = result


def system_error(doing: str, error: OSError, advice: str = "") -> MintnetError:
    """What the operating system refused. A full disk needs another remedy than what the caller would advise."""
    cause = f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "free some disk space there, then run the same command again"
    return MintnetError(f"{doing}: {cause}" + (f"; {advice}" if advice else ""))


class MissingLibraryError(MintnetError):
    """A Python package that the controller needs is not there."""

    def __init__(self, requirement: str, needed_for: str, cause: ImportError) -> None:
        super().__init__(
            f"{needed_for}: the Python package is missing or broken ({cause}); "
            f"install it with: {sys.executable} -m pip install '{requirement}'"
        )


class FaultsError(MintnetError):
    """Several faults of one input, all of them in one message."""

    def __init__(self, doing: str, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        if len(self.faults) == 1:
            text = f"{doing}: {self.faults[0]}"
        else:
            text = f"{doing}: {len(self.faults)} faults: " + "; ".join(
                f"({number}) {fault}" for number, fault in enumerate(self.faults, 1)
            )
        super().__init__(text, faults=self.faults)
