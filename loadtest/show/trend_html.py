"""trend.html: every trend of a call in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.trend import Trend
from loadtest.show.headline import worst_first
from loadtest.show.html import environment
from loadtest.show.trend import MEANING, tell

CAPTION = (
    "A dot is a run, in the order in which they were made. A line is the mean of a level, the band around it"
    " is where 95 of 100 further runs lie if nothing changes. A letter marks a change of level; below stands"
    " the first run after it. Filled: the newest run."
)


def html(trends: Sequence[Trend], exit_code: int) -> str:
    """The page; every text in it is escaped."""
    from markupsafe import Markup

    from loadtest.show.plot import style, svg
    from loadtest.show.plot.trend import TrendPicture

    widths = {"wide": style.WIDE_IN, "narrow": style.NARROW_IN}
    drawn = {at: TrendPicture(each) for at, each in enumerate(trends) if each.history.runs}
    letters, svgs = svg.inline(
        {f"{at} {kind}": each.svg(width) for at, each in drawn.items() for kind, width in widths.items()}
    )
    # Our own SVG: its texts are drawn as paths or escaped.
    safe = {key: Markup(body) for key, body in svgs.items()}  # noqa: S704 - as said above
    tolds = [tell(each) for each in trends]
    listed = worst_first(tolds)
    plots = [
        {"caption": CAPTION, "svgs": {kind: safe[f"{at} {kind}"] for kind in widths}} if at in drawn else None
        for at in range(len(trends))
    ]
    return (
        environment()
        .get_template("trend.html")
        .render(
            items=sorted(zip(tolds, plots, strict=True), key=lambda item: listed.index(item[0])),
            verdicts=listed,
            first=listed[0],
            letters=Markup(letters),  # noqa: S704 - outlines of letters
            exit_code=exit_code,
            meaning=MEANING,
        )
    )
