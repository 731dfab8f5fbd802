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

VERSIONS = yaml.safe_load((tree.ROOT / "roles/artifacts/vars/main.yml").read_text(encoding="utf-8"))[
    "_artifacts_versions"
]
VERSION = VERSIONS["kubernetes"]
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


MINIKUBE = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.minikube
        tasks_from: find
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.minikube
      vars:
        minikube_profile: mac
        minikube_ours: "{{ (lookup('ansible.builtin.env', 'HOME') ~ '/started') is ansible.builtin.exists }}"
        minikube_artifacts:
          kubectl: {kind: binary, version: 1.36.3, os: darwin, arch: arm64}
"""
# With what the artifacts have, where none that fits is in PATH.
PROGRAM = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: mintnet.kubernetes.common
  tasks:
    - ansible.builtin.include_role:
        name: mintnet.kubernetes.minikube
        tasks_from: find
    - when: not minikube_found and minikube_state | default('present') == 'present'
      ansible.builtin.include_role:
        name: mintnet.kubernetes.artifacts
      vars:
        artifacts_wanted: [minikube]
        artifacts_provider: minikube
        artifacts_source: mirror
    - when: not minikube_found or minikube_state | default('present') == 'absent'
      ansible.builtin.include_role:
        name: mintnet.kubernetes.minikube
        tasks_from: program
"""
# What it answers of the one profile that it makes, and what it was started with.
STARTS = """\
profile='{"Name": "mac", "Config": {"Driver": "DRIVER", "CPUs": 2, "Memory": 4096, "DiskSize": 20000, "Nodes": [{}],
  "KubernetesConfig": {"KubernetesVersion": "v1.36.3", "ContainerRuntime": "containerd"}}}'
case "$1" in
  version) echo v1.38.1 ;;
  profile) if [ -e STARTED ]; then echo "{\\"valid\\": [$profile]}"; else echo '{"valid": []}'; fi ;;
  start) echo "$MINIKUBE_HOME $KUBECONFIG $*" >>STARTED ;;
  status) echo '{"Host": "Running", "Kubelet": "Running", "APIServer": "Running", "Kubeconfig": "Configured"}' ;;
  image) echo '[]' ;;
  *) exit 1 ;;
esac
"""


def kubectl(version: str) -> str:
    return f"""echo '{{"clientVersion": {{"gitVersion": "v{version}"}}}}'"""


@pytest.fixture
def mac(tmp_path: Path, request: pytest.FixtureRequest) -> Mac:
    someone = Mac(tmp_path, "mac", machine=getattr(request, "param", "arm64"))
    (tmp_path / "present.yml").write_text(BOOK, encoding="utf-8")
    (tmp_path / "absent.yml").write_text(ABSENT, encoding="utf-8")
    (tmp_path / "minikube.yml").write_text(MINIKUBE, encoding="utf-8")
    (tmp_path / "program.yml").write_text(PROGRAM, encoding="utf-8")
    return someone


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """It has a kubectl and a minikube for each kind of Mac, which tell them apart."""
    folder, sums = tmp_path / "mirror", []
    upstream = f"github.com/kubernetes/minikube/releases/download/v{VERSIONS['minikube']}"
    for arch in ARCHITECTURES.values():
        files = {
            f"dl.k8s.io/release/v{VERSION}/bin/darwin/{arch}/kubectl": kubectl(VERSION),
            f"{upstream}/minikube-darwin-{arch}": f"echo v{VERSIONS['minikube']}",
        }
        for place, script in files.items():
            content = f"#!/bin/sh\n# {arch}\n{script}\n"
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
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


@pytest.mark.parametrize(
    ("mac", "named", "caches"),
    [("arm64", "", "Library/Caches"), pytest.param("x86_64", "named", "named", marks=pytest.mark.long)],
    indirect=["mac"],
)
def test_kubectl_of_the_mirror(mac: Mac, mirror: str, named: str, caches: str) -> None:
    """A folder for caches that the user has named goes before the Mac's own."""
    mac.environment["XDG_CACHE_HOME"] = str(mac.home / named) if named else ""
    file = mac.home / ".local" / "bin" / "kubectl"
    mac.environment["PATH"] += f":{file.parent}"
    four_runs(mac, mac.home / "present.yml", mirror)
    assert f"# {ARCHITECTURES[mac.machine]}\n" in file.read_text(encoding="utf-8")
    assert (mac.home / caches / "mintnet" / "artifacts").is_dir()

    four_runs(mac, mac.home / "absent.yml", "-e kubectl_state=absent")
    assert not file.exists()


@pytest.mark.long
def test_one_that_is_not_ours_any_more_stays(mac: Mac, mirror: str) -> None:
    mac.play(mac.home / "present.yml", mirror)
    file = mac.home / ".local" / "bin" / "kubectl"
    file.write_text("mine", encoding="utf-8")
    run = mac.play(mac.home / "absent.yml", "-e kubectl_state=absent")
    assert "stays" in run.output
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "version",
    [pytest.param("1.36.0", marks=pytest.mark.long), pytest.param("1.35.9", marks=pytest.mark.long), "1.99.0"],
)
def test_one_that_is_new_enough_is_used(mac: Mac, mirror: str, version: str) -> None:
    mac.stand_in("kubectl", kubectl(version))
    mac.play(mac.home / "present.yml", mirror)
    run = mac.play(mac.home / "present.yml", mirror)
    assert run.changed == 0
    assert ("stays" in run.output) == (version == "1.99.0")
    assert not (mac.home / ".local").exists()


@pytest.fixture
def brew(mac: Mac) -> Path:
    """Installs kubectl or minikube beside itself, and writes down what it was asked for."""
    log, place = mac.home / "brew.log", f"{mac.bin}/$program"
    mac.stand_in("brewed-kubectl", kubectl(VERSION))
    mac.stand_in("brewed-minikube", minikube(mac, "docker"))
    install = f"cat {mac.bin}/brewed-$program >{place}; chmod 755 {place}"
    kinds = f'list) [ ! -e {place} ] || echo "$program" ;; install) {install} ;; uninstall) rm {place} ;;'
    program = 'case "$*" in *minikube) program=minikube ;; *kubernetes-cli) program=kubectl ;; *) exit 1 ;; esac'
    mac.stand_in("brew", f'echo "$*" >>{log}\n{program}\ncase "$1" in {kinds} esac')
    return log


def minikube(mac: Mac, driver: str) -> str:
    return STARTS.replace("DRIVER", driver).replace("STARTED", str(mac.home / "started"))


@pytest.mark.long
def test_homebrew_by_choice(mac: Mac, mirror: str, brew: Path) -> None:
    four_runs(mac, mac.home / "present.yml", f"{mirror} -e kubectl_homebrew=true")
    four_runs(mac, mac.home / "absent.yml", "-e kubectl_state=absent")
    asked = [line.split()[0] for line in brew.read_text(encoding="utf-8").splitlines()]
    assert [verb for verb in asked if verb != "list"] == ["install", "uninstall"]
    assert not (mac.home / ".local").exists()


@pytest.mark.long
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


@pytest.mark.parametrize(
    ("program", "driver"),
    [
        pytest.param("docker", "docker", marks=pytest.mark.long),
        ("vfkit", "vfkit"),
        pytest.param("qemu-system-aarch64", "qemu", marks=pytest.mark.long),
    ],
)
def test_minikube_at_hand_with_the_driver_that_works(mac: Mac, program: str, driver: str) -> None:
    mac.stand_in("minikube", minikube(mac, driver))
    mac.stand_in(program, "exit 0")
    four_runs(mac, mac.home / "minikube.yml", "")
    (start,) = (mac.home / "started").read_text(encoding="utf-8").splitlines()
    assert start.startswith(f"{mac.home} {mac.kubeconfig} start -p mac ")
    assert {f"--driver={driver}", "--kubernetes-version=v1.36.3", "--keep-context=true"} <= set(start.split())


def test_minikube_without_a_driver(mac: Mac) -> None:
    mac.stand_in("minikube", minikube(mac, "docker"))
    mac.stand_in("docker", "exit 1")
    run = mac.play(mac.home / "minikube.yml", code=1)
    assert "none of docker, vfkit, qemu works here" in run.output
    assert not (mac.home / "started").exists()


@pytest.mark.long
def test_minikube_of_homebrew(mac: Mac, brew: Path) -> None:
    mac.stand_in("docker", "exit 0")
    mac.stand_in("minikube", minikube(mac, "docker").replace("v1.38.1", "v1.30.0"))
    four_runs(mac, mac.home / "minikube.yml", "-e minikube_homebrew=true")
    assert "install --quiet minikube\n" in brew.read_text(encoding="utf-8")
    assert (mac.home / "started").exists()


def test_minikube_that_is_named_and_too_old_is_refused(mac: Mac) -> None:
    old = mac.stand_in("old", "echo v1.30.0")
    mac.stand_in("docker", "exit 0")
    run = mac.play(mac.home / "minikube.yml", f"-e minikube_binary={old}", code=1)
    assert "(minikube_binary) is 1.30.0, and 1.38.0 or newer is needed" in " ".join(run.output.split())


def test_minikube_of_the_mirror_where_the_one_in_path_is_too_old(mac: Mac, mirror: str) -> None:
    """It is beside the user's own, which stays, and goes again."""
    old = mac.stand_in("minikube", "echo v1.30.0")
    file = mac.home / ".local" / "bin" / "minikube"
    run = mac.play(mac.home / "program.yml", mirror)
    assert "1.30.0 in PATH, 1.38.0 or newer is needed: put" in " ".join(run.output.split())
    assert "# arm64\n" in file.read_text(encoding="utf-8")

    mac.environment["PATH"] = f"{file.parent}:{mac.environment['PATH']}"
    assert mac.play(mac.home / "program.yml", mirror).changed == 0
    assert mac.play(mac.home / "program.yml", "-e minikube_state=absent").changed > 0
    assert not file.exists()
    assert mac.play(mac.home / "program.yml", "-e minikube_state=absent").changed == 0
    assert old.exists()


def test_minikube_that_is_newer_stays(mac: Mac) -> None:
    """Nothing is fetched: there is no mirror."""
    mac.stand_in("minikube", "echo v1.99.0")
    assert mac.play(mac.home / "program.yml").changed == 0
    assert not (mac.home / ".local").exists()


def test_quick_start_downloads_and_builds_nothing(mac: Mac) -> None:
    """Where no cluster is named; what a check run would do is seen without asking anybody."""
    mac.context = ""
    mac.stand_in("docker", "exit 0")
    run = mac.play("playbooks/create.yml", "--check")
    assert "minikube can be had and its driver docker works" in run.output
    assert "would download kubectl, minikube" in run.output
    assert "would be made with the driver docker" in run.output
    assert "would build" not in run.output
    assert run.changed > 0
    assert not (mac.home / "Library").exists()
