"""The thresholds that options put in the place of a stored run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.errors import ConfigError, Problem
from loadtest.plan.toml_lines import parse_toml

if TYPE_CHECKING:
    from loadtest.judge.manifest_access import Manifest


def thresholds_asked(manifest: Manifest, sets: Sequence[str], file: Path | None) -> dict[str, Any] | None:
    """``[thresholds]`` of ``file``, else the run's own, with each ``--set``; None where nothing was asked.

    Raises:
        ConfigError: a name or a value is not one of a threshold, or the file cannot be read.
    """
    from loadtest.judge.manifest_access import settings
    from loadtest.plan.key_types import read_thresholds
    from loadtest.plan.overrides import Overrides, assignments
    from loadtest.plan.toml_reader import Source, TomlTable

    if not sets and file is None:
        return None
    problems: list[Problem] = []
    asked = dict(settings(manifest, "thresholds") if file is None else _table(file))
    for each in assignments(Overrides(sets=tuple(sets)), problems):
        if len(each.path) != 2 or each.path[0] != "thresholds":
            sentence = "for a stored run, only thresholds can be set: thresholds.NAME=VALUE"
            problems.append(Problem(each.where, sentence))
            continue
        asked[each.path[1]] = each.value
    if problems:
        raise ConfigError(problems)
    source = Source("--set" if file is None else str(file))
    read_thresholds(TomlTable(asked, source))
    source.finish()
    return asked


def _table(file: Path) -> Mapping[str, Any]:
    try:
        found = parse_toml(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise ConfigError([Problem("--thresholds", f"the file {file} cannot be read: {reason}")]) from None
    table = found.get("thresholds")
    if not isinstance(table, dict):
        raise ConfigError([Problem("--thresholds", f"the file {file} has no table [thresholds]")])
    return table
