# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.mintnet.kubernetes.plugins.modules import machine_check
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import InProcess


class ActionModule(InProcess):
    module = machine_check
