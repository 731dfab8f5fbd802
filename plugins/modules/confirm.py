# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: confirm
short_description: Go on only when the user said yes
version_added: 1.0.0
description:
  - Asks on the terminal, and fails unless the answer is V(yes) or V(y).
  - Without a terminal it fails, unless O(confirmed=true).
  - It is run by an action plugin on the controller, once for all hosts.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  question:
    description: What is asked, without the choice of answers.
    type: str
    required: true
  confirmed:
    description: Whether the user said yes beforehand. Then nothing is asked.
    type: bool
    default: false
  hint:
    description: How to say yes beforehand, for the message of the failure.
    type: str
    default: -e mintnet_confirm=true
attributes:
  check_mode:
    support: full
    details: In check mode nothing is asked; the question is printed.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Ask before the network goes
  mintnet.kubernetes.confirm:
    question: Remove network mintnet with its 4 volumes?
    confirmed: "{{ mintnet_confirm }}"
    hint: CONFIRM=yes
"""

RETURN = r"""
asked:
  description: Whether the question was put to somebody.
  returned: always
  type: bool
  sample: false
hint:
  description: How to say yes beforehand.
  returned: on failure
  type: str
  sample: "to go on, say so beforehand: CONFIRM=yes"
"""
