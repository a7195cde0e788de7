"""Whether two sets of runs can be compared: what differs apart from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from loadtest.judge.manifest_access import (
    Manifest,
    number,
    population_settings,
    populations,
    section,
    settings,
)
from loadtest.judge.run_standing import standing
from loadtest.judge.samples import Side, is_simulated

DifferenceKind = Literal["never", "load", "surroundings", "target", "plan"]
"""What a difference does: nothing may be compared; only if forced; it may explain what was found; the thing
that was to be compared; it only changed what is judged."""

LOAD = ("connections", "connect_rate", "duration_s", "warmup_s", "timeout_s", "burst", "turns_per_s", "model")
"""The planned load, as in ``load.planned``."""

PLANNED = {f"load.{name.removesuffix('_s')}" for name in LOAD} | {"traffic.timeout", "traffic.burst"}
"""The same in the scenario's own words."""

SENT = ("load", "traffic", "protocol", "chaos")
"""The tables of a scenario that say what is sent and when."""

JUDGED = ("thresholds", "abort", "compare", "limits")

SURROUNDINGS = (
    "machine",
    "system",
    "kernel",
    "architecture",
    "cpu",
    "cores",
    "cores_usable",
    "memory_bytes",
    "limits",
    "python",
    "loadtest",
    "libraries",
)
"""Of the fingerprint: where the generator ran."""

ANSWERED = frozenset({"target", "target.server", "target.url"})
"""Facts of the target, which a run that reached nobody cannot tell."""

REACHED = 0.01
"""Shares of the planned load that lie closer are the same."""

ABSENT = "not known"


@dataclass(frozen=True, slots=True)
class Differing:
    """One thing that is not the same; several values of one side stand with commas between them."""

    name: str
    baseline: str
    candidate: str
    weight: DifferenceKind

    def as_dict(self) -> dict[str, str]:
        """As in the comparison's JSON."""
        return {
            "name": self.name,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "weight": self.weight,
        }


def differences(baseline: Side, candidate: Side) -> tuple[Differing, ...]:
    """Everything that differs between the runs of two sides, or among those of one, the gravest first."""
    facts: dict[tuple[str, DifferenceKind], tuple[list[str], list[str]]] = {}
    for at, side in enumerate((baseline, candidate)):
        for run in side.runs:
            for key, value in _facts(run):
                facts.setdefault(key, ([], []))[at].append(value)
    found = []
    for (name, weight), values in facts.items():
        sides = [
            _several(of_side, _telling(side, name))
            for of_side, side in zip(values, (baseline, candidate), strict=True)
        ]
        if len({each for side in sides for each in side}) > 1:
            found.append(Differing(name, ", ".join(sides[0]), ", ".join(sides[1]), weight))
    found += _reached(baseline, candidate)
    order = ("never", "load", "surroundings", "target", "plan")
    return tuple(sorted(found, key=lambda each: order.index(each.weight)))


def _telling(side: Side, name: str) -> int:
    """How many runs of a side can tell a fact: who answers is not known of one that reached nobody."""
    if name not in ANSWERED:
        return len(side.runs)
    return sum(standing(run).kind != "down" for run in side.runs)


def _several(values: list[str], runs: int) -> list[str]:
    """Each value once; a run that has none counts as one of its own."""
    return list(dict.fromkeys(values + [ABSENT] * (len(values) < runs)))


def _facts(run: Manifest) -> Iterator[tuple[tuple[str, DifferenceKind], str]]:
    answered = standing(run).kind != "down"
    if answered:
        yield ("target", "never"), "SIMULATED" if is_simulated(run) else "a real target"
    # A name is that of a file where nothing else was written: what is sent is told below.
    yield ("scenario", "plan"), str(section(run, "scenario").get("name"))
    planned = section(run, "load", "planned")
    for name in LOAD:
        yield (f"load.{name}", "load"), _told(planned.get(name))
    for name, value in _sent(run):
        if name not in PLANNED:
            yield (name, _weight(name)), value
    for table in JUDGED:
        for name, value in _flat(table, settings(run).get(table)):
            yield (name, "plan"), value
    fingerprint = section(run, "fingerprint")
    for name in SURROUNDINGS:
        for key, value in _flat(name, fingerprint.get(name)):
            yield (key, "surroundings"), value
    target = section(run, "target")
    if answered:
        yield ("target.server", "target"), _told(target.get("server"))
    if faults := settings(run, "target").get("faults"):
        yield ("target.faults", "target"), ", ".join(str(fault) for fault in faults)
    if answered and not is_simulated(run):  # the simulator listens on another port each time
        yield ("target.url", "target"), _told(target.get("url"))


def _sent(run: Manifest) -> Iterator[tuple[str, str]]:
    """What is sent and when; of stages without what they promise."""
    if names := populations(run):
        for name in names:
            for table in SENT:
                written = population_settings(run, name).get(table)
                yield from _flat(f"population.{name}.{table}", _without_promises(written))
        return
    for table in SENT:
        yield from _flat(table, _without_promises(settings(run, table)))


def _without_promises(written: object) -> object:
    """A table of settings, its stages without their thresholds."""
    stages = written.get("stages") if isinstance(written, Mapping) else None
    if not stages or not isinstance(written, Mapping):
        return written
    bare = [{key: each[key] for key in each if key != "thresholds"} for each in stages]
    return {**written, "stages": bare}


NOT_LOAD = ("protocol.name", "protocol.about", "load.seed")


def _weight(name: str) -> DifferenceKind:
    """The name of a protocol and the seed of chance change nothing that matters; all else is another load."""
    return "plan" if name.endswith(NOT_LOAD) else "load"


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key in value:
            yield from _flat(f"{name}.{key}", value[key])
    elif value is not None:
        yield name, _told(value)


def _told(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    as_number = number(value)
    return f"{as_number:.6g}" if as_number is not None and not isinstance(value, int) else str(value)


def _reached(baseline: Side, candidate: Side) -> Iterator[Differing]:
    """The share of the due turns that were begun, where it differs; it is a finding, not a refusal."""
    one, other = _mean_begun(baseline.runs), _mean_begun(candidate.runs)
    if one is not None and other is not None and abs(one - other) > REACHED:
        name = "load achieved (turns begun of due)"
        yield Differing(name, f"{one:.1%}", f"{other:.1%}", "target")


def _mean_begun(runs: Iterable[Manifest]) -> float | None:
    known = [number(section(run, "load", "achieved").get("begun_ratio")) for run in runs]
    shares = [share for share in known if share is not None]
    return sum(shares) / len(shares) if shares else None
