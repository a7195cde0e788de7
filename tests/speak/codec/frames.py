"""Frames as a server would send them, and what a codec makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from loadtest.speak.codec.codec import Codec, Frame, Unreadable


def heard(codec: Codec, *frames: Frame) -> list[Any]:
    """The messages of frames, as JSON has them; of what is unreadable, the ``Unreadable``."""
    found = (each for frame in frames for each in codec.decode(frame))
    return [each if isinstance(each, Unreadable) else plain(each) for each in found]


def plain(message: Any) -> Any:
    """A message as it is after JSON."""
    return msgspec.json.decode(message if isinstance(message, bytes) else msgspec.json.encode(message))


def wire(*frames: Frame) -> bytes:
    """Frames of a server, unmasked."""
    return b"".join(_wire(frame) for frame in frames)


def _wire(frame: Frame) -> bytes:
    opcode = Opcode.TEXT if isinstance(frame, str) else Opcode.BINARY
    content = frame.encode() if isinstance(frame, str) else frame
    return WireFrame(opcode, content).serialize(mask=False)


def reasons(found: Iterable[Any]) -> list[str]:
    """Why messages were unreadable."""
    return [each.reason for each in found if isinstance(each, Unreadable)]
