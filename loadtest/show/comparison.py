"""A comparison as a document, and the files it is written into."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loadtest.errors import ConfigError, Problem
from loadtest.judge.compare import SCHEMA, Comparison
from loadtest.judge.effect_size import EffectMeasure
from loadtest.judge.history import missed_thresholds
from loadtest.judge.multiplicity import MetricComparison, SampleSummary
from loadtest.judge.power import MIN_RUNS, NEGLIGIBLE
from loadtest.judge.samples import Side
from loadtest.show.document import (
    NOTHING,
    Callout,
    DataTable,
    Document,
    DocumentSection,
    Link,
    TableCell,
    TableColumn,
    TableRow,
    Tone,
    no_link,
    verdict_of_all,
    worst_first,
)
from loadtest.show.manifest import ReadableRun
from loadtest.show.metric_table import NEVER
from loadtest.show.render.json import as_json
from loadtest.show.render.junit import CaseKind, JUnitCase, JUnitSuite, junit
from loadtest.show.render.markdown import markdown
from loadtest.show.render.terminal import render
from loadtest.show.run import is_quiet
from loadtest.show.sanitize import printable
from loadtest.units import FORMATS, format_change, format_count, format_spread

if TYPE_CHECKING:
    from loadtest.show.plot.release_pictures import ComparisonPictures

TONES: dict[str, Tone] = {
    "target down": "bad",
    "worse": "bad",
    "slower": "bad",
    "threshold missed": "bad",
    "threshold newly missed": "bad",
    "better": "good",
    "faster": "good",
    "same": "good",
    "cannot tell": "doubt",
    "not comparable": "doubt",
}
"""Of what is said of a metric, and of how a comparison ended."""

COLUMNS = (
    TableColumn(""),
    TableColumn("metric", code=True),
    TableColumn("baseline", right=True),
    TableColumn("candidate", right=True),
    TableColumn("change", right=True, strong=True),
    TableColumn("95 % interval", right=True),
    TableColumn("p", right=True, screen="never"),
    TableColumn("smallest effect", right=True, screen="never"),
)

MEANING = (
    "Values are means of runs. Changes and intervals are computed over {over}. p tests, in the direction of"
    " the change, whether the change is more than"
    f" {NEGLIGIBLE} of the smallest effect; it is corrected for all metrics of the table."
)

DIFFERING_ON_SCREEN = 12

KINDS: dict[Tone, CaseKind] = {"bad": "failure", "doubt": "error"}
"""What a case in a JUnit file is where it is not passed."""


@dataclass(frozen=True)
class Compared:
    """A comparison with the stored runs of both sides, of which pictures are drawn."""

    comparison: Comparison
    baseline: tuple[ReadableRun, ...]
    candidate: tuple[ReadableRun, ...]


def compared(
    comparison: Comparison, baseline: Sequence[ReadableRun], candidate: Sequence[ReadableRun]
) -> Compared:
    """With those of the runs that count, and whose raw files were not pruned."""
    before, after = (
        tuple(
            run
            for run in runs
            if any(run.manifest is each for each in side.runs) and not run.manifest.get("pruned")
        )
        for runs, side in ((baseline, comparison.baseline), (candidate, comparison.candidate))
    )
    return Compared(comparison, before, after)


def written(
    items: Sequence[Compared],
    form: str,
    exit_code: int,
    *,
    exploratory: bool = False,
    link: Link = no_link,
) -> str | bytes:
    """The comparisons in one format, text ending with a newline; "svg" and "png" are of the first scenario.

    ``exploratory``: terminal and Markdown list the other metrics, too. ``link`` leads from a
    page to the report of a run.

    Raises:
        ConfigError: there is nothing to draw.
    """
    comparisons = [each.comparison for each in items]
    documents = [document(each) for each in comparisons]
    forms: dict[str, Callable[[], str | bytes]] = {
        "terminal": lambda: render(documents, width=100, whole=exploratory, cut=False),
        "markdown": lambda: markdown(documents, whole=exploratory),
        "json": lambda: as_json(data(comparisons, exit_code)),
        "junit": lambda: junit(map(suite, comparisons)),
        "html": lambda: _html(items, documents, exit_code, link),
        "pdf": lambda: _pdf(items, documents),
        "svg": lambda: _forest(items).svg("forest"),
        "png": lambda: _forest(items).png("forest"),
    }
    return forms[form]()


def _html(items: Sequence[Compared], documents: Sequence[Document], exit_code: int, link: Link) -> str:
    from loadtest.show.plot.release_pictures import plots
    from loadtest.show.render.html import html

    return html(documents, exit_code, plots=plots(items, link))


def _pdf(items: Sequence[Compared], documents: Sequence[Document]) -> bytes:
    from loadtest.show.plot.release_pictures import plots
    from loadtest.show.render.pdf import pdf

    first, *rest = worst_first(documents)
    return pdf(replace(first, plots=plots(items)), *rest)


def _forest(items: Sequence[Compared]) -> ComparisonPictures:
    """The pictures of the first scenario.

    Raises:
        ConfigError: there is none to draw.
    """
    from loadtest.show.comparison_data import boards
    from loadtest.show.plot.release_pictures import ComparisonPictures

    found = boards(items)
    if not found:
        sentence = "there is nothing to draw: the runs are not comparable, are pruned, or have no answers"
        raise ConfigError([Problem("--format", sentence)])
    return ComparisonPictures(found[0])


def data(comparisons: Sequence[Comparison], exit_code: int) -> Mapping[str, object]:
    """Every comparison as plain data."""
    return {
        "schema": SCHEMA,
        "exit_code": exit_code,
        "verdict": verdict_of_all([document(each) for each in comparisons], exit_code),
        "comparisons": [each.as_dict() for each in comparisons],
    }


def document(comparison: Comparison) -> Document:
    """The whole comparison in words; foreign text in it is made safe to print."""
    ruling, missed = comparison.ruling, _missed(comparison.candidate)
    also = f" The candidate misses {', '.join(f'{name} {says}' for name, says in missed)}." if missed else ""
    tone = TONES[ruling.outcome]
    undecided = _undecided(comparison)
    over = "pairs of blocks" if any(row.method == "pairs" for row in comparison.rows) else "runs"

    def metrics(rows: Sequence[MetricComparison]) -> DataTable:
        return DataTable(COLUMNS, tuple(_metric(row, missed, decided=not undecided) for row in rows))

    brief, meaning = f"means of runs; change and interval over {over}", MEANING.format(over=over)
    folded = f"{len(comparison.exploratory)} metrics that do not decide the verdict"
    return Document(
        kind="comparison",
        subject=printable(comparison.scenario),
        about=f"{side_text(comparison.baseline)} → {side_text(comparison.candidate)}",
        word=ruling.outcome.upper(),
        tone="doubt" if missed and tone == "good" else tone,
        exit_code=int(ruling.exit_code),
        brief=undecided,
        why=printable(f"{ruling.reason}{also if tone == 'good' else ''}", 800),
        simulated=comparison.baseline.simulated or comparison.candidate.simulated,
        sections=(
            DocumentSection("What decides", (metrics(comparison.primary),), meaning, brief),
            DocumentSection(
                "Exploratory",
                (metrics(comparison.exploratory),),
                meaning,
                f"does not decide the verdict; {brief}",
                folded,
                tab="All metrics",
            ),
            DocumentSection(
                "Other differences between the runs",
                (_differing(comparison),),
                tab="What differs",
            ),
        ),
        callouts=callouts(comparison.notices),
        decided=not undecided,
    )


def _metric(row: MetricComparison, missed: Collection[tuple[str, str]], *, decided: bool) -> TableRow:
    """One metric; ``missed`` are thresholds that the candidate misses."""
    rule, tone, why = row.measure, _tone(row, missed), _why(row, missed)
    visible = change_text(rule, row.visible)
    unit = "pairs" if row.method == "pairs" else "runs"
    those = f"the present {unit}" if row.method else f"at least {MIN_RUNS} runs per side"
    seen = f"; {those} can detect a change of {visible}" if visible != NOTHING else ""
    unsure = row.word == "cannot tell" and row.primary and (decided or visible != NOTHING)
    return TableRow(
        cells=(
            row.word,
            rule.name,
            TableCell(level_text(rule, row.baseline), counted(row.baseline)),
            TableCell(level_text(rule, row.candidate), counted(row.candidate)),
            change_text(rule, row.change),
            interval_text(rule, row.interval),
            NOTHING if row.p is None else p_text(row.p),
            smallest_text(rule),
        ),
        tone=tone,
        notes=(why,),
        remark=f"{rule.name}: {why}{seen}" if unsure else "",
        notable=row.primary or row.word not in {"same", "cannot tell"},
    )


def _tone(row: MetricComparison, missed: Collection[tuple[str, str]]) -> Tone:
    """Never good where the candidate misses a threshold on it."""
    return "bad" if any(name == row.name for name, _ in missed) else TONES[row.word]


def _why(row: MetricComparison, missed: Collection[tuple[str, str]]) -> str:
    promised = [says for name, says in missed if name == row.name]
    also = f"; the candidate misses {', '.join(promised)}" if promised else ""
    return printable(f"{row.why}{also}")


def _differing(comparison: Comparison) -> DataTable:
    rows = tuple(
        TableRow(
            (printable(each.name), printable(each.baseline, 80), printable(each.candidate, 80)),
            notable=at < DIFFERING_ON_SCREEN,
        )
        for at, each in enumerate(comparison.differing)
    )
    columns = (TableColumn("", code=True), TableColumn("baseline"), TableColumn("candidate"))
    return DataTable(columns, rows, rest="more (--format json lists them)")


def callouts(notices: Sequence[Mapping[str, object]]) -> tuple[Callout, ...]:
    """Warnings as a document has them."""
    return tuple(
        Callout(
            printable(each["code"]),
            printable(each["message"]),
            printable(each["remedy"]),
            quiet=is_quiet(each["code"], each["remedy"]),
        )
        for each in notices
    )


def suite(comparison: Comparison) -> JUnitSuite:
    """A case per metric that decides, and one for the whole: slower is a failure, cannot tell an error."""
    of = document(comparison)
    missed = _missed(comparison.candidate)
    # The ruling's tone: a threshold that both sides miss is shown, and fails no comparison.
    tone = TONES[comparison.ruling.outcome]
    kind = KINDS.get(tone, "passed")
    if any(TONES[row.word] == tone for row in comparison.primary):
        kind = "passed"  # A row says so already; where the target was down, none does.
    outcome = comparison.ruling.outcome if kind != "passed" else ""
    cases = [JUnitCase(of.subject, "comparison", kind, outcome, of.why if outcome else "")]
    for row in comparison.primary:
        rule, kind = row.measure, KINDS.get(TONES[row.word], "passed")
        levels = f"{level_text(rule, row.baseline)} → {level_text(rule, row.candidate)}"
        change = f"{change_text(rule, row.change)} ({interval_text(rule, row.interval)})"
        text = f"{row.word}: {levels}, {change}; {_why(row, missed)}"
        cases.append(JUnitCase(of.subject, rule.name, kind, row.word, text))
    simulated = " SIMULATED" if of.simulated else ""
    sides = f"{side_text(comparison.baseline)} against {side_text(comparison.candidate)}"
    return JUnitSuite(f"{of.subject} {sides}{simulated}", tuple(cases))


def _missed(side: Side) -> tuple[tuple[str, str], ...]:
    """Name and promise of the thresholds that most runs of a side miss: such a metric is never green."""
    found = Counter(each for run in side.runs for each in missed_thresholds(run))
    return tuple(each for each, n in found.items() if 2 * n > len(side.runs))


def _undecided(comparison: Comparison) -> str:
    """One sentence where there are too few runs for a verdict on anything that decides."""
    rows = comparison.primary
    if comparison.ruling.outcome != "cannot tell" or any(row.method is not None for row in rows):
        return ""
    measured = next((row for row in rows if row.change is not None), None)
    if measured is None:
        return ""
    few = "; ".join(measured.why.split("; ")[:2])
    return f"Nothing can be decided yet: {few}."


def runs_text(n: int) -> str:
    """How many runs: "1 run", "5 runs"."""
    return f"{format_count(n)} {'run' if n == 1 else 'runs'}"


def side_text(side: Side) -> str:
    """The name of a side and how many runs count."""
    return f"{printable(side.name, 60)} ({runs_text(len(side.runs))})"


def smallest_text(rule: EffectMeasure) -> str:
    """The smallest effect: "5 %", or "0.5 points" of a share."""
    return format_spread(rule.smallest, points=rule.scale == "points")


def level_text(rule: EffectMeasure, level: SampleSummary) -> str:
    """The mean of a side in its unit; that its turns never answered, or that it was not measured."""
    if level.value is None:
        return NEVER if level.never else "not measured"
    return FORMATS[rule.unit](level.value)


def counted(level: SampleSummary) -> str:
    """How many runs measured it, and the samples behind it: "5 runs, n=60", "3 runs, never in 1, n=36"."""
    never = f", never in {len(level.never)}" if level.never else ""
    return f"{runs_text(level.n)}{never}, n={format_count(level.samples)}"


def change_text(rule: EffectMeasure, change: float | None) -> str:
    """A change: "+10.2 %", or "−30.0 points" of a share; a dash where nothing can be said."""
    if change is None or not math.isfinite(change):
        return NOTHING
    return format_change(change, points=rule.scale == "points")


def interval_text(rule: EffectMeasure, interval: tuple[float, float] | None) -> str:
    """Both ends: "+7.1 to +13.4 %"; a dash where there is none."""
    if interval is None or not all(math.isfinite(end) for end in interval):
        return NOTHING
    low = format_change(interval[0], points=rule.scale == "points").rpartition(" ")[0]
    return f"{low} to {format_change(interval[1], points=rule.scale == 'points')}"


def p_text(p: float) -> str:
    """Two significant digits, never 0."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"
