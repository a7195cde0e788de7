"""The assessment for machines: CSV and JUnit."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.views.page_model import instant
from loadtest.show.render.csv import csv_text
from loadtest.show.render.junit import CaseKind, JUnitCase, JUnitSuite
from loadtest.show.render.junit import junit as junit_text

COLUMNS = ("group", "name", "outcome", "value", "unit", "n", "expected", "reason", "age_s")


def as_csv(found: Assessment) -> str:
    """One row per fact: verdict, figures, components, their measures, criteria, gates and triggers."""
    return csv_text(COLUMNS, _rows(found))


def _rows(found: Assessment) -> Iterator[tuple[object, ...]]:
    yield ("verdict", found.policy, found.verdict, found.exit_code, "", "", "", found.why, "")
    for figure in (*found.figures.values(), found.confidence):
        yield ("figure", figure.name, "", figure.value, figure.unit, "", "", figure.arithmetic, figure.age_s)
    for row in found.components:
        yield ("component", row.name, row.status, row.score, "score", "", row.priority, row.why, row.age_s)
        for name, measure in row.measures.items():
            yield ("measure", f"{row.name}.{name}", "", measure.value, measure.unit, measure.n, "",
                   measure.reason, row.age_s)  # fmt: skip
    for each in found.functions:
        yield ("function", each.name, each.status, each.users, "users", "", each.impact, each.why, "")
    for criterion in found.criteria:
        judged = (criterion.outcome, criterion.measured, "", "", criterion.expected, criterion.reason,
                  criterion.age_s)  # fmt: skip
        yield ("criterion", criterion.title, *judged)
    for group, conditions in (("gate", found.gates), ("trigger", found.triggers)):
        for condition in conditions:
            yield (group, condition.title, condition.outcome, condition.measured, "", "",
                   f"{condition.fact} {condition.expression}", condition.arithmetic,
                   condition.age_s)  # fmt: skip


def junit(found: Assessment) -> str:
    """A test case for the verdict and per component, criterion, gate and trigger; unknown is an error."""
    properties = {
        "verdict": found.verdict,
        "exit_code": str(found.exit_code),
        "id": found.id,
        "policy": found.policy_sha256,
        "confidence": found.confidence.text,
    }
    return junit_text(
        [
            JUnitSuite(
                found.policy,
                tuple(_cases(found)),
                properties,
                timestamp=instant(found.at)[:19].replace(" ", "T"),
                time=f"{found.took_s:.3f}",
            )
        ]
    )


def _cases(found: Assessment) -> Iterator[JUnitCase]:
    # Whoever reads this alone must not take for fit what is not, whatever the reason.
    yield _case(found, "verdict", found.verdict, AGAINST.get(found.verdict, ""), found.why)
    for row in found.components:
        matters = row.priority == "critical" or row.required
        outcome = "missed" if row.missed and row.priority == "critical" else row.status
        yield _case(found, "components", row.name, outcome if matters else "", row.why)
    for criterion in found.criteria:
        said = f"{criterion.measured}, expected {criterion.expected} {criterion.reason}".strip()
        yield _case(found, "criteria", criterion.title, criterion.outcome, said)
    for group, conditions in (("gates", found.gates), ("triggers", found.triggers)):
        for each in conditions:
            said = f"{each.fact} is {each.measured}: {each.arithmetic}"
            yield _case(found, group, each.title, each.outcome, said)


AGAINST = {"NO-GO": "missed", "INCONCLUSIVE": "unknown"}

KINDS: dict[str, CaseKind] = {
    "down": "failure",
    "missed": "failure",
    "TRIGGERED": "failure",
    "unknown": "error",
}


def _case(found: Assessment, group: str, name: str, outcome: str, said: str) -> JUnitCase:
    kind = KINDS.get(outcome, "passed")
    shown, clean = ("".join(each for each in words if each.isprintable()) for words in (name, said))
    return JUnitCase(f"{found.policy}.{group}", shown, kind, kind if kind != "passed" else "", clean)
