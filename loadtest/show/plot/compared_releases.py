"""Which sides of a comparison are drawn, and what stands beside them."""

from __future__ import annotations

from matplotlib.axes import Axes

from loadtest.show.comparison_data import Board, DrawnSide
from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style
from loadtest.show.plot.timeline import WIDE
from loadtest.units import format_count

THIN = 12
"""So many runs of a side are drawn one by one, as thin lines; of more, the newest."""


def shown(board: Board) -> list[tuple[DrawnSide, style.Style]]:
    """The baseline and the newest candidates, as many as can be told apart on one set of axes."""
    newest: dict[style.Style, DrawnSide] = {}
    for side in reversed(board.candidates):
        newest.setdefault(style.release(side.number), side)
    sides = [(side, look) for look, side in reversed(newest.items())]
    return [(board.baseline, style.release(board.baseline.number)), *sides]


def left_out(board: Board) -> str:
    """A sentence about the candidates that are not drawn; empty where all are."""
    missing = len(board.sides) - len(shown(board))
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
    return high > WIDE * max(low, 1e-6)


def note(axes: Axes, text: str) -> None:
    """The name of an axis, in small grey letters below it."""
    axes.set_xlabel(text, color=style.MUTED, fontsize=style.SMALL_PT)
