# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approves the certificates that the cluster's kubelets ask for to serve with; Kubernetes signs what is approved.

Kubernetes leaves this to others, because it cannot know which names and addresses a machine has a right to. Here a node
gets what its Node object has and no other node's: whatever else is in a request, or beside it, it is left to a person
(kubectl certificate approve). Several control planes may do this at the same time.

Runs on control planes: standard library only. Its argument is a kubeconfig file with embedded credentials, which root
can read.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import json
import os
import pwd
import re
import ssl
import sys
import time
import typing as t
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

SIGNER = "kubernetes.io/kubelet-serving"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
USAGES = {"digital signature", "server auth"}
#: RSA keys encipher keys, too.
OPTIONAL_USAGES = {"key encipherment"}
#: How long one watch lasts, in seconds. What was refused is looked at again then: its node may only just be coming.
ROUND = 3
FAILURES = (OSError, http.client.HTTPException, ValueError)

# Tags and contents of DER (ITU-T X.690), as in requests of PKCS #10 (RFC 2986, RFC 5280).
SEQUENCE, SET, OBJECT, OCTETS, ATTRIBUTES = 0x30, 0x31, 0x06, 0x04, 0xA0
TEXTS = (0x0C, 0x13)  # UTF8String, PrintableString
DNS_NAME, ADDRESS = 0x82, 0x87
ORGANIZATION, COMMON_NAME = bytes.fromhex("55040a"), bytes.fromhex("550403")
EXTENSIONS, ALTERNATIVE_NAMES = bytes.fromhex("2a864886f70d01090e"), bytes.fromhex("551d11")

Element = tuple[int, bytes]
Name = str | ipaddress.IPv4Address | ipaddress.IPv6Address


class Asked(t.NamedTuple):
    """What a request wants to be in the certificate."""

    common_name: str
    organization: str
    names: set[Name]


def elements(data: bytes) -> list[Element]:
    """Tag and content of all that stands side by side here. Raises ValueError for what is not DER."""
    found = []
    while data:
        if len(data) < 2 or data[0] & 0x1F == 0x1F:
            raise ValueError("it is cut off, or has a tag of several bytes")
        size, start = data[1], 2
        if size >= 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[2:start], "big")
            # The only form that is allowed is the shortest.
            if start == 2 or start > 6 or size < 0x80 or data[2] == 0:
                raise ValueError("a length is not as DER has it")
        if len(data) < start + size:
            raise ValueError("it is cut off")
        found.append((data[0], data[start : start + size]))
        data = data[start + size :]
    return found


def inside(element: Element, *tags: int) -> list[Element]:
    if element[0] not in tags:
        raise ValueError(f"a tag is {element[0]:#x}")
    return elements(element[1])


def parse(pem: str) -> Asked:
    """Raises ValueError unless it has what a kubelet's request has, and nothing more.

    So there is nothing here that another parser could read in another way.
    """
    block = re.fullmatch(
        r"-----BEGIN CERTIFICATE REQUEST-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE REQUEST-----\n?", pem
    )
    if not block:
        raise ValueError("it is not one request in PEM")
    (request,) = elements(base64.b64decode(block[1].replace("\n", ""), validate=True))
    info, _algorithm, _signature = inside(request, SEQUENCE)
    _version, subject, _key, attributes = inside(info, SEQUENCE)
    words = {}
    for part in inside(subject, SEQUENCE):
        (pair,) = inside(part, SET)
        kind, value = inside(pair, SEQUENCE)
        if kind[0] != OBJECT or kind[1] in words or value[0] not in TEXTS:
            raise ValueError("its subject has an unknown form")
        words[kind[1]] = value[1].decode()
    if set(words) != {ORGANIZATION, COMMON_NAME}:
        raise ValueError("its subject is not one organization and one common name")
    (attribute,) = inside(attributes, ATTRIBUTES)
    kind, values = inside(attribute, SEQUENCE)
    if kind != (OBJECT, EXTENSIONS):
        raise ValueError("it has an unknown attribute")
    (extensions,) = inside(values, SET)
    (extension,) = inside(extensions, SEQUENCE)
    kind, content = inside(extension, SEQUENCE)
    if kind != (OBJECT, ALTERNATIVE_NAMES) or content[0] != OCTETS:
        raise ValueError("it has an unknown extension")
    (alternatives,) = elements(content[1])
    names: set[Name] = set()
    for tag, data in inside(alternatives, SEQUENCE):
        if tag == DNS_NAME:
            names.add(data.decode("ascii"))
        elif tag == ADDRESS:
            names.add(ipaddress.ip_address(data))
        else:
            raise ValueError("it asks for a name that is neither DNS nor an address")
    return Asked(words[COMMON_NAME], words[ORGANIZATION], names)


def owned(node: dict[str, t.Any]) -> set[Name]:
    """A node's names and addresses, as its object has them."""
    addresses = [one["address"] for one in node.get("status", {}).get("addresses") or []]
    return {node["metadata"]["name"], *map(_name, addresses)}


def _name(address: str) -> Name:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address)
    return address


def refusal(request: dict[str, t.Any], nodes: Iterable[dict[str, t.Any]]) -> str:
    """Why a CertificateSigningRequest is not to be approved, in words; nothing where it is."""
    spec = request["spec"]
    if spec["signerName"] != SIGNER:
        return f"its signer is {spec['signerName']}"
    user = spec.get("username", "")
    name = user.removeprefix("system:node:")
    if name == user or "system:nodes" not in (spec.get("groups") or []):
        return f"{user} is no node"
    if set(spec.get("usages") or []) - OPTIONAL_USAGES != USAGES:
        return f"its usages are {', '.join(spec.get('usages') or [])}"
    try:
        asked = parse(base64.b64decode(spec["request"], validate=True).decode())
    except ValueError as error:
        return f"its content is not a kubelet's: {error}"
    if (asked.common_name, asked.organization) != (user, "system:nodes"):
        return f"{user} asks for {asked.common_name} of {asked.organization}"
    known = {node["metadata"]["name"]: owned(node) for node in nodes}
    # A node writes its own addresses: what two of them claim is nobody's.
    others = set[Name]().union(*(theirs for other, theirs in known.items() if other != name))
    foreign = asked.names - (known.get(name, set()) - others)
    if foreign:
        return f"these are not {name}'s alone: {', '.join(sorted(map(str, foreign)))}"
    return "" if asked.names else "it asks for no name"


class Cluster:
    """An API server, as a kubeconfig file leads to it."""

    def __init__(self, kubeconfig: str) -> None:
        def field(name: str) -> str:
            return t.cast(re.Match[str], re.search(rf"^\s*{name}:\s*(\S+)\s*$", kubeconfig, re.MULTILINE))[1]

        def pem(name: str) -> bytes:
            return base64.b64decode(field(name))

        self.host = urllib.parse.urlsplit(field("server")).netloc
        self.context = ssl.create_default_context(cadata=pem("certificate-authority-data").decode())
        # The library takes the key from a file only: one in memory, which nobody else can open.
        with os.fdopen(os.memfd_create("client"), "wb") as pair:
            pair.write(pem("client-certificate-data") + pem("client-key-data"))
            pair.flush()
            self.context.load_cert_chain(f"/proc/self/fd/{pair.fileno()}")

    @contextlib.contextmanager
    def _ask(self, method: str, path: str, body: t.Any = None) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(self.host, timeout=ROUND + 10, context=self.context)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status >= 300:
                raise ValueError(f"{method} {path.partition('?')[0]}: {answer.status} {answer.reason}")
            yield answer

    def pending(self) -> Iterator[dict[str, t.Any]]:
        """Requests that nobody has decided: those that are there, then for some seconds those that come."""
        query = {"watch": "1", "timeoutSeconds": ROUND, "fieldSelector": f"spec.signerName={SIGNER}"}
        with self._ask("GET", f"{REQUESTS}?{urllib.parse.urlencode(query)}") as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ValueError(f"watching: {event['object'].get('message')}")
                if event["type"] != "DELETED" and not event["object"].get("status", {}).get("conditions"):
                    yield event["object"]

    def nodes(self) -> list[dict[str, t.Any]]:
        with self._ask("GET", "/api/v1/nodes") as answer:
            return t.cast(list[dict[str, t.Any]], json.load(answer)["items"])

    def approve(self, request: dict[str, t.Any]) -> None:
        """Of what it was judged by: where somebody was quicker, the API server refuses this."""
        condition = {
            "type": "Approved",
            "status": "True",
            "reason": "KubeletServing",
            "message": "the names and addresses are the node's own",
        }
        path = f"{REQUESTS}/{urllib.parse.quote(request['metadata']['name'], safe='')}/approval"
        with self._ask("PUT", path, {**request, "status": {"conditions": [condition]}}):
            pass


def look(cluster: Cluster) -> Iterator[str]:
    """One round; what there is to say of it."""
    try:
        for request in cluster.pending():
            name = request["metadata"]["name"]
            try:
                reason = refusal(request, cluster.nodes())
                if not reason:
                    cluster.approve(request)
                yield f"{name} of {request['spec'].get('username')}: {f'refused: {reason}' if reason else 'approved'}"
            except FAILURES as error:
                yield f"{name}: {error or type(error).__name__}"
    except FAILURES as error:
        yield f"asking the API server: {error or type(error).__name__}"
        time.sleep(1)


def become_nobody() -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def main() -> None:
    cluster = Cluster(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # Whatever comes from the API server is read without any rights on this machine.
    become_nobody()
    told: set[str] = set()
    while True:
        now: set[str] = set()
        for line in look(cluster):
            if line not in told | now:
                # One line, whatever names somebody asked for.
                print(line.encode("unicode_escape").decode(), flush=True)
            now.add(line)
        told = now


if __name__ == "__main__":
    main()
