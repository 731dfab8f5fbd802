# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way in which a module becomes a program: its arguments go in, its result or its error comes out."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError

#: Gets the module's parameters and whether this is a check run.
Run = Callable[[dict[str, t.Any], bool], dict[str, t.Any]]


def serve(spec: Mapping[str, t.Any], run: Run) -> None:
    """``spec`` is what AnsibleModule takes: argument_spec, mutually_exclusive and so on."""
    module = AnsibleModule(**spec, supports_check_mode=True)
    try:
        result = run(module.params, module.check_mode)
    except MintnetError as error:
        module.fail_json(msg=str(error), **error.result)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)
