"""Trends to draw: histories of made-up nights."""

from __future__ import annotations

import functools
from typing import Any

from sample import EVIL

from loadtest.judge.history import history
from loadtest.judge.trend import Trend, trend
from tests.judge.made import deep
from tests.judge.nights import answering, down, nights, stepping

P95 = "turn.first_event.p95"
LONG = "release-2026.11.22-rc1+with.a.name.that.goes.on"


def _of(values: list[Any], change: dict[str, Any] | None = None, **more: Any) -> Trend:
    return trend(history([deep(each, change or {}) for each in nights(values)]), **more)


@functools.cache
def stepped() -> Trend:
    """A step, a label and a commit with it, and an odd run before."""
    runs = nights([*stepping(15, 0, 1.0), 90.0, *stepping(5, 12, 1.3, seed=3)])
    after = {"label": "v2", "fingerprint": {"git": {"commit": "c" * 40}}, "target": {"simulated": True}}
    runs = [deep(each, {"target": {"simulated": True}}) for each in runs[:21]] + [
        deep(each, after) for each in runs[21:]
    ]
    return trend(history(runs))


@functools.cache
def steady() -> Trend:
    """Nothing happens."""
    return _of(stepping(40, 0, 1.0))


@functools.cache
def tonight() -> Trend:
    """The newest run alone is slower."""
    return _of(stepping(10, 1, 1.3))


@functools.cache
def many() -> Trend:
    """A change every five runs, each with a long label."""
    values = [value for at in range(30) for value in stepping(5, 0, 1.0, seed=at, cv=0.001)]
    values = [value * (1.5 if at // 5 % 2 else 1.0) for at, value in enumerate(values)]
    runs = nights(values)
    return trend(history([deep(each, {"label": LONG}) for each in runs]))


@functools.cache
def year() -> Trend:
    """365 nights."""
    return _of(stepping(200, 165, 1.2))


@functools.cache
def one() -> Trend:
    """A single run."""
    return _of([50.0])


@functools.cache
def unmeasured() -> Trend:
    """What decides was never measured."""
    return _of([None] * 12)


@functools.cache
def promised() -> Trend:
    """A threshold among the runs, and a baseline."""
    return _of([value * 2 for value in stepping(20, 0, 1.0)], baseline="n003")


@functools.cache
def failing() -> Trend:
    """Every second of the last ten nights the target was down."""
    runs = nights(stepping(20, 0, 1.0))
    return trend(history(down(at) if at in {10, 12, 14, 16, 18} else each for at, each in enumerate(runs)))


@functools.cache
def missing() -> Trend:
    """The newest run fits its level, and misses its own threshold."""
    runs = nights(stepping(20, 0, 1.0), thresholds={P95: "< 49ms"}, outcomes={P95: "missed"})
    return trend(history(deep(each, {"verdict": {"outcome": "fail"}}) for each in runs))


@functools.cache
def losing() -> Trend:
    """The share of failures rises from 0 to 4.5 %."""
    return trend(history(answering(at, 0.0 if at < 20 else 0.045) for at in range(30)))


@functools.cache
def nothing() -> Trend:
    """No run counts."""
    return _of([50.0], {"status": "cut short"})


@functools.cache
def hostile() -> Trend:
    """Names from elsewhere that try to be something else."""
    change = {"label": EVIL, "scenario": {"name": EVIL}, "fingerprint": {"machine": EVIL}}
    return _of(stepping(10, 6, 1.3), {**change, "id": EVIL})


TRENDS = {
    made.__name__: made
    for made in (
        stepped,
        steady,
        tonight,
        many,
        year,
        one,
        unmeasured,
        promised,
        failing,
        missing,
        losing,
        nothing,
        hostile,
    )
}
