# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Options of every module that reaches a cluster; see module_utils/_cluster.py
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig file.
      - Without it, E(KUBECONFIG) of the controller counts, else C(~/.kube/config).
    type: path
  context:
    description:
      - Name of the context in O(kubeconfig). It is needed wherever a cluster is reached, because the current context
        is never used.
    type: str
requirements:
  - kubernetes >= 31.0.0 (the Python client)
attributes:
  action_group:
    description:
      - Use C(group/mintnet.kubernetes.mintnet) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - mintnet.kubernetes.mintnet
      - mintnet
"""
