"""The verdict of a screen: on top the worst of several, and in the last line once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loadtest.show.headline import Verdict
from loadtest.show.terminal_screen import MARKS, STYLES, indented

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def summary(sorted_verdicts: Sequence[Verdict], what: str) -> Iterator[RenderableType]:
    """The worst of several as one verdict, and below it a line for each; nothing for a single one."""
    from rich.text import Text

    if len(sorted_verdicts) < 2:
        return
    first = sorted_verdicts[0]
    yield Text.assemble(
        (first.word, f"bold {STYLES[first.tone]}"),
        f"  exit code {first.exit_code}, the worst of {len(sorted_verdicts)} {what}",
    )
    for each in sorted_verdicts:
        yield indented(f"{MARKS[each.tone]} {each.word}  {each.subject}", 2, STYLES[each.tone])


def print_last_line(worst: Verdict, console: Console, of: int = 1) -> None:
    """The verdict once more, for whom it has scrolled away: in one line, cut where the screen ends."""
    from rich.text import Text

    about = f"{worst.subject}: " if of > 1 else ""
    told = Text.assemble(
        (worst.word, f"bold {STYLES[worst.tone]}"), f", exit code {worst.exit_code}: {about}{worst.why}"
    )
    console.print(told, no_wrap=True, overflow="ellipsis")
