"""A capture of Socket.IO as the wire has it: in messages, drafted, and played to the draft."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import read_protocol
from loadtest.plan.toml_lines import parse_toml
from loadtest.plan.toml_reader import Source, TomlTable
from loadtest.speak.capture_draft import draft
from loadtest.speak.captured_wire import BEGUN_BY_HTTP, captured_wire, messages_for
from loadtest.speak.codec.factory import codec_problems
from loadtest.speak.codec.socketio import SocketIo
from loadtest.speak.draft_toml import protocol_text
from loadtest.speak.replay import replay

OPEN = '0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'


def frames(*said: tuple[str, str | bytes]) -> list[CapturedFrame]:
    """ "<" to us, ">" from us; one a second."""
    return [
        CapturedFrame(at * 10**9, way == "<", payload.encode(), line=at + 1)
        if isinstance(payload, str)
        else CapturedFrame(at * 10**9, way == "<", payload, binary=True, line=at + 1)
        for at, (way, payload) in enumerate(said)
    ]


def found(*said: tuple[str, str | bytes]) -> list[Any]:
    wire = captured_wire(frames(*said))
    assert wire.codec == "socketio"
    return [json.loads(frame.payload) for frame in wire.frames]


def session(turns: int) -> list[tuple[str, str | bytes]]:
    said: list[tuple[str, str | bytes]] = [("<", OPEN), (">", "40"), ("<", '40{"sid":"b"}')]
    said += [("<", '42["hello",{"at":1}]')]
    for n in range(turns):
        said += [
            (">", f'42{n}["ask",{{"id":"q{n}-abc","text":"why number {n}"}}]'),
            ("<", "2"),
            (">", "3"),
            ("<", f'42["note",{{"id":"q{n}-abc"}}]'),
            ("<", f'461-{n}[{{"id":"q{n}-abc","sound":{{"_placeholder":true,"num":0}}}}]'),
            ("<", b"\x01\x02\x03"),
        ]
    return said


def test_a_session_becomes_a_protocol_with_a_codec_that_its_capture_proves() -> None:
    captured = frames(*session(3))
    wire = captured_wire(captured)
    made = draft(wire.frames, wire)
    source = Source("drafted")
    protocol = read_protocol(TomlTable(parse_toml(protocol_text(made, "drafted")), source), "drafted")
    assert source.problems == []
    assert codec_problems(protocol) == []
    assert protocol.codec is not None
    assert protocol.codec.name == "socketio"
    assert made.message == (
        '{"type":"event","event":"ask","data":{"id":"{turn.id}","text":"{data.text}"},"ack":"{turn.id}"}'
    )
    assert made.turn == ["ack"]
    assert made.ignore == ["hello", "note"]
    assert [text or condition for condition, text, _ in made.ready] == [
        "open",
        '{"type":"connect"}',
        "connect",
    ]
    played = replay(protocol, messages_for(protocol, captured))
    assert len(played.turns) == 3
    assert not played.unending
    assert played.unmatched() == []


def test_a_turn_that_is_answered_by_an_event_is_known_by_its_own_id() -> None:
    said = session(0)
    for n in range(2):
        said += [(">", f'42["ask",{{"id":"q{n}-abc"}}]'), ("<", f'42["answer",{{"id":"q{n}-abc"}}]')]
    wire = captured_wire(frames(*said))
    made = draft(wire.frames, wire)
    assert made.message == '{"type":"event","event":"ask","data":{"id":"{turn.id}"}}'
    assert (made.turn, made.type, made.count) == (["data.id"], ["event", "type"], 1)


def test_a_client_that_began_by_http_has_the_usual_steps_before() -> None:
    said: list[tuple[str, str | bytes]] = [(">", "2probe"), ("<", "3probe"), (">", "5"), (">", '421["ask"]')]
    # What was asked by HTTP, and the rest of its answer.
    said += [("<", '430["before"]'), ("<", b"\x01"), ("<", '431["so"]')]
    wire = captured_wire(frames(*said))
    assert wire.notes == (BEGUN_BY_HTTP,)
    assert [json.loads(frame.payload)["type"] for frame in wire.frames] == [
        "open", "connect", "connect", "event", "ack",
    ]  # fmt: skip
    assert [frame.inward for frame in wire.frames] == [True, False, True, False, True]


def test_bytes_that_were_sent_can_be_sent_again() -> None:
    sent: tuple[tuple[str, str | bytes], ...] = (
        (">", '452-["put",[{"_placeholder":true,"num":0}],{"b":{"_placeholder":true,"num":1}}]'),
        (">", b"\x01"),
        (">", b"\x02\x03"),
    )
    _, message = found(("<", OPEN), *sent)
    assert message == {
        "type": "event",
        "event": "put",
        "data": [{"base64": "AQ=="}],
        "more": [{"b": {"base64": "AgM="}}],
    }
    assert SocketIo().encode(message) == [payload for _, payload in sent]
    # What only looks like an attachment is what it is.
    (_, plain) = found(("<", OPEN), (">", '42["put",{"binary":true,"size":4}]'))
    assert plain["data"] == {"binary": True, "size": 4}


def test_namespaces_and_acknowledgements_of_ours() -> None:
    messages = found(
        ("<", OPEN),
        (">", '42/a,7["ask"]'),
        ("<", '427["confirm"]'),
        (">", '437["yes"]'),
        ("<", '43/a,7["so"]'),
        ("<", '439["what was never asked"]'),
    )
    assert messages[1:] == [
        {"type": "event", "namespace": "/a", "event": "ask", "ack": "ack/a7"},
        {"type": "event", "namespace": "/", "event": "confirm", "id": 7},
        {"type": "ack", "id": 7, "data": "yes"},
        {"type": "ack", "namespace": "/a", "id": 7, "ack": "ack/a7", "data": "so"},
        {"type": "ack", "namespace": "/", "id": 9, "ack": None, "data": "what was never asked"},
    ]
    assert SocketIo().encode(messages[3]) == '437["yes"]'


@pytest.mark.parametrize("wrong", ["4", "42", "7", '42["a"'])
def test_what_cannot_be_read_stays_as_it_is(wrong: str) -> None:
    wire = captured_wire(frames(("<", OPEN), ("<", wrong)))
    assert wire.frames[1].text == wrong


def test_a_packet_that_lacks_its_attachments_stays_as_it_is() -> None:
    wire = captured_wire(
        frames(("<", OPEN), ("<", '451-["a",{"_placeholder":true,"num":0}]'), ("<", '42["b"]'))
    )
    assert [frame.text for frame in wire.frames[1:]] == [
        '42["b"]', '{"type": "event", "namespace": "/", "event": "b"}',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "said", [[], [("<", '{"type":"welcome"}')], [(">", "x")], [("<", "0{1"), (">", "2probe?")]]
)
def test_where_a_message_is_a_frame_nothing_changes(said: list[tuple[str, str | bytes]]) -> None:
    captured = tuple(frames(*said))
    wire = captured_wire(captured)
    assert (wire.frames, wire.codec, wire.types, wire.notes) == (captured, "", (), ())


def test_a_capture_in_messages_is_played_as_it_is() -> None:
    captured = tuple(frames(*session(1)))
    plain = Protocol(name="plain")
    assert messages_for(plain, captured) == captured
    wire = captured_wire(captured)
    assert captured_wire(wire.frames).codec == ""


def test_records_that_end_with_a_separator_are_messages() -> None:
    end = "\x1e"
    said: list[tuple[str, str | bytes]] = [
        (">", f'{{"protocol":"json","version":1}}{end}'),
        ("<", f'{{"type":0}}{end}'),
    ]
    for n in range(3):
        said += [
            (">", f'{{"type":1,"invocationId":"{n}7","target":"Ask","arguments":["why {n}"]}}{end}'),
            ("<", f'{{"type":6}}{end}{{"type":3,"invocationId":"{n}7","result":1}}{end}'),
            ("<", b"\x01"),
        ]
    captured = frames(*said)
    wire = captured_wire(captured)
    assert wire.split == end
    assert len(wire.frames) == 2 + 3 * 4
    made = draft(wire.frames, wire)
    source = Source("drafted")
    text = protocol_text(made, "drafted")
    protocol = read_protocol(TomlTable(parse_toml(text), source), "drafted")
    assert source.problems == []
    assert 'split = "\\u001e"' in text
    assert made.turn == ["invocationId"]
    played = replay(protocol, messages_for(protocol, captured))
    assert (len(played.turns), played.unending) == (3, [])


@pytest.mark.parametrize(
    ("said", "records"),
    [
        ([">", '{"id":1}\n{"id":2}', "<", '{"id":1}\n\n{}\n'], 4),
        ([">", '{"id":1}\n', "<", '{"id":1}'], 0),
        ([">", '{\n"id":1}', "<", '{"id":1}\n{}'], 0),
        ([">", "HELLO\nme", "<", "WELCOME"], 0),
    ],
)
def test_lines_are_records_where_each_is_a_json_object(said: list[str], records: int) -> None:
    captured = frames(*zip(said[::2], said[1::2], strict=True))
    wire = captured_wire(captured)
    assert wire.split == ("\n" if records else "")
    assert len(wire.frames) == (records or 2)
