"""The run that a new one is set beside: the baseline, else the last one of the same scenario."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from loadtest.keep import folder
from loadtest.keep.baseline import marked
from loadtest.keep.find import StoredRun, stored_run

LOOKED_AT = 20
"""Folders that are looked at, newest first: a results folder may hold thousands, and a screen waits."""

MEASURED = frozenset({"pass", "fail"})
"""The outcomes of runs whose numbers can be believed."""


def previous_run(run: Path, scenario: str) -> tuple[str, dict[str, Any]] | None:
    """What it is ("baseline", "last run") and its manifest; None where there is none among the newest."""
    results = run.parent
    baseline = marked(results)
    if baseline is not None and baseline.name != run.name and _fits(stored_run(baseline), scenario):
        return _read("baseline", baseline)
    try:
        names = sorted((path.name for path in results.iterdir()), reverse=True)
    except OSError:
        return None
    # The names of runs begin with the instant of their start.
    earlier = [name for name in names if name < run.name and f"-{scenario}" in name][:LOOKED_AT]
    for name in earlier:
        if _fits(stored_run(results / name), scenario):
            return _read("last run", results / name)
    return None


def _fits(stored: StoredRun | None, scenario: str) -> bool:
    """Whether a run is of this scenario, was measured, and was not made by readiness as a probe."""
    return (
        stored is not None
        and stored.scenario == scenario
        and stored.outcome in MEASURED
        and stored.asked_by is None
    )


def _read(what: str, path: Path) -> tuple[str, dict[str, Any]] | None:
    try:
        found = json.loads((path / folder.RUN).read_bytes())
    except (OSError, ValueError):
        return None
    return (what, found) if isinstance(found, dict) else None
