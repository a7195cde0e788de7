"""`codec` and [framing] in protocol files: what is read, kept for workers, and refused with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.framing import CodecChoice, Framing
from loadtest.plan.settings import protocol_settings
from tests.plan.conftest import protocol_from_settings

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

REST = """
[turn]
message = '{"id":"{turn.id}"}'
[events]
type = ["type"]
turn = ["id"]
end = ["end"]
"""


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ('codec = "mqtt"', CodecChoice(name="mqtt")),
        (
            '[codec]\nname = "signalr"\nprotocol = "messagepack"',
            CodecChoice(name="signalr", settings={"protocol": "messagepack"}),
        ),
    ],
)
def test_a_codec_is_a_name_or_a_table_of_its_settings(folder: Folder, text: str, codec: CodecChoice) -> None:
    protocol = folder.protocol(f'held_against = "mosquitto 2"\n{text}\n{REST}')
    assert (protocol.codec, protocol.framing) == (codec, None)
    assert protocol.held_against == "mosquitto 2"
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


@pytest.mark.parametrize(
    ("text", "framing"),
    [
        ('split = "\\u001e"\nspans = true', Framing(split="\x1e", spans=True)),
        ('prefix = "42"\nbatch = true\nbinary = true', Framing(prefix="42", batch=True, binary=True)),
        ("batch = false", None),
    ],
)
def test_framing_is_read_and_reaches_the_workers(folder: Folder, text: str, framing: Framing | None) -> None:
    protocol = folder.protocol(f"[framing]\n{text}\n{REST}")
    assert (protocol.framing, protocol.codec) == (framing, None)
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("codec = 5", ["1: `codec` must be a name or a table with `name`, not 5"]),
        ('[codec]\nprotocol = "x"', ["1: `codec` must be a name or a table with `name`, not a table"]),
        ('[framing]\nsplit = "ab"', ['2: `split` must be one ASCII character, such as "\\n", not "ab"']),
        ('[framing]\nsplit = "é"', ['2: `split` must be one ASCII character, such as "\\n", not "é"']),
        ('[framing]\nprefix = "12345678901234567"', ["2: `prefix` may have at most 16 characters"]),
        (
            "[framing]\nspans = true",
            ["2: `spans` works only with `split`: without `split` each frame is one message"],
        ),
        ("[framing]\nbach = true", ["2: unknown key `bach`; did you mean `batch`?"]),
        (
            'codec = "mqtt"\n[framing]\nbatch = true',
            ["2: remove [framing] or `codec`: a codec splits its frames itself"],
        ),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, mistakes: list[str]) -> None:
    assert folder.protocol_mistakes(f"{text}\n{REST}") == mistakes


def test_a_codec_leaves_no_choice_of_format_and_encoding(folder: Folder) -> None:
    turn = '[turn]\nmessage = "{turn.id}"\nencoding = "binary"\n'
    text = f'codec = "mqtt"\n{turn}[events]\nformat = "opaque"\ncount = 1'
    assert folder.protocol_mistakes(text) == [
        "4: remove `encoding`: a codec makes its own frames",
        "6: remove `format`: with a codec every message is JSON",
    ]


def test_what_makes_json_of_frames_goes_with_json_only(folder: Folder) -> None:
    text = (
        '[framing]\nsplit = "\\n"\nprefix = "a"\nbatch = true\nbinary = true\n[turn]\nmessage = "{turn.id}"\n'
    )
    assert folder.protocol_mistakes(f'{text}[events]\nformat = "opaque"\ncount = 1') == [
        '3: `prefix` works only with format = "json"',
        '4: `batch` works only with format = "json"',
        '5: `binary` works only with format = "json"',
        (
            '5: `binary` needs the path "type" in `type` of [events]: a binary frame becomes an event of the'
            ' type "binary"'
        ),
    ]
    assert (
        folder.protocol('[framing]\nsplit = "\\n"\n[events]\nformat = "opaque"\ncount = 1').framing
        is not None
    )


def test_binary_events_need_a_path_for_their_type(folder: Folder) -> None:
    text = f"[framing]\nbinary = true\n{REST.replace('type = [', 'type = [')}".replace(
        '["type"]', '["event"]'
    )
    assert folder.protocol_mistakes(text) == [
        (
            '2: `binary` needs the path "type" in `type` of [events]: a binary frame becomes an event of the'
            ' type "binary"'
        )
    ]
