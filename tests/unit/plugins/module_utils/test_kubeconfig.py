# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

from ansible_collections.mintnet.kubernetes.plugins.module_utils._kubeconfig import Credentials, merge, summary

CREDENTIALS = Credentials("https://192.0.2.1:6443", "api.internal", "Y2E=", "Y2VydA==", "a2V5")


def test_the_key_is_not_in_a_repr() -> None:
    assert "a2V5" not in repr(CREDENTIALS)


def test_summary_of_what_was_merged() -> None:
    assert summary(merge({}, "mintnet", CREDENTIALS), "mintnet") == {
        "server": "https://192.0.2.1:6443",
        "servers": [],
        "tls_server_name": "api.internal",
        "certificate_authority_data": "Y2E=",
        "client_certificate_sha256": hashlib.sha256(b"Y2VydA==").hexdigest(),
    }


def test_summary_follows_the_context_and_not_the_names() -> None:
    config = merge({}, "mintnet", CREDENTIALS)
    config["contexts"][0]["context"]["user"] = "somebody"
    assert summary(config, "mintnet")["client_certificate_sha256"] == ""
    assert not any(summary(config, "other").values())
