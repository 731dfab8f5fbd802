# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_ssh
from ansible_collections.mintnet.kubernetes.plugins.module_utils._machines_ssh import Access, draft, keypair, write
from ansible_collections.mintnet.kubernetes.plugins.module_utils._podman import run

HOSTS = {"10.0.0.11": "ssh-ed25519 AAAA"}
needs_ssh = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")


@pytest.fixture
def access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setattr(_machines_ssh, "CONTROL", tmp_path / "run")
    home = tmp_path / "a home" / "trial"
    home.mkdir(parents=True)
    return Access(home, "trial")


@needs_ssh
def test_key_pair(access: Access) -> None:
    assert not access.has_key()
    with access.scratch("new") as folder:
        private, public = keypair(folder, "id_ed25519", "mintnet trial")
    assert not folder.exists()
    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" mintnet trial")
    assert not access.has_key()
    write(access.key, private)
    assert access.has_key()
    assert access.public_key().split()[:2] == public.split()[:2]
    assert stat.S_IMODE(access.key.stat().st_mode) == 0o600


def test_complete_only_with_key_and_hosts_for_us_alone(access: Access) -> None:
    assert not access.is_complete(HOSTS)
    access.has_key()
    write(access.key, "key")
    assert not access.is_complete(HOSTS)
    write(access.known_hosts, access.lines(HOSTS))
    assert access.is_complete(HOSTS)
    assert not access.is_complete({**HOSTS, "10.0.0.12": "ssh-ed25519 BBBB"})
    access.key.chmod(0o644)
    assert not access.is_complete(HOSTS)
    # What others may read is closed again.
    assert access.has_key()
    assert access.is_complete(HOSTS)


def test_what_a_killed_run_left_is_cleared(access: Access) -> None:
    access.has_key()
    write(access.key, "key")
    write(access.known_hosts, access.lines(HOSTS))
    draft(access.key).write_text("half")
    (draft(access.folder / "trial-1") / "deep").mkdir(parents=True)
    assert not access.is_complete(HOSTS)
    write(access.key, "key")
    access.clear()
    assert access.is_complete(HOSTS)
    assert sorted(one.name for one in access.folder.iterdir()) == ["id_ed25519", "known_hosts"]


def test_temporary_files_of_podman_lie_where_it_is_told(tmp_path: Path) -> None:
    shown = run("Looking", "sh", "-c", 'echo "$TMPDIR"', temporary=tmp_path).stdout.strip()
    assert shown == str(tmp_path)


def test_write_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "known_hosts"
    write(path, "old")

    def fail(*_arguments: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["known_hosts"]


def test_arguments_keep_to_our_own_files(access: Access) -> None:
    words = shlex.split(access.common_args())
    assert words[:2] == ["-F", "/dev/null"]
    assert f'UserKnownHostsFile="{access.known_hosts}"' in words
    assert "StrictHostKeyChecking=yes" in words
    assert "IdentityAgent=none" in words


def test_percent_in_a_path_is_no_token() -> None:
    assert _machines_ssh.config_path(Path('/a%b/"c"')) == '"/a%%b/\\"c\\""'


def test_socket_path_is_short_whatever_the_home(tmp_path: Path) -> None:
    variables = Access(tmp_path / ("long" * 50), "c" * 61).variables(99, "10.0.0.1")
    path = str(variables["ansible_control_path"]) % {"directory": variables["ansible_control_path_dir"]}
    # A socket's path has at most 107 bytes, and ssh adds 17 to it for a moment.
    assert len(path.encode()) + 17 <= 107


def test_answers(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(_machines_ssh, "PORT", server.getsockname()[1])
    for banner, answers in ((b"SSH-2.0-OpenSSH_9.2\r\n", True), (b"HTTP/1.1 400\r\n", False)):

        def serve(said: bytes = banner) -> None:
            connection, _address = server.accept()
            with connection:
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        assert access.answers("127.0.0.1") is answers
        thread.join()
    server.close()
    assert not access.answers("127.0.0.1", timeout=0.2)


@needs_ssh
def test_remove_takes_what_is_ours(access: Access, tmp_path: Path) -> None:
    access.has_key()
    write(access.key, "key")
    access.control.mkdir(parents=True)
    (access.control / "1").touch()
    other = tmp_path / "run" / "other"
    other.mkdir()
    (access.folder.parent / "cluster.yml").touch()
    access.remove()
    assert not access.folder.exists()
    assert not access.control.exists()
    assert other.is_dir()
    assert [one.name for one in access.folder.parent.iterdir()] == ["cluster.yml"]
    access.remove()


@needs_ssh
def test_a_connection_that_lost_its_socket_is_ended(access: Access) -> None:
    title = f"ssh: {access.control}/5 [mux]"
    with subprocess.Popen(["bash", "-c", f"exec -a {shlex.quote(title)} sleep 60"]) as process:
        try:
            while not access.masters(5):
                time.sleep(0.01)
            assert access.masters() == [process.pid]
            access.hang_up(1)
            assert process.poll() is None
            access.hang_up(5)
            assert process.wait(5) == -signal.SIGTERM
        finally:
            process.kill()
    assert access.masters() == []
