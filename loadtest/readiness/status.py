"""The status of each component by its evidence, and of each business function by its components."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Literal

from loadtest.readiness.assessment import ComponentRow, FunctionRow, LevelRow, Status
from loadtest.readiness.evidence import Evidence, Measure, keeps
from loadtest.readiness.objectives import Objective, format_value
from loadtest.readiness.policy import Component, Function, Level, Policy
from loadtest.readiness.probe import JunitProbe, WebsocketProbe
from loadtest.units import format_duration

SCORES: Mapping[Status, float | None] = {"healthy": 1.0, "degraded": 0.5, "down": 0.0, "unknown": None}

WORST: tuple[Status, ...] = ("healthy", "degraded", "down")

HEADLINES = (
    "latency",
    "handshake",
    "query",
    "ping",
    "connect",
    "resolve",
    "took",
    "turn.first_event",
    "turn.completion",
)
"""The duration that stands in the table as response time: the first of these that was measured."""


def component_rows(policy: Policy, found: Mapping[str, Evidence], now: float) -> tuple[ComponentRow, ...]:
    """A row per component, in the policy's order.

    A component that is down is unknown instead where it is reached only through one that is down or unknown.
    """
    missing = Evidence("unasked", "it was not probed", None, "unasked")
    rows = {
        each.name: _row(each, found.get(each.name, missing), now, policy.release)
        for each in policy.components
    }
    for component in outer_first(policy):
        row = rows[component.name]
        blocked = [rows[name] for name in component.through if rows[name].status in {"down", "unknown"}]
        if row.status == "down" and blocked:
            rows[component.name] = _unreachable(row, blocked[0])
    return tuple(rows[each.name] for each in policy.components)


def function_rows(policy: Policy, rows: Mapping[str, ComponentRow]) -> tuple[FunctionRow, ...]:
    """Functions: out if a component they need is down; else unknown, degraded or working."""
    return tuple(_function(each, rows) for each in policy.functions)


def _function(function: Function, rows: Mapping[str, ComponentRow]) -> FunctionRow:
    parts = [rows[name] for name in function.needs]
    status: Literal["working", "degraded", "out", "unknown"] = "working"
    words: tuple[tuple[str, Literal["out", "unknown", "degraded"]], ...] = (
        ("down", "out"), ("unknown", "unknown"), ("degraded", "degraded"),
    )  # fmt: skip
    for of_part, word in words:
        if any(part.status == of_part for part in parts):
            status = word
            break
    why = ", ".join(f"{part.title} {part.status}" for part in parts)
    known = {each.name: getattr(function, each.name) for each in fields(function)}
    return FunctionRow(**known, status=status, why=why)


def outer_first(policy: Policy) -> Iterator[Component]:
    """Components after those they are reached through; circles were ruled out when the policy was read."""
    told: set[str] = set()
    waiting = list(policy.components)
    while waiting:
        for each in list(waiting):
            if told.issuperset(each.through):
                told.add(each.name)
                waiting.remove(each)
                yield each


def _unreachable(row: ComponentRow, outer: ComponentRow) -> ComponentRow:
    said = (
        f"its state is not known, because it can be reached only through {outer.title},"
        f" which is {outer.status}"
    )
    return replace(
        row, status="unknown", score=None, score_formula="unknown has no score", said=said,
        error="through", freshness=0.0, issues=(), lines=(*row.lines, f"probed anyway: {row.said}"),
    )  # fmt: skip


LATE_S = 5.0
"""A component whose time is up may be this much later with its next evidence."""

AHEAD_S = 60.0
"""Clocks of two machines may differ by so much; evidence from further in the future is dated wrongly."""


def _dated(component: Component, evidence: Evidence, now: float) -> Evidence:
    """The evidence, or that there is none where its date rules it out."""
    if evidence.at is None:
        return evidence
    age_s, most_s = now - evidence.at, lasts_s(component)
    if age_s < -AHEAD_S:
        said = (
            f"the age of the evidence is not known: its date is {format_duration(-age_s * 1e9)} in the future"
        )
    elif age_s > most_s:
        said = (
            f"the evidence is {format_duration(age_s * 1e9)} old, but counts only for"
            f" {format_duration(most_s * 1e9)}"
        )
    else:
        return evidence
    return replace(
        evidence,
        outcome="unasked",
        error="stale",
        said=f"{said}; the evidence said: {evidence.said}",
        measures={},
        issues=(),
    )


def lasts_s(component: Component) -> float:
    """How old evidence may be: ``fresh_s``.

    What a probe saw itself counts until the component must have been probed again; a file that others wrote
    does not.
    """
    probe = component.probe
    kept = isinstance(probe, WebsocketProbe) and probe.by_label
    by_file = isinstance(probe, JunitProbe) or kept or getattr(probe, "file", None) is not None
    if by_file:
        return component.fresh_s
    return max(component.fresh_s, component.every_s + component.timeout_s + LATE_S)


SHORTEST_COMMIT = 7
"""Of a commit so many characters are enough to name it."""

WHOLE_COMMIT = frozenset({40, 64})
"""How many characters a whole commit has: by SHA-1, by SHA-256."""

_COMMIT = re.compile(r"[0-9a-f]+")


def is_of(release: str, said: str) -> bool:
    """Whether evidence that says ``said`` is of the release: the same label, tag of an image, or commit.

    Of a commit the first seven characters or more are enough, held against the whole commit. Two that are
    both short are the same only where they are equal: build numbers and dates look like them.
    """
    tag = said.partition("@")[0].rpartition("/")[2].partition(":")[2]
    for word in (said, tag):
        a, b = word.strip().lower(), release.strip().lower()
        if a and a.removeprefix("v") == b.removeprefix("v"):
            return True
        short, whole = sorted((a, b), key=len)
        if len(short) >= SHORTEST_COMMIT and _is_whole_commit(whole) and whole.startswith(short):
            return True
    return False


def _is_whole_commit(text: str) -> bool:
    """Whether it is a commit in full; digits alone are a number."""
    return len(text) in WHOLE_COMMIT and bool(_COMMIT.fullmatch(text)) and not text.isdecimal()


def _of_release(component: Component, evidence: Evidence, release: str) -> Evidence:
    """The evidence, or that there is none where it is of another release than the one that is judged."""
    if not release or not component.tied or evidence.outcome == "unasked":
        return evidence
    others = [each for each in evidence.release if not is_of(release, each)]
    if evidence.release and not others:
        return replace(evidence, lines=(*evidence.lines, f"of the release {release}"))
    if evidence.outcome == "failed" and not any(evidence.release):
        return evidence
    named = ", ".join(each for each in others if each)
    of = (
        f"the evidence is of {named}, not of the release {release}"
        if named
        else f"the evidence does not name the release {release}"
    )
    return replace(
        evidence, outcome="unasked", error="release", said=f"{of}; the evidence said: {evidence.said}",
        measures={}, issues=(), missed=(),
    )  # fmt: skip


def _row(component: Component, evidence: Evidence, now: float, release: str) -> ComponentRow:
    evidence = _of_release(component, _dated(component, evidence, now), release)
    levels = tuple(_levels(component.levels, evidence)) if _judged(evidence) else ()
    status = _status(evidence, levels)
    score, formula = _score(component, evidence, status)
    age_s = None if evidence.at is None else max(0.0, now - evidence.at)
    beyond = tuple(_sentence(each) for each in levels if each.outcome != "healthy")
    return ComponentRow(
        name=component.name,
        title=component.title,
        kind=component.kind,
        priority=component.priority,
        weight=component.weight,
        required=component.required,
        status=status,
        score=score,
        score_formula=formula,
        response=_response(evidence.measures),
        said=evidence.said,
        error=evidence.error or _error_of(levels),
        issues=(*evidence.issues, *beyond),
        lines=evidence.lines,
        levels=levels,
        measures=dict(evidence.measures),
        samples=evidence.samples,
        late=evidence.late,
        cause=evidence.cause,
        report=evidence.report,
        at=evidence.at,
        age_s=age_s,
        freshness=_freshness(component, age_s, status),
        fresh_s=component.fresh_s,
        took_s=evidence.took_s,
        through=component.through,
        simulated=evidence.simulated,
        missed=_missed(component, evidence),
        owner=component.owner,
        eta=component.eta,
    )


def _missed(component: Component, evidence: Evidence) -> tuple[str, ...]:
    """Thresholds that were missed and that bind: those that the policy has no level of its own instead of."""
    own = {each.measure for each in component.levels if not each.default}
    return tuple(name for name in evidence.missed if component.binding and name not in own)


def _judged(evidence: Evidence) -> bool:
    return evidence.outcome == "answered"


def _freshness(component: Component, age_s: float | None, status: Status) -> float:
    """1 up to ``fresh_s``, then ``fresh_s`` divided by the age."""
    if status == "unknown" or age_s is None:
        return 0.0
    return 1.0 if age_s <= component.fresh_s else component.fresh_s / age_s


def _levels(levels: Iterable[Level], evidence: Evidence) -> Iterator[LevelRow]:
    for each in levels:
        if not each.default or each.measure in evidence.measures:
            yield _level(each, evidence)


def _level(level: Level, evidence: Evidence) -> LevelRow:
    measure = evidence.measures.get(level.measure, Measure(None, level.unit, 0, "not measured"))
    return LevelRow(
        measure=level.measure,
        measured=measure.text(level.unit),
        n=measure.n,
        warn=level.warn.expression if level.warn else "",
        critical=level.critical.expression if level.critical else "",
        outcome=_reached(level, measure),
        reason=measure.reason,
    )


def _reached(level: Level, measure: Measure) -> Status:
    """The worst level that was reached; unknown where nobody knows whether a worse one was."""
    beyond: tuple[tuple[Objective | None, Status], ...] = ((level.critical, "down"), (level.warn, "degraded"))
    for objective, status in beyond:
        reached = keeps(objective, measure) if objective else False
        if reached is not False:
            return status if reached else "unknown"
    return "unknown" if measure.value is None and measure.bound is None else "healthy"


def _sentence(level: LevelRow) -> str:
    if level.outcome == "unknown":
        known = "" if level.measured == "not measured" else f" is {level.measured}, but"
        return f"{level.measure}{known} could not be judged: {level.reason or 'not measured'}"
    word, limit = ("critical", level.critical) if level.outcome == "down" else ("warn", level.warn)
    return f"{level.measure} is {level.measured} (n={level.n}), beyond the {word} level {limit}"


def _error_of(levels: tuple[LevelRow, ...]) -> str:
    beyond = [each.measure for each in levels if each.outcome in {"degraded", "down"}]
    if beyond == ["tls.expires_in"]:
        return "certificate"
    return "level" if beyond else ""


def _status(evidence: Evidence, levels: tuple[LevelRow, ...]) -> Status:
    """Failed is down, unasked unknown; else the worst of its levels, unknown if one could not be judged.

    A component that answered but has issues is at least degraded.
    """
    if evidence.outcome != "answered":
        return "down" if evidence.outcome == "failed" else "unknown"
    outcomes = {each.outcome for each in levels}
    worst = max((WORST.index(each) for each in outcomes if each != "unknown"), default=0)
    if WORST[worst] != "down" and "unknown" in outcomes:
        return "unknown"
    return WORST[max(worst, 1)] if evidence.issues else WORST[worst]


def _score(component: Component, evidence: Evidence, status: Status) -> tuple[float | None, str]:
    if status == "unknown":
        return None, "unknown has no score"
    measure = evidence.measures.get(component.score)
    if component.score != "status" and measure is not None and measure.value is not None:
        return min(1.0, measure.value), f"{component.score} as measured"
    if component.score != "status" and status != "down":
        return SCORES[status], f"{component.score} was not measured; {status} counts {SCORES[status]:g}"
    return SCORES[status], f"{status} counts {SCORES[status]:g}"


def _response(measures: Mapping[str, Measure]) -> str:
    """The headline duration with its statistic and n; empty where the component has none."""
    for name in HEADLINES:
        for statistic in ("p95", "p50", "max"):
            measure = measures.get(f"{name}.{statistic}")
            if measure is not None and measure.value is not None:
                return f"{name} {statistic} {format_value(measure.value, 'ms')} (n={measure.n})"
    return ""
