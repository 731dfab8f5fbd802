# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application may be given, what else it may come from, and the one that does nothing."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from explained import Case
from test_5_apps_fail import ONE, image

__all__ = ["image"]  # the fixture
pytestmark = pytest.mark.long

#: It listens late, only if it has what it was promised, and serves a file of its own at a port of its own.
START = """
sleep 15
umask 007
[ "${TOKEN#not for }" = everybody ] && [ "$COLOUR" = blue ] && [ "$(cat /etc/motd.d/hello)" = hello ] || exit 9
touch /var/tmp/root /cache/volume /tmp/always || exit 8
/venv/bin/python -m http.server 8080 --directory /etc/motd.d &
exec /venv/bin/python /srv/counter.py
"""


def test_all_that_an_application_may_be_given(case: Case, image: str) -> None:
    case.user.kubectl(f"create namespace {case.name}")
    case.kubectl("create secret generic mine --from-literal='token=not for everybody'")
    case.create(
        code=0,
        **{
            **ONE,
            "cometbft_nodes": 2,
            "cometbft_app_image": image,
            "cometbft_app_command": ["sh", "-c", START],
            "cometbft_app_env": {"TOKEN": {"secret": "mine", "key": "token"}, "COLOUR": "blue"},
            "cometbft_app_user": 1001,
            "cometbft_app_writable": True,
            "cometbft_app_probe": {"exec": {"command": ["test", "-S", "/socks/app.sock"]}, "periodSeconds": 1},
            "cometbft_app_files": {"/etc/motd.d/hello": "hello\n"},
            "cometbft_app_volumes": [{"path": "/cache", "source": {"emptyDir": {}}}],
            "cometbft_app_ports": {"motd": 8080},
        },
    )
    case.is_well()
    for pod in case.get("pods"):
        # Nobody ended while the application was not there yet.
        assert {status["name"]: status["restartCount"] for status in pod["status"]["containerStatuses"]} == {
            "tm": 0,
            "app": 0,
        }
    assert case.kubectl("exec tm-0 -c app -- id -u").output.strip() == "1001"
    owner = case.kubectl("exec tm-0 -c tm -- sh -c 'stat -c %u:%g /cometbft/data/app/counter.json'").output.strip()
    assert owner == "1001:1000"
    assert case.kubectl("exec tm-1 -c tm -- curl -fsS -m 5 http://tm-0:8080/hello").output.strip() == "hello"
    assert "not for everybody" not in json.dumps(case.get("statefulset tm"))


def renamed(image: str, name: str, target: Path) -> Path:
    """What was built, as somebody else's archive that nobody has seen yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mintnet" / "artifacts"
    for path in (cache / "containerfile-app").glob("*/app.tar"):
        with tarfile.open(path) as archive:
            content: Any = archive.extractfile("manifest.json")
            manifest = json.load(content)
            if manifest[0]["RepoTags"] != [image]:
                continue
            manifest[0]["RepoTags"] = [name]
            draft = target.with_suffix(".json")
            draft.write_text(json.dumps(manifest), encoding="utf-8")
            with tarfile.open(target, "w") as copy:
                for member in archive:
                    if member.name not in ("manifest.json", "repositories"):
                        copy.addfile(member, archive.extractfile(member) if member.isreg() else None)
                copy.add(draft, "manifest.json")
        return target
    raise AssertionError(f"no archive in {cache} has {image}")


def test_image_from_an_archive(case: Case, image: str) -> None:
    """It is brought to the machine with the cluster's part of create."""
    name = "localhost/brought/counter:1"
    archive = renamed(image, name, case.user.home / "counter.tar")
    given = {**ONE, "cometbft_app_image": name, "cometbft_image_archives": [str(archive)]}
    case.create(code=0, whole=True, **given)
    case.is_well()
    assert name in case.user.inside("ctr -n k8s.io images ls -q").split()
    assert case.create(code=0, whole=True, **given).changed == 0


def test_application_that_does_nothing(case: Case) -> None:
    """It keeps nothing either, so that a node gives it every block again when it starts."""
    case.create(code=0, cometbft_app="noop", cometbft_nodes=4, cometbft_ephemeral=False)
    case.is_well()
    sent = case.user.rpc("tm-0", "broadcast_tx_commit?tx=%22anything%22", case.name)
    assert (sent["check_tx"]["code"], sent["tx_result"]["code"]) == (0, 0)
    case.restart("tm-1")
    case.user.wait("tm-1 goes on", lambda: case.user.height("tm-1", case.name) > int(sent["height"]))
    case.user.agree(case.name)
    assert case.create(code=0, cometbft_app="noop", cometbft_nodes=4, cometbft_ephemeral=False).changed == 0
