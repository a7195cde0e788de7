"""The few runs that faults are held against: small variants of ``agent-burst``, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loadtest.plan.shipped import shipped_text
from loadtest.simulator.events import turn_events

PER_TURN = len(turn_events(2))
"""Events of one honest turn."""

BURST = 5

THRESHOLDS = {
    "turns.complete.ratio": ">= 100%",
    "connections.refused": "== 0",
    "connections.closed": "== 0",
    "events.lost": "== 0",
    "events.duplicate": "== 0",
    "events.out_of_order": "== 0",
}
"""What every run is judged by; the run without faults holds all of it."""

NUMBERED = ("lost", "duplicate", "out_of_order")
"""Event counters that need sequence numbers."""

NOISE = {
    "coalesced_reads": "the kernel decides whether one read brings several events",
    "generator_starved": "it depends on what else runs on this machine, not on the target",
    "generator_late": "it depends on this machine while it runs tests, not on the target",
}
"""Notices that may come and go between two runs without faults."""

INFORMATIONAL = {"simulated_target": "the target is the simulator"}
"""Notices that every run without faults has."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run's load. Every connection gets ``bursts`` bursts of five turns."""

    name: str
    about: str
    connections: int
    bursts: int
    sets: tuple[str, ...]

    @property
    def each(self) -> int:
        """Turns due on one connection."""
        return self.bursts * BURST

    @property
    def due(self) -> int:
        """Turns due."""
        return self.connections * self.each

    def turns_of(self, connection: int) -> list[str]:
        """The ids of the turns of one connection, in the order they are due."""
        return [f"turn-{connection + self.connections * nth}" for nth in range(self.each)]


STEADY = Plan(
    name="steady",
    about="6 connections, with a burst every 250 ms on each, for 1 s",
    connections=6,
    bursts=4,
    sets=("load.connections=6", "traffic.every=250ms"),
)
ONCE = Plan(
    name="once",
    about="12 connections, with one burst on each, all at once",
    connections=12,
    bursts=1,
    sets=("load.connections=12", "traffic.every=1s", "traffic.phase=together", f"traffic.turns={BURST}"),
)
PINGED = Plan(
    name="pinged",
    about="as once; then each connection stays open for the rest of 1 s, with a ping every 400 ms",
    connections=12,
    bursts=1,
    sets=(
        "load.connections=12",
        "traffic.every=10s",
        "traffic.phase=together",
        "traffic.ping=400ms",
        "traffic.ping_timeout=400ms",
    ),
)
UNHURRIED = Plan(
    name="unhurried",
    about="6 connections, with a burst every 700 ms on each, for 2.1 s",
    connections=6,
    bursts=3,
    sets=("load.connections=6", "load.duration=2100ms", "traffic.every=700ms"),
)
ONE_IDENTITY = Plan(
    name="one identity",
    about="as once, all connections with the same identity",
    connections=ONCE.connections,
    bursts=ONCE.bursts,
    sets=(*ONCE.sets, 'target.headers={"X-User-Id" = "one-for-all"}'),
)
SMALL_MESSAGES = Plan(
    name="small messages",
    about='as once, with target.max_message = "64KiB"',
    connections=ONCE.connections,
    bursts=ONCE.bursts,
    sets=(*ONCE.sets, "target.max_message=64KiB"),
)
FOREIGN_ALLOWED = Plan(
    name="foreign allowed",
    about='as steady, with the threshold "events.foreign" = "<= 1000"',
    connections=STEADY.connections,
    bursts=STEADY.bursts,
    sets=(*STEADY.sets, 'thresholds.events.foreign="<= 1000"'),
)

PLANS = (STEADY, ONCE, UNHURRIED, PINGED, ONE_IDENTITY, SMALL_MESSAGES, FOREIGN_ALLOWED)

SCENARIO = """\
# Is every fault of the target seen, and none invented?
name = "faults"
protocol = "protocol.toml"

[target]
url = "simulator"

[load]
duration = "1s"

[traffic]
burst = {burst}
timeout = "2s"

[thresholds]
{thresholds}
"""


def write_scenario(folder: Path) -> Path:
    """The scenario of all plans, beside a protocol whose turn ids are known before the run.

    ``hasty.toml`` is the same protocol, but waits only 200 ms to get ready.
    """
    told = shipped_text("protocol", "agent-events")
    numbered = told.replace('id = "{uuid}"', 'id = "turn-{turn.number}"')
    assert numbered != told
    (folder / "protocol.toml").write_text(numbered, "utf-8")
    hasty = numbered.replace('within = "10s"', 'within = "200ms"')
    assert hasty != numbered
    (folder / "hasty.toml").write_text(hasty, "utf-8")
    thresholds = "\n".join(f'"{name}" = "{expression}"' for name, expression in THRESHOLDS.items())
    scenario = folder / "faults.toml"
    scenario.write_text(SCENARIO.format(burst=BURST, thresholds=thresholds), "utf-8")
    return scenario
