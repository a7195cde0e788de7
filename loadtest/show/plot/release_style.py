"""How the sides of a comparison are told apart: by colour, by dash and by marker, so also in grey."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes

from loadtest.show.comparison_data import Board, DrawnSide
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style
from loadtest.show.plot.spectrum import LINEAR_UP_TO
from loadtest.units import format_count


class Look(NamedTuple):
    """Of one side. ``hatch`` fills its bars."""

    colour: str
    dash: str | tuple[float, tuple[float, ...]]
    marker: str
    hatch: str


LOOKS = (
    Look(style.INK, "-", "o", ""),
    Look(style.BLUE, (0, (5, 2)), "s", "///"),
    Look(style.VERMILLION, (0, (1.2, 1.2)), "^", "..."),
    Look(style.GREEN, (0, (6, 1.5, 1.5, 1.5)), "D", "xxx"),
    Look(style.PURPLE, (0, (3, 1)), "v", "---"),
    Look(style.ORANGE, (0, (1, 2.5)), "P", "+++"),
)
"""The baseline first; more sides than these are not told apart on one set of axes."""

THIN = 12
"""So many runs of a side are drawn one by one, as thin lines; of more, the newest."""


def shown(board: Board) -> list[tuple[DrawnSide, Look]]:
    """The baseline and the newest candidates, as many as can be told apart."""
    most = len(LOOKS) - 1
    return list(zip((board.baseline, *board.candidates[-most:]), LOOKS, strict=False))


def left_out(board: Board) -> str:
    """A sentence about the candidates that are not drawn; empty where all are."""
    missing = len(board.candidates) - (len(LOOKS) - 1)
    if missing < 1:
        return ""
    many = f"{missing} earlier candidates are" if missing > 1 else "1 earlier candidate is"
    return f"{many} not drawn here; see the small multiples."


def heading(title: str, board: Board) -> layout.Heading:
    """What stands above a picture: the scenario, and who is held against whom."""
    others = ", ".join(side.name for side in board.candidates)
    return layout.Heading(title, board.scenario, "", f"{board.baseline.name} → {others}", board.simulated)


def runs_of(side: DrawnSide) -> str:
    """Name and number of runs."""
    n = len(side.runs)
    return f"{side.name} ({format_count(n)} {'run' if n == 1 else 'runs'}"


def is_wide(low: float, high: float) -> bool:
    """Whether values lie so far apart that a logarithmic axis shows them better."""
    return high > LINEAR_UP_TO * max(low, 1e-6)


def note(axes: Axes, text: str) -> None:
    """The name of an axis, in small grey letters below it."""
    axes.set_xlabel(text, color=style.MUTED, fontsize=style.SMALL_PT)
