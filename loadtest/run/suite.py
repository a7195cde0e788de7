"""``loadtest suite``: many scenarios one after another; all are checked before the first begins."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.judge.suite import Made, Planned, Suite, no_room, overhead_s, why_of
from loadtest.keep.folder import checked_name
from loadtest.keep.manifest import timestamp
from loadtest.plan.folder import scenarios_in
from loadtest.plan.scenario import Scenario
from loadtest.plan.shipped import find
from loadtest.run.options import RunOptions
from loadtest.run.prepare_run import prepare
from loadtest.run.subprocess_runs import RunSequence
from loadtest.units import NS_PER_S, format_duration

INTERRUPTED = "the suite was interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOptions:
    """``refs``: folders, files and shipped names; ``each``: what all runs have in common."""

    refs: tuple[str, ...]
    each: RunOptions
    repeat: int = 1
    budget_ns: int | None = None


def run_suite(options: SuiteOptions) -> Suite:
    """Make every run, and return how each ended.

    ``repeat`` repeats the whole list: when the budget ends, each scenario has about the same number of runs,
    and a machine that becomes slower affects them all.

    Raises:
        ConfigError: with every mistake of every scenario; nothing was sent.
    """
    refs, left_out = _find_scenarios(options.refs)
    for path, kind in left_out.items():
        sys.stderr.write(f"left out: {path} is {kind}\n")
    plans = _check_scenarios(refs, options.each)
    planned = [
        Planned(plan.name, ref, number + 1, (plan.load.warmup_ns + plan.load.duration_ns) / NS_PER_S)
        for number in range(options.repeat)
        for ref, plan in plans
    ]
    budget_s = None if options.budget_ns is None else options.budget_ns / NS_PER_S
    started, began = timestamp(datetime.now(UTC)), time.monotonic()
    runs, interrupted = _run_all(planned, options.each, budget_s)
    took_s = time.monotonic() - began
    return Suite(options.each.label, started, tuple(runs), took_s, budget_s, left_out, interrupted)


def _run_all(planned: Sequence[Planned], each: RunOptions, budget_s: float | None) -> tuple[list[Made], bool]:
    """How each run ended, and whether the suite was interrupted."""
    runs: list[Made] = []
    began = time.monotonic()
    with RunSequence() as sequence:
        for at, one in enumerate(planned):
            left_s = None if budget_s is None else budget_s - (time.monotonic() - began)
            why = INTERRUPTED if sequence.interrupted else no_room(one, left_s, overhead_s(runs))
            place = f"{at + 1} of {len(planned)}: {one.scenario}"
            if why:
                runs.append(Made(one, None, why))
                sys.stderr.write(f"not run {place}: {why}\n")
                continue
            sys.stderr.write(f"run {place} ({format_duration(one.planned_s * NS_PER_S)})\n")
            runs.append(_run(sequence, one, each))
            sys.stderr.write(f"    {runs[-1].outcome}: {runs[-1].why}\n")
    return runs, sequence.interrupted


def _run(sequence: RunSequence, planned: Planned, each: RunOptions) -> Made:
    ended = sequence.run(replace(each, scenario=planned.ref))
    why = why_of(ended.manifest, ended.exit_code, ended.last_words)
    path = "" if ended.run is None else str(ended.run.path)
    return Made(planned, ended.exit_code, why, ended.manifest, path, ended.took_s)


def _find_scenarios(refs: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Every scenario of the arguments, once each, in the order given; and the other files of the folders.

    Raises:
        ConfigError: a name or a path does not exist, or a folder has no scenario.
    """
    found: dict[Path, str] = {}
    left_out: dict[str, str] = {}
    problems: list[Problem] = []
    for ref in refs:
        folder = Path(ref)
        if folder.is_dir():
            inside = scenarios_in(folder)
            left_out |= {str(path): kind for path, kind in inside.others}
            found |= {path.resolve(): str(path) for path in inside.scenarios if path.resolve() not in found}
            if not inside.scenarios:
                problems.append(Problem(ref, "the folder contains no .toml file, so it contains no scenario"))
            continue
        try:
            found.setdefault(find("scenario", ref, Path())[0].resolve(), ref)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return list(found.values()), left_out


def _check_scenarios(refs: Sequence[str], each: RunOptions) -> list[tuple[str, Scenario]]:
    """Every scenario, read and checked as a run would.

    Raises:
        ConfigError: with every mistake of all of them.
    """
    problems: list[Problem] = []
    plans: list[tuple[str, Scenario]] = []
    if each.label is not None:
        try:
            checked_name(each.label, "the label")
        except ConfigError as error:
            problems += error.problems
    for ref in refs:
        try:
            plans.append((ref, prepare(replace(each, scenario=ref)).scenario))
        except ConfigError as error:
            problems += [_with_scenario(problem, ref) for problem in error.problems]
    problems += _same_names(plans)
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return plans


def _with_scenario(problem: Problem, ref: str) -> Problem:
    """A problem that names its scenario: an option may fit some scenarios and not others."""
    if Path(ref).name in problem.where:
        return problem
    return replace(problem, where=f"{ref}: {problem.where}" if problem.where else ref)


def _same_names(plans: Sequence[tuple[str, Scenario]]) -> list[Problem]:
    """Two scenarios must not have the same name: nobody could tell their runs apart."""
    first: dict[str, str] = {}
    problems = []
    for ref, plan in plans:
        other = first.setdefault(plan.name, ref)
        if other != ref:
            sentence = f"the scenario and {other} have the same name, `{plan.name}`; give each its own `name`"
            problems.append(Problem(ref, sentence))
    return problems
