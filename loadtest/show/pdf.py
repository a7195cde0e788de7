"""The report of a run on paper: what the other views say, and the plots as pictures."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.show.manifest import ReadableRun
from loadtest.show.page import Line, Page, Picture, Section
from loadtest.show.pdf_page import pdf as on_paper
from loadtest.show.report import HEADINGS, STATISTICS, Fact, MetricRow, Report
from loadtest.show.report_html import CAPTIONS
from loadtest.show.report_model import tell

WIDTH_IN = 9.0
"""How wide plots are drawn; on A4 their letters are then a little smaller than the text."""


def pdf(run: ReadableRun) -> bytes:
    """The document's bytes, the same for the same run."""
    from loadtest.show.plot.pictures import NAMES, Pictures

    drawn = Pictures(run)
    pictures = tuple(Picture(drawn.png(name, WIDTH_IN), CAPTIONS[name]) for name in NAMES)
    return on_paper(page(tell(run.manifest), pictures))


def page(report: Report, pictures: tuple[Picture, ...] = ()) -> Page:
    """The report as a page; sections without a row are left out."""
    judgement = report.judgement
    simulated = " (SIMULATED)" if report.simulated else ""
    made = (
        _thresholds(report),
        *_metrics(report),
        _footnotes(report),
        _rates(report),
        *_ledgers(report),
        _notices(report),
        _facts("Generator", "what this machine had to spare", report.generator),
        _facts("Not measured", "and why", report.unmeasured),
        _facts("Fingerprint", "what makes two runs comparable", report.fingerprint),
    )
    return Page(
        title=f"{report.scenario} {report.label}".strip(),
        question=f"{report.target}{simulated}",
        verdict=f"{judgement.word}{simulated}",
        tone=judgement.tone,
        exit_code=judgement.exit_code,
        why=" ".join(each for each in (judgement.why, report.standing) if each),
        facts=tuple((fact.name, fact.value) for fact in report.facts),
        sections=tuple(section for section in made if section.lines),
        footer=f"{report.id}{simulated}",
        pictures=pictures,
    )


def _thresholds(report: Report) -> Section:
    lines = (
        Line(
            (row.outcome, row.name, row.expression, row.measured, row.n),
            row.tone,
            (row.reason,) if row.reason else (),
        )
        for row in report.thresholds
    )
    heads = ("", "threshold", "promised", "measured", "n")
    return Section("Thresholds", "What was promised, and what became of it.", heads, tuple(lines), RIGHT_OF_4)


RIGHT_OF_4 = frozenset({3, 4})


def _metrics(report: Report) -> Iterator[Section]:
    heads = ("", "n", *HEADINGS.values())
    for group in report.groups:
        lines = tuple(Line((row.label, row.n, *_cells(row))) for row in group.metrics)
        yield Section(group.title, group.meaning, heads, lines, frozenset(range(1, len(heads))))


def _cells(row: MetricRow) -> Iterator[str]:
    for statistic in STATISTICS:
        note = row.notes.get(statistic)
        yield f"{row.cells[statistic]}{f' [{note}]' if note else ''}"


def _footnotes(report: Report) -> Section:
    lines = tuple(Line((f"[{number}]", text)) for number, text in enumerate(report.footnotes, 1))
    return Section("Footnotes", "Of the times above.", ("", ""), lines)


def _rates(report: Report) -> Section:
    lines = tuple(Line((row.label, row.value, row.basis, row.bound)) for row in report.rates)
    meaning = "In the measured part; connections over the whole run."
    return Section("Rates", meaning, ("", "per second", "counted", ""), lines, frozenset({1}))


def _ledgers(report: Report) -> Iterator[Section]:
    for ledger in report.ledgers:
        lines = tuple(
            Line((row.label, row.value, row.share), row.tone, (row.reason,) if row.reason else ())
            for row in ledger.counts
        )
        meaning = "Over the whole run, warm-up and drain included."
        yield Section(ledger.title, meaning, ("", "count", "share"), lines, frozenset({1}))


def _notices(report: Report) -> Section:
    lines = (
        Line(
            (each.code, each.message),
            "bad" if each.spoils else "doubt",
            tuple(note for note in (each.remedy, each.numbers) if note),
        )
        for each in report.notices
    )
    return Section("Notices", "Reasons to doubt or qualify the numbers.", ("", ""), tuple(lines))


def _facts(title: str, meaning: str, facts: tuple[Fact, ...]) -> Section:
    lines = tuple(Line((fact.name, fact.value)) for fact in facts)
    return Section(title, meaning, ("", ""), lines)
