"""One verdict over several comparisons or trends: the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from loadtest.errors import WORST_FIRST, Exit
from loadtest.show.report import Tone

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
