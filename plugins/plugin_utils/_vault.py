# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible Vault with the passwords of the run, for modules that work within Ansible's process."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, match_encrypt_secret
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._manifests import HOW_TO_DECRYPT, NoVault


class RunVault(NoVault):
    """``loader`` is the run's own, which knows its passwords."""

    def __init__(self, loader: Any) -> None:
        self._secrets = loader._vault.secrets or []

    def open(self, doing: str, text: str) -> str:
        if not self._secrets:
            return super().open(doing, text)
        try:
            return bytes(VaultLib(self._secrets).decrypt(text.encode())).decode()
        except AnsibleError as error:
            raise MintnetError(f"{doing}: it is encrypted with another vault password; {HOW_TO_DECRYPT}") from error

    def seal(self, doing: str, text: str) -> str:
        if not self._secrets:
            return super().seal(doing, text)
        try:
            # As ansible-vault chooses among several.
            identity, secret = match_encrypt_secret(self._secrets, encrypt_vault_id=C.DEFAULT_VAULT_ENCRYPT_IDENTITY)
            named = None if identity == C.DEFAULT_VAULT_IDENTITY else identity
            return bytes(VaultLib(self._secrets).encrypt(text, secret=secret, vault_id=named)).decode()
        except AnsibleError as error:
            raise MintnetError(f"{doing}: it cannot be encrypted: {error}") from error
