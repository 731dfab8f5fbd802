# SPDX-License-Identifier: GPL-3.0-or-later
"""The web UI of a cluster, opened on this machine only: a page that stands in for one, behind a service of its name."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import yaml
from surroundings import User

NAMESPACE = "headlamp"
PAGE = "a web UI"


def stand_in(user: User) -> None:
    (image,) = {
        tag
        for node in user.get("nodes", "default")
        for entry in node["status"]["images"]
        for tag in entry["names"]
        if "/mintnet/helper:" in tag
    }
    labels = {"app": NAMESPACE}
    command = f"mkdir /tmp/w && echo '{PAGE}' >/tmp/w/index.html && exec httpd -f -p 4466 -h /tmp/w"
    container = {"name": "ui", "image": image, "command": ["sh", "-c", command]}
    objects: list[dict[str, Any]] = [
        {"kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"kind": "Pod", "metadata": {"labels": labels}, "spec": {"containers": [container]}},
        {"kind": "Service", "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 4466}]}},
    ]
    for item in objects:
        item["apiVersion"] = "v1"
        item["metadata"] = {"name": NAMESPACE, **item.get("metadata", {})}
        item["metadata"] |= {} if item["kind"] == "Namespace" else {"namespace": NAMESPACE}
    file = user.home / "ui.yml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    user.kubectl(f"apply -f {file}")
    user.kubectl(f"-n {NAMESPACE} wait --for=condition=Ready pod/{NAMESPACE} --timeout=60s")


def test_without_one_it_says_what_to_install(user: User, clone: Path, cluster: None) -> None:
    run = user.run("make dashboard", clone, code=1)
    assert "there is none on the cluster" in run.output
    assert "Headlamp" in run.output


def test_it_is_opened_on_localhost(user: User, clone: Path) -> None:
    stand_in(user)
    process = subprocess.Popen(
        ["make", "dashboard", "ARGS=-e mintnet_dashboard_port=38001 -e mintnet_dashboard_seconds=60"],
        cwd=clone,
        env=user.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    try:
        address = ""
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:38001/\S+", line):
                address = found.group()
                break
        assert address.endswith("/namespaces/headlamp/services/headlamp:http/proxy/")
        assert urllib.request.urlopen(address, timeout=10).read().decode().strip() == PAGE
    finally:
        process.terminate()
        process.communicate(timeout=30)
        user.kubectl(f"delete namespace {NAMESPACE}")
