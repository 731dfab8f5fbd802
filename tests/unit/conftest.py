# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the collection's own imports resolve when pytest runs from a clone; under ansible-test they do already."""

from __future__ import annotations

from pathlib import Path

from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

if AnsibleCollectionConfig.collection_finder is None:
    _AnsibleCollectionFinder(paths=[str(Path(__file__).resolve().parents[2] / ".dev")])._install()
