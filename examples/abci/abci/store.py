# SPDX-License-Identifier: Apache-2.0
"""An application's state in one file: either the one before or the new one, whatever happens in between."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Store:
    """A JSON object in a file. Enough for an example; a large state wants a database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, Any] | None:
        """None where there is none yet."""
        try:
            state: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Returns when it is on the disk."""
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
