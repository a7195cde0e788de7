"""Messages of one connection as a table for a terminal: when, which way, taken for what, and the message.

rich is imported when something is printed, so that start-up stays lean.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from loadtest.show.document import Tone
from loadtest.show.render.terminal import STYLES, print_parts, rendered, screen_of
from loadtest.show.sanitize import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LONGEST_TEXT = 2_000
"""Characters of a message that a screen shows, where it is that wide."""

NARROWEST_TEXT = 24
"""The message gives way to the other columns down to this."""

WIDEST_RULE = 36

GAP = 2
"""Columns between two columns."""

TIME, TAKEN = "time", "taken for"

PIPED_WIDTH = 200
"""Columns where there is no terminal: a file has room."""

BAD = frozenset({"failed", "refused", "malformed", "foreign"})
DOUBTFUL = frozenset(
    {"unmatched", "late", "duplicate", "before ready", "of no template", "message before ready"}
)
GOOD = frozenset({"end"})


class FrameLine(NamedTuple):
    """One line of the table. ``at`` is the time in words, ``way`` "→" from us and "←" to us."""

    at: str
    way: str
    taken: str
    rule: str
    text: str
    tone: Tone


class Note(NamedTuple):
    """A line below the table: a word, and what it says."""

    topic: str
    sentence: str
    tone: Tone = "plain"


def tone_of(taken: Sequence[str]) -> Tone:
    """How what a message was taken for is coloured."""
    words = {word.partition(" by ")[0] for word in taken}
    if words & BAD:
        return "bad"
    if words & DOUBTFUL:
        return "doubt"
    return "good" if words & GOOD else "plain"


def show_frames(
    heading: str,
    lines: Sequence[FrameLine],
    parts: Iterable[Sequence[Note]],
    stream: TextIO | None = None,
) -> None:
    """Print a table of messages, and what is to be said of them, in parts."""
    stream = stream or sys.stdout
    screen = screen_of(stream)
    if not stream.isatty():
        screen["width"] = PIPED_WIDTH
    stream.write(render_frames(heading, lines, parts, **screen))


def render_frames(
    heading: str,
    lines: Sequence[FrameLine],
    parts: Iterable[Sequence[Note]],
    *,
    width: int = 80,
    colour: bool = False,
    ascii_only: bool = False,
) -> str:
    """The same as text of at most ``width`` columns."""

    def draw(console: Console) -> None:
        drawn = [_heading(heading), _table(lines, console.width), *map(_notes, parts)]
        print_parts(drawn, console)

    return rendered(draw, width=width, colour=colour, ascii_only=ascii_only)


def _heading(heading: str) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(printable(heading), style="bold")


def _table(lines: Sequence[FrameLine], width: int) -> Iterator[RenderableType]:
    """Columns as wide as what stands in them, the message in what is left; rules where there is room."""
    from rich.text import Text

    if not lines:
        return
    ats = max(*(len(line.at) for line in lines), len(TIME))
    takens = max(*(len(line.taken) for line in lines), len(TAKEN))
    rules = min(max(len(line.rule) for line in lines), WIDEST_RULE)
    left = width - ats - takens - 1 - 3 * GAP
    rules = rules if left - rules - GAP >= 2 * NARROWEST_TEXT else 0
    left = max(left - rules - (GAP if rules else 0), NARROWEST_TEXT)
    heads = [_sized(TIME, ats, right=True), " ", _sized(TAKEN, takens)]
    heads += [_sized("by rule", rules)] if rules else []
    yield Text((" " * GAP).join([*heads, "message"]), style="dim")
    for line in lines:
        cells = [(_sized(line.at, ats, right=True), "dim"), (line.way, "")]
        cells.append((_sized(line.taken, takens), STYLES[line.tone]))
        cells += [(_sized(printable(line.rule), rules), "dim")] if rules else []
        cells.append((_sized(printable(line.text, LONGEST_TEXT), left).rstrip(), ""))
        yield Text(" " * GAP).join(Text(text, style=style) for text, style in cells)


def _sized(text: str, width: int, *, right: bool = False) -> str:
    """A text in exactly so many columns; an ellipsis where it was cut."""
    from rich.cells import cell_len, set_cell_size

    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - size) + text if right else text + " " * (width - size)


def _notes(notes: Sequence[Note]) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    for note in notes:
        if note.topic:
            yield Text.assemble((note.topic, f"bold {STYLES[note.tone]}".strip()))
        if note.sentence:
            yield from (
                Padding(Text(printable(line, LONGEST_TEXT)), (0, 0, 0, 2))
                for line in note.sentence.split("\n")
            )
