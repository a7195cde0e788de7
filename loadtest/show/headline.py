"""One verdict over several comparisons or trends: the worst first, and the line that a screen ends with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from loadtest.errors import WORST_FIRST, Exit
from loadtest.show.report import Tone
from loadtest.show.terminal_screen import MARKS, STYLES, indented

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

TONES_WORST_FIRST: tuple[Tone, ...] = ("bad", "doubt", "plain", "good")


class Verdict(Protocol):
    """What a view says of one of several things: what it is about, a word in capitals, a sentence."""

    @property
    def subject(self) -> str:
        """What the verdict is about."""

    @property
    def word(self) -> str:
        """The outcome in capitals."""

    @property
    def tone(self) -> Tone:
        """How it is coloured."""

    @property
    def exit_code(self) -> int:
        """Its exit code."""

    @property
    def why(self) -> str:
        """One sentence."""


V = TypeVar("V", bound=Verdict)


def worst_first(verdicts: Iterable[V]) -> list[V]:
    """Sorted so that the first has the exit code of all; equals stay in their order."""
    return sorted(
        verdicts,
        key=lambda each: (WORST_FIRST.index(Exit(each.exit_code)), TONES_WORST_FIRST.index(each.tone)),
    )


def of_all(sorted_verdicts: Sequence[Verdict], exit_code: int, what: str) -> dict[str, Any]:
    """The verdict of the whole for machines; ``what`` names one of them: "comparison", "trend"."""
    first = sorted_verdicts[0]
    reason = first.why if len(sorted_verdicts) == 1 else f"{first.subject}: {first.why}"
    return {"outcome": first.word.lower(), "exit_code": exit_code, "reason": reason, what: first.subject}


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
