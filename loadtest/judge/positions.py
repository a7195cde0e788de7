"""Latency by position in the burst: does the fifth message of a burst wait for the first four?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.judge.measurement_window import Turns, measured_turns
from loadtest.judge.ranks import nearest_rank, needed, part_of
from loadtest.judge.sections import NS_PER_MS

Instants = npt.NDArray[np.int64]


def burst_positions(turns: Turns | None, tick_ns: int = 1) -> list[dict[str, Any]]:
    """One row per place in the burst, from 0, of turns of the measured part; empty without bursts.

    ``turns`` is how many turns stood there. ``first_event`` and ``completion`` are response times in
    milliseconds, ``{n, p50, p95, max}``, of those turns that came to it; null where n or the clock
    (``tick_ns``) does not support it. All are of the turn table, which is exact, not bucketed.
    """
    rows = measured_turns(turns)
    if rows is None or not len(rows) or not rows["position"].any():
        return []
    ordered = rows[np.argsort(rows["position"], kind="stable")]
    places, starts = np.unique(ordered["position"], return_index=True)
    return [
        {
            "position": int(place),
            "turns": len(group),
            "first_event": _describe(_waited(group, "first_ns"), tick_ns),
            "completion": _describe(_waited(group[group["outcome"] == 0], "done_ns"), tick_ns),
        }
        for place, group in zip(places, np.split(ordered, starts[1:]), strict=True)
    ]


def _waited(rows: Turns, until: str) -> Instants:
    """Response times, ascending, of the rows that came to ``until``."""
    came = rows[rows[until] >= 0]
    waited: Instants = np.sort(np.maximum(came[until] - came["intended_ns"], 0))
    return waited


def _describe(waited: Instants, tick_ns: int) -> dict[str, Any]:
    n = len(waited)
    ranks = {name: nearest_rank(part_of(name), n) for name in ("p50", "p95") if n >= needed(part_of(name))}
    ranks |= {"max": n} if n else {}
    values = {name: int(waited[rank - 1]) for name, rank in ranks.items()}
    shown = {name: value / NS_PER_MS for name, value in values.items() if value >= tick_ns}
    return {"n": n, **{name: shown.get(name) for name in ("p50", "p95", "max")}}
