"""The pictures of a comparison by name, each for a page or for a phone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import cached_property

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtest.show.comparison import Compared
from loadtest.show.comparison_data import Board, boards
from loadtest.show.document import Chart, Link, Plot, no_link
from loadtest.show.plot import (
    ecdf,
    forest,
    overlay,
    overlay_time,
    shift,
    style,
    svg,
)
from loadtest.show.plot import (
    small_multiples as multiples,
)
from loadtest.show.plot import (
    small_multiples_ledger as multiples_ledger,
)
from loadtest.show.release_charts import board_charts

DRAWERS: dict[str, tuple[str, Callable[[Board, float], Figure]]] = {
    "forest": (forest.TITLE, forest.draw),
    "runs": (multiples.TITLE, multiples.draw),
    "shift": (shift.TITLE, shift.draw),
    "spectra": (overlay.TITLE, overlay.draw),
    "ecdf": (ecdf.TITLE, ecdf.draw),
    "timelines": (overlay_time.TITLE, overlay_time.draw),
    "ledger": (multiples_ledger.TITLE, multiples_ledger.draw),
    "multiples": (multiples.SPECTRA, multiples.draw_spectra),
}
"""In the order in which they answer questions."""

DISTRIBUTIONS = "Distributions"
TABS = {
    "forest": "",
    "runs": "Runs",
    "shift": DISTRIBUTIONS,
    "spectra": DISTRIBUTIONS,
    "ecdf": DISTRIBUTIONS,
    "timelines": "Over time",
    "ledger": "Counts",
    "multiples": DISTRIBUTIONS,
}
"""Under which tab of the page each stands; the first is in sight from the beginning."""

CAPTIONS = {
    "forest": (
        "Marks left of the middle are lower than the baseline, marks right of it are higher. A difference"
        " matters if its whole bar is outside the shaded band."
    ),
    "runs": (
        "Each dot is a run. If the dots of two releases overlap, the releases cannot be told apart. If the"
        " dots are further apart than the smallest effect, the table says slower or faster, worse or better."
    ),
    "shift": (
        "Read from the left: the difference of the fast turns, of the middle, and of the slow tail. A flat"
        " line shows that all turns shifted; a line that rises at the right shows a slower tail."
    ),
    "spectra": (
        "Half of the turns were answered within the time at 50 %. Thin lines are single runs: their spread"
        " shows how much releases differ by chance."
    ),
    "ecdf": (
        "A line further to the left is faster. At each time the line shows the share of turns that are at"
        " most that slow."
    ),
    "timelines": (
        "If only one side rises, something happened in its runs at that time. If both sides rise, the"
        " scenario is the reason."
    ),
    "ledger": "The outcomes of all turns and events, summed over the runs of a side.",
    "multiples": "Each candidate in its own picture, all with the same axes.",
}
"""How to read each picture."""


def plots(items: Sequence[Compared], link: Link = no_link) -> tuple[Plot, ...]:
    """The pictures of all comparisons, scenario by scenario; ``link`` leads to the report of a run."""
    drawn = [ComparisonPictures(board, link) for board in boards(items)]
    return tuple(pictures.plot(name) for pictures in drawn for name in pictures.names)


class ComparisonPictures:
    """The pictures of one board."""

    def __init__(self, board: Board, link: Link = no_link) -> None:
        self.board = board
        self._link = link

    @cached_property
    def _charts(self) -> dict[str, list[Chart]]:
        return board_charts(self.board, self._link)

    def plot(self, name: str) -> Plot:
        """A picture, how to read it, and the charts that may replace it."""
        return Plot(
            CAPTIONS[name],
            functools.partial(self.svg, name),
            functools.partial(self.png, name),
            lambda: self._charts.get(name, []),
            TABS[name],
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Those that say something: small multiples only of several candidates."""
        several = len(self.board.candidates) > 1
        return tuple(name for name in DRAWERS if name != "multiples" or several)

    def figure(self, name: str, width_in: float = style.WIDE_IN) -> Figure:
        """A picture by its name, ``width_in`` inches wide; its height follows from what is on it."""
        with mpl.rc_context(style.SETTINGS):
            return DRAWERS[name][1](self.board, width_in)

    def svg(self, name: str, width_in: float = style.WIDE_IN) -> str:
        """As an SVG file that can stand alone."""
        with mpl.rc_context(style.SETTINGS):
            return svg.alone(DRAWERS[name][1](self.board, width_in), self.about(name))

    def png(self, name: str, width_in: float = style.WIDE_IN) -> bytes:
        """As a PNG of twice the resolution of a plain screen."""
        with mpl.rc_context(style.SETTINGS):
            return svg.png(DRAWERS[name][1](self.board, width_in))

    def about(self, name: str) -> str:
        """What a picture shows, for those who do not see it."""
        board = self.board
        others = ", ".join(side.name for side in board.candidates)
        simulated = ", SIMULATED" if board.simulated else ""
        return f"{DRAWERS[name][0]}: {board.scenario}, {board.baseline.name} against {others}{simulated}"
