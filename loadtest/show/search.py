"""A search as a document: what was found, and every probe."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.knee import ProbeResult, Search
from loadtest.show.document import (
    NOTHING,
    DataTable,
    Document,
    DocumentSection,
    Plot,
    TableColumn,
    TableRow,
    Tone,
)
from loadtest.show.metric_table import LABELS
from loadtest.show.sanitize import printable
from loadtest.show.values import amount
from loadtest.units import format_count, format_duration, format_ms, format_rate, format_ratio

WORDS: dict[str, tuple[str, Tone]] = {
    "found": ("FOUND", "good"),
    "above": ("HELD THROUGHOUT", "good"),
    "below": ("NOTHING HELD", "bad"),
    "invalid": ("INVALID", "doubt"),
    "unreachable": ("UNREACHABLE", "bad"),
    "interrupted": ("INTERRUPTED", "doubt"),
    "error": ("ERROR", "bad"),
}
"""Each outcome in capitals, and how it is coloured."""


ANSWERS: dict[str, Tone] = {"held": "good", "missed": "bad"}
"""Of a probe; any other is in doubt."""

CAPTION = (
    "Each mark is a run. At the knee the marks leave the dashed line: from there on, the target no longer"
    " keeps up with the load. The limit is in the shaded range: every run to its left passed, and every run"
    " to its right missed a threshold."
)


def document(search: Search) -> Document:
    """The whole search in words."""
    word, tone = WORDS[search.finding.outcome]
    why, *context = sentences(search)
    table = DataTable(_columns(search), tuple(map(_probe, search.tries)))
    meaning = "Each probe is a stored run; to see it whole, give its id to loadtest report."
    return Document(
        kind="search",
        subject=printable(search.scenario, 80),
        about=f"over {search.over}, {printable(search.target, 200)}",
        aside=printable(search.label, 80),
        word=word,
        tone=tone,
        exit_code=int(search.finding.exit_code),
        why=why,
        context=tuple(context),
        simulated=search.simulated,
        sections=(DocumentSection("Every probe", (table,), meaning),),
        plots=_plots(search),
    )


def _plots(search: Search) -> tuple[Plot, ...]:
    def svg(width_in: float) -> str:
        from loadtest.show.plot.knee import KneePicture

        return KneePicture(search).svg(width_in)

    def png(width_in: float) -> bytes:
        from loadtest.show.plot.knee import KneePicture

        return KneePicture(search).png(width_in)

    return (Plot(CAPTION, svg, png),) if search.tries else ()


def sentences(search: Search) -> Sequence[str]:
    """What was found and what it rests on."""
    runs = f"{format_count(len(search.tries))} runs in {format_duration(search.took_s * 1e9)}"
    asked = "; ".join(search.limits) or "no thresholds"
    added = f" (added by the search: {'; '.join(search.added)})" if search.added else ""
    basis = f"Required: {asked}{added}. The search took {runs}."
    found = [_found(search), _interval(search), _knee(search), basis]
    return [sentence for sentence in found if sentence]


def _found(search: Search) -> str:
    found, unit = search.finding, search.unit
    held = "no load passed" if found.load is None else f"{amount(found.load)} {unit} passed"
    missed = amount(found.missed or 0.0)
    at_end = amount(found.load_at_end or 0.0)
    last = printable(search.tries[-1].why, 600) if search.tries else ""
    told = {
        "found": f"The highest load that passes is {amount(found.load or 0.0)} {unit};"
        f" at {missed} a threshold is missed.",
        "above": f"All tried loads passed, up to {amount(found.load or 0.0)} {unit}; the limit is higher.",
        "below": f"No load passed, down to {missed} {unit}. {last}",
        "invalid": (
            f"At {at_end} {unit} the generator or the measurement was the limit, not the target; the search"
            f" ends here, and {held}. {last}"
        ),
        "interrupted": f"The search was interrupted; until then {held}.",
    }
    return told.get(found.outcome, f"The search ended at {at_end} {unit}; before that {held}. {last}")


def _interval(search: Search) -> str:
    low, high = search.finding.interval
    if low is None or high is None:
        return ""
    return f"Every run up to {amount(low)} passed, and every run from {amount(high)} on missed a threshold."


def _knee(search: Search) -> str:
    knee = search.knee
    if knee.load is None:
        return f"No knee was seen: {knee.reason}."
    achieved = format_rate(knee.achieved or 0.0)
    return f"The knee lies at {amount(knee.load)} {search.unit}, where the target achieved {achieved}."


def _columns(search: Search) -> tuple[TableColumn, ...]:
    name = LABELS.get(search.metric, search.metric)
    return (
        TableColumn(""),
        TableColumn(search.unit, right=True, names=True),
        TableColumn("asked", right=True),
        TableColumn("achieved", right=True),
        TableColumn(f"{name} p95", right=True),
        TableColumn("n", right=True),
        TableColumn("generator CPU", right=True),
        TableColumn("run", code=True, screen="never"),
    )


def _probe(each: ProbeResult) -> TableRow:
    return TableRow(
        cells=(
            each.probe.answer,
            amount(each.probe.load),
            NOTHING if each.asked is None else format_rate(each.asked),
            NOTHING if each.achieved is None else format_rate(each.achieved),
            NOTHING if each.p95_ms is None else format_ms(each.p95_ms),
            format_count(each.n) if each.n else NOTHING,
            NOTHING if each.cpu is None else format_ratio(each.cpu),
            printable(each.run, 200),
        ),
        tone=ANSWERS.get(each.probe.answer, "doubt"),
        notes=(printable(each.why),) if each.why else (),
    )
