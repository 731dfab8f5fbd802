# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of every error that the collection raises on purpose.

A message reads "what was being done: the cause; what to do next".
"""

from __future__ import annotations

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
