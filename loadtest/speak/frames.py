"""The frame parser of one connection (RFC 6455 section 5), sans-I/O.

Data frames are read here: whole ones for 0.2 us an event of 160 bytes, against 2.7 us for a general parser;
fragments of messages that are not compressed; whole frames that are. So are pings and pongs. Every other
frame (close, broken, a fragment of a compressed message) goes to ``websockets.ClientProtocol``, so that the
messages are those of ``websockets`` alone.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI

from loadtest.plan.frame_limits import BOMB, DEFLATE_RATIO, MAX_IDLE_FRAMES, MAX_SURPLUS
from loadtest.speak.close_codes import NO_CLOSE_FRAME

try:
    from websockets.speedups import apply_mask
except ImportError:  # no compiled part on this platform: the same function in Python, 20 times slower
    from websockets.utils import apply_mask

# The URI is only used for the handshake, which is over before a ``FrameParser`` exists.
_NOWHERE: Final = WebSocketURI(False, "localhost", 80, "/", "")

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

RSV1: Final = 0x40
"""The bit beside the opcode that says that a message is compressed (RFC 7692 section 6)."""

_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

MAX_IDLE_SIZE: Final = 16
"""Bytes of a frame below which it says nothing, unless it completes a message."""

DEFLATE_TAIL: Final = b"\0\0\xff\xff"
"""What a sender leaves away at the end of a compressed message (RFC 7692 section 7.2.1)."""


def _masks() -> Iterator[list[bytes]]:
    """Masking keys (RFC 6455 section 5.3), four unpredictable bytes each, for ever.

    They are read from the system 4 KiB at a time: ``os.urandom(4)`` costs 0.5 us, a slice of a block 0.06 us.
    """
    while True:
        block = os.urandom(4096)
        yield [block[at : at + 4] for at in range(0, 4096, 4)]


_keys = chain.from_iterable(_masks())


_HEADS: Final = {
    opcode: [bytes((0x80 | opcode, 0x80 | size)) for size in range(126)]
    for opcode in (*range(16), RSV1 | TEXT, RSV1 | BINARY)
}
"""The first two bytes of every short frame: made once, 0.2 us less a message."""


def encode(payload: bytes | memoryview, opcode: int = TEXT) -> bytes:
    """One masked, unfragmented client frame carrying ``payload``."""
    mask = next(_keys)
    size = len(payload)
    if size < 126:
        return _HEADS[opcode][size] + mask + apply_mask(payload, mask)
    if size < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + apply_mask(payload, mask)


def encode_close(code: int, reason: str = "") -> bytes:
    """A masked close frame (RFC 6455 section 5.5.1); of a long reason, the whole characters that fit."""
    shown = reason.encode()[:123].decode(errors="ignore")
    return encode(code.to_bytes(2, "big") + shown.encode(), CLOSE)


_wide_header: Final = struct.Struct(">BBH").unpack_from
"""The first byte, 126, and a payload size of 16 bits (section 5.2)."""


class FrameParser:
    """Bytes of one open connection in, messages out.

    ``receive`` returns the payloads of whole data messages, in order. ``together`` of those that it gave last
    were complete with the last byte; 0: something came behind all of them, if only a part of the next frame.
    What must be answered (a pong, a close frame) is in ``replies``, which the caller sends and empties; the
    payloads of pongs that came are in ``pongs``. After the end ``closed`` is True and ``close_code`` is the
    code received (1006 without a close frame, RFC 6455 section 7.1.5); ``broken`` says what the peer did
    wrong, if anything, and ``too_long`` that this was no more than a message longer than ``max_size``,
    ``flooded`` that it broke no rule, but took more of us than it may.

    Messages, replies, close code and ``broken`` are those of a ``ClientProtocol`` fed byte by byte, however
    the bytes are split, and come with the same byte. A message of more than ``max_size`` bytes is refused as
    soon as a header declares it, and so is a read full of frames that say nothing. At most ``max_size`` bytes
    of a message and of one more frame are held.
    """

    __slots__ = (
        "_deflate",
        "_extensions",
        "_held",
        "_idle",
        "_leaving",
        "_left",
        "_library",
        "_max_size",
        "_missing",
        "_parts",
        "_plain",
        "_rest",
        "_short",
        "_sliced",
        "_surplus",
        "_text",
        "broken",
        "close_code",
        "close_reason",
        "closed",
        "flooded",
        "pongs",
        "replies",
        "together",
        "too_long",
        "unpacks",
    )

    def __init__(self, max_size: int, extensions: Sequence[Extension] = ()) -> None:
        self._max_size = max_size
        self._extensions = tuple(extensions)
        # Whether messages may be compressed. No property: that would cost 0.05 us a read.
        self.unpacks = bool(extensions)
        found = self._extensions[0] if len(self._extensions) == 1 else None
        self._deflate = found if type(found) is PerMessageDeflate else None
        # Frames of up to 125 bytes are sliced without a look at the limit; those of 65,535 if it is as wide.
        self._plain = (not self._extensions or self._deflate is not None) and max_size >= 125
        # Whole data frames are taken as they are, text and binary alike.
        self._sliced = self._plain
        self._short = 126 if max_size >= 65_535 else -1
        self._library: ClientProtocol | None = None
        self._left = False
        self._leaving = False
        # None where nothing waits: two empty lists would cost an idle connection 140 bytes.
        self._rest: list[bytes] | None = None
        self._missing = 0
        self._parts: list[bytes] | None = None
        self._held = 0
        self._idle = 0
        self._text = False
        self.closed = False
        self.close_code = NO_CLOSE_FRAME
        self.close_reason = ""
        self.broken: str | None = None
        self.too_long = False
        self.flooded = False
        self.together = 1
        self._surplus = 0
        self.replies: list[bytes] = []
        self.pongs: list[bytes] = []

    def receive(self, data: bytes) -> list[bytes]:
        """The payloads of the data messages that ``data`` completes."""
        if self._left:
            return self._by_library(data)
        if self._rest:
            self._rest.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = b"".join(self._rest)
            self._rest = None
        # One short whole message of text, as a reply mostly is: 0.15 us, not 0.3.
        elif 1 < len(data) < 128 and data[1] == len(data) - 2 and data[0] == 0x81 and self._plain:
            payload = data[2:]
            if payload.isascii() and self._library is None and not self._parts:
                self.together = 1
                return [payload]
        self._idle = self._surplus = 0
        return self._slice(data)

    def payload_of(self, messages: Sequence[bytes]) -> int:
        """Bytes of the frames' payload of which one read made these messages, uncompressed."""
        return sum(map(len, messages))

    def refuse(self, reason: str) -> None:
        """End the connection: the target breaks no rule of the protocol, but takes more of us than it may."""
        protocol = self._library
        if protocol is None:
            protocol = self._library = ClientProtocol(_NOWHERE, state=OPEN, max_size=self._max_size)
        protocol.fail(CloseCode.POLICY_VIOLATION, reason)
        self.replies += [chunk for chunk in protocol.data_to_send() if chunk and not self._is_said(chunk)]
        self.broken = self.broken or reason
        self.flooded = True
        self.closed = self._left = True

    def close(self, code: int, reason: str = "") -> bytes:
        """The close frame by which we leave; the one that answers it is not answered again."""
        self._leaving = True
        return encode_close(code, reason)

    def _slice(self, data: bytes) -> list[bytes]:  # noqa: PLR0912 - a call costs 0.05 us a fragment
        messages: list[bytes] = []
        append = messages.append
        fast = self._sliced and self._library is None and not self._parts
        short = self._short
        at = 0
        end = len(data)
        last_wide = end - 4
        # How many messages came before the last frame that completed none.
        before_other = -1
        while end - at >= 2:
            size = data[at + 1]
            # Inlined from _extended, where no limit can be passed: 0.2 us an event of 160 bytes, not 0.45.
            if size == short and at <= last_wide:
                head, _, size = _wide_header(data, at)
                start = at + 4
            else:
                head = data[at]
                start = at + 2
                if size >= 126:
                    size, start = self._extended(data, at)
                    if self._left:
                        return self._end_by_library(messages, data[at:])
            stop = start + size
            if stop > end:
                self._missing = stop - end
                self._left |= self._refuses(head, size)
                break
            payload = data[start:stop]
            # FIN, no reserved bit: binary, or text that is UTF-8 (isascii settles most text in 0.02 us).
            if fast and ((head == 0x81 and (payload.isascii() or is_utf8(payload))) or head == 0x82):
                append(payload)
            else:
                read = (
                    self._control(head, payload)
                    if head & 0x08
                    else self._inflated(head, payload)
                    if head & 0x40
                    else self._fragment(head, payload, stop - at)
                )
                if read is None:
                    read = self._by_library(data[at:stop])
                if read:
                    messages += read
                else:
                    before_other = len(messages)
                fast = self._sliced and self._library is None and not self._parts
                if self._left:
                    return self._end_by_library(messages, data[stop:])
            at = stop
        else:
            self._missing = 1
        if self._left:
            return self._end_by_library(messages, data[at:])
        if at < end:
            self._rest = [data[at:]]
        self.together = int(at == end and before_other < len(messages))
        return messages

    def _end_by_library(self, messages: list[bytes], data: bytes) -> list[bytes]:
        """``messages`` and those of ``data``, behind or in which the connection ends."""
        self.together = 0
        return messages + self._by_library(data)

    def _refuses(self, head: int, size: int) -> bool:
        """Whether the library ends the connection over a header alone, before the payload has come."""
        return head & 0x07 > 0x02 or size > self._max_size - self._held

    def _extended(self, data: bytes, at: int) -> tuple[int, int]:
        """Payload size and start of a frame whose size byte is 126 or more (section 5.2)."""
        size = data[at + 1]
        width = 2 if size == 126 else 8
        start = at + 2 + width
        if size > 127:
            self._left = True
        if len(data) < start:
            return 0, start
        length = int.from_bytes(data[at + 2 : start], "big")
        self._left |= length > self._max_size
        return length, start

    def _fragment(self, head: int, payload: bytes, size: int) -> Sequence[bytes] | None:
        """The message that a fragment of ``size`` bytes completes, if any; None of what the library reads.

        0.6 us a fragment; with the library, which then reads all of the message, 9 us.
        """
        parts = self._parts
        open_or_whole = head & 0x8F
        continues = open_or_whole in (0x00, 0x80)
        if (
            self._library is not None
            or not self._plain
            or head & 0x70
            or self._held + len(payload) > self._max_size
            or not (parts if continues else open_or_whole in (TEXT, BINARY) and not parts)
        ):
            return None
        if size < MAX_IDLE_SIZE and head != 0x80:
            self._idle += 1
            if self._idle > MAX_IDLE_FRAMES:
                return None
        if not continues:
            self._text = head == TEXT
        self._collect(payload)
        return self._complete() if head == 0x80 else ()

    def _control(self, head: int, payload: bytes) -> Sequence[bytes] | None:
        """Take a ping or a pong, which may come between fragments; None of what the library reads.

        Its state refers to itself: 2 KiB a connection would wait for the garbage collector.
        """
        if self._library is not None or not self._plain or head not in (0x89, 0x8A) or len(payload) > 125:
            return None
        if len(payload) < MAX_IDLE_SIZE - 2:
            self._idle += 1
            if self._idle > MAX_IDLE_FRAMES:
                return None
        if head == 0x8A:
            self.pongs.append(payload)
        else:
            self.replies.append(encode(payload, PONG))
        return ()

    def _inflated(self, head: int, payload: bytes) -> Sequence[bytes] | None:
        """The message of a whole compressed frame (RFC 7692); None of what the library has to read.

        The decoder is the extension's own, so that the library goes on where this ends.
        """
        deflate = self._deflate
        if (
            head not in (0xC1, 0xC2)
            or deflate is None
            or self._library is not None
            or self._parts
            or not self._plain
        ):
            return None
        kept = None
        if deflate.remote_no_context_takeover:
            decoder = zlib.decompressobj(-deflate.remote_max_window_bits)
        else:
            decoder = deflate.decoder
            # What inflates beyond the limit is read again by the library, from the same state.
            if len(payload) * DEFLATE_RATIO > self._max_size:
                kept = decoder.copy()
        try:
            message = decoder.decompress(payload + DEFLATE_TAIL, self._max_size)
        except zlib.error:
            # A decoder that failed fails again.
            return None
        if decoder.unconsumed_tail:
            if kept is not None:
                deflate.decoder = kept
            return None
        if head == 0xC1 and not (message.isascii() or is_utf8(message)):
            self._fail_text()
            return ()
        self._weigh(len(message), len(payload))
        return (message,)

    def _weigh(self, unpacked: int, packed: int) -> None:
        """End the connection where the messages of one read unpack to more than can be looked at in time."""
        self._surplus += unpacked - BOMB * packed
        if self._surplus > self._max_size + MAX_SURPLUS:
            self.refuse(f"a flood: messages that unpack to more than {BOMB} times their size")

    def _by_library(self, data: bytes) -> list[bytes]:
        """The messages of ``data``, read by ``websockets``; its state is kept only while it matters."""
        protocol = self._protocol()
        protocol.receive_data(data)
        messages = self._messages(protocol)
        if messages and self._extensions and not self.closed:
            self._weigh(sum(map(len, messages)), len(data))
        if not messages and len(data) < MAX_IDLE_SIZE and not self.closed:
            self._idle += 1
            if self._idle > MAX_IDLE_FRAMES:
                self.flooded = True
                self.broken = f"more than {MAX_IDLE_FRAMES:,} frames without content in one read"
                protocol.fail(CloseCode.POLICY_VIOLATION, self.broken)
        self._settle(protocol)
        if not (self._left or self._parts):
            self._library = None
        return messages

    def _protocol(self) -> ClientProtocol:
        """The library's state of this connection: made when it is needed, with the message that is open."""
        protocol = self._library
        if protocol is None:
            protocol = self._library = ClientProtocol(_NOWHERE, state=OPEN, max_size=self._max_size)
            protocol.extensions = list(self._extensions)
            if self._parts:
                protocol.receive_data(b"\x02\x7f" + self._held.to_bytes(8, "big") + bytes(self._held))
                protocol.events_received()
        return protocol

    def _settle(self, protocol: ClientProtocol) -> None:
        """Take over what the library answers, and whether it has ended the connection."""
        self.replies += [chunk for chunk in protocol.data_to_send() if chunk and not self._is_said(chunk)]
        if protocol.parser_exc is not None:
            self.broken = str(protocol.parser_exc)
            self.too_long = isinstance(protocol.parser_exc, PayloadTooBig)
        if protocol.close_rcvd is not None:
            self.close_code, self.close_reason = protocol.close_rcvd.code, protocol.close_rcvd.reason
        self.closed = (
            protocol.close_rcvd is not None or protocol.parser_exc is not None or self.broken is not None
        )
        self._left = self._left or self.closed

    def _is_said(self, reply: bytes) -> bool:
        """Whether a reply is a second close frame, of which RFC 6455 section 5.5.1 allows one."""
        return self._leaving and reply[0] & 0x0F == CLOSE

    def _messages(self, protocol: ClientProtocol) -> list[bytes]:
        messages = []
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)  # noqa: S101 - after the handshake there is nothing else
            if frame.opcode == Opcode.PONG:
                self.pongs.append(bytes(frame.data))
            elif frame.opcode in _DATA:
                self._text = self._text if frame.opcode == Opcode.CONT else frame.opcode == Opcode.TEXT
                self._collect(bytes(frame.data))
                if frame.fin:
                    messages += self._complete()
        return messages

    def _collect(self, payload: bytes) -> None:
        """Keep a fragment. Endless empty ones are not kept; the first says that a message has begun."""
        if self._parts is None:
            self._parts = []
        if payload or not self._parts:
            self._parts.append(payload)
            self._held += len(payload)

    def _complete(self) -> list[bytes]:
        """The message that the fragments make; text that is not UTF-8 ends the connection (section 8.1)."""
        message = b"".join(self._parts or ())
        self._parts = None
        self._held = 0
        if self._text and not is_utf8(message):
            self._fail_text()
            return []
        return [message]

    def _fail_text(self) -> None:
        protocol = self._protocol()
        self.broken = "a text message that is not UTF-8"
        protocol.fail(CloseCode.INVALID_DATA, self.broken)
        self._settle(protocol)


def is_utf8(payload: bytes) -> bool:
    """Whether the bytes are text."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
