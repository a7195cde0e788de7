"""The judged screen: what a run measured and what became of its thresholds, for a terminal of any width.

rich is imported when something is printed, so that start-up stays lean.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from loadtest.show.counter_table import tally
from loadtest.show.render.terminal import (
    MARKS,
    STYLES,
    aligned,
    indented,
    print_parts,
    rendered,
    screen_of,
)
from loadtest.show.report import HEADINGS, STATISTICS, MetricRow, Report
from loadtest.show.sanitize import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

DROPPED = ("p90", "min")
"""Columns that make room for the others, in this order."""

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def render(
    report: Report, *, width: int = 80, colour: bool = False, ascii_only: bool = False, where: str = ""
) -> str:
    """The screen as text of at most ``width`` columns; with ``colour`` it carries ANSI styles."""

    def drawn(console: Console) -> None:
        draw(report, console, ascii_only=ascii_only, where=where)

    return rendered(drawn, width=width, colour=colour, ascii_only=ascii_only)


def show(report: Report, stream: TextIO | None = None, *, where: str = "") -> None:
    """Print the screen on ``stream`` (stdout): coloured on a terminal, in ASCII where it takes no more."""
    stream = stream or sys.stdout
    stream.write(render(report, **screen_of(stream), where=where))


def draw(report: Report, console: Console, *, ascii_only: bool = False, where: str = "") -> None:
    """Print the screen on a rich console, part by part with an empty line between them."""
    parts = (
        header(report),
        verdict(report),
        thresholds(report, console.width),
        metrics(report, console.width, ascii_only=ascii_only),
        rates(report),
        counts(report),
        notices(report),
        _paired([("Report", where)]) if where else [],
        closing(report),
    )
    print_parts(parts, console)


def _text(*pieces: str | tuple[str, str]) -> Text:
    from rich.text import Text

    return Text.assemble(*pieces)


def header(report: Report) -> Iterator[Text]:
    """Scenario, label and the SIMULATED badge; target; what was asked for; whether the run is whole."""
    badge = ("  SIMULATED  ", "bold reverse yellow") if report.simulated else ""
    label = f"  {report.label}" if report.label else ""
    yield _text((report.scenario, "bold"), label, "   " if badge else "", badge)
    known = {fact.name: fact.value for fact in report.facts}
    if "question" in known:
        yield _text(known["question"])
    yield _text(report.target)
    when = ", ".join(f"{name} {known[name]}" for name in ("started", "took") if name in known)
    for line in (known.get("load", ""), when):
        if line:
            yield _text((line, "dim"))
    if report.standing:
        yield _text((report.standing, "yellow"))


def verdict(report: Report) -> Iterator[Text]:
    """The verdict, its exit code and why."""
    judged = report.judgement
    code = "" if judged.exit_code is None else f"  exit code {judged.exit_code}"
    yield _text((f" {judged.word} ", f"bold reverse {STYLES[judged.tone]}".strip()), code)
    yield _text(judged.why)


def closing(report: Report) -> Iterator[Text]:
    """The verdict again as the last line: the first has scrolled away on a small screen."""
    judged = report.judgement
    code = "" if judged.exit_code is None else f"  exit code {judged.exit_code}"
    failed = [row for row in report.thresholds if row.outcome != "held"]
    of = len(report.thresholds)
    held = f", {of} thresholds held" if of else ""
    what = f", {len(failed)} of {of} thresholds not held" if failed else held
    yield _text((f" {judged.word} ", f"bold reverse {STYLES[judged.tone]}".strip()), f"{code}{what}")


def thresholds(report: Report, width: int) -> Iterator[RenderableType]:
    """A line per threshold, with the reason below it where there is one."""
    if not report.thresholds:
        return
    yield _text(("Thresholds", "bold"))
    table = [
        [f"{MARKS[row.tone]} {row.outcome}", row.name, row.expression, row.measured, row.n and f"n={row.n}"]
        for row in report.thresholds
    ]
    for row, line in zip(report.thresholds, aligned(table, "lllrr", width, give_way=1), strict=True):
        shown = _text(line)
        shown.stylize(STYLES[row.tone], 0, len(row.outcome) + 2)
        yield shown
        if row.reason:
            yield indented(row.reason, 4)


def metrics(report: Report, width: int, *, ascii_only: bool = False) -> Iterator[RenderableType]:
    """Distributions, response time first; what n does not support is a footnote."""
    if report.groups:
        yield from _metric_table(report, width, ascii_only=ascii_only)
    for number, footnote in enumerate(report.footnotes, 1):
        yield indented(f"{_mark(number, ascii_only=ascii_only)} {footnote}", 2)
    measured = any(group.title == "Response time" for group in report.groups)
    by_reason: dict[str, list[str]] = {}
    for fact in report.unmeasured:
        if fact.name.startswith(("turn.", "event.")) or not measured:
            by_reason.setdefault(fact.value, []).append(fact.name)
    for reason, names in by_reason.items():
        yield indented(f"not measured: {', '.join(names)} ({reason})", 2)


def _metric_table(report: Report, width: int, *, ascii_only: bool) -> Iterator[RenderableType]:
    rows = [metric for group in report.groups for metric in group.metrics]
    for left_out, gap in (((), 2), (DROPPED[:1], 2), (DROPPED[:1], 1), (DROPPED, 2), (DROPPED, 1)):
        columns = [key for key in STATISTICS if key not in left_out]
        table = [["", "n", *(HEADINGS[key] for key in columns)]]
        table += [_cells(metric, columns, ascii_only=ascii_only) for metric in rows]
        lines = aligned(table, "l" + "r" * (len(columns) + 1), 10_000, gap=gap)
        if max(map(len, lines)) <= width:
            break
    yield _text((lines[0], "dim"))
    shown = iter(lines[1:])
    for group in report.groups:
        yield _text((group.title, "bold"), (f", {group.meaning}", "dim"))
        for _ in group.metrics:
            yield _text(next(shown))


def _cells(metric: MetricRow, columns: Sequence[str], *, ascii_only: bool) -> list[str]:
    noted = {key: _mark(number, ascii_only=ascii_only) for key, number in metric.notes.items()}
    return [f"  {metric.label}", metric.n, *(metric.cells[key] + noted.get(key, "") for key in columns)]


def _mark(number: int, *, ascii_only: bool) -> str:
    return f"[{number}]" if ascii_only else str(number).translate(SUPERSCRIPTS)


def rates(report: Report) -> Iterator[RenderableType]:
    """Rates with n and over how long; those that were not measured with the reason."""
    if not report.rates:
        return
    yield _text(("Rates", "bold"), (", in the measured part; connections over the whole run", "dim"))
    table = [[f"  {row.label}", row.value, row.basis, row.bound] for row in report.rates if row.measured]
    for line in aligned(table, "lrll", 10_000):
        yield _text(line)
    for row in report.rates:
        if not row.measured:
            yield indented(f"{row.label}: {row.value}, {row.basis}", 2)


def counts(report: Report) -> Iterator[RenderableType]:
    """Every counter that is not zero, those that are as a list, and those that could not be measured."""
    if not report.ledgers:
        return
    yield _text(("Counts", "bold"), (", over the whole run", "dim"))
    pairs = [(ledger.title, tally(ledger)) for ledger in report.ledgers]
    facts = (f"{fact.name} {fact.value}" for fact in report.generator if fact.name != "limits")
    sampled = "; ".join(f"{fact.name} {fact.value}" for fact in report.health)
    yield from _paired([*pairs, ("Generator", "; ".join(facts)), ("Target", sampled)])


def notices(report: Report) -> Iterator[RenderableType]:
    """Reasons to doubt or qualify the numbers, each with what to do."""
    if not report.notices:
        return
    yield _text(("Notices", "bold"))
    for notice in report.notices:
        style = "yellow" if notice.spoils else ""
        spoils = " (spoils the run)" if notice.spoils else ""
        yield indented(f"! {notice.code}{spoils}", 2, style)
        yield indented(notice.message, 4)
        if notice.remedy:
            yield indented(f"→ {notice.remedy}", 4, "dim")


def _paired(pairs: Iterable[tuple[str, str]]) -> Iterator[RenderableType]:
    """Names at the left, sentences that wrap beside them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, sentence in pairs:
        if sentence:
            grid.add_row(Text(f"  {name}"), Text(sentence))
    yield grid


def one_line(report: Report) -> str:
    """The verdict as one line, for ``--quiet`` and for lists of runs."""
    judged = report.judgement
    marked = " SIMULATED" if report.simulated else ""
    return printable(f"{judged.word}{marked} {report.id}: {judged.why}", 500)
