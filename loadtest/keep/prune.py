"""Pruning: the raw files of old runs are removed, their summaries stay for ever."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from loadtest.errors import ConfigError
from loadtest.keep import baseline, folder
from loadtest.keep.find import StoredRun, Warn, ignore, list_runs
from loadtest.keep.manifest import RUNNING, timestamp, write_manifest
from loadtest.keep.read import read_manifest

RAW = (
    folder.HISTOGRAMS,
    folder.INTERVALS,
    folder.TIMELINE,
    folder.TURNS,
    folder.SLOWEST,
    folder.LOG,
)
"""What goes: all that grows with the length of a run. ``totals.hlog`` does not, and stays."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was freed of a run, or would be."""

    id: str
    files: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Spared:
    """An old run that keeps its raw files, and why."""

    id: str
    reason: str


def prune(
    results: Path, keep: timedelta, now: datetime, *, dry_run: bool = False, warn: Warn = ignore
) -> list[Pruned | Spared]:
    """Free the raw files of every run that ended longer ago than ``keep``, oldest first.

    The baseline and all repeats of its label are spared, a run that still goes on, and one that was never
    judged, since its raw files are all there is of it. Links are never followed. ``dry_run``: only say so.
    ``warn`` is given a sentence for each run that cannot be read.

    Raises:
        ConfigError: a file cannot be removed; what was removed before is gone.
    """
    marked = baseline.marked(results)
    protected = {path.name for path in baseline.repeats(results)} if marked else set()
    found: list[Pruned | Spared] = []
    for run in list_runs(results, warn=warn):
        if run.path.is_symlink() or now - _ended(run, now) <= keep:
            continue
        files = dict(_raw_files(run.path))
        if files and (why := _spared(run, protected)):
            found.append(Spared(run.id, why))
        elif files:
            freed = Pruned(run.id, tuple(files), sum(files.values()))
            found.append(freed)
            if not dry_run:
                _free(run.path, freed, now)
    return found


def _ended(run: StoredRun, now: datetime) -> datetime:
    """When a run ended, or began; now, which keeps it, where that cannot be read."""
    try:
        instant = datetime.fromisoformat(run.ended or run.started)
    except ValueError:
        return now
    return instant if instant.tzinfo else now


def _spared(run: StoredRun, protected: set[str]) -> str | None:
    if run.path.name in protected:
        return "it belongs to the baseline"
    manifest = read_manifest(run.path)
    if manifest["status"] == RUNNING:
        return "it is still running"
    return None if manifest.get("verdict") else "the run was never judged, and only its raw files are left"


def _raw_files(path: Path) -> Iterator[tuple[str, int]]:
    """The raw files of a run that are there, with their sizes; only plain files."""
    for name in RAW:
        try:
            found = (path / name).lstat()
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield name, found.st_size


def _free(path: Path, freed: Pruned, now: datetime) -> None:
    """Say in ``run.json`` what goes, then let it go: what is missing was never missing without a word."""
    manifest: dict[str, Any] = read_manifest(path)
    manifest["pruned"] = {"at": timestamp(now), "files": list(freed.files), "bytes": freed.size}
    try:
        write_manifest(path, manifest)
        for name in freed.files:
            (path / name).unlink(missing_ok=True)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be pruned: {problem.strerror or problem}") from problem
