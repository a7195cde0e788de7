"""The password in a packet CONNECT of MQTT, for what must not keep it (3.1.1 and 5, section 3.1)."""

from __future__ import annotations

from loadtest.speak.codec.mqtt_fields import PacketReader

CONNECT = 0x10

_NAMES = (b"MQTT", b"MQIsdp")
_USER, _PASSWORD, _WILL = 0x80, 0x40, 0x04


def connect_password(data: bytes) -> str:
    """The password, bytes that are no UTF-8 as surrogates; empty where the data is no such packet."""
    if data[:1] != bytes((CONNECT,)):
        return ""
    try:
        return _password(PacketReader(data[1:])).decode("utf-8", "surrogateescape")
    except ValueError:
        return ""


def _password(packet: PacketReader) -> bytes:
    packet.varint()
    if packet.data() not in _NAMES:
        return b""
    has_properties = packet.number(1) >= 5
    flags = packet.number(1)
    packet.number(2)
    if has_properties:
        packet.take(packet.varint())
    packet.data()
    if flags & _WILL and has_properties:
        packet.take(packet.varint())
    for _ in range(2 * bool(flags & _WILL) + bool(flags & _USER)):
        packet.data()
    return packet.data() if flags & _PASSWORD else b""
