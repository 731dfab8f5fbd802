# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines leave a cluster, in which order, and what forbids it. Nothing here changes or asks anything.

Runs on a control plane: standard library only.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._etcd_members import Member
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import NETWORK_LABEL

Json = dict[str, t.Any]
#: Behind the name of a node's claim: data-tm-3 is the volume of tm-3.
_CLAIM = "data-"
#: Set by kubeadm on a node with an API server.
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_HOSTNAME = "kubernetes.io/hostname"
_MIRROR = "kubernetes.io/config.mirror"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim whose volume lies on a machine's own disk. ``node`` is the node of ``network`` that it belongs to, if it
    does to one; ``signs``, whether that is recorded as a validator that has started, so that its state is there.
    """

    namespace: str
    name: str
    volume: str
    network: str = ""
    node: str = ""
    signs: bool = False


@dataclasses.dataclass(frozen=True)
class Leaver:
    """A machine that leaves. One that is ``gone`` neither answers nor is a node that is ready: its disk is given up.

    ``anew``, whether the machine that is listed under its name has no cluster; ``stray``, whether it is no node, but a
    member of etcd only.
    """

    name: str
    gone: bool
    control_plane: bool
    anew: bool = False
    stray: bool = False
    claims: tuple[Claim, ...] = ()
    #: Pods that nobody would make anew, as NAMESPACE/NAME.
    lonely: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[bool, bool, str]:
        """Those that are gone first: a dead member of etcd counts for its quorum, and keeps others from joining.
        Control planes last, since each that leaves makes the next loss graver.
        """
        return (not self.gone, self.control_plane, self.name)

    def public(self) -> Json:
        return {**dataclasses.asdict(self), "claims": [dataclasses.asdict(claim) for claim in self.claims]}


def ready(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def control_plane(node: Json) -> bool:
    return _CONTROL_PLANE in (node["metadata"].get("labels") or {})


def going(nodes: Sequence[Json], stay: Collection[str], anew: Collection[str]) -> list[Json]:
    """Nodes whose machine is not listed any more, or is listed, but was made anew since."""
    return [node for node in nodes if node["metadata"]["name"] not in stay or node["metadata"]["name"] in anew]


def strays(
    members: Sequence[Member],
    nodes: Sequence[Json],
    stay: Collection[str],
    anew: Collection[str],
    addresses: Collection[str],
) -> list[Member]:
    """Members of etcd of no node, but for those of listed machines, which may be about to join.

    One that has never started has no name, and is told from these by its address, where ``addresses`` are given.
    """
    known = {*(node["metadata"]["name"] for node in nodes), *(name for name in stay if name not in anew)}
    return [
        one for one in members if (one.name not in known if one.name else bool(addresses) and one.host not in addresses)
    ]


def claims_on(
    node: Json, volumes: Sequence[Json], claims: Sequence[Json], started: Mapping[str, Collection[str]]
) -> list[Claim]:
    """Claims whose volume can be nowhere else than on this machine. ``started`` has the validators by network."""
    metadata = node["metadata"]
    hostname = (metadata.get("labels") or {}).get(_HOSTNAME, metadata["name"])
    labels = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["metadata"].get("labels") or {} for one in claims
    }
    found = []
    for volume in volumes:
        reference = volume["spec"].get("claimRef") or {}
        place = (reference.get("namespace", ""), reference.get("name", ""))
        # Without its claim a volume is somebody's to keep only where it is not deleted with it.
        kept = place in labels or volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
        if not kept or not _bound_to(volume, hostname, metadata["name"]):
            continue
        network = labels.get(place, {}).get(NETWORK_LABEL, "")
        pod = place[1].removeprefix(_CLAIM) if network else ""
        signs = pod in started.get(network, ())
        found.append(Claim(*place, volume["metadata"]["name"], network, pod, signs))
    return sorted(found, key=lambda claim: (claim.namespace, claim.name))


def _bound_to(volume: Json, hostname: str, name: str) -> bool:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    terms = required.get("nodeSelectorTerms") or []
    return bool(terms) and all(_names(term, hostname, name) for term in terms)


def _names(term: Json, hostname: str, name: str) -> bool:
    by_label = [one for one in term.get("matchExpressions") or [] if one["key"] == _HOSTNAME]
    by_field = [one for one in term.get("matchFields") or [] if one["key"] == "metadata.name"]
    return any(one.get("operator") == "In" and one.get("values") == [hostname] for one in by_label) or any(
        one.get("operator") == "In" and one.get("values") == [name] for one in by_field
    )


def owner(pod: Json) -> str:
    references = pod["metadata"].get("ownerReferences") or []
    return next((str(one["kind"]) for one in references if one.get("controller")), "")


def stays_behind(pod: Json) -> bool:
    """Whether a pod is bound to its machine, and ends with it."""
    return owner(pod) == "DaemonSet" or _MIRROR in (pod["metadata"].get("annotations") or {})


def lonely(pods: Sequence[Json]) -> list[str]:
    return [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods
        if not stays_behind(pod) and not owner(pod) and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]


def faults(leavers: Sequence[Leaver], members: Sequence[Member], context: str) -> list[str]:
    """What forbids that these machines leave, in their order; each says what to do instead."""
    living = [one for one in leavers if not one.gone and not one.anew]
    return [
        *(_name_fault(one) for one in leavers if not one.gone and one.anew),
        *quorum_faults(leavers, members),
        *(fault for one in living for fault in _volume_faults(one, context)),
        *(fault for one in living for fault in _lonely_faults(one, context)),
    ]


def quorum_faults(leavers: Sequence[Leaver], members: Sequence[Member]) -> Iterator[str]:
    left = {member.label: member.live for member in members if not member.learner}
    for one in leavers:
        if one.name not in left:
            continue
        del left[one.name]
        if not left:
            other = "list another one first, or remove the cluster (make destroy-cluster)"
            yield f"{one.name} is the last control plane: {other}"
            return
        live, needed = sum(left.values()), len(left) // 2 + 1
        if live < needed:
            dead = " and ".join(name for name in sorted(left) if not left[name])
            yield (
                f"without {one.name}, etcd would have {live} of {len(left)} members that answer, and needs {needed}: "
                f"bring {dead} back first (create starts it), or take {dead} out of the inventory instead"
            )
            return


def _name_fault(one: Leaver) -> str:
    return (
        f"{one.name} is listed, and has no cluster; but another machine serves the cluster under this name: list that "
        "one instead (ansible_host), or give the new one a name of its own; or switch the old one off, and run it again"
    )


def _volume_faults(one: Leaver, context: str) -> Iterator[str]:
    kubectl = "kubectl" + (f" --context {context}" if context else "")
    for network in sorted({claim.network for claim in one.claims if claim.network}):
        ours = [claim for claim in one.claims if claim.network == network]
        first = next((claim for claim in ours if claim.signs), ours[0])
        make = f"-n {first.namespace}"
        named = f" ARGS='-e cometbft_network={network}'" if network != "mintnet" else ""
        recover = f", and make recover NODE={first.node}{named} CONFIRM=yes" if first.signs else ""
        yield (
            f"{one.name} holds volumes of network {network}, on its own disk: {_nodes(ours)}; let each of them begin "
            f"anew on another machine first, one after the other, as in: {kubectl} cordon {one.name}, "
            f"{kubectl} {make} delete --wait=false pvc {first.name}, {kubectl} {make} delete pod {first.node}{recover}"
            "; wait until make status is content before the next one"
        )
    if theirs := [f"{claim.namespace}/{claim.name}" for claim in one.claims if not claim.network]:
        yield (
            f"{one.name} holds volumes on its own disk: those of the claims {', '.join(theirs)}; move what is in them, "
            "then delete these claims"
        )


def _nodes(claims: Sequence[Claim]) -> str:
    return ", ".join(f"{one.node} (a validator, with its signing state)" if one.signs else one.node for one in claims)


def _lonely_faults(one: Leaver, context: str) -> Iterator[str]:
    if one.lonely:
        yield f"{one.name} runs pods that nobody would make anew: {', '.join(one.lonely)}; delete them first"


def losses(one: Leaver) -> str:
    """What goes with the disk of a machine that is gone, and what to do about it; nothing where nothing does."""
    if not one.gone or not one.claims:
        return ""
    validators = [f"{claim.node} of network {claim.network}" for claim in one.claims if claim.signs]
    nodes = [f"{claim.node} of network {claim.network}" for claim in one.claims if claim.network and not claim.signs]
    others = [f"{claim.namespace}/{claim.name}" for claim in one.claims if not claim.network]
    said = []
    if validators:
        said.append(
            f"the signing state of {', '.join(validators)} is lost, which comes back by make recover NODE=…; make sure "
            f"that {one.name} is switched off"
        )
    if nodes:
        said.append(f"{', '.join(nodes)} fetch the chain again by themselves")
    if others:
        said.append(f"what was in the claims {', '.join(others)} is lost")
    return "; ".join(said)


def describe(one: Leaver) -> str:
    """As it is asked and told."""
    if one.stray:
        return f"{one.name} (member of etcd without a node)"
    kind = "control plane" if one.control_plane else "node"
    return f"{one.name} ({kind}{', gone for good' if one.gone else ''})"
