"""What a codec is: frames of one connection in, messages out, and back. Sans-I/O.

A message is what JSON can hold (a dictionary, mostly), or its JSON text as bytes: the paths, matches and
templates of a protocol are of it, whatever the frames look like.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Frame = str | bytes
"""The payload of a frame: text, or bytes of a binary one."""


class Unreadable(NamedTuple):
    """Stands in the place of a message that could not be read, and says why."""

    reason: str


class BrokenStreamError(ValueError):
    """What follows can not be read either: the connection is given up."""


class PeerFullError(ValueError):
    """The peer takes no more messages before it has acknowledged some: its doing, not the message's."""


class Codec:
    """Translates the frames of one connection; made once a connection, from the protocol's settings.

    ``decode`` gives the messages of a frame, as many as it ends; ``encode`` the frame of a message, or
    several. Both raise ValueError with a sentence for what they cannot read, or write, ``encode`` a
    PeerFullError where the peer may be sent no more for now. What the wire demands
    at once (a pong, an acknowledgement) is appended to ``replies``, which the connection sends and empties.
    ``held`` says how many bytes of an unfinished message are kept. ``takes_text``: ``encode`` is given the
    text that is to be sent as it is, and not what its JSON says. ``user_mark`` is how the
    target has to name the user of this connection, where the codec itself chose that: a message that names
    another is foreign.
    """

    takes_text = False
    user_mark: str | None = None

    def __init__(self) -> None:
        self.replies: list[Frame] = []
        self.held = 0

    def decode(self, frame: Frame) -> Iterable[Any]:
        """The messages of a frame."""
        raise NotImplementedError

    def encode(self, message: Any) -> Frame | Sequence[Frame]:
        """The frame that says a message."""
        raise NotImplementedError
