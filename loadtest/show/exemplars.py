"""Single turns as evidence: the slowest and the broken ones with what was said, from their frame logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any

from loadtest.judge.manifest_access import Manifest
from loadtest.judge.turn_warnings import seconds
from loadtest.show.document import BarSegment, Exemplar, Frame
from loadtest.show.manifest import as_integer
from loadtest.show.sanitize import printable
from loadtest.units import format_count, format_duration

SLOWEST, OTHERS = 10, 10
"""How many turns of either kind a report shows; all are in ``slowest.jsonl``."""

FRAMES = 40
"""Frames shown of one turn."""

LONGEST_FRAME = 600


def slowest_turns(logs: Iterable[Manifest], warmup_s: float = 0.0, step_ns: int = 0) -> tuple[Exemplar, ...]:
    """The slowest turns, slowest first, one of each burst, on one scale of time; those of the warm-up say so.

    ``step_ns`` is the step of a coarse clock: what is shorter is told as shorter than it.
    """
    found = [log for log in logs if log.get("kind") == "slowest" and _took(log) is not None]
    found.sort(key=lambda log: -(_took(log) or 0))
    bursts: dict[Any, list[Manifest]] = {}
    for log in found:
        # What does not say whose it is, and when it was due, stands alone.
        whose = log.get("user"), log.get("intended_ns")
        bursts.setdefault(id(log) if None in whose else whose, []).append(log)
    longest = max((_took(log) or 0 for log in found), default=0)
    return tuple(
        _of_burst(_exemplar(log, longest, warmup_s, step_ns), len(others))
        for log, *others in list(bursts.values())[:SLOWEST]
    )


def _of_burst(shown: Exemplar, others: int) -> Exemplar:
    """One turn for its burst, of which ``others`` are kept as well."""
    if not others:
        return shown
    return replace(shown, title=f"{shown.title}; {others} more of its burst")


def other_turns(logs: Iterable[Manifest], warmup_s: float = 0.0, step_ns: int = 0) -> tuple[Exemplar, ...]:
    """Turns that broke or whose events went astray, and payloads that should not have come.

    Every kind of failure in its turn, those of the warm-up last: ten of one kind tell less than one of each.
    """
    found = [log for log in logs if log.get("kind") != "slowest"]
    seen: Counter[tuple[Any, ...]] = Counter()
    ranked = []
    for log in found:
        kind = tuple(str(log.get(key)) for key in ("kind", "outcome", "reason"))
        warming = _warming(log, warmup_s)
        seen[kind, warming] += 1
        ranked.append((warming, seen[kind, warming], log))
    found = [log for _, _, log in sorted(ranked, key=itemgetter(0, 1))][:OTHERS]
    longest = max((_took(log) or 0 for log in found), default=0)
    return tuple(_exemplar(log, longest, warmup_s, step_ns) for log in found)


def _since(log: Manifest) -> int | None:
    """From when its response time counts: from when it was due, or its last chunk."""
    return as_integer(log.get("waited_from_ns", log.get("intended_ns")))


def _took(log: Manifest) -> int | None:
    since, done = _since(log), as_integer(log.get("done_ns"))
    return None if since is None or done is None else done - since


def _exemplar(log: Manifest, longest: int, warmup_s: float, step_ns: int) -> Exemplar:
    took = _took(log)
    names = {"seq": "turn", "user": "user", "turn": "id"}
    title = ", ".join(
        f"{name} {printable(log[key], 80)}" for key, name in names.items() if log.get(key) is not None
    )
    outcome = printable(log.get("outcome") or log.get("kind") or "unknown", 60).replace("_", " ")
    reason = f" ({printable(log['reason'], 120)})" if log.get("reason") else ""
    intended = as_integer(log.get("intended_ns"))
    if intended is not None:
        title += f", due at {seconds(intended)} of the run"
    warming = ", in the warm-up" if _warming(log, warmup_s) else ""
    frames = list(_frames(log))
    return Exemplar(
        title=title or "payload",
        outcome=outcome + reason + _astray(log) + warming,
        took="" if took is None else _duration(took, step_ns),
        segments=tuple(_segments(log, longest, step_ns)),
        frames=tuple(frames[:FRAMES]),
        left_out=max(0, len(frames) - FRAMES),
        forgotten=as_integer(log.get("left_out")) or 0,
    )


def _warming(log: Manifest, warmup_s: float) -> bool:
    intended = as_integer(log.get("intended_ns"))
    return intended is not None and intended < warmup_s * 1e9


def _astray(log: Manifest) -> str:
    """Which numbers of a turn never came, and how many events came wrong: "; missing number 2, 5"."""
    missing: Any = log.get("missing")
    numbers = (
        [format_count(n) for n in missing if as_integer(n) is not None] if isinstance(missing, list) else []
    )
    told = f"; missing number {', '.join(numbers)}" if numbers else ""
    for key, words in (("duplicate", "came twice"), ("out_of_order", "came out of order")):
        if n := as_integer(log.get(key)):
            told += f"; {format_count(n)} {words}"
    return told


def _duration(ns: int, step_ns: int) -> str:
    """A duration as text; empty where no time passed between two stamps, which are then one and the same."""
    if 0 <= ns < step_ns:
        return f"< {format_duration(step_ns)}"
    return format_duration(ns) if ns else ""


def _segments(log: Manifest, longest: int, step_ns: int) -> Iterator[BarSegment]:
    """Late, waiting and streaming, or late and unanswered; a part that took no time is left out.

    A turn that was never sent, or has no end, has no bar: a part of it would look like the whole.
    """
    since = _since(log)
    sent, first, done = (as_integer(log.get(key)) for key in ("sent_ns", "first_ns", "done_ns"))
    if since is None or sent is None or done is None or not longest:
        return
    parts = [("late", since, sent)]
    parts += (
        [("unanswered", sent, done)]
        if first is None
        else [("waiting", sent, first), ("streaming", first, done)]
    )
    for name, start, end in parts:
        if end >= start and (took := _duration(end - start, step_ns)):
            yield BarSegment(name, took, round((end - start) / longest * 100, 2))


def _frames(log: Manifest) -> Iterator[Frame]:
    since = _since(log) or 0
    frames: Any = log.get("frames")
    for frame in frames if isinstance(frames, list) else ():
        if not isinstance(frame, list | tuple) or len(frame) != 2 or isinstance(frame, Mapping):
            continue
        at = as_integer(frame[0])
        shown = "" if at is None or at == since else format_duration(at - since)
        yield Frame(f"+{shown}" if shown[:1].isdigit() else shown, printable(frame[1], LONGEST_FRAME))
