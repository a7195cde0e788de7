"""Rates, each with what it was counted from, over how long, and what it means.

``bound`` says what set the rate:

- ``plan``: limited by the configured rate. Connections: they were opened at a stated rate, and kept to it.
  Turns and events: open model and the target kept up (99 % of what fell due was begun, or complete, and
  answering took no longer than asking), or closed model with think time.
- ``target``: as fast as the target went. Connections: no rate was stated, or it was not kept. Turns and
  events: closed model without think time, or open model and the target did not keep up.
- ``generator``: as fast as we went; a process of ours was saturated, or we left out planned load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadtest.judge.generator_summary import saturated
from loadtest.judge.manifest_access import (
    NS_PER_MS,
    Manifest,
    count_or_zero,
    has_stages,
    model,
    number,
    planned,
    section,
    sends,
    sends_turns,
    tick_ns,
    turns_never_end,
)
from loadtest.judge.measurement_window import FIRST_ATTEMPT, LAST_READY, Span
from loadtest.judge.offered_load import kept_up, shortfall, thinks
from loadtest.measure.totals import Totals
from loadtest.units import NS_PER_S, format_count, format_duration

SURE_TICKS = 2
"""A time of fewer ticks of the clock may be anything from none to twice as much; no rate is told over it."""

LAGGING = 0.1
"""Where answering took longer than asking by more than this part of it, the target was behind."""

TELLING = 0.01
"""From this relative error on, a rate states the ``precision`` that the clock's steps leave it."""


@dataclass(frozen=True, slots=True)
class CountOverTime:
    """What a rate is made of: ``n`` of something over ``over_ns``; ``nothing`` is the reason if n is 0.

    ``asked``: the target was asked for it, so that none at all is the target's answer.
    """

    n: int
    over_ns: int | None
    nothing: str
    asked: bool = False


def rate(counted: CountOverTime, tick: int, bound: str) -> dict[str, Any]:
    """One entry of ``rates``.

    Where there is no value, ``at_least`` or ``at_most`` (per second) tell what is known all the same.
    """
    n, over = counted.n, counted.over_ns
    over_s = over / NS_PER_S if over else None
    empty: dict[str, Any] = {"value": None, "n": n, "over_s": over_s, "bound": None}
    if n == 0:
        known = {"at_most": NS_PER_S / over} if counted.asked and over and over >= SURE_TICKS * tick else {}
        return {**empty, "reason": counted.nothing, **known}
    if over is None:
        return {**empty, "reason": f"{format_count(n)} were counted, but the time is not known"}
    if over < SURE_TICKS * tick:
        words = f"{format_count(n)} were counted within {format_duration(max(over, tick))}, "
        why = f"{words}too short a time for a clock with steps of {format_duration(tick)}"
        return {**empty, "reason": why, "at_least": n * NS_PER_S / (over + tick)}
    told: dict[str, Any] = {**empty, "value": n * NS_PER_S / over, "bound": bound, "reason": None}
    return {**told, "precision": tick / over} if tick / over >= TELLING else told


def rates(manifest: Manifest, totals: Totals, span: Span, last: int | None) -> dict[str, Any]:
    """The section ``rates`` of a manifest that has ``counts`` and ``generator``.

    ``last`` is when the last event came that belongs to a turn of the measured part (``last_matched``).
    ``connections_per_s`` is over the whole run, from the first attempt to the last ready: n connections
    opened at a steady rate span n - 1 of its intervals. The others are of the measured part. Messages sent
    are over its length. So are events matched to its turns, and its turns complete, where the plan set
    their rate: what fell due in that time was answered in as much time, only later. So are the events of
    turns without an end, and those that the target sends of itself where nothing is sent. Else they are over
    the time until its end or the last such event, whichever is later.
    """
    tick = tick_ns(manifest)
    turns = section(manifest, "counts", "measured", "turns")
    begun = count_or_zero(turns.get("begun"))
    answered = max(span.end_ns, last or 0) - span.start_ns
    idle = "" if sends(manifest) else "the scenario sends nothing"
    none = f"though {format_count(begun)} were begun over {format_duration(answered)}" if begun else ""
    no_send = idle or "nothing was sent in the measured part"
    no_event = idle or (f"no event answered a turn, {none}" if begun else "no turn was begun")
    no_turn = idle or (f"no turn was complete, {none}" if begun else "no turn was begun")
    sent = CountOverTime(totals.measured("events.sent"), span.length_ns, no_send)
    answers = _answer_bound(manifest, span, answered)
    by_plan = answers == "plan" and model(manifest) == "open"
    over = span.length_ns if by_plan or turns_never_end(manifest) else answered
    received = CountOverTime(totals.measured("events.matched"), over, no_event, asked=begun > 0)
    if pushed := 0 if sends_turns(manifest) else totals.measured("events.pushed"):
        received, answers = CountOverTime(pushed, span.length_ns, no_event), "target"
    complete = CountOverTime(totals.measured("turns.complete"), over, no_turn, asked=begun > 0)
    return {
        "connections_per_s": _connecting(manifest, totals, tick),
        "events_received_per_s": rate(received, tick, answers),
        "events_sent_per_s": rate(sent, tick, _turn_bound(manifest, begun, count_or_zero(turns.get("due")))),
        "turns_per_s": rate(complete, tick, answers),
    }


def _connecting(manifest: Manifest, totals: Totals, tick: int) -> dict[str, Any]:
    # Who comes back has been connected once already: how fast is told by reconnect.time.
    ready = totals.count("connections.ready") - totals.count("connections.reconnected")
    if section(manifest, "part"):
        reason = "the rate of connecting is measured over the whole run"
        return {"value": None, "n": ready, "over_s": None, "bound": None, "reason": reason}
    first, last = totals.instants.get(FIRST_ATTEMPT), _last_ready(totals)
    over = None if first is None or last is None else max(0, last - first)
    counted = CountOverTime(ready, over, "no connection became ready")
    return rate(counted, tick, _connect_bound(manifest, ready, over))


def _last_ready(totals: Totals) -> int | None:
    gained = totals.moves[totals.moves[:, 1] > 0, 0]
    return totals.instants.get(LAST_READY, int(gained[-1]) if len(gained) else None)


def _connect_bound(manifest: Manifest, ready: int, over_ns: int | None) -> str:
    """The plan's, where opening went on at its rate: the last connection's own time is not the plan's."""
    if _ours(manifest):
        return "generator"
    if has_stages(manifest):
        return "plan"
    asked = planned(manifest, "connect_rate")
    if not asked or not over_ns:
        return "target"
    own_ms = number(section(manifest, "metrics", "connect.total").get("mean")) or 0
    opening_s = over_ns / NS_PER_S - own_ms / 1000
    return "plan" if opening_s <= 1.1 * max(ready - 1, 1) / asked else "target"


def _turn_bound(manifest: Manifest, done: int, due: int) -> str:
    if _ours(manifest):
        return "generator"
    if model(manifest) == "open":
        return "plan" if kept_up(done, due) else "target"
    return "plan" if thinks(manifest) else "target"


def _answer_bound(manifest: Manifest, span: Span, answered_ns: int) -> str:
    """As for turns; but a target that was still answering long after the last turn was due set the rate.

    A turn's own time is no lag: their median is taken off, half of what a growing queue adds by the end.
    """
    turns = section(manifest, "counts", "measured", "turns")
    bound = _turn_bound(manifest, count_or_zero(turns.get("complete")), count_or_zero(turns.get("due")))
    median_ms = number(section(manifest, "metrics", "turn.completion").get("p50")) or 0
    answering_ns = answered_ns - median_ms * NS_PER_MS
    lagged = model(manifest) == "open" and answering_ns > span.length_ns * (1 + LAGGING)
    return "target" if bound == "plan" and lagged else bound


def _ours(manifest: Manifest) -> bool:
    missing = shortfall(manifest)
    return saturated(manifest) or (missing is not None and missing.ours and missing.grave)
