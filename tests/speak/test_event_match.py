"""What a match compiles to decides the same on a struct and on JSON as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadtest.plan.match import Match
from loadtest.plan.protocol import Adopt, AutoReply, CountAt, Events, TimedBeat
from loadtest.speak.event_match import ABSENT, compile_match, finder
from loadtest.speak.event_reader import UNREADABLE, Malformed, Reader, decode_message
from loadtest.speak.event_rules import END, FAIL, FIRST, EventRules

EVENT = {
    "type": "done",
    "op": 0,
    "d": {"ok": False, "n": 3, "none": None, "list": ["a", {"b": 1}], "text": "x y", "f": 2.0},
    "error": {"code": -32001},
}


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("done", True),
        ("other", False),
        ({"type": "done"}, True),
        ({"type": "done", "op": "0"}, True),
        ({"type": "done", "op": 1}, False),
        ({"op": 0}, True),
        ({"op": False}, False),
        ({"d.ok": "false"}, True),
        ({"d.ok": False}, True),
        ({"d.ok": "False"}, False),
        ({"d.n": "3"}, True),
        ({"d.n": "3.0"}, True),
        ({"d.f": 2}, True),
        ({"d.f": "2"}, True),
        ({"d.none": "null"}, True),
        ({"d.missing": "null"}, False),
        ({"d.list": '["a", {"b": 1}]'}, True),
        ({"d.list.0": "a"}, True),
        ({"d.list.-1.b": 1}, True),
        ({"d.list.2": "a"}, False),
        ({"d.list.x": "a"}, False),
        ({"d.text.0": "x"}, False),
        ({"error.code": "-32001"}, True),
        ({"error.code": {"in": [-32000, -32001]}}, True),
        ({"error.code": {"prefix": "-32"}}, True),
        ({"error.code": {"regex": "001$"}}, True),
        ({"d.none": {"prefix": "nu"}}, False),
        ({"d.list": {"prefix": "["}}, False),
        ({"has": "error"}, True),
        ({"has": ["error", "d.none"]}, False),
        ({"has": "d.missing"}, False),
        ({"lacks": ["d.none", "d.missing"]}, True),
        ({"lacks": "error"}, False),
        ({"prefix": "do"}, True),
        ({"regex": "^d.ne$"}, True),
        ({"in": ["a", "done"]}, True),
        ({}, False),
    ],
)
def test_what_fits(match: Match, *, fits: bool) -> None:
    assert compile_match(match, typed=True)(EVENT, "done") is fits


def test_what_has_no_type_fits_none() -> None:
    for match in ("null", "None", {"prefix": ""}, {"type": {"in": ["null"]}}):
        assert not compile_match(match, typed=True)({}, None)


@pytest.mark.parametrize(
    ("path", "value"),
    [("a", 1), ("l.0", 2), ("l.-1", 3), ("l.5", ABSENT), ("l.-3", ABSENT), ("a.b", ABSENT), ("x", ABSENT)],
)
def test_paths_of_keys_and_indices(path: str, value: object) -> None:
    assert finder(path)({"a": 1, "l": [2, 3]}) is value


def test_a_number_is_a_key_of_an_object_and_a_place_in_an_array() -> None:
    assert finder("0")({"0": "key"}) == "key"
    assert finder("0")(["place"]) == "place"


# ------------------------------------------------------------------ struct and JSON as it is agree

KEYS = ("a", "b", "t", "0", "-1")
paths = st.lists(st.sampled_from(KEYS[:3]), min_size=1, max_size=2).map(".".join) | st.lists(
    st.sampled_from(KEYS), min_size=1, max_size=3
).map(".".join)
ODD = ("", "é", "1e3", "-0", "0.10", -1, 0.1, -0.0, 1e3, 1e20, 1e300, 2**53, 2**63, 2**64, 10**30)
"""Values that ways of reading JSON might tell apart: signs, exponents, numbers beyond 64 bits, empty text."""
plain_values = st.sampled_from(["x", "y", "1", "true", "null", "3.0", 1, 3.0, True, False, *ODD])
tests = st.one_of(
    plain_values,
    st.lists(plain_values, min_size=1, max_size=2).map(lambda each: {"in": each}),
    st.sampled_from([{"prefix": "x"}, {"prefix": "t"}, {"regex": "[1x]"}]),
)
tables = st.dictionaries(paths | st.just("type"), tests, max_size=2)
presence = st.fixed_dictionaries({}, optional={"has": paths, "lacks": paths | st.lists(paths, max_size=2)})
kept = st.fixed_dictionaries({}, optional={"keep": st.just({"name": "a.b"})})
matches = st.sampled_from(["x", "1", "true"]) | st.tuples(tables, presence, kept).map(
    lambda each: {**each[0], **each[1], **each[2]}
).filter(lambda match: bool({*match} - {"keep"}))
match_lists = st.lists(matches, max_size=2).map(tuple)
path_lists = st.lists(paths, max_size=2).map(tuple)


@st.composite
def protocols(draw: st.DrawFn) -> Events:
    names = ("first", "end", "end_all", "fail", "ignore", "refuse", "required", "order", "keep")
    by_path = st.builds(CountAt, path=paths, of=st.none() | matches)
    return Events(
        type=draw(path_lists),
        turn=draw(path_lists),
        user=draw(path_lists),
        sequence=draw(path_lists),
        answer=tuple(AutoReply(on=match, send="") for match in draw(match_lists)),
        pairs=tuple(draw(st.lists(st.tuples(matches, matches), max_size=1))),
        adopt=tuple(Adopt(on=match, id="a") for match in draw(match_lists)),
        count=draw(st.none() | st.just(1) | by_path),
        **{name: draw(match_lists) for name in names},
    )


scalars = st.one_of(
    st.sampled_from(["x", "y", "1", "true", 0, 1, 3.0, 2.5, True, False, None, *ODD]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)


beats = match_lists.map(lambda found: tuple(TimedBeat(every="1s", send="", answer=each) for each in found))
pings = match_lists.map(lambda found: tuple(AutoReply(on=each, send="") for each in found))


@settings(max_examples=25)
@given(protocols(), protocols(), st.tuples(beats, pings), objects | st.lists(values, max_size=3))
def test_the_rules_of_each_kind_decide_as_json_does(
    events: Events, of_kind: Events, heartbeats: tuple[Any, Any], found: Any
) -> None:
    """Those of a second kind of turn, and what is a heartbeat, on the struct that is made for both."""
    rules, other = EventRules(events, *heartbeats), EventRules(of_kind, *heartbeats)
    reader = Reader(events, rules, [other])
    payload = json.dumps(found).encode()
    try:
        whole = reader.read(payload)
    except Malformed:
        with pytest.raises(UNREADABLE):
            reader.decode(payload)
        return
    kind = reader.fields_in(whole)[0]
    try:
        event = reader.decode(payload)
    except UNREADABLE:
        return
    assert reader.fields(event) == reader.fields_in(whole)
    for each in (rules, other):
        assert reader.decider_of(each)(event, kind) == each.decider()(whole, kind)


@given(protocols(), objects)
@example(Events(turn=("a",), fail=({"has": "b"},)), {"a": "x", "b": None})
@example(Events(turn=("a",), fail=({"has": "b"}, {"b.a": 1})), {"a": "x", "b": {"a": 1.0}})
@example(Events(type=("t",), end=("1",)), {"t": True})
@example(Events(type=("t",), end=("1",)), {"t": 1.0})
@example(Events(fail=({"a": "null"},)), {"a": None})
@example(Events(fail=({"a": "null"},)), {})
@example(Events(end=({"0.a": "x"},)), {"0": {"a": "x"}})
@example(Events(required=({"a": "x"},), type=("t",)), {"a": "x", "t": "y"})
def test_the_struct_decides_as_json_does(events: Events, found: dict[str, Any]) -> None:
    rules = EventRules(events)
    reader = Reader(events, rules)
    payload = json.dumps(found).encode()
    kind, turn, user, sequence = reader.fields_in(decode_message(payload))
    expected = rules.decider()(found, kind)
    try:
        event = reader.decode(payload)
    except UNREADABLE:
        return
    fields = reader.fields(event)
    assert fields == (kind, turn, user, sequence)
    decided = (
        (rules.flags.get(fields[0], rules.default_flags), fields[0])
        if reader.decide is None
        else reader.decide(event, fields[0])
    )
    assert decided == expected


def is_struct(events: Events, payload: bytes) -> bool:
    """Whether the payload fits the struct that is made for the protocol."""
    try:
        Reader(events).decode(payload)
    except UNREADABLE:
        return False
    return True


def test_an_error_field_costs_the_ordinary_event_nothing() -> None:
    """No field of it is decoded and nothing is decided: only what carries an error is read again."""
    events = Events(turn=("id",), count=1, fail=({"has": "error"},))
    assert Reader(events).decide is None
    assert is_struct(events, b'{"id":"x","result":{"a":[1]}}')
    assert is_struct(events, b'{"id":"x","error":null}')
    assert not is_struct(events, b'{"id":"x","error":{}}')


def test_named_fields_are_decoded_by_a_struct() -> None:
    events = Events(type=("type",), turn=("id",), fail=({"type": "done", "response.status": "failed"},))
    reader = Reader(events)
    event = reader.decode(b'{"id":"x","type":"done","response":{"status":"failed","output":[1,2]}}')
    assert reader.decide is not None
    assert reader.decide(event, "done") == (FAIL, "done")
    assert reader.decide(event, "other") == (FIRST, "other")
    assert not hasattr(event, "found")


def test_numbers_and_booleans_are_types_too() -> None:
    """A type that is no text is read slowly, and compares by the one rule."""
    rules = EventRules(Events(type=("op", "done"), end=("0", "true")))
    reader = Reader(Events(type=("op", "done"), end=("0", "true")), rules)
    for found in ({"op": 0}, {"done": True}, {"op": "0"}, {"done": "true"}, {"op": 0.0}):
        kind = reader.fields_in(found)[0]
        assert rules.flags[kind] & END
    assert reader.fields_in({"op": 1})[0] not in rules.flags
    assert not is_struct(Events(type=("op",)), b'{"op":0}')


ARRAYS = Events(type=("3",), turn=("1",), end=({"3": "phx_reply", "4.status": "ok"},), sequence=("0",))


def test_arrays_are_messages_where_a_path_begins_with_a_place() -> None:
    reader = Reader(ARRAYS)
    event = reader.decode(b'[null,"7","room:1","phx_reply",{"status":"ok"}]')
    assert reader.fields(event) == ("phx_reply", "7", None, None)
    assert reader.decide is not None
    assert reader.decide(event, "phx_reply") == (END | FIRST, "phx_reply")
    with pytest.raises(Malformed):
        reader.read(b"3")
    with pytest.raises(Malformed):
        Reader(Events()).read(b"[1]")


def test_true_is_no_sequence_number_of_an_array() -> None:
    """Such an event is read slowly, as one that does not fit a struct is."""
    with pytest.raises(Malformed):
        Reader(ARRAYS).decode(b'[true,"7"]')
    assert Reader(ARRAYS).fields_in([True, "7"])[3] is True
