# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What the attributes mean; a module itself says how far it supports them.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what would change without changing anything.
  diff_mode:
    description: Returns what has changed (or would change in C(check_mode)) when in diff mode. It never holds secrets.
  idempotent:
    description: A second run with the same arguments changes nothing.
"""
