#!/usr/bin/python
# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cometbft_config
short_description: Render the config.toml of CometBFT nodes on Kubernetes
version_added: 1.0.0
description:
  - Renders one C(config.toml) for a group of nodes. It has every key of the version, with the version's own defaults,
    over them what a network on Kubernetes needs, over that O(settings).
  - What Kubernetes needs carries a comment that says why.
  - A section or key that the version does not know, a value of a wrong type and a bad duration are refused, all in one
    message, with the nearest known name.
  - Nothing is read or written; the text is returned.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  version:
    description: Version of CometBFT, such as V(0.40.0), or its line, such as V("0.40").
    type: str
    required: true
  block_time:
    description:
      - How long a node waits after a block before it starts the next one (C(consensus.timeout_commit)), which is about
        the time from block to block.
    type: str
    default: 1s
  proxy_app:
    description: The application, either one that is built into CometBFT, or the address of its socket.
    type: str
    default: persistent_kvstore
  settings:
    description:
      - What shall differ from the defaults, as sections with keys, for example
        C(mempool) with C(size).
      - Keys above the first section of the file stand at the top or under C(base).
      - Durations are written as CometBFT does, such as V(500ms), V(10s), V(1m30s).
      - The keys C(moniker), C(p2p.external_address) and C(p2p.persistent_peers) are not among them. They differ from
        node to node, and are empty in the text, each on a line of its own, to be filled in when a node starts.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    details:
      - The module never changes anything.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.cometbft_keys
  - module: mintnet.kubernetes.cometbft_genesis
"""

EXAMPLES = r"""
- name: Configuration of nodes that make a block every five seconds
  mintnet.kubernetes.cometbft_config:
    version: 0.40.0
    block_time: 5s
    settings:
      log_level: "consensus:debug,*:info"
      mempool:
        size: 10000
  register: config
"""

RETURN = r"""
config:
  description: Text of the file.
  returned: success
  type: str
  sample: 'proxy_app = "persistent_kvstore" ...'
sha256:
  description: SHA-256 of RV(config).
  returned: success
  type: str
  sample: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
"""

import hashlib
import typing as t

from ansible_collections.mintnet.kubernetes.plugins.module_utils._config import render
from ansible_collections.mintnet.kubernetes.plugins.module_utils._module import serve

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "version": {"type": "str", "required": True},
        "block_time": {"type": "str", "default": "1s"},
        "proxy_app": {"type": "str", "default": "persistent_kvstore"},
        "settings": {"type": "dict", "default": {}},
    },
}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    config = render(
        params["version"], params["settings"], block_time=params["block_time"], proxy_app=params["proxy_app"]
    )
    return {"changed": False, "config": config, "sha256": hashlib.sha256(config.encode()).hexdigest()}


def main() -> None:
    serve(SPEC, run)


if __name__ == "__main__":
    main()
