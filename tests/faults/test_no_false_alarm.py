"""Runs without a fault, twenty times over: nothing is found that is not there."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Look
from tests.faults.plans import INFORMATIONAL, NOISE, ONCE, PINGED, STEADY
from tests.faults.running import Found, Job

pytestmark = pytest.mark.long

SHAPES = {
    "steady": Job(STEADY),
    "once": Job(ONCE),
    "pinged, with heartbeats": Job(PINGED, options={"heartbeat_ns": 100_000_000}),
    "a stream at its own pace": Job(STEADY, ("delay=uniform:5ms,50ms", "gap=exp:5ms")),
    "at random": Job(STEADY, sets=("traffic.arrivals=poisson",)),
    "each after the other": Job(STEADY, sets=("load.model=closed", "traffic.every=20ms", "traffic.turns=20")),
    "compressed": Job(STEADY, sets=("target.compression=true",), options={"compression": True}),
    "warmed up": Job(STEADY, sets=("load.warmup=500ms", "load.connect_rate=20/s")),
}
"""What a fault could be mistaken for: bursts, pings, a slow stream, chance, a warm-up."""

SEEDS = range(1, 21)

SOUND = {
    "connections.attempted",
    "connections.due",
    "connections.established",
    "connections.ready",
    "connections.peak",
    "connections.left",
    "events.sent",
    "events.received",
    "events.expected",
    "events.matched",
    "events.coalesced",
    "events.heartbeat",
    "turns.due",
    "turns.begun",
    "turns.complete",
    "turns.marked",
    "turns.numbered",
    "pings.sent",
    "pings.answered",
    "pings.in_flight",
    "bytes.sent",
    "bytes.received",
    "compression.negotiated",
    "compression.received_payload",
    "compression.received_wire",
    "compression.received_ratio",
}
"""The counters that rise in a run without faults; every other one tells of trouble."""


def repeat(seed: int) -> Job:
    shape = list(SHAPES.values())[seed % len(SHAPES)]
    return Job(shape.plan, shape.faults, (*shape.sets, f"load.seed={seed}"), shape.options, seed=seed)


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(
            repeat(seed),
            id=f"{seed}, {list(SHAPES)[seed % len(SHAPES)]}",
            marks=pytest.mark.jobs(repeat(seed)),
        )
        for seed in SEEDS
    ],
)
def test_nothing_is_found_where_nothing_is(job: Job, look: Look) -> None:
    found = look(job)
    assert found.code == 0, found.manifest["verdict"]["reason"]
    assert set(found.counts) <= SOUND
    assert set(found.notices) - set(NOISE) == set(INFORMATIONAL)
    assert {row["kind"] for row in found.evidence} == {"slowest"}
    agrees_with_the_simulator(found)


def agrees_with_the_simulator(found: Found) -> None:
    counts, stats = found.counts, found.stats
    assert counts["turns.complete"] == counts["turns.due"] == stats["turns"]["completed"] > 0
    assert counts["events.received"] == counts["events.matched"] == stats["events"]["sent"]
    assert counts["events.sent"] == stats["turns"]["begun"]
    assert counts["connections.ready"] == stats["connections"]["ready"]
    assert counts["connections.left"] == stats["connections"]["closed_by_client"]["1000"]
    assert counts.get("pings.sent", 0) == stats["pings"]["received"]
    # A heartbeat may be on its way when a user leaves: nobody reads it then.
    heard = counts.get("events.heartbeat", 0)
    assert heard <= stats["heartbeats"]["sent"] <= heard + counts["connections.left"]
