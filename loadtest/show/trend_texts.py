"""A trend for a pull request, for machines, and for Apache Otava."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from loadtest.judge.history import commit_of
from loadtest.judge.trend import SCHEMA, Trend
from loadtest.show.comparison_texts import document, headlines
from loadtest.show.headline import of_all, worst_first
from loadtest.show.markdown import MARKS, code, escaped, remarks, table
from loadtest.show.trend import MEANING, Line, Told, Turning, tell

HEADS = (
    "",
    "metric",
    "newest run",
    "its level",
    "foretold (95 %)",
    "change",
    "95 % interval",
    "p",
    "smallest effect",
    "of",
    "why",
)
ALIGN = "ll" + "r" * 8 + "l"

OTAVA_ABOUT = ("time", "run", "label", "commit", "scenario", "machine")
"""The columns that say which run it was; all others are metrics."""


def as_json(trends: Sequence[Trend], exit_code: int) -> str:
    """Every trend as plain data; numbers that do not exist are null."""
    verdict = of_all(worst_first(map(tell, trends)), exit_code, "trend")
    return document(SCHEMA, exit_code, verdict=verdict, trends=[each.as_dict() for each in trends])


def markdown(tolds: Iterable[Told], *, exploratory: bool = False) -> str:
    """Every trend, the worst first; ``exploratory``: with the metrics that decide nothing, folded."""
    listed = worst_first(tolds)
    parts = [*headlines(listed, "trends")]
    parts += ["\n".join(_markdown(told, exploratory=exploratory)) for told in listed]
    return "\n\n".join(parts) + "\n"


def _markdown(told: Told, *, exploratory: bool) -> Iterator[str]:
    simulated = " (SIMULATED)" if told.simulated else ""
    yield f"# {told.word}: {escaped(told.scenario)}, {escaped(told.of)}{simulated}"
    yield from ("", f"**{escaped(told.why)}** Exit code {told.exit_code}.")
    if told.accepted:
        yield from ("", f"Held against the level of the baseline, {code(told.accepted)}.")
    if told.turnings:
        yield from ("", "## Where what decides changed", "", *_turnings(told.turnings))
    if told.primary and (told.decided or exploratory):
        yield from ("", "## What decides", "", *_table(told.primary), "", MEANING)
    if told.exploratory and exploratory:
        summary = f"Exploratory: {len(told.exploratory)} metrics that decide nothing"
        yield from ("", f"<details><summary>{summary}</summary>", "", *_table(told.exploratory))
        if told.explored:
            yield from ("", *_turnings(told.explored))
        yield from ("", "</details>")
    yield from remarks(told.notices)


def _table(lines: Iterable[Line]) -> Iterator[str]:
    return table(HEADS, ALIGN, map(_cells, lines))


def _cells(each: Line) -> tuple[str, ...]:
    return (
        f"{MARKS[each.tone]} {each.word}",
        code(each.name),
        each.newest,
        each.level,
        each.foretold,
        each.change,
        each.interval,
        escaped(each.p),
        each.smallest,
        each.counted,
        escaped(each.why),
    )


def _turnings(turnings: Iterable[Turning]) -> Iterator[str]:
    yield "| | metric | change | 95 % interval | since | first run after it | what changed with it |"
    yield "| --- | --- | ---: | ---: | --- | --- | --- |"
    for each in turnings:
        who = f" ({escaped(each.who)})" if each.who else ""
        with_it = escaped("; ".join(each.with_it)) or "nothing that is known"
        yield (
            f"| {MARKS[each.tone]} {each.word} | {code(each.metric)} | {each.change} | {each.interval}"
            f" | {escaped(each.date)} | {code(each.run)}{who} | {with_it} |"
        )


def otava(trends: Sequence[Trend]) -> str:
    """CSV with a row per run and a column per metric; an empty cell where it was not measured."""
    names = list(dict.fromkeys(course.name for each in trends for course in each.courses))
    made = io.StringIO()
    rows = csv.writer(made, lineterminator="\n")
    rows.writerow((*OTAVA_ABOUT, *names))
    for each in trends:
        values = {course.name: course.values for course in each.courses}
        for at, run in enumerate(each.history.runs):
            about = (run.get("started"), run.get("id"), run.get("label"), commit_of(run))
            cells = (values[name][at] if name in values else None for name in names)
            rows.writerow((*about, each.history.scenario, each.history.machine, *cells))
    return made.getvalue()
