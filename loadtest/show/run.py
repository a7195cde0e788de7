"""A run as a document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from loadtest.show.counter_table import NONE
from loadtest.show.document import (
    Callout,
    DataTable,
    Document,
    DocumentSection,
    Exemplar,
    KeyNumber,
    Plot,
    TableCell,
    TableColumn,
    TableRow,
    Tone,
)
from loadtest.show.metric_table import NOT_MEASURED, PLACED
from loadtest.show.report_model import HEADINGS, STATISTICS, Fact, MetricRow, Report

GIVE_WAY = {"p90": 1, "min": 2}
"""Statistics that make room for the others on a narrow screen, in this order."""

THRESHOLDS = (
    TableColumn(""),
    TableColumn("threshold", code=True),
    TableColumn("promise", code=True, wraps=True),
    TableColumn("measured", right=True, strong=True),
    TableColumn("n", right=True),
)
METRICS = (
    TableColumn("", names=True),
    TableColumn("n", right=True),
    *(
        TableColumn(heading, right=True, gives_way=GIVE_WAY.get(statistic, 0))
        for statistic, heading in HEADINGS.items()
    ),
)
RATES = (
    TableColumn("", names=True),
    TableColumn("per second", right=True, strong=True),
    TableColumn("counted", wraps=True),
    TableColumn("", wraps=True),
)
COUNTS = (
    TableColumn(""),
    TableColumn("what", names=True, wraps=True),
    TableColumn("n", right=True),
    TableColumn("share", right=True, wraps=True),
)
POSITIONS = (
    TableColumn("place", right=True),
    TableColumn("turns", right=True),
    *(TableColumn(f"{name} {key}", right=True) for name in ("first event", "completion") for key in PLACED),
)
FACTS = (TableColumn("", code=True, wraps=True), TableColumn("", wraps=True))

TABS = PERCENTILES, TURNS, CONNECTIONS, COUNTED, ABOUT = (
    "Percentiles",
    "Turns",
    "Connections",
    "Counts",
    "About the run",
)
"""The tabs of a page."""

IN_LEDGER = ("Turns", "Events")
"""The counts whose plot shows those that are none, too."""

NOTHING_TO_DO = frozenset(
    {"simulated_target", "rate_limited_by_plan", "turns_sampled", "cpu_not_read", "clock_coarse"}
)
"""Codes of notices for which nobody would do anything differently."""

TIMES = ("turn.first_event", "turn.completion", "connect.total", "ping.rtt")
"""The times among the numbers that matter: the first two that there are."""

BAD_FIRST: tuple[Tone, ...] = ("bad", "doubt", "good", "plain")


def document(
    report: Report,
    plots: Sequence[Plot] = (),
    *,
    broken: tuple[Exemplar, ...] = (),
    slowest: tuple[Exemplar, ...] = (),
) -> Document:
    """The whole report of a run, verdict first; ``plots`` stand after the thresholds.

    A page shows the ``broken`` turns and the ``slowest`` ones, too.
    """
    judged = report.judgement
    return Document(
        kind="run",
        subject=f"{report.scenario} {report.label}".strip(),
        about="",
        word=judged.word,
        tone=judged.tone,
        exit_code=judged.exit_code,
        why=judged.why,
        simulated=report.simulated,
        context=(report.standing,) if report.standing else (),
        facts=(("target", report.target), *((fact.name, fact.value) for fact in report.facts)),
        sections=(
            _section("Thresholds", THRESHOLDS, _thresholds(report)),
            *_metrics(report),
            _section(
                "Rates",
                RATES,
                (TableRow((row.label, row.value, row.basis, row.bound)) for row in report.rates),
                "in the measured part; connections over the whole run",
                COUNTED,
            ),
            _counts(report, IN_LEDGER if plots else ()),
            _section(
                "Place in the burst",
                POSITIONS,
                _positions(report),
                "response time by place",
                PERCENTILES,
                screen=False,
            ),
            _not_measured(report),
            *_turns(broken, slowest),
            _facts("The target itself", report.health, ABOUT),
            _facts("Load generator", report.generator, ABOUT, folded="how busy this machine was"),
            _facts(
                "Surroundings",
                report.fingerprint,
                ABOUT,
                folded="compare these before you compare two runs",
                screen=False,
            ),
        ),
        callouts=tuple(_callouts(report)),
        plots=tuple(plots),
        footer=report.id,
        title=report.scenario,
        badges=(report.label,) if report.label else (),
        numbers=tuple(_numbers(report)),
        tabs=TABS,
    )


def _positions(report: Report) -> Iterator[TableRow]:
    for row in report.positions:
        times = (each[key] for each in (row.first_event, row.completion) for key in PLACED)
        yield TableRow((row.position, row.turns, *times))


def _callouts(report: Report) -> Iterator[Callout]:
    for each in report.notices:
        quiet = is_quiet(each.code, each.remedy) and not each.spoils
        yield Callout(each.code, each.message, each.remedy, each.numbers, spoils=each.spoils, quiet=quiet)


def is_quiet(code: object, remedy: object) -> bool:
    """Whether nobody would do anything differently for a notice."""
    return code in NOTHING_TO_DO or str(remedy).startswith("Nothing to do")


def _numbers(report: Report) -> Iterator[KeyNumber]:
    """The five numbers that matter: two times, the turns that were complete, events, connections."""
    rows = {row.name: row for group in report.groups for row in group.metrics}
    counts = {(ledger.title, row.label): row for ledger in report.ledgers for row in ledger.counts}
    for name in [name for name in TIMES if name in rows][:2]:
        row = rows.get(f"{name}, of all due", rows[name])
        known = "p95" not in row.notes
        of_due = row is not rows[name]
        told = f"of all {row.n} due turns, also those without this time" if of_due else f"n={row.n}"
        basis = told if known else report.footnotes[row.notes["p95"] - 1]
        value = row.cells["p95"] if known else NOT_MEASURED
        yield KeyNumber(f"{rows[name].label} p95", value, basis, _judged(report, f"{name}."))
    judged = [row for row in report.thresholds if row.name == "turns.complete.ratio"]
    due, complete = counts.get(("Turns", "due")), counts.get(("Turns", "complete"))
    if judged:
        basis = f"of {judged[0].n} due" if judged[0].n else judged[0].reason
        yield KeyNumber("turns complete", judged[0].measured, basis, _judged(report, "turns."))
    elif due and complete and complete.share:
        yield KeyNumber("turns complete", complete.share, f"of {due.value} due", _judged(report, "turns."))
    for rate in report.rates:
        if rate.label == "events received":
            yield KeyNumber(rate.label, rate.value, rate.basis, _judged(report, "rates.events_received"))
    attempted, peak = counts.get(("Connections", "attempted")), counts.get(("Connections", "peak concurrent"))
    if attempted and peak:
        tone = _judged(report, "connections.")
        yield KeyNumber("connections at once", peak.value, f"peak, of {attempted.value} attempted", tone)


def _judged(report: Report, prefix: str) -> Tone:
    """The worst of what became of the thresholds on something; plain where there is none."""
    tones = [row.tone for row in report.thresholds if row.name.startswith(prefix)]
    return min(tones, key=BAD_FIRST.index, default="plain")


def _turns(broken: tuple[Exemplar, ...], slowest: tuple[Exemplar, ...]) -> Iterator[DocumentSection]:
    """Single turns as evidence, those that broke first."""
    yield DocumentSection(
        "Broken turns and stray payloads",
        (),
        "Turns that were not complete or whose events were not delivered properly, and payloads that belong"
        " to no turn.",
        tab=TURNS,
        exemplars=broken,
    )
    yield DocumentSection(
        "Slowest turns",
        (),
        "The turns with the longest response time. Open a turn to see its messages, with times counted from"
        " when the turn was due.",
        tab=TURNS,
        exemplars=slowest,
    )


def _section(
    title: str,
    columns: tuple[TableColumn, ...],
    rows: Iterable[TableRow],
    brief: str = "",
    tab: str = "",
    *,
    screen: bool = True,
) -> DocumentSection:
    table = DataTable(columns, tuple(rows), notes_below=True)
    return DocumentSection(title, (table,), _sentence(brief), brief, tab=tab, screen=screen)


def _sentence(brief: str) -> str:
    return f"{brief[:1].upper()}{brief[1:]}." if brief else ""


def _thresholds(report: Report) -> Iterator[TableRow]:
    for row in report.thresholds:
        cells = (row.outcome, row.name, row.expression, row.measured, row.n)
        yield TableRow(cells, row.tone, (row.reason,) if row.reason else ())


def _metrics(report: Report) -> Iterator[DocumentSection]:
    """A section per group; the footnotes stand below the last one."""
    for group in report.groups:
        rows = tuple(TableRow((row.label, row.n, *_statistics(row))) for row in group.metrics)
        footnotes = tuple(f"[{number}] {text}" for number, text in enumerate(report.footnotes, 1))
        yield DocumentSection(
            group.title,
            (DataTable(METRICS, rows, even=True),),
            _sentence(group.meaning),
            group.meaning,
            remarks=footnotes if group is report.groups[-1] else (),
            tab=PERCENTILES,
        )


def _statistics(row: MetricRow) -> Iterator[TableCell]:
    for statistic in STATISTICS:
        note = row.notes.get(statistic)
        text = f"{row.cells[statistic]}{f' [{note}]' if note else ''}"
        yield TableCell(text, detail=row.ci95.get(statistic, ""))


def _counts(report: Report, drawn: Collection[str]) -> DocumentSection:
    """Counters that are more than none, and those that could not be known; the others in a sentence.

    Of what is ``drawn`` beside it none is told twice.
    """
    every = [(ledger.title, row) for ledger in report.ledgers for row in ledger.counts]
    rows = (
        TableRow((title, row.label, row.value, row.share), row.tone, (row.reason,) if row.reason else ())
        for title, row in every
        if row.value != NONE or row.reason
    )
    none = ", ".join(
        f"{title.lower()} {row.label}" for title, row in every if row.value == NONE and title not in drawn
    )
    section = _section("Counts", COUNTS, rows, "over the whole run, warm-up and drain included", COUNTED)
    return replace(section, remarks=(f"None: {none}.",) if none else ())


def _facts(
    title: str, facts: Iterable[Fact], tab: str, *, folded: str = "", screen: bool = True
) -> DocumentSection:
    rows = (TableRow((fact.name, fact.value)) for fact in facts)
    return replace(_section(title, FACTS, rows, tab=tab, screen=screen), folded=folded)


def _not_measured(report: Report) -> DocumentSection:
    """Metrics by their reason. A screen lists those of turns, or all where no response time was measured."""
    names: dict[str, list[str]] = {}
    for fact in report.unmeasured:
        names.setdefault(fact.value, []).append(fact.name)
    measured = any(group.title == "Response time" for group in report.groups)
    rows = tuple(
        TableRow(
            (", ".join(listed), reason),
            notable=not measured or any(name.startswith(("turn.", "event.")) for name in listed),
        )
        for reason, listed in names.items()
    )
    table = DataTable(FACTS, rows, rest="others, which the report lists")
    return DocumentSection("Not measured", (table,), tab=PERCENTILES)
