"""The properties of MQTT 5 (section 2.2.2.2): their numbers, names and forms."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from loadtest.speak.codec.mqtt_fields import PacketReader, data_of, number_of, text_of, varint

_BYTE, _TWO, _FOUR, _VARINT, _TEXT, _DATA, _PAIR = range(7)

_FORMS: Final = {
    1: ("payload_format_indicator", _BYTE),
    2: ("message_expiry_interval", _FOUR),
    3: ("content_type", _TEXT),
    8: ("response_topic", _TEXT),
    9: ("correlation_data", _DATA),
    11: ("subscription_identifier", _VARINT),
    17: ("session_expiry_interval", _FOUR),
    18: ("assigned_client_identifier", _TEXT),
    19: ("server_keep_alive", _TWO),
    21: ("authentication_method", _TEXT),
    22: ("authentication_data", _DATA),
    23: ("request_problem_information", _BYTE),
    24: ("will_delay_interval", _FOUR),
    25: ("request_response_information", _BYTE),
    26: ("response_information", _TEXT),
    28: ("server_reference", _TEXT),
    31: ("reason_string", _TEXT),
    33: ("receive_maximum", _TWO),
    34: ("topic_alias_maximum", _TWO),
    35: ("topic_alias", _TWO),
    36: ("maximum_qos", _BYTE),
    37: ("retain_available", _BYTE),
    38: ("user_property", _PAIR),
    39: ("maximum_packet_size", _FOUR),
    40: ("wildcard_subscription_available", _BYTE),
    41: ("subscription_identifier_available", _BYTE),
    42: ("shared_subscription_available", _BYTE),
}
_NUMBERS: Final = {name: (number, form) for number, (name, form) in _FORMS.items()}
_SIZES: Final = {_BYTE: 1, _TWO: 2, _FOUR: 4}


def read_properties(packet: PacketReader) -> dict[str, Any]:
    """The properties at the place of a packet; user properties as one object, bytes as base64."""
    end = packet.varint() + packet.at
    if end > packet.end:
        raise ValueError("the properties are longer than the packet")
    found: dict[str, Any] = {}
    while packet.at < end:
        number = packet.varint()
        if number not in _FORMS:
            raise ValueError(f"MQTT 5 has no property {number}")
        name, form = _FORMS[number]
        if form == _PAIR:
            key = packet.text()
            found.setdefault(name, {})[key] = packet.text()
        elif form == _TEXT:
            found[name] = packet.text()
        elif form == _DATA:
            found[name] = base64.b64encode(packet.data()).decode()
        else:
            found[name] = packet.varint() if form == _VARINT else packet.number(_SIZES[form])
    if packet.at != end:
        raise ValueError("a property is longer than the declared length of all")
    return found


def write_properties(values: Any) -> bytes:
    """Properties as they are sent."""
    if not isinstance(values, Mapping):
        raise ValueError("`properties` must be an object")  # noqa: TRY004 - as all wrong values of a message
    found = b"".join(_written(name, value) for name, value in values.items())
    return varint(len(found)) + found


def _written(name: str, value: Any) -> bytes:
    if name not in _NUMBERS:
        raise ValueError(f"`{name}` is not a property of MQTT 5")
    number, form = _NUMBERS[name]
    head = bytes((number,))
    if form == _PAIR:
        if not isinstance(value, Mapping):
            raise ValueError(f"`{name}` must be an object of text")
        return b"".join(head + text_of(name, key) + text_of(name, each) for key, each in value.items())
    if form == _TEXT:
        return head + text_of(name, value)
    if form == _DATA:
        return head + data_of(name, value)
    if form == _VARINT:
        return head + varint(int.from_bytes(number_of(name, value, 4), "big"))
    return head + number_of(name, value, _SIZES[form])
