"""Twilio Media Streams, the side of Twilio: the backend under test is the server, and hears a call.

Messages are those of the wire, by ``event``. What Twilio numbers and names itself is filled in where a
message does not say it: the ids of the stream and its call, ``sequenceNumber``, the format of the stream,
``chunk`` and ``timestamp`` of the sound. A ``mark`` of the backend is sent back at once, as if the sound
before it had been played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec
from typing_extensions import override

from loadtest.speak.codec.codec import Codec, Frame
from loadtest.speak.codec.json_values import bytes_of, compact

SENT: Final = ("connected", "start", "media", "dtmf", "mark", "stop")
"""The events that Twilio sends."""

NEEDED: Final = {"media": "payload", "mark": "name"}
"""What a message of the backend's must have in the part that is called as its event: text."""

BYTES_A_MS: Final = 8
"""G.711 at 8,000 samples a second, one byte each."""

_object = msgspec.json.Decoder(dict[str, Any]).decode


class Twilio(Codec):
    """The codec ``twilio``; ``account`` is what `accountSid` says, ``user_mark`` the id of the stream."""

    def __init__(self, account: str = f"AC{0:032x}") -> None:
        super().__init__()
        self.user_mark = f"MZ{uuid4().hex}"
        self._call = {"accountSid": account, "callSid": f"CA{uuid4().hex}"}
        self._sequence = 0
        self._chunk = 0
        self._heard_bytes = 0

    # ------------------------------------------------------------------ receiving

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        if not isinstance(frame, str):
            raise ValueError("Twilio sends only text frames")  # noqa: TRY004 - as all that is unreadable
        message = _object(frame)
        event = message.get("event")
        needed = NEEDED.get(event) if isinstance(event, str) else None
        said = message.get(str(event))
        if needed:
            value = said.get(needed) if isinstance(said, Mapping) else None
            if not isinstance(value, str):
                raise ValueError(f"`{event}` has no `{needed}`")
            if event == "media" and not bytes_of({"base64": value}):
                raise ValueError("`media` has no sound: its `payload` is empty")
        if event == "mark" and message.get("streamSid", self.user_mark) == self.user_mark:
            # One of another call is not played here.
            self.replies.append(self._numbered("mark", {"mark": said}))
        yield message

    # ------------------------------------------------------------------ sending

    @override
    def encode(self, message: Any) -> Frame:
        event = message.get("event") if isinstance(message, Mapping) else None
        if event not in SENT:
            raise ValueError(
                f"a message must be an object with an `event`; the events to send are {', '.join(SENT)}",
            )
        if event == "connected":
            return compact({"event": event, "protocol": "Call", "version": "1.0.0", **message})
        said = message.get(event, {})
        if not isinstance(said, Mapping):
            raise ValueError(f"`{event}` must be an object")  # noqa: TRY004 - as all wrong values
        return self._numbered(event, {**message, event: {**self._filled(event, said), **said}})

    def _numbered(self, event: str, message: Mapping[str, Any]) -> str:
        """A message with the next number of its stream."""
        self._sequence += 1
        head = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.user_mark}
        return compact({**head, **message})

    def _filled(self, event: str, said: Mapping[str, Any]) -> dict[str, Any]:
        """What Twilio says of itself in the part of a message that is called as its event."""
        if event == "media":
            return self._next_chunk(said.get("payload"))
        if event == "start":
            sound = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
            stream = {"streamSid": self.user_mark, "tracks": ["inbound"], "mediaFormat": sound}
            return {**self._call, **stream, "customParameters": {}}
        return dict(self._call) if event == "stop" else {}

    def _next_chunk(self, payload: object) -> dict[str, Any]:
        """The number of a chunk, and how much sound went before it."""
        if not isinstance(payload, str):
            raise ValueError("`payload` of `media` must be text: the sound as base64")  # noqa: TRY004 - as all wrong values
        before_ms = self._heard_bytes // BYTES_A_MS
        self._heard_bytes += len(bytes_of({"base64": payload}))
        self._chunk += 1
        return {"track": "inbound", "chunk": str(self._chunk), "timestamp": str(before_ms)}
