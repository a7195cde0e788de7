"""What the answers to turns' HTTP requests mean for the turns."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.drive.context import Context
from loadtest.drive.http_client import HttpNotSent, HttpRequestFailed, HttpTimedOut
from loadtest.speak.session import Session
from loadtest.speak.turn import NEVER, Outcome, Turn


def settle_answer(  # noqa: PLR0917 - there is one caller
    context: Context,
    session: Session,
    turn: Turn,
    refused: HttpRequestFailed | None,
    status: int,
    public: Callable[[str], str],
) -> None:
    """A turn's request has its answer; one that is no success fails the turn, unless that is over.

    ``public`` takes the secrets of the connection out of a text.
    """
    if refused is None:
        context.recorder.metrics.count("http.answered")
        return
    unsent = isinstance(refused, HttpNotSent)
    if unsent:
        context.recorder.metrics.count("http.unsent")
    else:
        context.recorder.metrics.count("http.refused")
    overdue = isinstance(refused, HttpTimedOut) and turn.sent_ns != NEVER
    complete = turn.outcome is Outcome.COMPLETE and not unsent and not overdue
    if complete:
        turn.metrics.count("turns.request_refused")
    # What was sent and is overdue times out as any turn does.
    if (turn.outcome is not None and not complete) or overdue:
        return
    words = public(f"http: {refused.reason}")
    context.recorder.evidence("http", words.encode("utf-8", "surrogateescape"), session.user)
    if unsent:
        session.not_sendable(turn, context.now(), "http_unsent")
        return
    context.observations.add_reason("error_answers", words)
    session.not_sendable(turn, context.now(), f"http {status}" if status else "http")
