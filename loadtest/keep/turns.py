"""``turns.npy``: one row per turn, a valid array at every instant, capped by a sampling rule.

While the run goes on rows are appended as turns end and the header's row count is corrected after them;
when it closes, the file is sorted by ``seq``. A run of more than ``MAX_TURNS`` turns keeps those whose
scrambled ``seq`` ends in k zero bits, with the smallest k that leaves at most ``MAX_TURNS`` rows: one turn in
2**k, the same ones whoever takes the sample, independent of how the turn went.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from loadtest.keep.atomic import replacing
from loadtest.measure.interval import TURN, known_turns

MAX_TURNS = 1_000_000

MOST_ROWS = 16 * MAX_TURNS
"""Of a table that is not closed: about half of ``MAX_TURNS`` come with each doubling of the turns, and a run
of 2**30 million turns would have so many."""

Turns = npt.NDArray[np.void]

_WITHOUT_WAITED_FROM = np.dtype([(name, TURN[name]) for name in TURN.names or () if name != "waited_from_ns"])

_WITHOUT_KIND = np.dtype(
    [
        ("phase", "<i2") if name == "phase" else (name, TURN[name])
        for name in _WITHOUT_WAITED_FROM.names or ()
        if name != "kind"
    ]
)

EARLIER = (_WITHOUT_WAITED_FROM, _WITHOUT_KIND)
"""The rows of earlier versions, whose response times count from ``intended_ns``; the oldest have no kinds."""

_MAGIC = b"\x93NUMPY\x01\x00"
_HEAD_BYTES = 512


def head(rows: int) -> bytes:
    """The header of an .npy file of ``rows`` turns; its length does not depend on ``rows``."""
    fields = {"descr": np.lib.format.dtype_to_descr(TURN), "fortran_order": False, "shape": (rows,)}
    text = repr(fields).encode().ljust(_HEAD_BYTES - len(_MAGIC) - 3) + b"\n"
    return _MAGIC + len(text).to_bytes(2, "little") + text


def levels_of(seq: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many zero bits each scrambled ``seq`` ends in: the turn survives sampling up to that level."""
    # The finalizer of SplitMix64: neighbouring numbers end in independent bits.
    scrambled = seq.astype(np.uint64)
    scrambled = (scrambled ^ (scrambled >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    scrambled = (scrambled ^ (scrambled >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scrambled ^= scrambled >> np.uint64(31)
    lowest_bit = scrambled & (~scrambled + np.uint64(1))
    return np.where(scrambled == 0, 63, np.frexp(lowest_bit.astype(np.float64))[1] - 1).astype(np.int64)


class TurnTable:
    """The table as it grows. ``seen`` counts all rows, ``level`` is the k of the sampling rule."""

    def __init__(self, path: Path, most: int = MAX_TURNS) -> None:
        self.seen = 0
        self.level = 0
        self._most = most
        self._rows = 0
        self._by_level = np.zeros(64, np.int64)
        self.path = path
        self._file = path.open("xb")
        self._file.write(head(0))
        self._file.flush()

    def append(self, turns: Turns) -> int:
        """Append rows in the order they ended; returns how many of them the sampling rule kept."""
        levels = levels_of(turns["seq"])
        kept = turns[levels >= self.level].astype(TURN)
        if len(kept):
            self._file.seek(0, os.SEEK_END)
            self._file.write(kept.tobytes())
            # Seeking writes out: the rows reach the file before the header that speaks of them.
            self._file.seek(0)
            self._file.write(head(self._rows + len(kept)))
            self._file.flush()
        self.seen += len(turns)
        self._rows += len(kept)
        self._by_level += np.bincount(levels[levels >= self.level], minlength=64)
        while self._by_level[self.level :].sum() > self._most:
            self.level += 1
        return len(kept)

    def release(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def close(self) -> None:
        """Sort the file by ``seq`` and leave out what the sampling rule leaves out."""
        self._file.close()
        rows, _ = sampled(read_turns(self.path, self._rows, ours=True), self._most)
        rows = rows[np.argsort(rows["seq"], kind="stable")]
        with replacing(self.path) as beside, beside.open("wb") as file:
            file.write(head(len(rows)))
            rows.tofile(file)


def sampled(turns: Turns, most: int = MAX_TURNS) -> tuple[Turns, int]:
    """The rows that the sampling rule keeps of a table that was cut, and its level k."""
    if len(turns) <= most:
        return turns, 0
    levels = levels_of(turns["seq"])
    survivors = np.cumsum(np.bincount(levels, minlength=64)[::-1])[::-1]
    level = int(np.argmax(survivors <= most))
    return turns[levels >= level], level


def sampling(turns: int, level: int) -> list[dict[str, Any]]:
    """The fact that ``turns.npy`` holds one turn in ``2**level`` of ``turns``; nothing where it holds all."""
    if not level:
        return []
    return [{"code": "turns_sampled", "numbers": {"turns": turns, "one_in": 2**level}}]


def read_turns(path: Path, most: int = sys.maxsize, *, ours: bool = False) -> Turns:
    """The first ``most`` of the whole rows of a table, also of one that was cut anywhere.

    ``ours``: this process wrote it, so that it may be of any length, as the sum of many runs is.

    Raises:
        ValueError: the file is not a turn table, or these are more rows than a run keeps.
    """
    with path.open("rb") as file:
        start = file.read(_HEAD_BYTES)
        if len(start) < _HEAD_BYTES and head(0).startswith(start[: len(_MAGIC)]):
            return np.empty(0, TURN)
        file.seek(0)
        rows, layout = _claimed(file)
        whole = (path.stat().st_size - file.tell()) // layout.itemsize
        # A negative number would mean all that there is.
        wanted = max(0, min(rows, whole, most))
        if wanted > MOST_ROWS and not ours:
            raise ValueError(f"the file has {wanted:,} turns; no run keeps more than {MOST_ROWS:,}")
        turns = _as_now(np.fromfile(file, layout, wanted))
    if not known_turns(turns):
        raise ValueError("the file contains a turn with an unknown phase or outcome")
    return turns


def _as_now(turns: Turns) -> Turns:
    """Rows of whatever version in today's layout; what they do not have is 0."""
    if turns.dtype == TURN:
        return turns
    found = np.zeros(len(turns), TURN)
    for name in turns.dtype.names or ():
        found[name] = turns[name]
    found["waited_from_ns"] = turns["intended_ns"]
    return found


def _claimed(file: BinaryIO) -> tuple[int, np.dtype[np.void]]:
    """How many rows of which layout the header claims; the file is left behind it."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("the file is an array of an unknown version")
    try:
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    # numpy reads it as Python, and a damaged one ends in whatever a parser of Python may raise.
    except Exception as problem:
        raise ValueError(f"the header of the file is damaged ({type(problem).__name__})") from problem
    if dtype not in {TURN, *EARLIER} or len(shape) != 1:
        raise ValueError("it is not a table of turns")
    return shape[0], dtype
