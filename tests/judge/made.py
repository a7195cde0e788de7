"""Made-up runs: a good one of known numbers, and the pieces to make others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from loadtest.judge.judge_run import judge_run
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, PHASES, TURN, Interval
from loadtest.measure.totals import Totals

S = 1_000_000_000
MS = 1_000_000


def deep(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the changed leaves; a change of None removes."""
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = deep(merged[key], value)
        else:
            merged[key] = value
    return merged


def manifest(
    thresholds: Mapping[str, Any] | None = None, *, model: str = "open", **changes: Any
) -> dict[str, Any]:
    """Of 10 s, 4 connections, each a turn every second; ``changes`` are merged in, dots written ``__``."""
    base: dict[str, Any] = {
        "schema": "loadtest.run/1",
        "status": "complete",
        "interrupted": False,
        "target": {"url": "ws://127.0.0.1:9000/ws", "tls": False, "simulated": False},
        "scenario": {
            "name": "made",
            "settings": {
                "load": {"model": model},
                "traffic": {"every": "1s"},
                "thresholds": dict(thresholds or {}),
            },
        },
        "load": {
            "model": model,
            "planned": {
                "model": model,
                "connections": 4,
                "connect_rate": None,
                "duration_s": 10.0,
                "warmup_s": 0.0,
                "timeout_s": 5.0,
                "burst": 1,
                "turns_due": 40 if model == "open" else None,
            },
        },
        "clock": {"resolution_ns": 1, "step_ns": 0},
        "generator": {"processes": 1},
        "unmeasured": {},
        "observed": [],
    }
    for path, value in changes.items():
        change: Any = value
        for key in reversed(path.split("__")):
            change = {key: change}
        base = deep(base, change)
    return base


def histogram(values_ms: Iterable[float]) -> Histogram:
    made = Histogram()
    made.record(np.array([round(value * MS) for value in values_ms], np.int64))
    return made


def row(seq: int = 0, **fields: Any) -> dict[str, Any]:
    """A complete turn of five events: due at 0, sent after 1 ms, first event after 20, done after 100."""
    base: dict[str, Any] = {
        "seq": seq,
        "user": 0,
        "position": 0,
        "phase": "measured",
        "kind": 0,
        "outcome": "complete",
        "payload_crc": 0,
        "events": 5,
        "lost": 0,
        "duplicate": 0,
        "out_of_order": 0,
        "intended_ns": 0,
        "sent_ns": 1 * MS,
        "first_ns": 20 * MS,
        "done_ns": 100 * MS,
    }
    made = {**base, "waited_from_ns": fields.get("intended_ns", 0), **fields}
    return {**made, "phase": PHASES.index(made["phase"]), "outcome": OUTCOMES.index(made["outcome"])}


def table(rows: Iterable[Mapping[str, Any]]) -> np.ndarray:
    return np.array([tuple(each[name] for name in TURN.names or ()) for each in rows], TURN)


def good_turns(n: int = 40) -> np.ndarray:
    """One turn due every quarter second, as in ``good_totals``."""
    return table(
        row(i, intended_ns=(at := i * S // 4), sent_ns=at + MS, first_ns=at + 20 * MS, done_ns=at + 100 * MS)
        for i in range(n)
    )


COUNTERS: dict[str, int] = {
    "connections.attempted": 4,
    "connections.established": 4,
    "connections.ready": 4,
    "connections.left": 4,
    "turns.due": 40,
    "turns.begun": 40,
    "turns.complete": 40,
    "turns.numbered": 40,
    "events.sent": 40,
    "events.received": 200,
    "events.matched": 200,
    "events.expected": 200,
    "bytes.sent": 4_000,
    "bytes.received": 40_000,
}

HISTOGRAMS: dict[str, Sequence[float]] = {
    "connect.tcp": [0.1] * 4,
    "connect.upgrade": [0.4] * 4,
    "connect.ready": [0.2] * 4,
    "connect.total": [0.7] * 4,
    "turn.first_event": [20.0] * 40,
    "turn.first_event.service": [19.0] * 40,
    "turn.completion": [100.0] * 40,
    "turn.completion.service": [99.0] * 40,
    "event.gap": [20.0] * 160,
    "send.lateness": [1.0] * 40,
    "receive.lag": [0.05] * 200,
}


def totals(
    counters: Mapping[str, int] | None = None,
    histograms: Mapping[str, Sequence[float]] | None = None,
    *,
    seconds: int = 10,
    gauges: Mapping[str, float] | None = None,
    instants: Mapping[str, int] | None = None,
    moves: Sequence[tuple[int, int]] = (),
    phases: Mapping[str, Mapping[str, int]] | None = None,
) -> Totals:
    """Totals of exactly these counts, all in the first second; ``gauges`` are those of every second."""
    made = Totals()
    first = Interval(
        0,
        histograms={tag: histogram(values) for tag, values in (histograms or {}).items()},
        counters={
            "measured": dict(counters or {}),
            **{name: dict(each) for name, each in (phases or {}).items()},
        },
        gauges=dict(gauges or {}),
        instants=dict(instants or {}),
        moves=np.array(moves, np.int64).reshape(-1, 2),
    )
    for second in range(seconds):
        made.add(first if second == 0 else Interval(second, gauges=dict(gauges or {})))
    return made


def good_totals(
    counters: Mapping[str, int] | None = None,
    histograms: Mapping[str, Sequence[float] | None] | None = None,
    **fields: Any,
) -> Totals:
    """The totals of ``manifest()``: 40 turns, all complete; ``counters`` and ``histograms`` replace some."""
    changed = {**HISTOGRAMS, **(histograms or {})}
    base: dict[str, Any] = {
        "gauges": {"cpu": 0.2, "loop_lag_ns": 0.5 * MS},
        "instants": {"first_attempt": 0, "last_ready": 2 * S, "last_matched": 10 * S - 1},
        "moves": [(S // 2, 1), (S, 1), (3 * S // 2, 1), (2 * S, 1)],
    }
    kept = {tag: values for tag, values in changed.items() if values is not None}
    return totals({**COUNTERS, **(counters or {})}, kept, **{**base, **fields})


def judged(
    manifest_: Mapping[str, Any],
    totals_: Totals | None = None,
    turns: np.ndarray | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    return judge_run(manifest_, good_totals() if totals_ is None else totals_, turns, **kwargs)


def codes(run: Mapping[str, Any]) -> list[str]:
    return [notice["code"] for notice in run["notices"]]
