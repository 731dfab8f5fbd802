# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tarfile
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_install import Installation, WantedFile
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machine_record import RECORDS


class Systemd:
    """Knows units by whether they are enabled and running, as systemctl would tell."""

    def __init__(self) -> None:
        self.units: dict[str, tuple[bool, bool]] = {}
        self.calls: list[str] = []

    def __call__(self, command: list[str]) -> str:
        words = [word for word in command[1:] if not word.startswith("--")]
        if words[0] == "show":
            return "\n".join(
                f"Id={name}\nActiveState={'active' if active else 'inactive'}\n"
                f"UnitFileState={'enabled' if enabled else 'disabled'}\n"
                for name in words[1:]
                for enabled, active in [self.units.get(name, (False, False))]
            )
        self.calls.append(" ".join(words))
        for name in words[1:]:
            enabled, active = self.units.get(name, (False, False))
            self.units[name] = (enabled or words[0] == "enable", active or words[0] == "restart")
        return ""


@pytest.fixture
def systemd() -> Systemd:
    return Systemd()


@pytest.fixture
def install(tmp_path: Path, systemd: Systemd) -> t.Callable[..., Installation]:
    def call(*files: WantedFile, units: t.Sequence[str] = (), check: bool = False) -> Installation:
        installation = Installation("trial", "inputs", list(files), list(units), tmp_path, systemd, check)
        assert installation.apply() == bool(installation.did)
        return installation

    return call


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


def source(path: Path, content: bytes) -> dict[str, t.Any]:
    path.write_bytes(content)
    return {"source": str(path), "sha256": hashlib.sha256(content).hexdigest()}


def archive(path: Path, *members: tuple[str, bytes, int]) -> dict[str, t.Any]:
    with tarfile.open(path, "w") as tar:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("bin/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return {"archive": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_files_and_units_once(install: t.Callable[..., Installation], systemd: Systemd, tmp_path: Path) -> None:
    wanted = WantedFile("/etc/a/config", content="text\n", mode=0o600)
    assert install(wanted, units=["a.service"]).did == [
        "wrote /etc/a/config",
        "enabled a.service",
        "started a.service",
        "recorded trial",
    ]
    assert (tmp_path / "etc/a/config").read_text() == "text\n"
    assert (tmp_path / "etc/a/config").stat().st_mode & 0o777 == 0o600
    assert systemd.calls == ["daemon-reload", "enable a.service", "restart a.service"]
    systemd.calls.clear()
    before = tree(tmp_path)
    assert install(wanted, units=["a.service"]).did == []
    assert systemd.calls == []
    assert tree(tmp_path) == before


def test_check_mode_says_the_same_and_does_nothing(
    install: t.Callable[..., Installation], systemd: Systemd, tmp_path: Path
) -> None:
    wanted = WantedFile("/etc/a", content="new")
    would = install(wanted, units=["a.service"], check=True)
    assert tree(tmp_path) == {}
    assert systemd.calls == []
    done = install(wanted, units=["a.service"])
    assert would.did == done.did
    assert (
        would.diff == done.diff == [{"before_header": "/etc/a", "after_header": "/etc/a", "before": "", "after": "new"}]
    )
    assert install(wanted, units=["a.service"], check=True).did == []


def test_a_change_restarts_what_runs_in_order(install: t.Callable[..., Installation], systemd: Systemd) -> None:
    units = ["b.service", "a.service"]
    install(WantedFile("/etc/a", content="1"), units=units)
    systemd.calls.clear()
    assert "restarted b.service" in install(WantedFile("/etc/a", content="2"), units=units).did
    assert systemd.calls == ["daemon-reload", "restart b.service", "restart a.service"]


def test_a_stopped_unit_alone_is_started(install: t.Callable[..., Installation], systemd: Systemd) -> None:
    install(WantedFile("/etc/a", content="1"), units=["a.service", "b.service"])
    systemd.units["b.service"] = (True, False)
    systemd.calls.clear()
    assert install(WantedFile("/etc/a", content="1"), units=["a.service", "b.service"]).did == ["started b.service"]
    assert systemd.calls == ["restart b.service"]


def test_what_is_no_longer_named_is_removed(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    install(WantedFile("/etc/a", content="1"), WantedFile("/etc/b", content="2"))
    assert install(WantedFile("/etc/a", content="1")).did == ["removed /etc/b", "recorded trial"]
    assert not (tmp_path / "etc/b").exists()


def test_a_copied_file_is_compared_by_its_mark(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    wanted = WantedFile("/bin/tool", **source(tmp_path / "tool", b"one"), mode=0o755)
    assert "wrote /bin/tool" in install(wanted).did
    assert install(wanted).did == []
    (tmp_path / "bin/tool").write_bytes(b"two")
    assert "wrote /bin/tool" in install(wanted).did
    assert (tmp_path / "bin/tool").read_bytes() == b"one"
    assert (tmp_path / "bin/tool").stat().st_mode & 0o777 == 0o755


def test_a_wrong_sum_leaves_the_old_file(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_bytes(b"old")
    given = {**source(tmp_path / "tool", b"new"), "sha256": "0" * 64}
    with pytest.raises(MintnetError, match="its SHA-256 is"):
        install(WantedFile("/bin/tool", **given))
    assert (tmp_path / "bin/tool").read_bytes() == b"old"
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["tool"]


def test_an_archive_gives_only_its_regular_files(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    given = archive(tmp_path / "a.tar", ("./bin/one", b"1", 0o4755), ("bin/two", b"2", 0o644))
    assert "unpacked a.tar into /usr/local" in install(WantedFile("/usr/local", **given)).did
    unpacked = tmp_path / "usr/local/bin"
    assert sorted(path.name for path in unpacked.iterdir()) == ["one", "two"]
    assert (unpacked / "one").stat().st_mode & 0o7777 == 0o755
    assert install(WantedFile("/usr/local", **given)).did == []
    (unpacked / "two").unlink()
    # Recorded anew, because the times of the files are new.
    assert install(WantedFile("/usr/local", **given)).did == ["unpacked a.tar into /usr/local", "recorded trial"]
    newer = archive(tmp_path / "b.tar", ("bin/one", b"one", 0o755))
    assert "removed /usr/local/bin/two" in install(WantedFile("/usr/local", **newer)).did


def test_nothing_lands_outside(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    given = archive(tmp_path / "a.tar", ("../evil", b"1", 0o755))
    with pytest.raises(MintnetError, match="lies outside"):
        install(WantedFile("/usr/local", **given))
    assert not (tmp_path / "usr/evil").exists()


def test_a_unit_that_fails_shows_its_last_lines(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    def run(command: list[str]) -> str:
        if command[:2] == ["systemctl", "restart"]:
            raise MintnetError("exit code")
        return "no such option\n" if command[0] == "journalctl" else ""

    with pytest.raises(MintnetError, match=r"starting a.service: it failed; its last lines: no such option"):
        Installation("trial", "i", [], ["a.service"], tmp_path, run).apply()


def test_what_a_killed_run_left_is_written_over(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    wanted = WantedFile("/etc/new", content="whole")
    leftover = tmp_path / "etc" / ".new.mintnet"
    leftover.parent.mkdir()
    leftover.write_text("half")
    install(wanted)
    assert [path.name for path in leftover.parent.iterdir()] == ["new"]
    leftover.write_text("half")
    install()
    assert list(leftover.parent.iterdir()) == []


def test_one_at_a_time(install: t.Callable[..., Installation], tmp_path: Path) -> None:
    wanted = WantedFile("/etc/new", content="whole")
    folder = tmp_path / RECORDS.lstrip("/")
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    # To look, nobody need wait.
    assert install(wanted, check=True).did
    second = threading.Thread(target=install, args=(wanted,))
    second.start()
    second.join(0.1)
    assert second.is_alive()
    os.close(handle)
    second.join()
    assert not install(wanted).did


def test_a_killed_run_is_finished(
    install: t.Callable[..., Installation], systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(WantedFile("/etc/trial", content="old"), units=["trial.service"])
    with monkeypatch.context() as patch:
        patch.setattr(Installation, "_units", killed)
        with pytest.raises(KeyboardInterrupt):
            install(WantedFile("/etc/trial", content="new"), units=["trial.service"])
    systemd.calls.clear()
    # The file is there; but what runs began with the old one.
    assert "restarted trial.service" in install(WantedFile("/etc/trial", content="new"), units=["trial.service"]).did
    assert systemd.calls == ["daemon-reload", "restart trial.service"]
    assert not install(WantedFile("/etc/trial", content="new"), units=["trial.service"]).did


def killed(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterrupt
