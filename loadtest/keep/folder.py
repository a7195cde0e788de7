"""The names in ``results/``: folders by UTC time, scenario and label, and the files in each."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from loadtest.errors import ConfigError

RUN = "run.json"
HISTOGRAMS = "intervals.hlog"
INTERVALS = "intervals.jsonl"
TOTALS = "totals.hlog"
TIMELINE = "timeline.csv"
TURNS = "turns.npy"
SLOWEST = "slowest.jsonl"
LOG = "run.log"
PLOTS = "plots"
REPORT = "report.html"

LONGEST_NAME = 80
"""Of a scenario's name and of a label; file systems allow 255 bytes for a whole folder name."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def checked_name(name: str, what: str) -> str:
    """``name`` itself, if it can be part of a folder's name.

    Raises:
        ConfigError: it holds other characters, or is too long.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f'{what} "{name}" may contain only letters, digits, ".", "_" and "-"')
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"{what} has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    return name


def folder_name(scenario: str, label: str | None, started: datetime) -> str:
    """``20261122T121530Z-agent-burst-v1.4.0``.

    Raises:
        ConfigError: the scenario's name or the label cannot be part of a folder's name.
        ValueError: ``started`` does not say its time zone.
    """
    if started.tzinfo is None:
        raise ValueError("the start time of a run must have a time zone")
    parts = [
        started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
        checked_name(scenario, "the scenario's name"),
    ]
    if label is not None:
        parts.append(checked_name(label, "the label"))
    return "-".join(parts)


def make_folder(results: Path, name: str) -> Path:
    """A new folder of that name in ``results``, or of the first free ``name-2``, ``name-3``, ...

    Raises:
        ConfigError: no folder can be made there.
    """
    number = 1
    try:
        results.mkdir(parents=True, exist_ok=True)
        while True:
            path = results / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return path
    except OSError as problem:
        raise unwritable(results, problem) from problem


def unwritable(results: Path, problem: OSError) -> ConfigError:
    """The error where a run cannot start because its results cannot be written."""
    why = problem.strerror or problem
    return ConfigError(
        f'loadtest cannot write to the results folder "{results}": {why}; '
        "make room there, or choose another folder with --results"
    )
