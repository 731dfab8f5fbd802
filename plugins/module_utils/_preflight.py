# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether machines can become, and stay, the machines of a cluster: every fault of all of them at once.

A machine that has joined is not measured by what only joining needs. The machine's own name is no matter: Kubernetes is
told names and addresses, and resolves neither.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import textwrap
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ansible_collections.mintnet.kubernetes.plugins.module_utils._control_planes import lead
from ansible_collections.mintnet.kubernetes.plugins.module_utils._table import aligned

Info = Mapping[str, t.Any]

SYSTEMS = ("debian", "ubuntu")
ARCHITECTURES = ("amd64", "arm64")
CPUS = 2
MEMORY_MB = 1700
#: Images, etcd and logs of a control plane take some 1200 MiB, and the kubelet wants a tenth of the disk free.
DISK_FREE_MB = 3072
#: Seconds. Certificates are valid from now on, and validators' clocks make the blocks' times.
CLOCK = 5
NODE_PORTS = (10250,)
CONTROL_PORTS = (2379, 2380, 6443, 10257, 10259)
#: The pod network's own file; the first one in the folder counts.
POD_NETWORK = "10-mintnet.conflist"
#: A column with fewer characters than this cannot be read, whatever the terminal.
NARROWEST = 24
COLUMNS = ("machine", "what is wrong", "what to do")


@dataclasses.dataclass(frozen=True)
class Fault:
    machine: str
    wrong: str
    todo: str
    #: The check that found it, kubeadm's where it has such a one. What has no name cannot be ignored.
    check: str = ""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What the machines are to become. Without ``arch``, they decide it."""

    name: str
    version: str
    arch: str = ""
    #: Of each machine's own balancer.
    port: int = 8443


@dataclasses.dataclass(frozen=True)
class Machine:
    """``probe`` is what machine_info returned for it, or how it failed."""

    name: str
    probe: Info
    control_plane: bool = True
    address: str = ""
    ignored: Sequence[str] = ()
    #: What its kubelet is configured to put up with.
    swap: bool = False
    cgroup_v1: bool = False

    @property
    def seen(self) -> bool:
        return bool(self.probe.get("kubernetes")) and bool(self.probe["root"])

    @property
    def joined(self) -> bool:
        return self.seen and self.probe["kubernetes"]["state"] == "done"


def faults(cluster: Cluster, machines: Sequence[Machine]) -> list[Fault]:
    """By machine, in their order, and of each machine what matters most comes first."""
    seen = [machine for machine in machines if machine.seen]
    nodes = {node["name"]: node for machine in seen for node in machine.probe["kubernetes"]["api"]["nodes"]}
    estranged = list(_estranged(cluster, machines, nodes))
    compared = [*_architectures(cluster, seen), *_alike(seen), *_clocks(seen)]
    found: list[Fault] = []
    for machine in machines:
        if machine.seen:
            found += _identity(cluster, machine, nodes)
            found += [fault for fault in estranged if fault.machine == machine.name]
            found += _always(machine)
            found += [] if machine.joined else _once(cluster, machine)
            found += [fault for fault in compared if fault.machine == machine.name]
        else:
            found.append(_unseen(machine, cluster.name if machine.name in nodes else ""))
    ignored = {(machine.name, name) for machine in machines for name in machine.ignored}
    return [fault for fault in found if not fault.check or (fault.machine, fault.check) not in ignored]


def table(found: Sequence[Fault], width: int) -> str:
    """A row for each fault; what is too long for its column goes on below."""
    room = width - max(len(text) for text in (COLUMNS[0], *(fault.machine for fault in found))) - 4
    wrong = [_folded(fault.wrong, max(room // 2, NARROWEST)) for fault in found]
    taken = max(len(text) for text in (COLUMNS[1], *itertools.chain(*wrong)))
    todo = [_folded(fault.todo, max(room - taken, NARROWEST)) for fault in found]
    rows: list[dict[str, str]] = []
    before = ""
    for fault, *cells in zip(found, wrong, todo, strict=True):
        names = [fault.machine if fault.machine != before else ""]
        rows += [dict(zip(COLUMNS, row, strict=True)) for row in itertools.zip_longest(names, *cells, fillvalue="")]
        before = fault.machine
    return "\n".join(aligned(rows))


def _folded(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


# A machine that was not seen


#: What Ansible says, in small letters, in words of ours, and the way on.
UNREACHED = (
    (
        "permission denied",
        "it refuses the login",
        "name a user and a key that it accepts in ansible_user and ansible_ssh_private_key_file",
    ),
    (
        "host key verification failed",
        "its host key is not the one that is known, or none is",
        "see that it is this machine, then bring its key into ~/.ssh/known_hosts (log in once by ssh)",
    ),
    ("could not resolve", "its name leads nowhere", "set ansible_host to its address"),
)
SUDO = "give it: ansible_become_password, or --ask-become-pass; or let the user do sudo without one"
NO_SUDO = "install it, or log in as root (ansible_user) without ansible_become"
FAILED = (
    (
        "incorrect sudo password",
        "its sudo password is wrong",
        "give the right one: ansible_become_password, or --ask-become-pass",
    ),
    ("missing sudo password", "its sudo asks for a password", SUDO),
    ("password is required", "its sudo asks for a password", SUDO),
    (
        "become password",
        "its sudo does not answer",
        "see that the password in ansible_become_password is right and that the user may do sudo",
    ),
    ("sudo: not found", "it has no sudo", NO_SUDO),
    ("sudo: command not found", "it has no sudo", NO_SUDO),
    ("not in the sudoers", "its user may not do sudo", "allow it, or name another user in ansible_user"),
)
PYTHON = (
    "it has no Python 3 where it was looked for",
    "install it (apt-get install python3), or name its path in ansible_python_interpreter",
)


def _unseen(machine: Machine, cluster: str) -> Fault:
    probe = machine.probe
    if probe.get("kubernetes"):
        return Fault(machine.name, "Ansible is not root on it", "set ansible_become to true, or ansible_user to root")
    said = " ".join(str(probe.get(name) or "") for name in ("msg", "module_stderr", "module_stdout")).strip()
    last = (said.splitlines() or [""])[-1].rpartition("via ssh: ")[2].removeprefix("Task failed: ")
    last = last.strip() or "nothing was said of why"
    if not probe.get("unreachable"):
        return Fault(machine.name, *_failed(said, last))
    wrong, todo = "it cannot be reached", "start it, and see that ansible_host and ansible_port lead to its SSH server"
    for words, meaning, advice in UNREACHED:
        if words in said.lower():
            wrong, todo = meaning, advice
    if cluster:
        wrong = f"it is a node of cluster {cluster}, and {wrong}"
        todo = f"{todo}; one that is gone for good has to leave the cluster and the inventory"
    return Fault(machine.name, f"{wrong}: {last}", todo)


def _failed(said: str, last: str) -> tuple[str, str]:
    low = said.lower()
    for words, wrong, todo in FAILED:
        if words in low:
            return wrong, todo
    if "not found" in low and ("interpreter" in low or "python" in low):
        return PYTHON
    return f"looking at it failed: {last}", "mend what is named there, then run the same command again"


# What it is


def _identity(cluster: Cluster, machine: Machine, nodes: Mapping[str, Info]) -> Iterator[Fault]:
    found = machine.probe["kubernetes"]
    state, theirs = found["state"], found["cluster"]
    fault = _maker(machine)
    if state == "foreign":
        yield fault(
            f"it holds a Kubernetes cluster that we did not make ({', '.join(found['leftovers'])})",
            "use that cluster by its kubeconfig, or remove it with kubeadm reset",
        )
    elif state != "none" and theirs not in ("", cluster.name):
        yield fault(
            f"it belongs to the cluster {theirs}", f"name that one instead of {cluster.name}, or another machine"
        )
    elif machine.joined:
        running = nodes.get(machine.name, {}).get("version", "")
        if running not in ("", f"v{cluster.version}"):
            yield fault(
                f"it runs Kubernetes {running}, and v{cluster.version} is wanted",
                "this version does not upgrade: remove the cluster and make it anew",
            )
        if machine.control_plane != found["control_plane"]:
            kinds = ("a control plane", "a node") if found["control_plane"] else ("a node", "a control plane")
            group = "kube_control_plane" if found["control_plane"] else "kube_node"
            yield fault(
                f"it is {kinds[0]} of the cluster {cluster.name}, and {kinds[1]} is wanted",
                f"remove it from the cluster first, or list it in {group} (local machines: set mintnet_control_planes "
                "back)",
            )


# Whether it has a part in what the others have


def _estranged(cluster: Cluster, machines: Sequence[Machine], nodes: Mapping[str, Info]) -> Iterator[Fault]:
    """Machines that have joined, but not the cluster that the listed control planes have or are about to make."""
    controls = [machine for machine in machines if machine.control_plane]
    unmade = all(one.seen and one.probe["kubernetes"]["state"] in ("none", "begun") for one in controls)
    leader = lead({one.name: one.probe for one in controls if one.joined})
    authority = next((one.probe["kubernetes"]["ca"] for one in controls if one.name == leader), "")
    for machine in machines:
        found = machine.probe.get("kubernetes") or {}
        # What is another fault already has its own way out.
        if not machine.joined or (found["cluster"], found["control_plane"]) != (cluster.name, machine.control_plane):
            continue
        fault = _maker(machine)
        if controls and unmade:
            yield fault(
                f"it is a node of a cluster {cluster.name} that no machine in kube_control_plane has: a new one would "
                "be made beside it",
                "list the control plane that has it in kube_control_plane again; if that is lost (a local machine "
                "whose container is gone), remove what is left (make destroy-cluster), then run create",
            )
        elif authority and found["ca"] not in ("", authority):
            yield fault(
                f"it has joined another cluster {cluster.name} than {leader} has (their authorities differ)",
                "list the control plane of its own cluster instead; or list it in kube_removed, run create, then list "
                "it again (local machines: make destroy-cluster, then create)",
            )
        elif nodes and machine.name not in nodes:
            yield fault(
                f"it was taken out of the cluster {cluster.name}, and does not come back by itself",
                "list it in kube_removed (local machines: lower mintnet_machines), run create, then list it again",
            )


# What a member needs, too: the kubelet would not start again without it


def _always(machine: Machine) -> Iterator[Fault]:
    info, fault = machine.probe, _maker(machine)
    if info["os"]["id"] not in SYSTEMS:
        yield fault(f"its system is {info['os']['name'] or 'unknown'}", "use Debian 12 or Ubuntu")
    if info["architecture"] not in ARCHITECTURES:
        yield fault(f"its architecture is {info['architecture']}", f"use a machine with {' or '.join(ARCHITECTURES)}")
    if info["swap_mb"] > 0 and not machine.swap:
        yield fault(
            f"it uses {info['swap_mb']} MiB of swap, with which the kubelet does not start",
            "turn it off (swapoff -a, and in /etc/fstab), or set failSwapOn to false in kubeadm_kubelet_overlay",
        )
    if info["cgroup_version"] == 1 and not machine.cgroup_v1:
        yield fault(
            "its control groups are version 1, with which the kubelet does not start",
            "boot it with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1 to false in kubeadm_kubelet_overlay",
        )
    if not machine.address:
        yield fault("its address is unknown, as it has no default route", "set kubeadm_address to its IPv4 address")


# What only joining needs


def _once(cluster: Cluster, machine: Machine) -> Iterator[Fault]:
    info, fault = machine.probe, _maker(machine)
    if info["cpus"] < CPUS:
        yield fault(f"it has {info['cpus']} CPU", f"give it at least {CPUS}", "NumCPU")
    if info["memory_mb"] < MEMORY_MB:
        yield fault(f"it has {info['memory_mb']} MiB of memory", f"give it at least {MEMORY_MB}", "Mem")
    if info["disk_free_mb"] < DISK_FREE_MB:
        yield fault(
            f"of the disk of /var/lib {info['disk_free_mb']} MiB are free",
            f"free some, or use a larger one: at least {DISK_FREE_MB} MiB are needed",
            "DiskFree",
        )
    if info["kernel_missing"]:
        yield fault(
            f"its kernel {info['kernel']} lacks {', '.join(info['kernel_missing'])}",
            "use the kernel of the distribution (package linux-image-amd64 or the like), and reboot",
            "SystemVerification",
        )
    if not [server for server in info["nameservers"] if not _is_loopback(server)]:
        yield fault(
            f"of its name servers none is one that pods can ask ({', '.join(info['nameservers']) or 'there is none'})",
            "name one with another address than loopback in /etc/resolv.conf, or let systemd-resolved run: "
            "CoreDNS passes on to it",
            "NameServers",
        )
    own = info["addresses"]
    if machine.address and own and machine.address not in own:
        yield fault(
            f"its address {machine.address} is that of none of its interfaces ({_listed(own)})",
            "set kubeadm_address to one that the other machines reach it at",
        )
    # The rest is gone with a cluster that has to go anyway, or was ours.
    if info["kubernetes"]["state"] == "none":
        yield from _unused(cluster, machine)


def _unused(cluster: Cluster, machine: Machine) -> Iterator[Fault]:
    """Nothing else may use the machine as it will be used."""
    info, fault = machine.probe, _maker(machine)
    for name, path in sorted(info["others"].items()):
        yield fault(
            f"it has {name} of another installation ({path})",
            "remove that with its own means, or use another machine",
            "OtherInstallations",
        )
    first = [name for name in info["pod_networks"] if name < POD_NETWORK]
    if first:
        yield fault(
            f"it has the pod network of an older cluster, which would go before ours (/etc/cni/net.d/{first[0]})",
            "remove that file",
            "PodNetwork",
        )
    wanted = [*NODE_PORTS, *(CONTROL_PORTS if machine.control_plane else ())]
    wanted += [] if "kubeadm" in info["records"] else [cluster.port]
    for port in sorted(set(wanted) & set(info["listening"])):
        yield fault(
            f"its port {port} is in use, which Kubernetes needs",
            f"see who listens there (ss -ltnp sport = :{port}), and stop that",
            f"Port-{port}",
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


# What machines are beside one another


def _architectures(cluster: Cluster, machines: Sequence[Machine]) -> Iterator[Fault]:
    """Binaries and images are of one architecture."""
    known = [machine for machine in machines if machine.probe["architecture"] in ARCHITECTURES]
    kinds = {machine.probe["architecture"] for machine in known}
    for machine in known:
        own = machine.probe["architecture"]
        if cluster.arch not in ("", own):
            yield _maker(machine)(
                f"its architecture is {own}, and binaries and images are for {cluster.arch}",
                f"set artifacts_arch to {own}, or use a machine with {cluster.arch}",
            )
        elif not cluster.arch and len(kinds) > 1:
            others = [other.name for other in known if other.probe["architecture"] != own]
            yield _maker(machine)(
                f"its architecture is {own}, and that of {_listed(others)} is not",
                "use machines of one architecture: binaries and images are for one",
            )


def _alike(machines: Sequence[Machine]) -> Iterator[Fault]:
    """What each must have alone. One that has joined lives with it; one that is to join must not have the same."""
    kinds: tuple[tuple[str, Callable[[Machine], Iterable[str]], str, str], ...] = (
        (
            "host name",
            lambda one: [one.probe["hostname"]],
            "give it one of its own: hostnamectl set-hostname NAME",
            "Hostname",
        ),
        (
            "machine id",
            lambda one: [one.probe["machine_id"]],
            "make a new one: rm /etc/machine-id, then systemd-machine-id-setup, and reboot",
            "MachineId",
        ),
        (
            "MAC address",
            lambda one: one.probe["macs"],
            "give its interface one of its own, where the virtual machine is configured",
            "MacAddress",
        ),
    )
    for machine in machines:
        if machine.joined:
            continue
        others = [other for other in machines if other is not machine]
        twins = [other for other in others if machine.address and other.address == machine.address]
        if twins:
            yield _maker(machine)(
                f"its address {machine.address} is that of {_listed([one.name for one in twins])}, too",
                "list each machine once, and set kubeadm_address where it is not the one that Ansible connects to",
            )
        for (kind, values, todo, check), value in ((one, value) for one in kinds for value in one[1](machine) if value):
            alike = [other.name for other in others if other not in twins and value in values(other)]
            if alike:
                yield _maker(machine)(f"its {kind} {value} is that of {_listed(alike)}, too", todo, check)


def _clocks(machines: Sequence[Machine]) -> Iterator[Fault]:
    """Each clock was read at some moment while its answer was waited for: what that leaves open is no difference."""
    controller = {"the controller": (0.0, 0.0)}
    ahead = {machine.name: _ahead(machine.probe) for machine in machines}
    right = {name: one for name, one in ahead.items() if abs(_apart(one, (0.0, 0.0))) <= CLOCK}
    for machine in machines:
        if machine.joined:
            continue
        # One that is wrong by the controller's clock does not make the others' wrong.
        apart = {
            name: _apart(ahead[machine.name], other)
            for name, other in (right if machine.name in right else controller).items()
        }
        name = max(apart, key=lambda one: abs(apart[one]))
        if abs(apart[name]) > CLOCK:
            yield _maker(machine)(
                f"its clock is {abs(apart[name]):.0f} s {'ahead of' if apart[name] > 0 else 'behind'} that of {name}; "
                f"{CLOCK} s are allowed",
                "let both be set by NTP: timedatectl set-ntp true",
                "Clock",
            )


def _ahead(info: Info) -> tuple[float, float]:
    """By how many seconds the machine's clock is ahead of the controller's, at least and at most."""
    began, ended = info["asked"]
    return info["clock"] - ended, info["clock"] - began


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By how many seconds one is ahead of the other for certain; negative where it is behind."""
    return max(one[0] - other[1], 0.0) or min(one[1] - other[0], 0.0)


def _maker(machine: Machine) -> Callable[..., Fault]:
    return lambda *texts: Fault(machine.name, *texts)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
