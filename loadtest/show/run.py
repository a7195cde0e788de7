"""A run as a document, for Markdown and for paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.show.counter_table import NONE
from loadtest.show.document import (
    Callout,
    DataTable,
    Document,
    DocumentSection,
    Plot,
    TableColumn,
    TableRow,
)
from loadtest.show.metric_table import PLACED
from loadtest.show.report import HEADINGS, STATISTICS, Fact, MetricRow, Report

THRESHOLDS = (
    TableColumn(""),
    TableColumn("threshold", code=True),
    TableColumn("promise", code=True),
    TableColumn("measured", right=True, strong=True),
    TableColumn("n", right=True),
)
METRICS = (
    TableColumn("", names=True),
    TableColumn("n", right=True),
    *(TableColumn(heading, right=True) for heading in HEADINGS.values()),
)
RATES = (
    TableColumn("", names=True),
    TableColumn("per second", right=True, strong=True),
    TableColumn("counted"),
    TableColumn(""),
)
COUNTS = (
    TableColumn(""),
    TableColumn("what", names=True),
    TableColumn("n", right=True),
    TableColumn("share", right=True),
)
POSITIONS = (
    TableColumn("place", right=True),
    TableColumn("turns", right=True),
    *(TableColumn(f"{name} {key}", right=True) for name in ("first event", "completion") for key in PLACED),
)
FACTS = (TableColumn("", code=True), TableColumn(""))


def document(report: Report, plots: Sequence[Plot] = ()) -> Document:
    """The whole report of a run, verdict first; ``plots`` stand after the thresholds."""
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
            _section("Thresholds", THRESHOLDS, _thresholds(report), ""),
            *_metrics(report),
            _section(
                "Rates",
                RATES,
                (TableRow((row.label, row.value, row.basis, row.bound)) for row in report.rates),
                "In the measured part; connections over the whole run.",
            ),
            _counts(report),
            _section(
                "Place in the burst",
                POSITIONS,
                (
                    TableRow(
                        (
                            row.position,
                            row.turns,
                            *(row.first_event[key] for key in PLACED),
                            *(row.completion[key] for key in PLACED),
                        )
                    )
                    for row in report.positions
                ),
                "Response time by place.",
            ),
            _facts("Not measured", report.unmeasured),
            *((_facts("The target itself", report.health),) if report.health else ()),
            _facts("Load generator", report.generator, folded="what this machine had to spare"),
            _facts("Surroundings", report.fingerprint, folded="what makes two runs comparable"),
        ),
        callouts=tuple(
            Callout(each.code, each.message, each.remedy, each.numbers, spoils=each.spoils)
            for each in report.notices
        ),
        plots=tuple(plots),
        footer=report.id,
    )


def _section(
    title: str, columns: tuple[TableColumn, ...], rows: Iterator[TableRow], meaning: str
) -> DocumentSection:
    return DocumentSection(title, (DataTable(columns, tuple(rows)),), meaning)


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
            (DataTable(METRICS, rows),),
            f"{group.meaning[:1].upper()}{group.meaning[1:]}.",
            remarks=footnotes if group is report.groups[-1] else (),
        )


def _statistics(row: MetricRow) -> Iterator[str]:
    for statistic in STATISTICS:
        note = row.notes.get(statistic)
        yield f"{row.cells[statistic]}{f' [{note}]' if note else ''}"


def _counts(report: Report) -> DocumentSection:
    """Counters that are more than none, and those that could not be known; the others in a sentence."""
    every = [(ledger.title, row) for ledger in report.ledgers for row in ledger.counts]
    rows = (
        TableRow((title, row.label, row.value, row.share), row.tone, (row.reason,) if row.reason else ())
        for title, row in every
        if row.value != NONE or row.reason
    )
    none = ", ".join(f"{title.lower()} {row.label}" for title, row in every if row.value == NONE)
    return DocumentSection(
        "Counts",
        (DataTable(COUNTS, tuple(rows)),),
        "Over the whole run, warm-up and drain included.",
        remarks=(f"None: {none}.",) if none else (),
    )


def _facts(title: str, facts: Sequence[Fact], *, folded: str = "") -> DocumentSection:
    rows = tuple(TableRow((fact.name, fact.value)) for fact in facts)
    return DocumentSection(title, (DataTable(FACTS, rows),), folded=folded)
