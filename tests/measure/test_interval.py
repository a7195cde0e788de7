from __future__ import annotations

import contextlib
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.measure import interval as module
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import PHASES, TURN, Interval, from_bytes, merge, to_bytes

names = st.text("abc._:", min_size=1, max_size=8)
numbers = st.integers(0, 2**40)


@st.composite
def intervals(draw: st.DrawFn, second: int = 3) -> Interval:
    histograms = {}
    for tag, values in draw(st.dictionaries(names, st.lists(numbers, max_size=5), max_size=3)).items():
        histograms[tag] = Histogram()
        histograms[tag].record(np.array(values, np.int64))
    moves = draw(st.lists(st.tuples(numbers, st.sampled_from([-1, 1])), max_size=6))
    turns = np.zeros(draw(st.integers(0, 3)), TURN)
    turns["seq"] = draw(numbers)
    frame = st.dictionaries(names, st.one_of(names, numbers, st.lists(names, max_size=2)), max_size=2)
    return Interval(
        second=second,
        worker=draw(st.integers(0, 9)),
        histograms=histograms,
        counters=draw(
            st.dictionaries(st.sampled_from(PHASES), st.dictionaries(names, numbers, max_size=3), max_size=3)
        ),
        gauges=draw(st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False), max_size=3)),
        instants=draw(st.dictionaries(st.sampled_from(["first_sent", "last_sent"]), numbers)),
        moves=np.array(moves, np.int64).reshape(-1, 2),
        turns=turns,
        frames=draw(st.lists(frame, max_size=2)),
    )


def same(one: Interval, other: Interval) -> bool:
    return (
        (one.second, one.worker, one.histograms, one.counters)
        == (other.second, other.worker, other.histograms, other.counters)
        and (one.gauges, one.instants, one.frames) == (other.gauges, other.instants, other.frames)
        and one.moves.tolist() == other.moves.tolist()
        and one.turns.tolist() == other.turns.tolist()
        and one.turns.dtype == other.turns.dtype
        and one.copies.tolist() == other.copies.tolist()
    )


@given(intervals())
def test_a_message_gives_the_interval_back(original: Interval) -> None:
    assert same(from_bytes(to_bytes(original)), original)


@given(intervals(), st.data())
def test_a_damaged_message_is_an_interval_or_a_value_error(original: Interval, data: st.DataObject) -> None:
    message = bytearray(to_bytes(original))
    for place in data.draw(st.lists(st.integers(0, len(message) - 1), min_size=1, max_size=4)):
        message[place] = data.draw(st.integers(0, 255))
    cut = bytes(message[: data.draw(st.integers(0, len(message)))])
    with contextlib.suppress(ValueError):
        assert isinstance(from_bytes(cut), Interval)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="interval"):
        from_bytes(data)


def changed(**change: Any) -> bytes:
    fields = msgspec.msgpack.decode(to_bytes(Interval(second=1)))
    order = list(module._Message.__struct_fields__)
    for name, value in change.items():
        fields[order.index(name)] = value
    return msgspec.msgpack.encode(fields)


def odd_turns() -> list[np.ndarray]:
    """Rows whose phase or outcome there is not."""
    rows = []
    for name, number in (("phase", 3), ("phase", -1), ("outcome", 99), ("outcome", -1)):
        row = np.zeros(1, TURN)
        row[name] = number
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (changed(layout=4), "layout 4"),
        (changed(copies=b"123"), "cut short"),
        (changed(moves=b"123"), "cut short"),
        (changed(turns=b"123"), "cut short"),
        *((changed(turns=row.tobytes()), "unknown phase or outcome") for row in odd_turns()),
        (changed(gauges={"cpu": math.inf}), "gauge that is not a number"),
        (changed(second="1"), "not an interval"),
        (changed(histograms={"a": [b"123", b"", 1, 1, 1, 0]}), "different numbers of indices"),
        (b"\x9a" + b"\x91" * 100_000, "not an interval"),
        (changed(frames=[{"a": 0}])[:-3] + b"\x81\xa1a" + b"\x91" * 100_000, "not an interval"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_bytes(data)


def test_a_message_beyond_all_bounds_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INTERVAL_BYTES", 10)
    with pytest.raises(ValueError, match="at most 10"):
        from_bytes(to_bytes(Interval(second=1)))


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(intervals(), min_size=1, max_size=4))
def test_a_merge_adds_everything(parts: list[Interval]) -> None:
    merged = merge(parts)
    for tag in {tag for part in parts for tag in part.histograms}:
        together = Histogram()
        for part in parts:
            together.add(part.histograms.get(tag, Histogram()))
        assert merged.histograms[tag] == together
    for phase in PHASES:
        for name in {name for part in parts for name in part.counters.get(phase, {})}:
            assert merged.counters[phase][name] == sum(
                part.counters.get(phase, {}).get(name, 0) for part in parts
            )
    assert len(merged.turns) == sum(len(part.turns) for part in parts)
    assert merged.frames == [frame for part in parts for frame in part.frames]
    assert merged.moves.tolist() == sorted(move for part in parts for move in part.moves.tolist())


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(intervals(), min_size=1, max_size=4))
def test_a_merge_leaves_its_parts_alone(parts: list[Interval]) -> None:
    before = [to_bytes(part) for part in parts]
    merged = merge(parts)
    for histogram in merged.histograms.values():
        histogram.record(np.array([1]))
    merged.counters.setdefault("measured", {})["new"] = 1
    assert [to_bytes(part) for part in parts] == before


def test_gauges_of_users_add_and_of_others_the_highest_counts() -> None:
    merged = merge(
        [
            Interval(second=1, gauges={"users": 3, "ready": 2, "in_flight": 1, "cpu": 0.25}),
            Interval(second=1, gauges={"users": 4, "ready": 1, "in_flight": 5, "cpu": 0.75, "loop_lag": -1}),
        ]
    )
    assert merged.gauges == {"users": 7, "ready": 3, "in_flight": 6, "cpu": 0.75, "loop_lag": -1}


def test_first_instants_are_the_earliest_and_last_the_latest() -> None:
    merged = merge(
        [
            Interval(second=1, instants={"first_sent": 5, "last_sent": 5}),
            Interval(second=1, instants={"first_sent": 3, "last_sent": 9, "last_ready": 1}),
        ]
    )
    assert merged.instants == {"first_sent": 3, "last_sent": 9, "last_ready": 1}


@pytest.mark.parametrize("parts", [[], [Interval(second=1), Interval(second=2)]])
def test_only_one_second_is_merged(parts: list[Interval]) -> None:
    with pytest.raises(ValueError, match="only intervals of the same second"):
        merge(parts)
