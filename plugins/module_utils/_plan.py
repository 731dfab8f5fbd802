# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a run works on: a pure decision over what the user named and what earlier runs left."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._kubeconfig import EXTENSION, load
from ansible_collections.mintnet.kubernetes.plugins.module_utils._minikube_drivers import PREFERRED
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import nearest

PROVIDERS = ("existing", "kubeadm", "minikube")
DOING = "Choosing the cluster"
QUICK = "about 1 min"
BUILD = "about 20 min once"
#: macOS builds nothing.
DOWNLOAD = "a few minutes once"


@dataclasses.dataclass(frozen=True)
class Record:
    """What an earlier run wrote about its cluster."""

    provider: str
    context: str
    kubeconfig: str
    local: bool


@dataclasses.dataclass(frozen=True)
class Situation:
    """All that the decision depends on."""

    provider: str
    cluster: str
    cluster_dir: str
    kubeconfig: str
    context: str
    machines: tuple[str, ...]
    record: Record | None
    contexts: Mapping[str, bool]
    system: str
    root: bool
    #: Whether there is a minikube in PATH.
    minikube: bool
    #: The driver of minikube that works here, or nothing; only asked for where it matters, since that may take seconds.
    driver: Callable[[], str]
    #: Whether there has to be one in the end.
    required: bool = True

    @property
    def has_machines(self) -> bool:
        """Whether there are any, or one can be made here."""
        return bool(self.machines) or (self.system == "Linux" and self.root)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The cluster of this run, and why it is that one."""

    provider: str
    local: bool
    reason: str
    minutes: str
    cluster: str
    kubeconfig: str
    context: str
    cluster_dir: str
    exists: bool


def read_record(cluster_dir: Path) -> Record | None:
    """The record in the cluster's folder, if there is one."""
    import yaml

    path = cluster_dir / "cluster.yml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        record = Record(
            provider=str(document["provider"]),
            context=str(document["context"]),
            kubeconfig=str(document["kubeconfig"]),
            local=bool(document["local"]),
        )
        if record.provider in PROVIDERS:
            return record
        allowed = f"{', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]}"
        cause = f"provider = {record.provider!r}: must be {allowed}{nearest(record.provider, PROVIDERS)}"
    except FileNotFoundError:
        return None
    except KeyError as exc:
        cause = f"{exc.args[0]} is missing"
    except TypeError:
        cause = "it holds no mapping"
    except (OSError, ValueError, yaml.YAMLError) as exc:
        cause = " ".join(str(exc).split())
    raise MintnetError(
        f"Reading the record of the cluster {path}: {cause}",
        hint=f"repair it, or remove {cluster_dir} if that cluster is gone",
    )


def read_contexts(kubeconfig: Path) -> dict[str, bool]:
    """The contexts in the file, and whether they are ours; none where there is no file."""
    return {
        str(entry["name"]): any(
            extension.get("name") == EXTENSION for extension in (entry.get("context") or {}).get("extensions") or []
        )
        for entry in load(kubeconfig).get("contexts") or []
    }


def decide(now: Situation) -> Plan:
    """The record of an earlier run wins, then a context named by the user, then machines, then minikube where it is
    installed or no machine can be made here, then this machine."""
    if now.record and not _leaves_existing(now, now.record):
        return _recorded(now, now.record)
    if now.provider == "existing" or (now.provider == "auto" and now.context):
        return _existing(now)
    if not now.required:
        return _plan(now, provider="", local=False, reason="no cluster is there", minutes="", context="", exists=False)
    if now.provider == "minikube":
        return _minikube(now, "minikube was asked for")
    if now.provider == "auto" and not now.machines and (now.minikube or not now.has_machines):
        driver = now.driver()
        if driver:
            there = "minikube is here" if now.minikube else "minikube can be had"
            return _minikube(now, f"no context named, no machines listed, {there} and its driver {driver} works")
    return _kubeadm(now)


def _leaves_existing(now: Situation, record: Record) -> bool:
    """A cluster that we did not make holds nobody back: naming another context of one is enough."""
    return (
        record.provider == "existing"
        and now.provider in ("auto", "existing")
        and now.context not in ("", record.context)
    )


def _recorded(now: Situation, record: Record) -> Plan:
    way_out = (
        f"name another cluster (-e mintnet_cluster=NAME) beside it, or remove it first (destroy_cluster); "
        f"the record is {now.cluster_dir}/cluster.yml"
    )
    if now.provider not in ("auto", record.provider):
        raise MintnetError(
            f"{DOING}: mintnet_provider = {now.provider!r}: contradicts the cluster {now.cluster}, which is of "
            f"provider {record.provider} since an earlier run",
            hint=way_out,
        )
    if now.context not in ("", record.context):
        raise MintnetError(
            f"{DOING}: mintnet_context = {now.context!r}: contradicts the cluster {now.cluster}, which an earlier run "
            f"made with context {record.context}",
            hint=way_out,
        )
    reason = f"{'used' if record.provider == 'existing' else 'made'} by an earlier run"
    if record.local and now.machines:
        reason += ", the inventory's machines are left alone"
    return _plan(
        now,
        provider=record.provider,
        local=record.local,
        reason=reason,
        # The earlier run may have been cut off.
        minutes=QUICK if record.provider == "existing" else f"{QUICK} once all is built",
        kubeconfig=record.kubeconfig,
        context=record.context,
        exists=True,
    )


def _existing(now: Situation) -> Plan:
    known = f"contexts in {now.kubeconfig}: {', '.join(now.contexts) or 'none'}"
    if not now.context:
        raise MintnetError(
            f"{DOING}: mintnet_context = '': mintnet_provider = 'existing' needs the name of a context, and a current "
            "context is never taken unasked",
            hint=f"-e mintnet_context=NAME; {known}",
        )
    if now.context not in now.contexts:
        raise MintnetError(
            f"{DOING}: mintnet_context = {now.context!r}: there is no context {now.context} in {now.kubeconfig}"
            f"{nearest(now.context, now.contexts)}",
            hint=f"name one that is there, or another file (-e mintnet_kubeconfig=FILE); {known}",
        )
    return _plan(
        now,
        provider="existing",
        local=False,
        reason=f"context {now.context} was named",
        minutes=QUICK,
        context=now.context,
        exists=True,
    )


def _minikube(now: Situation, reason: str) -> Plan:
    _free_name(now)
    return _plan(
        now,
        provider="minikube",
        local=False,
        reason=reason,
        minutes=DOWNLOAD if now.system == "Darwin" else BUILD,
        context=now.cluster,
        exists=False,
    )


def _free_name(now: Situation) -> None:
    """The context of a new cluster has its name."""
    if not now.contexts.get(now.cluster, True):
        raise MintnetError(
            f"{DOING}: mintnet_cluster = {now.cluster!r}: a new cluster of that name would replace the context "
            f"{now.cluster} in {now.kubeconfig}, which is not ours",
            hint=f"to use that cluster: -e mintnet_context={now.cluster}; to make one beside it: "
            f"-e mintnet_cluster=NAME; if it is gone: kubectl config delete-context {now.cluster}",
        )


def _kubeadm(now: Situation) -> Plan:
    _free_name(now)
    named = "kubeadm was asked for" if now.provider == "kubeadm" else "no context named"
    local = not now.machines
    if not now.has_machines:
        lacking = "root, and this user is not" if now.system == "Linux" else f"Linux, and this is {_spoken(now.system)}"
        others = (
            f"name a cluster that exists (-e mintnet_context=NAME; contexts in {now.kubeconfig}: "
            f"{', '.join(now.contexts) or 'none'}), list a machine in the inventory's kube_control_plane, or start one "
            f"of minikube's drivers ({', '.join(PREFERRED.get(now.system, ()))})"
        )
        raise MintnetError(
            f"{DOING}: {named}, no machines listed, so a local machine would be made, which needs {lacking}",
            hint=f"run it as root, or {others}" if now.system == "Linux" else others,
        )
    return _plan(
        now,
        provider="kubeadm",
        local=local,
        reason=f"{named}, {'no ' if local else ''}machines listed: built from source",
        minutes=BUILD,
        context=now.cluster,
        exists=False,
    )


def _spoken(system: str) -> str:
    return "macOS" if system == "Darwin" else system


def _plan(now: Situation, **decided: t.Any) -> Plan:
    return Plan(**{"cluster": now.cluster, "cluster_dir": now.cluster_dir, "kubeconfig": now.kubeconfig, **decided})
