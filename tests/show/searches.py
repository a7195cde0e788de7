"""Searches of every kind: a target with a capacity, found, not reached, and one where we were the limit."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.errors import Exit
from loadtest.judge.knee import ProbeResult, Search, knee
from loadtest.judge.load_search import SearchProbe, find

CODES = {"h": Exit.PASS, "m": Exit.FAIL, "i": Exit.INVALID, "u": Exit.UNREACHABLE, "x": Exit.INTERRUPTED}


def searched(
    probes: Sequence[tuple[float, str]], *, capacity: float = 1_000.0, over: str = "connections"
) -> Search:
    """``probes`` are loads with the answer's first letter; each connection asks for five turns a second."""
    tries = []
    for load, letter in probes:
        asked = load * 5
        p95 = 20.0 + 400.0 * max(0.0, asked / capacity - 0.9)
        reason = "1 of 3 thresholds missed: turn.first_event.p95 was 132 ms, not < 100ms."
        tries.append(
            ProbeResult(
                SearchProbe(load, CODES[letter]),
                f"20261122T121530Z-burst-search-{load:g}",
                reason,
                asked,
                min(asked, capacity),
                p95,
                round(asked * 10),
                0.4,
            )
        )
    return Search(
        "agent-burst",
        "search-v1.4.0",
        "ws://staging.example:8000/ws",
        True,
        over,
        "2026-11-22T12:15:30Z",
        184.0,
        0.05,
        "turn.first_event",
        ("turn.first_event.p95 < 100ms", "turns.complete.ratio >= 99%"),
        ("turns.complete.ratio >= 99%",),
        tuple(tries),
        find([each.probe for each in tries]),
        knee(tries),
    )


SEARCHES = {
    "found": searched(
        [
            (20, "h"),
            (40, "h"),
            (80, "h"),
            (160, "h"),
            (320, "m"),
            (226, "m"),
            (190, "h"),
            (207, "m"),
            (198, "h"),
            (198, "h"),
            (207, "m"),
            (207, "m"),
            (198, "h"),
        ]
    ),
    "above": searched([(20, "h"), (40, "h"), (50, "h")]),
    "below": searched([(2_000, "m"), (1_000, "m"), (1, "m")], capacity=1.0),
    "invalid": searched([(20_000, "h"), (40_000, "i"), (40_000, "i")], capacity=1e9, over="rate"),
    "unreachable": searched([(20, "h"), (40, "u")]),
    "interrupted": searched([(20, "h"), (40, "x")]),
}
