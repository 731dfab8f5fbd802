# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Choose the cluster that a run works on
version_added: 1.0.0
description:
  - Decides which cluster a run works on, and says why.
  - A cluster that an earlier run recorded wins. Then comes a context that the user named,
    then machines of the inventory, and last a local machine, which needs Linux and root.
  - A current context that nobody named is never taken.
  - It is run by an action plugin on the controller and reads two files, nothing else.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  provider:
    description:
      - What the user asked for. With V(auto) the plan decides.
      - A provider that contradicts the record of an earlier run is refused.
    type: str
    choices: [auto, existing, kubeadm, minikube]
    default: auto
  cluster:
    description: Name of the cluster. It is also the context's name when the cluster is made by us.
    type: str
    required: true
  home:
    description: Folder where the records of clusters are kept.
    type: path
    required: true
  kubeconfig:
    description: The user's kubeconfig. It need not exist.
    type: path
    required: true
  context:
    description: A context in O(kubeconfig) that the user named; empty if none was.
    type: str
    default: ""
  machines:
    description: Machines that the inventory lists for the control plane.
    type: list
    elements: str
    default: []
  required:
    description:
      - Whether there has to be a cluster in the end. Otherwise, where none exists, none is chosen, and the provider and
        the context are empty.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Choose the cluster
  mintnet.kubernetes.plan:
    cluster: mintnet
    home: ~/.mintnet
    kubeconfig: ~/.kube/config
    machines: "{{ groups['kube_control_plane'] | default([]) }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts of the host that the task ran for.
  returned: on success
  type: dict
  contains:
    mintnet_plan:
      description: The cluster of this run.
      returned: on success
      type: dict
      contains:
        provider:
          description: V(existing), V(kubeadm) or V(minikube); empty where none is needed and none is there.
          type: str
          returned: success
          sample: kubeadm
        local:
          description: Whether the machines are made on this machine.
          type: bool
          returned: success
          sample: true
        reason:
          description: Why this one, in words.
          type: str
          returned: success
          sample: "no context named, no machines listed: built from source"
        minutes:
          description: How long it takes, in words.
          type: str
          returned: success
          sample: about 20 min once
        cluster:
          description: Name of the cluster.
          type: str
          returned: success
          sample: mintnet
        kubeconfig:
          description: The kubeconfig that holds, or will hold, the context.
          type: str
          returned: success
          sample: /home/user/.kube/config
        context:
          description: The context by which the cluster is reached.
          type: str
          returned: success
          sample: mintnet
        cluster_dir:
          description: Folder of what is known of the cluster.
          type: str
          returned: success
          sample: /home/user/.mintnet/clusters/mintnet
        exists:
          description: Whether the cluster is there already, made by an earlier run or by somebody else.
          type: bool
          returned: success
          sample: false
hint:
  description: What to do next.
  returned: on failure
  type: str
  sample: -e mintnet_context=NAME
"""
