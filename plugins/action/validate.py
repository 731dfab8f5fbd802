# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleFileNotFound, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible_collections.mintnet.kubernetes.plugins.module_utils import _inventory, _key_sources, _validate

display = Display()

COLLECTION = Path(__file__).resolve().parents[2]
# Package on PyPI → what is imported.
PACKAGES = {"kubernetes": "kubernetes", "pynacl": "nacl", "jmespath": "jmespath"}
COLLECTIONS = ("kubernetes.core",)


class ActionModule(ActionBase):
    """Find every fault of the variables before anything is touched."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = self.validate_argument_spec(
            argument_spec={
                "machines": {"type": "list", "elements": "str", "default": []},
                "groups": {"type": "dict", "default": {}},
                "contents": {"type": "bool", "default": False},
            }
        )[1]

        known = _validate.read_known(COLLECTION / "roles")
        faults = _inventory.faults(args["groups"])
        faults += self._faults(task_vars, known, undefined_is_fault=True, contents=args["contents"])
        names = set(task_vars)
        of_machines: dict[str, list[str]] = {}
        for machine in args["machines"]:
            variables = task_vars["hostvars"].raw_get(machine)
            names.update(variables)
            # What concerns a machine may be told by facts that are not gathered yet.
            for fault in self._faults(variables, known, undefined_is_fault=False, contents=args["contents"]):
                of_machines.setdefault(fault, []).append(machine)
        faults += [f"{fault} (on {', '.join(on)})" for fault, on in of_machines.items() if fault not in faults]
        for doubt in _validate.doubtful_names(names, known):
            display.warning(doubt)

        if faults:
            result["hint"] = "ansible-doc -t role mintnet.kubernetes.ROLE describes every variable of a role"
        faults = [*lacking(), *faults]
        result.update(changed=False, faults=faults)
        if faults:
            count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
            message = f"Checking the variables and the controller: {count}; nothing was touched"
            result.update(failed=True, msg="\n- ".join([message, *faults]))
        return result

    def _faults(
        self, variables: Mapping[str, Any], known: _validate.Known, *, undefined_is_fault: bool, contents: bool
    ) -> list[str]:
        faults = _validate.unknown_names(variables, known)
        # A variable may build on another one's default, of a role that this play does not have.
        defaults = {name: trusted(spec["default"]) for name, spec in known.options.items() if "default" in spec}
        templar = self._templar.copy_with_new_env(available_variables={**defaults, **variables})

        given = {}
        for name in sorted(_validate.given_names(variables, known)):
            try:
                given[name] = templar.template(variables[name])
            except AnsibleUndefinedVariable as exc:
                if undefined_is_fault and not any(own in str(exc) for own in (*_validate.OWN, "ansible_")):
                    faults.append(f"{name}: its value cannot be told: {exc}")
            except AnsibleError as exc:
                faults.append(f"{name}: its value cannot be told: {exc}")
        others = {}
        # What an earlier play has made, such as an image, is nobody's choice.
        chosen = {name: value for name, value in variables.items() if name not in _validate.OWN}
        templar = self._templar.copy_with_new_env(available_variables={**defaults, **chosen})
        for name in _validate.RELATED & defaults.keys() - given.keys():
            try:
                others[name] = templar.template(defaults[name])
            except AnsibleError:
                continue  # the default builds on a value with a fault of its own
        faults += _validate.check_values(given, others, known, contents=contents)
        return faults + (self._key_file_faults({**others, **given}) if contents else [])

    def _key_file_faults(self, values: Mapping[str, Any]) -> list[str]:
        sources = values.get("cometbft_key_sources")
        if not isinstance(sources, list):
            return []
        named = [source if isinstance(source, Mapping) else {} for source in sources]
        return list(_key_sources.file_faults(named, str(values.get("cometbft_version", "")), self._text))

    def _text(self, path: str) -> str:
        """What a file of the controller holds, which the role cometbft would look for."""
        places = [*self._task.get_search_path(), str(COLLECTION / "roles" / "cometbft")]
        try:
            text: str = self._loader.get_text_file_contents(
                self._loader.path_dwim_relative_stack(places, "files", path)
            )
        except AnsibleFileNotFound:
            raise ValueError("there is no such file") from None
        except (AnsibleError, OSError) as error:
            raise ValueError(" ".join(str(error).split())) from None
        return text


def trusted(default: Any) -> Any:
    """The default as a template, which it is in the role."""
    if isinstance(default, str):
        return trust_as_template(default)
    if isinstance(default, Mapping):
        return {key: trusted(value) for key, value in default.items()}
    if isinstance(default, list):
        return [trusted(value) for value in default]
    return default


def lacking() -> list[str]:
    """What the controller lacks, with the command that installs it."""
    packages = [package for package, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    collections = [name for name in COLLECTIONS if not has_collection(name)]
    faults = []
    if packages:
        faults.append(
            f"Python packages missing: {', '.join(packages)}; install them with: "
            f"{sys.executable} -m pip install -r {COLLECTION / 'requirements.txt'}"
        )
    if collections:
        faults.append(
            f"collections missing: {', '.join(collections)}; install them with: "
            f"ansible-galaxy collection install {' '.join(collections)}, or with the package ansible: "
            f"{sys.executable} -m pip install -r {COLLECTION / 'requirements.txt'}"
        )
    return faults


def has_collection(name: str) -> bool:
    try:
        return importlib.util.find_spec(f"ansible_collections.{name}") is not None
    except ModuleNotFoundError:
        return False
