"""Warnings that say why turns were not complete: what came last, which path of the protocol never matches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from loadtest.judge.manifest_access import (
    Manifest,
    count_or_zero,
    events_of_kinds,
    section,
    settings,
)
from loadtest.judge.measurement_window import Turns
from loadtest.judge.warnings import RunWarning, warning
from loadtest.measure.interval import OUTCOMES
from loadtest.plan.match import match_words
from loadtest.speak.label_limit import UNTYPED
from loadtest.units import NS_PER_S, format_count, format_duration

TOLD = 3
"""Types, or sets of keys, that a message names."""

ANSWERS = ("complete", "failed", "refused")
"""Outcomes that an event of the target brings about."""

CAUSES = (
    "refused_connections",
    "unexpected_closes",
    "turn_path_never_matched",
    "type_path_never_matched",
    "end_never_seen",
    "turns_timed_out",
    "malformed_events",
    "messages_not_taken",
    "tasks_raised",
    "tasks_failed",
    "ends_came_again",
)
"""Warnings that say why turns were not complete, the most likely first."""


def no_turn_found(manifest: Manifest) -> Iterator[RunWarning]:
    """Events came, and none of them named a turn of ours: the protocol's ``turn`` path is wrong."""
    if never_matched(manifest):
        events = section(manifest, "counts", "events")
        keys = _most(section(events, "unmatched_with"))
        paths = list(settings(manifest, "protocol", "events").get("turn") or ())
        numbers = {"unmatched": count_or_zero(events.get("unmatched")), "turn": paths, "keys": keys}
        told = {"paths": _listed(paths) or "the paths that it names", "keys": "; ".join(keys) or "not known"}
        yield warning("turn_path_never_matched", numbers, told)


def never_matched(manifest: Manifest) -> bool:
    """Whether events came and no turn was ever answered, though events name their turns."""
    counts = section(manifest, "counts")
    events = section(counts, "events")
    asked = count_or_zero(section(counts, "turns").get("begun"))
    return bool(asked and section(events, "unmatched_with") and not count_or_zero(events.get("matched")))


def timeouts(manifest: Manifest, turns: Turns | None) -> Iterator[RunWarning]:
    """Turns that timed out, with the type of the last event they received."""
    counts = section(manifest, "counts")
    ended = section(counts, "turns")
    timed_out = count_or_zero(ended.get("timed_out"))
    if not timed_out:
        return
    last = dict(sorted(section(ended, "timed_out_after").items(), key=lambda each: -count_or_zero(each[1])))
    numbers = {"timed_out": timed_out, "begun": count_or_zero(ended.get("begun")), "last": last}
    told = {"told": _last_events(last), "when": _when(turns)}
    answered = any(count_or_zero(ended.get(outcome)) for outcome in ANSWERS)
    ends = _ends(manifest)
    if not answered and set(last) == {UNTYPED}:
        yield _no_type_found(manifest, numbers)
    elif not answered and ends and count_or_zero(section(counts, "events").get("matched")):
        yield warning("end_never_seen", {**numbers, "end": ends}, {**told, "ends": _listed(ends)})
    else:
        yield warning("turns_timed_out", numbers, told)


def tasks(manifest: Manifest) -> Iterator[RunWarning]:
    """What the tasks of users written in Python raised, and what they say has failed."""
    counted, reasons = section(manifest, "counts", "tasks"), section(manifest, "tasks")
    for what in ("raised", "failed"):
        if n := count_or_zero(counted.get(what)):
            told = section(reasons, what)
            by = {"by": dict(section(counted, "by"))} if what == "raised" else {}
            numbers = {what: n, **by, "reasons": dict(told)}
            words = "; ".join(f"{each} ({format_count(told[each])})" for each in _most(told))
            yield warning(f"tasks_{what}", numbers, {"told": f": {words}" if words else ""})


def _no_type_found(manifest: Manifest, numbers: dict[str, Any]) -> RunWarning:
    """Events came, and none of them had a type: the protocol's ``type`` path is wrong."""
    keys = _most(section(manifest, "counts", "turns", "untyped_with"))
    paths = list(settings(manifest, "protocol", "events").get("type") or ())
    told = {"paths": _listed(paths) or "any path", "keys": "; ".join(keys) or "not known"}
    return warning("type_path_never_matched", {**numbers, "type": paths, "keys": keys}, told)


def _ends(manifest: Manifest) -> list[str]:
    """The types that end a turn, as the protocol has them, of whatever kind."""
    keys = ("end", "end_all", "fail", "refuse")
    each = events_of_kinds(manifest)
    found = [match for events in each for key in keys for match in events.get(key) or ()]
    words = (match_words(match) if isinstance(match, Mapping) else str(match) for match in found)
    return list(dict.fromkeys(words))


def _last_events(last: Mapping[str, Any]) -> str:
    """What they received last: "; the last event they received: `finished` (543)"; empty where not known."""
    words = (
        f"none at all ({format_count(n)})" if name == "(none)" else f"`{name}` ({format_count(n)})"
        for name, n in list(last.items())[:TOLD]
    )
    listed = ", ".join(words)
    return f"; the last event they received: {listed}" if listed else ""


def _when(turns: Turns | None) -> str:
    """Between which instants of the run they were due: ", due from 5.01 s to 7.9 s of the run"."""
    rows = None if turns is None else turns[turns["outcome"] == OUTCOMES.index("timed_out")]
    if rows is None or not len(rows):
        return ""
    first, last = int(np.min(rows["intended_ns"])), int(np.max(rows["intended_ns"]))
    since, until = seconds(first), seconds(last)
    return f", due at {since} of the run" if since == until else f", due from {since} to {until} of the run"


def seconds(offset_ns: int) -> str:
    """An instant of the run, as "5.3 s": to a tenth, so that it is easy to find on a timeline."""
    if offset_ns < NS_PER_S // 20:
        return "the start"
    return f"{offset_ns / NS_PER_S:.1f} s" if offset_ns < 100 * NS_PER_S else format_duration(offset_ns)


def _most(counted: Mapping[str, Any]) -> list[str]:
    ordered = sorted(counted.items(), key=lambda each: -count_or_zero(each[1]))
    return [str(name) for name, _ in ordered[:TOLD]]


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
