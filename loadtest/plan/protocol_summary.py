"""What a protocol says, key by key, in words: how ``protocols check`` tells what it understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from loadtest.plan.framing import framing_settings
from loadtest.plan.kept_values import auto_reply_keeps, step_keeps
from loadtest.plan.match import Match, kept_by, match_words
from loadtest.plan.placeholder_names import env_names
from loadtest.plan.printable_text import visible
from loadtest.plan.protocol import (
    KIND_RULES,
    AutoReply,
    Connect,
    CountAt,
    Events,
    Protocol,
    TimedBeat,
    TurnShape,
)
from loadtest.plan.protocol_file import asked_columns, templates
from loadtest.plan.settings import public_url, without_secret
from loadtest.plan.written_secrets import hide_of_protocol, shown_subprotocols, shown_template
from loadtest.units import format_duration

UNMEASURED = "not measured: no path"

LONGEST = 100
"""Characters of a message that are shown."""

Row = tuple[str, str]
"""A topic and what the protocol says of it."""


def understood(protocol: Protocol) -> Iterator[Row]:
    """Topic and sentence of everything that decides what is sent and what is counted, without secrets."""
    hide = hide_of_protocol(protocol)
    yield from ((topic, hide(sentence)) for topic, sentence in _understood(protocol))


def _understood(protocol: Protocol) -> Iterator[Row]:
    yield "name", f"{protocol.name}  {protocol.about}".rstrip()
    if protocol.held_against:
        yield "held against", protocol.held_against
    if protocol.follows:
        yield "follows", protocol.follows
    yield from _frames(protocol)
    yield from _connect(protocol.connect)
    yield from _turn(protocol)
    yield from _events(protocol)
    for name, kind in protocol.turns.items():
        yield from _kind(protocol, name, kind.turn, kind.events)
    if asked := asked_columns(protocol):
        names = ", ".join(f"{{{name}}}" for name in asked)
        yield "needs of the scenario", f"{names} must be columns of its target.identities or traffic.data"
    if variables := env_names(text for _, text, _ in templates(protocol)):
        yield (
            "needs of the environment",
            f"the environment variables {', '.join(variables)} (values not shown)",
        )


def _frames(protocol: Protocol) -> Iterator[Row]:
    """How frames hold messages, where a message is not simply a frame."""
    if protocol.codec is not None:
        values = {
            name: without_secret(name, str(value), "codec") for name, value in protocol.codec.settings.items()
        }
        settings = ", ".join(f"{name} = {value}" for name, value in values.items())
        told = f" ({settings})" if settings else ""
        yield (
            "codec",
            (
                f"{protocol.codec.name}{told}: paths, matches and messages refer to the messages that the"
                " codec makes of frames"
            ),
        )
    if protocol.framing is not None:
        keys = (f"{key} = {value!r}" for key, value in framing_settings(protocol.framing).items())
        yield "framing", ", ".join(keys)


def _connect(connect: Connect) -> Iterator[Row]:
    yield "path", public_url(connect.path)
    if connect.subprotocols:
        yield "subprotocols", shown_subprotocols(connect.subprotocols)
    yield (
        "ready",
        f"after {len(connect.ready)} ready steps" if connect.ready else "with the 101 of the upgrade",
    )
    for number, step in enumerate(connect.ready, 1):
        if step.wait is not None:
            words = f"waits for {match_words(step.wait)}, within {format_duration(step.within_ns)}"
            yield f"ready step {number}", f"{words}{_keeping(step_keeps(step))}"
        elif step.pause_ns is not None:
            yield f"ready step {number}", f"pauses {format_duration(step.pause_ns)}"
        else:
            yield f"ready step {number}", f"sends {_short(step.send or '')}"
    if connect.auth_errors:
        yield "auth_errors", f"the target refuses the credential with {_or(connect.auth_errors)}"
    for beat in connect.heartbeat:
        yield "heartbeat", _own_beat(beat) if isinstance(beat, TimedBeat) else _answered(beat)
    if connect.leave is not None:
        wait = connect.leave.wait
        then = "closes" if wait is None else f"closes after {match_words(wait)}"
        yield "leave", f"sends {_short(connect.leave.send)}, then {then}"


def _own_beat(beat: TimedBeat) -> str:
    told = f"every {beat.every} sends {_short(beat.send)}"
    if beat.answer is None:
        return f"{told}; loadtest expects no answer"
    within = format_duration(beat.within_ns)
    return (
        f"{told}; gives up the connection without {match_words(beat.answer)} within"
        f" {within}{_keeping(kept_by(beat.answer))}"
    )


def _answered(reply: AutoReply) -> str:
    return f"answers {match_words(reply.on)} with {_short(reply.send)}{_keeping(auto_reply_keeps(reply))}"


def _turn(protocol: Protocol) -> Iterator[Row]:
    turn = protocol.turn
    yield "id of a turn", turn.id
    yield "frames sent", turn.encoding if protocol.codec is None else "what the codec makes of messages"
    yield from _messages("message", turn)


def _messages(topic: str, turn: TurnShape) -> Iterator[Row]:
    for step in turn.messages:
        if step.wait is not None:
            limit = "as long as the turn may take"
            within = limit if step.within_ns is None else f"within {format_duration(step.within_ns)}"
            yield topic, f"then waits for {match_words(step.wait)}, {within}{_keeping(kept_by(step.wait))}"
        elif step.pause_ns is not None:
            yield topic, f"then pauses {format_duration(step.pause_ns)}"
        elif step.chunks is not None:
            carried = f"in {_short(step.chunks.message)}" if step.chunks.message else "in binary frames"
            yield topic, f"{step.chunks.summary}, {carried}"
        elif step.interrupt is not None:
            after = format_duration(step.interrupt.after_ns)
            yield topic, f"interrupts {after} after the first audio: {_short(step.interrupt.send)}"
        else:
            yield topic, _short(step.send or "")
    if turn.send is not None:
        yield topic, f"by HTTP: {_short(turn.send.text)}"
    elif not turn.messages:
        yield (
            topic,
            _short(turn.message) if turn.message else "none: the scenario or its code must give the message",
        )


def _events(protocol: Protocol) -> Iterator[Row]:
    events = protocol.events
    matched = f"by {' or '.join(events.turn)}" if events.match == "id" else "in order"
    sure = "; the target answers in order" if events.ordered else ""
    yield "events", f"{events.format}, matched {matched}{sure}"
    if events.pattern:
        yield "pattern", visible(events.pattern)
    if events.format == "json":
        yield "type", " or ".join(events.type) or "none: a match must name fields"
    for adopt in events.adopt:
        yield "adopt", f"the target's own id of a turn is `{adopt.id}` of {match_words(adopt.on)}"
    yield from _rules("", events)
    if events.ignore:
        yield "ignore", _or(events.ignore)
    for beat in events.answer:
        yield "answer", _answered(beat)
    yield from _kept("keep", (*events.matches, *events.ignore))
    begins = f", from {events.sequence_start} on" if events.sequence_start else ""
    yield (
        "lost, duplicate, out of order",
        f"{' or '.join(events.sequence)}{begins}" if events.sequence else UNMEASURED,
    )
    yield "foreign", " or ".join(events.user) or UNMEASURED
    if events.audience:
        yield "audience", f"users with the same {events.audience} get each other's events"
    if events.sent_at is not None:
        yield "age", f"the time from {events.sent_at.path} ({events.sent_at.unit}) to arrival, by two clocks"
    else:
        yield "age", "not measured: no `sent_at`"


def _rules(mark: str, events: Events, keys: Iterable[str] = KIND_RULES) -> Iterator[Row]:
    """What the events of a turn mean for it; ``mark`` stands behind each topic."""
    told = {
        "first": _or(events.first) or "any event of the turn",
        "audio": _or(events.audio),
        "end": _ends(events),
        "fail": _or(events.fail) or "no event fails a turn",
        "refuse": _or(events.refuse),
        "required": " and ".join(map(match_words, events.required)) or "nothing",
        "pairs": "; ".join(f"{match_words(a)} with {match_words(b)}" for a, b in events.pairs),
        "order": " and then ".join(map(match_words, events.order)),
    }
    wanted = {"end" if key in {"end_all", "count"} else key for key in keys}
    yield from ((f"{key}{mark}", words) for key, words in told.items() if words and key in wanted)


def _ends(events: Events) -> str:
    ends = [_or(events.end)] if events.end else []
    if events.end_all:
        ends.append(f"all of {' and '.join(map(match_words, events.end_all))}")
    if isinstance(events.count, CountAt):
        of = "its events" if events.count.of is None else f"its {match_words(events.count.of)}"
        ends.append(f"when the number of {of} reaches the value at {events.count.path}")
    elif events.count:
        ends.append(f"after {events.count} event{'s' if events.count > 1 else ''}")
    never = "nothing ends a turn before the end of the run; add `end` or `count`"
    return " or ".join(ends) or never


def _kind(protocol: Protocol, name: str, turn: TurnShape, events: Events) -> Iterator[Row]:
    """A kind of turn: what it has of its own."""
    mark = f"[{name}]"
    if turn != protocol.turn:
        yield from _messages(f"message{mark}", turn)
    else:
        yield f"message{mark}", "as [turn]"
    own = [key for key in KIND_RULES if getattr(events, key) != getattr(protocol.events, key)]
    yield from _rules(mark, events, own)
    yield from _kept(f"keep{mark}", [each for each in events.matches if each not in protocol.events.matches])


def _kept(topic: str, matches: Iterable[Match]) -> Iterator[Row]:
    for match in matches:
        if keep := kept_by(match):
            yield topic, f"of {match_words(match)}{_keeping(keep, ': ')}"


def _keeping(keep: Mapping[str, str], before: str = "; keeps ") -> str:
    told = ", ".join(f"{path} as {{kept.{name}}}" for name, path in keep.items())
    return f"{before}{told}" if told else ""


def _short(text: str) -> str:
    text = visible(shown_template(text))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _or(matches: Iterable[Match]) -> str:
    return " or ".join(map(match_words, matches))
