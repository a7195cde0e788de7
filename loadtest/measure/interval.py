"""One second of a run: histograms, counters and gauges by name. What workers send and ``keep`` writes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from loadtest import catalog
from loadtest.measure.histogram import Histogram, Sparse
from loadtest.speak.delivery_log import COLUMNS

PHASES = ("warmup", "measured", "drain")
"""The phases of a run, in order; a turn belongs to the phase that its intended instant lies in."""

LAST_MEASURED = "last_measured"
"""Instant at which the measured part ended earlier than planned; of several populations, that of the last."""

OUTCOMES = tuple(each.key for each in catalog.OUTCOMES)
"""How a turn can end; the index is what the turn table holds."""

TURN = np.dtype(
    [
        ("seq", "<i8"),
        ("user", "<i4"),
        ("position", "<i4"),
        ("phase", "i1"),
        ("kind", "i1"),
        ("outcome", "<i2"),
        ("payload_crc", "<u4"),
        ("events", "<i4"),
        ("lost", "<i4"),
        ("duplicate", "<i4"),
        ("out_of_order", "<i4"),
        ("intended_ns", "<i8"),
        ("waited_from_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("first_ns", "<i8"),
        ("done_ns", "<i8"),
    ]
)
"""One row of the turn table. Instants are nanoseconds after the run's start, -1 where it never came
to that. ``waited_from_ns``: from when response times count (``speak.turn``). ``position`` is the place in the
burst, from 0. ``phase`` and ``outcome`` index the tuples above.
``kind``: the place, from 1, among the names in order of the kinds of turn that the scenario sends (its
population, where there are some); 0: it is of none."""

SUMMED_GAUGES = frozenset({"users", "ready", "in_flight"})
"""Gauges that add over processes; of every other gauge the highest is taken."""

MAX_INTERVAL_BYTES = 64 * 1024 * 1024
"""No interval of one process comes near this; more is refused before it is decoded."""

_LAYOUT = 3


@dataclass(slots=True)
class Interval:
    """One second as one process (or, after a merge, all of them) saw it.

    ``second`` counts from the run's start. ``moves`` has one row per connection that became ready
    (+1) or stopped being so (-1): ``(offset_ns, delta)``. ``instants`` holds offsets in nanoseconds:
    names starting ``first_`` merge by minimum, others by maximum; beside instants, what events tell of the
    target's clock (``speak.event_age``). ``frames`` are the frame logs of
    the slowest and of the broken turns. ``copies``: the log of copies of one of several processes
    (``speak.delivery_log``), one row each.
    """

    second: int
    worker: int = 0
    histograms: dict[str, Histogram] = field(default_factory=dict)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    instants: dict[str, int] = field(default_factory=dict)
    moves: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    turns: npt.NDArray[np.void] = field(default_factory=lambda: np.empty(0, TURN))
    frames: list[dict[str, Any]] = field(default_factory=list)
    copies: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty((0, COLUMNS), np.int64))


class _Message(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    layout: int
    second: int
    worker: int
    histograms: dict[str, Sparse]
    counters: dict[str, dict[str, int]]
    gauges: dict[str, float]
    instants: dict[str, int]
    moves: bytes
    turns: bytes
    frames: list[dict[str, Any]]
    copies: bytes


_decoder = msgspec.msgpack.Decoder(_Message)
_encoder = msgspec.msgpack.Encoder()


def to_bytes(interval: Interval) -> bytes:
    """The interval as one self-contained message; ``from_bytes`` gives it back exactly."""
    return _encoder.encode(
        _Message(
            layout=_LAYOUT,
            second=interval.second,
            worker=interval.worker,
            histograms={tag: histogram.to_sparse() for tag, histogram in interval.histograms.items()},
            counters=interval.counters,
            gauges=interval.gauges,
            instants=interval.instants,
            moves=interval.moves.astype("<i8").tobytes(),
            turns=interval.turns.astype(TURN).tobytes(),
            frames=interval.frames,
            copies=interval.copies.astype("<i8").tobytes(),
        )
    )


def from_bytes(data: bytes) -> Interval:
    """The interval that ``to_bytes`` was given.

    Raises:
        ValueError: the bytes are no such message, or longer than ``MAX_INTERVAL_BYTES``.
    """
    if len(data) > MAX_INTERVAL_BYTES:
        raise ValueError(f"the interval has {len(data)} bytes; at most {MAX_INTERVAL_BYTES} are allowed")
    try:
        message = _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise ValueError(f"the data is not an interval: {problem}") from problem
    if message.layout != _LAYOUT:
        raise ValueError(
            f"the interval has layout {message.layout}; this version of loadtest reads {_LAYOUT}",
        )
    if len(message.moves) % 16 or len(message.turns) % TURN.itemsize or len(message.copies) % (8 * COLUMNS):
        raise ValueError("the interval's moves, turns or copies are cut short")
    turns = np.frombuffer(message.turns, TURN).copy()
    if not known_turns(turns):
        raise ValueError("the interval contains a turn with an unknown phase or outcome")
    if not all(map(math.isfinite, message.gauges.values())):
        raise ValueError("the interval contains a gauge that is not a number")
    return Interval(
        second=message.second,
        worker=message.worker,
        histograms={tag: Histogram.from_sparse(sparse) for tag, sparse in message.histograms.items()},
        counters=message.counters,
        gauges=message.gauges,
        instants=message.instants,
        moves=np.frombuffer(message.moves, "<i8").astype(np.int64).reshape(-1, 2),
        turns=turns,
        frames=message.frames,
        copies=np.frombuffer(message.copies, "<i8").astype(np.int64).reshape(-1, COLUMNS),
    )


def known_turns(turns: npt.NDArray[np.void]) -> bool:
    """Whether every row names a phase and an outcome that there are; rows from outside may not."""
    limits = (("phase", len(PHASES)), ("outcome", len(OUTCOMES)))
    return all(((turns[name] >= 0) & (turns[name] < most)).all() for name, most in limits)


def merge(intervals: Sequence[Interval]) -> Interval:
    """One second as all processes together saw it; the parts are left as they are.

    Raises:
        ValueError: there are none, or they are of different seconds.
    """
    seconds = {interval.second for interval in intervals}
    if len(seconds) != 1:
        raise ValueError(f"only intervals of the same second can be merged, not of {sorted(seconds)}")
    merged = Interval(second=seconds.pop())
    for interval in intervals:
        add_histograms(merged.histograms, interval.histograms)
        add_counters(merged.counters, interval.counters)
        add_instants(merged.instants, interval.instants)
        _add_gauges(merged.gauges, interval.gauges)
        merged.frames.extend(interval.frames)
    merged.moves = sorted_moves([interval.moves for interval in intervals])
    merged.turns = np.concatenate([interval.turns for interval in intervals])
    merged.copies = np.concatenate([interval.copies for interval in intervals])
    return merged


def add_histograms(to: dict[str, Histogram], other: dict[str, Histogram]) -> None:
    """Add another's histograms, tag by tag, to independent ones of our own."""
    for tag, histogram in other.items():
        to.setdefault(tag, Histogram()).add(histogram)


def add_counters(to: dict[str, dict[str, int]], other: dict[str, dict[str, int]]) -> None:
    """Add another's counters, phase by phase and name by name."""
    for phase, counters in other.items():
        ours = to.setdefault(phase, {})
        for name, count in counters.items():
            ours[name] = ours.get(name, 0) + count


def add_instants(to: dict[str, int], other: dict[str, int]) -> None:
    """Keep the earliest of each instant named ``first_...``, the latest of any other."""
    for name, instant in other.items():
        pick = min if name.startswith("first_") else max
        to[name] = pick(to.get(name, instant), instant)


def logged_copies(rows: array[int], start_ns: int) -> npt.NDArray[np.int64]:
    """The rows of a log of copies as a table, its instants counted from the run's start."""
    table = np.array(rows, np.int64).reshape(-1, COLUMNS)
    table[:, 1] -= start_ns
    return table


def sorted_moves(parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """All moves by instant; at one instant leaving comes first, so that no peak is overstated."""
    moves = np.concatenate([np.empty((0, 2), np.int64), *parts])
    return moves[np.lexsort((moves[:, 1], moves[:, 0]))]


def _add_gauges(to: dict[str, float], other: dict[str, float]) -> None:
    for name, value in other.items():
        to[name] = to.get(name, 0.0) + value if name in SUMMED_GAUGES else max(to.get(name, value), value)
