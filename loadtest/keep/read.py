"""A stored run, whole or cut: what was written whole is read, what was cut is left out."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtest.errors import ConfigError
from loadtest.keep import folder, hlog, interval_rows
from loadtest.keep.aggregate import Group, Sum, check_whole, read_groups, read_sum
from loadtest.keep.bounded import lines_of
from loadtest.keep.manifest import COMPLETE, CUT_SHORT, INTERRUPTED, RUNNING
from loadtest.keep.manifest_reader import decoded_manifest
from loadtest.keep.slowest import read_slowest
from loadtest.keep.turns import MAX_TURNS, read_turns, sampled, sampling
from loadtest.keep.writer_process import is_alive
from loadtest.measure.histogram import Histogram
from loadtest.measure.interval import TURN, Interval
from loadtest.measure.totals import Totals


class Run:
    """One folder of results. Only ``manifest`` is at hand; everything else is read when asked for.

    ``manifest["status"]`` tells how the run stands now, also where nobody was left to write it.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        manifest["status"] = _status(manifest, path)
        if manifest["status"] == CUT_SHORT:
            self._observe_sampling()

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.status}>"

    @property
    def id(self) -> str:
        """The name of the run's folder when it was made."""
        return str(self.manifest.get("id") or self.path.name)

    @property
    def status(self) -> str:
        """``complete``, ``interrupted``, ``cut short`` (nobody was left to end it) or ``running``."""
        return str(self.manifest["status"])

    def totals(self, first: int | None = None, last: int | None = None) -> Totals:
        """The sum of the seconds from ``first`` up to but not including ``last``; of all by default.

        Its moves are of all seconds before ``last``, so that connections that were ready before are known.

        Raises:
            ConfigError: the run's files are damaged, or were pruned.
        """
        self._check_kept()
        with self._blaming(folder.INTERVALS):
            summed = self._totals_of_sum() if first is None and last is None else None
            return summed or self._totals_of_groups(first, last)

    def intervals(
        self,
        first: int | None = None,
        last: int | None = None,
        tags: Collection[str] | None = None,
        step: int = 1,
    ) -> Iterator[Interval]:
        """The seconds from ``first`` up to but not including ``last``, with histograms of these tags only.

        Turns and frames are not among them; see ``turns`` and ``slowest``. The histograms of ``step`` seconds
        are decoded together, which takes a fraction of the time: the last of these seconds has their sum.
        Steps are counted from ``first``, else from the first second that is there.

        Raises:
            ConfigError: the run's files are damaged, or were pruned.
        """
        self._check_kept()
        with self._blaming(folder.INTERVALS):
            wanted = (
                (row, {tag: payload for tag, payload in payloads.items() if tags is None or tag in tags})
                for row, payloads in self._groups()
                if _within(row.second, first, last)
            )
            yield from _summed(wanted, step, first) if step > 1 else map(_interval, wanted)

    def turns(self) -> npt.NDArray[np.void]:
        """The turn table, of dtype ``measure.interval.TURN``: by ``seq``, or in order of ending where cut.

        Raises:
            ConfigError: the file is damaged, or was pruned.
        """
        self._check_kept()
        if not (self.path / folder.TURNS).exists():
            return np.empty(0, TURN)
        with self._blaming(folder.TURNS):
            return sampled(self._written_turns())[0]

    def slowest(self) -> list[dict[str, Any]]:
        """The frame logs of the slowest and of the broken turns, as ``measure`` made them, redacted.

        Raises:
            ConfigError: the file is damaged, or was pruned.
        """
        self._check_kept()
        with self._blaming(folder.SLOWEST):
            return read_slowest(self.path / folder.SLOWEST)

    def _check_kept(self) -> None:
        """Raise where the raw files were pruned."""
        if is_pruned(self.manifest):
            at = str(self.manifest["pruned"].get("at"))[: len("2026-11-22")]
            sentence = (
                f"the raw files of the run {self.id} were pruned on {at}; its summary and reports are still"
                " in"
            )
            raise ConfigError(f"{sentence} {self.path}")

    def _groups(self) -> Iterator[Group]:
        closed = self.status in {COMPLETE, INTERRUPTED}
        if closed:
            check_whole(self.path)
        written = all((self.path / name).exists() for name in (folder.INTERVALS, folder.HISTOGRAMS))
        return read_groups(self.path, closed=closed) if written or closed else iter(())

    def _rows(self) -> Iterator[interval_rows.Row]:
        if (self.path / folder.INTERVALS).exists():
            with self._blaming(folder.INTERVALS), (self.path / folder.INTERVALS).open("rb") as source:
                yield from interval_rows.read_rows(lines_of(source))

    def _totals_of_sum(self) -> Totals | None:
        """From the sums made when the run was closed; None where they do not fit what is there."""
        histograms = read_sum(self.path)
        if histograms is None:
            return None
        totals = Totals()
        known: dict[str, list[interval_rows.Exact]] = {}
        for row in self._rows():
            totals.add(row.interval())
            for tag, exact in row.histograms.items():
                known.setdefault(tag, []).append(exact)
        try:
            totals.histograms = {tag: interval_rows.exact(histograms[tag], known[tag]) for tag in known}
        except (KeyError, ValueError):
            return None
        return totals

    def _totals_of_groups(self, first: int | None, last: int | None) -> Totals:
        totals, histograms = Totals(), Sum()
        for row, payloads in self._groups():
            if _within(row.second, first, last):
                totals.add(row.interval())
                histograms.add((row, payloads))
            elif _within(row.second, None, last):
                totals.add_moves(row.interval().moves)
        totals.histograms = histograms.result()
        return totals

    def _written_turns(self) -> npt.NDArray[np.void]:
        """Rows of the turns of those seconds that are there whole; a run that was closed has no others."""
        return read_turns(self.path / folder.TURNS, sum(row.turns_kept for row in self._rows()))

    def _observe_sampling(self) -> None:
        with self._blaming(folder.TURNS):
            seen = kept = 0
            for row in self._rows():
                seen, kept = seen + row.turns, kept + row.turns_kept
            level = sampled(self._written_turns())[1] if kept > MAX_TURNS else 0
        observed = self.manifest.setdefault("observed", [])
        observed.extend(fact for fact in sampling(seen, level) if fact not in observed)

    @contextmanager
    def _blaming(self, name: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError) as problem:
            raise ConfigError(f"{self.path / name} cannot be read: {problem}") from problem


def is_pruned(manifest: Mapping[str, Any]) -> bool:
    """Whether the raw files of a run are gone, and its summary alone is left."""
    return isinstance(manifest.get("pruned"), dict)


def read_run(path: Path) -> Run:
    """The run whose folder, or whose ``run.json``, ``path`` is.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    run_folder = path.parent if path.name == folder.RUN else path
    return Run(run_folder, decoded_manifest(run_folder))


def read_manifest(path: Path) -> dict[str, Any]:
    """What ``run.json`` in a run's folder says, with how the run stands now; no other file is read.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    manifest = decoded_manifest(path)
    manifest["status"] = _status(manifest, path)
    return manifest


def _status(manifest: dict[str, Any], path: Path) -> str:
    if manifest.get("ended"):
        return INTERRUPTED if manifest.get("interrupted") else COMPLETE
    process = manifest.get("process")
    alive = isinstance(process, dict) and is_alive(process, path / folder.INTERVALS)
    return RUNNING if alive else CUT_SHORT


def _interval(group: Group) -> Interval:
    row, payloads = group
    interval = row.interval()
    interval.histograms = {tag: _decoded(row, tag, payload) for tag, payload in payloads.items()}
    return interval


def _decoded(row: interval_rows.Row, tag: str, payload: bytes) -> Histogram:
    return interval_rows.exact(Histogram.decode(hlog.raw(payload)), [row.histograms[tag]])


def _summed(groups: Iterable[Group], step: int, begun: int | None) -> Iterator[Interval]:
    """Every second; those of a step, counted from ``begun``, have their histograms in its last.

    Where seconds are out of order, a step may come in several pieces, each with a sum of its own.
    """

    def step_of(group: Group) -> int:
        nonlocal begun
        begun = group[0].second if begun is None else begun
        return (group[0].second - begun) // step

    for _, same in itertools.groupby(groups, key=step_of):
        summed, intervals = Sum(), []
        for row, payloads in same:
            summed.add((row, payloads))
            intervals.append(row.interval())
        intervals[-1].histograms = summed.result()
        yield from intervals


def _within(second: int, first: int | None, last: int | None) -> bool:
    return (first is None or second >= first) and (last is None or second < last)
