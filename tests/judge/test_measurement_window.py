from __future__ import annotations

import pytest

from loadtest.judge.measurement_window import (
    Span,
    last_matched,
    measured_span,
    measured_turns,
    peak_within,
    seconds_within,
    stage_parts,
)
from tests.judge.made import S, good_totals, manifest, row, table, totals


def test_the_measured_part_starts_after_the_warm_up_and_ends_as_planned() -> None:
    made = manifest(load__planned__warmup_s=2.0)
    assert measured_span(made, good_totals(seconds=15)) == Span(2 * S, 12 * S)
    assert measured_span(made, good_totals(seconds=15)).length_ns == 10 * S


def test_without_a_planned_duration_it_ends_with_what_was_seen() -> None:
    assert measured_span(manifest(load__planned__duration_s=None), good_totals(seconds=7)) == Span(0, 7 * S)


def test_a_run_that_ended_early_is_measured_until_then() -> None:
    noted = totals(seconds=4, instants={"last_measured": 3 * S, "last_matched": 2 * S})
    assert measured_span(manifest(), noted) == Span(0, 3 * S)
    done = totals(seconds=3, instants={"last_matched": 2 * S + 7})
    assert measured_span(manifest(), done) == Span(0, 2 * S + 7)
    nothing = totals(seconds=3)
    assert measured_span(manifest(), nothing) == Span(0, 3 * S)


def test_silence_before_a_cut_counts() -> None:
    silent = totals(seconds=6, instants={"last_matched": S})
    assert measured_span(manifest(interrupted=True), silent) == Span(0, 6 * S)


def test_a_run_that_ended_in_warm_up_has_no_measured_part() -> None:
    assert measured_span(manifest(load__planned__warmup_s=5.0), totals(seconds=2)).length_ns == 0


@pytest.mark.parametrize(
    ("part", "span"),
    [
        ({"from_s": 3.0, "to_s": 5.0}, Span(3 * S, 5 * S)),
        ({"from_s": 3.0}, Span(3 * S, 10 * S)),
        ({"to_s": 5.0}, Span(0, 5 * S)),
        ({"from_s": 20.0, "to_s": 30.0}, Span(20 * S, 20 * S)),
    ],
)
def test_a_part_is_cut_out_of_it(part: dict[str, float], span: Span) -> None:
    assert measured_span(manifest(part=part), totals(seconds=12)) == span


def test_the_last_matched_event_is_noted_or_found_in_the_turn_table() -> None:
    turns = table(
        [row(0, done_ns=5), row(1, done_ns=9, outcome="timed_out"), row(2, done_ns=8, phase="drain")]
    )
    assert last_matched(totals(instants={"last_matched": 7}), turns) == 7
    assert last_matched(totals(), turns) == 5
    assert last_matched(totals(), turns[1:]) is None
    assert last_matched(totals(), None) is None


def test_stages_follow_each_other_after_the_warm_up() -> None:
    stages = [{"for": "10s", "connections": 1}, {"for": "500ms", "connections": 2}]
    made = manifest(load__planned__warmup_s=2.0, scenario__settings__load__stages=stages)
    assert stage_parts(made) == [(2.0, 12.0), (12.0, 12.5)]
    assert stage_parts(manifest()) == []


def test_a_second_belongs_to_the_span_that_most_of_it_lies_in() -> None:
    made = totals(seconds=4)
    assert [row.second for row in seconds_within(made, Span(S * 6 // 10, 3 * S))] == [1, 2]
    assert [row.second for row in seconds_within(made, Span(S * 6 // 10, S * 8 // 10))] == [0]


def test_measured_turns_are_those_due_in_the_measured_part() -> None:
    turns = table([row(0, phase="warmup"), row(1), row(2, phase="drain")])
    measured = measured_turns(turns)
    assert measured is not None
    assert measured["seq"].tolist() == [1]
    assert measured_turns(None) is None


def test_the_peak_of_a_span_counts_those_ready_before() -> None:
    made = totals(moves=[(1, 1), (2, 1), (5, -1), (6, 1), (9, 1)])
    assert peak_within(made, Span(0, 10)) == 3
    assert peak_within(made, Span(3, 6)) == 2
    assert peak_within(made, Span(5, 6)) == 2
    assert peak_within(totals(), Span(0, 10)) == 0
