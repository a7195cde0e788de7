"""A capture of frames in messages, where the frames show what holds those: Socket.IO, or records in frames.

Drafts and checks speak of messages: those that a codec makes of frames, or that [framing] cuts out of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.protocol import Protocol
from loadtest.speak.captured_engine_io import CapturedEngineIo, frame_of

_PROBE = "2probe"
"""What a client of Engine.IO says first where it began by HTTP."""

_SEPARATOR = "\x1e"
"""What ends a record of SignalR, and of others: no text has it but for that."""

BEGUN_BY_HTTP = (
    "the client began with HTTP polling, which a capture does not contain: the draft has the usual steps of"
    " [connect], without the login"
)


class CapturedWire(NamedTuple):
    """A capture in messages.

    ``split`` is what separates records in a frame, ``codec`` the name of what reads frames; both are "" where
    a message is simply a frame. ``session`` are parameters of the URL that name a session begun elsewhere,
    which nobody else can go on with. ``types`` are the paths at which messages of a codec say what they are,
    ``ids`` those that it carries back by itself, ``told`` the types of what the target sends of itself,
    ``fails`` what an error looks like.
    """

    frames: tuple[CapturedFrame, ...]
    split: str = ""
    codec: str = ""
    session: frozenset[str] = frozenset()
    types: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()
    fails: tuple[str | dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def captured_wire(frames: Iterable[CapturedFrame]) -> CapturedWire:
    """What a capture says in messages."""
    frames = tuple(frames)
    begun_by_http = next((frame.text for frame in frames if not frame.inward), "") == _PROBE
    if begun_by_http or _is_handshake(next((frame for frame in frames if frame.inward), None)):
        return _engine_io(frames, begun_by_http=begun_by_http)
    split = _split_of([frame.text for frame in frames if not frame.binary])
    return CapturedWire(tuple(_cut(frames, split)) if split else frames, split)


def messages_for(protocol: Protocol, frames: Iterable[CapturedFrame]) -> tuple[CapturedFrame, ...]:
    """A capture as a protocol speaks of it: in messages where it holds the frames of its wire."""
    frames = tuple(frames)
    wire = captured_wire(frames)
    coded = protocol.codec is not None and protocol.codec.name == wire.codec
    cut = protocol.framing is not None and protocol.framing.split == wire.split
    return wire.frames if coded or cut else frames


def _engine_io(frames: Sequence[CapturedFrame], *, begun_by_http: bool) -> CapturedWire:
    """Socket.IO over Engine.IO, in messages of the codec ``socketio``."""
    wire = CapturedEngineIo(whole=not begun_by_http)
    before = _usual_steps(frames[0]) if begun_by_http else []
    return CapturedWire(
        (*before, *(each for frame in frames for each in wire.messages(frame))),
        codec="socketio",
        session=frozenset({"sid"}),
        types=("event", "type"),
        ids=("ack",),
        told=frozenset({"event"}),
        fails=({"has": "data.error"}, "connect_error", "disconnect"),
        notes=(BEGUN_BY_HTTP,) if begun_by_http else (),
    )


def _is_handshake(frame: CapturedFrame | None) -> bool:
    return frame is not None and frame.text[:2] == "0{" and '"pingInterval"' in frame.text


def _usual_steps(first: CapturedFrame) -> list[CapturedFrame]:
    """What a client and a server say before anything else, where that was not seen."""
    said = ((True, {"type": "open"}), (False, {"type": "connect"}), (True, {"type": "connect"}))
    return [frame_of(first._replace(inward=inward), message) for inward, message in said]


def _split_of(texts: Sequence[str]) -> str:
    """What separates records in frames: nothing else ends each of them so, or makes JSON of each line."""
    if texts and all(text.endswith(_SEPARATOR) for text in texts):
        return _SEPARATOR
    several = any("\n" in text.strip() for text in texts)
    return (
        "\n" if several and all(_is_object(line) for text in texts for line in _records(text, "\n")) else ""
    )


def _records(text: str, split: str) -> list[str]:
    return [record for record in text.split(split) if record.strip()]


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _cut(frames: Iterable[CapturedFrame], split: str) -> Iterable[CapturedFrame]:
    """Each record as a frame of its own; binary frames as they are."""
    for frame in frames:
        if frame.binary:
            yield frame
            continue
        for record in _records(frame.text, split):
            yield frame._replace(payload=record.encode())
