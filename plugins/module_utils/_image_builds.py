# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that the user brings: built from a folder with a Containerfile, or saved in an archive.

A build that asks for them finds CometBFT's .proto files in the named context ``cometbft``. In secrets it finds what the
controller's pip is configured with, so that it reaches the same package index; they never become part of an image.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import tarfile
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils import _files
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Job, Work, content_key
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

PROTOS_FILE = "protos.tar"
#: Either builds from a Containerfile; the first that is there does.
TOOLS = ("podman", "docker")
#: How many results of what changes with each edit of the user's stay in the cache.
KEPT = 5
#: What of pip's settings means nothing inside a container.
_OF_THE_HOST = ("find-links", "cache-dir", "cert", "client-cert", "require-virtualenv", "user", "target", "log")
_SECRETS = "/run/secrets"

Recipe = Mapping[str, t.Any]


class Base(t.NamedTuple):
    """The image that a build begins with, which a job leaves in a file."""

    image: str
    job: Job
    file: str


def build_job(
    name: str, recipe: Recipe, platform: str, protos: Job | None, base: Base | None, cache: Path
) -> tuple[Job, str]:
    """The job that builds a folder's image, and the image's name, which its content makes unique."""
    context = Path(recipe["context"]).expanduser().resolve()
    file = context / (recipe.get("file") or "Containerfile")
    if not file.is_file():
        raise MintnetError(
            f"Building the image {name}: there is no {file}", hint="name the folder, and in it the Containerfile"
        )
    arguments = {str(key): str(value) for key, value in (recipe.get("args") or {}).items()}
    flags = [str(flag) for flag in recipe.get("flags") or []]
    tool = next((tool for tool in TOOLS if shutil.which(tool)), TOOLS[0])
    contexts = {str(key): Path(folder).expanduser().resolve() for key, folder in (recipe.get("contexts") or {}).items()}
    for key, folder in contexts.items():
        if not folder.is_dir():
            raise MintnetError(
                f"Building the image {name}: there is no folder {folder}", hint=f"it is the context {key}"
            )
    trees = {key: _tree(folder) for key, folder in contexts.items()}
    content = [_tree(context), trees, str(file.relative_to(context)), arguments, flags, platform]
    # The archive has the image's whole name.
    content += [recipe["push"]] if recipe.get("push") else []
    needs = tuple(job for job in (protos, base and base.job) if job)
    key = content_key(["containerfile", content, [job.key for job in needs]])
    image = own_image(name, recipe, key)
    archive = f"{name}.tar"

    def run(work: Work) -> None:
        command: list[str | Path] = [work.tools[tool], "build", "--tag", image, "--file", file, "--platform", platform]
        if protos:
            unpacked = work.scratch / "cometbft"
            with tarfile.open(protos.folder(cache) / PROTOS_FILE) as tar:
                tar.extractall(unpacked, filter="data")
            command += ["--build-context", f"cometbft={unpacked}"]
        if base:
            work.call([work.tools[tool], "load", "--quiet", "--input", base.job.folder(cache) / base.file])
            command += ["--build-arg", f"BASE={base.image}"]
        for named, folder in contexts.items():
            command += ["--build-context", f"{named}={folder}"]
        for secret, path in _secrets(work.scratch).items():
            command += ["--secret", f"id={secret},src={path}"]
        for argument, value in arguments.items():
            command += ["--build-arg", f"{argument}={value}"]
        work.call([*command, *flags, context])
        work.call([work.tools[tool], "save", "--output", work.folder / archive, image])
        # The archive is what counts; the tool keeps the layers for the next build.
        work.call([work.tools[tool], "rmi", "--no-prune", image])

    job = Job(
        name=f"containerfile-{name}",
        label=f"image {name}",
        key=key,
        files=(archive,),
        run=run,
        needs=tuple(job.name for job in needs),
        tools=(tool,),
        megabytes=1000,
        keeps=KEPT,
    )
    return job, image


def own_image(name: str, recipe: Recipe, key: str) -> str:
    """The name of an image that is built: where it is pushed to, and a tag that says of what it was built."""
    return f"{recipe.get('push') or f'localhost/mintnet/{name}'}:{key[:12]}"


def program_build(recipe: Recipe) -> Recipe:
    """The build, as in the role's table, of a program in Go whose module is a folder of the user's."""
    context = Path(recipe["context"]).expanduser().resolve()
    package = str(recipe["go"].get("package") or ".")
    binary = recipe["go"].get("binary") or (context / package).resolve().name
    packages = {binary: package if package.startswith(".") else f"./{package}"}
    return {"version": "", "megabytes": 1500, "go": {"module": str(context), "packages": packages}}


def push(tool: Path, archive: Path, image: str, *, looks: bool) -> bool:
    """Bring an image to the registry that its name says, unless its tag is there; whether it was not. Or only look."""
    command = [tool, "look" if looks else "push", archive, image]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # pylint: disable=ansible-bad-function
    if run.returncode:
        said = " ".join(run.stderr.split()).removeprefix("image: ")
        raise MintnetError(
            f"Bringing the image {image} to its registry: {said}",
            hint="log in there with podman login or docker login, and see that you may push to it",
        )
    return run.stdout.strip() != "present"


def archive_job(name: str, path: Path) -> tuple[Job, str]:
    """The job that takes an image from an archive, and the image's name as the archive has it."""
    path = path.expanduser().resolve()
    image = image_of(path)
    archive = f"{name}.tar"

    def run(work: Work) -> None:
        shutil.copyfile(path, work.folder / archive)

    job = Job(
        name=f"archive-of-{name}",
        label=f"image {name}",
        key=content_key(["archive", _files.sha256(path)]),
        files=(archive,),
        run=run,
        megabytes=path.stat().st_size // 1_000_000 + 1,
        doing="Copying",
        keeps=KEPT,
    )
    return job, image


def image_of(path: Path) -> str:
    """The name of the one image in an archive, as docker save (manifest.json) or OCI's layout (index.json) gives it."""
    doing = f"Reading the image archive {path}"
    try:
        with tarfile.open(path) as tar:
            members = set(tar.getnames())
            if "manifest.json" in members:
                names = [tag for item in json.load(_member(tar, "manifest.json")) for tag in item["RepoTags"] or []]
            else:
                listed = json.load(_member(tar, "index.json"))["manifests"]
                names = [item.get("annotations", {}).get("org.opencontainers.image.ref.name", "") for item in listed]
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise MintnetError(
            f"{doing}: {error or 'it is no archive of an image'}", hint="make it with: podman save --output FILE IMAGE"
        ) from error
    if len(names) != 1 or not names[0]:
        raise MintnetError(
            f"{doing}: it names {len(names)} images, and must name one", hint="save it by its name, not by its id"
        )
    return str(names[0])


def _member(tar: tarfile.TarFile, name: str) -> t.IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"its {name} is no file")
    return file


def sources(folder: Path) -> Iterator[Path]:
    """Files and links of a folder, without those that change while nothing of what is built does."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (".git", "__pycache__"))
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in sorted([*files, *links]))


def _tree(folder: Path) -> list[list[str]]:
    """All that a build may copy: paths, whether they can be run, and what they hold."""
    found = []
    for path in sources(folder):
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = _files.sha256(path)
        else:
            continue
        found.append([str(path.relative_to(folder)), str(os.access(path, os.X_OK)), content])
    return found


def _secrets(scratch: Path) -> dict[str, Path]:
    """Files for the build alone, by their names below /run/secrets."""
    secrets = {}
    settings = _pip_settings(os.environ)
    named = next((os.environ[name] for name in ("PIP_CERT", "SSL_CERT_FILE") if os.environ.get(name)), "")
    if named and Path(named).is_file():
        secrets["ca-certificates"] = Path(named)
        settings["cert"] = f"{_SECRETS}/ca-certificates"
    if settings:
        path = scratch / "pip.conf"
        lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
        _files.replace(path, "\n".join([*lines, ""]), 0o600)
        secrets["pip.conf"] = path
    return secrets


def _pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip is configured with on the controller: its files, and over them its variables."""
    files = [Path("/etc/pip.conf"), Path("~/.pip/pip.conf"), Path("~/.config/pip/pip.conf")]
    files.append(Path(environment.get("PIP_CONFIG_FILE", "/dev/null")))
    parser = configparser.RawConfigParser(strict=False)
    parser.read([path.expanduser() for path in files], encoding="utf-8")
    found = parser.items("global") if parser.has_section("global") else []
    settings = {name: " ".join(value.split()) for name, value in found}
    settings |= {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith("PIP_") and name not in ("PIP_CONFIG_FILE", "PIP_NO_CACHE_DIR")
    }
    return {name: value for name, value in settings.items() if name not in _OF_THE_HOST}
