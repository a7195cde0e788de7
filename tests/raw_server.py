"""A WebSocket server of plain sockets and threads, for answers that no library would give.

A script gets a ``Peer`` for each connection, and says all that goes over it; when it returns, the connection
is closed.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.utils import accept_key

WITHIN_S = 60.0


class Peer:
    """The server's end of one connection; ``number`` counts connections from 0."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.headers: dict[str, str] = {}
        self.request = ""
        self._protocol = ServerProtocol(state=OPEN, max_size=None)
        self._sending = threading.Lock()

    def read_request(self) -> None:
        """Take the upgrade request; ``headers`` are by name in small letters."""
        found = b""
        while b"\r\n\r\n" not in found:
            data = self.sock.recv(65_536)
            if not data:
                raise ConnectionError("the client left before its request was whole")
            found += data
        self.request, *lines = found.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
        self.headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}

    def agree(self, *more: str, before: bytes = b"") -> Self:
        """Agree to the upgrade, with more headers; ``before`` goes out first."""
        if not self.headers:
            self.read_request()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(self.headers['sec-websocket-key'])}",
            *more,
        ]
        self.send_bytes(before + ("\r\n".join(lines) + "\r\n\r\n").encode())
        return self

    def answer(self, text: str) -> None:
        """Answer the request with these words, lines ending as HTTP wants it."""
        if not self.headers:
            self.read_request()
        self.send_bytes(text.replace("\n", "\r\n").encode())

    def send_bytes(self, data: bytes) -> None:
        with self._sending:
            self.sock.sendall(data)

    def send(self, payload: bytes | str | dict[str, Any], opcode: Opcode = Opcode.TEXT) -> None:
        """Send one frame; a dictionary as JSON."""
        self.send_bytes(framed(payload, opcode))

    def send_later(self, after_s: float, payload: bytes, opcode: Opcode) -> None:
        """Send one frame, if the connection is still there by then."""

        def send() -> None:
            with suppress(OSError):
                self.send(payload, opcode)

        threading.Timer(after_s, send).start()

    def frames(self) -> Iterator[Frame]:
        """What the client sends, until it leaves; its close is answered."""
        while data := self.sock.recv(65_536):
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                assert isinstance(frame, Frame)
                if frame.opcode is Opcode.CLOSE:
                    with suppress(OSError):
                        self.send(bytes(frame.data)[:2], Opcode.CLOSE)
                    return
                yield frame

    def messages(self) -> Iterator[dict[str, Any]]:
        """The JSON messages that the client sends; its pings are answered."""
        for frame in self.frames():
            if frame.opcode is Opcode.PING:
                self.send(bytes(frame.data), Opcode.PONG)
            elif frame.opcode is Opcode.TEXT:
                yield json.loads(bytes(frame.data))

    def echo(self) -> None:
        """Send every message back as it came."""
        for message in self.messages():
            self.send(message)


def framed(payload: bytes | str | dict[str, Any], opcode: Opcode = Opcode.TEXT) -> bytes:
    """A server's frame."""
    if isinstance(payload, dict):
        payload = json.dumps(payload)
    data = payload.encode() if isinstance(payload, str) else payload
    return Frame(opcode, data).serialize(mask=False)


Script = Callable[[Peer], object]


@contextmanager
def raw_server(script: Script, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve each connection with ``script`` in a thread of its own; gives the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=128)
    ending = threading.Event()
    peers: list[socket.socket] = []

    def serve(sock: socket.socket, number: int) -> None:
        with suppress(OSError, ConnectionError), sock:
            script(Peer(sock, number))

    def accept() -> None:
        number = 0
        while not ending.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.settimeout(WITHIN_S)
            peers.append(sock)
            threading.Thread(target=serve, args=(sock, number), daemon=True).start()
            number += 1

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ending.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in peers:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        thread.join(5)
