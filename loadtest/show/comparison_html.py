"""compare.html: every comparison of a call in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loadtest.show.comparison import tell
from loadtest.show.comparison_data import Board, boards
from loadtest.show.comparison_views import Compared
from loadtest.show.headline import worst_first
from loadtest.show.html import environment

if TYPE_CHECKING:
    from loadtest.show.plot.release_pictures import ComparisonPictures

CAPTIONS = {
    "runs": "Each dot is a run. Where the dots of two releases mingle, nobody can tell them apart; where"
    " they lie apart by more than the smallest effect, the table says slower or faster, worse or better.",
    "shift": "Read it from the left: by how much the fast turns differ, then the middle, then the slow tail."
    " A flat line is a shift of everything, a line that rises at the right is a slower tail.",
    "spectra": "Half of the turns were answered within the time at 50 %. Thin lines are single runs: as far"
    " as they spread, releases differ by chance.",
    "ecdf": "The further to the left, the faster. The share of turns that a time limit would let pass can be"
    " read at that time.",
    "timelines": "Where only one side rises, something happened in its runs at that moment; where both do, it"
    " belongs to the scenario.",
    "ledger": "What became of everything that was sent, summed over the runs of a side.",
    "multiples": "Every candidate by itself, all on the same axes.",
}
"""How to read each picture."""


def html(items: Sequence[Compared], exit_code: int) -> str:
    """The page; every text in it is escaped."""
    from markupsafe import Markup

    from loadtest.show.plot import svg
    from loadtest.show.plot.release_pictures import ComparisonPictures

    drawn = [ComparisonPictures(board) for board in boards(items)]
    letters, svgs = svg.inline(_alone(drawn))
    # Our own SVG: its texts are drawn as paths or escaped.
    safe = {key: Markup(body) for key, body in svgs.items()}  # noqa: S704 - as said above
    page = environment().get_template("compare.html")
    tolds = worst_first(tell(each.comparison) for each in items)
    return page.render(
        tolds=tolds,
        verdicts=tolds,
        first=tolds[0],
        boards=[_board(at, each.board, each.names, safe) for at, each in enumerate(drawn)],
        letters=Markup(letters),  # noqa: S704 - outlines of letters
        exit_code=exit_code,
    )


def _alone(drawn: Sequence[ComparisonPictures]) -> dict[str, str]:
    from loadtest.show.plot import style

    return {
        f"{at} {name} {kind}": pictures.svg(name, width)
        for at, pictures in enumerate(drawn)
        for name in pictures.names
        for kind, width in (("wide", style.WIDE_IN), ("narrow", style.NARROW_IN))
    }


def _board(at: int, board: Board, names: Sequence[str], safe: dict[str, Any]) -> dict[str, Any]:
    plots = [
        {
            "caption": CAPTIONS[name],
            "svgs": {kind: safe[f"{at} {name} {kind}"] for kind in ("wide", "narrow")},
        }
        for name in names
    ]
    return {"scenario": board.scenario, "plots": plots}
