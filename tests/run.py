# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every test of the collection, stage by stage, and says what ran, how long it took and what was left out.

Needs nothing but Python: each ansible-core line gets a virtual environment of its own with pinned tools. The two lines
run beside each other; what needs a cluster runs once, afterwards, and only if everything cheap has passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import tree

CHEAP = ("lint", "unit", "sanity", "integration")
CLUSTER = ("e2e",)
LONG = ("molecule", "long", "ha")
"""Not part of a run without options: `make test-long`, of whose end-to-end tests `make test-ha` runs some."""
GROUPS = (*CHEAP, *CLUSTER, *LONG, "bench")
OUTPUT = tree.ROOT / "tests" / "output"
PRINTING = threading.Lock()
# For kubectl, and no part of the collection: it has several documents, and ansible-test lets a file have one.
NO_PART = (Path("app.template.yaml"),)

# What needs no Ansible to run, such as calculations and shell scripts, is the same on each line.
NO_ANSIBLE = (
    "tests/unit/plugins/module_utils",
    "tests/unit/roles/test_custody_pod.py",
    "tests/unit/roles/test_kubeadm_approve.py",
)

# Sanity tests that find the same on each line; each makes an environment of its own first.
NO_LINE = ("changelog", "pep8", "pylint", "shellcheck", "yamllint")

# ansible-test bootstraps pip from this address; where it cannot be reached, the stand-in takes the download's place.
GET_PIP = "https://ci-files.testing.ansible.com/ansible-test/get-pip-{version}.py"
PIP_STAND_IN = """\
import subprocess, sys
arguments = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *arguments]))
"""


@dataclass(frozen=True)
class Line:
    """An ansible-core line and a Python that runs it."""

    core: str
    version: str
    python: Path

    @property
    def venv(self) -> Path:
        return tree.ROOT / f".venv-py{self.version}"

    @property
    def environment(self) -> dict[str, str]:
        """PATH begins with this line's tools; Ansible settings of the person who runs the tests stay out."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "MAKE"))
        }
        path = f"{self.venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**kept, "PATH": path, "NO_COLOR": "1", "PY_COLORS": "0", "PYTHONDONTWRITEBYTECODE": "1"}


# Newest first: the line's first Python that is at hand is taken.
LINES = {"2.19": ("3.11",), "2.21": ("3.13", "3.12", "3.14")}


@dataclass(frozen=True)
class Stage:
    group: str
    name: str
    line: Line
    command: tuple[str, ...]
    junit: Path | None = None
    """File or folder of JUnit results; without one the command itself is the test."""
    collection: bool = False
    """Runs in a copy at …/ansible_collections/mintnet/kubernetes, which ansible-test insists on."""
    live: bool = False

    def __str__(self) -> str:
        return f"{self.group} · {self.name} · ansible-core {self.line.core}"


@dataclass
class Result:
    stage: Stage
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass
class Report:
    results: list[Result] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(result.failed for result in self.results)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def say(text: str) -> None:
    with PRINTING:
        print(text, flush=True)


def find_python(version: str) -> Path | None:
    """In PATH, and where pyenv and uv keep theirs; each is run, since a shim may lead nowhere."""
    candidates = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    candidates += sorted(
        Path("~/.local/share/uv/python").expanduser().glob(f"cpython-{version}*/bin/python{version}"), reverse=True
    )
    for candidate in candidates:
        check = subprocess.run([candidate, "-c", "import ensurepip, ssl, venv"], capture_output=True, check=False)
        if check.returncode == 0:
            return candidate
    return None


def find_lines(report: Report) -> list[Line]:
    lines = []
    for core, versions in LINES.items():
        found = ((version, python) for version in versions if (python := find_python(version)))
        version, python = next(found, ("", Path()))
        if version:
            lines.append(Line(core, version, python))
        else:
            report.left_out.append(f"ansible-core {core}: found no Python {' or '.join(versions)} in PATH, pyenv or uv")
    return lines


def prepare(line: Line) -> None:
    environment = {**os.environ, "PYTHON": str(line.python)}
    command = ["scripts/venv", line.venv.name, "requirements.txt", "tests/requirements.txt"]
    subprocess.run(command, cwd=tree.ROOT, env=environment, check=True)


def pip_stand_in(line: Line, cleanup: ExitStack) -> None:
    """ansible-test downloads pip once and keeps it; without that download, a script that uses Python's own pip does."""
    question = (
        "from types import SimpleNamespace; from ansible_test._internal import python_requirements as module; "
        f"print(module.get_venv_packages(SimpleNamespace(version='{line.version}'))['pip'])"
    )
    command = [str(line.venv / "bin" / "python"), "-c", question]
    version = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    kept = Path(f"~/.ansible/test/cache/get_pip_{version.replace('.', '_')}.py").expanduser()
    if kept.exists():
        return
    try:
        urllib.request.urlopen(GET_PIP.format(version=version), timeout=5).close()
    except (OSError, urllib.error.URLError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(PIP_STAND_IN, encoding="utf-8")
        cleanup.callback(kept.unlink, missing_ok=True)


def cheap_stages(line: Line, first: bool, last: bool) -> list[Stage]:
    def command(group: str, name: str, *words: str) -> Stage:
        return Stage(group, name, line, words)

    def pytest(group: str, name: str, *words: str) -> Stage:
        junit = OUTPUT / "junit" / f"{name}-{line.core}.xml"
        return Stage(group, name, line, ("pytest", "-q", "--tb=short", *words, f"--junit-xml={junit}"), junit=junit)

    def ansible_test(group: str, *words: str) -> Stage:
        words = ("ansible-test", *words, "--python", line.version, "--color", "no")
        return Stage(group, "ansible-test", line, words, junit=Path("tests/output/junit"), collection=True)

    files = tree.files()
    once = [
        command("lint", "ruff check", "ruff", "check", "--no-cache"),
        command("lint", "ruff format", "ruff", "format", "--check", "--no-cache"),
        command("lint", "shellcheck", "shellcheck", *(str(name) for name in files if is_shell(name))),
        command("lint", "changelog", "antsibull-changelog", "lint"),
        pytest("lint", "repository", "tests/repository"),
        command("lint", "types", "mypy"),
        command("lint", "documentation", "antsibull-docs", "lint-collection-docs", "--plugin-docs", "."),
    ]
    if shutil.which("gofmt"):
        go = [str(name) for name in files if name.suffix == ".go"]
        once.append(command("lint", "gofmt", "sh", "-c", '! gofmt -d "$@" | grep .', "gofmt", *go))
    # Long, so the other line has it.
    rules = command("lint", "ansible-lint", "ansible-lint", "--nocolor")
    alike = () if last else NO_LINE
    return [
        *(once if first else []),
        *([rules] if last else []),
        pytest("unit", "pytest", "tests/unit", *([] if first else [f"--ignore={name}" for name in NO_ANSIBLE])),
        # As ansible-test isolates them, which takes long: those of the modules, which run on other machines.
        *([] if first else [ansible_test("unit", "units", "tests/unit/plugins/modules/")]),
        ansible_test("sanity", "sanity", "--junit", *(word for test in alike for word in ("--skip-test", test))),
        ansible_test("integration", "integration", "--allow-unsupported"),
    ]


def cluster_stages(line: Line) -> list[Stage]:
    def pytest(group: str, *words: str) -> Stage:
        junit = OUTPUT / "junit" / f"{group}.xml"
        words = ("pytest", "-v", "--tb=short", "--durations=30", *words, f"--junit-xml={junit}")
        return Stage(group, "pytest", line, words, junit=junit, live=True)

    # What needs no cluster, or has one of its own, runs beside the rest: most of the time is spent on waiting.
    # In the order of names: what needs nothing built comes while the rest is being built.
    ends = ("--numprocesses=2", "--no-loadscope-reorder", "tests/e2e")
    bench = Stage("bench", "create", line, ("python", "tests/bench/bench.py"), live=True)
    short = pytest("e2e", "-m", "not long", *ends)
    machines = sorted(str(path.relative_to(tree.ROOT)) for path in (tree.ROOT / "tests" / "e2e").glob("test_8_*.py"))
    # One after the other: what they measure is time.
    several = pytest("ha", "--numprocesses=1", "--no-loadscope-reorder", *machines)
    return [pytest("molecule", "tests/molecule"), short, pytest("long", *ends), several, bench]


def is_shell(name: Path) -> bool:
    path = tree.ROOT / name
    if name.suffix == ".sh":
        return True
    if path.is_symlink() or name.suffix:
        return False
    with path.open("rb") as file:
        start = file.readline(80)
    return start.startswith(b"#!") and start.split()[-1].endswith((b"sh", b"bash"))


def count(result: Result, junit: Path) -> None:
    for file in sorted(junit.glob("*.xml")) if junit.is_dir() else [junit] if junit.exists() else []:
        for case in ET.parse(file).getroot().iter("testcase"):
            kinds = {element.tag for element in case}
            if kinds & {"failure", "error"}:
                result.failed += 1
            elif "skipped" in kinds:
                result.skipped += 1
            else:
                result.passed += 1


def run(stage: Stage, scratch: Path) -> Result:
    place = tree.ROOT
    if stage.collection:
        folder = scratch / stage.line.core / stage.group / "ansible_collections" / "mintnet" / "kubernetes"
        place = tree.copy(folder, without=NO_PART)
    junit = place / stage.junit if stage.junit else None
    if junit and junit.is_file():
        junit.unlink()
    began = time.monotonic()
    pipe = None if stage.live else subprocess.PIPE
    if stage.live:
        say(f"\n── {stage}")
    process = subprocess.run(
        stage.command,
        cwd=place,
        env=stage.line.environment,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=subprocess.STDOUT if pipe else None,
        text=True,
    )
    result = Result(stage, time.monotonic() - began)
    if junit:
        count(result, junit)
    # A command that is a test itself counts as one; so does one that failed without a failed case, or that ran no case.
    if process.returncode != 0 and not result.failed:
        result.failed += 1
    elif not junit:
        result.passed += 1
    elif not result.passed and not result.failed:
        result.failed += 1
    if result.failed:
        output = "" if stage.live else f"\n{process.stdout.rstrip()}"
        say(f"\n── {stage} failed{output}\n   $ {' '.join(stage.command)}\n")
    else:
        say(f"ok     {clock(result.seconds):>5}  {stage}")
    return result


def summary(report: Report, seconds: float) -> str:
    rows = [f"\n{'time':>6} {'passed':>7} {'failed':>7} {'skipped':>7}  stage"]
    for result in report.results:
        rows.append(
            f"{clock(result.seconds):>6} {result.passed:>7} {result.failed:>7} {result.skipped:>7}  {result.stage}"
        )
    rows.append(f"{clock(seconds):>6} in all")
    rows += [f"left out: {reason}" for reason in report.left_out]
    totals = (sum(getattr(result, kind) for result in report.results) for kind in ("passed", "failed", "skipped"))
    passed, failed, skipped = totals
    rows.append(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests of the collection.")
    parser.add_argument("--only", action="append", choices=GROUPS, help="this group of stages; can be given again")
    parser.add_argument("--core", action="append", choices=LINES, help="this line of ansible-core; can be given again")
    options = parser.parse_args()
    groups = options.only or (*CHEAP, *CLUSTER)
    began = time.monotonic()
    report = Report()
    lines = [line for line in find_lines(report) if not options.core or line.core in options.core]
    if not lines:
        print(f"Looking for Python: {'; '.join(report.left_out)}; install one", file=sys.stderr)
        return 1

    if {"e2e", "long", "ha"}.intersection(groups):
        # Each test adds its own to it.
        (OUTPUT / "figures.log").unlink(missing_ok=True)
    with ExitStack() as cleanup:
        scratch = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="mintnet-test-")))
        (OUTPUT / "junit").mkdir(parents=True, exist_ok=True)

        def cheap(line: Line) -> list[Result]:
            prepare(line)
            ends = {"first": line is lines[0], "last": line is lines[-1]}
            stages = [stage for stage in cheap_stages(line, **ends) if stage.group in groups]
            if any(stage.group == "sanity" for stage in stages):
                pip_stand_in(line, cleanup)
            return [run(stage, scratch) for stage in stages]

        needed = lines if set(groups) & set(CHEAP) else lines[:1]
        with ThreadPoolExecutor(len(needed)) as pool:
            for results in pool.map(cheap, needed):
                report.results += results

        for stage in cluster_stages(lines[0]):
            if stage.group not in groups:
                continue
            if sys.platform != "linux" or os.getuid() != 0:
                report.left_out.append(f"{stage.group}: a cluster of our own needs Linux and root")
            elif report.failed:
                report.left_out.append(f"{stage.group}: what comes before it failed")
            else:
                report.results.append(run(stage, scratch))

    print(summary(report, time.monotonic() - began), flush=True)
    if (OUTPUT / "figures.log").exists():
        print(f"figures: {(OUTPUT / 'figures.log').relative_to(tree.ROOT)}", flush=True)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
