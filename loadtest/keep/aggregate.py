"""``totals.hlog``: the histograms of the whole run, one line per tag, so that nothing is added up again.

An hour of a run has tens of thousands of histograms; their sum is a dozen. It is valid for the very
``intervals.hlog`` it was made of, which it knows by the length of its two files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path

from loadtest.keep import folder, hlog, interval_rows
from loadtest.keep.atomic import write_whole
from loadtest.keep.bounded import lines_of
from loadtest.keep.interval_rows import Exact, Row
from loadtest.measure.histogram import Histogram

AT_ONCE = 256
"""Histograms of one tag that are decoded together."""

MOST_IN_A_SECOND = 16_384
"""Histograms of a second. Eight populations with 16 kinds of turn each have up to 12,000 in three phases."""

MOST_IN_A_RUN = 32_768
"""Histograms of the whole run, by name."""

_HEAD_BYTES = 4096

_MADE_OF = re.compile(rb"#\[Sum of (\d{1,18}) bytes of histograms and (\d{1,18}) bytes of intervals\]")

Group = tuple[Row, dict[str, bytes]]
"""A second's row, and the payload of each of its histograms by tag."""


def read_groups(path: Path, *, closed: bool) -> Iterator[Group]:
    """Every second that is there whole, up to the first that was cut; of a closed run none may be cut.

    Raises:
        ValueError: the two files do not belong together, or those of a closed run are not whole.
    """
    with (
        (path / folder.INTERVALS).open("rb") as intervals,
        (path / folder.HISTOGRAMS).open("rb") as histograms,
    ):
        lines = hlog.read_lines(lines_of(histograms))
        for row in interval_rows.read_rows(lines_of(intervals)):
            if len(row.histograms) > MOST_IN_A_SECOND:
                raise ValueError(f"second {row.second} has {len(row.histograms):,} histograms, too many")
            found = list(islice(lines, len(row.histograms)))
            if len(found) < len(row.histograms) and closed:
                raise ValueError(
                    f"{folder.HISTOGRAMS} was changed after the run: second {row.second} is missing"
                )
            if len(found) < len(row.histograms):
                return
            told = [(tag, float(row.second)) for tag in row.histograms]
            if [(line.tag, line.start_s) for line in found] != told:
                raise ValueError(
                    f"{folder.HISTOGRAMS} does not fit second {row.second} of {folder.INTERVALS}"
                )
            yield row, {line.tag: line.payload for line in found}


class Sum:
    """Adds up many encoded histograms by tag."""

    def __init__(self) -> None:
        self.histograms: dict[str, Histogram] = {}
        self._exact: dict[str, list[Exact]] = {}
        self._waiting: dict[str, list[bytes]] = {}

    def add(self, group: Group) -> None:
        """Add a second.

        Raises:
            ValueError: one of its histograms is damaged, or the run has too many.
        """
        row, payloads = group
        if len(self._exact.keys() | payloads.keys()) > MOST_IN_A_RUN:
            raise ValueError(f"the run has more than {MOST_IN_A_RUN:,} histograms by name, too many")
        for tag, payload in payloads.items():
            self._exact.setdefault(tag, []).append(row.histograms[tag])
            waiting = self._waiting.setdefault(tag, [])
            waiting.append(hlog.raw(payload))
            if len(waiting) >= AT_ONCE:
                self._decode(tag)

    def result(self) -> dict[str, Histogram]:
        """The sums, with exact ends and totals.

        Raises:
            ValueError: a histogram is damaged.
        """
        for tag in list(self._waiting):
            self._decode(tag)
        return {tag: interval_rows.exact(self.histograms[tag], known) for tag, known in self._exact.items()}

    def _decode(self, tag: str) -> None:
        decoded = Histogram.decode_sum(self._waiting.pop(tag))
        if tag in self.histograms:
            self.histograms[tag].add(decoded)
        else:
            self.histograms[tag] = decoded


def write_sum(path: Path, started: datetime, histograms: Mapping[str, Histogram], seconds: int) -> None:
    """Write ``totals.hlog`` beside the two files that these histograms are the sum of."""
    comment = "[Sum of {} bytes of histograms and {} bytes of intervals]".format(*_sizes(path))
    lines = [hlog.line(tag, histogram, 0, seconds) for tag, histogram in histograms.items() if histogram.n]
    write_whole(path / folder.TOTALS, hlog.head(started, comment) + b"".join(lines))


def read_sum(path: Path) -> dict[str, Histogram] | None:
    """The sums by tag, with bucket edges for ends; None where they are not there whole, or of other files."""
    if _summed(path) != _sizes(path):
        return None
    try:
        with (path / folder.TOTALS).open("rb") as file:
            lines = list(islice(hlog.read_lines(lines_of(file)), MOST_IN_A_RUN + 1))
        if len(lines) > MOST_IN_A_RUN:
            return None
        return {line.tag: Histogram.decode(hlog.raw(line.payload)) for line in lines}
    except ValueError:
        return None


def check_whole(path: Path) -> None:
    """Compare the files of a closed run with the lengths they had when they were summed.

    Raises:
        ValueError: one of them is shorter now.
    """
    summed = _summed(path) or (0, 0)
    names = (folder.HISTOGRAMS, folder.INTERVALS)
    for name, size, was in zip(names, _sizes(path), summed, strict=True):
        if size < was:
            raise ValueError(f"{name} was changed after the run: it has {size} bytes instead of {was}")


def _summed(path: Path) -> tuple[int, int] | None:
    """The lengths of the two files that the sums were made of; None where there are no sums."""
    file = path / folder.TOTALS
    if not file.exists():
        return None
    with file.open("rb") as source:
        found = _MADE_OF.search(source.read(_HEAD_BYTES))
    return (int(found[1]), int(found[2])) if found else None


def _sizes(path: Path) -> tuple[int, int]:
    """The lengths of the two files, 0 where one is missing."""
    files = (path / folder.HISTOGRAMS, path / folder.INTERVALS)
    histograms, intervals = (file.stat().st_size if file.exists() else 0 for file in files)
    return histograms, intervals
