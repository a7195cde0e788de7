"""A target that says twice what it should say once does not pass, whatever tells a turn's end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Opcode

from tests.end_to_end.conftest import RunIt
from tests.raw_server import Peer, Script, raw_server

pytestmark = pytest.mark.long

LOAD = """
name = "twice"
PROTOCOL
[target]
url = "ws://127.0.0.1:PORT/x"
[load]
connections = 2
duration = '1s'
[traffic]
every = '100ms'
timeout = '1s'
"""

OWN = """
[protocol]
name = "p"
[protocol.turn]
message = '{"id":"{turn.id}"}'
[protocol.events]
type = ["type"]
turn = ["id"]
"""

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Packets of MQTT, each shorter than 16 KiB."""
    while data:
        size, start = data[1] & 0x7F, 2
        if data[1] & 0x80:
            size, start = size + (data[2] << 7), 3
        yield data[0] >> 4, data[start : start + size]
        data = data[start + size :]


def packet(head: int, body: bytes) -> bytes:
    size = len(body)
    return bytes([head, *((size,) if size < 128 else (size & 0x7F | 0x80, size >> 7))]) + body


def broker(times: int, later_s: float) -> Script:
    """An MQTT broker with one client for each topic; what is published comes so many times."""

    def serve(peer: Peer) -> None:
        peer.agree("Sec-WebSocket-Protocol: mqtt")
        for frame in peer.frames():
            for kind, body in packets(bytes(frame.data)):
                if kind == CONNECT:
                    peer.send(b"\x20\x02\x00\x00", Opcode.BINARY)
                elif kind == SUBSCRIBE:
                    peer.send(packet(0x90, body[:2] + b"\x01"), Opcode.BINARY)
                elif kind == PUBLISH:
                    topic = body[: 2 + int.from_bytes(body[:2], "big")]
                    number, payload = body[len(topic) :][:2], body[len(topic) + 2 :]
                    peer.send(packet(0x40, number), Opcode.BINARY)
                    for nth in range(times):
                        again(peer, nth * later_s, packet(0x30, topic + payload), Opcode.BINARY)

    return serve


def again(peer: Peer, after_s: float, payload: bytes, opcode: Opcode = Opcode.TEXT) -> None:
    def send() -> None:
        with suppress(OSError):
            peer.send(payload, opcode)

    if after_s:
        threading.Timer(after_s, send).start()
    else:
        send()


def answers(times: int, later_s: float) -> Script:
    def serve(peer: Peer) -> None:
        for message in peer.agree().messages():
            for nth in range(times):
                again(peer, nth * later_s, b'{"type":"done","id":"%s"}' % message["id"].encode())

    return serve


CASES: dict[str, tuple[Callable[[int, float], Script], str, int, str]] = {
    "mqtt": (broker, 'protocol = "mqtt"', 1, "turns.ended_again.ratio"),
    "end": (answers, OWN + 'end = ["done"]', 1, "turns.ended_again.ratio"),
    "count": (answers, OWN + "count = 1", 4, "Either the target sends events twice"),
}


def counted(run: RunIt, folder: Path, script: Script, protocol: str) -> Any:
    with raw_server(script) as port:
        (folder / "twice.toml").write_text(LOAD.replace("PROTOCOL", protocol).replace("PORT", str(port)))
        return run("run", folder / "twice.toml")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("later_s", [0.0, 0.02])
def test_what_is_said_twice_does_not_pass(run: RunIt, tmp_path: Path, case: str, later_s: float) -> None:
    make, protocol, code, reason = CASES[case]
    ended = counted(run, tmp_path, make(2, later_s), protocol)
    assert ended.code == code, ended.screen
    assert reason in ended.manifest["verdict"]["reason"]


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_once_passes(run: RunIt, tmp_path: Path, case: str) -> None:
    make, protocol, _, _ = CASES[case]
    ended = counted(run, tmp_path, make(1, 0.0), protocol)
    assert ended.code == 0, ended.screen
    assert ended.manifest["counts"]["events"]["late"] == 0
