# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""minikube through its command line: which profiles there are, how they differ from what is wanted, and their start.

Read from minikube 1.38.1: the JSON of "profile list", "status" and "image ls", and the events that "start" prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

Json = dict[str, Any]
#: What "status" says of a node that does what it should, and of one that does nothing.
RUNS = {"Host": "Running", "Kubelet": "Running", "APIServer": "Running", "Kubeconfig": "Configured"}
START_SECONDS = 900
QUICK_SECONDS = 120


class MinikubeError(MintnetError):
    """minikube did not do what was asked."""


@dataclass(frozen=True)
class Wanted:
    """A profile as it is to be; memory and disk in MiB. Without a base image it is minikube's own.

    With ``own_storage``, minikube brings the addons that it enables by default, which are its storage.
    """

    driver: str
    kubernetes_version: str
    nodes: int = 1
    cpus: int = 2
    memory: int = 4096
    disk: int = 20000
    base_image: str = ""
    own_storage: bool = False
    flags: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Those of "start". A version that minikube does not know, and root, are taken with --force only."""
        return [
            f"--driver={self.driver}",
            f"--kubernetes-version=v{self.kubernetes_version}",
            "--container-runtime=containerd",
            f"--nodes={self.nodes}",
            f"--cpus={self.cpus}",
            f"--memory={self.memory}mb",
            f"--disk-size={self.disk}mb",
            *(["--cni=bridge"] if self.nodes == 1 else []),
            *([f"--base-image={self.base_image}", "--preload=false"] if self.base_image else []),
            *self.flags,
            "--cache-images=true",
            f"--install-addons={str(self.own_storage).lower()}",
            "--wait=all",
            "--wait-timeout=6m",
            "--keep-context=true",
            "--interactive=false",
            "--auto-update-drivers=false",
            "--delete-on-failure=false",
            "--force",
        ]


def drift(config: Json, wanted: Wanted) -> list[str]:
    """How a profile differs in what "start" does not change, in words; ``config`` is what minikube keeps of it."""
    kubernetes = config.get("KubernetesConfig") or {}
    pairs = {
        "driver": (config.get("Driver"), wanted.driver),
        "Kubernetes": (kubernetes.get("KubernetesVersion"), f"v{wanted.kubernetes_version}"),
        "container runtime": (kubernetes.get("ContainerRuntime"), "containerd"),
        "nodes": (len(config.get("Nodes") or []), wanted.nodes),
        "cpus": (config.get("CPUs"), wanted.cpus),
        "memory in MiB": (config.get("Memory"), wanted.memory),
        "disk in MiB": (config.get("DiskSize"), wanted.disk),
    }
    return [f"{name}: {has}, wanted {wants}" for name, (has, wants) in pairs.items() if has != wants]


@dataclass
class Minikube:
    """One minikube, one folder of profiles, one kubeconfig."""

    binary: str
    home: Path
    kubeconfig: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Where it keeps everything: it adds the folder's name itself where that is missing."""
        return self.home if self.home.name == ".minikube" else self.home / ".minikube"

    def profile(self, name: str) -> Json | None:
        """What it keeps of a profile, or None."""
        found = self._json("Listing the profiles of minikube", "profile", "list", "--light", "-o", "json")
        rows = [*(found.get("valid") or []), *(found.get("invalid") or [])]
        return next((row.get("Config") or {} for row in rows if row.get("Name") == name), None)

    def runs(self, name: str) -> bool:
        """Whether all nodes do what they should. Its exit code says the same as its answer."""
        answer = self._run("Looking at the profile", "status", "-p", name, "-o", "json").stdout
        try:
            found = json.loads(answer)
        except ValueError:
            return False
        rows = [row for row in (found if isinstance(found, list) else [found]) if row]
        # A worker has no API server of its own.
        return bool(rows) and all(
            row.get(key) == value or (row.get("Worker") and key in ("APIServer", "Kubeconfig"))
            for row in rows
            for key, value in RUNS.items()
        )

    def half_made(self, name: str) -> bool:
        """Whether its first start did not come to its end: minikube takes up only those that did.

        Of one that was killed before the network of its pods, a later start waits in vain for a node that is ready.
        """
        return self._making(name).exists()

    def make(self, name: str, wanted: Wanted, tell: Callable[[str], None]) -> None:
        """Start it for the first time."""
        self._making(name).parent.mkdir(parents=True, exist_ok=True)
        self._making(name).touch()
        self.start(name, wanted, tell)
        self._making(name).unlink()

    def _making(self, name: str) -> Path:
        """Outside the profile's own folder, which minikube makes and removes."""
        return self.root / f"{name}.mintnet-making"

    def start(self, name: str, wanted: Wanted, tell: Callable[[str], None]) -> None:
        """Make it, or start it again; each step is told as it begins."""
        doing = f"Starting the profile {name} of minikube with the driver {wanted.driver}"
        command = [self.binary, "start", "-p", name, "-o", "json", *wanted.arguments()]
        events: list[Json] = []
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        clock = threading.Timer(START_SECONDS, process.kill)
        clock.start()
        try:
            for event in _events(process.stdout or ()):
                events.append(event)
                if event["type"].endswith(".step"):
                    tell(event["data"].get("message", "").strip())
            code = process.wait()
        finally:
            clock.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        if code:
            raise _failure(doing, events, code)

    def lacking(self, name: str, images: Iterable[str]) -> list[str]:
        """Those of these images that its nodes do not have. Names without a host are shown with the default one."""
        doing = f"Listing the images of the profile {name} of minikube"
        rows = self._json(doing, "image", "ls", "-p", name, "--format", "json") or []
        found = {tag for row in rows for tag in row.get("repoTags") or []}
        return [one for one in images if not found & {one, f"docker.io/{one}", f"docker.io/library/{one}"}]

    def load(self, name: str, images: Mapping[str, Path]) -> list[str]:
        """Have the images of these archives on its nodes; gives what was lacking. A load that fails says nothing."""
        lacking = self.lacking(name, images)
        for reference in lacking:
            doing = f"Loading {reference} into the profile {name} of minikube"
            self._quiet(doing, "image", "load", "-p", name, str(images[reference]), timeout=START_SECONDS)
        if lacking and (lost := self.lacking(name, lacking)):
            raise MinikubeError(
                f"Loading images into the profile {name} of minikube: they are not there afterwards: {', '.join(lost)}",
                hint=f"see {self.binary} -p {name} logs, and whether its disk is full",
            )
        return lacking

    def addons(self, name: str) -> dict[str, bool]:
        """Every addon that this minikube has, and whether it is enabled in the profile, as its own files say."""
        rows = self._json("Listing the addons of minikube", "addons", "list", "-p", name, "-o", "json")
        return {addon: (row or {}).get("Status") == "enabled" for addon, row in rows.items()}

    def enable(self, name: str, addon: str) -> None:
        """It ends when the addon's pods run, where minikube knows which these are."""
        doing = f"Enabling the addon {addon} of the profile {name} of minikube"
        self._quiet(doing, "addons", "enable", addon, "-p", name, timeout=START_SECONDS)

    def delete(self, name: str) -> None:
        self._quiet(f"Deleting the profile {name} of minikube", "delete", "-p", name, timeout=START_SECONDS)
        self._making(name).unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("CONTAINER_HOST", "MINIKUBE_HOME")}
        return {
            **kept,
            "MINIKUBE_HOME": str(self.home),
            "KUBECONFIG": self.kubeconfig,
            "MINIKUBE_IN_STYLE": "false",
            "MINIKUBE_WANTUPDATENOTIFICATION": "false",
            **self.variables,
        }

    def _run(self, doing: str, *arguments: str, timeout: float = QUICK_SECONDS) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # pylint: disable=ansible-bad-function
                [self.binary, *arguments],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except OSError as error:
            raise MinikubeError(f"{doing}: {self.binary}: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise MinikubeError(f"{doing}: it did not end within {timeout:.0f} s") from error

    def _quiet(self, doing: str, *arguments: str, timeout: float) -> None:
        answer = self._run(doing, *arguments, timeout=timeout)
        if answer.returncode:
            raise _failure(doing, list(_events(answer.stdout.splitlines())), answer.returncode, answer.stderr)

    def _json(self, doing: str, *arguments: str) -> Any:
        answer = self._run(doing, *arguments)
        try:
            return json.loads(answer.stdout)
        except ValueError as error:
            said = " ".join((answer.stderr or answer.stdout).split()) or "nothing"
            raise MinikubeError(f"{doing}: it ended with {answer.returncode} and said {said[:500]}") from error


def _events(lines: Iterable[str]) -> Iterator[Json]:
    """One JSON object a line; whatever else is printed is nobody's."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("data"), dict) and isinstance(event.get("type"), str):
            yield event


def _failure(doing: str, events: Sequence[Json], code: int, said: str = "") -> MinikubeError:
    """Only an error with an exit code ended it: there are others on a good start, too."""
    errors = [event["data"] for event in events if event["type"].endswith(".error")]
    last = next((error for error in reversed(errors) if error.get("exitcode")), errors[-1] if errors else {})
    cause = " ".join(str(last.get("message") or said or "it gave no reason").split())
    advice = " ".join(str(last.get("advice") or "").split())
    return MinikubeError(f"{doing}: {cause} (exit code {code})", **({"hint": advice} if advice else {}))
