"""MQTT 3.1.1 and 5, the client's side, after the OASIS standards; the CONNECT that is sent says which.

A message has the packet's name in lower case as its `type` and its fields beside it: `{"type": "publish",
"topic": T, "qos": 1, "payload": P}`. A payload that is a JSON object or array is one, other text is text, and
bytes are `{"base64": TEXT}`. Numbers of packets are given here: the `tag` of what was sent stands in what
acknowledges it, and `"failed": true` where its reason code is a failure. Acknowledgements that the receiver
owes (PUBACK, PUBREC, PUBREL, PUBCOMP) are replies.

A message of QoS 2 is handed on when the broker releases it (PUBREL; MQTT 3.1.1, section 4.3.3, method A), as
the clients of paho and mosquitto do. So a turn that ends by it leaves no handshake open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final

from typing_extensions import override

from loadtest.speak.codec.codec import BrokenStreamError, Codec, Frame, PeerFullError, Unreadable
from loadtest.speak.codec.json_bodies import body_of, content_of
from loadtest.speak.codec.message_fields import MessageFields
from loadtest.speak.codec.mqtt_fields import PacketReader, number_of, text_of, varint
from loadtest.speak.codec.mqtt_properties import read_properties, write_properties
from loadtest.speak.codec.unfinished import Unfinished

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(10, 16)

NUMBERS: Final = 65_535
"""Packets that can be in flight: each has a number of two bytes that is not 0."""

FAILED: Final = 0x80
"""Reason codes from here on are failures."""

MAX_UNRELEASED: Final = 16 * 1024 * 1024
"""Bytes of payloads of QoS 2 that a broker may send without releasing them: they are kept until it does."""


class Mqtt(Codec):
    """The codec ``mqtt``."""

    def __init__(self) -> None:
        super().__init__()
        self._version = 4
        self._rest = Unfinished()
        self._last = 0
        # The tags of what waits to be acknowledged, by number; those of messages, which a broker may limit.
        self._tags: dict[int, Any] = {}
        self._publishing: set[int] = set()
        self._receive_maximum = NUMBERS
        # Messages of QoS 2 that arrived and are not released yet, and the bytes of their payloads.
        self._unreleased: dict[int, tuple[dict[str, Any], int]] = {}
        self._unreleased_bytes = 0

    # ------------------------------------------------------------------ receiving

    @override
    def decode(self, frame: Frame) -> Iterator[Any]:
        if isinstance(frame, str):
            raise ValueError("the frame is text, but MQTT is binary")  # noqa: TRY004 - a fact about a frame
        data = self._rest.joined(frame)
        at = 0
        while at < len(data):
            size, start = _length(data, at)
            if start < 0 or start + size > len(data):
                self._rest.keep(data[at:], max(start, at) - at + size)
                break
            head, at = data[at], start + size
            try:
                message = self._packet(head >> 4, head & 0x0F, PacketReader(data[start:at]))
            except BrokenStreamError:
                raise
            except (ValueError, RecursionError) as error:
                yield Unreadable(f"a packet of type {head >> 4} breaks MQTT: {error}")
            else:
                if message is not None:
                    yield message
        self.held = self._rest.held

    def _packet(self, kind: int, flags: int, packet: PacketReader) -> dict[str, Any] | None:
        """The message of a packet; None where there is nothing to tell."""
        if kind == PUBLISH:
            return self._published(flags, packet)
        if flags != (2 if kind == PUBREL else 0):
            raise ValueError(f"it has the flags {flags}, which its type cannot have")
        if kind == PUBREL:
            return self._released(packet.number(2))
        read = self._READS.get(kind)
        if read is None:
            raise ValueError("only a client may send it, but the broker did")
        found = read(self, packet)
        if packet.left:
            raise ValueError("bytes follow that do not belong to the packet")
        return found

    def _properties(self, packet: PacketReader) -> dict[str, Any]:
        found = read_properties(packet) if self._version == 5 and packet.left else {}
        return {"properties": found} if found else {}

    def _connack(self, packet: PacketReader) -> dict[str, Any]:
        session, code = packet.number(1), packet.number(1)
        found = self._properties(packet)
        self._receive_maximum = found.get("properties", {}).get("receive_maximum", NUMBERS)
        return {"type": "connack", "code": code, "session": bool(session & 1), **found}

    def _published(self, flags: int, packet: PacketReader) -> dict[str, Any] | None:
        qos = flags >> 1 & 3
        if qos == 3:
            raise ValueError("it has QoS 3, which does not exist")
        message: dict[str, Any] = {"type": "publish", "topic": packet.text(), "qos": qos}
        number = packet.number(2) if qos else 0
        message |= self._properties(packet) if self._version == 5 else {}
        payload = packet.rest()
        message |= {"retain": bool(flags & 1), "dup": bool(flags & 8), "payload": body_of(payload)}
        if qos == 1:
            self.replies.append(_acknowledgement(PUBACK, number))
        elif qos == 2:
            self.replies.append(_acknowledgement(PUBREC, number))
            self._keep_unreleased(number, message, len(payload))
            return None
        return message

    def _keep_unreleased(self, number: int, message: dict[str, Any], size: int) -> None:
        if number in self._unreleased:  # the broker sends again what it thinks was lost
            return
        self._unreleased_bytes += size
        if self._unreleased_bytes > MAX_UNRELEASED:
            raise BrokenStreamError(
                f"the broker has not released (PUBREL) {len(self._unreleased) + 1:,} messages of QoS 2, "
                f"{self._unreleased_bytes:,} bytes; at most {MAX_UNRELEASED:,} bytes are kept"
            )
        self._unreleased[number] = message, size

    def _released(self, number: int) -> dict[str, Any] | None:
        """The message that is released; None for one that is not known: released before, or never sent."""
        self.replies.append(_acknowledgement(PUBCOMP, number))
        message, size = self._unreleased.pop(number, (None, 0))
        self._unreleased_bytes -= size
        return message

    def _code(self, packet: PacketReader) -> dict[str, Any]:
        """Reason code and properties, which may both be left away (MQTT 5, section 3.4.2.1)."""
        code = packet.number(1) if self._version == 5 and packet.left else 0
        return {"code": code, **_failed((code,)), **self._properties(packet)}

    def _acknowledged(self, name: str, packet: PacketReader) -> dict[str, Any]:
        number = packet.number(2)
        self._publishing.discard(number)
        return {"type": name, "id": number, "tag": self._tags.pop(number, None), **self._code(packet)}

    def _pubrec(self, packet: PacketReader) -> dict[str, Any]:
        number = packet.number(2)
        found = {"type": "pubrec", "id": number, "tag": self._tags.get(number), **self._code(packet)}
        if "failed" in found:
            self._tags.pop(number, None)
            self._publishing.discard(number)
        else:
            self.replies.append(_acknowledgement(PUBREL, number))
        return found

    def _subscribed(self, name: str, packet: PacketReader) -> dict[str, Any]:
        number = packet.number(2)
        found = {"type": name, "id": number, "tag": self._tags.pop(number, None), **self._properties(packet)}
        codes = list(packet.rest())
        return {**found, "codes": codes, **_failed(codes)}

    def _told(self, name: str, packet: PacketReader) -> dict[str, Any]:
        return {"type": name, **self._code(packet)}

    _READS: ClassVar[dict[int, Callable[[Mqtt, PacketReader], dict[str, Any]]]] = {
        CONNACK: _connack,
        PUBACK: lambda self, packet: self._acknowledged("puback", packet),
        PUBREC: _pubrec,
        PUBCOMP: lambda self, packet: self._acknowledged("pubcomp", packet),
        SUBACK: lambda self, packet: self._subscribed("suback", packet),
        UNSUBACK: lambda self, packet: self._subscribed("unsuback", packet),
        PINGRESP: lambda _, __: {"type": "pingresp"},
        DISCONNECT: lambda self, packet: self._told("disconnect", packet),
        AUTH: lambda self, packet: self._told("auth", packet),
    }

    # ------------------------------------------------------------------ sending

    @override
    def encode(self, message: Any) -> bytes:
        fields = MessageFields(message)
        write = self._WRITES.get(fields.type)
        if write is None:
            raise ValueError(
                f"`{fields.type}` cannot be sent; the types to send are {', '.join(self._WRITES)}",
            )
        head, body = write(self, fields)
        return bytes((head,)) + varint(len(body)) + body

    def _written(self, fields: MessageFields) -> bytes:
        """The properties of a message that is sent; there are none in MQTT 3.1.1."""
        properties = fields.take("properties")
        if self._version != 5:
            if properties is not None:
                raise ValueError(
                    "`properties` exist only in MQTT 5: remove them, or write `version` 5 in `connect`"
                )
            return b""
        return write_properties(properties or {})

    def _connect(self, fields: MessageFields) -> tuple[int, bytes]:
        version = fields.number("version", 4)
        if version not in {4, 5}:
            raise ValueError(f"`version` of `connect` must be 4 (MQTT 3.1.1) or 5, not {version}")
        self._version = version
        flags = 2 if fields.flag("clean", default=True) else 0
        keepalive = number_of("keepalive", fields.take("keepalive", 60), 2)
        client = text_of("client_id", fields.take("client_id", ""))
        properties = self._written(fields)
        tail = b""
        for name, flag in (("username", 0x80), ("password", 0x40)):
            value = fields.take(name)
            if value is not None:
                flags |= flag
                tail += text_of(name, value)
        fields.close()
        head = text_of("", "MQTT") + bytes((version, flags)) + keepalive
        return CONNECT << 4, head + properties + client + tail

    def _publish(self, fields: MessageFields) -> tuple[int, bytes]:
        qos, topic = fields.number("qos", 0, 2), text_of("topic", fields.take("topic"))
        flags = qos << 1 | fields.flag("retain")
        tag, properties = fields.take("tag"), self._written(fields)
        payload = content_of(fields.take("payload", ""))
        fields.close()
        number = b""
        if qos:
            if len(self._publishing) >= self._receive_maximum:
                raise PeerFullError(
                    f"the broker has not acknowledged {len(self._publishing):,} messages,"
                    f" and it accepts only {self._receive_maximum:,} at a time (receive_maximum)"
                )
            number = self._number(tag)
            self._publishing.add(self._last)
        return PUBLISH << 4 | flags, topic + number + properties + payload

    def _subscribe(self, fields: MessageFields) -> tuple[int, bytes]:
        qos, topics = fields.number("qos", 0, 2), _topics(fields)
        tag, properties = fields.take("tag"), self._written(fields)
        fields.close()
        wanted = b"".join(text_of("topic", topic) + bytes((qos,)) for topic in topics)
        return SUBSCRIBE << 4 | 2, self._number(tag) + properties + wanted

    def _unsubscribe(self, fields: MessageFields) -> tuple[int, bytes]:
        topics, tag, properties = _topics(fields), fields.take("tag"), self._written(fields)
        fields.close()
        body = b"".join(text_of("topic", topic) for topic in topics)
        return UNSUBSCRIBE << 4 | 2, self._number(tag) + properties + body

    def _disconnect(self, fields: MessageFields) -> tuple[int, bytes]:
        fields.close()
        return DISCONNECT << 4, b""

    def _pingreq(self, fields: MessageFields) -> tuple[int, bytes]:
        fields.close()
        return PINGREQ << 4, b""

    _WRITES: ClassVar[dict[str, Callable[[Mqtt, MessageFields], tuple[int, bytes]]]] = {
        "connect": _connect,
        "publish": _publish,
        "subscribe": _subscribe,
        "unsubscribe": _unsubscribe,
        "pingreq": _pingreq,
        "disconnect": _disconnect,
    }

    def _number(self, tag: Any) -> bytes:
        """A number that nothing in flight has; what acknowledges it will have the tag."""
        if len(self._tags) >= NUMBERS:
            raise PeerFullError(f"{NUMBERS:,} packets are not acknowledged yet, the maximum")
        self._last = self._last % NUMBERS + 1
        while self._last in self._tags:
            self._last = self._last % NUMBERS + 1
        self._tags[self._last] = tag
        return self._last.to_bytes(2, "big")


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length of the packet at a place, and where its body begins; -1 where the length is not whole."""
    size = 0
    for place, byte in enumerate(data[at + 1 : at + 5]):
        size |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return size, at + place + 2
    if len(data) - at >= 5:
        raise BrokenStreamError("the length of a packet has more than 4 bytes")
    return 0, -1


def _failed(codes: Iterable[int]) -> dict[str, bool]:
    """That a reason code is a failure, whichever: protocols need not list them."""
    return {"failed": True} if any(code >= FAILED for code in codes) else {}


def _acknowledgement(kind: int, number: int) -> bytes:
    return bytes((kind << 4 | (2 if kind == PUBREL else 0), 2)) + number.to_bytes(2, "big")


def _topics(fields: MessageFields) -> list[Any]:
    """The topics of a message: one, or a list."""
    return fields.items("topics") or [fields.take("topic")]
