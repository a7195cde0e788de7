"""The page of an assessment as tables of text: every view draws these, so that all say the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from loadtest.readiness.assessment import Assessment, ComponentRow, ConditionRow, Figure, RollbackRow
from loadtest.show.document import DataTable, Document, DocumentSection, TableColumn, TableRow, Tone
from loadtest.show.sanitize import printable
from loadtest.units import format_duration, format_ratio

TONES: dict[str, Tone] = {
    "healthy": "good", "degraded": "doubt", "down": "bad", "unknown": "doubt",
    "working": "good", "out": "bad", "met": "good", "missed": "bad",
    "TRIGGERED": "bad", "not triggered": "good",
    "GO": "good", "NO-GO": "bad", "INCONCLUSIVE": "doubt",
    "critical": "bad", "high": "bad", "medium": "doubt", "low": "plain",
    "IMMEDIATE": "bad", "HIGH": "doubt", "MEDIUM": "plain",
}  # fmt: skip


def instant(at: float) -> str:
    """A Unix time as text in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def tell(assessment: Assessment) -> Document:
    """The page; all foreign text on it is made printable."""
    found = assessment
    sections = (
        _changes(found),
        _components(found),
        _criteria(found),
        _conditions(
            "Gates", "Conditions on the whole system; one that is missed blocks the release.", found.gates
        ),
        _figures(found),
        _functions(found),
        _conditions("Rollback triggers", "TRIGGERED means: roll back.", found.triggers),
        _risks(found),
        _actions(found),
        _rollback(found),
        _outages(found),
        _levels(found),
        _evidence(found),
    )
    return Document(
        kind="readiness",
        subject=found.policy,
        about=printable(found.question),
        word=found.verdict,
        tone=TONES[found.verdict],
        exit_code=found.exit_code,
        why=printable(found.why, 1000),
        facts=tuple(_facts(found)),
        sections=tuple(section for section in sections if section.filled),
        footer=f"{found.id} · policy {found.policy_sha256[:12]} · by loadtest from what its probes found",
        context=tuple(
            f"{number}. {printable(each.text, 600)}" for number, each in enumerate(found.blockers, 1)
        ),
    )


def _section(
    title: str,
    meaning: str,
    heads: tuple[str, ...],
    rows: tuple[TableRow, ...],
    right: frozenset[int] = frozenset(),
) -> DocumentSection:
    """One table; ``right`` are its columns of numbers."""
    columns = tuple(TableColumn(head, right=at in right) for at, head in enumerate(heads))
    return DocumentSection(title, (DataTable(columns, rows),), meaning)


def _facts(found: Assessment) -> Iterator[tuple[str, str]]:
    yield "assessed", f"{instant(found.at)}, in {format_duration(found.took_s * 1e9)}"
    for name in ("health.overall", "health.coverage"):
        yield found.figures[name].title, _with_span(found.figures[name])
    yield "confidence", found.confidence.text
    yield "oldest evidence", age(found.confidence.age_s)
    for name in ("impact.business", "impact.users"):
        if name in found.figures:
            yield found.figures[name].title, _with_span(found.figures[name])
    yield "blockers", str(len(found.blockers))
    for sentence in found.trend:
        yield "trend", sentence


def _with_span(figure: Figure) -> str:
    return f"{figure.text}, {figure.span} once all is known" if figure.span else figure.text


def _lines(rows: Iterator[TableRow]) -> tuple[TableRow, ...]:
    return tuple(
        TableRow(
            tuple(printable(row.text(at), 600) for at in range(len(row.cells))),
            row.tone,
            tuple(printable(note, 1000) for note in row.notes),
        )
        for row in rows
    )


def _components(found: Assessment) -> DocumentSection:
    def row(each: ComponentRow) -> TableRow:
        score = "–" if each.score is None else f"{each.score:.2f}"
        by_policy = [
            f"{word}: {said} (by the policy)"
            for word, said in (("owner", each.owner), ("expected back", each.eta))
            if said and each.status != "healthy"
        ]
        notes = (*(issue for issue in each.issues if issue not in each.said), each.said, *by_policy)
        return TableRow(
            (each.status, each.title, each.priority, score, each.response or "–", age(each.age_s)),
            TONES[each.status],
            notes,
        )

    return _section(
        "Components",
        "Each component as its probe found it. Unknown has no score: it is left out of every mean.",
        ("status", "component", "priority", "score", "response time", "age"),
        _lines(row(each) for each in found.components),
        frozenset({3, 5}),
    )


def _criteria(found: Assessment) -> DocumentSection:
    rows = (
        TableRow((each.outcome, each.title, each.expected, each.measured, age(each.age_s)),
             TONES.get(each.outcome, "doubt"), (each.reason,) if each.reason else ())
        for each in found.criteria
    )  # fmt: skip
    return _section(
        "Success criteria", "What must hold for a release.",
        ("outcome", "criterion", "expected", "measured", "age"), _lines(rows), frozenset({3, 4}),
    )  # fmt: skip


def _conditions(title: str, meaning: str, rows: tuple[ConditionRow, ...]) -> DocumentSection:
    lines = (
        TableRow((each.outcome, each.title, f"{each.fact} {each.expression}", each.measured,
                  age(each.age_s)),
             TONES.get(each.outcome, "doubt"),
             tuple(note for note in (f"{each.formula}: {each.arithmetic}", each.note) if note))
        for each in rows
    )  # fmt: skip
    return _section(
        title,
        meaning,
        ("outcome", "what", "condition", "measured", "age"),
        _lines(lines),
        frozenset({3, 4}),
    )


def _figures(found: Assessment) -> DocumentSection:
    every = (*found.figures.values(), found.confidence)
    lines = (
        TableRow(
            (each.title, each.text, each.span or "exact", age(each.age_s)),
            "plain",
            (f"{each.formula}: {each.arithmetic}",),
        )
        for each in every
    )
    return _section(
        "How the numbers are computed",
        "Each figure with its formula and inputs; the span is its range once unknown components are known.",
        ("figure", "value", "span", "age"), _lines(lines), frozenset({1, 3}),
    )  # fmt: skip


def _functions(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.status, each.title, format_ratio(each.users),
              format_ratio(each.value) if each.value else "–", each.impact),
             TONES.get(each.status, "doubt"), (each.why,))
        for each in found.functions
    )  # fmt: skip
    return _section(
        "Business functions", "What users can do, by the components that each function needs.",
        ("status", "function", "users reached", "value", "impact if out"), _lines(lines), frozenset({2, 3}),
    )  # fmt: skip


def _risks(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.level, each.title, each.impact), TONES[each.level], (f"likely cause: {each.cause}",))
        for each in found.risks
    )
    return _section("Risks", "The worst first, with a hint from the class of the error.",
                   ("level", "risk", "touches"), _lines(lines))  # fmt: skip


def _actions(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.urgency, f"{number}. {each.text}"), TONES[each.urgency])
        for number, each in enumerate(found.actions, 1)
    )
    return _section("Required actions", "In this order.", ("urgency", "action"), _lines(lines))


def _levels(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((level.outcome, f"{each.title}: {level.measure}", level.measured, str(level.n),
              level.warn or "–", level.critical or "–", age(each.age_s)),
             TONES[level.outcome], (level.reason,) if level.reason else ())
        for each in found.components
        for level in each.levels
    )  # fmt: skip
    return _section(
        "Levels", "Beyond warn a component is degraded, beyond critical it is down.",
        ("outcome", "measure", "measured", "n", "warn", "critical", "age"), _lines(lines),
        frozenset({2, 3, 6}),
    )  # fmt: skip


def _evidence(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.title, each.kind, age(each.age_s), f"{each.freshness:.2f}",
              format_duration(each.took_s * 1e9)),
             "plain", (*each.lines, f"score: {each.score_formula}"))
        for each in found.components
    )  # fmt: skip
    return _section(
        "Evidence", "What each probe saw, and how old it is.",
        ("component", "probe", "age", "freshness", "took"),
        _lines(lines), frozenset({3, 4}),
    )  # fmt: skip


def age(age_s: float | None) -> str:
    """How old the oldest evidence of a number is."""
    if age_s is None:
        return "no evidence"
    return "now" if age_s < 1 else format_duration(round(age_s) * 1e9)


def _changes(found: Assessment) -> DocumentSection:
    lines = (TableRow((each,)) for each in found.changes or ())
    return _section(
        "Since the last report", "What is different, the policy included.", ("change",), _lines(lines)
    )


def _outages(found: Assessment) -> DocumentSection:
    lines = (
        TableRow(
            (each.title, "not down" if each.since is None else instant(each.since), str(each.n),
             *("–" if s is None else format_duration(s * 1e9) for s in (each.last_s, each.mean_s)),
             "–" if each.up is None else f"{format_ratio(each.up)} of {format_duration(each.known_s * 1e9)}"),
            "bad" if each.since is not None else "plain",
        )
        for each in found.outages
        if each.since is not None or each.n
    )  # fmt: skip
    return _section(
        "Outages", "As the assessments that are kept show them; every time is exact to their interval.",
        ("component", "down since", "outages over", "the last took", "mean time to recovery", "up"),
        _lines(lines), frozenset({2, 3, 4, 5}),
    )  # fmt: skip


def _rollback(found: Assessment) -> DocumentSection:
    if found.rollback is None:
        return _section("Rollback", "", (), ())
    if found.rollback.worked is not None:
        return _rolled_back(found.rollback)
    known = {None: "not verified; --verify-rollback does it", True: "verified", False: "its check failed"}
    tone: dict[bool | None, Tone] = {None: "doubt", True: "good", False: "bad"}
    verified = found.rollback.verified
    notes = (found.rollback.said,) if found.rollback.said else ()
    line = TableRow((known[verified], found.rollback.command), tone[verified], notes)
    return _section("Rollback", "Printed; run only with --rollback.", ("state", "command"),
                   _lines(iter((line,))))  # fmt: skip


def _rolled_back(row: RollbackRow) -> DocumentSection:
    state, tone = ("rolled back", "good") if row.worked else ("FAILED", "bad")
    line = TableRow((state, row.command), cast("Tone", tone), (f"{row.said}; run after {row.after}",))
    meaning = "What this report says is of what ran after it."
    return _section("Rollback", meaning, ("state", "command"), _lines(iter((line,))))
