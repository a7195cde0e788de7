"""What the truth server wrote down, held against what the generator measured, turn by turn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]
Table = npt.NDArray[np.void]

NS = 1_000_000_000

ANSWER = np.dtype([(name, "<i8") for name in ("number", "crc", "nth", "arrived_ns", "departed_ns")])
"""One event that the server sent: its turn's number and the checksum of that turn's message, its place in
the turn, the kernel's stamp of the message's arrival, and the server's clock just before the write.
Instants are Unix time."""

PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999, "max": 1.0}


class Mismatch(Exception):  # noqa: N818 - a fact about two files, not an error of ours
    """The two sides do not speak of the same turns."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The server's side by turn, ascending by number; ``departed_ns`` has a row of events per turn."""

    number: Array
    crc: Array
    arrived_ns: Array
    departed_ns: Array


@dataclass(frozen=True, slots=True)
class Held:
    """Turns of the measured part as both sides saw them, a row each, in nanoseconds.

    ``true_*`` is the server's word; ``first`` and ``done`` are service times as the generator has them.
    ``response`` is what the generator has, ``implied`` what the schedule and the server's departure imply;
    ``true_gaps`` are those between any two events of a turn. ``blurred`` turns are left out: the kernel
    merged their message with the next one before the server read it, so that its arrival is not known.
    """

    first: Array
    true_first: Array
    done: Array
    true_done: Array
    response: Array
    implied: Array
    true_gaps: Array
    planned: int
    blurred: int


def read_answers(path: Path) -> Answers:
    """What the server wrote.

    Raises:
        Mismatch: turns have different numbers of events.
    """
    rows = np.load(path)
    rows = rows[np.lexsort((rows["nth"], rows["number"]))]
    events = int(rows["nth"].max()) + 1 if len(rows) else 1
    if len(rows) % events or not np.array_equal(rows["nth"], np.arange(len(rows)) % events):
        raise Mismatch("the server did not send all events of every turn, each once")
    heads = rows[::events]
    departed = rows["departed_ns"].reshape(-1, events)
    return Answers(heads["number"], heads["crc"], heads["arrived_ns"], departed)


def matched(turns: Table, answers: Answers) -> Table:
    """The generator's turns, ascending by number as the server's are.

    Raises:
        Mismatch: a turn is missing on one side, or has another message.
    """
    turns = np.sort(turns, order="seq")
    if not np.array_equal(turns["seq"], answers.number):
        missing = np.setxor1d(turns["seq"], answers.number)
        raise Mismatch(f"{len(missing)} turns are known to one side only, such as {missing[:3].tolist()}")
    if not np.array_equal(turns["payload_crc"], answers.crc):
        raise Mismatch("the server read other messages than the generator sent")
    return turns


def hold(turns: Table, answers: Answers, turns_per_s: int, users: int) -> Held:
    """The turns of the measured part of an open run whose connections all open at once.

    Its schedule is known without asking the generator: turn ``n`` is due ``n / turns_per_s`` after the
    start. The start on the server's clock is taken where the fastest message of the run would have travelled
    in no time; so ``implied`` is too small by the shortest way there, some tens of microseconds.

    Raises:
        Mismatch: the sides do not match, or a turn was not due when the plan says.
    """
    turns = matched(turns, answers)
    due = (turns["seq"] * NS + turns_per_s // 2) // turns_per_s
    if np.abs(due - turns["intended_ns"]).max(initial=0) > 1:
        raise Mismatch("turns were not due when the plan says")
    start_ns = (answers.arrived_ns - turns["sent_ns"]).min()
    kept = (turns["phase"] == 1) & (turns["outcome"] == 0)
    planned = int((turns["phase"] == 1).sum())
    blurred = blurred_turns(turns, answers.arrived_ns, users) & kept
    kept &= ~blurred
    mine, arrived, departed = turns[kept], answers.arrived_ns[kept], answers.departed_ns[kept]
    return Held(
        first=mine["first_ns"] - mine["sent_ns"],
        true_first=departed[:, 0] - arrived,
        done=mine["done_ns"] - mine["sent_ns"],
        true_done=departed[:, -1] - arrived,
        response=mine["done_ns"] - mine["waited_from_ns"],
        implied=departed[:, -1] - start_ns - due[kept],
        true_gaps=np.diff(departed, axis=1).ravel(),
        planned=planned,
        blurred=int(blurred.sum()),
    )


def blurred_turns(turns: Table, arrived_ns: Array, users: int) -> npt.NDArray[np.bool_]:
    """Turns that share an arrival with a later one of their connection, though sent in another write."""
    order = np.lexsort((turns["seq"], turns["seq"] % users))
    same_user = np.diff(turns["seq"][order] % users) == 0
    same_stamp = np.diff(arrived_ns[order]) == 0
    other_write = np.diff(turns["sent_ns"][order]) != 0
    blurred = np.zeros(len(turns), np.bool_)
    blurred[order[:-1]] = same_user & same_stamp & other_write
    return blurred


def percentiles(values: Array) -> dict[str, float]:
    """Nearest-rank percentiles in milliseconds, of at least one value."""
    ordered = np.sort(values)
    ranks = {name: max(int(np.ceil(part * len(ordered))), 1) for name, part in PERCENTILES.items()}
    return {name: float(ordered[rank - 1]) / 1e6 for name, rank in ranks.items()}


def allowed_ms(true_ms: float) -> float:
    """How far a measured time may be from the truth: 0.3 ms or 2 %."""
    return max(0.3, 0.02 * abs(true_ms))


def misses(measured: Mapping[str, float | None], true: Mapping[str, float]) -> dict[str, float]:
    """By how many milliseconds the statistics are off that are further off than is allowed.

    One that the run could not support is off by not a number.
    """
    off: dict[str, float] = {}
    for name, truth in true.items():
        value = measured[name]
        off[name] = math.nan if value is None else value - truth
    return {name: by for name, by in off.items() if not abs(by) <= allowed_ms(true[name])}


def of_metric(metric: Mapping[str, Any]) -> dict[str, float | None]:
    """The same statistics of a metric of ``run.json``, as users read them; None where n is too small."""
    return {name: metric["max_exact" if name == "max" else name] for name in PERCENTILES}


def bounds_of(metric: Mapping[str, Any]) -> set[str]:
    """Of which of these statistics a metric says that they are upper bounds."""
    said = {"max" if name == "max_exact" else name for name in metric.get("bounds", ())}
    every = metric.get("upper_bound") or metric.get("approximate")
    return set(PERCENTILES) & (set(PERCENTILES) if every else said)
