"""The frame parser of a connection with a codec: its messages are those that the codec makes of the frames.

Whatever a codec does, what a session gets is a message, or something that is none and counts as malformed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from typing_extensions import override
from websockets.extensions import Extension

from loadtest.speak.codec.codec import BrokenStreamError, Codec, PeerFullError, Unreadable
from loadtest.speak.frames import BINARY, TEXT, FrameParser, encode, is_utf8

MAX_MESSAGES: Final = 65_536
"""Messages that a codec may make of one frame: one that never ends would be waited for without end."""

MAX_GROWTH: Final = 4
"""Times the largest message allowed that the messages of one frame may have in all."""

MAX_SHOWN: Final = 200
"""Bytes of an unreadable frame that are shown."""


class Binary(bytes):
    """The payload of a binary frame."""

    __slots__ = ()


class UnsendableError(ValueError):
    """A codec can make no frame of a message."""


class NotTakenError(UnsendableError):
    """The peer may not be sent a message, since it has not acknowledged those that it got."""


class CodedFrameParser(FrameParser):
    """A frame parser whose ``receive`` gives the messages that a codec makes of frames, as JSON.

    What the codec cannot read is given as bytes that are no JSON and say why. ``answer`` is called with the
    frames that the wire demands, joined, and their number. ``frame`` makes the frame of a payload.
    ``gave_up``: the connection was ended since the codec could not go on within its bounds.
    """

    __slots__ = (
        "_answer",
        "_codec",
        "_frame",
        "_limit",
        "_name",
        "_payload",
        "_takes_text",
        "gave_up",
    )

    def __init__(
        self,
        max_size: int,
        extensions: Sequence[Extension],
        *,
        codec: Codec,
        name: str,
        answer: Callable[[bytes, int], None],
        frame: Callable[[bytes | memoryview, int], bytes] = encode,
    ) -> None:
        super().__init__(max_size, extensions)
        # No frame is taken as it is: which are binary is told apart in ``_fragment``.
        self._sliced = False
        self._codec = codec
        self._takes_text = getattr(codec, "takes_text", False) is True
        self._name = name
        self._answer = answer
        self._frame = frame
        self._limit = MAX_GROWTH * max_size
        self._payload = 0
        self.gave_up = False

    @property
    def unfinished(self) -> int:
        """Bytes of a message of which the rest has not come."""
        held = getattr(self._codec, "held", 0)
        return held if isinstance(held, int) else 0

    # ------------------------------------------------------------------ receiving

    @override
    def receive(self, data: bytes) -> list[bytes]:
        messages: list[bytes] = []
        frames = super().receive(data)
        self._payload = sum(map(len, frames))
        before = 0
        for frame in frames:
            before = len(messages)
            self._decode(frame, messages)
            if self.gave_up:
                break
        if self.together:
            self.together = len(messages) - before
        return messages

    @override
    def payload_of(self, messages: Sequence[bytes]) -> int:
        return self._payload

    def _decode(self, frame: bytes, messages: list[bytes]) -> None:
        """Add the messages of a frame to ``messages``, and send what the wire demands."""
        try:
            found = self._codec.decode(frame if type(frame) is Binary else frame.decode())
            self._take(found, messages)
            if self.unfinished > self._max_size:
                self._give_up(f"holds {self.unfinished:,} bytes of a message that does not end")
            self._reply()
        except BrokenStreamError as error:
            self._give_up(f"cannot read on: {error}")
        except Exception as error:
            messages.append(self._unreadable(_reason(error), frame))

    def _take(self, found: Iterable[Any], messages: list[bytes]) -> None:
        left, room = MAX_MESSAGES, self._limit
        for each in found:
            if type(each) is Unreadable:
                message = self._unreadable(each.reason, b"")
            else:
                message = each if type(each) is bytes else _json.encode(each)
            left -= 1
            room -= len(message)
            if left < 0 or room < 0:
                what = f"more than {MAX_MESSAGES:,} messages" if left < 0 else f"over {self._limit:,} bytes"
                self._give_up(f"makes {what} of one frame")
                return
            messages.append(message)

    def _unreadable(self, reason: str, frame: bytes) -> bytes:
        """What no JSON begins with: it can be taken for no message."""
        return f"unreadable by codec {self._name}: {reason}: ".encode() + frame[:MAX_SHOWN]

    def _give_up(self, why: str) -> None:
        if not self.gave_up:
            self.gave_up = True
            self.refuse(f"codec {self._name} {why}")
            # What came was meant as a message, and counts as one that could not be read.
            self.flooded = False

    def _reply(self) -> None:
        replies = getattr(self._codec, "replies", None)
        if replies:
            self._codec.replies = []
            self._answer(self._framed(replies), len(replies))

    # ------------------------------------------------------------------ sending

    def encode(self, payload: bytes | memoryview, opcode: int = TEXT) -> bytes:
        """The frames of a message; bytes that are none are sent as they are.

        Such are a view, and whatever is binary where the codec takes no text.

        Raises:
            UnsendableError: the codec can make none of it.
            NotTakenError: the peer has to acknowledge earlier ones first.
        """
        if opcode != TEXT and (isinstance(payload, memoryview) or not self._takes_text):
            return self._frame(payload, opcode)
        try:
            made = self._codec.encode(str(payload, "utf-8") if self._takes_text else _json_decode(payload))
            frames = [made] if isinstance(made, (str, bytes)) else list(made)
            if not frames:
                raise ValueError("no frame was made of it")  # noqa: TRY301 - told as all that fails here
            return self._framed(frames, opcode)
        except PeerFullError as error:
            raise NotTakenError(f"codec {self._name}: {error}") from error
        except Exception as error:
            raise UnsendableError(f"codec {self._name}: {_reason(error)}") from error

    def _framed(self, parts: Iterable[str | bytes], text: int = TEXT) -> bytes:
        """The frames of parts, all of which are looked at first: what a compressor made has to be sent.

        ``text`` is the kind of frame that parts of text go in.
        """
        return b"".join([self._frame(*part) for part in [_part_of(each, text) for each in parts]])

    # ------------------------------------------------------------------ text and binary told apart

    @override
    def _fragment(self, head: int, payload: bytes, size: int) -> Sequence[bytes] | None:
        whole = self._plain and self._library is None and not self._parts
        if whole and head == 0x82:
            return (Binary(payload),)
        if whole and head == 0x81 and (payload.isascii() or is_utf8(payload)):
            return (payload,)
        return super()._fragment(head, payload, size)

    @override
    def _inflated(self, head: int, payload: bytes) -> Sequence[bytes] | None:
        messages = super()._inflated(head, payload)
        return [Binary(each) for each in messages] if messages and head == 0xC2 else messages

    @override
    def _complete(self) -> list[bytes]:
        text = self._text
        messages = super()._complete()
        return messages if text else [Binary(each) for each in messages]


def _plain_value(value: object) -> object:
    """What JSON has no form for: an extension of MessagePack is told by its number."""
    if isinstance(value, msgspec.msgpack.Ext):
        return {"ext": value.code, "base64": base64.b64encode(value.data).decode()}
    raise TypeError(f"{type(value).__name__} is not a value of JSON")


_json = msgspec.json.Encoder(enc_hook=_plain_value)
_json_decode = msgspec.json.Decoder().decode


def _reason(error: Exception) -> str:
    """What an exception says, in one line."""
    said = " ".join(str(error).split())[:MAX_SHOWN]
    return said if said and isinstance(error, ValueError) else f"{type(error).__name__} {said}".strip()


def _part_of(part: str | bytes, text: int) -> tuple[bytes, int]:
    if isinstance(part, str):
        return part.encode(), text
    if isinstance(part, (bytes, bytearray)):
        return bytes(part), BINARY
    raise TypeError(f"a frame is text or bytes, not {type(part).__name__}")
