"""HTML: one file that needs nothing else, readable on a phone and on a wide screen, light or dark.

Plots are pictures; where the page runs its one script, charts that can be hovered and zoomed stand instead.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.show.document import Chart, Document, DocumentSection, Plot, worst_first

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a page may load: nothing; the script that it may run is named by its digest."""

STATIC = Path(__file__).parent.parent / "static"


@dataclass(frozen=True, slots=True)
class PlacedPlot:
    """A plot of a page: its pictures by the width of the page, and the ``number`` of its charts."""

    number: int
    caption: str
    svgs: dict[str, Markup]
    tab: str


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A section below a tab, with the document that it is of where there are several."""

    section: DocumentSection
    heading: str
    svgs: None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One document of a page: what of it is in sight from the beginning."""

    document: Document
    sections: list[DocumentSection]
    plots: list[PlacedPlot]


@dataclass(frozen=True, slots=True)
class Tab:
    """What stands below one tab, plots before sections."""

    name: str
    parts: list[PlacedPlot | PlacedSection]


def html(documents: Iterable[Document], exit_code: int | None, *, plots: Sequence[Plot] = ()) -> str:
    """One page of all documents, the worst first, with ``plots`` that are of all of them.

    Every text in it is escaped.
    """
    listed = worst_first(documents)
    letters, placed, charts = _placed([*plots, *(plot for each in listed for plot in each.plots)])
    of_all = [next(placed) for _ in plots]
    own = [[next(placed) for _ in each.plots] for each in listed]
    shown = [_sections(each) for each in listed]
    pages = [
        Page(
            document,
            [section for section in sections if not section.tab],
            [plot for plot in drawn if not plot.tab],
        )
        for document, sections, drawn in zip(listed, shown, own, strict=True)
    ]
    script = _script() if any(charts) else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment()
        .get_template("document.html")
        .render(
            pages=pages,
            first=listed[0],
            of_all=[plot for plot in of_all if not plot.tab],
            tabs=_tabs(listed, [*of_all, *(plot for drawn in own for plot in drawn)], shown),
            letters=letters,
            exit_code=exit_code,
            chart_data=_safe(_data(charts)),
            chart_style=_safe((STATIC / "uPlot.min.css").read_text("utf-8") if script else ""),
            script=_safe(script),
            policy=POLICY + (f"; script-src 'sha256-{digest}'" if script else ""),
        )
    )


def _sections(document: Document) -> list[DocumentSection]:
    return [section for section in document.sections if section.filled or section.exemplars]


def _tabs(
    listed: Sequence[Document], plots: Sequence[PlacedPlot], shown: Sequence[Sequence[DocumentSection]]
) -> list[Tab]:
    """The tabs as the first document orders them, then as plots and sections name them."""
    found: dict[str, list[PlacedPlot | PlacedSection]] = {}
    named = [*(plot.tab for plot in plots), *(each.tab for sections in shown for each in sections)]
    order = dict.fromkeys(filter(None, named))
    for name in sorted(order, key=[*listed[0].tabs, *order].index):
        found[name] = []
    for plot in plots:
        if plot.tab:
            found[plot.tab].append(plot)
    for document, sections in zip(listed, shown, strict=True):
        heading = document.heading if len(listed) > 1 else ""
        for section in sections:
            if section.tab:
                found[section.tab].append(PlacedSection(section, heading))
    return [Tab(name, parts) for name, parts in found.items()]


def _placed(plots: Sequence[Plot]) -> tuple[Markup, Iterator[PlacedPlot], list[Sequence[Chart]]]:
    """The letters that all plots share, each plot, and the charts that may stand in their place.

    A plot that charts replace is drawn wide alone: only a phone that runs no script sees it small.
    """
    from loadtest.show.plot import style, svg

    charts = [plot.charts() for plot in plots]
    widths = [
        {"wide alone": style.WIDE_IN} if found else {"wide": style.WIDE_IN, "narrow": style.NARROW_IN}
        for found in charts
    ]
    alone = {
        f"{at} {kind}": plot.svg(width)
        for at, (plot, wanted) in enumerate(zip(plots, widths, strict=True))
        for kind, width in wanted.items()
    }
    letters, svgs = svg.inline(alone)
    # Our own SVG: its texts are drawn as paths or escaped.
    placed = [
        PlacedPlot(at, plot.caption, {kind: _safe(svgs[f"{at} {kind}"]) for kind in wanted}, plot.tab)
        for at, (plot, wanted) in enumerate(zip(plots, widths, strict=True))
    ]
    return _safe(letters), iter(placed), charts


def _data(charts: Sequence[Sequence[Chart]]) -> str:
    """The charts as JSON that no text in it can end: neither the element nor a comment."""
    text = json.dumps(charts, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def _script() -> str:
    """The library that draws charts, with its licence, and what makes ours of it."""
    licence = " ".join((STATIC / "uPlot.LICENSE.txt").read_text("utf-8").split())
    library = (STATIC / "uPlot.iife.min.js").read_text("utf-8")
    own = "\n".join((STATIC / name).read_text("utf-8") for name in ("keys.js", "charts.js"))
    return f"/* {licence} */\n{library}\n{own}"


def _safe(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - markup of our own, or escaped above


@functools.cache
def environment(*packages: str) -> Environment:
    """How templates are filled in: those of ``packages``, before ours of the same name."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    from loadtest.show.render.page_style import page_colours

    made = Environment(
        loader=ChoiceLoader([PackageLoader(each, "templates") for each in (*packages, "loadtest.show")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["page_colours"] = page_colours
    return made
