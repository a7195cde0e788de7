"""STOMP 1.2, the client's side, after its description; 1.1 differs in nothing that matters here.

A frame is ``{"type": "send", "headers": {NAME: TEXT}, "body": BODY}``, with its command in lower case. A body
that is a JSON object or array is one, other text is text, bytes are ``{"base64": TEXT}``. Between frames, an
end of line is a heart-beat, and says nothing; ``{"type": "heartbeat"}`` sends one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from typing_extensions import override

from loadtest.speak.codec.codec import BrokenStreamError, Codec, Frame, Unreadable
from loadtest.speak.codec.json_bodies import body_of, content_of
from loadtest.speak.codec.message_fields import MessageFields
from loadtest.speak.codec.unfinished import Unfinished

RECEIVED: Final = frozenset({"connected", "message", "receipt", "error"})
SENT: Final = (
    "connect",
    "send",
    "subscribe",
    "unsubscribe",
    "ack",
    "nack",
    "begin",
    "commit",
    "abort",
    "disconnect",
)

MAX_HEAD: Final = 65_536
"""Bytes of the command and headers of a frame."""

MAX_DIGITS: Final = 18
"""Digits of a content-length."""

_UNESCAPED: Final = {"\\n": "\n", "\\r": "\r", "\\c": ":", "\\\\": "\\"}
_ESCAPED: Final = {plain: escaped for escaped, plain in _UNESCAPED.items()}
_ESCAPE = re.compile(r"\\.?", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\n\r:\\]")

_NO_EOL = re.compile(rb"[^\r\n]")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:([^\r\n]*)")

_PLAIN: Final = frozenset({"connect", "connected"})
"""Frames whose headers are not escaped, as those of 1.0 were not."""


class Stomp(Codec):
    """The codec ``stomp``."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = Unfinished()

    # ------------------------------------------------------------------ receiving

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        data = self._rest.joined(frame.encode() if isinstance(frame, str) else frame)
        at = 0
        while begins := _NO_EOL.search(data, at):
            at = begins.start()
            end, needed = _end(data, at)
            if end < 0:
                self._rest.keep(data[at:], needed - at)
                break
            try:
                yield _message(data[at:end])
            except (ValueError, RecursionError) as error:
                yield Unreadable(f"not a frame of STOMP: {error}")
            at = end + 1
        self.held = self._rest.held

    # ------------------------------------------------------------------ sending

    @override
    def encode(self, message: Any) -> Frame:
        fields = MessageFields(message)
        if fields.type == "heartbeat":
            fields.close()
            return "\n"
        if fields.type not in SENT:
            raise ValueError(
                f"`{fields.type}` cannot be sent; the types to send are {', '.join(SENT)}, heartbeat",
            )
        headers = fields.take("headers", {})
        if not isinstance(headers, Mapping):
            raise ValueError("`headers` must be an object of text")  # noqa: TRY004 - as all wrong values
        content = content_of(fields.take("body", ""))
        fields.close()
        if content and fields.type != "send":
            raise ValueError(f"`{fields.type}` has no `body`; remove it")
        lines = [fields.type.upper(), *(_header(fields.type, *each) for each in headers.items())]
        if content and "content-length" not in headers:
            lines.append(f"content-length:{len(content)}")
        framed = "\n".join((*lines, "", "")).encode() + content + b"\0"
        try:
            return framed.decode()
        except UnicodeDecodeError:
            return framed


def _end(data: bytes, at: int) -> tuple[int, int]:
    """Where the NUL of the frame at a place stands; -1 where it has not come, and how many bytes are needed.

    Raises:
        BrokenStreamError: the head never ends, or names no length.
    """
    head = _HEAD_END.search(data, at, at + MAX_HEAD)
    stop = at + MAX_HEAD if head is None else head.start()
    nul = data.find(b"\0", at, stop)
    if nul >= 0:
        return nul, 0
    if head is None:
        if len(data) >= stop:
            raise BrokenStreamError(f"the headers of a frame have more than {MAX_HEAD:,} bytes")
        return -1, 0
    length = _LENGTH.search(data, at, head.end())
    if length is None:
        return data.find(b"\0", head.end()), 0
    if not length[1].isdigit() or len(length[1]) > MAX_DIGITS:
        raise BrokenStreamError("the content-length is not a number")
    end = head.end() + int(length[1])
    if end >= len(data):
        return -1, end + 1
    if data[end]:
        raise BrokenStreamError("the body is longer than its content-length")
    return end, 0


def _message(frame: bytes) -> dict[str, Any]:
    """The message of a frame, which stands without its NUL."""
    match = _HEAD_END.search(frame)
    if match is None:
        raise ValueError("headers without an end")
    command, *lines = frame[: match.start()].decode().replace("\r\n", "\n").split("\n")
    kind = command.lower()
    if kind not in RECEIVED:
        raise ValueError(f"a server cannot send {command[:40]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"a header has no colon: {line[:40]!r}")
        if kind not in _PLAIN:
            name, value = _unescaped(name), _unescaped(value)
        # Of a header that is repeated the first holds.
        headers.setdefault(name, value)
    return {"type": kind, "headers": headers, "body": body_of(frame[match.end() :])}


def _unescaped(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[0] not in _UNESCAPED:
            raise ValueError(f"STOMP has no escape {match[0]!r}")
        return _UNESCAPED[match[0]]

    return _ESCAPE.sub(plain, text)


def _header(kind: str, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{name}` of `headers` must be text")  # noqa: TRY004 - as all wrong values
    if kind in _PLAIN:
        if _TO_ESCAPE.search(f"{name}{value}".replace(":", "")):
            raise ValueError(f"`{name}` of `{kind}` must contain neither an end of line nor a backslash")
        return f"{name}:{value}"
    return ":".join(_TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], each) for each in (name, value))
