"""Frame logs: what a turn received, as text and bounded, to explain how it ended."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from loadtest.measure.interval import OUTCOMES, PHASES
from loadtest.speak.turn import MAX_FRAME_BYTES, NEVER, Turn

MAX_LOG_BYTES = 65_536
"""Bytes of payloads that the log of one turn keeps: to take secrets out of them costs time."""

MISSING_TOLD = 20
"""Missing numbers that the log of a turn names."""


def frame_log(kind: str, turn: Turn, start_ns: int) -> dict[str, Any]:
    """The frame log of one turn: instants in nanoseconds after the run's start, payloads as text.

    ``left_out`` payloads are not kept of its middle. Where events went astray it says which numbers are
    ``missing`` (the first of them), and how many were ``lost``, came as a ``duplicate`` or ``out_of_order``.
    """
    frames: list[list[Any]] = []
    at: int | None = None
    entries, cut = _capped(turn.frames or [])
    for item in entries:
        if isinstance(item, int):
            at = item - start_ns
        else:
            frames.append([at, as_text(item)])
    return {
        "kind": kind,
        "seq": turn.seq,
        "user": turn.user,
        "turn": turn.id,
        "outcome": OUTCOMES[turn.outcome or 0],
        "reason": turn.reason,
        "intended_ns": turn.intended_ns - start_ns,
        **_waited_from(turn, start_ns),
        "sent_ns": turn.sent_ns - start_ns if turn.sent_ns != NEVER else None,
        "first_ns": turn.first_ns - start_ns if turn.first_ns != NEVER else None,
        "done_ns": turn.done_ns - start_ns if turn.done_ns != NEVER else None,
        "frames": frames,
        "left_out": turn.left_out + cut,
        "phase": PHASES[turn.metrics.phase],
        **({"turn_kind": turn.metrics.kind} if turn.metrics.kind else {}),
        **_faults(turn),
    }


def _waited_from(turn: Turn, start_ns: int) -> dict[str, int]:
    """From when its response time counts, where that is not when it was due."""
    apart = turn.waited_from_ns != turn.intended_ns
    return {"waited_from_ns": turn.waited_from_ns - start_ns} if apart else {}


def _faults(turn: Turn) -> dict[str, Any]:
    """What was wrong with a turn: the numbers that never came, and how many came twice or out of order."""
    missing = turn.missing.first(MISSING_TOLD) if turn.missing else []
    counted = {"lost": turn.lost, "duplicate": turn.duplicate, "out_of_order": turn.out_of_order}
    misnumbered = {"misnumbered": turn.misnumbered} if turn.misnumbered else {}
    told = {"missing": missing} if missing else misnumbered
    return {**told, **{name: n for name, n in counted.items() if n}}


def _capped(entries: list[int | bytes]) -> tuple[list[int | bytes], int]:
    """The entries of a frame log without its middle, where that is large, and how many payloads were cut."""
    if sum(len(entry) for entry in entries if isinstance(entry, bytes)) <= MAX_LOG_BYTES:
        return entries, 0
    head = _fitting(entries)
    tail = _fitting(entries[head:][::-1])
    middle = entries[head : len(entries) - tail]
    kept = entries[:head] + [entry for entry in middle if isinstance(entry, int)]
    return kept + entries[len(entries) - tail :], sum(isinstance(entry, bytes) for entry in middle)


def _fitting(entries: list[int | bytes]) -> int:
    """How many of the first entries fit in half a log."""
    sizes = accumulate(0 if isinstance(entry, int) else len(entry) for entry in entries)
    return sum(size <= MAX_LOG_BYTES // 2 for size in sizes)


def as_text(payload: bytes) -> str:
    """A payload as text; an ellipsis where it was cut (one of exactly that length may have been whole)."""
    text = payload[:MAX_FRAME_BYTES].decode("utf-8", "replace")
    return text if len(payload) < MAX_FRAME_BYTES else text.rstrip("\ufffd") + "…"
