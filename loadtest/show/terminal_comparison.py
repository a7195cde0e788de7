"""The comparison for a terminal of any width."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from loadtest.show.comparison import Line, Told
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
    tolds: Sequence[Told], *, width: int = 80, colour: bool = False, ascii_only: bool = False, where: str = ""
) -> str:
    """The screen as text of at most ``width`` columns, one comparison after the other."""
    return rendered(_drawing(tolds, where), width=width, colour=colour, ascii_only=ascii_only)


def show(tolds: Sequence[Told], stream: TextIO = sys.stdout, *, where: str = "") -> None:
    """Print the screen on ``stream``: coloured on a terminal, in plain ASCII where it cannot take more."""
    shown(_drawing(tolds, where), stream)


def _drawing(tolds: Sequence[Told], where: str) -> Draw:
    def drawing(console: Console) -> None:
        for told in tolds:
            draw(told, console)
        if where:
            console.print(f"  Report  {where}\n", soft_wrap=True)

    return drawing


def draw(told: Told, console: Console) -> None:
    """Print one comparison on a rich console, part by part with an empty line between them."""
    parts = (
        _head(told),
        _table("What decides", told.over, told.primary, console.width),
        _reasons(told.primary),
        _found(told, console.width),
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
    yield indented(told.why, 2)


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
            seen = f"; as many as there are would show {each.visible}" if each.visible != "–" else ""
            yield indented(f"? {each.name}: {each.why}{seen}", 2, STYLES["doubt"])


def _found(told: Told, width: int) -> Iterator[RenderableType]:
    """Of what does not decide only what differs; the rest in one line."""
    lines = told.exploratory
    if not lines:
        return
    differing = [each for each in lines if each.word in {"slower", "faster"}]
    yield from _table("Exploratory, decides nothing", told.over, differing, width)
    rest = Counter(each.word for each in lines if each not in differing)
    others = ", ".join(f"{n} {word}" for word, n in rest.items())
    yield indented(
        f"{'and' if differing else 'exploratory:'} {others} (--format markdown lists them)", 2, "dim"
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
