# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of a control plane's etcd, by its JSON gateway: the images hold no etcdctl. Standard library only."""

from __future__ import annotations

import dataclasses
import functools
import http.client
import ssl
import typing as t
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_api import (
    Ask,
    ServerError,
    client,
    message,
    patiently,
    tls_context,
)

PKI = Path("/etc/kubernetes/pki/etcd")
PORT = 2379


def tls() -> ssl.SSLContext:
    """As kubeadm's client for looks from outside. Raises OSError where there is no etcd of kubeadm."""
    pair = (PKI / "healthcheck-client.crt").read_bytes() + (PKI / "healthcheck-client.key").read_bytes()
    return tls_context(str(PKI / "ca.crt"), pair)


@dataclasses.dataclass(frozen=True)
class Member:
    """``name`` is its machine's, and empty as long as it has not started; ``host`` is the address that others know it
    by; ``live``, whether it answers that it is well. A ``learner`` has no vote yet, and no other one joins beside it.
    """

    id: str
    name: str
    live: bool
    host: str = ""
    learner: bool = False

    @property
    def label(self) -> str:
        return self.name or self.host


class Etcd:
    """``connect`` gives a way to ask the etcd at a host and port."""

    def __init__(self, connect: Callable[[str, int], Ask] | None = None) -> None:
        self._connect = connect or functools.partial(client, context=tls(), timeout=3.0)
        self._ask = self._connect("127.0.0.1", PORT)

    def members(self) -> list[Member]:
        status, answer = patiently(self._ask, "listing the members of etcd", "POST", "/v3/cluster/member/list", {})
        if status != 200:
            raise ServerError(f"listing the members of etcd: {status} {message(answer)}")
        return [
            Member(one["ID"], one.get("name", ""), self._lives(one), _host(one), bool(one.get("isLearner")))
            for one in answer.get("members") or []
        ]

    def _lives(self, member: dict[str, t.Any]) -> bool:
        for url in member.get("clientURLs") or []:
            parts = urllib.parse.urlsplit(url)
            try:
                status, answer = self._connect(parts.hostname or "", parts.port or PORT)("GET", "/health", None)
            except (OSError, http.client.HTTPException, ValueError):
                continue
            if status == 200 and str(answer.get("health")) == "true":
                return True
        return False

    def remove(self, member: Member) -> None:
        """One that is no member any more is no fault: an earlier run has removed it."""
        doing = f"removing {member.label} from etcd"
        status, answer = patiently(self._ask, doing, "POST", "/v3/cluster/member/remove", {"ID": member.id})
        if status not in (200, 404):
            raise ServerError(
                f"{doing}: {message(answer)}; see kubectl -n kube-system get pods -l component=etcd, then run it again"
            )


def _host(member: dict[str, t.Any]) -> str:
    return next((urllib.parse.urlsplit(url).hostname or "" for url in member.get("peerURLs") or []), "")
