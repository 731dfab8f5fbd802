# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run in Ansible's own process get what they would get as programs."""

from __future__ import annotations

from ansible.template import trust_as_template
from ansible_collections.mintnet.kubernetes.plugins.plugin_utils._in_process import plain


def test_strings_are_plain() -> None:
    text = trust_as_template("text")
    assert type(text) is not str
    args = plain({"one": text, "many": [{"deep": text}], "number": 4, "none": None, "yes": True})
    assert args == {"one": "text", "many": [{"deep": "text"}], "number": 4, "none": None, "yes": True}
    assert type(args["one"]) is str
    assert type(args["many"][0]["deep"]) is str
