# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves a machine as it was before the roles came: by their records, by kubeadm, and by what a cluster makes at work.

The records go last, so that what is cut off is gone on with. Runs on the machine: standard library only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_info import (
    CLUSTER_FILES,
    MARK_BEGUN,
    MARK_DONE,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_install import Run, draft_of, run
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_record import RECORDS, Record

KUBEADM = "/usr/local/bin/kubeadm"
#: The member of etcd is removed by those who stay, or there are none.
RESET = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ResetConfiguration
criSocket: unix:///run/containerd/containerd.sock
force: true
skipPhases: [remove-etcd-member]
timeouts:
  kubernetesAPICall: 2s
"""
#: What Kubernetes and containerd keep, nothing of which is of use without the cluster; ours last, with the records.
DATA = (
    *("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/containerd", "/run/containerd"),
    *("/var/log/pods", "/var/log/containers", "/var/log/kubernetes/audit"),
    *("/var/cache/mintnet", "/etc/mintnet", "/var/lib/mintnet"),
    # Not all of that folder: a machine may be the controller of others, too.
    *("/run/mintnet/ipam", "/run/mintnet/join", "/run/mintnet/snapshot", "/run/mintnet/reset"),
)
#: What they make at their start and leave empty; others may have something in it.
EMPTY = (
    *("/opt/cni/bin", "/opt/containerd/bin", "/opt/containerd/lib", "/opt/nri/plugins", "/etc/nri/conf.d"),
    *("/etc/cni/net.d", "/var/lib/cni/results", "/etc/containerd", "/usr/local/lib/mintnet"),
    *("/usr/libexec/kubernetes/kubelet-plugins/volume/exec", "/var/log/kubernetes", "/run/mintnet"),
)
#: Folders of the system, which stay when they are empty.
SYSTEM = frozenset(
    f"/{name}"
    for name in (
        *("", "etc", "etc/systemd", "etc/systemd/system", "opt", "run", "usr", "usr/libexec", "usr/local"),
        *(
            "usr/local/bin",
            "usr/local/lib",
            "usr/local/sbin",
            "usr/local/share",
            "var",
            "var/cache",
            "var/lib",
            "var/log",
        ),
    )
)
UNITS = "/etc/systemd/system"
#: What a pod network remembers of each pod, until that pod is gone in an orderly way.
CACHED = ("/var/lib/cni/results", "mintnet-*")
LINK = "cni0"
_CHAIN = re.compile(r"(KUBE|CNI)-[-A-Z0-9a-z]+")


@dataclasses.dataclass
class Reset:
    """Of a machine below ``root``, which is something else than / only in tests."""

    cluster: str
    root: Path = Path("/")
    run: Run = run
    check: bool = False
    did: list[str] = dataclasses.field(default_factory=list)

    def apply(self) -> bool:
        self._refuse()
        if not self._present():
            return False
        if self.check:
            self.did += [f"removed {name}" for name in [*self._files(), *(one for one in DATA if self._exists(one))]]
            return True
        records = self._records()
        self._leave_cluster()
        units = [unit for record in reversed(records) for unit in reversed(record.units)]
        # Some are started by others.
        others = [Path(name).name for name in self._files() if Path(name).parent == Path(UNITS)]
        self._stop([*units, *others])
        self._network()
        for name in self._files():
            self._remove_file(name)
        self.run(["systemctl", "daemon-reload"])
        with contextlib.suppress(MintnetError):  # units that failed before are nobody's any more
            self.run(["systemctl", "reset-failed"])
        for name in DATA:
            self._remove_folder(name)
        self._forget()
        for name in EMPTY:
            self._prune(name)
        return True

    # What there is

    def _refuse(self) -> None:
        mark = (self._read(MARK_DONE) or self._read(MARK_BEGUN)).strip()
        if mark and mark != self.cluster:
            raise MintnetError(
                f"resetting this machine: it belongs to the cluster {mark}, not {self.cluster}; name that one "
                "(mintnet_cluster), or take the machine out of the inventory"
            )
        if not mark and not self._exists(RECORDS) and (theirs := [one for one in CLUSTER_FILES if self._exists(one)]):
            raise MintnetError(
                f"resetting this machine: it holds a Kubernetes cluster that we did not make ({', '.join(theirs)}); "
                "take the machine out of the inventory, or remove that cluster with kubeadm reset"
            )

    def _present(self) -> bool:
        return any(self._exists(one) for one in (RECORDS, MARK_DONE, MARK_BEGUN, "/etc/mintnet", "/var/lib/mintnet"))

    def _records(self) -> list[Record]:
        """In the order in which the roles came."""
        paths = sorted(self._at(RECORDS).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [Record.load(path) for path in paths]

    def _files(self) -> list[str]:
        return sorted({name for record in self._records() for name in record.files})

    # What is done about it

    def _leave_cluster(self) -> None:
        """kubeadm ends all pods, by containerd, and unmounts what they had."""
        if not self._exists(KUBEADM) or not any(map(self._exists, (*CLUSTER_FILES, "/var/lib/kubelet/config.yaml"))):
            return
        settings = self._scratch("kubeadm.yaml", RESET)
        # What an earlier run was cut off in may still be at work.
        self._stop([f"mintnet-{name}.service" for name in ("cluster-init", "cluster-join", "renew")], quietly=True)
        self.run(["systemctl", "start", "containerd.service"])
        self.run([KUBEADM, "reset", "--config", str(settings)])
        self.did.append("ended all pods")

    def _stop(self, units: Iterable[str], quietly: bool = False) -> None:
        for unit in dict.fromkeys(units):
            if not self._exists(f"{UNITS}/{unit}"):
                continue
            self.run(["systemctl", "stop", unit])
            if not quietly:
                self.run(["systemctl", "disable", "--quiet", unit])
                self.did.append(f"disabled {unit}")

    def _network(self) -> None:
        for family in ("iptables", "ip6tables"):
            try:
                found = self.run([f"{family}-save"])
            except MintnetError:  # it is not installed, or the kernel has no such tables
                continue
            if rules := without_kubernetes(found):
                self.run([f"{family}-restore", "--noflush", str(self._scratch("rules", rules))])
                self.did.append(f"removed the rules of Kubernetes from {family}")
        if self._exists(f"/sys/class/net/{LINK}"):
            self.run(["ip", "link", "delete", LINK])
            self.did.append(f"removed {LINK}")

    def _scratch(self, name: str, text: str) -> Path:
        path = self._at(f"/run/mintnet/reset/{name}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def _remove_file(self, name: str) -> None:
        path = self._at(name)
        draft_of(path).unlink(missing_ok=True)
        if os.path.lexists(path):
            path.unlink()
            self.did.append(f"removed {name}")
        self._prune(name.rpartition("/")[0])

    def _remove_folder(self, name: str) -> None:
        """With all that is mounted below it. A mount of the machine's own at this very place stays, empty."""
        path = self._at(name)
        if not path.is_dir():
            return
        for mount in self._mounts(name):
            if mount != name:
                self.run(["umount", "--lazy", mount])
        if name == "/var/lib/mintnet":
            self._empty(path, keep=("records",))
            return
        self._empty(path)
        if not os.path.ismount(path):
            path.rmdir()
        self.did.append(f"removed {name}")

    def _forget(self) -> None:
        """The last step: without the records nobody knows that something was left."""
        folder, pattern = CACHED
        for path in self._at(folder).glob(pattern):
            path.unlink()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._at(RECORDS))
            self._at(RECORDS).parent.rmdir()

    @staticmethod
    def _empty(path: Path, keep: Iterable[str] = ()) -> None:
        for one in path.iterdir():
            if one.name in keep:
                continue
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()

    def _prune(self, name: str) -> None:
        """A folder and those above it, as far as nobody has anything in them."""
        while name not in SYSTEM and self._at(name).is_dir() and not os.path.ismount(self._at(name)):
            try:
                self._at(name).rmdir()
            except OSError:
                return
            name = name.rpartition("/")[0]

    def _mounts(self, name: str) -> list[str]:
        """At and below a place, the deepest first."""
        rows = (line.split() for line in self._read("/proc/self/mountinfo").splitlines())
        places = {row[4].encode().decode("unicode_escape") for row in rows if len(row) > 4}
        return sorted((one for one in places if one == name or one.startswith(f"{name}/")), reverse=True)

    def _at(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def _exists(self, name: str) -> bool:
        return os.path.lexists(self._at(name))

    def _read(self, name: str) -> str:
        try:
            return self._at(name).read_text(errors="replace")
        except OSError:
            return ""


def without_kubernetes(saved: str) -> str:
    """What iptables-restore --noflush takes to remove the chains of Kubernetes and of its port mappings, and nothing of
    others, from what iptables-save tells; nothing where there are none.
    """
    return "".join(line for table in _tables(saved) for line in _removal(table))


def _tables(saved: str) -> Iterator[list[str]]:
    table: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table = [line]
        elif line == "COMMIT":
            yield table
        elif not line.startswith("#"):
            table.append(line)


def _removal(table: list[str]) -> list[str]:
    chains = [name for line in table if line.startswith(":") and _CHAIN.fullmatch(name := line[1:].split()[0])]
    if not chains:
        return []
    rules = [
        f"-D{line[2:]}"
        for line in table
        if line.startswith("-A ") and not _CHAIN.fullmatch(line.split()[1]) and _jumps_to(line) in chains
    ]
    # Chains lead to each other: all are emptied before the first one goes.
    lines = [table[0], *(f"-F {name}" for name in chains), *rules, *(f"-X {name}" for name in chains), "COMMIT"]
    return [f"{line}\n" for line in lines]


def _jumps_to(rule: str) -> str:
    found = re.search(r" (?:-j|-g) (\S+)", rule)
    return found.group(1) if found else ""
