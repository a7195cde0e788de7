from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.threshold import (
    METRICS,
    STATISTICS,
    Threshold,
    held,
    parse_threshold,
    percentile,
    split_metric,
)


@pytest.mark.parametrize(
    ("name", "expression", "operator", "limit", "unit"),
    [
        ("turn.first_event.p95", "< 100ms", "<", 100.0, "ms"),
        ("turn.first_event.p95", "<100ms", "<", 100.0, "ms"),
        ("turn.completion.service.max", "<= 1.5s", "<=", 1500.0, "ms"),
        ("turn.first_event.p95", "< 1us", "<", 0.001, "ms"),
        ("connect.total.mean", "!= 0s", "!=", 0.0, "ms"),
        ("event.gap.n", ">= 100", ">=", 100.0, "count"),
        ("turn.completion.p75", "< 1s", "<", 1000.0, "ms"),
        ("rates.events_received_per_s", "> 20", ">", 20.0, "per_s"),
        ("rates.turns_per_s", "> 90/m", ">", 1.5, "per_s"),
        ("connections.ready.peak", "> 10", ">", 10.0, "count"),
        ("connections.refused.upgrade", "== 0", "==", 0.0, "count"),
        ("connections.closed.1006", "== 0", "==", 0.0, "count"),
        ("turns.complete.ratio", ">= 99%", ">=", 0.99, "ratio"),
        ("turns.timed_out.ratio", "< 0.01", "<", 0.01, "ratio"),
        ("turns.lost", "< 3", "<", 3.0, "count"),
        ("events.foreign", "== 0", "==", 0.0, "count"),
        ("events.lost.ratio", "< 0.1%", "<", 0.001, "ratio"),
        ("generator.cpu.max", "< 80%", "<", 0.8, "ratio"),
    ],
)
def test_thresholds_are_read(name: str, expression: str, operator: str, limit: float, unit: str) -> None:
    assert parse_threshold(name, expression, 2) == Threshold(name, expression, operator, limit, unit, 2)  # type: ignore[arg-type]  # literals


@pytest.mark.parametrize("name", ["turn.completion.p99.9", "turn.completion.p99_9"])
def test_p99_9_is_read_with_a_dot_and_an_underscore(name: str) -> None:
    assert parse_threshold(name, "< 1s").name == "turn.completion.p99_9"


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_metric_has_every_statistic(metric: str, statistic: str) -> None:
    assert split_metric(f"{metric}.{statistic}") == (metric, statistic)


@pytest.mark.parametrize(
    "name",
    ["turn.completion", "turn.completion.service", "turn.completion.p", "x.p95", "turn.completion.p100"],
)
def test_what_is_no_metric_and_statistic_is_none(name: str) -> None:
    assert split_metric(name) is None


@pytest.mark.parametrize(
    ("word", "q"),
    [("p50", 50.0), ("p99_9", 99.9), ("p99.99", 99.99), ("p5", 5.0), ("p0", None), ("max", None)],
)
def test_percentiles_are_told_apart_from_other_statistics(word: str, q: float | None) -> None:
    assert percentile(word) == q


@pytest.mark.parametrize(
    ("name", "expression", "sentence"),
    [
        ("turn.first_evnt.p95", "< 1s", 'did you mean "turn.first_event.p95"'),
        ("turns.completed.ratio", "> 1%", 'did you mean "turns.complete.ratio"'),
        ("turn.completion", "< 1s", "add a statistic"),
        ("connections.closed.99", "== 0", "did you mean"),
        ("closed.1006", "== 0", "is not a metric"),
        ("events.sent.ratio", "> 1%", "did you mean"),
        ("turns.due.ratio", "> 1%", "did you mean"),
        ("", "< 1s", "examples of metrics are"),
        ("zzzz", "< 1s", "examples of metrics are"),
        ("turn.completion.p95", "100ms", 'write for example "< 100ms"'),
        ("turn.completion.p95", "< ", "is not an operator with a value"),
        ("turn.completion.p95", "=< 1s", "is not an operator with a value"),
        ("turn.completion.p95", "< 100", "it has no unit"),
        ("turn.completion.p95", "< 99%", "is not a duration"),
        ("rates.turns_per_s", "> 20/week", "is not a rate"),
        ("rates.turns_per_s", "> fast", "is not a number"),
        ("turns.lost", "< 1%", 'for its ratio write "turns.lost.ratio"'),
        ("connections.ready", "> 90%", "is a percentage, but connections.ready is not a ratio"),
        ("turns.lost", "< -1", "is not a number"),
        ("turns.lost", "< 1.5", "is a count"),
        ("turns.lost.ratio", "< 150%", "more than 100%"),
    ],
)
def test_mistakes_are_one_sentence(name: str, expression: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        parse_threshold(name, expression)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("operator", "held_by"),
    [("<", {4}), ("<=", {4, 5}), (">", {6}), (">=", {5, 6}), ("==", {5}), ("!=", {4, 6})],
)
def test_a_promise_is_held_or_not(operator: str, held_by: set[int]) -> None:
    threshold = parse_threshold("turns.lost", f"{operator} 5")
    assert {value for value in (4, 5, 6) if held(threshold, value)} == held_by


@given(st.text(), st.text())
def test_anything_else_is_a_value_error(name: str, expression: str) -> None:
    try:
        parse_threshold(name, expression)
    except ValueError:
        return
    raise AssertionError("random text was read as a threshold")
