"""``slowest.jsonl``: frames of the slowest and of the broken turns, and payloads that should not have come.

While the run goes on, the first turns of each kind of failure are appended at once, and the slowest turns
so far are appended now and then. When the run closes, the file is written anew with the slowest first. So it
stays small however long the run is. A killed run lacks at most the slowest turns of its last seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.keep.atomic import write_whole
from loadtest.keep.json import json_text, parsed
from loadtest.keep.redact import Redactor
from loadtest.units import MIB

SLOWEST = 20
PER_FAILURE = 10
BROKEN = 100

MOST_BYTES = 256 * MIB
"""What is read of a file: 120 turns of 64 KiB each, in JSON's longest way to write them, take 50 MB.

The file of a run that was killed has turns as well that were slow for a while, and may be larger.
"""

MAX_UNWRITTEN_S = 10
"""Seconds between two writes of the slowest turns, at most. The first come after 1, 2, 4, 8 and 16 seconds.

A young run finds slower turns each second, and removing secrets from the 100 events of one takes 5 ms.
"""


@dataclass
class _Slow:
    """A turn among the slowest; ``line`` is what the file has of it, if it has it yet."""

    took_ns: int
    entry: dict[str, Any]
    line: str | None = None


class SlowestTurns:
    """The file as it grows. Entries are those of ``Interval.frames``."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        self.path = path
        self._redactor = redactor
        self._slowest: list[_Slow] = []
        self._seconds = 0
        self._write_at = 1
        self._broken: list[str] = []
        self._failures: Counter[tuple[str, ...]] = Counter()
        self._file = path.open("x", encoding="utf-8")

    def append(self, frames: list[dict[str, Any]]) -> None:
        """Take the entries of a second."""
        for _ in self.appending(frames):
            pass

    def appending(self, frames: list[dict[str, Any]]) -> Iterator[None]:
        """As ``append``, in steps of one payload, for a caller that has other work between."""
        for entry in frames:
            took = took_ns(entry)
            if took is None:
                yield from self._append_broken(entry)
            elif len(self._slowest) < SLOWEST or took > self._slowest[-1].took_ns:
                self._slowest.append(_Slow(took, entry))
                self._slowest = sorted(self._slowest, key=lambda slow: -slow.took_ns)[:SLOWEST]
        self._seconds += 1
        if self._seconds >= self._write_at:
            self._write_at += min(self._seconds, MAX_UNWRITTEN_S)
            yield from self._write_slowest()
        self._file.flush()

    def release(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def close(self) -> None:
        """Write the file anew: the slowest in order, then the others as they came."""
        for _ in self._write_slowest():
            pass
        self._file.close()
        write_whole(self.path, "".join([slow.line or "" for slow in self._slowest] + self._broken))

    def _write_slowest(self) -> Iterator[None]:
        """Write those of the slowest that the file has not yet."""
        for slow in self._slowest:
            if slow.line is None:
                slow.line = yield from self._write(slow.entry)

    def _append_broken(self, entry: dict[str, Any]) -> Iterator[None]:
        failure = tuple(str(entry.get(key)) for key in ("kind", "outcome", "reason", "phase"))
        self._failures[failure] += 1
        if self._failures[failure] <= PER_FAILURE and len(self._broken) < BROKEN:
            self._broken.append((yield from self._write(entry)))

    def _write(self, entry: dict[str, Any]) -> Generator[None, None, str]:
        frames = []
        for frame in entry.get("frames") or ():
            frames.append(self._redactor.data(frame))
            yield
        redacted = self._redactor.data({key: value for key, value in entry.items() if key != "frames"})
        text = json_text({**redacted, "frames": frames} if "frames" in entry else redacted) + "\n"
        self._file.write(text)
        return text


def took_ns(entry: dict[str, Any]) -> int | None:
    """Response time of a turn that is kept for being slow; None for one kept for another reason."""
    since, done = entry.get("waited_from_ns", entry.get("intended_ns")), entry.get("done_ns")
    if entry.get("kind") == "slowest" and isinstance(since, int) and isinstance(done, int):
        return done - since
    return None


def read_slowest(path: Path) -> list[dict[str, Any]]:
    """The entries, up to the end, to a line that was cut, or to ``MOST_BYTES``; none where there is no file.

    Raises:
        ValueError: a whole line is not a JSON object.
    """
    if not path.exists():
        return []
    with path.open("rb") as file:
        lines = file.read(MOST_BYTES).splitlines(keepends=True)
    entries = [parsed(line) for line in lines if line.endswith(b"\n")]
    if not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("a line is not a JSON object")
    return entries
