# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _machines_files as files

THREE = {"m-1": "10.0.0.11", "m-2": "10.0.0.12", "m-3": "10.0.0.13"}


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: one for one in tar.getmembers()}


def test_machine() -> None:
    data = files.machine({"/etc/systemd/journald.conf.d/m.conf": "[Journal]\n"}, ["a.timer"], "hosts", "PRIVATE", "key")
    found = members(data)
    assert {name: oct(one.mode) for name, one in found.items() if one.isfile()} == {
        "etc/systemd/journald.conf.d/m.conf": "0o644",
        "etc/hosts": "0o644",
        "etc/machine-id": "0o444",
        "etc/ssh/ssh_host_ed25519_key": "0o600",
        "root/.ssh/authorized_keys": "0o600",
    }
    assert found["etc/systemd/system/a.timer"].linkname == "/dev/null"
    assert {one.uid for one in found.values()} == {0}
    assert {name: oct(one.mode) for name, one in found.items() if one.isdir()} == {
        "etc/ssh": "0o755",
        "etc/systemd": "0o755",
        "etc/systemd/journald.conf.d": "0o755",
        "etc/systemd/system": "0o755",
        "root/.ssh": "0o700",
    }
    # /etc and /root are there already, with modes of their own; a folder stands before what is in it.
    order = list(found)
    assert order.index("etc/systemd") < order.index("etc/systemd/journald.conf.d") < order.index("etc/hosts")


def test_each_machine_has_an_id_of_its_own() -> None:
    def identity() -> bytes:
        data = files.machine({}, [], "", "", "")
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            file = tar.extractfile("etc/machine-id")
            assert file
            return file.read()

    first, second = identity(), identity()
    assert first != second
    assert len(first.strip()) == 32


def test_names_of_machines_are_added_and_replaced() -> None:
    one = files.with_machines(files.BASE_HOSTS, {"m-1": "10.0.0.11"})
    assert one.splitlines()[2:] == ["# The machines of this cluster", "10.0.0.11 m-1", "# End of the machines"]
    more = files.with_machines(one + "127.0.0.1 api.m.internal\n", THREE)
    assert "127.0.0.1 api.m.internal" in more.splitlines()
    assert more.count("10.0.0.11 m-1") == 1
    assert "10.0.0.13 m-3" in more
    assert files.with_machines(more, THREE) == more
