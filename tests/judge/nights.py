"""Histories: one judged manifest a night, of the few sections that a trend reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
