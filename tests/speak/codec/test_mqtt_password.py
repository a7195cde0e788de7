"""Where a packet CONNECT of MQTT has its password."""

from __future__ import annotations

import pytest

from loadtest.speak.codec.mqtt_fields import varint
from loadtest.speak.codec.mqtt_password import connect_password


def sized(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def connect(level: int, flags: int, *fields: bytes, name: str = "MQTT") -> bytes:
    properties = b"\x05\x11\0\0\0\x0a" if level == 5 else b""
    body = sized(name) + bytes((level, flags)) + b"\0\x3c" + properties + sized("id") + b"".join(fields)
    return b"\x10" + varint(len(body)) + body


USER, PASSWORD, WILL = sized("user"), sized("hush-1"), sized("topic") + sized("gone")


@pytest.mark.parametrize(
    ("packet", "password"),
    [
        (connect(4, 0xC2, USER, PASSWORD), "hush-1"),
        (connect(4, 0xC6, WILL, USER, PASSWORD), "hush-1"),
        (connect(5, 0xC2, USER, PASSWORD), "hush-1"),
        (connect(5, 0x46, b"\x02\x01\x01" + WILL, PASSWORD), "hush-1"),
        (connect(3, 0xC2, USER, PASSWORD, name="MQIsdp"), "hush-1"),
        (connect(4, 0x82, USER), ""),
        (connect(4, 0xC2, USER, PASSWORD)[:-1], ""),
        (connect(4, 0xC2, USER, PASSWORD, name="MQ"), ""),
        (b"\x30\x02hi", ""),
        (b"", ""),
    ],
)
def test_the_password_of_a_connect(packet: bytes, password: str) -> None:
    assert connect_password(packet) == password
