"""The run that a new one is set beside: the baseline, else the last one of the same scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loadtest.errors import ConfigError
from loadtest.keep.baseline import marked
from loadtest.keep.find import stored_run
from loadtest.keep.manifest_reader import decoded_manifest

LOOKED_AT = 20
"""Folders that are looked at, newest first: a results folder may hold thousands, and a screen waits."""

MEASURED = frozenset({"pass", "fail"})
"""The outcomes of runs whose numbers can be believed."""


def previous_run(run: Path, scenario: str) -> tuple[str, dict[str, Any]] | None:
    """What it is ("baseline", "last run") and its manifest; None where there is none among the newest."""
    results = run.parent
    baseline = marked(results)
    if baseline is not None and baseline.name != run.name and _fits(baseline, scenario):
        return _read("baseline", baseline)
    try:
        names = sorted((path.name for path in results.iterdir()), reverse=True)
    except OSError:
        return None
    # The names of runs begin with the instant of their start.
    earlier = [name for name in names if name < run.name and f"-{scenario}" in name][:LOOKED_AT]
    for name in earlier:
        if _fits(results / name, scenario):
            return _read("last run", results / name)
    return None


def _fits(path: Path, scenario: str) -> bool:
    """Whether a folder has a run of this scenario that was measured, and not made by readiness as a probe."""
    try:
        stored = stored_run(path)
    except ConfigError:
        return False
    return stored.scenario == scenario and stored.outcome in MEASURED and stored.asked_by is None


def _read(what: str, path: Path) -> tuple[str, dict[str, Any]] | None:
    try:
        return what, decoded_manifest(path)
    except ConfigError:
        return None
