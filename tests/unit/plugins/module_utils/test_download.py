# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against a real server on loopback."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, BuildError, Job, stored
from ansible_collections.mintnet.kubernetes.plugins.module_utils._download import Download, fetch
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

CONTENT = random.Random(7).randbytes(3_000_000)
SUM = hashlib.sha256(CONTENT).hexdigest()
PATH = "dl.example.com/v1/tool"


class Log:
    """Stands for the run: it keeps the notes and does not wait."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def pause(self, seconds: float) -> None:
        pass


@pytest.fixture
def tool(web: t.Any) -> Download:
    web.files[PATH] = CONTENT
    return Download(f"{web.url}/{PATH}", SUM)


def get(download: Download, folder: Path) -> bytes:
    fetch(download, folder / "draft", Log())
    return (folder / "draft").read_bytes()


def test_a_file_comes_whole(web: t.Any, tool: Download, tmp_path: Path) -> None:
    assert tool.file == "tool"
    assert get(tool, tmp_path) == CONTENT
    assert web.requests == [(PATH, "")]


def test_a_draft_is_continued(web: t.Any, tool: Download, tmp_path: Path) -> None:
    (tmp_path / "draft").write_bytes(CONTENT[:2_000_000])
    assert get(tool, tmp_path) == CONTENT
    assert web.requests == [(PATH, "bytes=2000000-")]


def test_a_draft_that_is_whole_is_taken(web: t.Any, tool: Download, tmp_path: Path) -> None:
    (tmp_path / "draft").write_bytes(CONTENT)
    assert get(tool, tmp_path) == CONTENT
    assert web.requests == [(PATH, f"bytes={len(CONTENT)}-")]


@pytest.mark.parametrize("draft", [b"of another file", CONTENT + b"more", CONTENT[:-1] + b"x"])
def test_a_draft_of_another_file_begins_anew(tool: Download, tmp_path: Path, draft: bytes) -> None:
    (tmp_path / "draft").write_bytes(draft)
    assert get(tool, tmp_path) == CONTENT


def test_a_server_without_ranges(web: t.Any, tool: Download, tmp_path: Path) -> None:
    web.ranges = False
    (tmp_path / "draft").write_bytes(CONTENT[:1000])
    assert get(tool, tmp_path) == CONTENT


def test_what_is_cut_goes_on_where_it_was(web: t.Any, tool: Download, tmp_path: Path) -> None:
    web.cuts[PATH] = [1_000_000, 0, 1_500_000]
    web.refusals[PATH] = [503]
    assert get(tool, tmp_path) == CONTENT
    assert [part for _path, part in web.requests] == ["", "", "bytes=1000000-", "bytes=1000000-", "bytes=2500000-"]


def test_what_is_cut_again_and_again_is_kept(web: t.Any, tool: Download, tmp_path: Path) -> None:
    web.cuts[PATH] = [100_000] * 9
    with pytest.raises(MintnetError, match=r"tool: the connection was cut 2500000 bytes before the end, 5 times"):
        get(tool, tmp_path)
    assert (tmp_path / "draft").read_bytes() == CONTENT[:500_000]


def test_a_wrong_sum_names_both_and_leaves_nothing(web: t.Any, tool: Download, tmp_path: Path) -> None:
    wrong = b"a page that asks for a password"
    web.files[PATH] = wrong
    with pytest.raises(MintnetError) as caught:
        get(tool, tmp_path)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert SUM in str(caught.value)
    assert "choose another artifacts_source" in caught.value.result["hint"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused_is_not_tried_again(web: t.Any, tool: Download, tmp_path: Path) -> None:
    web.refusals[PATH] = [403]
    with pytest.raises(MintnetError, match=r"/tool: it answers 403 Forbidden"):
        get(tool, tmp_path)
    assert len(web.requests) == 1


def test_silence_in_the_middle_costs_seconds(hanging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_download, "TIMEOUT", 0.2)
    monkeypatch.setattr(_download, "TRIES", 2)
    start = time.monotonic()
    with pytest.raises(MintnetError, match="no answer within"):
        get(Download(f"http://{hanging}/x", SUM), tmp_path)
    assert time.monotonic() - start < 15


def test_a_full_disk_is_no_matter_of_the_network(tool: Download) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("there is no /dev/full here")
    with pytest.raises(OSError, match="No space left on device"):
        fetch(tool, Path("/dev/full"), Log())


@pytest.mark.parametrize(
    "published", [f"{SUM}\n", f"{SUM.upper()}  tool\n", f"{'0' * 64}  other\n{SUM} *some/folder/tool\n"]
)
def test_a_published_sum_counts_where_none_is_pinned(web: t.Any, tmp_path: Path, published: str) -> None:
    web.files.update({PATH: CONTENT, f"{PATH}.sha256": published.encode()})
    web.refusals[f"{PATH}.sha256"] = [502]
    assert get(Download(f"{web.url}/{PATH}", sums=f"{web.url}/{PATH}.sha256"), tmp_path) == CONTENT


def test_a_wrong_published_sum_is_named_with_its_place(web: t.Any, tmp_path: Path) -> None:
    web.files.update({PATH: CONTENT, f"{PATH}.sha256": b"0" * 64})
    with pytest.raises(MintnetError, match=rf"{SUM}, and the sum in http://\S+/tool.sha256 is {'0' * 64}"):
        get(Download(f"{web.url}/{PATH}", sums=f"{web.url}/{PATH}.sha256"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("published", [None, b"", b"<html>", f"{SUM}  other\n".encode()])
def test_nothing_comes_unchecked(web: t.Any, tmp_path: Path, published: bytes | None) -> None:
    web.files[PATH] = CONTENT
    if published is not None:
        web.files[f"{PATH}.sha256"] = published
    with pytest.raises(MintnetError, match=r"tool.sha256: it does not hold the SHA-256 of tool"):
        get(Download(f"{web.url}/{PATH}", sums=f"{web.url}/{PATH}.sha256"), tmp_path)
    with pytest.raises(MintnetError, match="nothing says what its SHA-256 must be"):
        get(Download(f"{web.url}/{PATH}"), tmp_path)
    assert PATH not in web.whole()


def test_hosts_are_asked_side_by_side(web: t.Any, tool: Download, hanging: str, refusing: str) -> None:
    start = time.monotonic()
    found = _download.unreachable(
        [tool.url, f"{web.url}/missing", *(f"http://{hanging}/{name}" for name in "ab"), f"http://{refusing}/a"], 2
    )
    assert time.monotonic() - start < 10
    assert found == {hanging: "no answer within 2 s", refusing: "Connection refused"}
    assert web.requests == [(PATH, "bytes=0-0")], "one file for each host"
    web.requests.clear()
    assert _download.unreachable([f"{web.url}/missing", tool.url], 2) == {web.host: "it answers 404 Not Found"}


def test_a_look_up_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_args: object) -> None:
        time.sleep(5)
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr(_download, "_opened", look_up)
    start = time.monotonic()
    assert _download.unreachable(["https://nowhere.example/x"], 0.1) == {"nowhere.example": "no answer within 0.1 s"}
    assert time.monotonic() - start < 4


def test_sums_of_a_file() -> None:
    text = f"{SUM}  a/b c\n{SUM.upper()} *./d\nno sum\n{SUM[:-1]}  short\n"
    assert _download.sums(text) == {"a/b c": SUM, "d": SUM}


# As jobs of a build


def job_of(download: Download) -> Job:
    def run(work: t.Any) -> None:
        fetch(download, work.folder / download.file, work)

    return Job("get", "tool 1", "key", (download.file,), run, doing="Downloading", resumes=True)


def run_job(cache: Path, job: Job) -> list[str]:
    builder = Builder(cache, [job])
    return builder.run(builder.pending(["get"]), 1, {}, lambda progress: None)


def test_a_job_goes_on_with_the_draft_of_a_killed_run(web: t.Any, tool: Download, tmp_path: Path) -> None:
    job = job_of(tool)
    draft = tmp_path / "get" / "key.part" / "tool"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(CONTENT[:1_234_567])
    older = tmp_path / "get" / "older.part"
    older.mkdir()
    assert run_job(tmp_path, job) == ["get"]
    assert web.requests == [(PATH, "bytes=1234567-")]
    found = stored(tmp_path, job)
    assert found and found.sha256 == {"tool": SUM}
    assert [path.name for path in (tmp_path / "get").iterdir()] == ["key"]
    assert run_job(tmp_path, job) == []
    assert len(web.requests) == 1


def test_a_failed_job_says_what_to_do_and_keeps_what_came(
    web: t.Any, tool: Download, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "PAUSE", 0.0)
    web.cuts[PATH] = [1_000] * 5
    with pytest.raises(BuildError) as caught:
        run_job(tmp_path, job_of(tool))
    assert str(caught.value).startswith(f"Downloading tool 1: {tool.url}: the connection was cut")
    assert caught.value.result["hint"].startswith("check the network and the variables http_proxy")
    assert stored(tmp_path, job_of(tool)) is None
    assert run_job(tmp_path, job_of(tool)) == ["get"]
    assert web.requests[-1] == (PATH, "bytes=5000-")


def test_the_end_of_the_run_ends_a_download_and_keeps_what_came(
    web: t.Any, tool: Download, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "PAUSE", 60.0)
    web.cuts[PATH] = [1_000]

    def fail(work: t.Any) -> None:
        end = time.monotonic() + 10
        while not web.requests and time.monotonic() < end:
            time.sleep(0.01)
        work.call(["sh", "-c", "sleep 0.3; exit 3"])

    bad = Job("bad", "bad 1", "key", (), fail)
    start = time.monotonic()
    with pytest.raises(BuildError, match="Building bad 1"):
        Builder(tmp_path, [bad, job_of(tool)]).run([bad, job_of(tool)], 2, {}, lambda progress: None)
    assert time.monotonic() - start < 10
    assert (tmp_path / "get" / "key.part" / "tool").read_bytes() == CONTENT[:1_000]
    assert run_job(tmp_path, job_of(tool)) == ["get"]


def test_a_wrong_sum_leaves_no_file_in_the_cache(web: t.Any, tool: Download, tmp_path: Path) -> None:
    web.files[PATH] = b"wrong"
    with pytest.raises(BuildError, match=rf"Downloading tool 1: .*{SUM}"):
        run_job(tmp_path, job_of(tool))
    assert [path.name for path in (tmp_path / "get").iterdir()] == ["key.log"]


KILLED = """
import sys
from pathlib import Path
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[{root!r}])._install()
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Builder, Job
from ansible_collections.mintnet.kubernetes.plugins.module_utils._download import Download, fetch
one = Download({url!r}, {sha256!r})
job = Job("get", "tool 1", "key", ("tool",), lambda work: fetch(one, work.folder / "tool", work), resumes=True)
Builder(Path({cache!r}), [job]).run([job], 1, {{}}, lambda progress: None)
"""


def test_a_killed_run_leaves_a_draft_for_the_next(web: t.Any, tool: Download, tmp_path: Path) -> None:
    """The server cuts each connection after a while, so that the run is killed in the middle."""
    web.cuts[PATH] = [700_000] * 2
    web.refusals[PATH] = []
    draft = tmp_path / "get" / "key.part" / "tool"
    root = str(Path(str(_download.__file__)).parents[5])
    code = KILLED.format(root=root, url=tool.url, sha256=SUM, cache=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not (draft.exists() and draft.stat().st_size >= 700_000):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.wait(10)
    size = draft.stat().st_size
    assert size < len(CONTENT)
    web.requests.clear()
    web.cuts.clear()
    assert run_job(tmp_path, job_of(tool)) == ["get"]
    assert web.requests == [(PATH, f"bytes={size}-")]
