"""The limit for plain Python: non-blocking sockets, one epoll, frames sliced; no JSON, no ledger, no report.

python -m benchmarks.bare CASE PORT [--connections N] [--rate N] [--seconds S]

It trusts the server (text frames, whole messages, no control frames but the close) and does the least that
still is a client: what a tool costs beyond this is what the tool adds.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence

MASK = b"\x12\x34\x56\x78"
READ_BYTES = 65_536
EVENTS = 100
TURN = "0123456789abcdef0123456789abcdef0123"
CLOSE = b"\x88\x80" + MASK
MESSAGES = {
    "echo": f'{{"id":"{TURN}","text":"a message of one hundred bytes or so, as people type"}}',
    "burst": f'{{"id":"{TURN}","text":"go"}}',
}
PATHS = {"echo": "/echo", "burst": "/burst", "rate": "/echo", "connect": "/hold", "hold": "/hold"}


def masked(payload: bytes) -> bytes:
    """A text frame of less than 126 bytes as a client sends it."""
    return bytes((0x81, 0x80 | len(payload))) + MASK + bytes(b ^ MASK[i & 3] for i, b in enumerate(payload))


def slices(data: bytes) -> tuple[list[bytes], bytes]:
    """The payloads of the whole frames in ``data``, and what is left; frames of less than 64 KiB."""
    found = []
    at, end = 0, len(data)
    while end - at >= 4:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = data[at + 2] << 8 | data[at + 3], at + 4
        if start + size > end:
            break
        at = start + size
        found.append(data[start:at])
    return found, data[at:]


class Connection:
    """One socket and what it waits for."""

    __slots__ = ("fd", "missing", "open", "rest", "sent", "sock")

    def __init__(self, port: int) -> None:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex(("127.0.0.1", port))
        self.fd = self.sock.fileno()
        self.open = False
        self.rest = b""
        self.missing = 0
        self.sent = 0.0


class Bare:
    """All connections of one case on one epoll."""

    def __init__(self, case: str, port: int, connections: int) -> None:
        self.epoll = select.epoll()
        self.request = (
            f"GET {PATHS[case]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
        self.message = masked(MESSAGES["burst" if case == "burst" else "echo"].encode())
        self.events_per_turn = EVENTS if case == "burst" else 1
        self.closed_loop = case in {"echo", "burst"}
        self.connections: dict[int, Connection] = {}
        self.events = 0
        self.times: list[float] | None = [] if case == "rate" else None
        for _ in range(connections):
            connection = Connection(port)
            self.connections[connection.fd] = connection
            self.epoll.register(connection.fd, select.EPOLLOUT)

    def poll(self, timeout_s: float) -> None:
        """Serve what is ready."""
        connections = self.connections
        receive = self._receive
        for fd, bits in self.epoll.poll(timeout_s, 1024):
            connection = connections[fd]
            if connection.open:
                receive(connection)
            elif bits & select.EPOLLOUT:
                connection.sock.send(self.request)
                self.epoll.modify(fd, select.EPOLLIN)
            else:
                self._opened(connection)

    def _opened(self, connection: Connection) -> None:
        if not connection.sock.recv(READ_BYTES).startswith(b"HTTP/1.1 101"):
            raise RuntimeError("the server did not upgrade the connection")
        connection.open = True
        if self.closed_loop:
            self.send(connection)

    def send(self, connection: Connection) -> None:
        """Begin a turn."""
        connection.missing += self.events_per_turn
        if self.times is not None:
            connection.sent = time.perf_counter()
        connection.sock.send(self.message)

    def _receive(self, connection: Connection) -> None:
        data = connection.sock.recv(READ_BYTES)
        if not data:
            self.epoll.unregister(connection.fd)
            connection.sock.close()
            del self.connections[connection.fd]
            return
        found, connection.rest = slices(connection.rest + data)
        self.events += len(found)
        connection.missing -= len(found)
        if self.times is not None:
            self.times.append(time.perf_counter() - connection.sent)
        if connection.missing <= 0 and self.closed_loop:
            self.send(connection)

    def until(self, done: Callable[[], bool], timeout_s: float = 0.05) -> None:
        """Serve until ``done()``."""
        while not done():
            self.poll(timeout_s)

    def all_open(self) -> bool:
        """Whether every connection is upgraded."""
        return all(connection.open for connection in self.connections.values())

    def close(self) -> None:
        """The closing handshake of every connection."""
        self.closed_loop = False
        for connection in self.connections.values():
            connection.sock.send(CLOSE)
        self.until(lambda: not self.connections)


def at_rate(bare: Bare, rate: float, seconds: float) -> None:
    """Send ``rate`` messages a second over all connections, each at its instant."""
    bare.until(bare.all_open)
    ring = list(bare.connections.values())
    start = time.perf_counter()
    n = 0
    while (now := time.perf_counter() - start) < seconds:
        while n / rate <= now:
            bare.send(ring[n % len(ring)])
            n += 1
        bare.poll(max(n / rate - (time.perf_counter() - start), 0))
    times = sorted(bare.times or [0.0])
    p50, p99 = (times[int(q * len(times))] * 1000 for q in (0.5, 0.99))
    print(json.dumps({"p50_ms": round(p50, 4), "p99_ms": round(p99, 4), "n": len(times)}), flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run one case."""
    parser = argparse.ArgumentParser(prog="benchmarks.bare")
    parser.add_argument("case", choices=PATHS)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args(arguments)
    bare = Bare(options.case, options.port, options.connections)
    end = time.perf_counter() + options.seconds
    if options.case == "rate":
        at_rate(bare, options.rate, options.seconds)
    elif options.case == "connect":
        bare.until(bare.all_open)
    else:
        bare.until(lambda: time.perf_counter() > end)
    bare.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
