# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done on a Mac, without a Mac: the right files come from a mirror, and nothing of Linux is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree
import yaml
from mac import Mac
from surroundings import served

VERSION = yaml.safe_load((tree.ROOT / "roles/artifacts/vars/main.yml").read_text(encoding="utf-8"))[
    "_artifacts_versions"
]["kubernetes"]
ARCHITECTURES = {"arm64": "arm64", "x86_64": "amd64"}
BOOK = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [kubectl]
        artifacts_source: mirror
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.kubectl
      vars:
        kubectl_binary: "{{ mintnet_artifacts.kubectl }}"
"""
ABSENT = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
    - role: mintnet.kubernetes.kubectl
"""


def kubectl(version: str) -> str:
    return f"""echo '{{"clientVersion": {{"gitVersion": "v{version}"}}}}'"""


@pytest.fixture
def mac(tmp_path: Path, request: pytest.FixtureRequest) -> Mac:
    someone = Mac(tmp_path, "mac", machine=getattr(request, "param", "arm64"))
    (tmp_path / "present.yml").write_text(BOOK, encoding="utf-8")
    (tmp_path / "absent.yml").write_text(ABSENT, encoding="utf-8")
    return someone


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """It has a kubectl for each kind of Mac, which tells them apart."""
    folder, sums = tmp_path / "mirror", []
    for arch in ARCHITECTURES.values():
        place = f"dl.k8s.io/release/v{VERSION}/bin/darwin/{arch}/kubectl"
        content = f"#!/bin/sh\n# {arch}\n{kubectl(VERSION)}\n"
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_text(content, encoding="utf-8")
        sums.append(f"{hashlib.sha256(content.encode()).hexdigest()}  {place}\n")
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    sha256 = hashlib.sha256("".join(sums).encode()).hexdigest()
    with served(folder) as address:
        yield f"-e artifacts_mirror_url={address} -e artifacts_mirror_sha256={sha256}"


def four_runs(mac: Mac, book: Path, options: str) -> None:
    """Check, real, check, real: what would be done is done, once."""
    assert mac.play(book, f"{options} --check").changed > 0
    assert mac.play(book, options).changed > 0
    assert mac.play(book, f"{options} --check").changed == 0
    assert mac.play(book, options).changed == 0


@pytest.mark.parametrize("mac", ARCHITECTURES, indirect=True)
def test_kubectl_of_the_mirror(mac: Mac, mirror: str) -> None:
    file = mac.home / ".local" / "bin" / "kubectl"
    mac.environment["PATH"] += f":{file.parent}"
    four_runs(mac, mac.home / "present.yml", mirror)
    assert f"# {ARCHITECTURES[mac.machine]}\n" in file.read_text(encoding="utf-8")
    assert (mac.home / "Library" / "Caches" / "mintnet" / "artifacts").is_dir()

    four_runs(mac, mac.home / "absent.yml", "-e kubectl_state=absent")
    assert not file.exists()


def test_one_that_is_not_ours_any_more_stays(mac: Mac, mirror: str) -> None:
    mac.play(mac.home / "present.yml", mirror)
    file = mac.home / ".local" / "bin" / "kubectl"
    file.write_text("mine", encoding="utf-8")
    run = mac.play(mac.home / "absent.yml", "-e kubectl_state=absent")
    assert "stays" in run.output
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("version", ["1.36.0", "1.35.9", "1.99.0"])
def test_one_that_is_new_enough_is_used(mac: Mac, mirror: str, version: str) -> None:
    mac.stand_in("kubectl", kubectl(version))
    mac.play(mac.home / "present.yml", mirror)
    run = mac.play(mac.home / "present.yml", mirror)
    assert run.changed == 0
    assert ("stays" in run.output) == (version == "1.99.0")
    assert not (mac.home / ".local").exists()


@pytest.fixture
def brew(mac: Mac) -> Path:
    """Installs a kubectl beside itself, and writes down what it was asked for."""
    log, brewed, place = mac.home / "brew.log", mac.stand_in("brewed", kubectl(VERSION)), mac.bin / "kubectl"
    install = f"cat {brewed} >{place}; chmod 755 {place}"
    kinds = f"list) [ ! -e {place} ] || echo kubernetes-cli ;; install) {install} ;; uninstall) rm {place} ;;"
    mac.stand_in("brew", f'echo "$*" >>{log}\ncase "$1" in {kinds} esac')
    return log


def test_homebrew_by_choice(mac: Mac, mirror: str, brew: Path) -> None:
    four_runs(mac, mac.home / "present.yml", f"{mirror} -e kubectl_homebrew=true")
    four_runs(mac, mac.home / "absent.yml", "-e kubectl_state=absent")
    asked = [line.split()[0] for line in brew.read_text(encoding="utf-8").splitlines()]
    assert [verb for verb in asked if verb != "list"] == ["install", "uninstall"]
    assert not (mac.home / ".local").exists()


def test_homebrew_that_is_the_users_stays(mac: Mac, mirror: str, brew: Path) -> None:
    mac.stand_in("kubectl", kubectl("1.20.0"))
    mac.play(mac.home / "present.yml", f"{mirror} -e kubectl_homebrew=true")
    assert mac.play(mac.home / "absent.yml", "-e kubectl_state=absent").changed == 0
    assert "uninstall" not in brew.read_text(encoding="utf-8")


def test_homebrew_that_is_not_there(mac: Mac, mirror: str) -> None:
    run = mac.play(mac.home / "present.yml", f"{mirror} -e kubectl_homebrew=true", code=1)
    assert "there is no brew in PATH" in run.output


def test_homebrew_does_not_run_as_root(mac: Mac, mirror: str, brew: Path) -> None:
    mac.stand_in("id", "echo 0")
    run = mac.play(mac.home / "present.yml", f"{mirror} -e kubectl_homebrew=true", code=1)
    assert "it does not run as root" in run.output
    assert "install" not in (brew.read_text(encoding="utf-8") if brew.exists() else "")
