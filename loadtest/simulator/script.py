"""The answer to one turn: which events, in which order, when, after the faults. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from loadtest.simulator.events import COMPLETED, ECHO, EXECUTED, EXECUTING, PARTIAL, STARTED, THINKING
from loadtest.simulator.fault_options import Hit
from loadtest.simulator.faults import Faults


class Act(enum.Enum):
    """What one step of a script does."""

    EVENT = enum.auto()
    """Send the event ``kind`` with number ``seq``."""
    HUGE = enum.auto()
    """The same, padded to the size that the fault asks for."""
    BROKEN = enum.auto()
    """Send a copy of the event that was cut in the middle of its JSON."""
    FOREIGN = enum.auto()
    """Send an event of this kind that belongs to another user."""
    MARK = enum.auto()
    """Send nothing; say that the fault was done."""
    CLOSE = enum.auto()
    """Close the connection."""


class ScriptStep(NamedTuple):
    """One step, ``at_ns`` after the turn's message arrived; ``fault`` is empty where nothing is injected."""

    at_ns: int
    act: Act
    kind: str
    seq: int
    fault: str = ""


DELTAS = 5
"""Partial results of a turn that is streamed."""

PACE = {STARTED: 0.025, THINKING: 0.025, EXECUTING: 0.2, EXECUTED: 0.3, PARTIAL: 0.08, COMPLETED: 0.05}
"""The usual part of a turn that passes before each event of it, in all the whole with ``DELTAS``."""


def make_script(faults: Faults, turn_id: str, kinds: tuple[str, ...]) -> list[ScriptStep]:
    """The steps of one turn, in order of time. The same for the same arguments, whatever else happens.

    Events are numbered from 0. An event that is dropped keeps its number; one that was never made
    (``unpaired``) has none, so that the numbers of what is sent have no gap.
    """
    if faults.strikes("blackhole", faults.blackhole, turn_id):
        return [ScriptStep(0, Act.MARK, "", 0, "blackhole")]
    steps = _honest(faults, turn_id, kinds)
    if faults.strikes("unpaired", faults.unpaired, turn_id) and EXECUTED in kinds:
        steps = _honest(faults, turn_id, tuple(kind for kind in kinds if kind != EXECUTED))
        steps.insert(3, ScriptStep(steps[2].at_ns, Act.MARK, EXECUTED, 0, "unpaired"))
    steps = _stalled(faults, turn_id, steps)
    steps = _batched(faults, steps)
    steps = _reordered(faults, turn_id, steps)
    steps = [after for step in steps for after in _altered(faults, turn_id, step)]
    return _cut(faults, turn_id, steps)


def _honest(faults: Faults, turn_id: str, kinds: tuple[str, ...]) -> list[ScriptStep]:
    at_ns = faults.delay.draw(faults.chance("delay", turn_id)) if faults.delay else 0
    steps = []
    for seq, kind in enumerate(kinds):
        if faults.stream_ns is not None:
            at_ns += _paced(faults, turn_id, kind, seq)
        if seq and faults.gap:
            at_ns += faults.gap.draw(faults.chance("gap", turn_id, seq))
        steps.append(ScriptStep(at_ns, Act.EVENT, kind, seq))
    return steps


def _paced(faults: Faults, turn_id: str, kind: str, seq: int) -> int:
    """How long an agent takes before an event: half to one and a half of its usual part of the turn."""
    usual = (faults.stream_ns or 0) * PACE.get(kind, 0.0)
    return round(usual * (0.5 + faults.chance("stream", turn_id, seq)))


def _stalled(faults: Faults, turn_id: str, steps: list[ScriptStep]) -> list[ScriptStep]:
    """Everything from the middle on comes later."""
    stall = faults.stall
    if stall is None or not faults.strikes("stall", stall.share, turn_id):
        return steps
    middle = len(steps) // 2
    late = [step._replace(at_ns=step.at_ns + stall.for_ns) for step in steps[middle:]]
    return [*steps[:middle], ScriptStep(steps[middle].at_ns, Act.MARK, "", 0, "stall"), *late]


def _batched(faults: Faults, steps: list[ScriptStep]) -> list[ScriptStep]:
    """All events at the instant of the last; where events take no time, the fault's own time passes."""
    if faults.batch_ns is None:
        return steps
    at_ns = steps[-1].at_ns or faults.batch_ns
    return [ScriptStep(at_ns, Act.MARK, "", 0, "batch"), *(step._replace(at_ns=at_ns) for step in steps)]


def _reordered(faults: Faults, turn_id: str, steps: list[ScriptStep]) -> list[ScriptStep]:
    """Neighbours are swapped; their instants stay, so that the stream keeps its rhythm."""
    if not faults.reorder:
        return steps
    after = list(steps)
    index = 0
    while index + 1 < len(after):
        first, second = after[index], after[index + 1]
        if _may_swap(first, second) and faults.strikes("reorder", faults.reorder, turn_id, first.seq):
            after[index] = second._replace(at_ns=first.at_ns)
            after[index + 1] = first._replace(at_ns=second.at_ns)
            after.insert(index + 2, ScriptStep(second.at_ns, Act.MARK, first.kind, first.seq, "reorder"))
            index += 2
        index += 1
    return after


def _may_swap(first: ScriptStep, second: ScriptStep) -> bool:
    """Only neighbours whose order no rule but their numbers speaks of: not the ends, not the pair itself."""
    kinds = {first.kind, second.kind}
    whole = first.act is Act.EVENT and second.act is Act.EVENT
    return whole and not kinds & {STARTED, COMPLETED, ECHO} and kinds != {EXECUTING, EXECUTED}


def _altered(faults: Faults, turn_id: str, step: ScriptStep) -> Iterator[ScriptStep]:
    """One event after what happens to it alone: dropped, accompanied, padded, sent twice."""
    if step.act is not Act.EVENT:
        yield step
        return
    if _hit(faults, "drop", faults.drop, turn_id, step):
        yield step._replace(act=Act.MARK, fault="drop")
        return
    if _hit(faults, "malformed", faults.malformed, turn_id, step):
        yield step._replace(act=Act.BROKEN, fault="malformed")
    if step.kind != ECHO and _hit(faults, "leak", faults.leak, turn_id, step):
        yield step._replace(act=Act.FOREIGN, fault="leak")
    if faults.huge_bytes is not None and step.kind == PARTIAL:
        step = step._replace(act=Act.HUGE, fault="huge")
    yield step
    if _hit(faults, "duplicate", faults.duplicate, turn_id, step):
        yield step._replace(fault="duplicate")


def _hit(faults: Faults, name: str, hit: Hit | None, turn_id: str, step: ScriptStep) -> bool:
    return hit is not None and hit.concerns(step.kind) and faults.strikes(name, hit.share, turn_id, step.seq)


def _cut(faults: Faults, turn_id: str, steps: list[ScriptStep]) -> list[ScriptStep]:
    """The first half of the turn, then the close."""
    cut = faults.cut
    if cut is None or not faults.strikes("cut", cut.share, turn_id):
        return steps
    kept = steps[: len(steps) // 2]
    at_ns = kept[-1].at_ns if kept else steps[0].at_ns
    return [*kept, ScriptStep(at_ns, Act.CLOSE, "", 0, "cut")]
