"""The comparison for a terminal of any width."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from loadtest.show.comparison import NOTHING, Line, Told
from loadtest.show.headline import worst_first
from loadtest.show.terminal_headline import print_last_line, summary
from loadtest.show.terminal_screen import (
    MARKS,
    STYLES,
    Draw,
    aligned,
    indented,
    noticed,
    print_parts,
    rendered,
    shown,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HEADS = ("", "", "metric", "baseline", "candidate", "change", "95 % interval")
MOST_DIFFERING = 12


def render(
    tolds: Iterable[Told],
    *,
    width: int = 80,
    colour: bool = False,
    ascii_only: bool = False,
    where: str = "",
    exploratory: bool = False,
) -> str:
    """The screen as text of at most ``width`` columns, the worst comparison first, its verdict also last.

    ``exploratory``: with every metric that decides nothing.
    """
    drawing = _drawing(tolds, where, exploratory=exploratory)
    return rendered(drawing, width=width, colour=colour, ascii_only=ascii_only)


def show(
    tolds: Iterable[Told], stream: TextIO = sys.stdout, *, where: str = "", exploratory: bool = False
) -> None:
    """Print the screen on ``stream``: coloured on a terminal, in plain ASCII where it cannot take more."""
    shown(_drawing(tolds, where, exploratory=exploratory), stream)


def _drawing(tolds: Iterable[Told], where: str, *, exploratory: bool) -> Draw:
    listed = worst_first(tolds)

    def drawing(console: Console) -> None:
        print_parts([summary(listed, "comparisons")], console)
        for told in listed:
            draw(told, console, exploratory=exploratory)
        if where:
            console.print(f"  Report  {where}\n", soft_wrap=True)
        print_last_line(listed[0], console, len(listed))

    return drawing


def draw(told: Told, console: Console, *, exploratory: bool = False) -> None:
    """Print one comparison on a rich console, part by part with an empty line between them."""
    parts = (
        _head(told),
        _table("What decides", told.over, told.primary, console.width),
        _reasons([each for each in told.primary if not told.undecided or each.visible != NOTHING]),
        _found(told, console.width, exploratory=exploratory),
        _differing(told),
        noticed(told.notices),
    )
    print_parts(parts, console)


def _head(told: Told) -> Iterator[RenderableType]:
    from rich.text import Text

    simulated = ("  SIMULATED", "bold red") if told.simulated else ""
    yield Text.assemble((told.scenario, "bold"), f"  {told.baseline} → {told.candidate}", simulated)
    yield Text("")
    yield Text.assemble((told.word, f"bold {STYLES[told.tone]}"), f"  exit code {told.exit_code}")
    yield indented(told.undecided or told.why, 2)


def _table(title: str, over: str, lines: Sequence[Line], width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    if not lines:
        return
    yield Text.assemble((title, "bold"), f"  means of runs; change and interval over {over}")
    names = [(MARKS[each.tone], each.word, each.name) for each in lines]
    numbers = [(each.baseline, each.candidate, each.change, each.interval) for each in lines]
    head, *rows = aligned(
        [HEADS, *(name + number for name, number in zip(names, numbers, strict=True))], "lllrrrr", 1000
    )
    if max(map(len, (head, *rows))) + 2 <= width:
        yield Text(f"  {head}", style="dim")
        yield from (Text(f"  {row}", style=STYLES[each.tone]) for each, row in zip(lines, rows, strict=True))
        return
    firsts = aligned(names, "lll", width - 2, give_way=2)
    head, *seconds = aligned([HEADS[3:], *numbers], "rrrr", 1000)
    yield Text(f"      {head}", style="dim")
    for each, first, second in zip(lines, firsts, seconds, strict=True):
        yield from (Text(f"  {first}", style=STYLES[each.tone]), Text(f"      {second}"))


def _reasons(lines: Sequence[Line]) -> Iterator[RenderableType]:
    """Why of what decides one cannot tell, and what it would take."""
    for each in lines:
        if each.word == "cannot tell":
            seen = f"; as many as there are would show {each.visible}" if each.visible != NOTHING else ""
            yield indented(f"? {each.name}: {each.why}{seen}", 2, STYLES["doubt"])


def _found(told: Told, width: int, *, exploratory: bool) -> Iterator[RenderableType]:
    """Of what does not decide only what differs, and the rest in one line; nothing where nothing can."""
    lines = told.exploratory
    if not lines or (told.undecided and not exploratory):
        return
    title = "Exploratory, decides nothing"
    if exploratory:
        yield from _table(title, told.over, lines, width)
        return
    differing = [each for each in lines if each.word not in {"same", "cannot tell"}]
    yield from _table(title, told.over, differing, width)
    rest = Counter(each.word for each in lines if each not in differing)
    others = ", ".join(f"{n} {word}" for word, n in rest.items())
    if others:
        yield indented(
            f"{'and' if differing else 'exploratory:'} {others} (--exploratory lists them)", 2, "dim"
        )


def _differing(told: Told) -> Iterator[RenderableType]:
    from rich.text import Text

    if not told.differing:
        return
    yield Text("What differs beside the numbers", style="bold")
    for name, one, other in told.differing[:MOST_DIFFERING]:
        yield indented(f"{name}: {one} → {other}", 2)
    more = len(told.differing) - MOST_DIFFERING
    if more > 0:
        yield indented(f"and {more} more (--format json lists them)", 2, "dim")
