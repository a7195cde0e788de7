"""What follows from a match alone is certain, whatever an event may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadtest.plan.match import Match, conditions
from loadtest.plan.match_logic import implies, never_true
from loadtest.speak.event_match import compile_match


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ({"has": "a", "lacks": "a"}, "it requires `a` to be both present and absent"),
        ({"in": []}, "no value of the type fits all its conditions"),
        ({"a": {"in": ["x", "y"], "prefix": "z"}}, "no value of `a` fits all its conditions"),
        ({"a": {"in": [1, 2], "regex": "^[3-9]"}}, "no value of `a` fits all its conditions"),
        ({"type": "x", "in": ["y"]}, "no value of the type fits all its conditions"),
        ({"a": "x", "lacks": "a"}, "it requires `a` to be absent and also to have a value"),
        ({"a": {"prefix": ""}, "lacks": "a"}, "it requires `a` to be absent and also to have a value"),
        ({"type": {"prefix": "x"}, "prefix": "y"}, "it requires the type to begin with two different texts"),
        ({"lacks": "a", "a.b": 1}, "it requires `a` to be absent, but `a.b` inside it to be present"),
        ({"lacks": "a", "has": "a.b"}, "it requires `a` to be absent, but `a.b` inside it to be present"),
        ({"a": "x", "has": "a.b"}, "it requires `a` to be a single value, but also to contain `a.b`"),
        (
            {"a": {"regex": "x"}, "a.b.c": 1},
            "it requires `a` to be a single value, but also to contain `a.b.c`",
        ),
    ],
)
def test_why_a_match_can_never_be_true(match: Match, why: str) -> None:
    assert never_true(conditions(match)) == why


@pytest.mark.parametrize(
    "match",
    [
        "done",
        {"a": "null", "lacks": "a"},
        {"a": "null", "has": "a"},
        {"a": '{"b": 1}', "has": "a.b"},
        {"a": "x", "lacks": "a.b"},
        {"a": "x", "has": "ab.c"},
        {"type": {"prefix": "xy"}, "prefix": "x"},
        {"a": {"in": ["x", "y"], "prefix": "x", "regex": "x$"}},
        {"lacks": ["a", "a.b"]},
    ],
)
def test_a_match_that_may_be_true_is_left_alone(match: Match) -> None:
    assert never_true(conditions(match)) == ""


@pytest.mark.parametrize(
    ("match", "other", "follows"),
    [
        ("done", "done", True),
        ("done", {"in": ["done", "failed"]}, True),
        ({"in": ["done", "failed"]}, "done", False),
        ({"type": "done", "ok": False}, "done", True),
        ("done", {"type": "done", "ok": False}, False),
        ("done", {"prefix": "do"}, True),
        ("done", {"regex": "n"}, True),
        ("done", {"regex": "x"}, False),
        ({"prefix": "done"}, {"prefix": "do"}, True),
        ({"prefix": "do"}, {"prefix": "done"}, False),
        ({"prefix": "do"}, {"regex": "d"}, False),
        ({"prefix": "do"}, "do", False),
        ({"a": "null"}, {"a": {"prefix": "n"}}, False),
        ({"a": "[1]"}, {"a": {"prefix": "["}}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"has": "a"}, True),
        ({"a": {"prefix": ""}}, {"has": "a"}, True),
        ({"a": "null"}, {"has": "a"}, False),
        ({"a.b": "null"}, {"has": "a"}, True),
        ({"has": "a.b"}, {"has": "a"}, True),
        ({"has": "a"}, {"has": "a.b"}, False),
        ({"lacks": "a"}, {"lacks": "a.b"}, True),
        ({"lacks": "a.b"}, {"lacks": "a"}, False),
        ({"lacks": "a.b"}, {"has": "a"}, False),
        ({"has": "a"}, {"lacks": "b"}, False),
        ("done", {"has": "a"}, False),
        ({}, "done", False),
        ("done", {}, False),
    ],
)
def test_what_a_match_brings_with_it(match: Match, other: Match, *, follows: bool) -> None:
    assert implies(conditions(match), conditions(other)) is follows


PATHS = st.sampled_from(["a", "b", "a.b", "a.0"])
VALUES = st.sampled_from(["x", "xy", "null", "true", 1, "1", True, '{"b": 1}', '["x"]'])
ASKED = VALUES | st.one_of(
    st.fixed_dictionaries(
        {}, optional={"in": st.lists(VALUES, max_size=2), "prefix": st.sampled_from(["x", "n", "{"])}
    ),
    st.fixed_dictionaries({"regex": st.sampled_from(["x", "^[1n]", "$"])}),
).filter(bool)
TABLES = st.tuples(
    st.dictionaries(PATHS | st.just("type"), ASKED, max_size=2),
    st.fixed_dictionaries({}, optional={"has": PATHS, "lacks": st.lists(PATHS, min_size=1, max_size=2)}),
).map(lambda both: {**both[0], **both[1]})
MATCHES: Any = st.sampled_from(["x", "xy", "1"]) | TABLES.filter(bool)
EVENTS = st.dictionaries(
    st.sampled_from("ab"),
    st.recursive(
        st.sampled_from(["x", "xy", "null", 1, True, None]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("b0"), inner, max_size=2),
        max_leaves=4,
    ),
)
KINDS = st.none() | st.sampled_from(["x", "xy", "1", "null"])


@given(MATCHES, MATCHES, EVENTS, KINDS)
@settings(max_examples=300)
@example({"lacks": "a"}, {"lacks": "a.b"}, {"a": None}, None)
@example({"a": '["x"]'}, {"has": "a"}, {"a": ["x"]}, None)
@example({"a": "null", "has": "a"}, "x", {"a": "null"}, "x")
def test_what_is_said_holds_for_any_event(
    match: Match, other: Match, event: dict[str, Any], kind: str | None
) -> None:
    fits = compile_match(match, typed=True)(event, kind)
    if never_true(conditions(match)):
        assert not fits
    if fits and implies(conditions(match), conditions(other)):
        assert compile_match(other, typed=True)(event, kind)
