"""What a protocol keeps of what it receives, and the names of placeholders that stand for it."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.plan.match import kept_by
from loadtest.plan.protocol import AutoReply, Protocol, ReadyStep
from loadtest.plan.template import KEPT, LAST


def step_keeps(step: ReadyStep) -> dict[str, str]:
    """What a ready step keeps of the message it waits for: path by name."""
    return {**kept_by(step.wait), **step.keep}


def auto_reply_keeps(reply: AutoReply) -> dict[str, str]:
    """What is kept of a heartbeat, or of a request of the target's own: path by name."""
    return {**kept_by(reply.on), **reply.keep}


def kept_names(protocol: Protocol, steps: int | None = None) -> list[str]:
    """The names of everything the first ready steps keep; without a number, of everything that is kept."""
    connect, events = protocol.connect, protocol.events
    of_steps = [name for step in connect.ready[:steps] for name in step_keeps(step)]
    at_any_time = [name for beat in (*connect.answered, *events.answer) for name in auto_reply_keeps(beat)]
    at_any_time += [name for timed in connect.timed for name in kept_by(timed.answer)]
    at_any_time += [name for match in protocol.awaited for name in kept_by(match)]
    if steps is not None:
        return [f"ready.{name}" for name in of_steps] + _all(KEPT, (*of_steps, *at_any_time))
    of_turns = [name for each in protocol.all_events for match in each.matches for name in kept_by(match)]
    at_any_time += [name for match in events.ignore for name in kept_by(match)]
    kept = _all(KEPT, (*of_steps, *at_any_time, *of_turns))
    return [*(f"ready.{name}" for name in of_steps), *kept, *_all(LAST, of_turns)]


def _all(prefix: str, names: Iterable[str]) -> list[str]:
    return [prefix + name for name in dict.fromkeys(names)]
