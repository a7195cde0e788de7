"""How old events are by the time that they carry, and what they tell of the target's clock."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadtest.plan.protocol import SentAt
from loadtest.speak.event_age import AHEAD_AT_LEAST, AHEAD_AT_MOST, LATEST_NS, STAMP_STEP, EventAges
from loadtest.speak.phase_metrics import PhaseMetrics
from loadtest.speak.session import Session
from loadtest.speak.turn import Turn
from tests.speak.talk import AGENT, Kept, Talk

NOW = 1_764_475_869_123_456_789
"""An instant of Unix time."""

MS = 1_000_000
Unit = Literal["s", "ms", "us", "ns", "iso"]
UNITS: tuple[Unit, ...] = ("s", "ms", "us", "ns", "iso")


def taken(value: Any, unit: Unit, *, at_ns: int = NOW, offset_ns: int = 0) -> tuple[PhaseMetrics, EventAges]:
    metrics = PhaseMetrics(1)
    ages = EventAges(SentAt(path="d.at", unit=unit), offset_ns)
    ages.take({"d": {"at": value}}, at_ns, metrics)
    return metrics, ages


@pytest.mark.parametrize(
    ("value", "unit", "age_ns", "step_ns"),
    [
        (NOW - 5, "ns", 5, 1),
        (str(NOW - 5), "ns", 5, 1),
        (1_764_475_869_123_000, "us", 456_789, 1_000),
        (1_764_475_869_123, "ms", 456_789, MS),
        (1_764_475_869_122.5, "ms", 956_789, 100_000),
        (1_764_475_869, "s", 123_456_789, 10**9),
        (1_764_475_869.12, "s", 3_456_789, 10**7),
        ("2025-11-30T04:11:09.123Z", "iso", 456_789, MS),
        ("2025-11-30T05:11:09.123456+01:00", "iso", 789, 1_000),
        ("2025-11-30T04:11:09", "iso", 123_456_789, 10**9),
        ("20251130T041109Z", "iso", 123_456_789, 10**9),
    ],
)
def test_a_time_is_read_by_its_unit(value: object, unit: Unit, age_ns: int, step_ns: int) -> None:
    metrics, ages = taken(value, unit)
    assert list(metrics.age) == [age_ns]
    assert ages.bounds == {AHEAD_AT_LEAST: -age_ns, STAMP_STEP: step_ns}
    assert metrics.other == {"events.dated": 1}


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (True, "s"),
        ({}, "s"),
        ("soon", "s"),
        ("soon", "iso"),
        (12, "iso"),
        (12, "s"),
        (-5, "s"),
        (1e300, "s"),
        ("9" * 41, "ns"),
        (f"{LATEST_NS}", "ns"),
        ("2025-11-30T04:11:09Z" + " " * 30, "iso"),
        (1_764_475_869, "ms"),
    ],
)
def test_what_is_no_time_is_told(value: object, unit: Unit) -> None:
    metrics, ages = taken(value, unit)
    assert (list(metrics.age), metrics.other, ages.bounds) == ([], {"events.undated": 1}, {})


def test_an_event_without_a_time_says_nothing() -> None:
    for value in (None,):
        metrics, _ = taken(value, "s")
        assert metrics.other == {}
    metrics = PhaseMetrics(1)
    EventAges(SentAt(path="at", unit="s"), 0).take({}, NOW, metrics)
    assert metrics.other == {}


def test_a_time_after_the_arrival_is_told_and_is_no_negative_age() -> None:
    metrics, ages = taken(NOW + 7, "ns")
    assert list(metrics.age) == [0]
    assert metrics.other == {"events.dated": 1, "events.from_future": 1}
    assert ages.bounds[AHEAD_AT_LEAST] == 7
    # One that may have been rounded up is none.
    metrics, _ = taken(1_764_475_869_124, "ms")
    assert metrics.other == {"events.dated": 1}


def test_the_runs_clock_need_not_be_unix_time() -> None:
    metrics, _ = taken(NOW - 5, "ns", at_ns=1_000, offset_ns=NOW - 1_000)
    assert list(metrics.age) == [5]


@given(
    ahead=st.integers(-(10**12), 10**12),
    trips=st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=5
    ),
)
@example(ahead=0, trips=[(0, 0, 0)])
def test_the_target_clock_lies_within_what_answers_tell(
    ahead: int, trips: list[tuple[int, int, int]]
) -> None:
    """Whatever the ways take, and however wrong the target's clock is."""
    ages, metrics, sent_ns = EventAges(SentAt(path="at", unit="ns"), 0), PhaseMetrics(1), NOW
    for there, thinking, back in trips:
        stamp_ns = sent_ns + there + thinking + ahead
        ages.take({"at": stamp_ns}, sent_ns + there + thinking + back, metrics, sent_ns)
        sent_ns += 10**9
    assert ages.bounds[AHEAD_AT_LEAST] <= ahead <= ages.bounds[AHEAD_AT_MOST]
    assert ages.bounds[AHEAD_AT_MOST] - ages.bounds[AHEAD_AT_LEAST] <= min(map(sum, trips))


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3)
)
@example(float("nan"))
@example("0001-01-01T00:00:00+23:59")
def test_whatever_stands_there_is_a_time_or_is_told(value: object) -> None:
    for unit in UNITS:
        metrics, _ = taken(value, unit)
        assert sum(metrics.other.values()) == (value is not None)
        assert all(age >= 0 for age in metrics.age)


# ------------------------------------------------------------------ in a session

DATED: dict[str, Any] = {**AGENT, "sent_at": SentAt(path="at", unit="ns")}


def event(kind: str, turn: Turn | None, at_ns: int, **more: Any) -> bytes:
    body = {"event": kind, "at": at_ns, **more}
    return json.dumps(body if turn is None else {**body, "run_id": turn.id}).encode()


def test_events_of_a_turn_have_an_age_and_all_else_is_as_without() -> None:
    ages, counts = [], []
    for events in (DATED, AGENT):
        talk = Talk(**events)
        turn, _ = talk.session.begin(0, 0, NOW, {})
        talk.session.sent(turn, NOW)
        talk.hear(
            NOW + 10 * MS,
            event("thinking", turn, NOW + 4 * MS, seq=0),
            event("thinking", turn, NOW + 4 * MS, seq=0),
            event("other", turn, NOW + 9 * MS, seq=1),
            event("broadcast", None, NOW),
            event("stray", None, NOW),
        )
        talk.hear(NOW + 20 * MS, event("completed", turn, NOW + 19 * MS, seq=2))
        of_turns = talk.record.phases[1]
        ages.append(of_turns.age.tolist())
        found = talk.counts()
        found.pop("dated", None)
        counts.append((found, list(of_turns.first_event), list(of_turns.gap)))
    # Not what came twice, nor what is of no turn: those are counted as what they are.
    assert ages == [[6 * MS, MS, MS], []]
    assert counts[0] == counts[1]
    assert counts[0][0]["duplicate"] == 1


def test_what_is_pushed_has_an_age() -> None:
    talk = Talk(listens=True, **DATED)
    talk.hear(NOW + 10 * MS, event("news", None, NOW + 7 * MS))
    assert talk.record.metrics.age.tolist() == [3 * MS]
    assert talk.session.protocol.ages is not None
    assert AHEAD_AT_MOST not in talk.session.protocol.ages.bounds


def test_a_copy_for_an_audience_has_an_age() -> None:
    room: dict[str, Any] = {**DATED, "audience": "all"}
    talk = Talk(turn_id="{uuid}", users=4, **room)
    others = talk.protocol.turn_id(2, {}, 0)
    talk.hear(NOW + 10 * MS, json.dumps({"run_id": others, "at": NOW + 8 * MS}).encode())
    assert talk.counts()["delivered"] == 1
    assert talk.record.metrics.age.tolist() == [2 * MS]


def test_answers_say_how_far_the_clock_is_ahead_at_most() -> None:
    talk = Talk(**DATED)
    turn, _ = talk.session.begin(0, 0, NOW, {})
    talk.session.sent(turn, NOW + 2 * MS)
    talk.hear(NOW + 10 * MS, event("thinking", turn, NOW + 4 * MS, seq=0))
    assert talk.session.protocol.ages is not None
    assert talk.session.protocol.ages.bounds == {
        AHEAD_AT_LEAST: -6 * MS,
        AHEAD_AT_MOST: 2 * MS,
        STAMP_STEP: 1,
    }


PLAYED = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "event": st.sampled_from(
                ["thinking", "completed", "failed", "rate_limited", "ack", "other", 3, None]
            ),
            "run_id": st.sampled_from(["turn-0", "turn-1", "turn-9", 7, None, {}]),
            "seq": st.sampled_from([0, 1, 2, 3, "1", 1.5, -1, None, True]),
            "user_id": st.sampled_from(["me", "you", 5, None]),
            "data": st.fixed_dictionaries({}, optional={"run_id": st.just("turn-1"), "seq": st.just(1)}),
        },
    ),
    max_size=8,
)


WAYS = [Talk(**AGENT, sent_at=sent_at).protocol for sent_at in (None, SentAt(path="at", unit="ns"))]


@given(PLAYED, st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=60)
@example([{"run_id": "turn-0"}, {"run_id": "turn-1", "event": "thinking", "user_id": "me"}], [False] * 8)
def test_the_hot_loop_and_the_other_ways_count_alike(events: list[Any], apart: list[bool]) -> None:
    """Where ages are asked for, no event takes the hot loop: whatever comes, it is counted the same."""
    seen = []
    for way in WAYS:
        record = Kept()
        session = Session(way, record, 3, {})
        session.upgraded(0)
        turns = []
        for number in range(2):
            turn, _ = session.begin(number, 0, 0, {})
            session.sent(turn, 10)
            turns.append(turn)
        read: list[bytes] = []
        for at, (body, alone) in enumerate(zip(events, apart, strict=False)):
            read.append(json.dumps(body).encode())
            if alone:
                session.receive(read, 100 + at)
                read = []
        session.receive(read, 900)
        session.lost(1_000, 1006)
        ended = [(turn.outcome, turn.received, turn.first_ns, turn.done_ns, turn.reason) for turn in turns]
        seen.append(
            (record.counts(), ended, record.metrics.gap.tolist(), record.metrics.first_event.tolist())
        )
    assert seen[0] == seen[1]
