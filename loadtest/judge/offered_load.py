"""Was the planned load offered, and if not, who caused it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadtest.judge.counts import not_opened
from loadtest.judge.manifest_access import (
    Manifest,
    count_or_zero,
    model,
    number,
    parts,
    planned,
    populations,
    section,
    sends,
    settings,
    whole_run,
)
from loadtest.judge.measurement_window import Span
from loadtest.judge.populations import population_manifest
from loadtest.units import NS_PER_S, parse_duration

TOLERATED = 0.01
"""The part of the planned load that may be missing by our own doing before the run is spoilt."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """``missing`` of ``asked`` turns or connections (``what``) were not begun; ``ours``: by our own doing."""

    what: str
    missing: int
    asked: int
    ours: bool

    @property
    def grave(self) -> bool:
        """Whether more is missing than is tolerated."""
        return self.missing > self.asked * TOLERATED


def shortfall(manifest: Manifest) -> Shortfall | None:
    """What is missing of the planned load; None where all of it was begun.

    It is ours where connections were never attempted; else the target's doing where it refused or closed
    some, let them wait or did not read, or in the closed model, in which the next turn waits for its answers.
    Of a run without any ready connection it is not told, since there is nothing to hold a plan against; nor
    of a part of a run, since what kept a connection away may lie outside it; nor of turns that waited in vain
    where the plan took connections away.
    """
    counts = section(manifest, "counts")
    if section(manifest, "part") or not count_or_zero(section(counts, "connections").get("ready")):
        return None
    connections = section(counts, "connections")
    asked = _connections_asked(manifest)
    absent = asked - count_or_zero(connections.get("attempted"))
    # No target keeps us from an attempt, whatever it does to others.
    ours = absent > 0 or not target_interfered(manifest)
    turns = section(counts, "turns")
    due = max(count_or_zero(turns.get("due")), _turns_asked(manifest))
    missing = due - count_or_zero(turns.get("begun"))
    waited_in_vain = count_or_zero(turns.get("not_attempted")) - not_read(turns)
    if missing > 0 and _took_away(counts) and missing <= waited_in_vain:
        return None
    if missing > 0:
        return Shortfall("turns", missing, due, ours)
    if absent > 0:
        return Shortfall("connections", absent, asked, ours)
    return None


def _took_away(counts: Manifest) -> bool:
    """Whether we took connections away on purpose, as the plan says, so that turns had to wait for them."""
    return bool(section(counts, "connections").get("cut") or section(counts, "chaos").get("leavers.left"))


def not_read(turns: Manifest) -> int:
    """Turns that were not attempted as too much waited on their connection for the target to read."""
    return count_or_zero(section(turns, "not_attempted_by").get("backlog"))


def target_interfered(manifest: Manifest) -> bool:
    """Whether the target refused, closed or did not read a connection, or let one wait longer than a turn."""
    connections = section(manifest, "counts", "connections")
    kept_out = count_or_zero(connections.get("attempted")) - not_opened(connections) > count_or_zero(
        connections.get("ready")
    )
    slowest_ms = number(section(manifest, "metrics", "connect.total").get("max_exact")) or 0
    timeout_s = planned(manifest, "timeout_s")
    let_wait = timeout_s is not None and slowest_ms >= timeout_s * 1000
    unread = not_read(section(manifest, "counts", "turns")) > 0
    ended = bool(section(connections, "refused") or section(connections, "closed"))
    return kept_out or let_wait or unread or ended


def _turns_asked(manifest: Manifest) -> int:
    """Turns that were to fall due in the run; 0 where the plan depends on replies, or the run was cut."""
    asked = planned(manifest, "turns_due")
    return round(asked) if asked is not None and model(manifest) == "open" and whole_run(manifest) else 0


def _connections_asked(manifest: Manifest) -> int:
    """Connections that the plan opens within the run; 0 where stages or a cut leave that open."""
    if not section(manifest, "part") and (own := populations(manifest)):
        every = [_connections_asked(population_manifest(manifest, name)) for name in own]
        return sum(every) if all(every) else 0
    asked, rate = planned(manifest, "connections"), planned(manifest, "connect_rate")
    if asked is None or not whole_run(manifest) or settings(manifest, "load").get("stages"):
        return 0
    lasts = (planned(manifest, "warmup_s") or 0) + (planned(manifest, "duration_s") or 0)
    return round(asked) if rate is None else min(round(asked), int(lasts * rate))


def thinks(manifest: Manifest) -> bool:
    """Whether connections of the closed model wait between bursts."""
    asking = [section(part, "traffic") for part in parts(manifest)]
    every = [traffic.get("every") for traffic in asking if traffic.get("turns") != 0]
    return all(each is not None and parse_duration(str(each)) > 0 for each in every)


def achieved(manifest: Manifest, counts: Manifest, span: Span) -> dict[str, Any]:
    """The section ``load.achieved``: what was offered in the measured part, to hold against the plan."""
    lasts = span.length_ns / NS_PER_S
    held = {
        "connections": count_or_zero(section(counts, "connections").get("peak")),
        "duration_s": lasts or None,
    }
    if not sends(manifest):
        return held
    turns = section(counts, "measured", "turns")
    due, begun = count_or_zero(turns.get("due")), count_or_zero(turns.get("begun"))
    return {
        **held,
        "turns_due": due,
        "turns_begun": begun,
        "begun_ratio": begun / due if due else None,
        "turns_per_s": begun / lasts if lasts and begun else None,
    }


def kept_up(part: object, of: object) -> bool:
    """Whether a part is all of a whole, but for what is tolerated; False of nothing."""
    share, whole_of = number(part) or 0.0, number(of) or 0.0
    return whole_of > 0 and share >= whole_of * (1 - TOLERATED)
