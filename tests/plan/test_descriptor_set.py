"""A descriptor set is read with its protocol, and every mistake in its use is told with its line, at once."""

from __future__ import annotations

import base64
import json
import sys

import pytest

from loadtest.plan.descriptor_set import MADE_BY, MAX_BYTES, MISSING, descriptors_of
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.protocol_summary import understood
from loadtest.plan.scenario_file import public_settings, scenario_from_settings, worker_settings
from loadtest.plan.settings import protocol_settings
from tests.descriptors import descriptor_set, desk, field, old
from tests.plan.conftest import Folder, protocol_from_settings

CODEC = (
    'codec = { name = "protobuf", descriptors = "api/desk.pb",'
    ' send = "desk.v1.Ask", receive = "desk.v1.Event" }'
)

REST = """
[turn]
message = '{"id":"{turn.id}"}'
[events]
turn = ["id"]
end = [ { has = "done" } ]
"""

SCENARIO = """
[target]
url = "ws://127.0.0.1:1"
[load]
connections = 1
duration = "1s"
[traffic]
every = "1s"
"""


@pytest.fixture
def api(folder: Folder) -> Folder:
    """A folder with the compiled descriptors in it."""
    folder.write("api/desk.pb", descriptor_set(desk()))
    return folder


def test_the_file_is_found_beside_the_protocol_and_goes_with_it(api: Folder) -> None:
    protocol = api.protocol(CODEC + REST)
    assert protocol.codec is not None
    settings = protocol.codec.settings
    assert [settings["send"], settings["receive"], "defaults" in settings] == [
        "desk.v1.Ask",
        "desk.v1.Event",
        False,
    ]
    (api.path / "api/desk.pb").unlink()
    assert protocol_from_settings(protocol_settings(protocol)) == protocol
    assert ("descriptors = api/desk.pb, send = desk.v1.Ask") in dict(understood(protocol))["codec"]
    messages = descriptors_of(settings["descriptors"]["base64"]).messages  # type: ignore[index]  # it is the file
    assert [name for name in messages if name.startswith("desk.")] == [
        "desk.v1.Ask",
        "desk.v1.Event",
        "desk.v1.Event.Done",
        "desk.v1.Event.Word",
    ]


def test_workers_get_its_content_and_reports_its_hash(api: Folder) -> None:
    api.write("mine.protocol.toml", CODEC.replace(" }", ", defaults = true }") + REST)
    scenario = api.load('protocol = "mine.protocol.toml"' + SCENARIO)
    assert scenario_from_settings(json.loads(json.dumps(worker_settings(scenario)))) == scenario
    public = public_settings(scenario)["protocol"]["codec"]  # type: ignore[index]  # it is a table
    assert public["descriptors"].keys() == {"file", "bytes", "sha256"}
    assert (public["defaults"], public["descriptors"]["file"]) == (True, "api/desk.pb")
    before = scenario.sha256
    api.write("api/desk.pb", descriptor_set(desk(), old()))
    assert api.load('protocol = "mine.protocol.toml"' + SCENARIO).sha256 != before


def test_it_may_stand_in_the_scenario_itself(api: Folder) -> None:
    protocol = api.load(
        f'[protocol]\nname = "own"\n{CODEC}\n'
        + REST.replace("[turn]", "[protocol.turn]").replace("[events]", "[protocol.events]")
        + SCENARIO
    ).protocol
    assert protocol.codec is not None
    assert str(protocol.codec.settings["descriptors"]) == "api/desk.pb"


@pytest.mark.parametrize(
    ("codec", "told"),
    [
        (
            'codec = "protobuf"',
            [
                f"1: `descriptors` is missing: the path of a compiled descriptor set; {MADE_BY}",
                '1: `send` is missing; write the message type that is sent, such as "chat.v1.Message"',
                '1: `receive` is missing; write the message type that is received, such as "chat.v1.Message"',
            ],
        ),
        (
            (
                '[codec]\nname = "protobuf"\ndescriptors = "api/desk.pb"\n'
                'send = "desk.v1.Aks"\nreceive = 5\nextra = 1'
            ),
            [
                "4: `send`: api/desk.pb has no message type `desk.v1.Aks`; did you mean `desk.v1.Ask`?",
                "5: `receive` must be text, not 5",
                "6: unknown key `extra`; known here: name, descriptors, send, receive, defaults",
            ],
        ),
        (
            '[codec]\nname = "protobuf"\ndescriptors = ""\nsend = "a"\nreceive = "b"',
            ['3: `descriptors` must be the path of a file, not ""'],
        ),
        (
            '[codec]\nname = "protobuf"\ndescriptors = "none.pb"\nsend = "a"\nreceive = "b"',
            [f"3: `descriptors`: none.pb: there is no such file; {MADE_BY}"],
        ),
    ],
)
def test_mistakes_are_told_together_each_with_its_line(api: Folder, codec: str, told: list[str]) -> None:
    text = codec + REST if codec.startswith("codec") else REST.replace("\n[turn]", codec + "\n[turn]", 1)
    assert api.protocol_mistakes(text) == told


NESTED = descriptor_set(desk())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xff", f"this is not a compiled descriptor set; {MADE_BY}"),
        (b'syntax = "proto3";\nmessage A {}\n', "descriptor set"),
        (b"", f"the file contains no message types, so it may not be a descriptor set; {MADE_BY}"),
        (NESTED[:-40], f"this is not a compiled descriptor set; {MADE_BY}"),
        (
            descriptor_set(desk(), imports=False),
            f"the file imports `google/protobuf/struct.proto`, but does not contain it; {MADE_BY}",
        ),
    ],
)
def test_a_wrong_file_is_told(folder: Folder, content: bytes, why: str) -> None:
    folder.write("api/desk.pb", content)
    (told,) = folder.protocol_mistakes(CODEC + REST)
    assert told.startswith("1: `descriptors`: api/desk.pb: ")
    assert why in told


def test_types_that_do_not_fit_together_are_told() -> None:
    wrong = old()
    wrong.message_type[0].field.append(field("other", 2, ".old.Nothing"))
    content = base64.b64encode(descriptor_set(wrong)).decode()
    with pytest.raises(ValueError, match="the types in the file contradict each other"):
        descriptors_of(content)


def test_a_file_is_read_up_to_a_size(folder: Folder) -> None:
    folder.write("api/desk.pb", b"\0" * (MAX_BYTES + 1))
    (told,) = folder.protocol_mistakes(CODEC + REST)
    assert "the file is larger than 4 MiB" in told


def test_without_the_library_it_says_what_to_install(api: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors_of.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf.descriptor_pb2", None)
    assert api.protocol_mistakes(CODEC + REST) == [f"1: {MISSING}"]


def test_a_file_that_has_no_package(folder: Folder) -> None:
    bare = old()
    bare.package = ""
    bare.extension[0].extendee = ".Ask"
    assert "Ask" in descriptors_of(base64.b64encode(descriptor_set(bare)).decode()).messages
    assert load_protocol("echo").codec is None
