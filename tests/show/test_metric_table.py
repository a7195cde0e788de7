from __future__ import annotations

import pytest

from loadtest.plan.threshold import METRICS
from loadtest.show.metric_table import (
    LABELS,
    Footnotes,
    metric_groups,
    position_rows,
    rate_of,
    rate_rows,
    unmeasured_metrics,
)
from loadtest.speak.phase_metrics import BUFFERS

MEASURED = {
    "unit": "ms",
    "n": 40,
    "min": 1.0,
    "p50": 2.0,
    "p90": 3.0,
    "p95": 4.0,
    "p99": None,
    "p99_9": None,
    "max": 5.0,
}


def group(metric: dict[str, object], name: str = "turn.first_event") -> tuple[object, Footnotes]:
    notes = Footnotes()
    (found,) = metric_groups({"metrics": {name: metric}}, notes)
    return found.metrics[0], notes


def test_percentiles_that_n_does_not_support_become_one_footnote() -> None:
    row, notes = group({**MEASURED, "unsupported": ["p99", "p99_9"]})
    assert (row.cells["p95"], row.cells["p99"], row.n) == ("4 ms", "–", "40")
    assert row.notes == {"p99": 1, "p99_9": 1}
    assert notes.texts == [
        "not enough samples (n): p50 needs 2, p90 needs 10, p95 needs 20, p99 needs 100, p99.9 needs 1,000"
    ]
    group({**MEASURED, "n": 3, "p50": None, "unsupported": ["p50", "p99", "p99_9"]})
    assert len(notes.texts) == 1


def test_equal_footnotes_are_said_once() -> None:
    notes = Footnotes()
    metric_groups({"metrics": {"turn.first_event": MEASURED, "turn.completion": MEASURED}}, notes)
    assert len(notes.texts) == 1


def test_what_lies_below_the_clock_is_a_bound_and_never_a_zero() -> None:
    row, notes = group(
        {**MEASURED, "n": 5000, "p50": None, "below_resolution": {"p50": 15.6}, "p99": 5.0, "p99_9": 5.0}
    )
    assert row.cells["p50"] == "< 15.6 ms"
    assert not notes.texts


def test_a_reason_that_the_run_gives_is_passed_on() -> None:
    _, notes = group(
        {**MEASURED, "n": 5000, "p99": 5.0, "p99_9": 5.0, "max": None, "reasons": {"max": "clamped"}}
    )
    assert notes.texts == ["not measured: clamped"]


def test_upper_bounds_are_marked() -> None:
    row, _ = group({**MEASURED, "upper_bound": True})
    assert row.cells["p50"] == "≤2 ms"


def test_single_statistics_that_are_upper_bounds_are_marked_alone() -> None:
    row, _ = group({**MEASURED, "bounds": ["max"]})
    assert (row.cells["p50"], row.cells["max"][0]) == ("2 ms", "≤")


def test_what_may_be_less_or_more_is_marked() -> None:
    row, _ = group({**MEASURED, "approximate": True})
    assert row.cells["p50"] == "≈2 ms"


def test_confidence_intervals_name_the_unit_once_where_it_is_one() -> None:
    row, _ = group({**MEASURED, "ci95": {"p50": [1.21, 1.44], "p95": [0.9, 4.4], "p99": None}})
    assert row.ci95 == {"p50": "1.21–1.44 ms", "p95": "900 µs–4.4 ms"}


def test_metrics_this_version_does_not_know_are_shown_last() -> None:
    groups = metric_groups({"metrics": {"turn.thinking": MEASURED, "ping.rtt": MEASURED}}, Footnotes())
    assert [each.title for each in groups] == ["Connection", "Other"]


def test_unmeasured_metrics_carry_their_reason() -> None:
    manifest = {
        "metrics": {"connect.tcp": MEASURED},
        "unmeasured": {"connect.tls": "no TLS", "lost": "no numbers"},
    }
    assert [(fact.name, fact.value) for fact in unmeasured_metrics(manifest)] == [("connect.tls", "no TLS")]


def test_a_rate_of_nothing_is_not_measured_whatever_its_value_says() -> None:
    for nothing in ({"value": 0.0, "n": 0, "over_s": 30.0}, {"value": None, "n": 0}, {"value": 12.0}, {}):
        assert rate_of(nothing) is None
    (row,) = rate_rows({"rates": {"turns_per_s": {"value": 0.0, "n": 0, "over_s": 30.0}}})
    assert (row.measured, row.value, row.basis) == (False, "not measured", "none counted over 30 s")


def test_a_rate_says_what_it_was_counted_from_and_what_set_it() -> None:
    rate = {"value": 250.0, "n": 7500, "over_s": 30.0, "bound": "plan", "reason": None}
    (row,) = rate_rows({"rates": {"turns_per_s": rate}})
    assert (row.value, row.basis, row.bound) == (
        "250/s",
        "n=7,500 over 30 s",
        "limited by the plan",
    )


def test_what_is_known_of_an_unmeasured_rate_is_told_as_a_bound() -> None:
    rates = {
        "turns_per_s": {"value": None, "n": 0, "reason": "none came", "at_most": 0.1},
        "events_received_per_s": {"value": None, "n": 25, "reason": "too quick", "at_least": 1602.6},
    }
    assert [row.value for row in rate_rows({"rates": rates})] == ["> 1,603/s", "< 0.1/s"]


def test_places_in_the_burst_count_from_one() -> None:
    times = {"n": 3, "p50": 1.5, "p95": None, "max": 2.0}
    (row,) = position_rows({"burst_positions": [{"position": 0, "turns": 3, "first_event": times}]})
    assert (row.position, row.turns) == ("1", "3")
    assert row.first_event == {"p50": "1.5 ms", "p95": "–", "max": "2 ms"}
    assert set(row.completion.values()) == {"–"}


def test_slow_readers_are_a_group_of_their_own() -> None:
    manifest = {
        "metrics": {"turn.completion": MEASURED},
        "slow_readers": {"metrics": {"turn.completion": MEASURED}},
    }
    groups = metric_groups(manifest, Footnotes())
    assert [each.title for each in groups] == ["Response time", "Slow readers"]
    assert [row.name for row in groups[1].metrics] == ["slow:turn.completion"]


@pytest.mark.parametrize(
    ("name", "turns", "events", "told"),
    [
        ("event.gap", {"timed_out": 3}, {}, "; without the wait at the end of 3 turns that timed out"),
        ("event.gap", {}, {}, ""),
        ("turn.completion", {"timed_out": 3}, {}, ""),
        (
            "turn.completion",
            {},
            {"after_timeout": 1},
            "; in doubt, because some answers may belong to earlier turns",
        ),
        ("ping.rtt", {}, {"after_timeout": 1}, ""),
    ],
)
def test_what_times_do_not_contain_or_may_not_be_is_said_beside_them(
    name: str, turns: dict[str, int], events: dict[str, int], told: str
) -> None:
    counts = {"measured": {"turns": turns, "events": events}}
    (found,) = metric_groups({"metrics": {name: MEASURED}, "counts": counts}, Footnotes())
    assert found.meaning.partition(";")[1] + found.meaning.partition(";")[2] == told


def test_a_rate_that_repeats_the_plan_says_what_the_plan_was() -> None:
    rate = {"value": 120.0, "n": 360, "over_s": 3.0, "bound": "plan"}
    made = {"rates": {"turns_per_s": rate}, "load": {"planned": {"turns_per_s": 120.0}}}
    assert rate_rows(made)[0].bound == "limited by the plan (120/s)"


def test_every_metric_has_its_words_and_its_buffer() -> None:
    assert set(LABELS) == set(METRICS) == set(BUFFERS.values())


def test_a_metric_without_words_is_told_to_be_unmeasured_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadtest.show.metric_table.METRICS", (*METRICS, "close.time"))
    told = unmeasured_metrics({"unmeasured": {"close.time": "nothing timed it"}})
    assert [each.name for each in told] == ["close.time"]


def test_times_of_all_turns_due_stand_below_those_of_the_answered_ones() -> None:
    metric = {"unit": "ms", "n": 36, "min": 1.0, "p50": 2.0, "p90": 3.0, "p95": 4.0, "max": 5.0}
    of_due = {"n": 40, "answered": 36, "p50": 2.1, "p90": 3.2, "p95": None, "unbounded": ["p95", "max"]}
    run = {"metrics": {"turn.first_event": metric}, "of_due": {"turn.first_event": of_due}}
    answered, due = metric_groups(run, Footnotes())[0].metrics
    assert (answered.label, answered.n, answered.cells["p95"]) == ("first event", "36", "4 ms")
    assert (due.label, due.n) == ("first event, of all due", "40")
    assert [due.cells[key] for key in ("min", "p50", "p95", "max")] == ["1 ms", "2.1 ms", "never", "never"]


def test_the_times_of_a_kind_stand_below_those_of_all() -> None:
    metrics = dict.fromkeys(("turn.completion", "turn.completion[ask]", "turn.first_event", "mine"), MEASURED)
    groups = metric_groups({"metrics": metrics}, Footnotes())
    assert [(row.name, row.label) for row in groups[0].metrics] == [
        ("turn.first_event", "first event"),
        ("turn.completion", "completion"),
        ("turn.completion[ask]", "completion, ask"),
    ]
    assert [row.name for row in groups[1].metrics] == ["mine"]
