# SPDX-License-Identifier: GPL-3.0-or-later
"""The app_state: what is read, and the merge patch against the cases that RFC 7396 publishes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.mintnet.kubernetes.plugins.module_utils._app_state import compose, merge, ordered, read_json
from hypothesis import given, settings
from hypothesis import strategies as st

PROPERTY = settings(deadline=None, database=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [  # RFC 7396, appendix A
        ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
        ('{"a":"b"}', '{"a":null}', "{}"),
        ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
        ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
        ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
        ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
        ('["a","b"]', '["c","d"]', '["c","d"]'),
        ('{"a":"b"}', '["c"]', '["c"]'),
        ('{"a":"foo"}', "null", "null"),
        ('{"a":"foo"}', '"bar"', '"bar"'),
        ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
        ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
        ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
    ],
)
def test_merge_patch(original: str, patch: str, result: str) -> None:
    target = json.loads(original)
    assert merge(target, json.loads(patch)) == json.loads(result)
    assert target == json.loads(original)


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_null(item) for name, item in value.items() if item is not None}
    return value


@PROPERTY
@given(OBJECT, OBJECT)
def test_patch_laid_over_twice_is_as_once(target: Any, patch: Any) -> None:
    once = merge(target, patch)
    assert merge(once, patch) == once
    assert merge({}, patch) == without_null(patch)
    assert merge(target, {}) == target


@PROPERTY
@given(JSON)
def test_what_is_written_is_read(value: Any) -> None:
    text = json.dumps(value)
    assert read_json(text) == value
    assert read_json(text, exact=True) == value
    faults: list[str] = []
    found = ordered(value, faults)
    assert found == value
    assert not faults
    assert json.dumps(found) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is no JSON: Expecting value"),
        ("{'a': 1}", "it is no JSON: "),
        ('{"a": NaN}', "NaN is no number in JSON"),
        ('{"a": -Infinity}', "-Infinity is no number in JSON"),
        ('{"a": {"b": 1, "c": 2, "b": 1}}', "it has the member b twice in one object"),
        ('{"a": "\\ud800"}', "it holds half a character"),
        ('{"\\uDEAD": 1}', "it holds half a character"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"a": 0.12345678901234567890}', "the number 0.12345678901234567890 cannot be kept exactly"),
        ('{"a": 1e999}', "the number 1e999 cannot be kept exactly"),
        ('{"a": 1e-9999999999999999999999}', "cannot be kept exactly"),
    ],
)
def test_what_could_be_misunderstood_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        read_json(text, exact=True)


def test_numbers_matter_only_where_they_are_written_anew() -> None:
    assert read_json("0.12345678901234567890") == 0.12345678901234568
    large = 2**200
    assert read_json(f'[{large}, 0.1, 1.50, 1E2, "\\ud83d\\ude00"]', exact=True) == [large, 0.1, 1.5, 100, "😀"]


def composed(inline: Any, file: str | None, patch: Any) -> tuple[Any, list[str]]:
    faults: list[str] = []
    return compose(inline, file, patch, faults), faults


def test_sources_and_patch() -> None:
    assert composed({}, None, {}) == (None, [])
    assert composed({"a": 1}, None, {"b": 2, "a": None}) == ({"b": 2}, [])
    assert composed(None, '{"a": {"b": 1, "c": 2}}', {"a": {"b": None}}) == ({"a": {"c": 2}}, [])
    assert composed(None, None, {"a": {"b": None}}) == ({"a": {}}, [])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (({"a": 1}, "{}", None), "app_state_src: there is an app_state as well"),
        ((None, "[1]", None), "app_state_src: it is no JSON object"),
        ((None, "{", None), "app_state_src: it is no JSON: "),
    ],
)
def test_faulty_sources(arguments: tuple[Any, str | None, Any], fault: str) -> None:
    state, (found,) = composed(*arguments)
    assert state is None
    assert fault in found


@pytest.mark.parametrize("state", [{"a": float("inf")}, {"a": {1, 2}}, {"a": "\ud800"}, {"a": 1, 2: 3}])
def test_what_json_cannot_hold(state: Any) -> None:
    faults: list[str] = []
    assert ordered(state, faults) is None
    assert faults[0].startswith("app_state: ")
