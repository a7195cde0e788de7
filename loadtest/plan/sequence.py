"""One connection and one turn of a protocol drawn as a sequence, a message a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loadtest.plan.match import Match, match_words
from loadtest.plan.prepare import PrepareStep
from loadtest.plan.printable_text import visible
from loadtest.plan.protocol import AutoReply, CountAt, Events, Protocol, ReadyStep, TurnShape
from loadtest.plan.settings import public_url
from loadtest.plan.written_secrets import shown_template
from loadtest.units import format_duration

OUT, IN = "us → target", "us ← target"
"""Which way a message goes."""

LONGEST = 100
"""Characters of a message that a line shows."""

_BETWEEN = " " * len(OUT)


def turn_sequence(
    protocol: Protocol, message: str, path: str = "", prepare: Iterable[PrepareStep] = ()
) -> Iterator[str]:
    """The lines, from what is done before the upgrade to the end of a turn.

    ``message`` is an example of what opens the turn. ``path`` stands in the place of the protocol's.
    """
    connect, events, turn = protocol.connect, protocol.events, protocol.turn
    for asked in prepare:
        yield from _request(asked)
    yield _line(OUT, f"GET {public_url(path or connect.path)}, an upgrade to WebSocket")
    yield _line(IN, "101")
    for step in connect.ready:
        yield _step(step)
    yield _line(OUT, message, "the turn begins")
    yield from _streams(turn)
    first = _or(events.first) if events.first else "any event of the turn"
    yield _line(IN, first, "first content")
    if events.audio:
        yield _line(IN, _or(events.audio), "first audio")
    yield from _interruption(turn)
    shown = (*events.first, *events.end, *events.end_all)
    needed = [match_words(each) for each in events.required if each not in shown]
    if needed:
        yield _line(IN, " and ".join(needed), "must have come")
    yield from _ends(events)
    for beat in (*connect.answered, *events.answer):
        yield from _at_any_time(beat)
    for timed in connect.timed:
        yield _line(OUT, shown_template(timed.send), f"every {timed.every}")
        if timed.answer is not None:
            yield _line(IN, match_words(timed.answer), f"within {format_duration(timed.within_ns)}")
    if connect.leave is not None:
        yield _line(OUT, shown_template(connect.leave.send), "before the close")
        if connect.leave.wait is not None:
            yield _line(IN, match_words(connect.leave.wait), "then the close")


def _request(step: PrepareStep) -> Iterator[str]:
    """A request by HTTP before the upgrade, and its answer."""
    yield _line(OUT, f"{step.method} {shown_template(public_url(step.url))}", f"{step.name}, by HTTP")
    kept = ", ".join(f"{{{name}}}" for name in step.kept_names)
    status = " or ".join(map(str, step.expect)) or "200 to 299"
    yield _line(IN, status, f"gives {kept}" if kept else "")


def _step(step: ReadyStep) -> str:
    if step.wait is not None:
        return _line(IN, match_words(step.wait), f"within {format_duration(step.within_ns)}")
    if step.pause_ns is not None:
        return _line(_BETWEEN, f"a pause of {format_duration(step.pause_ns)}")
    return _line(OUT, shown_template(step.send or ""))


def _streams(turn: TurnShape) -> Iterator[str]:
    """The files that a turn sends, but for what opens it, and where its clock begins."""
    for step in turn.messages[1:]:
        if step.chunks is not None:
            yield _line(OUT, step.chunks.summary)
    if any(step.chunks is not None for step in turn.messages):
        yield _line(_BETWEEN, "the clock of the turn begins when the last chunk is due")


def _interruption(turn: TurnShape) -> Iterator[str]:
    for step in turn.messages:
        if step.interrupt is not None:
            after = f"{format_duration(step.interrupt.after_ns)} after the first audio"
            yield _line(OUT, shown_template(step.interrupt.send), after)


def _ends(events: Events) -> Iterator[str]:
    if events.end:
        yield _line(IN, _or(events.end), "the turn is complete")
    if events.end_all:
        all_of = " and ".join(map(match_words, events.end_all))
        yield _line(IN, f"{all_of}, in any order", "the turn is complete")
    if isinstance(events.count, CountAt):
        yield _line(IN, f"as many events as {events.count.path} says", "the turn is complete")
    elif events.count:
        n = f"event {events.count}" if events.count > 1 else "one event"
        yield _line(IN, f"{n} of the turn", "the turn is complete")
    if not events.ends:
        yield _line(IN, "events, until we leave", "a subscription: the turn never ends")
    for matches, words in ((events.fail, "or it has failed"), (events.refuse, "or it was refused")):
        if matches:
            yield _line(IN, _or(matches), words)


def _at_any_time(reply: AutoReply) -> Iterator[str]:
    yield _line(IN, match_words(reply.on), "at any time")
    yield _line(OUT, shown_template(reply.send), "the answer to it")


def _line(way: str, text: str, meaning: str = "") -> str:
    shown = visible(text)
    shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
    return f"{way}   {shown}{f'   ({meaning})' if meaning else ''}"


def _or(matches: Iterable[Match]) -> str:
    return " or ".join(map(match_words, matches))
