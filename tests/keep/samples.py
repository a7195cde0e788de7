"""Intervals of a small made-up run, and where its folder is put."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.keep.manifest import SCHEMA
from loadtest.keep.redact import Redactor
from loadtest.keep.write import RunFolder
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import OUTCOMES, TURN, Interval

STARTED = datetime(2026, 11, 22, 12, 15, 30, 250_000, tzinfo=UTC)
MS = 1_000_000


def holding(*values: int) -> Histogram:
    histogram = Histogram()
    histogram.record(np.array(values, np.int64))
    return histogram


def turns(first_seq: int, n: int, outcome: str = "complete") -> np.ndarray[Any, np.dtype[np.void]]:
    made = np.zeros(n, TURN)
    # In the order of ending, which is not that of being due.
    made["seq"] = np.arange(first_seq, first_seq + n)[::-1]
    made["outcome"] = OUTCOMES.index(outcome)
    made["intended_ns"] = made["seq"] * MS
    made["waited_from_ns"] = made["intended_ns"]
    made["done_ns"] = made["intended_ns"] + 3 * MS
    return made


def frame(kind: str, seq: int, took_ns: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "seq": seq,
        "intended_ns": 5,
        "done_ns": 5 + took_ns,
        "frames": [[5, "hello"]],
        **more,
    }


def second(number: int, n: int = 5) -> Interval:
    """A second in which ``n`` turns ended."""
    rng = np.random.default_rng(number)
    return Interval(
        second=number,
        histograms={
            "turn.completion": holding(*rng.integers(0, 50 * MS, n)),
            "turn.first_event": holding(*rng.integers(0, 9 * MS, n)),
            "warmup:turn.completion": holding(*rng.integers(0, 9 * MS, 2)),
            "connect.total": Histogram(),
        },
        counters={"measured": {"turns.complete": n, "events.sent": n, "events.received": 3 * n}},
        gauges={"users": 4.0, "ready": 3.0, "cpu": 0.25, "loop_lag_ns": 1.5 * MS},
        instants={"first_attempt": 7, "last_ready": 9 + number},
        moves=np.array([[number * 1000, 1]], np.int64),
        turns=turns(number * n, n),
        frames=[frame("slowest", number, 10 + number)],
    )


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "label": None,
        "scenario": {"name": "chat"},
        "started": "2026-11-22T12:15:30.250000Z",
        "ended": "2026-11-22T12:15:40.250000Z",
        "interrupted": False,
        "target": {"url": "simulator", "simulated": True},
        "verdict": {"outcome": "pass"},
        "observed": [],
        **more,
    }


def write_run(results: Path, seconds: list[Interval], *, close: bool = True, **more: Any) -> Path:
    """The folder of a run of these seconds; not closed, it is what a killed process leaves."""
    made = RunFolder.create(results, "chat", more.get("label"), STARTED, Redactor())
    made.manifest(manifest(id=made.id, **({} if close else {"ended": None}), **more))
    for interval in seconds:
        made.interval(interval)
    as_killed = Path(shutil.copytree(made.path, results / "as-killed"))
    made.close()
    if not close:
        shutil.rmtree(made.path)
        as_killed.rename(made.path)
    shutil.rmtree(as_killed, ignore_errors=True)
    return made.path
