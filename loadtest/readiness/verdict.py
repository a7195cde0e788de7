"""From evidence to GO, NO-GO or INCONCLUSIVE. Pure: the time is an argument."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from loadtest.errors import Exit
from loadtest.readiness import causes, conditions, system_health
from loadtest.readiness.assessment import (
    Assessment,
    Blocker,
    ComponentRow,
    ConditionRow,
    CriterionRow,
    RollbackRow,
    Verdict,
)
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.findings import why
from loadtest.readiness.objectives import opposite
from loadtest.readiness.policy import Policy
from loadtest.readiness.secrets import redactor_of
from loadtest.readiness.status import component_rows, function_rows, lasts_s
from loadtest.readiness.system_health import Before

EXIT_CODES: Mapping[Verdict, Exit] = {"GO": Exit.PASS, "NO-GO": Exit.FAIL, "INCONCLUSIVE": Exit.INVALID}

TRIGGER_WORDS = ("TRIGGERED", "not triggered")
GATE_WORDS = ("met", "missed")


def assess(
    policy: Policy,
    found: Mapping[str, Evidence],
    *,
    id: str,  # noqa: A002 - the field is called so in every file
    at: float,
    took_s: float = 0.0,
    before: Before | None = None,
) -> Assessment:
    """The assessment of a system at the Unix time ``at`` from what its probes found."""
    rows = component_rows(policy, found, at)
    by_name = {row.name: row for row in rows}
    functions = function_rows(policy, by_name)
    figures = system_health.figures(policy, rows, functions, before or Before())
    confidence = system_health.confidence(rows)
    facts = {**figures, confidence.name: confidence}
    triggers = conditions.condition_rows(policy.triggers, facts, TRIGGER_WORDS)
    gates = conditions.condition_rows(policy.gates, facts, GATE_WORDS)
    criteria = conditions.criterion_rows(policy.criteria, by_name)
    verdict, blockers = decide(rows, criteria, gates, triggers)
    made = Assessment(
        id=id,
        policy=policy.name,
        question=policy.question,
        policy_sha256=policy.sha256,
        at=at,
        took_s=took_s,
        verdict=verdict,
        exit_code=int(EXIT_CODES[verdict]),
        why="",
        release=policy.release,
        review_at=at + policy.review_s if policy.review_s else None,
        good_until=_good_until(policy, rows),
        figures=figures,
        confidence=confidence,
        components=rows,
        functions=functions,
        triggers=triggers,
        gates=gates,
        criteria=criteria,
        risks=causes.risks(policy, rows, functions),
        actions=causes.actions(policy, rows),
        blockers=blockers,
        rollback=_rollback(policy),
        settings=dict(policy.settings),
    )
    return replace(made, why=why(made))


def _good_until(policy: Policy, rows: Sequence[ComponentRow]) -> float | None:
    """When the first evidence that counts will be too old; None where none counts."""
    ends = [
        row.at + lasts_s(policy.component(row.name))
        for row in rows
        if row.at is not None and row.status != "unknown"
    ]
    return min(ends, default=None)


def decide(
    rows: Sequence[ComponentRow],
    criteria: Sequence[CriterionRow],
    gates: Sequence[ConditionRow],
    triggers: Sequence[ConditionRow],
) -> tuple[Verdict, tuple[Blocker, ...]]:
    """The verdict and every reason for it.

    NO-GO where a critical component is down or misses its own thresholds, a criterion or a gate is missed or
    a rollback trigger is pulled; else INCONCLUSIVE where a required component is unknown, a criterion, a
    gate, a trigger or every component; else GO.
    """
    against = tuple(_against(rows, criteria, gates, triggers))
    if against:
        return "NO-GO", against
    open_ = tuple(_open(rows, criteria, gates, triggers)) or _nothing_known(rows)
    return ("INCONCLUSIVE", open_) if open_ else ("GO", ())


def _against(
    rows: Sequence[ComponentRow],
    criteria: Sequence[CriterionRow],
    gates: Sequence[ConditionRow],
    triggers: Sequence[ConditionRow],
) -> Iterator[Blocker]:
    for row in rows:
        if row.status == "down" and row.priority == "critical":
            yield Blocker("part", f"{row.title} down: {row.why}")
        elif row.missed and row.priority == "critical":
            yield Blocker("threshold", f"{row.title} is {row.broken_promise}; {row.said}")
    for criterion in criteria:
        if criterion.outcome == "missed":
            why = criterion.reason or f"{criterion.measured}, expected {criterion.expected}"
            yield Blocker("criterion", f"{criterion.title}: {why}")
    for gate in gates:
        if gate.outcome == "missed":
            yield Blocker("gate", f"{gate.rule}: {gate.measured}, expected {gate.expression}")
    for trigger in triggers:
        if trigger.outcome == "TRIGGERED":
            said = f"{trigger.fact} is {trigger.measured}, but must be {opposite(trigger.expression)}"
            yield Blocker("trigger", f"{trigger.rule} ({said})")


def _open(
    rows: Sequence[ComponentRow],
    criteria: Sequence[CriterionRow],
    gates: Sequence[ConditionRow],
    triggers: Sequence[ConditionRow],
) -> Iterator[Blocker]:
    for row in rows:
        if row.status == "unknown" and row.required:
            yield Blocker("unknown", f"{row.title} unknown: {row.why}")
    for criterion in criteria:
        if criterion.outcome == "unknown":
            yield Blocker("unknown", f"{criterion.title} is not known: {criterion.reason}")
    for condition in (*gates, *triggers):
        if condition.outcome == "unknown":
            yield Blocker("unknown", f"{condition.title} is not known: {condition.arithmetic}")


def _nothing_known(rows: Sequence[ComponentRow]) -> tuple[Blocker, ...]:
    """Optional components block nothing, but if none at all is known there is nothing to judge by."""
    if any(row.status != "unknown" for row in rows):
        return ()
    return (Blocker("unknown", f"all {len(rows)} components are unknown"),)


def with_rollback(found: Assessment, row: RollbackRow) -> Assessment:
    """The assessment made after a rollback; one that failed is a blocker."""
    if row.worked:
        return replace(found, rollback=row)
    failed = Blocker("rollback", f"the rollback failed: {row.said}")
    blockers = (failed, *(each for each in found.blockers if found.verdict == "NO-GO"))
    after = replace(
        found, rollback=row, verdict="NO-GO", exit_code=int(EXIT_CODES["NO-GO"]), blockers=blockers
    )
    return replace(after, why=why(after))


def _rollback(policy: Policy) -> RollbackRow | None:
    if policy.rollback is None:
        return None
    redactor = redactor_of(policy.raw, (), {})
    command, check = (
        shlex.join(redactor.arguments(words)) for words in (policy.rollback.command, policy.rollback.check)
    )
    return RollbackRow(command, check)
