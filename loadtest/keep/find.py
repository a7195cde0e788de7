"""From what a user types to the folder of a run: an id, its beginning, a label, ``latest``, or a path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import ConfigError
from loadtest.keep import folder

LATEST = "latest"


class ThresholdOutcome(msgspec.Struct, frozen=True):
    """One threshold as it was judged."""

    name: str = ""
    outcome: str = ""
    measured: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run in a list of runs; ``outcome`` is None and ``why`` empty while there is no verdict.

    ``asked_by`` names the component of a policy that the run was made for; None where a user started it.
    ``p95_ms`` has the 95th percentile of each metric of which the run has one.
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


class _Scenario(msgspec.Struct):
    name: str = ""


class _Verdict(msgspec.Struct):
    outcome: str | None = None
    reason: str = ""
    thresholds: tuple[ThresholdOutcome, ...] = ()


class _Target(msgspec.Struct):
    url: str | None = None
    simulated: bool = False


class _Metric(msgspec.Struct):
    p95: float | None = None


class _Manifest(msgspec.Struct):
    schema: str = ""
    label: str | None = None
    scenario: _Scenario = msgspec.field(default_factory=_Scenario)
    started: str = ""
    ended: str | None = None
    verdict: _Verdict | None = None
    target: _Target = msgspec.field(default_factory=_Target)
    asked_by: str | None = None
    metrics: dict[str, _Metric] = msgspec.field(default_factory=dict)


_decoder = msgspec.json.Decoder(_Manifest)


def list_runs(results: Path, *, probes: bool = True) -> list[StoredRun]:
    """Every run in a results folder, oldest first; what is not a run is skipped.

    ``probes``: include the runs that readiness made to probe a component.

    Raises:
        ConfigError: the folder cannot be read.
    """
    try:
        paths = list(results.iterdir()) if results.is_dir() else []
    except OSError as error:
        raise ConfigError(f"the results folder {results} cannot be read: {error.strerror}") from None
    found = [run for path in paths if (run := stored_run(path))]
    wanted = (run for run in found if probes or run.asked_by is None)
    return sorted(wanted, key=lambda run: (run.started, _natural(run.id)))


def find_runs(results: Path, label: str) -> list[Path]:
    """The folders of all runs with that label, oldest first; none where nobody used it."""
    return [run.path for run in list_runs(results) if run.label == label]


def find_run(results: Path, ref: str) -> Path:
    """The folder of the run that ``ref`` means: an id, a path, "latest", the beginning of one id, or a label.

    Of several runs with the same label the newest is taken. The latest is never one that readiness made
    to probe a component.

    Raises:
        ConfigError: no run is meant, or the beginning fits several.
    """
    runs = list_runs(results)
    named = next((run.path for run in runs if run.id == ref), None) or _path(ref)
    if named:
        return named
    if not runs:
        raise ConfigError(f'there is no run "{ref}": "{results}" holds no runs yet')
    if ref == LATEST:
        return _latest(results, runs)
    begin = [run for run in runs if ref and run.id.startswith(ref)]
    if len(begin) == 1:
        return begin[0].path
    if labelled := [run for run in runs if run.label == ref]:
        return labelled[-1].path
    if begin:
        raise ConfigError(f'"{ref}" begins the ids of {len(begin)} runs: {_names([run.id for run in begin])}')
    raise ConfigError(f'there is no run "{ref}" in "{results}"; {_nearest(ref, runs)}')


def _latest(results: Path, runs: list[StoredRun]) -> Path:
    own = [run for run in runs if run.asked_by is None]
    if not own:
        sentence = f'"{results}" holds only runs that readiness made; name one of them by its id'
        raise ConfigError(f"there is no {LATEST} run: {sentence}, as loadtest runs list --all tells it")
    return own[-1].path


def stored_run(path: Path) -> StoredRun | None:
    """The summary of the run in a folder; None where the folder holds no run."""
    try:
        manifest = _decoder.decode((path / folder.RUN).read_bytes())
    except (OSError, ValueError):
        return None
    return StoredRun(
        path=path,
        id=path.name,
        label=manifest.label,
        scenario=manifest.scenario.name,
        started=manifest.started,
        ended=manifest.ended,
        outcome=verdict.outcome if (verdict := manifest.verdict) else None,
        why=verdict.reason if verdict else "",
        thresholds=verdict.thresholds if verdict else (),
        target=manifest.target.url or "",
        simulated=manifest.target.simulated,
        asked_by=manifest.asked_by,
        p95_ms={name: found.p95 for name, found in manifest.metrics.items() if found.p95 is not None},
    )


def _path(ref: str) -> Path | None:
    """The folder, if ``ref`` is the path of a run's folder or of its ``run.json``."""
    path = Path(ref) if ref and "\0" not in ref else None
    if path is None:
        return None
    run_folder = path.parent if path.name == folder.RUN else path
    return run_folder if (run_folder / folder.RUN).is_file() else None


def _natural(name: str) -> list[tuple[int, Any]]:
    """A key that sorts -2 before -10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _nearest(ref: str, runs: list[StoredRun]) -> str:
    known = [LATEST] + [run.id for run in runs] + [run.label for run in runs if run.label]
    near = list(dict.fromkeys(difflib.get_close_matches(ref, known, n=3, cutoff=0.5)))
    return f"the nearest are {_names(near)}" if near else f"the newest is {_names([runs[-1].id])}"


def _names(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:5]) + (", ..." if len(names) > 5 else "")
