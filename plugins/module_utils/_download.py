# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of web servers: continued where they were cut off, and compared with their sum before anybody sees them."""

from __future__ import annotations

import http.client
import re
import threading
import time
import typing as t
import urllib.error
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ansible.module_utils import urls
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

CHUNK = 1 << 20
#: So long may a server be silent in the middle of a file, and so long while it is only asked whether it is there.
TIMEOUT = 15.0
PROBE_SECONDS = 4.0
TRIES = 5
PAUSE = 1.0
#: More than any file of sums has.
MOST_TEXT = 1 << 20

FAILURES = (OSError, ValueError, http.client.HTTPException, urls.ConnectionError)
#: What a server says that is overloaded, or was not quick enough.
PASSING = (408, 425, 429)
REACH = "check the network and the variables http_proxy, https_proxy and no_proxy, or choose another artifacts_source"


@dataclass(frozen=True)
class Download:
    """A file, and its sum: known beforehand, or where the server publishes it."""

    url: str
    sha256: str = ""
    sums: str = ""

    @property
    def file(self) -> str:
        return PurePosixPath(urlsplit(self.url).path).name


class Run(t.Protocol):
    """What a download needs of the run that it is a part of."""

    def note(self, text: str) -> None:
        """Keep a line for who wants to know more."""

    def pause(self, seconds: float) -> None:
        """Wait, and leave by an exception where the run ends."""


class _Cut(Exception):
    """It failed in a way that may pass."""


def fetch(download: Download, draft: Path, run: Run) -> None:
    """Complete the draft, which may hold a beginning; where it raises for a wrong sum, there is no draft any more."""
    wanted = download.sha256 or _persist(lambda: _published(download), run)
    continued = draft.exists()
    _persist(lambda: _transfer(download.url, draft, run), run)
    found = _files.sha256(draft)
    if found != wanted and continued:
        run.note("the sum is wrong: the draft was of another file, so it begins anew")
        draft.unlink()
        _persist(lambda: _transfer(download.url, draft, run), run)
        found = _files.sha256(draft)
    if found != wanted:
        draft.unlink()
        whose = "the sum that is pinned" if download.sha256 else f"the sum in {download.sums}"
        raise MintnetError(
            f"{download.url}: its SHA-256 is {found}, and {whose} is {wanted}; nothing of it was kept",
            hint="see what stands between you and that server (a proxy, a mirror), or choose another artifacts_source",
        )


def text(url: str, timeout: float) -> str | None:
    """A small text, or None where the server has none."""
    try:
        return _text(url, timeout)
    except _Cut as cut:
        raise MintnetError(str(cut), hint=REACH) from cut


def unreachable(addresses: Iterable[str], seconds: float) -> dict[str, str]:
    """The hosts that do not give one file that they are asked for, all of them side by side, each with the cause."""
    asked: dict[str, str] = {}
    for url in addresses:
        asked.setdefault(urlsplit(url).netloc.rpartition("@")[2], url)
    answers: dict[str, str] = {}

    def ask(host: str, url: str) -> None:
        try:
            _opened(url, {"Range": "bytes=0-0"}, seconds).close()
            answers[host] = ""
        except FAILURES as error:
            answers[host] = cause(error, seconds)

    # Looking up a name knows no time-out: nobody waits for a thread that does.
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in asked.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds + 0.5
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    found = dict(answers)
    return {host: said for host in asked if (said := found.get(host, silence(seconds)))}


def sums(listing: str) -> dict[str, str]:
    """SHA-256 by name, of a file as sha256sum writes it."""
    lines = re.findall(r"^([0-9a-fA-F]{64})[ \t]+\*?(\S.*?)\s*$", listing, re.MULTILINE)
    return {name.removeprefix("./"): sha256.lower() for sha256, name in lines}


def cause(error: Exception, seconds: float) -> str:
    """The innermost reason, in few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answers {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        return silence(seconds)
    return (isinstance(reason, OSError) and reason.strerror) or str(reason) or type(reason).__name__


def silence(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _opened(url: str, headers: dict[str, str], timeout: float) -> t.Any:
    # What is compressed stays so, or its sum would be another; a password is for the server that it was given for.
    return urls.open_url(
        url, headers=headers, timeout=timeout, decompress=False, unredirected_headers=["Authorization"]
    )


T = t.TypeVar("T")


def _persist(attempt: Callable[[], T], run: Run) -> T:
    for left in reversed(range(TRIES)):
        try:
            return attempt()
        except _Cut as cut:
            run.note(str(cut))
            if not left:
                raise MintnetError(f"{cut}, {TRIES} times; what came was kept", hint=REACH) from cut
        run.pause(PAUSE)
    raise AssertionError("it returns or raises")


def _transfer(url: str, draft: Path, run: Run) -> None:
    begun = draft.stat().st_size if draft.exists() else 0
    run.note(f"GET {url} from byte {begun}")
    try:
        answer = _opened(url, {"Range": f"bytes={begun}-"} if begun else {}, TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and begun:
            if error.headers.get("Content-Range", "").endswith(f"/{begun}"):
                return  # the draft is whole
            draft.unlink()
            raise _Cut(f"{url}: the draft is longer than the file") from error
        raise _failure(url, error, TIMEOUT) from error
    except FAILURES as error:
        raise _failure(url, error, TIMEOUT) from error
    with answer:
        continues = answer.status == 206
        if continues and not answer.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
            draft.unlink()
            raise _Cut(f"{url}: it gives another part than it was asked for")
        length = answer.headers.get("Content-Length")
        got = 0
        with draft.open("ab" if continues else "wb") as file:
            while chunk := _read(url, answer):
                run.pause(0)
                file.write(chunk)
                got += len(chunk)
    if length is not None and got < int(length):
        raise _Cut(f"{url}: the connection was cut {int(length) - got} bytes before the end")


def _text(url: str, timeout: float) -> str | None:
    try:
        with _opened(url, {}, timeout) as answer:
            return t.cast(bytes, answer.read(MOST_TEXT)).decode()
    except FAILURES as error:
        if isinstance(error, urllib.error.HTTPError) and error.code in (404, 410):
            return None
        raise _failure(url, error, timeout) from error


def _read(url: str, answer: t.Any) -> bytes:
    """Apart from writing: a full disk is no matter of the network."""
    try:
        return t.cast(bytes, answer.read1(CHUNK))
    except FAILURES as error:
        raise _Cut(f"{url}: {cause(error, TIMEOUT)}") from error


def _failure(url: str, error: Exception, timeout: float) -> Exception:
    told = f"{url}: {cause(error, timeout)}"
    final = isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 and error.code not in PASSING
    return MintnetError(told, hint=REACH) if final else _Cut(told)


def _published(download: Download) -> str:
    """What the server's own file says: a sum alone, or lines of sums and names."""
    if not download.sums:
        raise MintnetError(f"{download.url}: nothing says what its SHA-256 must be", hint=REACH)
    listing = _text(download.sums, TIMEOUT) or ""
    alone = re.fullmatch(r"\s*([0-9a-fA-F]{64})\s*", listing)
    by_name = {PurePosixPath(name).name: sha256 for name, sha256 in sums(listing).items()}
    found = alone[1].lower() if alone else by_name.get(download.file)
    if not found:
        raise MintnetError(
            f"{download.sums}: it does not hold the SHA-256 of {download.file}",
            hint="see what that server has there, or choose another artifacts_source",
        )
    return found
