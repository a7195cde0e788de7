"""A search in words: what was found, every probe, for a terminal, Markdown, a page, and machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from loadtest.judge.knee import Search, Tried
from loadtest.keep.json import json_text
from loadtest.show.html import environment
from loadtest.show.markdown import code, escaped
from loadtest.show.metric_table import LABELS
from loadtest.show.sanitize import printable
from loadtest.show.terminal_screen import ASCII, aligned
from loadtest.show.values import amount
from loadtest.units import format_count, format_duration, format_ms, format_rate, format_ratio

NOTHING = "–"

WORDS: dict[str, tuple[str, Literal["good", "bad", "doubt"]]] = {
    "found": ("FOUND", "good"),
    "above": ("HELD THROUGHOUT", "good"),
    "below": ("NOTHING HELD", "bad"),
    "invalid": ("INVALID", "doubt"),
    "unreachable": ("UNREACHABLE", "bad"),
    "interrupted": ("INTERRUPTED", "doubt"),
    "error": ("ERROR", "bad"),
}
"""Each outcome in capitals, and how it is coloured."""


def as_json(search: Search) -> str:
    """The search as plain data."""
    return json_text(search.as_dict(), indent=2) + "\n"


def as_text(search: Search, *, width: int = 110, ascii_only: bool = False) -> str:
    """What was found, then a line per probe, then the exit code."""
    lines = [
        f"{_word(search)}  exit code {int(search.finding.exit_code)}  {_of(search)}",
        *sentences(search),
        "",
        *aligned([heads(search), *map(cells, search.tries)], "rlrrrrr", width),
    ]
    text = "\n".join(lines) + "\n"
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text


def as_markdown(search: Search) -> str:
    """The same for a job summary of CI or a pull request."""
    return "\n".join(
        [
            f"# {_word(search)}: {escaped(_of(search))}",
            "",
            *(f"{escaped(sentence)}  " for sentence in sentences(search)),
            "",
            f"| {' | '.join(heads(search))} | run |",
            "| ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |",
            *(
                f"| {' | '.join(map(escaped, cells(each)))} | {code(each.run) if each.run else NOTHING} |"
                for each in search.tries
            ),
            "",
        ]
    )


def as_html(search: Search) -> str:
    """One page that needs nothing else, with the plot; every text in it is escaped."""
    from markupsafe import Markup

    from loadtest.show.plot import style, svg
    from loadtest.show.plot.knee import KneePicture

    picture = KneePicture(search)
    letters, svgs = svg.inline({"wide": picture.svg(), "narrow": picture.svg(style.NARROW_IN)})
    # Our own SVG: its texts are drawn as paths or escaped.
    safe = {kind: Markup(body) for kind, body in svgs.items()}  # noqa: S704 - as said above
    word, tone = WORDS[search.finding.outcome]
    return (
        environment()
        .get_template("search.html")
        .render(
            search=search,
            word=word,
            tone=tone,
            of=_of(search),
            exit_code=int(search.finding.exit_code),
            sentences=list(sentences(search)),
            heads=heads(search),
            lines=[(each.probe.answer, cells(each), each) for each in search.tries],
            plot={"caption": CAPTION, "svgs": safe},
            letters=Markup(letters),  # noqa: S704 - outlines of letters
        )
    )


CAPTION = (
    "Each mark is a run. Where the marks leave the dashed line, the target no longer does what is asked:"
    " that is the knee. The shaded stretch is where the limit lies: left of it every run held, right of it"
    " every run missed."
)


def sentences(search: Search) -> Sequence[str]:
    """What was found and what it rests on."""
    runs = f"{format_count(len(search.tries))} runs in {format_duration(search.took_s * 1e9)}"
    asked = "; ".join(search.limits) or "no thresholds"
    added = f" (added by the search: {'; '.join(search.added)})" if search.added else ""
    told = [_found(search), _interval(search), _knee(search), f"What had to hold: {asked}{added}. {runs}."]
    return [sentence for sentence in told if sentence]


def _found(search: Search) -> str:
    found, unit = search.finding, search.unit
    held = "no load held" if found.load is None else f"{amount(found.load)} {unit} held"
    missed = amount(found.missed or 0.0)
    at_end = amount(found.load_at_end or 0.0)
    last = printable(search.tries[-1].why, 600) if search.tries else ""
    told = {
        "found": f"The highest load that holds is {amount(found.load or 0.0)} {unit}; {missed} do not hold.",
        "above": f"All loads that were tried held, up to {amount(found.load or 0.0)} {unit};"
        " the limit lies above.",
        "below": f"Nothing held, down to {missed} {unit}. {last}",
        "invalid": f"At {at_end} {unit} the generator or the measurement was the limit, and not the target;"
        f" the search ends here, and {held}. {last}",
        "interrupted": f"Interrupted; until then {held}.",
    }
    return told.get(found.outcome, f"The search ended at {at_end} {unit}; before that {held}. {last}")


def _interval(search: Search) -> str:
    low, high = search.finding.interval
    if low is None or high is None:
        return ""
    return f"Every run up to {amount(low)} held, and every run from {amount(high)} on missed."


def _knee(search: Search) -> str:
    knee = search.knee
    if knee.load is None:
        return f"No knee was seen: {knee.reason}."
    achieved = format_rate(knee.achieved or 0.0)
    return f"The knee lies at {amount(knee.load)} {search.unit}, where {achieved} are achieved."


def heads(search: Search) -> tuple[str, ...]:
    """The columns of the table of probes."""
    name = LABELS.get(search.metric, search.metric)
    return (search.unit, "", "asked", "achieved", f"{name} p95", "n", "generator CPU")


def cells(each: Tried) -> tuple[str, ...]:
    """One probe as texts."""
    return (
        f"{amount(each.probe.load)}",
        each.probe.answer,
        NOTHING if each.asked is None else format_rate(each.asked),
        NOTHING if each.achieved is None else format_rate(each.achieved),
        NOTHING if each.p95_ms is None else format_ms(each.p95_ms),
        format_count(each.n) if each.n else NOTHING,
        NOTHING if each.cpu is None else format_ratio(each.cpu),
    )


def _word(search: Search) -> str:
    return WORDS[search.finding.outcome][0]


def _of(search: Search) -> str:
    simulated = " SIMULATED" if search.simulated else ""
    return f"{printable(search.scenario, 80)} over {search.over}, {printable(search.target, 200)}{simulated}"
