# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _download
from ansible_collections.mintnet.kubernetes.plugins.module_utils._artifacts import (
    Catalogue,
    Platform,
    find_go,
    go_requirement,
)
from ansible_collections.mintnet.kubernetes.plugins.module_utils._build import Job, Progress, stored
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, system_error
from ansible_collections.mintnet.kubernetes.plugins.module_utils._image_builds import program_build, push
from ansible_collections.mintnet.kubernetes.plugins.module_utils._sources import SOURCES, Sources, with_sums
from ansible_collections.mintnet.kubernetes.plugins.module_utils._story import clock, line

display = Display()

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
QUIET_SECONDS = 20
SHORTEST_SECONDS = 3


class ActionModule(ActionBase):
    """Have what is missing of the table of artifacts: downloaded, or built."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self.validate_argument_spec(
            argument_spec={
                "table": {"type": "dict", "required": True},
                "builds": {"type": "dict", "required": True},
                "files": {"type": "path", "required": True},
                "cache_dir": {"type": "path", "required": True},
                "arch": {"type": "str", "choices": ["auto", "amd64", "arm64"], "default": "auto"},
                "jobs": {"type": "int", "default": 0},
                "wanted": {"type": "list", "elements": "str", "default": []},
                "images": {"type": "dict", "default": {}},
                "archives": {"type": "list", "elements": "path", "default": []},
                "source": {"type": "str", "choices": list(SOURCES), "default": "source"},
                "sha256": {"type": "dict", "default": {}},
                "mirror_url": {"type": "str", "default": ""},
                "mirror_sha256": {"type": "str", "default": ""},
            },
        )[1]
        try:
            return {**result, **self._ensure(args)}
        except MintnetError as exc:
            return {**result, "failed": True, "changed": False, "msg": str(exc), **exc.result}
        except OSError as exc:
            return {**result, "failed": True, "changed": False, "msg": str(system_error("Building artifacts", exc))}

    def _ensure(self, args: dict[str, Any]) -> dict[str, Any]:
        if args["source"] == "mirror" and not args["mirror_url"]:
            raise MintnetError("Having artifacts: the source is mirror, and no mirror is named", hint="set mirror_url")
        files, cache, check = Path(args["files"]), Path(args["cache_dir"]), self._task.check_mode
        controller = Platform(platform.system().lower(), architecture())
        # An empty mapping is Go, too: all in it has a default.
        modules = {name: one for name, one in args["images"].items() if one.get("go") is not None}
        programs = {f"program-{name}": program_build(one) for name, one in modules.items()}
        images = args["images"] | {name: {**one, "go": f"program-{name}"} for name, one in modules.items()}
        entries = images | {f"archive-{n}": {"archive": path} for n, path in enumerate(args["archives"], 1)}
        brought = {name: {"kind": "image", "version": "", "source": entry} for name, entry in entries.items()}
        sources = Sources(
            table={**with_sums(args["table"], args["sha256"]), **brought},
            builds=args["builds"] | programs,
            files=files,
            cache=cache,
            machine=Platform("linux", controller.arch if args["arch"] == "auto" else args["arch"]),
            controller=controller,
            wanted=[*args["wanted"], *brought] if args["wanted"] else [],
            mirror_url=args["mirror_url"].rstrip("/"),
            mirror_sha256=args["mirror_sha256"].lower(),
        )
        offer = sources.choose(args["source"], check)
        tools, pending = tools_of(list(offer.pending), offer.catalogue, sources.builds, files)
        fetched = {artifact.job.name: artifact.name for artifact in offer.downloads}
        result: dict[str, Any] = {
            "changed": bool(pending),
            "source": offer.source,
            "told": offer.story(),
            "built": [job.name for job in pending if job.name not in fetched],
            "downloaded": [fetched[job.name] for job in pending if job.name in fetched],
            "needs": sources.needs(offer),
            "missing_tools": sorted(name for name, path in tools.items() if not path),
        }
        if pending and not check:
            if result["missing_tools"]:
                raise MintnetError(
                    f"Building artifacts: {' and '.join(result['missing_tools'])} not found on the controller",
                    hint="install it and run the same command again",
                )
            check_disk(cache, pending)
            if causes := sources.obstacles(offer):
                raise MintnetError(f"Downloading artifacts: {causes}", hint=_download.REACH)
            story = Story("build" if result["built"] else "download")
            done = offer.builder.run(pending, args["jobs"] or os.cpu_count() or 1, tools, story.tell)
            result["built"] = [name for name in done if name not in fetched]
            result["downloaded"] = [fetched[name] for name in done if name in fetched]
            result["changed"] = bool(done)
        facts = {artifact.name: artifact.result(cache, stored(cache, artifact.job)) for artifact in offer.artifacts}
        pushes = {facts[name]["image"]: Path(facts[name]["path"]) for name, one in images.items() if one.get("push")}
        if pushes:
            tool = offer.catalogue.image_tool
            # In a check run it may be that nothing is there to look with.
            there = stored(cache, tool)
            result["pushed"] = [
                image
                for image, path in pushes.items()
                if not (there and path.exists()) or push(there.folder / tool.files[0], path, image, looks=check)
            ]
            result["changed"] = result["changed"] or bool(result["pushed"])
        return {**result, "ansible_facts": {"mintnet_artifacts": facts}}


def tools_of(
    pending: list[Job], catalogue: Catalogue, builds: Mapping[str, Any], files: Path
) -> tuple[dict[str, str], list[Job]]:
    """The programs that the pending jobs run, by name, '' for what is not there; and the jobs that remain with them."""
    tools: dict[str, str] = {}
    needed = {name for job in pending for name in job.tools}
    if "go" in needed:
        modules = [row["go"]["module"] for row in builds.values() if "go" in row]
        tools["go"] = find_go(go_requirement(files, modules), files)
        name, command = catalogue.toolchain
        if tools["go"]:
            pending = [job for job in pending if job.name != name]
        else:
            tools["go"] = str(command)
    tools |= {name: shutil.which(name) or "" for name in needed - {"go"}}
    return tools, pending


class Story:
    """Tells how far the build is: when something has ended, and every now and then."""

    def __init__(self, label: str = "build") -> None:
        self._label = label
        self._told = 0.0
        self._done = 0

    def tell(self, progress: Progress) -> None:
        quiet = progress.seconds - self._told
        over = progress.done == progress.total
        if not over and quiet < (SHORTEST_SECONDS if progress.done > self._done else QUIET_SECONDS):
            return
        self._told, self._done = progress.seconds, progress.done
        parts = [f"{progress.done} of {progress.total} done", ", ".join(progress.running), clock(progress.seconds)]
        display.display(line(self._label, " · ".join(part for part in parts if part)))


def architecture() -> str:
    """The controller's, in Go's words."""
    name = platform.machine().lower()
    if name not in ARCHITECTURES:
        raise MintnetError(
            f"Looking up artifacts: the controller is a {name}", hint="use one of amd64 (x86_64) or arm64 (aarch64)"
        )
    return ARCHITECTURES[name]


def check_disk(cache: Path, pending: list[Job]) -> None:
    """Refuse to start what cannot end for want of disk space."""
    cache.mkdir(parents=True, exist_ok=True)
    needed = sum(job.megabytes for job in pending)
    free = shutil.disk_usage(cache).free // 1_000_000
    if free < needed:
        caches = ", with Go's caches" if any("go" in job.tools for job in pending) else ""
        raise MintnetError(
            f"Building artifacts: about {needed / 1000:.1f} GB are needed{caches}, and {free / 1000:.1f} GB "
            f"are free in {cache}",
            hint="free some, or name another folder in artifacts_cache_dir",
        )
