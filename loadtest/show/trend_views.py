"""All views of trends by the name of a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loadtest.judge.trend import Trend
from loadtest.show.terminal_trend import render
from loadtest.show.trend import tell
from loadtest.show.trend_texts import as_json, markdown, otava


def made(trends: Sequence[Trend], form: str, exit_code: int, *, exploratory: bool = False) -> str | bytes:
    """The trends in one format, text ending with a newline; "svg" and "png" are of the first.

    ``exploratory``: terminal and Markdown list the metrics that decide nothing, too.
    """
    forms: dict[str, Callable[[], str | bytes]] = {
        "terminal": lambda: render(map(tell, trends), width=100, exploratory=exploratory),
        "markdown": lambda: markdown(map(tell, trends), exploratory=exploratory),
        "json": lambda: as_json(trends, exit_code),
        "otava": lambda: otava(trends),
        "html": lambda: _html(trends, exit_code),
        "svg": lambda: _picture(trends[0], "svg"),
        "png": lambda: _picture(trends[0], "png"),
    }
    return forms[form]()


def _picture(of: Trend, form: str) -> str | bytes:
    from loadtest.show.plot.trend import TrendPicture

    picture = TrendPicture(of)
    return picture.svg() if form == "svg" else picture.png()


def _html(trends: Sequence[Trend], exit_code: int) -> str:
    from loadtest.show.trend_html import html

    return html(trends, exit_code)
