# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeconfig_entry
short_description: Tell what a context of a kubeconfig file leads to
version_added: 1.0.0
description:
  - Reads a kubeconfig file on the controller without a module call, and returns no secrets.
author:
  - mintnet developers (@mintnet)
options:
  _terms:
    description: Names of contexts.
    type: list
    elements: str
    required: true
  path:
    description: The kubeconfig file. A missing one has no contexts.
    type: path
    required: true
seealso:
  - module: mintnet.kubernetes.kubeconfig
"""

EXAMPLES = r"""
- name: Show the server of the context mintnet
  ansible.builtin.debug:
    msg: "{{ lookup('mintnet.kubernetes.kubeconfig_entry', 'mintnet', path='~/.kube/config').server }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary for each name, with C(server), C(servers) (all of them, where a cluster that we made has several),
      C(tls_server_name), C(certificate_authority_data) and C(client_certificate_sha256) (of the Base64 text). All are
      empty where the context is missing or incomplete.
  type: list
  elements: dict
"""

import typing as t
from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._kubeconfig import load, summary


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            config = load(Path(self.get_option("path")).expanduser())
        except MintnetError as error:
            raise AnsibleLookupError(str(error)) from error
        return [summary(config, name) for name in terms]
