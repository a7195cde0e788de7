"""report.md: the report for a pull request, a job summary of CI, or a mail."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.show.counter_table import NONE
from loadtest.show.render.markdown import MARKS, code, escaped, table
from loadtest.show.report import HEADINGS, STATISTICS, MetricRow, Report


def markdown(report: Report) -> str:
    """The whole report, verdict first."""
    parts = (
        _head(report),
        _thresholds(report),
        _metrics(report),
        _rates(report),
        _counts(report),
        _positions(report),
        _notices(report),
        _surroundings(report),
    )
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    label = f" {escaped(report.label)}" if report.label else ""
    simulated = " (SIMULATED)" if report.simulated else ""
    yield f"# {report.judgement.word}: {escaped(report.scenario)}{label}{simulated}"
    yield ""
    code_is = "" if report.judgement.exit_code is None else f" Exit code {report.judgement.exit_code}."
    yield f"**{escaped(report.judgement.why)}**{code_is}"
    yield ""
    if report.standing:
        yield from (f"> {escaped(report.standing)}", "")
    yield f"- target {code(report.target)}"
    yield from (f"- {escaped(fact.name)} {escaped(fact.value)}" for fact in report.facts)


def _thresholds(report: Report) -> Iterator[str]:
    if not report.thresholds:
        return
    yield from ("## Thresholds", "")
    yield from table(
        ("", "threshold", "promise", "measured", "n", "reason"),
        "lllrrl",
        (
            (
                f"{MARKS[row.tone]} {row.outcome}",
                code(row.name),
                code(row.expression),
                row.measured,
                row.n,
                escaped(row.reason),
            )
            for row in report.thresholds
        ),
    )


def _metrics(report: Report) -> Iterator[str]:
    if not report.groups and not report.unmeasured:
        return
    yield "## How long things took"
    heads = ("", "n", *(HEADINGS[key] for key in STATISTICS))
    for group in report.groups:
        yield from ("", f"**{escaped(group.title)}**, {escaped(group.meaning)}", "")
        yield from table(heads, "l" + "r" * (len(STATISTICS) + 1), map(_metric, group.metrics))
    if report.footnotes:
        yield ""
    for number, note in enumerate(report.footnotes, 1):
        yield f"<sup>{number}</sup> {escaped(note)}  "
    if report.unmeasured:
        yield from ("", "Not measured:", "")
        yield from (f"- {code(fact.name)}: {escaped(fact.value)}" for fact in report.unmeasured)


def _metric(metric: MetricRow) -> tuple[str, ...]:
    cells = (f"{metric.cells[key]}{_superscript(metric.notes.get(key))}" for key in STATISTICS)
    return (escaped(metric.label), metric.n, *cells)


def _superscript(number: int | None) -> str:
    return f"<sup>{number}</sup>" if number else ""


def _rates(report: Report) -> Iterator[str]:
    if not report.rates:
        return
    yield from ("## Rates", "", "In the measured part; connections over the whole run.", "")
    rows = ((escaped(row.label), row.value, escaped(row.basis), row.bound) for row in report.rates)
    yield from table(("", "per second", "counted", ""), "lrll", rows)


def _counts(report: Report) -> Iterator[str]:
    if not report.ledgers:
        return
    yield from ("## Counts", "", "Over the whole run, warm-up and drain included.", "")
    rows = (
        (escaped(ledger.title), escaped(row.label), row.value, row.share, escaped(row.reason))
        for ledger in report.ledgers
        for row in ledger.counts
        if row.value != NONE or row.reason
    )
    yield from table(("", "", "n", "share", "reason"), "llrrl", rows)
    none = [
        f"{ledger.title.lower()} {row.label}"
        for ledger in report.ledgers
        for row in ledger.counts
        if row.value == NONE
    ]
    if none:
        yield from ("", f"None: {escaped(', '.join(none))}.")


def _positions(report: Report) -> Iterator[str]:
    if not report.positions:
        return
    yield from ("## Place in the burst", "", "Response time by place.", "")
    keys = ("p50", "p95", "max")
    heads = (
        "place",
        "turns",
        *(f"first event {key}" for key in keys),
        *(f"completion {key}" for key in keys),
    )
    rows = (
        (
            row.position,
            row.turns,
            *(row.first_event[key] for key in keys),
            *(row.completion[key] for key in keys),
        )
        for row in report.positions
    )
    yield from table(heads, "r" * len(heads), rows)


def _notices(report: Report) -> Iterator[str]:
    if not report.notices:
        return
    yield from ("## Notices", "")
    for notice in report.notices:
        spoils = " **spoils the run**" if notice.spoils else ""
        remedy = f" *{escaped(notice.remedy)}*" if notice.remedy else ""
        yield f"- {code(notice.code)}{spoils}: {escaped(notice.message)}{remedy}"


def _surroundings(report: Report) -> Iterator[str]:
    facts = [*report.generator, *report.fingerprint]
    if not facts:
        return
    yield from ("<details><summary>Generator and surroundings</summary>", "")
    yield from (f"- {escaped(fact.name)}: {escaped(fact.value)}" for fact in facts)
    yield from ("", "</details>")
