# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where artifacts come from: upstream's hosts, a mirror of them, or a build from source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download, _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import (
    Artifact,
    Catalogue,
    Platform,
    Row,
    Supply,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, Job
from ansible_collections.mintnet.kubernetes.plugins.module_utils._download import Download
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

SOURCES = ("auto", "release", "mirror", "source")
#: The file of a mirror that has the sums of all its files.
SUMS = "SHA256SUMS"
DOING = "Reading the sums of the mirror"
#: The variable that says which of these files is meant.
PIN = "artifacts_mirror_sha256"


def with_sums(table: Mapping[str, Row], sums: Mapping[str, Mapping[str, str]]) -> dict[str, Row]:
    """The table with sums that the user knows, by name and by OS-ARCH."""
    unpublished = [name for name in sums if "url" not in table.get(name, {}).get("release", {})]
    if unpublished:
        published = [name for name, row in table.items() if "url" in row.get("release", {})]
        raise MintnetError(
            f"Pinning sums of artifacts: upstream has no file of {', no '.join(unpublished)} in the table",
            hint=f"it has files of {', '.join(published)}",
        )
    pinned = {name: {**table[name]["release"].get("sha256", {}), **own} for name, own in sums.items()}
    return {
        name: {**row, "release": {**row["release"], "sha256": pinned[name]}} if name in pinned else row
        for name, row in table.items()
    }


def release(row: Row, platform: Platform) -> Download | None:
    """What upstream publishes of it as a file."""
    entry = row.get("release", {})
    if "url" not in entry:
        return None
    url = entry["url"].replace("{os}", platform.os).replace("{arch}", platform.arch)
    sha256 = entry.get("sha256", {}).get(f"{platform.os}-{platform.arch}", "")
    return Download(url, sha256, url + entry["sums"])


def place(name: str, row: Row, platform: Platform) -> str:
    """Where a mirror has it: below the name of upstream's host, or of this project."""
    if upstream := release(row, platform):
        return _below_host(upstream.url)
    suffix = "" if row["kind"] == "binary" else ".tar"
    return f"mintnet/{platform.os}-{platform.arch}/{row['kind']}/{name}-{row['version']}{suffix}"


def _below_host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


@dataclass(frozen=True)
class Mirror:
    """A web server, with the sums that it is trusted for."""

    url: str
    sums: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str, row: Row, platform: Platform) -> Download | None:
        where, upstream = place(name, row, platform), release(row, platform)
        url = f"{self.url}/{where}"
        if where in self.sums:
            return Download(url, self.sums[where])
        if upstream is None:
            return None
        return Download(url, upstream.sha256, f"{self.url}/{_below_host(upstream.sums)}")


@dataclass(frozen=True)
class Offer:
    """What is to be done to have all that is wanted from one source."""

    source: str
    catalogue: Catalogue
    artifacts: Sequence[Artifact]
    builder: Builder
    pending: Sequence[Job]
    reason: str = ""

    @property
    def downloads(self) -> list[Artifact]:
        """Those that are still to be fetched."""
        names = {job.name for job in self.pending}
        return [one for one in self.artifacts if one.download and one.job.name in names]

    def story(self) -> list[str]:
        """What the user should know of the choice."""
        told = [f"{self.source}: {self.reason}"] if self.reason else []
        if self.source == "source":
            return told
        told += [] if told else [self.source]
        if built := [one.name for one in self.artifacts if not one.download]:
            told.append(f"built from source, since the {self.source} has no file of it: {', '.join(built)}")
        if unpinned := [one.name for one in self.downloads if one.download and not one.download.sha256]:
            told.append(
                "compared with the sum that lies beside the file, since none is pinned here: " + ", ".join(unpinned)
            )
        return told


@dataclass(frozen=True)
class Sources:
    """The table, and what it takes to have its rows from any source."""

    table: Mapping[str, Row]
    builds: Mapping[str, Row]
    files: Path
    cache: Path
    machine: Platform
    controller: Platform
    wanted: Sequence[str] = ()
    mirror_url: str = ""
    mirror_sha256: str = ""

    def choose(self, asked: str, check: bool) -> Offer:
        """What was asked for; for auto the first that can be had, and where the cache has all, what it is from."""
        if asked != "auto":
            return self.offer(asked, check)
        first = "mirror" if self.mirror_url else "release"
        try:
            offer = self.offer(first, check)
            if not offer.pending:
                return offer
            built = self.offer("source", check)
            if not built.pending:
                return built
            causes = self.obstacles(offer)
        except MintnetError as error:
            causes = str(error).removeprefix(f"{DOING}: ")
        return self.offer("source", check, f"the {first} cannot be had: {causes}") if causes else offer

    def offer(self, source: str, check: bool, reason: str = "") -> Offer:
        catalogue = Catalogue(
            self.table,
            self.builds,
            self.files,
            self.cache,
            self.machine,
            self.controller,
            self._supply(source, check),
            # Who reaches upstream's hosts reaches the registry that a Containerfile names.
            own_bases=source != "release",
        )
        artifacts = catalogue.resolve(self.wanted)
        goals = {artifact.job.name for artifact in artifacts}
        if any(self.table[artifact.name].get("source", {}).get("push") for artifact in artifacts):
            goals.add(catalogue.image_tool.name)
        builder = Builder(self.cache, catalogue.jobs)
        pending = builder.pending(goals)
        return Offer(source, catalogue, artifacts, builder, pending, reason)

    def _supply(self, source: str, check: bool) -> Supply:
        if source == "mirror":
            return self._mirror(check).find
        if source == "release":
            return lambda _name, row, platform: release(row, platform)
        return lambda _name, _row, _platform: None

    def _mirror(self, check: bool) -> Mirror:
        """With the sums of its own files only where the user has named their sum: then they are kept, too."""
        if not self.mirror_sha256:
            return Mirror(self.mirror_url)
        kept = self.cache / SUMS / self.mirror_sha256
        listing = _files.read(kept)
        if listing is None or _sha256(listing) != self.mirror_sha256:
            listing = self._listing()
            if listing is None:
                raise MintnetError(
                    f"{DOING}: {self.mirror_url} has no {SUMS}", hint=f"fill it with mirror.yml, or leave out {PIN}"
                )
            if _sha256(listing) != self.mirror_sha256:
                raise MintnetError(
                    f"{DOING}: the SHA-256 of {self.mirror_url}/{SUMS} is {_sha256(listing)}, and {PIN} is "
                    f"{self.mirror_sha256}",
                    hint="ask who keeps the mirror whether it was filled anew, and for its sum",
                )
            if not check:
                kept.parent.mkdir(parents=True, exist_ok=True)
                _files.replace(kept, listing, 0o644)
        return Mirror(self.mirror_url, _download.sums(listing))

    def _listing(self) -> str | None:
        try:
            return _download.text(f"{self.mirror_url}/{SUMS}", _download.PROBE_SECONDS)
        except MintnetError as error:
            raise MintnetError(f"{DOING}: {error}", **error.result) from error

    def obstacles(self, offer: Offer) -> str:
        """Why what is missing cannot be downloaded now; asked of each host once, for seconds at most."""
        addresses = [one.download.url for one in offer.downloads if one.download]
        silent = _download.unreachable(addresses, _download.PROBE_SECONDS)
        if silent:
            return "; ".join(f"{host}: {said}" for host, said in silent.items())
        if offer.source == "mirror" and offer.pending and not self.mirror_sha256:
            return self._unvouched(offer)
        return ""

    def _unvouched(self, offer: Offer) -> str:
        """What the mirror's own word alone speaks for."""
        listing = self._listing() or ""
        sums = _download.sums(listing)
        names = []
        for one in offer.artifacts:
            where = place(one.name, self.table[one.name], one.platform)
            pinned = one.download.sha256 if one.download else ""
            if sums.get(where, pinned) != pinned:
                names.append(one.name)
        if not names:
            return ""
        return (
            f"nothing but {self.mirror_url}/{SUMS} speaks for its {', '.join(names)}; if you trust that file, name "
            f"its SHA-256: {PIN}: {_sha256(listing)}"
        )

    def needs(self, offer: Offer) -> list[dict[str, Any]]:
        """What is to be had from elsewhere, and where a mirror has it."""
        rows = []
        for one in offer.artifacts:
            row = self.table[one.name]
            upstream = release(row, one.platform) or Download("")
            rows.append(
                {
                    "name": one.name,
                    "kind": one.kind,
                    "version": one.version,
                    "os": one.platform.os,
                    "arch": one.platform.arch,
                    "url": upstream.url,
                    "sha256": upstream.sha256,
                    "sums": upstream.sums,
                    "image": row.get("release", {}).get("image", ""),
                    "place": place(one.name, row, one.platform),
                }
            )
        return rows


def _sha256(listing: str) -> str:
    return hashlib.sha256(listing.encode()).hexdigest()
