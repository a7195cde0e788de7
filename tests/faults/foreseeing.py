"""What a fault will strike, known from its seed before a byte is sent."""

from __future__ import annotations

from loadtest.simulator.events import turn_events
from loadtest.simulator.fault_options import NumberAndShare
from loadtest.simulator.faults import Faults, parse_faults
from loadtest.simulator.script import make_script
from tests.faults.rows import Row

SEED = 1
"""Of every simulator here."""

OF_CONNECTIONS = {
    "refuse",
    "close-after-accept",
    "invalid-close-code",
    "auth-after-accept",
    "cold-start",
    "slow-ready",
}
"""Faults that strike connections, by their number."""

OF_TURNS = {
    "batch",
    "blackhole",
    "cut",
    "drop",
    "duplicate",
    "huge",
    "leak",
    "malformed",
    "reorder",
    "stall",
    "unpaired",
}
"""Faults that strike turns and events, by the turn's id. What others strike depends on when things happen, or
is everything."""

Deed = list[str | int]


def foreseen(row: Row) -> list[Deed] | None:
    """What the fault of a row will strike; None where that is not known before."""
    faults = parse_faults(row.faults, SEED)
    if row.name in OF_CONNECTIONS:
        share = _share(faults, row.name)
        numbers = range(1, row.plan.connections + 1)
        return [[number] for number in numbers if faults.strikes(row.name, share, number)]
    if row.name not in OF_TURNS or ends_early(row):
        return None
    return [deed for nth in range(row.plan.connections) for deed in _on_connection(row, faults, nth)]


def ends_early(row: Row) -> bool:
    """Whether we end the connection while the simulator still speaks: then it may strike more than we see."""
    return any(change.counter == "connections.ended_by_us.too_long" for change in row.changes)


def _share(faults: Faults, name: str) -> float:
    value = getattr(faults, {"cold-start": "cold_start_ns"}.get(name, name.replace("-", "_")), None)
    return value.share if isinstance(value, NumberAndShare) else 1.0


def _on_connection(row: Row, faults: Faults, connection: int) -> list[Deed]:
    deeds: list[Deed] = [
        [turn_id, step.seq, step.kind]
        for turn_id in row.plan.turns_of(connection)
        for step in make_script(faults, turn_id, turn_events(2))
        if step.fault == row.name
    ]
    # What was sent after the cut is never read.
    return deeds[:1] if row.name == "cut" else deeds
