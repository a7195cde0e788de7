"""The page of an assessment as tables of text: every view draws these, so that all say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from loadtest.readiness.assessment import (
    Assessment,
    ComponentRow,
    ConditionRow,
    CriterionRow,
    Figure,
    IncidentRow,
    RollbackRow,
    RouteRow,
    UptimeShare,
)
from loadtest.readiness.findings import BY_POLICY, CauseFound, counted, findings, sentences
from loadtest.readiness.objectives import opposite
from loadtest.readiness.outages import WINDOWS_S
from loadtest.readiness.views.timeline_plot import course_plot
from loadtest.show.document import (
    DataTable,
    Document,
    DocumentSection,
    TableCell,
    TableColumn,
    TableRow,
    Tone,
)
from loadtest.show.sanitize import printable
from loadtest.units import format_duration, format_ratio

TONES: dict[str, Tone] = {
    "healthy": "good", "degraded": "doubt", "down": "bad", "unknown": "doubt",
    "working": "good", "out": "bad", "met": "good", "missed": "bad", "open": "doubt",
    "TRIGGERED": "bad", "not triggered": "good",
    "GO": "good", "NO-GO": "bad", "INCONCLUSIVE": "doubt",
    "critical": "bad", "high": "bad", "medium": "doubt", "low": "plain",
    "IMMEDIATE": "bad", "HIGH": "doubt", "MEDIUM": "plain",
}  # fmt: skip


MUST_HOLD = "must hold"
"""The column with the expression of a rule, as long as people write it: a screen has it below the row."""

ON_SCREEN = frozenset({"Components", "Required actions", "Since the last report", "Rollback"})
"""Folded sections that the screen shows, without their notes; the others stand in the files."""

WHOLE = 0.995
"""A time of which so much is known is told as a whole."""


def instant(at: float) -> str:
    """A Unix time as text in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


MARKS: dict[str, str] = {
    "degraded": "▲", "HIGH": "▲", "medium": "▲", "open": "○", "so": "→", "silenced": "–", "route": "·",
    "probing": "·",
}  # fmt: skip
"""Signs of words that share a tone with others: degraded works, unknown may not, open may still change."""

HELD: dict[str, str] = {"not triggered": "met", "TRIGGERED": "missed"}
"""What became of a rule whose breach calls for a rollback, in the words of every rule."""


def build_page(assessment: Assessment) -> Document:
    """The page; all foreign text on it is made printable. What decides comes first, the rest is folded."""
    found = assessment
    plot = course_plot(found, instant)
    broken, unknown, also = _broken(found)
    rules, *held = _rules(found)
    first = [section for section in (broken, unknown, rules) if section.filled]
    sections = (
        *first,
        also,
        *held,
        _changes(found),
        _monitoring(found),
        _actions(found),
        _components(found),
        _functions(found),
        _outages(found),
        _uptimes(found),
        _rollback(found),
        _evidence(found),
        _levels(found),
        _figures(found),
        _risks(found),
    )
    return Document(
        kind="readiness",
        subject=found.policy,
        about=printable(found.question),
        word=found.verdict,
        tone=TONES[found.verdict],
        exit_code=found.exit_code,
        why=printable(" ".join(sentences(found)), 2000),
        context=(),
        facts=tuple((name, printable(value, 300)) for name, value in _facts(found)),
        sections=tuple(section for section in sections if section.filled),
        plots=(plot,) if plot else (),
        plots_after=len(first),
        footer=f"{found.id} · policy {found.policy_sha256[:12]} · by loadtest, from its probes",
    )


def _section(
    title: str,
    meaning: str,
    heads: tuple[str, ...],
    rows: tuple[TableRow, ...],
    right: frozenset[int] = frozenset(),
    *,
    folded: str = "",
) -> DocumentSection:
    """One table; ``right`` are its columns of numbers, and one without a head, of states, never wraps.

    A ``folded`` section decides nothing by itself.
    """
    columns = tuple(
        TableColumn(
            head, right=at in right, wraps=bool(head), screen="below" if head == MUST_HOLD else "column"
        )
        for at, head in enumerate(heads)
    )
    table = DataTable(columns, rows, notes_below=True)
    return DocumentSection(title, (table,), meaning, folded=folded, screen=not folded or title in ON_SCREEN)


def _facts(found: Assessment) -> Iterator[tuple[str, str]]:
    if found.release:
        yield "release", found.release
    who = "asked by" if "@" in found.by else "on the machine"
    by = f", {who} {found.by}" if found.by else ""
    yield "assessed", f"{instant(found.at)}, in {format_duration(found.took_s * 1e9)}{by}"
    yield "overall health", _with_span(found.figures["health.overall"])
    yield "confidence", f"{found.confidence.text}, oldest evidence {age(found.confidence.age_s)}"
    if review := _review(found):
        yield "next review", review
    titles = {row.name: row.title for row in found.components}
    for sentence in found.trend:
        if "not enough history" not in sentence and "is within" not in sentence:
            name, _, said = sentence.partition(": ")
            yield "trend", f"{titles.get(name, name)}: {said}"


def _review(found: Assessment) -> str:
    """When to look again: the watch does so itself, the policy says it, or the evidence is too old then."""
    if found.monitoring is not None and found.monitoring.running:
        return f"{instant(found.monitoring.next_at)}: the watch probes again"
    if found.review_at is not None:
        return f"{instant(found.review_at)}, {BY_POLICY}"
    if found.good_until is not None:
        return f"by {instant(found.good_until)}: then the first evidence becomes too old"
    return ""


def _with_span(figure: Figure) -> str:
    return f"{figure.text}; {figure.span} once everything is known" if figure.span else figure.text


def _cell(row: TableRow, at: int) -> str | TableCell:
    said, link = printable(row.text(at), 600), row.link(at)
    return TableCell(said, link=link) if link else said


def _lines(rows: Iterator[TableRow]) -> tuple[TableRow, ...]:
    return tuple(
        TableRow(
            tuple(_cell(row, at) for at in range(len(row.cells))),
            row.tone,
            tuple(printable(note, 1000) for note in row.notes),
            remark=printable(row.remark, 1000),
            mark=MARKS.get(row.text(0), ""),
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
        up = shares.get(each.name)
        return TableRow(
            (each.status, each.title, each.priority, score, each.response or "–",
             "–" if up is None else up_text(up, down=each.status == "down"), age(each.age_s)),
            TONES[each.status],
            notes,
        )  # fmt: skip

    shares = {each.name: each.up for each in found.outages}

    return _section(
        "Components",
        "The state of each component. An unknown component has no score and counts in no mean. Priority is"
        f" {BY_POLICY}; up is the share of the known time in which the component was not down.",
        ("", "component", "priority", "score", "response time", "up", "age"),
        _lines(row(each) for each in found.components),
        frozenset({3, 5, 6}),
        folded=counted(each.status for each in found.components),
    )


def up_text(up: float, *, down: bool) -> str:
    """A share of the time that was known; of what is down for the first time, that it is of before."""
    return f"{format_ratio(up)}{', until now' if down and up >= 1 else ''}"


def _broken(found: Assessment) -> Iterator[DocumentSection]:
    """Causes, and what follows from each below it: what decides, then what blocks nothing."""
    made = findings(found)
    broken = [each for each in made if each.weight == "broken"]
    unknown = [each for each in made if each.weight == "unknown" and each.blocks]
    also = [each for each in made if each not in broken and each not in unknown]
    yield _found("What is broken", broken, "bad")
    yield _found("What is not known", unknown, "doubt")
    healthy = counted(each.state for each in also)
    yield _found("Also not healthy", also, "doubt", f"{healthy}; not a reason for the verdict")


def _found(title: str, made: Sequence[CauseFound], tone: Tone, folded: str = "") -> DocumentSection:
    def row(each: CauseFound) -> TableRow:
        notes = (*([each.hint] if each.hint else ()), *(f"→ {_signs(line)}" for line in each.follows))
        return TableRow((each.state, TableCell(each.title, link=each.report), each.said), tone, notes)

    return _section(
        title, "Each cause, with its consequences below it.", ("", "what", "what was found"),
        _lines(row(each) for each in made), folded=folded,
    )  # fmt: skip


RULE_ORDER = ("missed", "unknown", "open", "met")

IN_FULL_ONLY = frozenset(
    {"Evidence", "Levels", "How the numbers are computed", "Risks", "Rules that hold", "Uptime"}
)
"""Sections that a paper of three pages has no room for: the page and the JSON beside it have them."""


def brief(document: Document) -> Document:
    """The document for paper: what decides, and what to do; of what is well, that it is."""
    sections = tuple(map(_shortened, (each for each in document.sections if each.title not in IN_FULL_ONLY)))
    footer = f"{document.footer} · evidence and arithmetic: ready.html"
    return replace(document, sections=sections, footer=footer)


def _shortened(section: DocumentSection) -> DocumentSection:
    (table,) = section.tables
    rows = tuple(replace(row, notes=()) if row.tone == "good" else row for row in table.rows)
    return replace(section, tables=(replace(table, rows=rows),))


def _rules(found: Assessment) -> Iterator[DocumentSection]:
    """Every rule, whatever follows from its breach; where some do not hold, those that do are folded."""
    rows = [_promise(each) for each in found.components if each.broken_promise]
    rows += map(_criterion, found.criteria)
    rows += [_condition(found, each, "NO-GO") for each in found.gates]
    rows += [_condition(found, each, "roll back") for each in found.triggers]
    rows.sort(key=lambda row: RULE_ORDER.index(row.text(0)))
    held = [row for row in rows if row.text(0) == "met"]
    other = [row for row in rows if row.text(0) != "met"]
    meaning = f"The rules ({BY_POLICY}), and what follows if a rule does not hold."
    heads, right = ("", "rule", MUST_HOLD, "measured", "if not", "age"), frozenset({3, 5})
    if not other:
        yield _section("Rules", meaning, heads, _lines(iter(held)), right)
        return
    title = f"Rules: {counted(row.text(0) for row in rows)}"
    yield _section(title, meaning, heads, _lines(iter(other)), right)
    yield _section(
        "Rules that hold", meaning, heads, _lines(iter(held)), right,
        folded=f"{len(held)} of {len(rows)}",
    )  # fmt: skip


def _promise(row: ComponentRow) -> TableRow:
    """The rule that holds without being written: a critical component keeps its scenario's thresholds."""
    n = len(row.missed)
    cells = ("missed", f"{row.title}, a critical component, meets its thresholds", "all of them",
             f"{n} missed", "NO-GO", age(row.age_s))  # fmt: skip
    return TableRow(cells, TONES["missed"], (row.broken_promise,))


def _signs(expression: str) -> str:
    return expression.replace(">=", "≥").replace("<=", "≤").replace("==", "=")


def _criterion(row: CriterionRow) -> TableRow:
    notes = (row.reason,) if row.reason and row.outcome != "met" else ()
    cells = (row.outcome, row.title, _signs(row.expected), row.measured, "NO-GO", age(row.age_s))
    return TableRow(cells, TONES.get(row.outcome, "doubt"), notes)


def _condition(found: Assessment, row: ConditionRow, then: str) -> TableRow:
    outcome = HELD.get(row.outcome, row.outcome)
    expression = row.expression if then == "NO-GO" else opposite(row.expression)
    if row.note and outcome == "met":
        outcome = "open"
    figure = {**found.figures, "confidence": found.confidence}.get(row.fact)
    fact = (figure.title if figure else row.fact).removesuffix(", at least")
    doubts = (row.arithmetic if outcome != "open" else "", row.note)
    notes = () if outcome == "met" else tuple(note for note in doubts if note)
    cells = (outcome, row.rule, f"{fact} {_signs(expression)}", row.measured, then, age(row.age_s))
    return TableRow(cells, TONES.get(outcome, "doubt"), notes)


def _monitoring(found: Assessment) -> DocumentSection:
    """The watch itself: its routes, what is open, what is silenced."""
    seen = found.monitoring
    if seen is None:
        return _section("Monitoring and alerts", "", (), ())
    rows = [*map(_incident, seen.incidents), *map(_route, seen.routes)]
    rows += [TableRow(("silenced", sentence, "", "")) for sentence in seen.silences]
    probing = TableRow(("probing", f"{seen.components} components", seen.heartbeat, ""))
    nobody = TableRow(
        ("nobody", "no watch of this policy runs", "the last watch stored these rows", ""), "doubt"
    )
    rows.append(probing if seen.running else nobody)
    last = max((each.last for each in seen.routes if each.last is not None), default=None)
    told = "none yet" if last is None else instant(last)
    n, routes = len(seen.incidents), len(seen.routes)
    return _section(
        "Monitoring and alerts", f"The watch at {instant(seen.at)}.", ("", "what", "state", "since or last"),
        _lines(iter(rows)),
        folded=f"{n} open incident{'' if n == 1 else 's'}, {routes} route{'' if routes == 1 else 's'},"
        f" last delivery {told}{'' if seen.running else '; no watch runs'}",
    )  # fmt: skip


def _incident(each: IncidentRow) -> TableRow:
    tone: Tone = "bad" if each.severity == "critical" else "doubt"
    return TableRow(("incident", each.title, f"{each.severity}, {each.told}", instant(each.since)), tone)


def _route(each: RouteRow) -> TableRow:
    state = f"{each.waiting} waiting" if each.waiting else "nothing waits"
    tone: Tone = "bad" if each.trouble else "plain"
    last = "none delivered yet" if each.last is None else instant(each.last)
    what = f"{each.name} ({each.kind}: {', '.join(each.severities)})"
    return TableRow(("failing" if each.trouble else "route", what, state, last), tone,
                    (each.trouble,) if each.trouble else ())  # fmt: skip


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
        "Each figure with its formula and inputs. The span is the range of the figure once unknown components"
        " are known.",
        ("figure", "value", "span", "age"), _lines(lines), frozenset({1, 3}),
        folded=f"health, confidence and {len(every) - 2} more, with their inputs",
    )  # fmt: skip


def _functions(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.status, each.title, format_ratio(each.users),
              format_ratio(each.value) if each.value else "–", each.impact),
             TONES.get(each.status, "doubt"), (each.why,))
        for each in found.functions
    )  # fmt: skip
    return _section(
        "Business functions",
        f"What users can do. The components, users, value and impact of each function are {BY_POLICY}.",
        ("", "function", "users reached", "value", "impact if out"), _lines(lines), frozenset({2, 3}),
        folded=counted(each.status for each in found.functions),
    )  # fmt: skip


def _risks(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.level, each.title, each.impact), TONES[each.level], (f"likely cause: {each.cause}",))
        for each in found.risks
    )
    return _section("Risks", "The worst risk first, with the usual cause of such an error.",
                   ("", "risk", "touches"), _lines(lines),
                   folded=counted(each.level for each in found.risks))  # fmt: skip


def _actions(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((each.urgency, f"{number}. {each.text}"), TONES[each.urgency])
        for number, each in enumerate(found.actions, 1)
    )
    n = len(found.actions)
    folded = f"{n}, in this order" if n > 1 else "1"
    return _section("Required actions", "In this order.", ("", "action"), _lines(lines), folded=folded)


def _levels(found: Assessment) -> DocumentSection:
    lines = (
        TableRow((level.outcome, f"{each.title}: {level.measure}", level.measured, str(level.n),
              level.warn or "–", level.critical or "–", age(each.age_s)),
             TONES[level.outcome], (level.reason,) if level.reason else ())
        for each in found.components
        for level in each.levels
    )  # fmt: skip
    return _section(
        "Levels", "Beyond its warn level a component is degraded, beyond its critical level it is down.",
        ("", "measure", "measured", "n", "warn", "critical", "age"), _lines(lines),
        frozenset({2, 3, 6}),
        folded=counted(level.outcome for each in found.components for level in each.levels),
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
        folded="what each probe saw, and how old it is",
    )  # fmt: skip


def age(age_s: float | None) -> str:
    """How old the oldest evidence of a number is."""
    if age_s is None:
        return "no evidence"
    return "now" if age_s < 1 else format_duration(round(age_s) * 1e9)


def _changes(found: Assessment) -> DocumentSection:
    changes = found.changes or ()
    lines = (TableRow((each,)) for each in changes)
    n = len(changes)
    return _section(
        "Since the last report", "The differences, also in the policy.", ("change",), _lines(lines),
        folded=changes[0] if n == 1 else f"{n} changes",
    )  # fmt: skip


def _outages(found: Assessment) -> DocumentSection:
    lines = (
        TableRow(
            (each.title, "not down" if each.since is None else instant(each.since), str(each.n),
             *("–" if s is None else format_duration(s * 1e9) for s in (each.last_s, each.mean_s)),
             "–" if each.up is None else
             f"{up_text(each.up, down=each.since is not None)} of {format_duration(each.known_s * 1e9)}"),
            "bad" if each.since is not None else "plain",
        )
        for each in found.outages
        if each.since is not None or each.n
    )  # fmt: skip
    return _section(
        "Outages",
        "Computed from the stored assessments. Each time is as exact as the interval between them.",
        ("component", "down since", "outages over", "the last took", "mean time to recovery", "up"),
        _lines(lines), frozenset({2, 3, 4, 5}),
        folded="since when, how long, mean time to recovery",
    )  # fmt: skip


def _uptimes(found: Assessment) -> DocumentSection:
    def share(each: UptimeShare) -> str:
        if each.up is None:
            return "–"
        return format_ratio(each.up) + (f" ({format_ratio(each.known)} known)" if each.known < WHOLE else "")

    rows = (
        TableRow((row.title, *map(share, row.shares)))
        for row in found.outages
        if any(each.up is not None for each in row.shares)
    )
    return _section(
        "Uptime", "The share of the known time in which a component was not down, in the last hour, day and"
        " week, and how much of the time is known. A dash: the stored history is shorter.",
        ("component", *(f"last {over}" for over in WINDOWS_S)), _lines(rows), frozenset({1, 2, 3}),
        folded="of the last hour, day and week",
    )  # fmt: skip


def _rollback(found: Assessment) -> DocumentSection:
    if found.rollback is None:
        return _section("Rollback", "", (), ())
    if found.rollback.worked is not None:
        return _rolled_back(found.rollback)
    known = {
        None: "not verified; to verify it, add --verify-rollback",
        True: "verified",
        False: "its check failed",
    }
    tone: dict[bool | None, Tone] = {None: "doubt", True: "good", False: "bad"}
    verified = found.rollback.verified
    notes = (found.rollback.said,) if found.rollback.said else ()
    state = known[verified].partition(";")[0]
    line = TableRow((state, found.rollback.command), tone[verified], notes, remark=found.rollback.said or "")
    return _section("Rollback", "loadtest runs this command only with --rollback.", ("", "command"),
                   _lines(iter((line,))), folded=known[verified])  # fmt: skip


def _rolled_back(row: RollbackRow) -> DocumentSection:
    state, tone = ("rolled back", "good") if row.worked else ("FAILED", "bad")
    said = f"{row.said}; run after {row.after}"
    line = TableRow((state, row.command), cast("Tone", tone), (said,), remark=said)
    meaning = "This report is about the system after the rollback."
    return _section("Rollback", meaning, ("", "command"), _lines(iter((line,))), folded=state)
