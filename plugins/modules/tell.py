# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tell
short_description: Tell the user one line of what happens
version_added: 1.0.0
description:
  - Prints a line of the story of a run at once, while the run goes on.
  - It is run by an action plugin on the controller, so it needs no connection and takes some milliseconds.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  label:
    description: What the line is about, one short word, such as V(cluster).
    type: str
  text:
    description:
      - What there is to say.
      - Further lines are indented to the column of the first.
    type: str
  raw:
    description: Lines that are printed as they are, such as a table.
    type: str
  last:
    description:
      - Keep the line until the run is over, and print it after the summary, only if the run succeeded.
      - Under callbacks other than P(mintnet.kubernetes.story#callback) the line is printed at once.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - Either O(raw), or both O(label) and O(text), must be given.
seealso:
  - plugin: mintnet.kubernetes.story
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Say that the cluster is ready
  mintnet.kubernetes.tell:
    label: cluster
    text: v1.36.3 ready in 0:11

- name: Say what can be done next, after the summary
  mintnet.kubernetes.tell:
    label: next
    text: make status · make logs NODE=tm-0
    last: true

- name: Print a table
  mintnet.kubernetes.tell:
    raw: |-
      node   height
      tm-0   12
"""

RETURN = r"""
story_last:
  description: The line that the callback keeps until the end.
  returned: when O(last=true) and the callback keeps it
  type: str
  sample: "next      make status"
"""
