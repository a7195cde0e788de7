"""The pictures of a comparison by name, each for a page or for a phone."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtest.show.comparison_data import Board
from loadtest.show.plot import (
    ecdf,
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

DRAWERS: dict[str, tuple[str, Callable[[Board, float], Figure]]] = {
    "runs": (multiples.TITLE, multiples.draw),
    "shift": (shift.TITLE, shift.draw),
    "spectra": (overlay.TITLE, overlay.draw),
    "ecdf": (ecdf.TITLE, ecdf.draw),
    "timelines": (overlay_time.TITLE, overlay_time.draw),
    "ledger": (multiples_ledger.TITLE, multiples_ledger.draw),
    "multiples": (multiples.SPECTRA, multiples.draw_spectra),
}
"""In the order in which they answer questions."""


class ComparisonPictures:
    """The pictures of one board."""

    def __init__(self, board: Board) -> None:
        self.board = board

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
