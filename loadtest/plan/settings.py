"""What plain data holds: a protocol in the shape of its TOML file, and nothing that may be a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from loadtest.plan.chunks import chunk_settings, public_step
from loadtest.plan.framing import codec_settings, framing_settings
from loadtest.plan.match import Match
from loadtest.plan.prepare import METHODS, HttpRequest
from loadtest.plan.protocol import (
    KIND_RULES,
    AutoReply,
    CountAt,
    Events,
    Leave,
    MessageStep,
    Protocol,
    ReadyStep,
    TimedBeat,
    TurnKind,
    TurnShape,
)
from loadtest.secret_names import sounds_secret
from loadtest.units import exact_duration

Plain = dict[str, object]

HIDDEN = "[not kept]"
"""Stands where a secret may have stood."""

_HARMLESS = re.compile(r"\{[A-Za-z0-9_.:]+\}|bearer|basic|[^a-z0-9]", re.IGNORECASE)


def public_url(url: str) -> str:
    """The URL without user and password and without the values of parameters that sound like secrets."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    netloc = f"{HIDDEN}@{host}" if at else parts.netloc
    asked = parse_qsl(parts.query, keep_blank_values=True)
    public = [(name, without_secret(name, value, "query")) for name, value in asked]
    if not at and public == asked:
        return url
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(public, safe="{}[] ")))


_FLAG = re.compile(r"-[A-Za-z]|--[a-z][a-z-]{0,39}")
_OPTION = re.compile(r"(--?[A-Za-z][\w-]{0,39}=).+", re.DOTALL)


def public_command(words: Sequence[str]) -> list[str]:
    """A command line without its arguments, any of which may be a secret; names of options stay."""
    return [*words[:1], *map(_public_argument, words[1:])]


def _public_argument(word: str) -> str:
    if _FLAG.fullmatch(word):
        return word
    option = _OPTION.fullmatch(word)
    return f"{option[1]}{HIDDEN}" if option else HIDDEN


def protocol_settings(protocol: Protocol) -> Plain:
    """The protocol as plain data, in the shape of its TOML file; what is empty is left out."""
    connect = protocol.connect
    return _without_nothing(
        {
            "name": protocol.name,
            "about": protocol.about,
            "held_against": protocol.held_against,
            "follows": protocol.follows,
            "framing": framing_settings(protocol.framing),
            "codec": codec_settings(protocol.codec),
            "connect": _without_nothing(
                {
                    "path": connect.path,
                    "subprotocols": list(connect.subprotocols),
                    "ready": [_step(step) for step in connect.ready],
                    "heartbeat": [_beat(beat) for beat in connect.heartbeat],
                    "auth_errors": _listed(connect.auth_errors),
                    "leave": _leave(connect.leave),
                }
            ),
            "turn": _turn(protocol.turn),
            "events": _events(protocol.events),
            "turns": {name: _kind(protocol, kind) for name, kind in protocol.turns.items()},
        }
    )


def _turn(turn: TurnShape) -> Plain:
    messages = [_message(step) for step in turn.messages]
    return _without_nothing({**_fields(turn), "messages": messages, "send": _request(turn.send)})


def _request(request: HttpRequest | None) -> Plain:
    """A request as it is written."""
    if request is None:
        return {}
    body = {} if request.json is None else {"json": request.json}
    return {**_without_nothing(asdict(request)), **body}


def _kind(protocol: Protocol, kind: TurnKind) -> Plain:
    """What a kind of turn does not have of [turn] and [events]."""
    shape = _turn(kind.turn) if kind.turn != protocol.turn else {}
    sent: Plain = {key: shape[key] for key in ("message", "messages", "send") if key in shape}
    ours, theirs = _fields(kind.events), _fields(protocol.events)
    return {**sent, **{key: ours[key] for key in KIND_RULES if ours[key] != theirs[key]}}


def _message(step: MessageStep) -> object:
    if step.chunks is not None:
        return chunk_settings(step.chunks)
    if step.interrupt is not None:
        after = exact_duration(step.interrupt.after_ns)
        return {"interrupt": {"after": after, "send": step.interrupt.send}}
    if step.wait is not None:
        within = {} if step.within_ns is None else {"within": exact_duration(step.within_ns)}
        return {"wait": _plain_match(step.wait), **within}
    return step.send if step.pause_ns is None else {"pause": exact_duration(step.pause_ns)}


def _without_nothing(settings: Mapping[str, object]) -> Plain:
    return {key: value for key, value in settings.items() if value not in (None, "", {}, [])}


def _fields(part: TurnShape | Events) -> Plain:
    """The fields of a dataclass, tuples as lists; what is false is the default."""
    return {name: _listed(value) for name, value in asdict(part).items() if value is not False}


def _listed(value: object) -> object:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _plain_match(match: Match) -> object:
    """A match as it is written."""
    return match if isinstance(match, str) else dict(match)


def _events(events: Events) -> Plain:
    own: Plain = {"answer": [_beat(beat) for beat in events.answer], "count": events.count}
    if isinstance(events.count, CountAt):
        of = None if events.count.of is None else _plain_match(events.count.of)
        own["count"] = _without_nothing({"path": events.count.path, "of": of})
    if events.format == "text":
        # They follow from the pattern.
        own |= dict.fromkeys(("type", "turn", "user", "sequence"))
    return _without_nothing({**_fields(events), **own})


def _beat(beat: AutoReply | TimedBeat) -> Plain:
    if isinstance(beat, TimedBeat):
        answer = None if beat.answer is None else _plain_match(beat.answer)
        within = None if answer is None else exact_duration(beat.within_ns)
        return _without_nothing({"every": beat.every, "send": beat.send, "answer": answer, "within": within})
    return _without_nothing({"on": _plain_match(beat.on), "send": beat.send, "keep": dict(beat.keep)})


def _leave(leave: Leave | None) -> Plain:
    if leave is None:
        return {}
    return _without_nothing(
        {"send": leave.send, "wait": None if leave.wait is None else _plain_match(leave.wait)}
    )


def _step(step: ReadyStep) -> Plain:
    if step.wait is not None:
        within = {"within": exact_duration(step.within_ns)}
        return _without_nothing({"wait": _plain_match(step.wait), "keep": dict(step.keep), **within})
    return {"send": step.send} if step.pause_ns is None else {"pause": exact_duration(step.pause_ns)}


def public_protocol(written: Mapping[str, object]) -> Plain:
    """A written protocol without the bytes of its turns' files, nor secrets in their requests."""
    public: Plain = dict(written)
    if "turn" in public:
        public["turn"] = _public_turn(public["turn"])
    if isinstance(kinds := public.get("turns"), Mapping):
        public["turns"] = {name: _public_turn(kind) for name, kind in kinds.items()}
    return _without_nothing(public)


def _public_turn(turn: object) -> Plain:
    public = dict(cast("Mapping[str, object]", turn))
    if isinstance(messages := public.get("messages"), list):
        public["messages"] = list(map(public_step, messages))
    if isinstance(send := public.get("send"), Mapping):
        public["send"] = _public_request(send)
    return public


def public_requests(steps: object) -> object:
    """Written ``[[prepare]]`` steps without what may be a secret in them."""
    return [_public_request(step) for step in steps] if isinstance(steps, list) else steps


def _public_request(written: Mapping[str, object]) -> Plain:
    public: Plain = {}
    for key, value in written.items():
        if key == "undo" and isinstance(value, Mapping):
            public[key] = _public_request(value)
        elif key in {"headers", "form", "json"}:
            public[key] = _public_part(value, key)
        elif key in METHODS and isinstance(value, str):
            public[key] = public_url(value)
        else:
            public[key] = value
    return public


def _public_part(value: object, name: str) -> object:
    """A value, in which members whose names sound like secrets are hidden."""
    if isinstance(value, Mapping):
        return {key: _public_part(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_public_part(each, name) for each in value]
    return without_secret(name, value, "prepare") if isinstance(value, str) else value


def without_secret(name: str, text: str, part: str) -> str:
    """The value of a header, a cookie or a query parameter (``part``) as it may be kept.

    It is hidden if its name sounds like a secret's, unless it is made of placeholders.
    """
    hidden = part == "cookies" or sounds_secret(name)
    return HIDDEN if hidden and _HARMLESS.sub("", text) else text
