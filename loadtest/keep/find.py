"""From what a user types to the folder of a run: an id, its beginning, a label, ``latest``, or a path."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import digits
from typing import Any

from loadtest.errors import ConfigError
from loadtest.keep import folder
from loadtest.keep.manifest_reader import decoded_manifest
from loadtest.plan.printable_text import visible

LATEST = "latest"

_NUMERALS = re.compile(r"([0-9]+)")

Warn = Callable[[str], object]


def ignore(_sentence: str) -> None:
    """Warn nobody."""


@dataclass(frozen=True, slots=True)
class ThresholdOutcome:
    """One threshold as it was judged."""

    name: str
    outcome: str
    measured: float | None = None
    unit: str | None = None
    expression: str = ""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run in a list of runs; ``outcome`` is None and ``why`` empty while there is no verdict.

    ``asked_by`` names the component of a policy that the run was made for; None where a user started it.
    ``p95_ms`` has the 95th percentile of each metric of which the run has one; infinite: never.
    """

    path: Path
    id: str
    label: str | None
    scenario: str
    started: str
    ended: str | None
    outcome: str | None
    why: str
    thresholds: tuple[ThresholdOutcome, ...]
    target: str
    simulated: bool
    asked_by: str | None
    p95_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """What a results folder holds: its runs, oldest first, and why each of the others cannot be read."""

    runs: tuple[StoredRun, ...]
    unreadable: tuple[str, ...]


def stored_runs(results: Path) -> StoredRuns:
    """Every run in a results folder, and a sentence for each whose ``run.json`` cannot be read.

    Raises:
        ConfigError: the folder cannot be read.
    """
    try:
        paths = sorted(results.iterdir()) if results.is_dir() else []
    except OSError as error:
        raise ConfigError(f"the results folder {results} cannot be read: {error.strerror}") from None
    found: list[StoredRun] = []
    unreadable: list[str] = []
    for path in paths:
        if (path / folder.RUN).is_file():
            try:
                found.append(stored_run(path))
            except ConfigError as error:
                unreadable.append(str(error))
    return StoredRuns(tuple(sorted(found, key=_age)), tuple(unreadable))


def _age(run: StoredRun) -> tuple[str, list[tuple[int, int, str]]]:
    return run.started, _natural(run.id)


def list_runs(results: Path, *, probes: bool = True, warn: Warn = ignore) -> list[StoredRun]:
    """Every run in a results folder, oldest first. Of each that cannot be read ``warn`` is given a sentence.

    ``probes``: include the runs that readiness made to probe a component.

    Raises:
        ConfigError: the folder cannot be read.
    """
    found = stored_runs(results)
    for sentence in found.unreadable:
        warn(sentence)
    return [run for run in found.runs if probes or run.asked_by is None]


def find_runs(results: Path, label: str, warn: Warn = ignore) -> list[Path]:
    """The folders of all runs with that label, oldest first; none where nobody used it."""
    return [run.path for run in list_runs(results, warn=warn) if run.label == label]


def find_run(results: Path, ref: str, warn: Warn = ignore) -> Path:
    """The folder of the run that ``ref`` means: an id, a path, "latest", the beginning of one id, or a label.

    Of several runs with the same label the newest is taken. The latest is never one that readiness made
    to probe a component. An id or a path means that folder, whether its run can be read or not; anything else
    is chosen among those that can, and ``warn`` is given a sentence for each other.

    Raises:
        ConfigError: no run is meant, or the beginning fits several.
    """
    if named := _named(results, ref):
        return named
    runs = list_runs(results, warn=warn)
    if not runs:
        raise ConfigError(f'there is no run "{ref}": "{results}" has no runs yet')
    if ref == LATEST:
        return _latest(results, runs)
    begin = [run for run in runs if ref and run.id.startswith(ref)]
    if len(begin) == 1:
        return begin[0].path
    if labelled := [run for run in runs if run.label == ref]:
        return labelled[-1].path
    if begin:
        names = _names([run.id for run in begin])
        raise ConfigError(f'"{ref}" is the beginning of {len(begin)} ids: {names}; write a longer part')
    raise ConfigError(f'there is no run "{ref}" in "{results}"; {_nearest(ref, runs)}')


def _named(results: Path, ref: str) -> Path | None:
    """The folder that ``ref`` names by its id, or by a path."""
    return results / ref if is_folder_name(ref) and holds_run(results / ref) else _path(ref)


def _latest(results: Path, runs: list[StoredRun]) -> Path:
    own = [run for run in runs if run.asked_by is None]
    if not own:
        sentence = f'all runs in "{results}" were made by `ready` or `watch`; give the id of a run'
        raise ConfigError(f"there is no {LATEST} run: {sentence} (loadtest runs list --all)")
    return own[-1].path


def stored_run(path: Path) -> StoredRun:
    """The summary of the run in a folder.

    Raises:
        ConfigError: the folder holds no run, or its ``run.json`` is damaged.
    """
    manifest = decoded_manifest(path)
    verdict, target = manifest.get("verdict") or {}, manifest.get("target") or {}
    return StoredRun(
        path=path,
        id=path.name,
        label=manifest.get("label"),
        scenario=(manifest.get("scenario") or {}).get("name", ""),
        started=manifest.get("started", ""),
        ended=manifest.get("ended"),
        outcome=verdict.get("outcome"),
        why=verdict.get("reason") or "",
        thresholds=tuple(map(_threshold, verdict.get("thresholds", ()))),
        target=target.get("url") or "",
        simulated=bool(target.get("simulated")),
        asked_by=manifest.get("asked_by"),
        p95_ms=_p95s(manifest.get("metrics"), manifest.get("of_due")),
    )


def _p95s(metrics: object, of_due: object) -> dict[str, float]:
    """The 95th percentile of each metric that has one: of all turns due where some were never answered.

    It is infinite where it falls on a turn that was not.
    """
    due = of_due if isinstance(of_due, Mapping) else {}
    known = {**(metrics if isinstance(metrics, Mapping) else {}), **due}
    never = {str(name) for name, metric in due.items() if "p95" in (metric.get("unbounded") or ())}
    found = {str(name): metric.get("p95") for name, metric in known.items() if isinstance(metric, Mapping)}
    timed = {name: float(p95) for name, p95 in found.items() if isinstance(p95, int | float)}
    return timed | dict.fromkeys(never, math.inf)


def _threshold(row: dict[str, Any]) -> ThresholdOutcome:
    name, outcome = row.get("name", ""), row.get("outcome", "")
    expression = str(row.get("expression") or "")
    return ThresholdOutcome(name, outcome, row.get("measured"), row.get("unit"), expression)


def _path(ref: str) -> Path | None:
    """The folder, if ``ref`` is the path of a run's folder or of its ``run.json``."""
    run_folder = Path(ref).parent if Path(ref).name == folder.RUN else Path(ref)
    return run_folder if ref and holds_run(run_folder) else None


def is_folder_name(text: str) -> bool:
    """Whether a text names something directly in a folder, and not a path that leads elsewhere."""
    return text not in {"", ".", ".."} and not {"/", os.sep, "\0"} & set(text)


def holds_run(path: Path) -> bool:
    """Whether a folder has a ``run.json``; none has one whose name no file system can hold."""
    try:
        return (path / folder.RUN).is_file()
    except (OSError, ValueError):
        return False


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts -2 before -10. Others name folders too: only digits of ASCII count, however many."""
    return [_numeral(part) if part[0] in digits else (1, 0, part) for part in _NUMERALS.split(name) if part]


def _numeral(text: str) -> tuple[int, int, str]:
    """Sorts as its number does, which is not made: ``int`` refuses thousands of digits."""
    known = text.lstrip("0")
    return 0, len(known), known


def _nearest(ref: str, runs: list[StoredRun]) -> str:
    known = [LATEST] + [run.id for run in runs] + [run.label for run in runs if run.label]
    near = list(dict.fromkeys(difflib.get_close_matches(ref, known, n=3, cutoff=0.5)))
    return f"similar names are {_names(near)}" if near else f"the newest run is {_names([runs[-1].id])}"


def _names(names: list[str]) -> str:
    return ", ".join(f'"{visible(name)}"' for name in names[:5]) + (", ..." if len(names) > 5 else "")
