"""Reading ``run.json``, which is untrusted input: of another machine, another version, a broken disk.

What has the wrong shape is refused here, by name, so that whoever reads a manifest that was taken in may rely
on its sections being tables, its lists being lists, and its numbers being numbers that arithmetic can bear.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec

from loadtest import catalog
from loadtest.errors import ConfigError, Exit
from loadtest.keep import folder
from loadtest.keep.bounded import read_whole
from loadtest.keep.json import unbearable
from loadtest.keep.manifest import SCHEMA
from loadtest.keep.settings_shape import StoredSettings
from loadtest.units import MIB

JsonObject = dict[str, Any]
Number = float | None

MOST_BYTES = 256 * MIB
"""Most manifests have 100 KB. Bursts of 100,000 connections have a row for each place, of 400 bytes."""


class _Scenario(msgspec.Struct):
    name: str = ""
    question: str | None = None
    path: str | None = None
    sha256: str | None = None
    settings: StoredSettings = msgspec.field(default_factory=StoredSettings)


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
    exit_code: Exit | None = None
    reason: str | None = None
    thresholds: list[_Threshold] = []


class _Sampled(msgspec.Struct):
    sampled: list[str] | None = None
    reasons: JsonObject | None = None


class _Target(msgspec.Struct):
    health: _Sampled | None = None
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
    approximate: bool = False
    ci95_scope: str = ""


class _TimesOfDue(_Metric):
    """A metric of all turns due; ``unbounded`` names what falls on those that were never answered."""

    unbounded: list[str] | None = None


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
    of_due: dict[str, _TimesOfDue] = {}
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
    of_due: dict[str, _TimesOfDue] = {}


def decoded_manifest(run_folder: Path) -> dict[str, Any]:
    """What ``run.json`` in the folder of a run says.

    Raises:
        ConfigError: there is none, it is damaged, or of another schema.
    """
    file = run_folder / folder.RUN
    try:
        manifest = msgspec.json.decode(read_whole(file, MOST_BYTES))
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
        msgspec.convert(found, _Shape).scenario.settings.check()
    except (msgspec.ValidationError, ValueError) as problem:
        raise ConfigError(f"{file} cannot be read: {problem}") from None
    if odd := _odd_count(found.get("counts", {}), "counts"):
        raise ConfigError(f"{file} cannot be read: {odd} is not a count")
    found.setdefault("scenario", {}).setdefault("name", "")
    found.setdefault("target", {})
    found.setdefault("load", {})
    return found


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


@functools.cache
def _plain_counts(group: str) -> frozenset[str]:
    """The counts of a group that are numbers, and not split by what they are of."""
    return frozenset(catalog.keys(group))


def _counts(group: str, name: str, found: Any) -> bool:
    """Whether it is a count, or some by what they are of. One of events may be null: it is not known."""
    if name == "unmeasured":
        return isinstance(found, dict)
    if isinstance(found, dict) and name not in _plain_counts(group):
        return all(type(n) is int and n >= 0 for n in found.values())
    if group == "compression" and name.endswith("_ratio"):
        return type(found) in {int, float} and found >= 0
    return (found is None and group == "events") or (type(found) is int and found >= 0)
