# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_departure
short_description: Take machines out of a cluster
version_added: 1.0.0
description:
  - Takes every node out of the cluster that is not listed any more, one by one. It is cordoned and drained with
    respect for disruption budgets, leaves etcd, and is deleted. The machine itself is cleaned by
    M(mintnet.kubernetes.machine_reset).
  - A machine that neither answers nor is a node that is ready is gone for good. It goes first, with the claims whose
    volumes are on its disk, so that their pods begin anew elsewhere.
  - So does a member of etcd whose machine is no node, as one leaves that was lost while it joined. As long as it is
    there, no other control plane can join.
  - It fails, before it has changed anything, where etcd would be left without a quorum of members that answer, where
    a machine that lives has volumes on its own disk, where one runs pods that nobody would make anew, and where another
    machine serves under the name of one in O(anew).
  - It runs as root on a control plane that stays.
author:
  - mintnet developers (@mintnet)
extends_documentation_fragment:
  - mintnet.kubernetes.attributes
options:
  stay:
    description: Names of the machines that are listed.
    type: list
    elements: str
    required: true
  anew:
    description: Those of O(stay) that do not have the cluster any more, as a machine of that name that was made anew.
    type: list
    elements: str
    default: []
  reached:
    description: Machines that leave and that answer. Of all others it is found out whether the cluster hears of them.
    type: list
    elements: str
    default: []
  addresses:
    description:
      - Addresses of the machines in O(stay). A member of etcd that has never started has no name, and is known by its
        address. Without them, none of these leaves.
    type: list
    elements: str
    default: []
  only:
    description: Of those that leave, the ones that go now. Without it all do.
    type: list
    elements: str
  context:
    description: The user's context for this cluster, for commands in messages.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: mintnet.kubernetes.machine_info
  - module: mintnet.kubernetes.machine_reset
"""

EXAMPLES = r"""
- name: Take out what is not listed
  mintnet.kubernetes.cluster_departure:
    stay: "{{ groups['kube_control_plane'] + groups['kube_node'] }}"
"""

RETURN = r"""
departures:
  description: The machines that leave, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the node.
      type: str
      sample: machine-3
    gone:
      description: Whether it is gone for good.
      type: bool
      sample: false
    control_plane:
      description: Whether it is a control plane.
      type: bool
      sample: false
    anew:
      description: Whether the machine that is listed under its name has no cluster.
      type: bool
      sample: false
    stray:
      description: Whether it is no node, but a member of etcd only.
      type: bool
      sample: false
    claims:
      description:
        - Claims with a volume on its disk, with C(namespace), C(name), C(volume), the C(node) of C(network) where it
          is one's, and C(signs), whether a validator's signing state is there.
      type: list
      elements: dict
      sample: []
    lonely:
      description: Pods that nobody would make anew.
      type: list
      elements: str
      sample: []
    text:
      description: What it is, in words.
      type: str
      sample: machine-3 (node)
    losses:
      description: What is lost with its disk and what is to be done about it, in words.
      type: str
      sample: ""
did:
  description: What was done.
  returned: always
  type: list
  elements: str
  sample: ["drained machine-3 of kube-system/coredns-7d", removed the node machine-3]
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _departure
from ansible_collections.mintnet.kubernetes.plugins.module_utils._departing import Departing
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_members import Etcd
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_api import client, tls_context
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_info import ADMIN, administrator

ARGUMENT_SPEC: dict[str, t.Any] = {
    "stay": {"type": "list", "elements": "str", "required": True},
    "anew": {"type": "list", "elements": "str", "default": []},
    "reached": {"type": "list", "elements": "str", "default": []},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "only": {"type": "list", "elements": "str"},
    "context": {"type": "str", "default": ""},
}


def connect(wanted: dict[str, t.Any]) -> Departing:
    context = tls_context("/etc/kubernetes/pki/ca.crt", administrator(Path(ADMIN).read_text(encoding="utf-8")))
    return Departing(
        client("127.0.0.1", 6443, context),
        Etcd(),
        stay=wanted["stay"],
        anew=wanted["anew"],
        reached=wanted["reached"],
        addresses=wanted["addresses"],
        context=wanted["context"],
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    did: list[str] = []
    try:
        departing = connect(module.params)
        did = departing.did
        only = module.params["only"]
        leavers = [one for one in departing.look() if only is None or one.name in only]
        if not module.check_mode:
            for one in leavers:
                departing.remove(one)
    except MintnetError as error:
        module.fail_json(msg=str(error), did=did)
    except OSError as error:
        module.fail_json(msg=str(system_error("removing machines from the cluster", error)), did=did)
    departures = [
        {**one.public(), "text": _departure.describe(one), "losses": _departure.losses(one)} for one in leavers
    ]
    nodes = "".join(f"{'member of etcd' if one.stray else 'node'} {one.name}\n" for one in leavers)
    module.exit_json(changed=bool(leavers), departures=departures, did=did, diff={"before": nodes, "after": ""})


if __name__ == "__main__":
    main()
