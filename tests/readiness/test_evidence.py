"""What a measurement says of an objective, also where only a bound is known."""

from __future__ import annotations

import pytest

from loadtest.readiness.evidence import Measure, keeps
from loadtest.readiness.objectives import parse_objective


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        (Measure(90.0, "ms", 40), True),
        (Measure(110.0, "ms", 40), False),
        (Measure(None, "ms", 4, "too few"), None),
        (Measure(99.0, "ms", 40, "the clock's step", (83.0, 115.0)), None),
        (Measure(50.0, "ms", 40, "the clock's step", (34.0, 66.0)), True),
        (Measure(None, "ms", 40, "below the clock's step", (0.0, 16.0)), True),
        (Measure(200.0, "ms", 40, "at least", (200.0, None)), False),
        (Measure(20.0, "ms", 40, "at least", (20.0, None)), None),
    ],
)
def test_a_promise_is_kept_missed_or_not_told(measure: Measure, told: object) -> None:
    assert keeps(parse_objective("< 100ms", "ms"), measure) is told
