# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubectl_stream
short_description: Run kubectl and show its lines as they come
version_added: 1.0.0
description:
  - Runs C(kubectl) on the controller in the foreground, for what lasts, such as following a log or forwarding a port.
  - It ends with the play, however that ends.
  - It is run by an action plugin on the controller, so it needs no connection.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
  - mintnet.kubernetes.cluster
options:
  args:
    description: The arguments of C(kubectl), without those for the kubeconfig and the context.
    type: list
    elements: str
    required: true
  kubectl:
    description:
      - Name or path of the program.
      - A name is looked up in E(PATH), then in C(~/.local/bin) and C(/usr/local/bin).
    type: str
    default: kubectl
  timeout:
    description: After how many seconds it is ended, which is no failure. V(0) waits until it ends or is interrupted.
    type: float
    default: 0
  ready:
    description:
      - A regular expression for the line that says that it works.
      - Then that line is replaced by O(ready_text), and others are shown only with C(-v).
    type: str
  ready_label:
    description: The label of the line that replaces O(ready).
    type: str
    default: kubectl
  ready_text:
    description: What is told instead of the line of O(ready).
    type: str
    default: works
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is run.
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - kubectl
"""

EXAMPLES = r"""
- name: Follow a node's log for a minute
  mintnet.kubernetes.kubectl_stream:
    context: mintnet
    args: [logs, --namespace, mintnet, tm-0, --container, tm, --follow]
    timeout: 60

- name: Open a node's RPC on localhost until interrupted
  mintnet.kubernetes.kubectl_stream:
    context: mintnet
    args: [port-forward, --namespace, mintnet, pod/tm-0, "26657:26657"]
    ready: ^Forwarding from
    ready_label: forward
    ready_text: http://127.0.0.1:26657
"""

RETURN = r"""
rc:
  description: Exit status of C(kubectl).
  returned: when it failed
  type: int
  sample: 1
lines:
  description: How many lines it printed.
  returned: when it did not fail
  type: int
  sample: 100
timed_out:
  description: Whether it was ended because the time was over.
  returned: when it did not fail
  type: bool
  sample: false
"""
