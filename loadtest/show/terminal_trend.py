"""The trend for a terminal of any width."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

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
from loadtest.show.trend import Line, Told, Turning

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HEADS = ("", "", "metric", "newest run", "its level", "foretold (95 %)", "change")
MOST_EXPLORED = 8


def render(
    tolds: Iterable[Told],
    *,
    width: int = 80,
    colour: bool = False,
    ascii_only: bool = False,
    exploratory: bool = False,
) -> str:
    """The screen as text of at most ``width`` columns, the worst trend first, its verdict also last.

    ``exploratory``: with every metric that decides nothing.
    """
    drawing = _drawing(tolds, exploratory=exploratory)
    return rendered(drawing, width=width, colour=colour, ascii_only=ascii_only)


def show(tolds: Iterable[Told], stream: TextIO = sys.stdout, *, exploratory: bool = False) -> None:
    """Print the screen on ``stream``: coloured on a terminal, in plain ASCII where it cannot take more."""
    shown(_drawing(tolds, exploratory=exploratory), stream)


def _drawing(tolds: Iterable[Told], *, exploratory: bool) -> Draw:
    listed = worst_first(tolds)

    def draw(console: Console) -> None:
        print_parts([summary(listed, "trends")], console)
        for told in listed:
            _draw(told, console, exploratory=exploratory)
        print_last_line(listed[0], console, len(listed))

    return draw


def _draw(told: Told, console: Console, *, exploratory: bool) -> None:
    parts = (
        _head(told),
        _table("What decides", told.primary, console.width),
        _turnings("Where what decides changed", told.turnings, named=True),
        _explored(told, console.width, exploratory=exploratory),
        noticed(told.notices),
    )
    print_parts(parts, console)


def _head(told: Told) -> Iterator[RenderableType]:
    from rich.text import Text

    simulated = ("  SIMULATED", "bold red") if told.simulated else ""
    yield Text.assemble(
        (told.scenario, "bold"), f"  {told.of}", (f"  machine {told.machine}", "dim"), simulated
    )
    yield Text("")
    yield Text.assemble((told.word, f"bold {STYLES[told.tone]}"), f"  exit code {told.exit_code}")
    yield indented(told.why, 2)
    if told.accepted:
        yield indented(f"Held against the level of the baseline, {told.accepted}.", 2)


def _table(title: str, lines: Sequence[Line], width: int) -> Iterator[RenderableType]:
    """What decides; on a narrow screen each metric on two lines. Below it why of what is not the same."""
    from rich.text import Text

    if not lines:
        return
    yield Text.assemble((title, "bold"), "  the newest run against what its level foretold")
    names = [(MARKS[each.tone], each.word, each.name) for each in lines]
    numbers = [(each.newest, each.level, each.foretold, each.change) for each in lines]
    head, *rows = aligned(
        [HEADS, *(name + number for name, number in zip(names, numbers, strict=True))], "lllrrrr", 1000
    )
    if max(map(len, (head, *rows))) + 2 <= width:
        yield Text(f"  {head}", style="dim")
        yield from (Text(f"  {row}", style=STYLES[each.tone]) for each, row in zip(lines, rows, strict=True))
    else:
        firsts = aligned(names, "lll", width - 2, give_way=2)
        for each, first, number in zip(lines, firsts, numbers, strict=True):
            yield Text(f"  {first}", style=STYLES[each.tone])
            yield indented(f"{number[0]}, {number[3]}; level {number[1]}, foretold {number[2]}", 6)
    yield from (
        indented(f"{MARKS[each.tone]} {each.name}: {each.why}", 2, STYLES[each.tone])
        for each in lines
        if each.judged and each.word != "same"
    )


def _turnings(title: str, turnings: Sequence[Turning], *, named: bool) -> Iterator[RenderableType]:
    """Each change of level, newest first; ``named``: with the first run after it."""
    from rich.text import Text

    if not turnings:
        return
    yield Text(title, style="bold")
    for each in turnings:
        who = f" ({each.who})" if each.who else ""
        told = (
            f"{MARKS[each.tone]} {each.metric} {each.change} ({each.interval}), {each.word} since {each.date}"
        )
        yield indented(told, 2, STYLES[each.tone])
        if named:
            yield indented(f"first run after it: {each.run}{who}", 4)
        if named and each.with_it:
            yield indented(f"with it changed: {'; '.join(each.with_it)}", 4)


def _explored(told: Told, width: int, *, exploratory: bool) -> Iterator[RenderableType]:
    """Of what does not decide the newest changes; the rest in one line. Nothing where nothing is decided."""
    if not told.exploratory or not (told.decided or exploratory):
        return
    title = "Exploratory, decides nothing"
    if exploratory:
        yield from _table(title, told.exploratory, width)
    most = len(told.explored) if exploratory else MOST_EXPLORED
    yield from _turnings(title, told.explored[:most], named=False)
    if exploratory:
        return
    words = Counter(each.word for each in told.exploratory)
    listed = ", ".join(f"{n} {word}" for word, n in words.items())
    more = len(told.explored) - MOST_EXPLORED
    also = f"; {more} earlier changes" if more > 0 else ""
    yield indented(f"exploratory: {listed}{also} (--exploratory lists them)", 2, "dim")
