"""``results/RUN/`` as it grows: a run that is killed at any moment leaves a folder that can be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from loadtest.errors import LoadtestError
from loadtest.keep import folder, hlog, interval_rows, timeline_csv
from loadtest.keep.aggregate import write_sum
from loadtest.keep.manifest import write_manifest
from loadtest.keep.redact import Redactor
from loadtest.keep.slowest import SlowestTurns
from loadtest.keep.turns import MAX_TURNS, TurnTable, sampling
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import Interval, add_histograms


class RunFolder:
    """The folder of a run that goes on. Everything that is written passes ``redactor``.

    Histograms of a second come first, its row in ``intervals.jsonl`` last: where the row is
    whole, the second is.
    """

    def __init__(
        self,
        path: Path,
        started: datetime,
        redactor: Redactor,
        most_turns: int = MAX_TURNS,
        *,
        sampled: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.id = path.name
        self.log = path / folder.LOG
        self._started = started
        self._sampled = sampled
        self._redactor = redactor
        self._failed: OSError | None = None
        self._closed = False
        self._sum: dict[str, Histogram] = {}
        self._seconds = 0
        self._histograms = (path / folder.HISTOGRAMS).open("xb")
        self._intervals = (path / folder.INTERVALS).open("xb")
        self._timeline = (path / folder.TIMELINE).open("xb")
        self._turns = TurnTable(path / folder.TURNS, most_turns)
        self._slowest = SlowestTurns(path / folder.SLOWEST, redactor)
        try:
            _write(self._histograms, hlog.head(started))
            _write(self._timeline, timeline_csv.head(sampled))
            _write(self._intervals, b"")
        except OSError:
            self._discard()
            raise

    def __repr__(self) -> str:
        return f"<RunFolder {self.path}>"

    @classmethod
    def create(
        cls,
        results: Path,
        scenario: str,
        label: str | None,
        started: datetime,
        redactor: Redactor | None = None,
        *,
        sampled: Sequence[str] = (),
    ) -> RunFolder:
        """A new folder ``<UTC time>-<scenario>[-<label>]`` in ``results``, with ``-2`` where it is taken.

        ``sampled`` of the target has columns of its own in ``timeline.csv``.

        Raises:
            ConfigError: a name has characters that a folder's may not have, or nothing can be written there.
        """
        path = folder.make_folder(results, folder.folder_name(scenario, label, started))
        try:
            return cls(path, started, redactor or Redactor(), sampled=sampled)
        except OSError as problem:
            shutil.rmtree(path, ignore_errors=True)
            raise folder.unwritable(results, problem) from problem

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Write the first ``run.json``.

        Raises:
            ConfigError: there is no room for it; the folder is gone again.
        """
        try:
            self.manifest(manifest)
        except OSError as problem:
            self._discard()
            raise folder.unwritable(self.path.parent, problem) from problem

    def _discard(self) -> None:
        """Leave nothing of a run that could not be begun."""
        for close in (self._histograms.close, self._intervals.close, self._timeline.close):
            _attempt(close)
        for release in (self._turns.release, self._slowest.release):
            _attempt(release)
        shutil.rmtree(self.path, ignore_errors=True)

    def manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write ``run.json`` in one step: a reader sees the old one or the new one, never a part."""
        write_manifest(self.path, self._redactor.manifest(manifest))

    def interval(self, interval: Interval) -> None:
        """Write one second. Seconds may come out of order, and in several parts.

        Raises:
            LoadtestError: the folder cannot be written to any more; what was written is kept.
        """
        for _ in self.writing(interval):
            pass

    def writing(self, interval: Interval) -> Iterator[None]:
        """As ``interval``, in steps of well under a millisecond, for a caller that has other work between."""
        if self._failed:
            raise self._cannot_write(self._failed)
        try:
            yield from self._write_interval(interval)
        except OSError as problem:
            self._failed = problem
            raise self._cannot_write(problem) from problem

    def close(self) -> list[dict[str, Any]]:
        """Close the folder: sort the turns and the slowest, write the sums.

        Returns facts for the manifest's ``observed``: ``turns_sampled`` where turns were left out.

        Raises:
            LoadtestError: a file could not be written; what was written before is kept.
        """
        if self._closed:
            return self._observed()
        self._closed = True
        files = (self._histograms, self._intervals, self._timeline, self._turns, self._slowest)
        problems = [problem for file in files if (problem := _attempt(file.close))]
        if not problems and not self._failed:
            problems = [problem for problem in [_attempt(self._write_sum)] if problem]
        if problems:
            raise self._cannot_write(problems[0]) from problems[0]
        return self._observed()

    def _write_interval(self, interval: Interval) -> Iterator[None]:
        # An open file that was deleted, or whose folder was moved, takes all that is written, for nobody.
        (self.path / folder.INTERVALS).stat()
        lines = []
        for tag, histogram in interval.histograms.items():
            if histogram.n:
                lines.append(hlog.line(tag, histogram, interval.second))
                yield
        row_of_timeline = timeline_csv.line(interval, self._sampled)
        yield
        yield from self._slowest.appending(interval.frames)
        yield
        # No step from here on: a caller that is stopped between two of them must not leave half a second.
        _write(self._histograms, b"".join(lines))
        _write(self._timeline, row_of_timeline)
        kept = self._turns.append(interval.turns)
        _write(self._intervals, interval_rows.line(interval_rows.row_of(interval, kept)))
        self._seconds = max(self._seconds, interval.second + 1)
        add_histograms(self._sum, interval.histograms)

    def _write_sum(self) -> None:
        write_sum(self.path, self._started, self._sum, self._seconds)

    def _observed(self) -> list[dict[str, Any]]:
        return sampling(self._turns.seen, self._turns.level)

    def _cannot_write(self, problem: OSError) -> LoadtestError:
        if isinstance(problem, FileNotFoundError):
            return LoadtestError(f"the folder {self.path} was deleted or moved during the run")
        reason = problem.strerror or problem
        return LoadtestError(
            f"loadtest cannot write to {self.path}: {reason}; everything written before is still there",
        )


def _attempt(action: Callable[[], None]) -> OSError | None:
    """Do it, and give back what kept it from being done: one file that fails must not cost the others."""
    try:
        action()
    except OSError as problem:
        return problem
    return None


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
