"""ASP.NET Core SignalR's hub protocol, in JSON or in MessagePack, the client's side.

Messages are those of the hub protocol's JSON, with the name of the type in place of its number:
``{"type": "invocation", "invocationId": ID, "target": METHOD, "arguments": [...]}``, ``stream_item``,
``completion``, ``stream_invocation``, ``cancel``, ``ping``, ``close``, ``ack``, ``sequence``; and
``handshake``, which comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from typing_extensions import override

from loadtest.speak.codec.codec import BrokenStreamError, Codec, Frame, Unreadable
from loadtest.speak.codec.json_values import compact, with_bytes
from loadtest.speak.codec.message_fields import MessageFields
from loadtest.speak.codec.unfinished import Unfinished

END: Final = b"\x1e"

TYPES: Final = {
    1: "invocation",
    2: "stream_item",
    3: "completion",
    4: "stream_invocation",
    5: "cancel",
    6: "ping",
    7: "close",
    8: "ack",
    9: "sequence",
}
_NUMBERS: Final = {name: number for number, name in TYPES.items()}

MAX_PREFIX: Final = 5
"""Bytes of the length before a message in MessagePack."""

_FIELDS: Final = {
    "invocation": ("headers", "invocationId", "target", "arguments", "streamIds"),
    "stream_item": ("headers", "invocationId", "item"),
    "stream_invocation": ("headers", "invocationId", "target", "arguments", "streamIds"),
    "cancel": ("headers", "invocationId"),
    "ping": (),
    "close": ("error", "allowReconnect"),
    "ack": ("sequenceId",),
    "sequence": ("sequenceId",),
}
"""What stands after the type in the arrays of MessagePack, in order."""

_NEEDED: Final = {
    "invocation": 4,
    "stream_item": 3,
    "stream_invocation": 4,
    "cancel": 2,
    "close": 1,
    "ack": 1,
}
"""How many of them must be there."""

_ERROR, _VOID, _RESULT = 1, 2, 3

_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_number = msgspec.json.Decoder(int).decode
_unpack = msgspec.msgpack.Decoder(list[Any]).decode
_pack = msgspec.msgpack.Encoder().encode


class SignalR(Codec):
    """The codec ``signalr``; ``protocol`` "json" or "messagepack", as the handshake says it."""

    def __init__(self, protocol: str = "json") -> None:
        super().__init__()
        if protocol not in {"json", "messagepack"}:
            raise ValueError(f'`protocol` must be "json" or "messagepack", not {protocol!r}')
        self._protocol = protocol
        self._is_json = protocol == "json"
        self._shaken = False
        self._rest = Unfinished()

    # ------------------------------------------------------------------ receiving

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        data = frame.encode() if isinstance(frame, str) else frame
        if not self._shaken:
            if END not in data:
                self._rest.keep(data)
                data = b""
            else:
                handshake, _, data = self._rest.joined(data).partition(END)
                self._shaken = True
                yield {**_record(handshake), "type": "handshake"}
        if data:
            yield from self._records(data) if self._is_json else self._packets(data)
        self.held = self._rest.held

    def _records(self, data: bytes) -> Iterator[Any]:
        """Records of JSON; the last of a frame may go on in the next."""
        *records, rest = self._rest.joined(data).split(END) if END in data else (data,)
        self._rest.keep(rest)
        for record in records:
            try:
                found: dict[str, Any] = _record(record)
                yield {**found, "type": TYPES[_number(found["type"])]}
            except (ValueError, KeyError, RecursionError) as error:
                yield Unreadable(f"this is not a message of a hub: {error}")

    def _packets(self, data: bytes) -> Iterator[Any]:
        """Messages in MessagePack, each after its length."""
        data = self._rest.joined(data)
        at = 0
        while at < len(data):
            size, start = _length(data, at)
            if start < 0 or start + size > len(data):
                self._rest.keep(data[at:], max(start, at) - at + size)
                return
            at = start + size
            try:
                yield _of_array(_unpack(data[start:at]))
            except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
                yield Unreadable(f"this is not a message of a hub: {error}")

    # ------------------------------------------------------------------ sending

    @override
    def encode(self, message: Any) -> Frame:
        fields = MessageFields(message)
        if fields.type == "handshake":
            shake = {
                "protocol": fields.text("protocol", self._protocol),
                "version": fields.number("version", 1),
            }
            fields.close()
            return compact(shake) + END.decode()
        number = _NUMBERS.get(fields.type)
        if number is None:
            raise ValueError(
                f"`{fields.type}` is not a message of a hub; the messages are {', '.join(_NUMBERS)}",
            )
        if self._is_json:
            return compact({**message, "type": number}) + END.decode()
        packed = _pack([number, *_array_of(fields)])
        fields.close()
        return _prefix(len(packed)) + packed


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length of the message at a place, and where it begins; -1 where the length itself is not whole.

    Raises:
        BrokenStreamError: it is longer than a length may be.
    """
    size = 0
    for place, byte in enumerate(data[at : at + MAX_PREFIX]):
        size |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return size, at + place + 1
    if len(data) - at >= MAX_PREFIX:
        raise BrokenStreamError("the length of a message has more than 5 bytes")
    return 0, -1


def _prefix(size: int) -> bytes:
    found = bytearray()
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    found.append(size)
    return bytes(found)


def _of_array(array: list[Any]) -> dict[str, Any]:
    """The message of an array; what is nil is left out."""
    kind = TYPES[array[0]]
    if kind == "completion":
        _, headers, number, outcome, *result = array
        ends: dict[str, Any] = {_ERROR: {"error": result}, _VOID: {}, _RESULT: {"result": result}}[outcome]
        found = {name: value[0] for name, value in ends.items()}
        return {"type": kind, "headers": headers, "invocationId": number, **found}
    values = array[1:]
    if len(values) < _NEEDED.get(kind, 0):
        raise ValueError(f"`{kind}` has {len(values)} fields")
    fields = zip(_FIELDS[kind], values, strict=False)
    return {"type": kind, **{name: value for name, value in fields if value is not None}}


def _array_of(fields: MessageFields) -> list[Any]:
    """What stands after the type in the array of a message."""
    if fields.type == "completion":
        head = [fields.take("headers", {}), fields.take("invocationId")]
        error, result = fields.take("error"), with_bytes(fields.take("result"))
        if error is not None:
            return [*head, _ERROR, error]
        return [*head, _VOID] if result is None else [*head, _RESULT, result]
    empty: dict[str, Any] = {"headers": {}, "arguments": [], "streamIds": []}
    return [with_bytes(fields.take(name, empty.get(name))) for name in _FIELDS[fields.type]]
