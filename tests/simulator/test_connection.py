"""What one connection bears: pings, large messages, slow readers, and clients that leave without a word."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from loadtest.simulator.connection import header
from loadtest.simulator.process import Simulator

Start = Callable[..., Simulator]
Open = Callable[..., Any]
Join = Callable[..., Any]

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
END = b'"Spend fell by four per cent."}},"seq":6}'


@given(st.integers(0, 200) | st.integers(65_000, 66_000))
def test_frames_are_those_of_websockets(length: int) -> None:
    payload = b"x" * length
    assert header(0x81, length) + payload == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_a_ping_is_answered(honest: Simulator, join: Join) -> None:
    assert join(honest).connection.ping().wait(60)


def test_pongs_can_be_missing_and_all_else_goes_on(start: Start, join: Join) -> None:
    simulator = start("no-pong")
    client = join(simulator)
    pong = client.connection.ping()
    client.connection.send('{"type":"ping"}')
    assert len(client.turn("run-1")) == 7
    assert not pong.wait(0.05)
    stats = simulator.stats()
    assert stats["pings"] == {"received": 1, "answered": 0}
    assert stats["messages"]["sent"] == 7
    client.connection.close()
    assert simulator.stats()["connections"]["closed_by_client"] == {"1000": 1}


def test_a_message_over_the_limit_closes_the_connection(start: Start, join: Join) -> None:
    simulator = start(max_message_bytes=1000)
    client = join(simulator)
    client.connection.send("x" * 1001)
    with pytest.raises(ConnectionClosed, match="1009"):
        client.event()
    assert simulator.stats()["connections"]["closed_by_server"] == {"1009": 1}


def test_a_client_that_vanishes_is_counted_without_a_close_frame(start: Start, join: Join) -> None:
    simulator = start()
    client = join(simulator)
    client.connection.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: simulator.health()["connections"]["open"] == 0)
    connections = simulator.health()["connections"]
    assert (connections["closed_without_frame"], connections["closed_by_client"]) == (1, {})


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within 60 s"
        time.sleep(0.01)


def flood(simulator: Simulator, turns: int) -> socket.socket:
    """A client that asks for turns and reads nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", simulator.port))
    reader.settimeout(60)
    reader.sendall(UPGRADE)
    while not reader.recv(4096).endswith(b"}"):
        pass  # the last of what comes before the first turn is the ready message
    message = Frame(Opcode.TEXT, b'{"type":"start_agent"}').serialize(mask=True)
    reader.sendall(message * turns)
    return reader


def test_messages_on_the_heels_of_the_upgrade_are_answered(honest: Simulator) -> None:
    message = Frame(Opcode.TEXT, b'{"type":"start_agent"}').serialize(mask=True)
    with socket.create_connection(("127.0.0.1", honest.port), timeout=60) as eager:
        eager.sendall(UPGRADE + message * 3)
        received = b""
        while received.count(b'"type":"agent_completed"') < 3 or not received.endswith(END):
            received += eager.recv(65_536)


def test_a_reader_that_stops_is_bounded_and_then_let_go(start: Start) -> None:
    simulator = start("huge=1MiB", slow_reader_ns=300_000_000)
    with flood(simulator, 500):
        wait_until(lambda: simulator.health()["turns"]["begun"] > 0)
        assert simulator.health()["turns"]["begun"] < 20, "no more is answered than the buffers hold"
        wait_until(lambda: simulator.health()["connections"]["slow_readers"] == 1)
        stats = simulator.health()
    assert stats["connections"]["open"] == 0
    assert stats["connections"]["closed_without_frame"] == 1
    assert stats["messages"]["unread"] > 0


def test_a_reader_that_catches_up_gets_everything(start: Start) -> None:
    simulator = start("huge=256KiB", slow_reader_ns=20_000_000_000)
    with flood(simulator, 100) as reader:
        wait_until(lambda: simulator.health()["turns"]["begun"] > 0)
        received = bytearray()
        while len(received) < 2 * 100 * 256 * 1024 or not received.endswith(END):
            received += reader.recv(1 << 20)
    assert received.count(b'"type":"agent_completed"') == 100
    assert simulator.health()["turns"]["completed"] == 100
