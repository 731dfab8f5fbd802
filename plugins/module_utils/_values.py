# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the value of a variable must be beyond its type: one check for each variable that needs one.

What must go together is in _relations; checks that take more than a line are in _checks.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from urllib.parse import urlsplit

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _app, _genesis
from ansible_collections.mintnet.kubernetes.plugins.module_utils._checks import (
    LONGEST,
    QUANTITY,
    current_folder,
    file,
    folder,
    folder_or_manifest,
    kubeconfig,
    node_selector,
    numbered,
    query,
    resources,
    subnet,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._go import MAX_INT64, nanoseconds, time_text
from ansible_collections.mintnet.kubernetes.plugins.module_utils._key_types import type_named
from ansible_collections.mintnet.kubernetes.plugins.module_utils._names import (
    LINES,
    is_label,
    line_of,
    ordinal_of,
)

# It gives what the value must be, or None where it is that.
Check = Callable[[t.Any], t.Any]

DNS_LABEL = "a DNS label: 1 to 63 of a-z, 0-9 and dashes, with no dash at either end"
DNS_NAME = "a DNS name: DNS labels (a-z, 0-9, inner dashes) joined by dots, 253 characters at most"

_RELEASE = re.compile(r"\d+\.\d+\.\d.*", re.ASCII)
_IMAGE = re.compile(
    r"([a-zA-Z0-9.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII
)


def dns_label(value: str) -> str | None:
    return (
        None if is_label(value) else DNS_LABEL + meant(re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-"), is_label)
    )


def meant(guess: str, sound: Callable[[str], t.Any]) -> str:
    """'; did you mean X?' for what a value becomes without its usual slips, where that is sound."""
    return f"; did you mean {guess}?" if sound(guess) else ""


def dns_name(value: str) -> str | None:
    return None if len(value) <= 253 and all(map(is_label, value.split("."))) else DNS_NAME


def or_empty(check: Check) -> Check:
    return lambda value: check(value) if value else None


def cluster_name(value: str) -> str | None:
    if len(value) > 58:
        return "58 characters at most, since machines are called NAME-1, NAME-2 …"
    return dns_label(value)


def network_name(value: str) -> str | None:
    if value in ("default", "mintnet-storage") or value.startswith("kube-"):
        return "a namespace of its own: not default, mintnet-storage or kube-…"
    return dns_label(value)


def chain_id(value: str) -> str | None:
    most, size = _genesis.MAX_CHAIN_ID_BYTES, len(value.encode(errors="surrogatepass"))
    if not value.isprintable():
        return f"1 to {most} bytes of text that can be printed"
    return None if 1 <= size <= most else f"1 to {most} bytes, and this is {size}"


def version(value: str) -> str | None:
    # The image's tag is made of it.
    if line_of(value) and _RELEASE.fullmatch(value):
        return None
    wanted = f"a release of CometBFT {', '.join(LINES)}, in full, such as 0.40.0"
    bare = value.removeprefix("v")
    return wanted + meant(bare, lambda guess: line_of(guess) and _RELEASE.fullmatch(guess))


def node(value: str) -> str | None:
    if _is_node(value):
        return None
    guess = re.sub(r"[-_ ]*(\d+)$", r"-\1", value.strip().lower())
    return "the name of a node, such as tm-0" + meant(guess, _is_node)


def _is_node(value: str) -> bool:
    return is_label(value) and ordinal_of(value) is not None


def at_least(least: int, most: int | None = None) -> Check:
    def check(value: int) -> str | None:
        if value < least:
            return f"{least} or more"
        return f"{most} at most" if most is not None and value > most else None

    return check


def between(least: int, most: int) -> Check:
    return lambda value: None if least <= value <= most else f"{least} to {most}"


def duration(value: str) -> str | None:
    if _is_duration(value):
        return None
    guess = value.replace(" ", "").lower()
    return "a duration, such as 500ms, 1s or 1m30s" + meant(guess + "s" if guess.isdigit() else guess, _is_duration)


def _is_duration(value: str) -> bool:
    try:
        return nanoseconds(value) >= 0
    except ValueError:
        return False


def time(value: str) -> str | None:
    try:
        time_text(value)
    except ValueError:
        return "a time such as 2026-01-31T12:00:00Z"
    return None


def positive_quantity(value: str) -> str | None:
    if _is_positive(value):
        return None
    return "a quantity above 0, such as 512Mi, 2Gi or 10G" + meant(value.replace(" ", "").rstrip("Bb"), _is_positive)


def _is_positive(value: str) -> bool:
    match = QUANTITY.fullmatch(value)
    return match is not None and float(match[1]) > 0


def sha256(value: str) -> str | None:
    return None if re.fullmatch("[0-9a-f]{64}", value) else "a SHA-256 as 64 lower-case hexadecimal digits"


def web_server(value: str) -> str | None:
    wanted = "the URL of a web server or of a folder on it, such as https://mirror.example.com/kubernetes"
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", value):
        return wanted
    if parts.username is not None:
        return f"{wanted}; name and password belong in ~/.netrc"
    return f"{wanted}, with nothing behind it" if parts.query or parts.fragment else None


def sums(value: t.Mapping[t.Any, t.Any]) -> str | None:
    for name, own in value.items():
        if not isinstance(own, t.Mapping) or not all(isinstance(one, str) and not sha256(one) for one in own.values()):
            return f"SHA-256 by name and OS-ARCH, such as {{containerd: {{linux-amd64: bbe1…}}}}; see its entry {name}"
    return None


def image(value: str) -> str | None:
    return None if _IMAGE.fullmatch(value) else "an image reference, such as cometbft/cometbft:v0.40.0"


def key_type(value: str) -> str | None:
    try:
        type_named(value)
    except ValueError as error:
        return f"a type of keys: {error}"
    return None


MOST_MACHINES = 1000
# etcd's advice: each further member makes every write slower.
MOST_CONTROL_PLANES = 7
# What kubeadm takes: each machine gets a /24, and services have at most twenty bits.
POD_SUBNET = subnet(8, 24, "since each machine has a /24 of it for its pods")
SERVICE_SUBNET = subnet(12, 28, "which is what Kubernetes takes for services")

CHECKS: dict[str, Check] = {
    "mintnet_cluster": cluster_name,
    "mintnet_home": folder,
    "mintnet_cache_dir": folder,
    "mintnet_kubeconfig": kubeconfig,
    "mintnet_diagnose_path": current_folder,
    "mintnet_snapshot_path": current_folder,
    "mintnet_mirror_dir": or_empty(current_folder),
    "mintnet_dashboard_port": between(1, 65535),
    "mintnet_dashboard_seconds": at_least(0, LONGEST),
    "mintnet_machines": at_least(1, MOST_MACHINES),
    "mintnet_control_planes": at_least(1, MOST_CONTROL_PLANES),
    "cometbft_network": network_name,
    "cometbft_chain_id": chain_id,
    "cometbft_version": version,
    "cometbft_image": image,
    "cometbft_pub_key_image": image,
    "cometbft_nodes": at_least(1, _genesis.MAX_VALIDATORS),
    "cometbft_validators": at_least(1, _genesis.MAX_VALIDATORS),
    "cometbft_power": between(1, _genesis.MAX_TOTAL_POWER),
    "cometbft_key_type": or_empty(key_type),
    "cometbft_genesis_sha256": or_empty(sha256),
    "cometbft_app_state_src": or_empty(file),
    "cometbft_block_time": duration,
    "cometbft_genesis_time": or_empty(time),
    "cometbft_initial_height": between(1, MAX_INT64),
    "cometbft_volume_size": positive_quantity,
    "cometbft_storage_class": or_empty(dns_name),
    "cometbft_resources": resources,
    "cometbft_node_selector": node_selector,
    "cometbft_quota_headroom": at_least(0, _genesis.MAX_VALIDATORS),
    "cometbft_timeout": at_least(1, LONGEST),
    "cometbft_app_image": or_empty(image),
    "cometbft_app_build": _app.build,
    "cometbft_image_archives": _app.archives,
    "cometbft_app_env": _app.env,
    "cometbft_app_files": _app.files,
    "cometbft_app_ports": _app.ports,
    "cometbft_app_volumes": _app.volumes,
    "cometbft_app_user": between(1, 2**31 - 1),
    "cometbft_app_resources": resources,
    "cometbft_pull_secrets": _app.pull_secrets,
    "cometbft_node": node,
    "cometbft_container": dns_label,
    "cometbft_tail": at_least(-1),
    "cometbft_port": between(1, 65535),
    "cometbft_seconds": at_least(0, LONGEST),
    "cometbft_transact_tx": numbered,
    "cometbft_transact_first": between(0, 10**15),
    "cometbft_transact_count": between(1, 10_000),
    "cometbft_transact_rate": between(1, 50),
    "cometbft_kubeconfig": or_empty(file),
    "cometbft_render_path": or_empty(folder_or_manifest),
    "cometbft_query": query,
    "artifacts_cache_dir": folder,
    "artifacts_jobs": at_least(0),
    "artifacts_sha256": sums,
    "artifacts_mirror_url": or_empty(web_server),
    "artifacts_mirror_sha256": or_empty(sha256),
    "machines_cluster": cluster_name,
    "machines_count": at_least(1, MOST_MACHINES),
    "machines_control_planes": at_least(1, MOST_CONTROL_PLANES),
    "machines_subnet": subnet(8, 28, "so that there is room for machines"),
    "machines_home": folder,
    "machines_timeout": at_least(1, LONGEST),
    "cni_pod_subnet": POD_SUBNET,
    "cni_service_subnet": SERVICE_SUBNET,
    "containerd_import_jobs": at_least(0),
    "kubeadm_pod_subnet": POD_SUBNET,
    "kubeadm_service_subnet": SERVICE_SUBNET,
    "kubeadm_endpoint_name": dns_name,
    "kubeadm_endpoint_port": between(1, 65535),
    "kubeadm_cluster": cluster_name,
    "kubectl_bin_dir": folder,
    "minikube_bin_dir": folder,
    "minikube_binary": or_empty(file),
    "program_bin_dir": folder,
}
