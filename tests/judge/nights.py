"""Histories: one judged manifest a night, of the few sections that a trend reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.judge.made import deep
from tests.judge.repeats import run, spread


def nights(values: Sequence[float | None], **more: Any) -> list[dict[str, Any]]:
    """A night for each p95, oldest first."""
    return [night(at, p95_ms=value, **more) for at, value in enumerate(values)]


def night(at: int, **more: Any) -> dict[str, Any]:
    """One night's run."""
    return run(at, **{"label": None, "id": f"n{at:03}", "started": day(at)} | more)


def day(at: int) -> str:
    """The instant of a night, a day after the one before."""
    month, rest = divmod(at, 28)
    return f"{2026 + month // 12}-{month % 12 + 1:02}-{rest + 1:02}T01:00:00Z"


def stepping(before: int, after: int, factor: float, cv: float = 0.03, seed: int = 1) -> list[float]:
    """p95 in ms of so many nights, with a step in between."""
    values = spread(50, cv, before + after, seed)
    return values[:before] + [value * factor for value in values[before:]]


def down(at: int, **more: Any) -> dict[str, Any]:
    """A night in which no connection was ever ready."""
    made = night(at, p95_ms=None, complete=None, **more)
    metric = {"turn.first_event": {"unit": "ms", "n": 0}}
    counts = {
        "connections": {"attempted": 4, "ready": 0},
        "turns": {"due": 1000, "complete": 0},
        "measured": {"turns": {"due": 0}},
    }
    verdict = {"outcome": "unreachable", "exit_code": 3, "thresholds": []}
    return deep(
        made, {"metrics": metric, "counts": counts, "rates": {"turns_per_s": None}, "verdict": verdict}
    )


def answering(at: int, failed: float, turns: int = 1000, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A night in which each turn fails with that chance."""
    rng = np.random.default_rng((seed, at))
    complete = turns - int(rng.binomial(turns, failed))
    made = night(at, p95_ms=float(50 * np.exp(rng.normal(0, 0.03))), **more)
    return deep(made, {"counts": {"measured": {"turns": {"due": turns, "complete": complete}}}})
