"""What the target says in answers: the words of its errors, and whether good answers sound like errors."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.drive.observations import Observations
from loadtest.plan.protocol import Events
from loadtest.speak.capture_draft import sounds_wrong
from loadtest.speak.compiled_protocol import CompiledProtocol
from loadtest.speak.error_text import error_text
from loadtest.speak.turn import COMPLETE, Turn


def note_error(
    turn: Turn, protocol: CompiledProtocol, seen: Observations, public: Callable[[str], str]
) -> None:
    """Keep the words of the event by which a turn has failed, where evidence is kept."""
    if words := error_text(protocol.object_in(turn.last_frame)):
        seen.add_reason("error_answers", public(words))


def note_answer(turn: Turn, events: Events, seen: Observations, public: Callable[[str], str]) -> None:
    """Note whether an answer sounds like an error, where its number alone completes a turn."""
    if turn.outcome is COMPLETE:
        counts_only = events.count is not None and not events.end
        seen.saw_answer(public(sounds_wrong(turn.last_frame)) if counts_only else "")
