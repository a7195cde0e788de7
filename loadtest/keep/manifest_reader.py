"""Reading ``run.json``, which is untrusted input: of another machine, another version, a broken disk.

What has the wrong shape is refused here, by name, so that whoever reads a manifest that was taken in may rely
on its sections being tables, its lists being lists, and its numbers being numbers that arithmetic can bear.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import ConfigError
from loadtest.keep import folder
from loadtest.keep.json import unbearable
from loadtest.keep.manifest import SCHEMA
from loadtest.plan.threshold import TURNED_OFF, parse_threshold

JsonObject = dict[str, Any]
Number = float | None


class _Stage(msgspec.Struct):
    thresholds: JsonObject | None = None


class _LoadSettings(msgspec.Struct):
    stages: list[_Stage] | None = None


class _PopulationSettings(msgspec.Struct):
    load: _LoadSettings | None = None


class _Settings(msgspec.Struct):
    """Of the settings what verdicts are made of again."""

    thresholds: JsonObject | None = None
    load: _LoadSettings | None = None
    population: list[_PopulationSettings] | None = None

    @property
    def every_threshold(self) -> Iterator[tuple[str, Any]]:
        """The thresholds of the run, of its stages and of its populations' stages, as they are written."""
        loads = (self.load, *(each.load for each in self.population or ()))
        stages = [stage for load in loads if load is not None for stage in load.stages or ()]
        for table in (self.thresholds, *(stage.thresholds for stage in stages)):
            yield from (table or {}).items()


class _Scenario(msgspec.Struct):
    name: str = ""
    question: str | None = None
    path: str | None = None
    sha256: str | None = None
    settings: _Settings = msgspec.field(default_factory=_Settings)


class _Threshold(msgspec.Struct):
    name: str = ""
    expression: str = ""
    outcome: str = ""
    measured: Number = None
    unit: str | None = None
    n: int | None = None
    reason: str | None = None
    stage: int | None = None


class _Verdict(msgspec.Struct):
    outcome: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    thresholds: list[_Threshold] = []


class _Target(msgspec.Struct):
    url: str | None = None
    address: str | None = None
    simulated: bool = False


class _Load(msgspec.Struct):
    model: str | None = None
    planned: dict[str, str | float | bool | None] = {}
    achieved: dict[str, float | None] = {}


class _Metric(msgspec.Struct):
    unit: str = ""
    n: int = 0
    min: Number = None
    p50: Number = None
    p90: Number = None
    p95: Number = None
    p99: Number = None
    p99_9: Number = None
    max: Number = None
    max_exact: Number = None
    mean: Number = None
    ci95: dict[str, tuple[Number, Number] | None] | None = None
    unsupported: list[str] = []
    below_resolution: JsonObject = {}
    reasons: dict[str, str] = {}
    bounds: list[str] = []
    upper_bound: bool = False
    at_most: dict[str, Number] = {}
    ci95_scope: str = ""


class _Rate(msgspec.Struct):
    value: Number = None
    n: int | None = None
    over_s: Number = None
    bound: str | None = None
    reason: str | None = None


class _Notice(msgspec.Struct):
    code: str = ""
    message: str | None = None
    remedy: str | None = None
    numbers: JsonObject | None = None
    spoils: bool | None = None


class _Pruned(msgspec.Struct):
    at: str | None = None
    files: list[str] | None = None


class _Part(msgspec.Struct):
    run: str = ""
    offset_s: float = 0.0


class _Population(msgspec.Struct):
    """The sections of one population, which have the shape of those of the whole run."""

    first_user: int = 0
    users: int = 0
    load: _Load = msgspec.field(default_factory=_Load)
    metrics: dict[str, _Metric] = {}
    counts: dict[str, dict[str, Any]] = {}
    rates: dict[str, _Rate] = {}
    of_due: JsonObject = {}
    generator: JsonObject = {}
    unmeasured: dict[str, str] = {}


class _Shape(msgspec.Struct):
    """What every view may rely on; what is not named here is told as it stands, or not at all."""

    schema: str
    id: str | None = None
    label: str | None = None
    status: str | None = None
    scenario: _Scenario = msgspec.field(default_factory=_Scenario)
    started: str = ""
    ended: str | None = None
    duration_s: Number = None
    interrupted: bool = False
    process: JsonObject | None = None
    target: _Target = msgspec.field(default_factory=_Target)
    load: _Load = msgspec.field(default_factory=_Load)
    metrics: dict[str, _Metric] = {}
    counts: dict[str, dict[str, Any]] = {}
    rates: dict[str, _Rate] = {}
    verdict: _Verdict | None = None
    notices: list[_Notice] = []
    generator: JsonObject = {}
    fingerprint: JsonObject = {}
    unmeasured: dict[str, str] = {}
    observed: list[_Notice] = []
    asked_by: str | None = None
    pruned: _Pruned | None = None
    merged: list[_Part] | None = None
    populations: dict[str, _Population] = {}


def decoded_manifest(run_folder: Path) -> dict[str, Any]:
    """What ``run.json`` in the folder of a run says.

    Raises:
        ConfigError: there is none, it is damaged, or of another schema.
    """
    file = run_folder / folder.RUN
    try:
        manifest = msgspec.json.decode(file.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f'"{run_folder}" is not the folder of a run: {folder.RUN} is missing') from None
    except RecursionError:
        raise ConfigError(f"{file} cannot be read: its JSON is nested too deeply") from None
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{file} cannot be read: {problem}") from problem
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise ConfigError(
            f'{file} has schema "{str(schema)[:40]}"; this version of loadtest reads "{SCHEMA}"',
        )
    found: dict[str, Any] = manifest
    if why := unbearable(found):
        raise ConfigError(f"{file} cannot be read: {why}")
    try:
        shape = msgspec.convert(found, _Shape)
        for name, written in shape.scenario.settings.every_threshold:
            _read_threshold(name, written)
    except (msgspec.ValidationError, ValueError) as problem:
        raise ConfigError(f"{file} cannot be read: {problem}") from None
    if odd := _odd_count(found.get("counts", {}), "counts"):
        raise ConfigError(f"{file} cannot be read: {odd} is not a count")
    found.setdefault("scenario", {}).setdefault("name", "")
    found.setdefault("target", {})
    found.setdefault("load", {})
    return found


def _read_threshold(name: str, written: Any) -> None:
    """Read a threshold as who judges the run again will read it.

    Raises:
        ValueError: it is none.
    """
    for expression in written if isinstance(written, list) else [written]:
        if written != TURNED_OFF:
            parse_threshold(name, str(expression), None)


def _odd_count(groups: JsonObject, before: str) -> str:
    """The first place below ``before`` that holds something else than a count; "" if none does."""
    for group, counts in groups.items():
        place = f"{before}.{group}"
        if not isinstance(counts, dict):
            return place
        if group == "measured":
            odd = _odd_count(counts, place)
        else:
            odd = next((f"{place}.{name}" for name, n in counts.items() if not _counts(group, name, n)), "")
        if odd:
            return odd
    return ""


def _counts(group: str, name: str, found: Any) -> bool:
    """Whether it is a count, or some by what they are of. One of events may be null: it is not known."""
    if name == "unmeasured":
        return isinstance(found, dict)
    if isinstance(found, dict):
        return all(type(n) is int and n >= 0 for n in found.values())
    if group == "compression" and name.endswith("_ratio"):
        return type(found) in {int, float} and found >= 0
    return (found is None and group == "events") or (type(found) is int and found >= 0)
