"""Repeated load looks over the time of a canary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import WebsocketProbe
from loadtest.readiness.probes import websocket
from loadtest.readiness.probes.probe_context import ProbeContext
from loadtest.readiness.probes.websocket import probe_websocket

LOOKS = {
    "good": Evidence("answered", "20 of 20 turns complete", 1.0),
    "bad": Evidence("answered", "9 of 20", 1.0, "run", issues=("missed",), missed=("turns.complete.ratio",)),
    "down": Evidence("failed", "nothing was ever answered", 1.0, "timeout"),
    "unknown": Evidence("unasked", "the generator was busy", None, "generator"),
}


@pytest.mark.parametrize(
    ("looks", "limit", "outcome", "made", "missed"),
    [
        ("good good good", 0, "answered", 3, False),
        ("good bad good", 0, "answered", 2, True),
        ("good bad good", 1, "answered", 3, False),
        ("good good bad", 1, "answered", 3, False),
        ("bad down good", 1, "failed", 2, False),
        ("good unknown good", 1, "unasked", 3, False),
        ("unknown bad bad", 1, "answered", 3, True),
    ],
)
def test_so_many_looks_may_fail_and_one_more_ends_them(
    monkeypatch: pytest.MonkeyPatch, looks: str, limit: int, outcome: str, made: int, *, missed: bool
) -> None:
    now, begun = [0.0], list[float]()
    left: Iterator[str] = iter(looks.split())

    def look(*_: object) -> Evidence:
        begun.append(now[0])
        now[0] += 5
        return LOOKS[next(left)]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(websocket, "_look", look)
    context = ProbeContext(Path(), {}, Path(), 1e9, clock=lambda: now[0], rest=sleep)
    found = probe_websocket(WebsocketProbe("agent-burst", count=3, every_s=60, failure_limit=limit), context)
    assert (found.outcome, bool(found.missed)) == (outcome, missed)
    assert begun == [0.0, 60.0, 120.0][:made]
    assert len([line for line in found.lines if line.startswith("run ")]) == made
    if limit and outcome == "answered" and "bad" in looks:
        assert "of 3 runs failed; 1 may fail" in found.said
