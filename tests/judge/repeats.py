"""Judged manifests of repeats: made of the few sections that a comparison reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from loadtest.judge.samples import Side, side
from loadtest.measure.interval import OUTCOMES

SHA = "ab" * 32


def run(
    number: int = 0,
    *,
    label: str = "v1",
    p95_ms: float | None = 50.0,
    complete: float | None = 1.0,
    thresholds: Mapping[str, Any] | None = None,
    outcomes: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One judged run; ``outcomes`` says what became of each threshold, held by default."""
    promised = {"turn.first_event.p95": "< 100ms"} if thresholds is None else thresholds
    metric = {"unit": "ms", "n": 1000, "p50": 20.0, "p95": p95_ms, "p99": 80.0, "reasons": {}}
    due = 1000 if complete is not None else 0
    turns = dict.fromkeys(OUTCOMES, 0) | {"due": due, "complete": round(due * (complete or 0))}
    manifest: dict[str, Any] = {
        "schema": "loadtest.run/1",
        "id": f"2026-{label}-{number}",
        "label": label,
        "status": "complete",
        "started": f"2026-11-22T12:{number:02}:00Z",
        "scenario": {
            "name": "made",
            "sha256": SHA,
            "settings": {"load": {"model": "open"}, "traffic": {"every": "1s"}, "thresholds": dict(promised)},
        },
        "target": {"url": "ws://host/ws", "server": "made/1", "simulated": False},
        "load": {
            "model": "open",
            "planned": {"connections": 4, "duration_s": 10.0},
            "achieved": {"begun_ratio": 1.0},
        },
        "metrics": {"turn.first_event": metric},
        "counts": {"measured": {"turns": turns}},
        "rates": {"turns_per_s": {"value": 100.0, "n": 1000, "bound": "plan"}},
        "unmeasured": {},
        "notices": [],
        "verdict": {
            "outcome": "pass",
            "thresholds": [
                {"name": name, "expression": says, "outcome": (outcomes or {}).get(name, "held")}
                for name, says in promised.items()
            ],
        },
        "fingerprint": {"machine": "one", "kernel": "6.1", "cpu": "made", "libraries": {"numpy": "2.4"}},
    }
    return manifest | more


def repeats(label: str, values: Sequence[float | None], **more: Any) -> Side:
    """A side of runs with these p95."""
    return side(label, [run(at, label=label, p95_ms=value, **more) for at, value in enumerate(values)])


def spread(middle: float, cv: float, n: int, seed: int = 0) -> list[float]:
    """Values around a middle: lognormal, of that coefficient of variation."""
    rng = np.random.default_rng(seed)
    return [float(value) for value in middle * np.exp(rng.normal(0, np.sqrt(np.log(1 + cv**2)), n))]
