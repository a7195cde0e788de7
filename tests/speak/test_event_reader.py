"""Every envelope maps by paths, and the fast way of reading agrees with the slow one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.plan.protocol import Events
from loadtest.speak.event_reader import (
    FIELDS,
    UNREADABLE,
    Event,
    Fields,
    Malformed,
    Reader,
    decode_message,
)

AGENT_EVENTS = Events(
    type=("event", "type"),
    turn=("run_id", "payload.run_id", "data.run_id"),
    user=("user_id", "data.user_id"),
    sequence=("seq", "payload.seq", "data.seq"),
)


def read_slowly(reader: Reader, payload: bytes) -> Fields:
    """As what does not fit the struct is read."""
    return reader.fields_in(reader.read(payload))


def read(reader: Reader, payload: bytes) -> Fields:
    """As the hot loop and its rarer ways read."""
    try:
        event = reader.decode(payload)
    except UNREADABLE:
        return read_slowly(reader, payload)
    return reader.fields(event)


# ------------------------------------------------------------------ envelopes of real backends

ENVELOPES: dict[str, tuple[dict[str, Any], Fields]] = {
    "bridge": (
        {
            "type": "agent_thinking",
            "run_id": "r-7",
            "agent_name": "triage",
            "timestamp": "2025-09-05T18:43:01Z",
            "payload": {"reasoning": "Checking cost tables", "step_number": 1, "seq": 1},
            "trace": {"run_id": "not this one"},
        },
        ("agent_thinking", "r-7", None, 1),
    ),
    "emitter": (
        {
            "type": "agent_started",
            "data": {"run_id": "r-7", "thread_id": "t-1", "request_id": "q-1", "user_id": "u-1", "seq": 0},
            "timestamp": "2025-09-05T18:43:01Z",
            "critical": True,
            "attempt": 1,
        },
        ("agent_started", "r-7", "u-1", 0),
    ),
    "fallback": (
        {"type": "agent_completed", "event": "agent_completed", "run_id": "r-7", "timestamp": 1757122980.1},
        ("agent_completed", "r-7", None, None),
    ),
    "wrapper": (
        {
            "type": "system_message",
            "event": "tool_executing",
            "payload": {"run_id": "r-7", "tool_name": "cost"},
        },
        ("tool_executing", "r-7", None, None),
    ),
    "schema": (
        {
            "type": "tool_completed",
            "timestamp": 1757122980.1,
            "event_id": "e-1",
            "user_id": "u-1",
            "thread_id": "t-1",
            "run_id": "r-7",
            "agent_name": "triage",
            "tool_name": "cost",
            "results": {"rows": 42},
            "duration_ms": 310,
            "status": None,
            "data": None,
            "metadata": {},
        },
        ("tool_completed", "r-7", "u-1", None),
    ),
    "notifier": (
        {"type": "agent_completed", "payload": {"run_id": "r-7", "timestamp": 1757122980.1, "seq": 4}},
        ("agent_completed", "r-7", None, 4),
    ),
    "text where an object was": (
        {"type": "agent_thinking", "run_id": "r-7", "payload": "thinking", "data": ["a"], "seq": 3},
        ("agent_thinking", "r-7", None, 3),
    ),
    "a greeting": (
        {"type": "connection_established", "user_id": "u-1", "connection_id": "c-1"},
        ("connection_established", None, "u-1", None),
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_every_envelope_maps_with_one_protocol(name: str) -> None:
    message, fields = ENVELOPES[name]
    payload = json.dumps(message).encode()
    reader = Reader(AGENT_EVENTS)
    assert read(reader, payload) == fields
    assert read_slowly(reader, payload) == fields


def test_the_slots_of_the_hot_loop_hold_the_leading_paths() -> None:
    event = Reader(AGENT_EVENTS).decode(
        b'{"type":"a","event":"b","run_id":"r","user_id":"u","seq":3,"data":{}}'
    )
    assert (event.t0, event.t1, event.r0, event.u0, event.s0) == ("b", "a", "r", "u", 3)


def test_slots_of_a_protocol_without_paths_are_empty() -> None:
    event = Reader(Events()).decode(b'{"t0":1,"r0":2}')
    assert [getattr(event, slot) for slot in Event.__struct_fields__] == [None] * 5


def test_a_leading_path_below_the_top_leaves_its_slot_empty() -> None:
    """Slots keep the order of the paths: the second must not be looked at before the first."""
    reader = Reader(Events(type=("meta.kind", "type"), turn=("id",)))
    event = reader.decode(b'{"type":"outer","meta":{"kind":"inner"},"id":"r"}')
    assert (event.t0, event.t1, event.r0) == (None, None, "r")
    assert reader.fields(event)[0] == "inner"


def test_a_path_of_two_fields_keeps_its_place_in_both() -> None:
    reader = Reader(Events(type=("a", "b"), turn=("a",)))
    event = reader.decode(b'{"a":"first","b":"second"}')
    assert (event.t0, event.t1) == ("first", "second")
    assert reader.fields(event)[:2] == ("first", "first")


def test_further_paths_are_asked_only_where_there_are_some() -> None:
    few = Reader(Events(type=("event", "type"), turn=("id",), user=("user",), sequence=("seq",)))
    assert (few.more_type, few.more_user, few.more_sequence) == (None, None, None)
    more = Reader(Events(type=("a", "b", "data.type"), user=("user", "data.user"), sequence=("data.seq",)))
    assert more.more_type is not None
    assert more.more_user is not None
    assert more.more_sequence is not None
    event = more.decode(b'{"data":{"type":"t","user":"u","seq":7}}')
    assert (more.more_type(event), more.more_user(event), more.more_sequence(event)) == ("t", "u", 7)
    event = more.decode(b'{"a":"t"}')
    assert (more.more_type(event), more.more_user(event), more.more_sequence(event)) == (None, None, None)


# ------------------------------------------------------------------ the fast way agrees with the slow one

KEYS = ("a", "b", "data", "seq", "é")
paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(".".join)
path_lists = st.lists(paths, max_size=4).map(tuple)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
keys = st.sampled_from(KEYS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4)
)
objects = st.dictionaries(keys, values, max_size=5)


@st.composite
def protocols(draw: st.DrawFn) -> Events:
    return Events(**{field: draw(path_lists) for field in FIELDS})  # type: ignore[arg-type]  # four fields of one type


def same(left: Fields, right: Fields) -> bool:
    """Equal, and of equal types: 1 is not True here."""
    return left == right and [type(each) for each in left] == [type(each) for each in right]


@given(protocols(), objects)
@example(Events(type=("data",), sequence=("data.seq",)), {"data": {"seq": 1}})
@example(Events(type=("data", "a"), sequence=("data.seq",)), {"a": "x"})
@example(Events(type=("a",), turn=("a",), user=("a", "b"), sequence=("b", "b")), {"a": 1, "b": 2})
@example(Events(type=("data.a",), turn=("data.a.b", "data.a")), {"data": {"a": "x"}})
@example(Events(user=("data.a.b",)), {"data": {"a": None}})
def test_the_fast_way_agrees_with_the_slow_one(events: Events, found: dict[str, Any]) -> None:
    reader = Reader(events)
    for ascii_only in (True, False):
        payload = json.dumps(found, ensure_ascii=ascii_only).encode()
        slow = read_slowly(reader, payload)
        assert same(read(reader, payload), slow)
        assert same(reader.fields_in(found), slow)


@given(
    protocols(),
    st.binary(max_size=40) | objects.map(lambda found: json.dumps(found).encode()[:-1] + b"\xff}"),
)
@example(AGENT_EVENTS, b'{"type":"\xff"}')
@example(AGENT_EVENTS, b'{"seq":1e999}')
@example(AGENT_EVENTS, b'{"type":"\\ud800"}')
@example(AGENT_EVENTS, b'{"payload":' + b"[" * 100_000)
@example(AGENT_EVENTS, b"[" * 100_000)
@example(AGENT_EVENTS, '{"\uffffr0":1}'.encode())
@example(AGENT_EVENTS, b"9" * 5000)
def test_any_bytes_give_fields_or_are_malformed(events: Events, payload: bytes) -> None:
    try:
        fields = read(Reader(events), payload)
    except Malformed:
        return
    assert all(isinstance(each, (str, int, float, type(None))) for each in fields)


@pytest.mark.parametrize("payload", [b"", b"[]", b'"text"', b"null", b"3", b"{", b"{}x", b"\xff", b"NaN"])
def test_what_is_no_object_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        decode_message(payload)
    with pytest.raises(Malformed):
        read(Reader(AGENT_EVENTS), payload)


@pytest.mark.parametrize("key", ['a"b', "a\\b", "a\tb", "\x7f", "\u2028", "é"])
def test_keys_that_json_escapes_are_paths_too(key: str) -> None:
    payload = json.dumps({key: "done", "d": {key: "r-1"}}).encode()
    for events in (
        Events(type=(key,), turn=(f"d.{key}",)),
        Events(type=("t", key), turn=("r", f"d.{key}"), fail=({"has": f"x.{key}"},)),
    ):
        assert read(Reader(events), payload) == ("done", "r-1", None, None)
