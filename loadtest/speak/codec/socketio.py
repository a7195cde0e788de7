"""Socket.IO 5 over Engine.IO 4, the client's side; after the protocols' own descriptions.

An event is ``{"type": "event", "namespace": "/", "event": NAME, "data": FIRST, "more": [REST], "id": N}``,
and so for ``connect``, ``disconnect``, ``ack``, ``connect_error``, ``open`` and ``close``. A ping is answered
here. In data, a binary attachment is ``{"binary": true, "size": BYTES}``; to send one, ``{"base64": TEXT}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from typing_extensions import override

from loadtest.speak.codec.codec import Codec, Frame, Unreadable
from loadtest.speak.codec.json_values import bytes_of, compact, is_bytes, json_text
from loadtest.speak.codec.message_fields import MessageFields

MAX_ATTACHMENTS: Final = 1_000
"""Binary frames that one packet may announce."""

MAX_WAITING: Final = 65_536
"""Acknowledgements that are waited for; of more, the oldest is forgotten."""

_PACKET = re.compile(r"([0-6])(?:([0-9]{1,9})-)?(?:(/[^,]*)(?:,|$))?([0-9]{1,18})?(.*)", re.DOTALL)
"""Type, number of attachments, namespace, id of an acknowledgement, JSON."""

_NAMES: Final = ("connect", "disconnect", "event", "ack", "connect_error", "event", "ack")
_CONNECT, _DISCONNECT, _EVENT, _ACK, _CONNECT_ERROR, _BINARY_EVENT, _BINARY_ACK = range(7)
_SENT: Final = {"connect": 0, "disconnect": 1, "event": 2, "ack": 3}

_PONG: Final = "3"

_args = msgspec.json.Decoder(list[msgspec.Raw]).decode
_whole = msgspec.json.Decoder(list[Any]).decode
_text = msgspec.json.Decoder(str).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Pending:
    """A packet of which attachments have yet to come; their sizes."""

    __slots__ = ("announced", "packet", "sizes")

    def __init__(self, packet: tuple[int, str, int | None, str], announced: int) -> None:
        self.packet = packet
        self.announced = announced
        self.sizes: list[int] = []


class SocketIo(Codec):
    """The codec ``socketio``: what an event has as ``ack`` stands in the ``ack`` of its acknowledgement."""

    def __init__(self) -> None:
        super().__init__()
        self._pending: _Pending | None = None
        self._next_id = 0
        # The tags of events that are to be acknowledged, by the number on the wire.
        self._tags: dict[int, Any] = {}

    # ------------------------------------------------------------------ receiving

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        if isinstance(frame, bytes):
            yield from self._attachment(frame)
            return
        kind, rest = frame[:1], frame[1:]
        if kind == "4":
            if self._pending is not None:
                yield Unreadable(self._missing_attachments(self._pending))
                self._forget()
            yield from self._packet(rest)
        elif kind == "2":
            self.replies.append(_PONG + rest)
        elif kind == "0":
            yield {**_object(rest), "type": "open"}
        elif kind == "1" and not rest:
            yield {"type": "close"}
        elif kind != "6":
            raise ValueError(f"no packet of Engine.IO begins with {kind!r}")

    @staticmethod
    def _missing_attachments(pending: _Pending) -> str:
        return f"{len(pending.sizes)} of {pending.announced} binary attachments came before the next packet"

    def _forget(self) -> None:
        self._pending = None
        self.held = 0

    def _packet(self, text: str) -> Iterator[Any]:
        match = _PACKET.fullmatch(text)
        if match is None:
            raise ValueError("not a packet of Socket.IO")
        kind = int(match[1])
        announced = int(match[2] or 0)
        packet = (kind, match[3] or "/", None if match[4] is None else int(match[4]), match[5])
        if (match[2] is not None) != (kind >= _BINARY_EVENT):
            raise ValueError("only binary packets announce attachments, and every binary packet must")
        if announced > MAX_ATTACHMENTS:
            raise ValueError(
                f"the packet has {announced:,} binary attachments; the maximum is {MAX_ATTACHMENTS:,}"
            )
        if announced:
            self._pending = _Pending(packet, announced)
            self.held = len(text)
        else:
            yield self._message(packet)

    def _attachment(self, content: bytes) -> Iterator[Any]:
        """A binary frame: an attachment that was announced, or data of its own."""
        pending = self._pending
        if pending is None:
            yield {"type": "binary", "size": len(content)}
            return
        pending.sizes.append(len(content))
        if len(pending.sizes) == pending.announced:
            self._forget()
            yield self._message(pending.packet, pending.sizes)

    def _message(self, packet: tuple[int, str, int | None, str], sizes: list[int] | None = None) -> Any:
        """The message of a packet; ``sizes`` are those of its attachments."""
        kind, namespace, number, text = packet
        message: dict[str, Any] = {"type": _NAMES[kind], "namespace": namespace}
        if kind in {_CONNECT, _DISCONNECT, _CONNECT_ERROR}:
            if number is not None or (text and kind == _DISCONNECT):
                raise ValueError(f"a packet `{_NAMES[kind]}` must have neither an id nor data")
            if text:
                message["data"] = json_text(text)
            return message
        args: list[Any] = list(_args(text)) if sizes is None else _with_sizes(_whole(text), sizes)
        if kind in {_EVENT, _BINARY_EVENT}:
            if not args:
                raise ValueError("an event without a name")
            name = args.pop(0)
            message["event"] = name if isinstance(name, str) else _text(name)
            if number is not None:
                message["id"] = number
        else:
            if number is None:
                raise ValueError("an acknowledgement must have an id")
            message["id"] = number
            message["ack"] = self._tags.pop(number, None)
        if args:
            message["data"] = args[0]
        if len(args) > 1:
            message["more"] = args[1:]
        return message

    # ------------------------------------------------------------------ sending

    @override
    def encode(self, message: Any) -> Frame | list[Frame]:
        fields = MessageFields(message)
        kind = _SENT.get(fields.type)
        if kind is None:
            raise ValueError(f"`{fields.type}` cannot be sent; the types to send are {', '.join(_SENT)}")
        namespace = fields.text("namespace", "/")
        if not namespace.startswith("/") or "," in namespace:
            raise ValueError("`namespace` must begin with `/` and contain no comma")
        where = "" if namespace == "/" else f"{namespace},"
        if kind in {_CONNECT, _DISCONNECT}:
            data = fields.take("data") if kind == _CONNECT else None
            fields.close()
            return f"4{kind}{where}{'' if data is None else compact(data)}"
        args = self._args(fields)
        number = self._number(fields, kind)
        fields.close()
        attachments: list[Frame] = []
        args = _without_bytes(args, attachments)
        announced = f"{kind + 3}{len(attachments)}-" if attachments else str(kind)
        packet = f"4{announced}{where}{number}{compact(args)}"
        return [packet, *attachments] if attachments else packet

    @staticmethod
    def _args(fields: MessageFields) -> list[Any]:
        named = [fields.text("event")] if fields.type == "event" else []
        first = fields.take("data")
        more = fields.items("more")
        return [*named, *([first] if first is not None or more else []), *more]

    def _number(self, fields: MessageFields, kind: int) -> str:
        """The number on the wire: the server's own in what acknowledges, a new one where a tag is given."""
        if kind == _ACK:
            return str(fields.number("id", most=10**18 - 1))
        tag = fields.take("ack")
        if tag is None:
            return ""
        number = self._next_id
        self._next_id += 1
        self._tags[number] = tag
        if len(self._tags) > MAX_WAITING:
            del self._tags[next(iter(self._tags))]
        return str(number)


def _with_sizes(value: Any, sizes: list[int]) -> Any:
    """Data with the sizes of attachments in the places that stand for them."""
    if type(value) is list:
        return [_with_sizes(each, sizes) for each in value]
    if type(value) is not dict:
        return value
    if value.get("_placeholder") is True:
        place = value.get("num")
        if type(place) is not int or not 0 <= place < len(sizes):
            raise ValueError(f"attachment {place!r} of {len(sizes)}")
        return {"binary": True, "size": sizes[place]}
    return {key: _with_sizes(each, sizes) for key, each in value.items()}


def _without_bytes(value: Any, attachments: list[Frame]) -> Any:
    """Data with a place for each of its bytes, which are added to ``attachments``."""
    if type(value) is list:
        return [_without_bytes(each, attachments) for each in value]
    if type(value) is not dict:
        return value
    if is_bytes(value):
        attachments.append(bytes_of(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    return {key: _without_bytes(each, attachments) for key, each in value.items()}
