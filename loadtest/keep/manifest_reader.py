"""Reading ``run.json``, which is untrusted input: of another machine, another version, a broken disk.

What has the wrong shape is refused here, by name, so that whoever reads a manifest that was taken in may rely
on its sections being tables, its lists being lists, and its numbers being numbers that arithmetic can bear.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import ConfigError
from loadtest.keep import folder
from loadtest.keep.json import unbearable
from loadtest.keep.manifest import SCHEMA

Table = dict[str, Any]
Number = float | None


class _Scenario(msgspec.Struct):
    name: str = ""
    question: str | None = None
    path: str | None = None
    sha256: str | None = None
    settings: Table = {}


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
    below_resolution: Table = {}
    reasons: dict[str, str] = {}


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
    numbers: Table | None = None
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
    of_due: Table = {}
    generator: Table = {}
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
    process: Table | None = None
    target: _Target = msgspec.field(default_factory=_Target)
    load: _Load = msgspec.field(default_factory=_Load)
    metrics: dict[str, _Metric] = {}
    counts: dict[str, dict[str, Any]] = {}
    rates: dict[str, _Rate] = {}
    verdict: _Verdict | None = None
    notices: list[_Notice] = []
    generator: Table = {}
    fingerprint: Table = {}
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
        raise ConfigError(f'"{run_folder}" holds no {folder.RUN}: it is not the folder of a run') from None
    except RecursionError:
        raise ConfigError(f"{file} cannot be read: it is nested too deeply") from None
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{file} cannot be read: {problem}") from problem
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise ConfigError(f'{file} is of schema "{str(schema)[:40]}"; this version reads "{SCHEMA}"')
    found: dict[str, Any] = manifest
    if why := unbearable(found):
        raise ConfigError(f"{file} cannot be read: {why}")
    try:
        msgspec.convert(found, _Shape)
    except msgspec.ValidationError as problem:
        raise ConfigError(f"{file} cannot be read: {problem}") from None
    return found
