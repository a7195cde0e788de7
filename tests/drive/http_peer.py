"""A server of HTTP and WebSocket for a test: what it answers by path, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent.socket

from loadtest.drive.transport import Address
from tests.drive.serving import serving, until_left
from tests.drive.standing_in import agreed
from tests.end_to_end.certificates import Pair


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    head: bytes


Answer = bytes | Callable[[gevent.socket.socket, Asked], object]


def answer(body: object = "", status: str = "200 OK", **headers: str) -> bytes:
    """An answer with its length; what is no text is JSON."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def moved(where: str, status: str = "302 Found") -> bytes:
    return answer(status=status, Location=where)


@dataclass
class HttpPeer:
    """``answers`` by path without query; a WebSocket anywhere else."""

    answers: dict[str, Answer]
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    address: Address = field(default_factory=lambda: Address(2, ("", 0)))

    @property
    def port(self) -> int:
        return int(self.address.sockaddr[1])

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"

    def paths(self, method: str = "") -> list[str]:
        return [each.path for each in self.asked if each.method == method or not method]

    def serve(self, sock: gevent.socket.socket) -> None:
        self.connections += 1
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                data = sock.recv(65_536)
                if not data:
                    return
                rest += data
            asked, rest = self._request(sock, rest)
            self.asked.append(asked)
            if asked.headers.get("upgrade"):
                found = self.answers.get("ws:" + asked.path.partition("?")[0])
                if isinstance(found, bytes):
                    sock.sendall(found)
                    until_left(sock)
                    return
                self._talk(sock, asked)
                return
            found = self.answers[asked.path.partition("?")[0]]
            if callable(found):
                found(sock, asked)
                return
            sock.sendall(found)

    @staticmethod
    def _request(sock: gevent.socket.socket, data: bytes) -> tuple[Asked, bytes]:
        head, _, rest = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            rest += sock.recv(65_536)
        method, path, _ = line.split(" ")
        return Asked(method, path, headers, rest[:length], head + b"\r\n\r\n"), rest[length:]

    def _talk(self, sock: gevent.socket.socket, asked: Asked) -> None:
        """Agree, and listen until the client leaves."""
        sock.sendall(agreed(asked.head))
        while data := sock.recv(65_536):
            if data[0] == 0x88:
                sock.sendall(b"\x88\x00")
                return


@contextmanager
def http_peer(answers: Mapping[str, Any], pair: Pair | None = None) -> Iterator[HttpPeer]:
    peer = HttpPeer(dict(answers))
    with serving(peer.serve, pair) as address:
        peer.address = address
        yield peer


def tunnel(sock: gevent.socket.socket) -> None:
    """A proxy that connects wherever it is asked to."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    host, _, port = head.split(b" ")[1].decode().rpartition(":")
    other = gevent.socket.create_connection((host, int(port)))
    sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def copy(source: gevent.socket.socket, sink: gevent.socket.socket) -> None:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(gevent.socket.SHUT_WR)

    ways = [gevent.spawn(copy, sock, other), gevent.spawn(copy, other, sock)]
    gevent.joinall(ways)
    other.close()
