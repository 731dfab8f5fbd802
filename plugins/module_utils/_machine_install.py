# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, archives and units of one role, put on a machine in one go and remembered in its record.

Runs on the machine: standard library only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import stat
import subprocess
import tarfile
import typing as t
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_record import (
    RECORDS,
    FileMark,
    Record,
    unit_states,
)

Run = Callable[[list[str]], str]


def run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, capture_output=True, text=True, timeout=300, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MintnetError(f"running {' '.join(command)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"it ended with {done.returncode}"
        raise MintnetError(f"running {' '.join(command)}: {said}")
    return done.stdout


@dataclasses.dataclass
class WantedFile:
    """Exactly one of ``content`` (a text), ``source`` (a file of the machine), ``archive`` (a tar of the machine)."""

    path: str
    content: str | None = None
    source: str | None = None
    archive: str | None = None
    sha256: str = ""
    mode: int = 0o644


@dataclasses.dataclass
class Installation:
    name: str
    inputs: str
    files: list[WantedFile]
    units: list[str]
    root: Path = Path("/")
    run: Run = run
    check: bool = False
    records: str = RECORDS
    #: What was done, and the texts before and after.
    did: list[str] = dataclasses.field(default_factory=list)
    diff: list[dict[str, str]] = dataclasses.field(default_factory=list)
    #: The record as it is while there is something to do.
    _underway: Record = dataclasses.field(default_factory=Record, init=False)

    def apply(self) -> bool:
        with contextlib.nullcontext() if self.check else self._locked():
            return self._apply()

    def _locked(self) -> contextlib.AbstractContextManager[int]:
        """One at a time on a machine: what a run began goes on here when that run was killed, and another may come."""
        folder = self._at(self.records)
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return _files.locked(folder)

    def _apply(self) -> bool:
        old = Record.load(self._record)
        new = Record(self.inputs, {}, list(self.units))
        # A run that was cut off has not restarted what it wrote for.
        resumed = self._record.exists() and not old.inputs
        self._underway = Record("", dict(old.files), list(dict.fromkeys([*self.units, *old.units])))
        for wanted in self.files:
            new.files.update(self._unpack(wanted, wanted.archive, old) if wanted.archive else self._write(wanted, old))
        for name in sorted(set(old.files) - set(new.files)):
            self._remove(name)
        self._units(restart=bool(self.did) or resumed)
        if new != old:
            self.did.append(f"recorded {self.name}")
            if not self.check:
                self._replace(self._record, new.dump().encode(), 0o644)
        return bool(self.did)

    @property
    def _record(self) -> Path:
        return self._at(f"{self.records}/{self.name}.json")

    def _do(self, what: str, *names: str) -> None:
        """Note what is about to be done, and in the record which files come. It has no inputs until all is done."""
        first = not self.did
        self.did.append(what)
        self._announce(names, first)

    def _announce(self, names: Iterable[str], write: bool = False) -> None:
        """Whoever finds only this much of an installation can remove it."""
        new = [name for name in names if name not in self._underway.files]
        self._underway.files.update({name: FileMark("", -1, -1, 0) for name in new})
        if (new or write) and not self.check:
            self._replace(self._record, self._underway.dump().encode(), 0o644)

    def _at(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def _write(self, wanted: WantedFile, old: Record) -> dict[str, FileMark]:
        path = self._at(wanted.path)
        known = old.files.get(wanted.path)
        if wanted.content is not None:
            content = wanted.content.encode()
            sha256 = hashlib.sha256(content).hexdigest()
            old_content = path.read_bytes() if path.is_file() else None
            same = old_content == content and stat.S_IMODE(path.lstat().st_mode) == wanted.mode
        else:
            sha256 = wanted.sha256
            # Large files are not read again: size, time and mode tell.
            same = bool(known and known.sha256 == sha256 and known.holds(path) and known.mode == wanted.mode)
        if same:
            return {wanted.path: FileMark.of(path, sha256)}

        self._do(f"wrote {wanted.path}", wanted.path)
        if wanted.content is not None:
            self.diff.append(
                {
                    "before_header": wanted.path,
                    "after_header": wanted.path,
                    "before": (old_content or b"").decode(errors="replace"),
                    "after": wanted.content,
                }
            )
        else:
            before = f"sha256 {known.sha256}\n" if known and known.holds(path) else "another file\n"
            self.diff.append(
                {
                    "before_header": wanted.path,
                    "after_header": wanted.path,
                    "before": before if os.path.lexists(path) else "",
                    "after": f"sha256 {sha256}\n",
                }
            )
        if self.check:
            return {wanted.path: FileMark(sha256, -1, -1, wanted.mode)}
        if wanted.content is not None:
            self._replace(path, content, wanted.mode)
        else:
            with self._source(wanted.source or "") as stream, self._replacing(path, wanted.mode) as target:
                found = _copy(stream, target)
                self._compare(wanted.source or "", found, sha256)
        return {wanted.path: FileMark.of(path, sha256)}

    def _unpack(self, wanted: WantedFile, source: str, old: Record) -> dict[str, FileMark]:
        """Only regular files: an archive cannot place links, devices or anything outside its folder."""
        prefix = wanted.path.rstrip("/") + "/"
        known = {
            name: mark for name, mark in old.files.items() if name.startswith(prefix) and mark.sha256 == wanted.sha256
        }
        if known and all(mark.holds(self._at(name)) for name, mark in known.items()):
            return known
        self._do(f"unpacked {Path(source).name} into {wanted.path}")
        self.diff.append(
            {
                "before_header": wanted.path,
                "after_header": wanted.path,
                "before": "",
                "after": f"archive {wanted.sha256}\n",
            }
        )
        if self.check:
            return {f"{prefix}*": FileMark(wanted.sha256, -1, -1, wanted.mode)}
        marks = {}
        with self._source(source) as stream:
            self._compare(source, _copy(stream), wanted.sha256)
            stream.seek(0)
            with tarfile.open(fileobj=stream) as archive:
                members = {os.path.normpath(member.name): member for member in archive if member.isfile()}
                for name in members:
                    if name.startswith(("/", "..")):
                        raise MintnetError(f"unpacking {source}: {name} lies outside; use another archive")
                self._announce(f"{prefix}{name}" for name in members)
                for name, member in members.items():
                    path = self._at(prefix + name)
                    with self._replacing(path, member.mode & 0o755) as target:
                        _copy(t.cast(t.IO[bytes], archive.extractfile(member)), target)
                    marks[prefix + name] = FileMark.of(path, wanted.sha256)
        return marks

    def _remove(self, name: str) -> None:
        if not self.check:
            draft_of(self._at(name)).unlink(missing_ok=True)
        if os.path.lexists(self._at(name)):
            self._do(f"removed {name}")
            if not self.check:
                self._at(name).unlink()

    def _units(self, restart: bool) -> None:
        """All in a few calls: each costs some 20 ms, a reload of systemd more."""
        states = unit_states(self.units, self.run)
        enable = [name for name in self.units if states.get(name, {}).get("UnitFileState") not in ("enabled", "static")]
        active = {name for name in self.units if states.get(name, {}).get("ActiveState") == "active"}
        touched = [name for name in self.units if restart or name not in active]
        self.did += [f"enabled {name}" for name in enable]
        self.did += [f"{'restarted' if name in active else 'started'} {name}" for name in touched]
        if self.check:
            return
        # A file alone may come to a machine without systemd.
        if restart and (self.units or any("/systemd/system/" in wanted.path for wanted in self.files)):
            self.run(["systemctl", "daemon-reload"])
        if enable:
            self.run(["systemctl", "enable", "--quiet", *enable])
        # One by one, in the order of the list: a unit may need the one before it.
        for name in touched:
            self._restart(name)

    def _restart(self, name: str) -> None:
        try:
            self.run(["systemctl", "restart", name])
        except MintnetError as error:
            try:
                log = self.run(["journalctl", "--no-pager", "--output=cat", "--lines=15", f"--unit={name}"])
            except MintnetError:
                log = str(error)
            raise MintnetError(f"starting {name}: it failed; its last lines: {log.strip()}") from error

    def _source(self, name: str) -> t.BinaryIO:
        try:
            return Path(name).open("rb")
        except OSError as error:
            raise MintnetError(f"reading {name}: {error.strerror}; see that it is on this machine") from error

    @staticmethod
    def _compare(name: str, found: str, wanted: str) -> None:
        if found != wanted:
            raise MintnetError(f"reading {name}: its SHA-256 is {found}, not {wanted}; remove it and run again")

    def _replace(self, path: Path, content: bytes, mode: int) -> None:
        with self._replacing(path, mode) as target:
            target.write(content)

    @contextlib.contextmanager
    def _replacing(self, path: Path, mode: int) -> Iterator[t.BinaryIO]:
        """Whole or not at all: written beside, renamed into place. A running program keeps its old file."""
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = draft_of(path)
        draft.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as target:
                yield target
                os.fchmod(target.fileno(), mode)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def draft_of(path: Path) -> Path:
    """The place beside a file where it is written: always the same, so that what was cut off is written over."""
    return path.with_name(f".{path.name}.mintnet")


def _copy(source: t.IO[bytes], target: t.BinaryIO | None = None) -> str:
    """The SHA-256 of what was copied, or merely read."""
    digest = hashlib.sha256()
    while chunk := source.read(1 << 20):
        digest.update(chunk)
        if target:
            target.write(chunk)
    return digest.hexdigest()
