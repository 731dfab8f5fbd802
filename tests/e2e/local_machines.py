# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays of somebody who wants local machines and no cluster on them."""

MACHINES = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [machine]
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.machines
"""
ABSENT = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.machines
        tasks_from: absent
"""
