"""HTML: one file that needs nothing else, readable on a phone and on a wide screen, light or dark."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from loadtest.show.document import Document, Plot, worst_first

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def html(documents: Iterable[Document], exit_code: int, *, plots: Sequence[Plot] = ()) -> str:
    """One page of all documents, the worst first, ``plots`` of all of them at its end.

    Every text in it is escaped.
    """
    listed = worst_first(documents)
    every = [plot for document in listed for plot in document.plots] + list(plots)
    letters, drawn = inline_plots({str(at): plot for at, plot in enumerate(every)})
    rest = iter(drawn.values())
    return (
        environment()
        .get_template("document.html")
        .render(
            documents=[(each, [next(rest) for _ in each.plots]) for each in listed],
            first=listed[0],
            plots=list(rest),
            letters=letters,
            exit_code=exit_code,
        )
    )


def inline_plots(plots: Mapping[str, Plot]) -> tuple[Markup, dict[str, dict[str, object]]]:
    """The letters that all plots share, and each of them for a wide and for a narrow page."""
    from markupsafe import Markup

    from loadtest.show.plot import style, svg

    widths = {"wide": style.WIDE_IN, "narrow": style.NARROW_IN}
    alone = {
        f"{name} {kind}": plot.svg(width) for name, plot in plots.items() for kind, width in widths.items()
    }
    letters, svgs = svg.inline(alone)
    # Our own SVG: its texts are drawn as paths or escaped.
    safe = {key: Markup(body) for key, body in svgs.items()}  # noqa: S704 - as said above
    shown: dict[str, dict[str, object]] = {
        name: {"caption": plot.caption, "svgs": {kind: safe[f"{name} {kind}"] for kind in widths}}
        for name, plot in plots.items()
    }
    return Markup(letters), shown  # noqa: S704 - outlines of letters


@functools.cache
def environment() -> Environment:
    """Where templates are found, and how they are filled in."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("loadtest.show", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
