"""A trend as a document, and the files it is written into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from loadtest.judge.effect_size import BETTER, WORSE
from loadtest.judge.history import commit_of
from loadtest.judge.run_standing import SUCCESS_RATIOS
from loadtest.judge.segments import ChangePoint, MetricTrend
from loadtest.judge.trend import SCHEMA, Trend, TrendVerdict
from loadtest.show.comparison import (
    TONES,
    callouts,
    change_text,
    interval_text,
    p_text,
    runs_text,
    smallest_text,
)
from loadtest.show.document import (
    NOTHING,
    Chart,
    DataTable,
    Document,
    DocumentSection,
    Link,
    Plot,
    TableCell,
    TableColumn,
    TableRow,
    Tone,
    no_link,
    verdict_of_all,
    worst_first,
)
from loadtest.show.render.csv import csv_text
from loadtest.show.render.json import as_json
from loadtest.show.render.markdown import markdown
from loadtest.show.render.terminal import render
from loadtest.show.sanitize import printable
from loadtest.units import FORMATS, format_count

OUTCOMES: dict[str, Tone] = {
    "target down": "bad",
    "worse": "bad",
    "slower": "bad",
    "threshold missed": "bad",
    "better": "good",
    "faster": "good",
    "no change found": "good",
    "too little history": "doubt",
    "cannot tell": "doubt",
}

DATE = len("2026-11-22")

COLUMNS = (
    TableColumn(""),
    TableColumn("metric", code=True),
    TableColumn("newest run", right=True),
    TableColumn("its level", right=True),
    TableColumn("95 % prediction", right=True),
    TableColumn("change", right=True, strong=True),
    TableColumn("p", right=True, screen="never"),
    TableColumn("smallest effect", right=True, screen="never"),
)

MEANING = (
    "With 95 % confidence, the next run of the level is inside the prediction interval. p is corrected for"
    " all metrics of the table."
)

CAPTION = (
    "Each dot is a run, from the oldest to the newest. A line is the mean of a level. If nothing changes, 95"
    " of 100 further runs are inside the band around the line. A letter marks a change of level; the list"
    " below names the first run after it. The filled dot is the newest run."
)

EXPLORED_ON_SCREEN = 8
"""Changes of metrics that do not decide the verdict, the newest; of the others a screen says how many."""

OTAVA_RUN = ("time", "run", "label", "commit", "scenario", "machine")
"""The columns that say which run it was; all others are metrics."""


def written(
    trends: Sequence[Trend],
    form: str,
    exit_code: int,
    *,
    exploratory: bool = False,
    link: Link = no_link,
) -> str | bytes:
    """The trends in one format, text ending with a newline; "svg" and "png" are of the first.

    ``exploratory``: terminal and Markdown list the other metrics, too. ``link`` leads from a
    page to the report of a run.
    """
    documents = [document(each) for each in trends]
    forms: dict[str, Callable[[], str | bytes]] = {
        "terminal": lambda: render(documents, width=100, whole=exploratory, cut=False),
        "markdown": lambda: markdown(documents, whole=exploratory),
        "json": lambda: as_json(data(trends, exit_code)),
        "otava": lambda: otava(trends),
        "html": lambda: _html([document(each, link) for each in trends], exit_code),
        "pdf": lambda: _pdf(documents),
        "svg": lambda: _picture(trends[0], "svg"),
        "png": lambda: _picture(trends[0], "png"),
    }
    return forms[form]()


def _picture(of: Trend, form: str) -> str | bytes:
    from loadtest.show.plot.trend import TrendPicture

    picture = TrendPicture(of)
    return picture.svg() if form == "svg" else picture.png()


def _html(documents: Sequence[Document], exit_code: int) -> str:
    from loadtest.show.render.html import html

    return html(documents, exit_code)


def _pdf(documents: Sequence[Document]) -> bytes:
    from loadtest.show.render.pdf import pdf

    return pdf(*worst_first(documents))


def data(trends: Sequence[Trend], exit_code: int) -> Mapping[str, object]:
    """Every trend as plain data."""
    return {
        "schema": SCHEMA,
        "exit_code": exit_code,
        "verdict": verdict_of_all([document(each) for each in trends], exit_code),
        "trends": [each.as_dict() for each in trends],
    }


def otava(trends: Sequence[Trend]) -> str:
    """For Apache Otava: a row per run and a column per metric; an empty cell where it was not measured."""
    names = list(dict.fromkeys(course.name for each in trends for course in each.courses))
    rows: list[list[object]] = []
    for each in trends:
        values = {course.name: course.values for course in each.courses}
        for at, run in enumerate(each.history.runs):
            of_run = (run.get("started"), run.get("id"), run.get("label"), commit_of(run))
            cells = (values[name][at] if name in values else None for name in names)
            rows.append([*of_run, each.history.scenario, each.history.machine, *cells])
    return csv_text((*OTAVA_RUN, *names), rows)


def document(trend: Trend, link: Link = no_link) -> Document:
    """The whole trend in words, safe to print; ``link`` leads to the report of a run."""
    past, ruling = trend.history, trend.ruling
    accepted = printable(trend.accepted or "", 120)
    explored = DataTable(
        _change_columns(below=False), _changes(trend.exploratory, EXPLORED_ON_SCREEN), "earlier changes"
    )
    folded = f"{len(trend.exploratory)} metrics that do not decide the verdict"
    return Document(
        kind="trend",
        subject=printable(past.scenario),
        about=span_text(trend),
        aside=f"machine {printable(past.machine, 40)}",
        word=ruling.outcome.upper(),
        tone=OUTCOMES[ruling.outcome],
        exit_code=int(ruling.exit_code),
        why=printable(ruling.reason, 800),
        context=(f"Compared with the level of the baseline, {accepted}.",) if accepted else (),
        simulated=past.simulated,
        sections=(
            DocumentSection(
                "What decides",
                (DataTable(COLUMNS, tuple(_metric(each, ruling) for each in trend.primary)),),
                MEANING,
                "the newest run against its level",
            ),
            DocumentSection(
                "Change points",
                (DataTable(_change_columns(below=True), _changes(trend.primary)),),
                brief="where the level of a deciding metric changed",
                stays=True,
            ),
            DocumentSection(
                "Exploratory",
                (DataTable(COLUMNS, tuple(_metric(each, ruling) for each in trend.exploratory)), explored),
                MEANING,
                "decides nothing",
                folded,
                tab="All metrics",
            ),
        ),
        callouts=callouts(trend.notices),
        plots=_plots(trend, link),
        decided=ruling.outcome == DOWN or any(each.judged or each.missed for each in trend.primary),
    )


def _plots(trend: Trend, link: Link) -> tuple[Plot, ...]:
    def svg(width_in: float) -> str:
        from loadtest.show.plot.trend import TrendPicture

        return TrendPicture(trend).svg(width_in)

    def png(width_in: float) -> bytes:
        from loadtest.show.plot.trend import TrendPicture

        return TrendPicture(trend).png(width_in)

    def charts() -> Sequence[Chart]:
        from loadtest.show.release_charts import trend_charts

        return trend_charts(trend, link)

    return (Plot(CAPTION, svg, png, charts),) if trend.history.runs else ()


def span_text(trend: Trend) -> str:
    """How many runs, and from when to when: "61 runs, 2026-10-01 to 2026-11-30"."""
    runs = trend.history.runs
    counted = runs_text(len(runs))
    if not runs:
        return counted
    first, last = (date_text(str(run.get("started"))) for run in (runs[0], runs[-1]))
    return f"{counted}, {first} to {last}" if first != last else f"{counted}, {first}"


def date_text(started: str) -> str:
    """The day of an instant as ``run.json`` has it."""
    return printable(started, 40)[:DATE]


MISSED = "threshold missed"
DOWN = "target down"


def word_of(course: MetricTrend, ruling: TrendVerdict) -> str:
    """What the newest run and its level say together: worse, then a threshold missed, then the rest.

    Of a share of success it is that the target was down, where the trend says so.
    """
    if ruling.outcome == DOWN and course.name in SUCCESS_RATIOS:
        return DOWN
    said = {course.newest.word, course.standing.word if course.standing else course.newest.word}
    missed = [MISSED] if course.missed else []
    found = [word for word in WORSE if word in said] + missed + [word for word in BETTER if word in said]
    return next(iter(found), course.newest.word)


def _metric(each: MetricTrend, ruling: TrendVerdict) -> TableRow:
    rule, newest = each.measure, each.newest
    word, show = word_of(each, ruling), FORMATS[rule.unit]
    down = word == DOWN
    level = each.segments[-1] if each.segments else None
    low, high = (level.low, level.high) if level else (None, None)
    why = printable(ruling.reason if down else _why(each))
    # Without history enough there is nothing to explain.
    judged = each.judged or newest.value is None or bool(each.missed) or down
    return TableRow(
        cells=(
            word,
            rule.name,
            TableCell(
                "not measured" if newest.value is None else show(newest.value),
                f"{runs_text(each.n)}, n={format_count(each.samples)}",
            ),
            f"{show(level.value)} ({runs_text(level.n)})" if level else "not measured",
            NOTHING if low is None or high is None else f"{show(low)} to {show(high)}",
            TableCell(change_text(rule, newest.change), _interval(each)),
            NOTHING if newest.p is None else p_text(newest.p),
            smallest_text(rule),
        ),
        tone=TONES[word],
        notes=(why,),
        remark=f"{rule.name}: {why}" if judged and word != "same" else "",
        notable=each.primary,
    )


def _interval(each: MetricTrend) -> str:
    text = interval_text(each.measure, each.newest.interval)
    return "" if text == NOTHING else text


def _why(each: MetricTrend) -> str:
    """Which threshold is missed, why the newest level is called so, then why the newest run is."""
    missed = f"the newest run misses {', '.join(each.missed)}; " if each.missed else ""
    standing = each.standing
    if standing is None:
        return f"{missed}{each.newest.why}"
    against = (
        "level before" if each.changes and standing.change == each.changes[-1].change else "baseline's level"
    )
    told = f"{change_text(each.measure, standing.change)} against the {against}"
    return f"{missed}newest level: {standing.word}, {told}; newest run: {each.newest.why}"


def _change_columns(*, below: bool) -> tuple[TableColumn, ...]:
    """Of change points; ``below``: a screen names the first run after each."""
    return (
        TableColumn(""),
        TableColumn("metric", code=True),
        TableColumn("change", right=True, strong=True),
        TableColumn("95 % interval", right=True),
        TableColumn("since", right=True),
        TableColumn("first run after it", code=True, screen="below" if below else "never"),
        TableColumn("what changed with it", screen="below" if below else "never"),
    )


def _changes(courses: Sequence[MetricTrend], on_screen: int | None = None) -> tuple[TableRow, ...]:
    """Every change of these courses, newest first."""
    found = [(change, each) for each in courses for change in each.changes]
    found.sort(key=lambda pair: -pair[0].at)
    return tuple(
        TableRow(
            cells=(
                change.word,
                each.name,
                change_text(each.measure, change.change),
                interval_text(each.measure, change.interval),
                date_text(change.started),
                TableCell(printable(change.run, 200), first_run_text(change)),
                "; ".join(printable(part, 160) for part in change.with_it),
            ),
            tone=TONES[change.word],
            notable=on_screen is None or at < on_screen,
        )
        for at, (change, each) in enumerate(found)
    )


def first_run_text(change: ChangePoint) -> str:
    """The first run after a change, by label and commit; empty where neither is known."""
    known = [change.label, f"commit {change.commit}" if change.commit else None]
    return ", ".join(printable(part, 80) for part in known if part)
