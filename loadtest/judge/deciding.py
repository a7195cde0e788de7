"""Held, missed or not measured: one threshold against one measurement."""

from __future__ import annotations

from typing import Literal

from loadtest.judge.measured import Bound, Measurement
from loadtest.plan.threshold import Threshold, held

Outcome = Literal["held", "missed", "not_measured"]


def decide(threshold: Threshold, measured: Measurement) -> Outcome:
    """What a measurement says of a threshold.

    Where only a bound is known, or the value is exact only to a bound, every value within must say the
    same; else the threshold is not measured.
    """
    if measured.bound is not None:
        return _decide_bound(threshold, measured.bound)
    if measured.value is None:
        return "not_measured"
    return "held" if held(threshold, measured.value) else "missed"


def _decide_bound(threshold: Threshold, bound: Bound) -> Outcome:
    low, high = bound
    limit, operator = threshold.limit, threshold.operator
    below = high is not None and high <= limit
    above = low > limit
    if operator in {"==", "!="}:
        differs: Outcome = "missed" if operator == "==" else "held"
        return differs if below or above else "not_measured"
    # The lower end may be met itself: at the limit it is not below it.
    beyond = above or (low == limit and operator in {"<", ">="})
    if operator in {"<", "<="}:
        return "held" if below else "missed" if beyond else "not_measured"
    return "held" if beyond else "missed" if below else "not_measured"
