"""``loadtest search``: one run per load, until the highest load that holds the thresholds is found."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from loadtest.errors import ConfigError, Problem
from loadtest.judge.knee import ProbeResult, Search, knee, metric_of, probe_result
from loadtest.judge.load_search import SearchProbe, SearchRange, find, next_load
from loadtest.judge.suite import why_of
from loadtest.keep.folder import checked_name
from loadtest.keep.manifest import timestamp, turns_per_s
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.scenario import Scenario
from loadtest.plan.settings import public_url
from loadtest.run.options import RunOptions
from loadtest.run.prepare_run import prepare
from loadtest.run.subprocess_runs import RunSequence
from loadtest.show.values import amount
from loadtest.units import NS_PER_S

COMPLETE = ("turns.complete.ratio", ">= 99%")
"""Must hold as well, unless the scenario judges its turns: a percentile may not show a few lost turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """``each``: what all probes share; ``start`` None: the scenario's load; ``max_load`` None: its limit."""

    each: RunOptions
    over: str
    start: float | None = None
    max_load: float | None = None
    step: float = 2.0
    precision: float = 0.05
    repeat: int = 3


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan of a search: ``at`` gives the options of a probe at a load."""

    scenario: Scenario
    bounds: SearchRange
    added: tuple[str, ...]
    at: Callable[[float], RunOptions]
    label: str
    metric: str


def run_search(options: SearchOptions) -> Search:
    """Probe until the limit is found, or something else ends the search.

    Raises:
        ConfigError: the scenario cannot be searched this way; nothing was sent.
    """
    started, began = datetime.now(UTC), time.monotonic()
    plan = _planned(options, started)
    tries: list[ProbeResult] = []
    target: object = None
    with RunSequence() as sequence:
        while True:
            load = next_load([each.probe for each in tries], plan.bounds)
            cut = load is not None and sequence.interrupted
            if load is None or cut:
                break
            sys.stderr.write(f"probe {len(tries) + 1}: {shown(load, options.over)}\n")
            ended = sequence.run(plan.at(load))
            target = ended.manifest.get("target") or target
            why = why_of(ended.manifest, ended.exit_code, ended.last_words)
            tries.append(probe_result(SearchProbe(load, ended.exit_code), ended.manifest, why, plan.metric))
            sys.stderr.write(f"    {tries[-1].probe.answer}: {why}\n")
    known = target if isinstance(target, dict) else {}
    own, limits = plan.scenario.target.url, plan.scenario.thresholds
    return Search(
        plan.scenario.name,
        plan.label,
        str(known.get("url") or public_url(own)),
        bool(known.get("simulated", own == SIMULATOR)),
        options.over,
        timestamp(started),
        time.monotonic() - began,
        options.precision,
        plan.metric,
        (*(f"{each.name} {each.expression}" for each in limits), *plan.added),
        plan.added,
        tuple(tries),
        find([each.probe for each in tries], cut=cut),
        knee(tries),
    )


def shown(load: float, over: str) -> str:
    """A load in words."""
    return f"{amount(load)} {'connections' if over == 'connections' else 'turns/s'}"


def _planned(options: SearchOptions, started: datetime) -> _Plan:
    each = options.each
    scenario = prepare(each).scenario
    problems = [Problem(each.scenario, sentence) for sentence in _unfit(scenario, options.over)]
    if problems:
        raise ConfigError(problems)
    asks = scenario.traffic is not None and scenario.traffic.turns != 0
    judged = any(threshold.name.startswith("turns.") for threshold in scenario.thresholds)
    added = (" ".join(COMPLETE),) if asks and not judged else ()
    label = checked_name(f"search-{each.label or started.strftime('%Y%m%dT%H%M%SZ')}", "the label")
    common = replace(
        each, label=label, sets=(*each.sets, *([f"thresholds.{COMPLETE[0]}={COMPLETE[1]}"] if added else []))
    )
    bounds = _bounds(options, scenario)
    at = _at(common, scenario, options.over)
    for load in (bounds.start, options.max_load):
        if load is not None:
            prepare(at(load))
    return _Plan(scenario, bounds, added, at, label, metric_of(_as_manifest(scenario)))


def _as_manifest(scenario: Scenario) -> dict[str, object]:
    return {"scenario": {"settings": scenario.settings}}


def _unfit(scenario: Scenario, over: str) -> list[str]:
    """Why the load of this scenario cannot be searched."""
    found = []
    if scenario.populations:
        return [
            (
                "the scenario has populations, each with its own load;"
                " search with a scenario without populations"
            )
        ]
    if scenario.load.stages:
        found.append("the scenario has stages; search with a scenario without stages")
    quiet = scenario.traffic is None or scenario.traffic.turns == 0
    if over == "rate" and (quiet or scenario.load.model == "closed"):
        found.append("the scenario sets no rate (closed model or no traffic); search --over connections")
    if quiet and not scenario.thresholds:
        found.append(
            "the scenario sends nothing and has no thresholds, so no load could fail; add [thresholds]",
        )
    return found


def _bounds(options: SearchOptions, scenario: Scenario) -> SearchRange:
    """Where the search begins and ends.

    Raises:
        ConfigError: the numbers contradict each other.
    """
    over_connections = options.over == "connections"
    own = scenario.load.connections if over_connections else turns_per_s(scenario)
    limit = scenario.limits.connections if over_connections else scenario.limits.rate
    start = float(options.start if options.start is not None else own or 1.0)
    max_load = float(options.max_load if options.max_load is not None else limit)
    if max_load < start:
        raise ConfigError(
            [
                Problem(
                    "--from, --to",
                    f"the highest load, {max_load:g}, is less than the first load, {start:g}",
                )
            ]
        )
    if over_connections and (start != round(start) or max_load != round(max_load)):
        raise ConfigError([Problem("--from, --to", "connections are whole numbers")])
    min_load = 1.0 if over_connections else start / 1000
    return SearchRange(
        start, min_load, max_load, options.step, options.precision, options.repeat, over_connections
    )


def _at(common: RunOptions, scenario: Scenario, over: str) -> Callable[[float], RunOptions]:
    """The options of a run at a load; a rate is set as ``rate`` or ``every``, whichever the scenario uses."""
    if over == "connections":
        return lambda load: replace(common, connections=int(load))
    traffic = scenario.traffic
    if traffic is None or traffic.every_ns is None:
        return lambda load: replace(common, sets=(*common.sets, f"traffic.rate={load:.10g}/s"))
    turns = traffic.burst * scenario.load.connections

    def every(load: float) -> RunOptions:
        return replace(common, sets=(*common.sets, f"traffic.every={round(turns / load * NS_PER_S)}ns"))

    return every
