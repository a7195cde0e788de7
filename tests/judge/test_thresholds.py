from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loadtest.judge.threshold_measurement import Measurement
from loadtest.judge.thresholds import decide
from loadtest.plan.threshold import Threshold, held, parse_threshold

OPERATORS = ("<", "<=", ">", ">=", "==", "!=")


def limit(expression: str) -> Threshold:
    return parse_threshold("turn.completion.p95", expression)


def test_what_was_not_measured_is_neither_held_nor_missed() -> None:
    assert decide(limit("< 1ms"), Measurement(None, 0, "why")) == "not_measured"


@pytest.mark.parametrize(("value", "outcome"), [(99.9, "held"), (100.0, "missed")])
def test_an_exact_value_decides(value: float, outcome: str) -> None:
    assert decide(limit("< 100ms"), Measurement(value, 1)) == outcome


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("< 100ms", "held"),
        ("< 15.6ms", "held"),
        ("< 10ms", "not_measured"),
        ("<= 15.6ms", "held"),
        ("> 100ms", "missed"),
        ("> 10ms", "not_measured"),
        (">= 0ms", "held"),
        ("== 100ms", "missed"),
        ("!= 100ms", "held"),
        ("== 10ms", "not_measured"),
    ],
)
def test_a_duration_below_the_clocks_step_is_decided_by_that_bound(expression: str, outcome: str) -> None:
    assert decide(limit(expression), Measurement(None, 40, "", (0.0, 15.6))) == outcome


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("> 20/s", "held"),
        (">= 100/s", "held"),
        ("> 100/s", "not_measured"),
        ("< 20/s", "missed"),
        ("< 100/s", "missed"),
        ("<= 100/s", "not_measured"),
    ],
)
def test_without_an_upper_end_only_the_lower_one_decides(expression: str, outcome: str) -> None:
    threshold = parse_threshold("rates.turns_per_s", expression)
    assert decide(threshold, Measurement(None, 4, "", (100.0, None))) == outcome


@given(
    st.sampled_from(OPERATORS),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 20),
    st.fractions(0, 1, max_denominator=16).filter(lambda part: part < 1),
)
def test_a_bound_never_contradicts_a_value_within_it(
    operator: str, edge: int, low: int, width: int, part: float
) -> None:
    threshold = Threshold("turn.completion.p95", "", operator, float(edge), "ms")  # type: ignore[arg-type]  # drawn from all
    outcome = decide(threshold, Measurement(None, 1, "", (float(low), float(low + width))))
    assume(outcome != "not_measured")
    assert (outcome == "held") is held(threshold, low + float(part) * width)
