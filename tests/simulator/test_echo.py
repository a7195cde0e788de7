from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from loadtest.simulator.process import Simulator

Start = Callable[..., Simulator]
Open = Callable[..., Any]


@pytest.mark.parametrize("message", ["", "héllo", b"", b"\x00\xff" * 10, "x" * 125, "x" * 126, "x" * 70_000])
def test_every_message_comes_back_as_it_was(honest: Simulator, opened: Open, message: str | bytes) -> None:
    connection = opened(honest, "/echo")
    connection.send(message)
    assert connection.recv(60) == message


def test_fragments_come_back_as_one_message(honest: Simulator, opened: Open) -> None:
    connection = opened(honest, "/echo")
    connection.send(["a", "", "b" * 1000, "c"])
    connection.send([b"\x00", b"\x01"])
    assert [connection.recv(60), connection.recv(60)] == ["a" + "b" * 1000 + "c", b"\x00\x01"]


def test_compressed_messages_come_back_where_both_sides_want_it(start: Start, opened: Open) -> None:
    connection = opened(start(compression=True), "/echo", compression="deflate")
    assert connection.protocol.extensions
    connection.send("x" * 10_000)
    assert connection.recv(60) == "x" * 10_000


def test_compression_is_off_by_default(honest: Simulator, opened: Open) -> None:
    assert not opened(honest, "/echo", compression="deflate").protocol.extensions


def test_text_that_is_not_utf_8_is_an_error_of_the_protocol(honest: Simulator, opened: Open) -> None:
    connection = opened(honest, "/echo")
    with connection.send_context():
        connection.protocol.send_text(b"\xff\xfe")
    with pytest.raises(ConnectionClosedError, match="1007"):
        connection.recv(60)


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        ('{"id":7,"method":"m","params":{"a":[1,2]}}', '{"id":7,"result":{"a":[1,2]}}'),
        ('{"id":"q","jsonrpc":"2.0"}', '{"id":"q","result":null}'),
        (b'{"id":null}', '{"id":null,"result":null}'),
    ],
)
def test_a_call_is_answered_by_its_id(honest: Simulator, opened: Open, call: str | bytes, reply: str) -> None:
    connection = opened(honest, "/json-id")
    connection.send(call)
    assert connection.recv(60) == reply


def test_what_is_no_call_is_answered_by_an_error(honest: Simulator, opened: Open) -> None:
    connection = opened(honest, "/json-id")
    connection.send("[1]")
    assert json.loads(connection.recv(60))["error"]["code"] == -32700


def test_echoes_can_be_dropped_and_sent_twice(start: Start, opened: Open) -> None:
    for fault, replies in (("drop=1", 0), ("duplicate=1", 2), ("blackhole=1", 0), ("delay=1ms", 1)):
        simulator = start(fault)
        connection = opened(simulator, "/echo")
        connection.send("one")
        assert [connection.recv(60) for _ in range(replies)] == ["one"] * replies
        connection.ping().wait(60)
        assert simulator.stats()["events"]["sent"] == replies
    with pytest.raises(TimeoutError):
        connection.recv(0.02)


def test_half_a_reply_can_come_before_the_reply(start: Start, opened: Open) -> None:
    connection = opened(start("malformed=1"), "/json-id")
    connection.send('{"id":1,"params":"abcdef"}')
    assert [connection.recv(60), connection.recv(60)] == ['{"id":1,"resu', '{"id":1,"result":"abcdef"}']


def test_echoes_count_as_turns_of_one_event(start: Start, opened: Open) -> None:
    simulator = start()
    connection = opened(simulator, "/echo")
    for n in range(20):
        connection.send(str(n))
    assert [connection.recv(60) for _ in range(20)] == [str(n) for n in range(20)]
    stats = simulator.stats()
    assert (stats["turns"]["begun"], stats["turns"]["completed"], stats["events"]["sent"]) == (20, 20, 20)
