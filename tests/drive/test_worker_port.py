"""The port of the workers: who has the key is heard, a stranger is not, and no rubbish ends the listening."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gevent
import msgspec
import pytest
import zmq.green as zmq
from locust.exception import RPCError, RPCReceiveError, RPCSendError
from locust.rpc import Message, zmqrpc

from loadtest.drive import worker_port
from loadtest.drive.worker_port import GuardedClient, GuardedServer, guard

KEY, OTHER = "a-key-for-the-tests", "another-key-for-them"
WITHIN_S = 20.0
READY = Message("client_ready", "2.47.0", "whoever")


@pytest.fixture(autouse=True)
def locusts_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``guard`` sets is put back."""
    for name in ("Server", "Client"):
        monkeypatch.setattr(zmqrpc, name, getattr(zmqrpc, name))
    monkeypatch.setattr(GuardedServer, "pairs", None)
    monkeypatch.setattr(GuardedClient, "pairs", None)
    monkeypatch.setattr(worker_port, "RETRIES_S", ())


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def server(opened: ExitStack, key: str | None) -> Any:
    guard(key)
    made = zmqrpc.Server("127.0.0.1", 0)
    opened.callback(made.socket.context.destroy, 0)
    return made


def client(opened: ExitStack, port: int, key: str | None, name: str = "worker-1") -> Any:
    guard(key)
    made = zmqrpc.Client("127.0.0.1", port, name)
    opened.callback(made.socket.context.destroy, 0)
    return made


def stranger(opened: ExitStack, port: int) -> Any:
    """A ZeroMQ socket that says what it likes."""
    made = zmq.Context().socket(zmq.DEALER)
    # One that ZeroMQ gives is no text, and then nothing that it says is read.
    made.setsockopt(zmq.IDENTITY, b"stranger")
    made.connect(f"tcp://127.0.0.1:{port}")
    opened.callback(made.context.destroy, 0)
    return made


def heard(listening: Any) -> tuple[str, str, Any]:
    with gevent.Timeout(WITHIN_S):
        sender, message = listening.recv_from_client()
    assert message.node_id == sender
    return sender, message.type, message.data


@pytest.mark.parametrize("key", [KEY, None])
def test_a_worker_is_heard_and_answered(opened: ExitStack, key: str | None) -> None:
    listening = server(opened, key)
    worker = client(opened, listening.port, key)
    worker.send(READY)
    # By its connection: what it says its name is counts for nothing.
    assert heard(listening) == ("worker-1", "client_ready", "2.47.0")
    listening.send_to_client(Message("lt_plan", {"secret": 5}, "worker-1"))
    with gevent.Timeout(WITHIN_S):
        assert worker.recv().data == {"secret": 5}


@pytest.mark.parametrize("key", [OTHER, None])
def test_who_has_not_the_key_is_not_heard_and_others_are(opened: ExitStack, key: str | None) -> None:
    listening = server(opened, KEY)
    intruder = client(opened, listening.port, key, "intruder")
    try:
        intruder.send(READY)
    except RPCSendError as error:
        assert str(error) == "ZMQ sent failure"  # noqa: PT017 - as early as it is refused
    stranger(opened, listening.port).send(b"\xff")
    with socket.create_connection(("127.0.0.1", listening.port), timeout=10) as raw:
        raw.sendall(b"\x00")
        client(opened, listening.port, KEY).send(READY)
        assert heard(listening)[0] == "worker-1"
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.2):
        listening.recv_from_client()


def _packed(*parts: object) -> bytes:
    return msgspec.msgpack.encode(parts)


RUBBISH: dict[str, list[bytes]] = {
    "a byte": [b"\xff"],
    "nothing": [b""],
    "no list": [msgspec.msgpack.encode(7)],
    "cut": [_packed("client_ready", "2", "x")[:-3]],
    "more": [_packed("client_ready", "2", "x") + b"\x00"],
    "no text": [_packed(b"\xff\xfe", None, "x")],
    "a type that is a list": [_packed([], None, "x")],
    "nested": [b"\x91" * 5000],
    "a date that is none": [_packed("client_ready", {"__datetime__": True, "as_str": "x"}, "x")],
    "two frames": [b"", _packed("client_ready", "2", "x")],
    "unknown": [_packed("rm -rf", None, "x")],
    "a heart that does not beat": [_packed("heartbeat", None, "x")],
    "a heart without a number": [_packed("heartbeat", {"state": "ready", "current_cpu_usage": "hot"}, "x")],
    "empty statistics": [_packed("stats", {"user_classes_count": {}}, "x")],
    "logs": [_packed("logs", [], "x")],
    "an error": [_packed("exception", {"msg": 5}, "x")],
    "no users": [_packed("spawning_complete", {"user_classes_count": 5}, "x")],
    "no version": [_packed("locustfile", {}, "x")],
    "an old one": [_packed("client_ready", None, "x")],
}


def test_rubbish_is_dropped_and_the_next_message_is_heard(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    listening = server(opened, None)
    talking = stranger(opened, listening.port)
    for frames in RUBBISH.values():
        talking.send_multipart(frames)
    # The last of the same connection: all before it have been heard.
    talking.send(_packed("client_stopped", None, "x"))
    with gevent.Timeout(WITHIN_S):
        _, message = listening.recv_from_client()
    assert message.type == "client_stopped"
    assert caplog.messages == ["dropped a message from 127.0.0.1, which is no worker of this run"]


def test_a_name_that_is_no_text_is_not_heard(opened: ExitStack) -> None:
    listening = server(opened, None)
    talking = zmq.Context().socket(zmq.DEALER)
    opened.callback(talking.context.destroy, 0)
    talking.setsockopt(zmq.IDENTITY, b"\xff\xff")
    talking.connect(f"tcp://127.0.0.1:{listening.port}")
    talking.send(_packed("client_ready", "2", "x"))
    client(opened, listening.port, None).send(READY)
    assert heard(listening)[0] == "worker-1"


def test_without_a_key_another_machine_is_not_heard(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = iter(["10.0.0.7"])
    told: Callable[[Any], str] = lambda _frames: next(seen, "127.0.0.1")  # noqa: E731 - in the place of a function
    monkeypatch.setattr(worker_port, "_peer", told)
    listening = server(opened, None)
    worker = client(opened, listening.port, None)
    worker.send(READY)
    worker.send(Message("client_stopped", None, "x"))
    assert heard(listening)[1] == "client_stopped"
    assert "refused the worker 10.0.0.7" in caplog.messages[0]
    assert "--key-env or LOADTEST_KEY_ENV" in caplog.messages[0]


def test_a_worker_survives_what_is_no_message(opened: ExitStack) -> None:
    listening = server(opened, None)
    worker = client(opened, listening.port, None)
    worker.send(READY)
    heard(listening)
    listening.socket.send_multipart([b"worker-1", b"\xff"])
    with gevent.Timeout(WITHIN_S), pytest.raises(RPCReceiveError):
        worker.recv()
    listening.send_to_client(Message("ack", {"index": 0}, "worker-1"))
    with gevent.Timeout(WITHIN_S):
        assert worker.recv().type == "ack"


def test_an_address_that_is_taken_is_told_as_locust_expects_it(opened: ExitStack) -> None:
    listening = server(opened, None)
    with pytest.raises(RPCError, match="Socket bind failure: Address already in use"):
        zmqrpc.Server("127.0.0.1", listening.port)
