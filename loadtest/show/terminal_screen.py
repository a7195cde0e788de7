"""What screens share: rendering at any width, with colour or in plain ASCII, indented sentences, notices."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypedDict

from loadtest.show.report import Tone

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Draw = Callable[["Console"], None]

NARROWEST = 60
"""Below this width nothing is left out any more; lines wrap instead."""

STYLES: dict[Tone, str] = {"good": "green", "bad": "red", "doubt": "yellow", "plain": ""}
MARKS: dict[Tone, str] = {"good": "✓", "bad": "✗", "doubt": "?", "plain": " "}

ASCII = str.maketrans("µ–·✓✗…→≤×−", "u-|+x~><x-")
"""One character for one, so that columns stay aligned where the encoding is not UTF-8."""


class Look(TypedDict):
    """How wide and how colourful a stream takes a screen."""

    width: int
    colour: bool
    ascii_only: bool


def rendered(draw: Draw, *, width: int = 80, colour: bool = False, ascii_only: bool = False) -> str:
    """What ``draw`` prints as text of at most ``width`` columns; with ``colour`` it carries ANSI styles."""
    from rich.console import Console

    made = io.StringIO()
    console = Console(
        file=made,
        width=max(width, NARROWEST),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    draw(console)
    text = "\n".join(row.rstrip() for row in made.getvalue().rstrip().splitlines()) + "\n"
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text


def shown(draw: Draw, stream: TextIO) -> None:
    """Print it on ``stream``: coloured on a terminal, in plain ASCII where it cannot take more."""
    stream.write(rendered(draw, **look_of(stream)))


def look_of(stream: TextIO) -> Look:
    """What ``stream`` takes."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    return Look(
        width=console.width,
        colour=console.is_terminal and not console.no_color,
        ascii_only=not takes_unicode(stream),
    )


def takes_unicode(stream: TextIO) -> bool:
    """Whether a stream's encoding has every character."""
    return (getattr(stream, "encoding", None) or "ascii").lower().startswith("utf")


def print_parts(parts: Iterable[Iterable[RenderableType]], console: Console) -> None:
    """Print each part that is not empty, with an empty line after it."""
    for part in parts:
        lines = list(part)
        if lines:
            console.print(*lines, sep="\n")
            console.print()


def indented(sentence: str, by: int, style: str = "") -> RenderableType:
    """A sentence that wraps within its indent."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(sentence, style=style), (0, 0, 0, by))


def noticed(notices: Sequence[tuple[str, str, str]]) -> Iterator[RenderableType]:
    """Notices: code, message, remedy; nothing without any."""
    from rich.text import Text

    if not notices:
        return
    yield Text("Notices", style="bold")
    for code, message, remedy in notices:
        yield indented(f"! {code}", 2)
        yield indented(message, 4)
        yield indented(f"→ {remedy}", 4, "dim")


def aligned(
    table: Sequence[Sequence[str]], align: str, width: int, *, give_way: int | None = None, gap: int = 2
) -> list[str]:
    """Rows as lines of aligned columns (``align``: "l" or "r" per column).

    Where they are wider than ``width``, the column ``give_way`` is cut to what is left, at least 12.
    """
    from rich.cells import cell_len, set_cell_size

    widths = [max((cell_len(cell) for cell in column), default=0) for column in zip(*table, strict=True)]
    over = sum(widths) + gap * (len(widths) - 1) - width
    if give_way is not None and over > 0:
        widths[give_way] = max(12, widths[give_way] - over)
    lines = []
    for row in table:
        cells = []
        for cell, room, side in zip(row, widths, align, strict=True):
            shown = cell if cell_len(cell) <= room else set_cell_size(cell, room - 1) + "…"
            blank = " " * (room - cell_len(shown))
            cells.append(shown + blank if side == "l" else blank + shown)
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def fitting(table: Sequence[Sequence[str]], stream: TextIO) -> list[str]:
    """Rows as lines of columns, those that are empty everywhere left out; on a terminal cut to its width."""
    from rich.cells import cell_len, set_cell_size

    columns = [column for column in zip(*table, strict=True) if any(column)]
    lines = aligned(list(zip(*columns, strict=True)), "l" * len(columns), 10_000)
    look = look_of(stream)
    if look["ascii_only"]:
        lines = [line.translate(ASCII).encode("ascii", "replace").decode() for line in lines]
    if not stream.isatty():
        return lines
    width = look["width"]
    return [line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…" for line in lines]
