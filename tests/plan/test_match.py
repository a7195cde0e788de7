"""A match as data: its conditions, and how values compare."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.match import FieldTest, Match, conditions, match_words, value_text, wanted_texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("3.0", "3.0"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (1e300, str(int(1e300))),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([1, "a"], '[1, "a"]'),
        ({}, "{}"),
    ],
)
def test_values_compare_as_text(value: object, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("done", ("done",)),
        ("0", ("0",)),
        ("3.0", ("3.0", "3")),
        ("1e2", ("1e2", "100")),
        ("-32001", ("-32001",)),
        ("007", ("007",)),
        (3.0, ("3",)),
        (True, ("true",)),
        ("9" * 5000, ("9" * 5000,)),
    ],
)
def test_a_written_value_fits_the_text_and_the_number(written: object, texts: tuple[str, ...]) -> None:
    assert wanted_texts(written) == texts


@given(st.integers(-(10**18), 10**18) | st.floats(-1e15, 1e15) | st.booleans() | st.none())
def test_a_value_is_equal_to_what_json_writes_of_it(value: object) -> None:
    assert value_text(value) in wanted_texts(json.dumps(value))


MATCHES: list[tuple[Match, tuple[FieldTest, ...], str]] = [
    ("done", (FieldTest(None, "in", ("done",)),), "done"),
    (
        {"type": "response.done", "response.status": "failed"},
        (FieldTest(None, "in", ("response.done",)), FieldTest("response.status", "in", ("failed",))),
        "type = response.done, response.status = failed",
    ),
    (
        {"has": "error", "lacks": ["a", "b.c"]},
        (FieldTest("error", "has"), FieldTest("a", "lacks"), FieldTest("b.c", "lacks")),
        "has error, lacks a and b.c",
    ),
    ({"op": {"in": [1, "two"]}}, (FieldTest("op", "in", ("1", "two")),), "op in 1, two"),
    ({"in": ["2", "3"]}, (FieldTest(None, "in", ("2", "3")),), "type in 2, 3"),
    ({"prefix": "42"}, (FieldTest(None, "prefix", ("42",)),), "type begins with 42"),
    ({"type": {"regex": "^a"}}, (FieldTest(None, "regex", ("^a",)),), "type fits ^a"),
    ({"ok": False}, (FieldTest("ok", "in", ("false",)),), "ok = false"),
    ({"ok": 1, "keep": {"id": "r.id"}}, (FieldTest("ok", "in", ("1",)),), "ok = 1"),
    ({"keep": 1}, (FieldTest("keep", "in", ("1",)),), "keep = 1"),
]


@pytest.mark.parametrize(("match", "wanted", "words"), MATCHES)
def test_conditions_and_words(match: Match, wanted: tuple[FieldTest, ...], words: str) -> None:
    assert conditions(match) == wanted
    assert match_words(match) == words


def test_where_the_protocol_has_no_types_type_is_a_path_as_any_other() -> None:
    assert conditions({"type": "x", "a": 1}, typed=False)[0] == FieldTest("type", "in", ("x",))
    assert conditions({"prefix": "x"}, typed=False) == (FieldTest("type", "prefix", ("x",)),)
