# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Options that say where keys lie and whose they are; see module_utils/_key_request.py
    DOCUMENTATION = r"""
options:
  namespace:
    description:
      - Namespace of the Secret. It must exist.
    type: str
  secret:
    description:
      - Name of the Secret. Its data keys are C(NAME.priv_validator_key.json) and C(NAME.node_key.json).
      - The default is O(group) with C(-keys) behind it.
      - What would pass the 1 MiB that Kubernetes allows goes on in a second Secret with C(-2) behind its name, and so
        on. One Secret holds the keys of about 2000 nodes, or of 120 with validator keys of type ml_dsa_65.
    type: str
  directory:
    description:
      - Path of the tree, as C(cometbft testnet) lays it out. Below it, each node has
        C(NAME/config/priv_validator_key.json), C(NAME/config/node_key.json) and C(NAME/data/priv_validator_state.json).
    type: path
  group:
    description: Name of the group that the nodes belong to; O(count) numbers its nodes.
    type: str
    default: tm
  count:
    description: Number of nodes. They are named O(group) with C(-0), C(-1) and so on behind it.
    type: int
  nodes:
    description: Names of the nodes, each a DNS label.
    type: list
    elements: str
requirements:
  - pynacl >= 1.5.0
  - cryptography >= 42.0.0 and pycryptodome >= 3.15.0, where keys of type secp256k1 or secp256k1eth are used
  - dilithium-py >= 1.4.0, < 2, where private keys of type ml_dsa_65 are used
"""
