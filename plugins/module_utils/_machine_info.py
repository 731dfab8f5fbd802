# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the roles for machines want to know, read in one go. Runs on the machine: standard library only."""

from __future__ import annotations

import base64
import calendar
import concurrent.futures
import dataclasses
import hashlib
import http.client
import json
import os
import platform
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import time
import typing as t
from collections.abc import Callable
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._cluster_state import Get, look, silent
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_api import tls_context
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_fitness import fitness
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_record import (
    RECORDS,
    Record,
    file_drift,
    unit_drift,
    unit_states,
)

#: Programs of the machine's packages that the roles need, or would like to have.
PROGRAMS = ("conntrack", "ethtool", "haproxy", "iptables", "mount", "nsenter", "python3", "runc", "socat")
ADMIN = "/etc/kubernetes/admin.conf"
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
#: Where kubeadm leaves what a cluster is made of.
CLUSTER_FILES = (
    ADMIN,
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/pki/ca.crt",
    API_SERVER,
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/manifests/kube-controller-manager.yaml",
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
    "/var/lib/etcd/member",
)
#: What "kubeadm certs renew all" renews: certificates, and those in kubeconfig files. The kubelet renews its own.
RENEWED = (
    *("apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "front-proxy-client"),
    *("etcd/healthcheck-client", "etcd/peer", "etcd/server"),
)
RENEWED_CONFIGS = ("admin", "controller-manager", "scheduler", "super-admin")
#: Set by the renewal while it is at work.
MARK_RENEWING = "/var/lib/mintnet/renewing"
#: Our own marks: the first is set before kubeadm touches anything, the second replaces it at the end.
MARK_BEGUN = "/var/lib/mintnet/cluster.begun"
MARK_DONE = "/var/lib/mintnet/cluster.done"
#: Set by "containerd_images" on what it imports: the SHA-256 of the archive.
IMAGE_LABEL = "io.mintnet.archive"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

#: Runs a command; its standard output, or None where the command is missing, fails or takes too long.
Run = Callable[[list[str]], str | None]  # pylint: disable=unsupported-binary-operation


def run(command: list[str]) -> str | None:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


@dataclasses.dataclass
class Machine:
    """A machine below ``root``, which is something else than / only in tests."""

    root: Path = Path("/")
    run: Run = run
    get: Get | None = None

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        try:
            return self.path(name).read_text(errors="replace")
        except OSError:
            return ""

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.path(name))

    def info(self) -> dict[str, t.Any]:
        # The two slow parts, both mere waiting.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            images = pool.submit(self.images)
            kubernetes = pool.submit(self.kubernetes)
            return {
                **self.system(),
                **fitness(self.root, platform.release()),
                "records": self.records(),
                "images": images.result(),
                "kubernetes": kubernetes.result(),
            }

    def system(self) -> dict[str, t.Any]:
        release = parse_os_release(self.read("/etc/os-release"))
        memory = parse_meminfo(self.read("/proc/meminfo"))
        kernel = platform.release()
        return {
            "os": {
                "id": release.get("ID", ""),
                "version": release.get("VERSION_ID", ""),
                "name": release.get("PRETTY_NAME", ""),
            },
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "kernel": kernel,
            "kernel_modules": self.exists(f"/lib/modules/{kernel}"),
            "bridge_netfilter": self.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"),
            "cgroup_version": 2 if self.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
            "cpus": len(os.sched_getaffinity(0)),
            "memory_mb": memory.get("MemTotal", 0) // 1024,
            "swap_mb": memory.get("SwapTotal", 0) // 1024,
            "hostname": platform.node(),
            "address": own_address(),
            "programs": {
                name: shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
                for name in PROGRAMS
            },
            "listening": sorted(
                {port for table in ("tcp", "tcp6") for port in parse_listening(self.read(f"/proc/net/{table}"))}
            ),
        }

    def records(self) -> dict[str, t.Any]:
        """For each record: the inputs it was made from, and where the machine no longer is as it says."""
        found = {path.stem: Record.load(path) for path in sorted(self.path(RECORDS).glob("*.json"))}
        units = sorted({unit for record in found.values() for unit in record.units})
        states = unit_states(units, self.run)
        return {
            name: {"inputs": record.inputs, "drift": file_drift(record, self.root) + unit_drift(record, states)}
            for name, record in found.items()
        }

    def images(self) -> dict[str, str]:
        """Images that Kubernetes sees, with the SHA-256 of the archive that each came from, if we imported it."""
        if not self.exists("/run/containerd/containerd.sock"):
            return {}
        path = f"/usr/local/bin:{os.environ.get('PATH', '')}"
        listing = self.run([shutil.which("ctr", path=path) or "ctr", "--namespace", "k8s.io", "images", "list"])
        return parse_images(listing or "")

    def kubernetes(self) -> dict[str, t.Any]:
        if self.exists(MARK_DONE):
            state = "done"
        elif self.exists(MARK_BEGUN):
            state = "begun"
        else:
            state = "foreign" if any(map(self.exists, CLUSTER_FILES)) else "none"
        mark = self.read(MARK_DONE) or self.read(MARK_BEGUN)
        found: dict[str, t.Any] = {
            "state": state,
            "cluster": mark.strip(),
            "control_plane": self.exists(API_SERVER),
            "leftovers": [name for name in CLUSTER_FILES if self.exists(name)],
            "ca": base64.b64encode(self.read("/etc/kubernetes/pki/ca.crt").encode()).decode(),
            "admin_sha256": admin_certificate_sha256(self.read(ADMIN)),
            "certificates_until": self.certificates_until(),
            "api": silent("not made yet"),
        }
        # Any control plane can be asked; a node has no administrator.
        if state == "done" and self.exists(ADMIN):
            found["api"] = look(lambda: self.get or api_client(self.read(ADMIN)))
        return found

    def certificates_until(self) -> int:
        """When the first of the certificates ends that "kubeadm certs renew all" would renew.

        0 where there is none, one that cannot be read, or a renewal that did not come to its end.
        """
        certificates = [self.read(f"/etc/kubernetes/pki/{name}.crt") for name in RENEWED]
        configs = [self.read(f"/etc/kubernetes/{name}.conf") for name in RENEWED_CONFIGS]
        try:
            certificates += [embedded(text, "client-certificate-data").decode() for text in configs]
            if self.exists(MARK_RENEWING):
                return 0
            return min((not_after(ssl.PEM_cert_to_DER_cert(one)) for one in certificates if one), default=0)
        except (ValueError, LookupError):
            return 0


def not_after(certificate: bytes) -> int:
    """The end of a certificate's validity in seconds since 1970, of its DER (RFC 5280, 4.1.2.5).

    Its two times are the first ones in it: UTCTime until 2049, GeneralizedTime from then on.
    """
    times = re.findall(rb"\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z", certificate)
    short, long = times[1]
    text, form = (short, "%y%m%d%H%M%S") if short else (long, "%Y%m%d%H%M%S")
    return calendar.timegm(time.strptime(text.decode(), form))


def api_client(kubeconfig: str, timeout: float = 3.0) -> Get:
    """Asks the API server on this machine as the administrator."""
    context = tls_context("/etc/kubernetes/pki/ca.crt", administrator(kubeconfig))
    connection = http.client.HTTPSConnection("127.0.0.1", 6443, timeout=timeout, context=context)

    def get(path: str) -> t.Any:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError(f"GET {path}: {answer.status} {answer.reason}")
        return json.loads(body) if answer.headers.get_content_type() == "application/json" else body.decode()

    return get


def administrator(kubeconfig: str) -> bytes:
    """Certificate and key, as PEM."""
    return embedded(kubeconfig, "client-certificate-data") + embedded(kubeconfig, "client-key-data")


def own_address() -> str:
    """The address that this machine uses towards others; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def parse_os_release(text: str) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            values[name.strip()] = "".join(shlex.split(value))
    return values


def parse_meminfo(text: str) -> dict[str, int]:
    """Kilobytes by name."""
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def parse_listening(text: str) -> set[int]:
    """Ports of /proc/net/tcp or tcp6 in the state LISTEN (0A)."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == "0A"}


def parse_images(listing: str) -> dict[str, str]:
    """The output of "ctr images list": REF TYPE DIGEST SIZE PLATFORMS LABELS."""
    images = {}
    for line in listing.splitlines()[1:]:
        words = line.split()
        # By digest the runtime lists every image once more.
        if words and not words[0].startswith("sha256:"):
            label = re.search(rf"{re.escape(IMAGE_LABEL)}=([0-9a-f]+)", words[-1])
            images[words[0]] = label.group(1) if label else ""
    return images


def embedded(kubeconfig: str, field: str) -> bytes:
    """The content of a field with embedded data; nothing where it is missing."""
    return base64.b64decode(_embedded(kubeconfig, field))


def admin_certificate_sha256(kubeconfig: str) -> str:
    """Of the certificate only: enough to see whether a copy of the file is up to date, and no secret."""
    certificate = _embedded(kubeconfig, "client-certificate-data")
    return hashlib.sha256(certificate.encode()).hexdigest() if certificate else ""


def _embedded(kubeconfig: str, field: str) -> str:
    found = re.search(rf"^\s*{field}:\s*(\S+)\s*$", kubeconfig, re.MULTILINE)
    return found.group(1) if found else ""
