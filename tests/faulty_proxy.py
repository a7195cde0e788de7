"""A TCP proxy that does to connections what networks do: late, slow, gone without a word, reset."""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What happens to each connection.

    ``latency_s``: every byte arrives so much later, either way. ``bytes_per_s``: how fast the server's bytes
    come through. ``slow_upgrade_s``: the server's first bytes are held back so long. ``gone_after_s``: from
    then on nothing comes through and nothing is closed (a half-open connection). ``reset_after_s``: then the
    client's side is reset.
    """

    latency_s: float = 0.0
    bytes_per_s: int = 0
    slow_upgrade_s: float = 0.0
    gone_after_s: float | None = None
    reset_after_s: float | None = None


class _Way:
    """One direction of one connection: a thread reads, another writes when it is time."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, weather: Weather, *, to_client: bool
    ) -> None:
        self._source = source
        self._sink = sink
        self._weather = weather
        self._begun = time.monotonic()
        self._hold_s = weather.slow_upgrade_s if to_client else 0.0
        self._pace = weather.bytes_per_s if to_client else 0
        self._waiting: queue.Queue[tuple[float, bytes]] = queue.Queue()
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = self._source.recv(CHUNK)
            except OSError:
                data = b""
            self._waiting.put((time.monotonic() + self._weather.latency_s + self._hold_s, data))
            self._hold_s = 0.0
            if not data:
                return

    def _write(self) -> None:
        while True:
            due_s, data = self._waiting.get()
            time.sleep(max(due_s - time.monotonic(), 0))
            if self._is_gone:
                return
            with suppress(OSError):
                if data:
                    self._sink.sendall(data)
                else:
                    self._sink.shutdown(socket.SHUT_WR)
            if not data:
                return
            if self._pace:
                time.sleep(len(data) / self._pace)

    @property
    def _is_gone(self) -> bool:
        after_s = self._weather.gone_after_s
        return after_s is not None and time.monotonic() - self._begun >= after_s


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@contextmanager
def faulty_proxy(port: int, weather: Weather) -> Iterator[int]:
    """A proxy before the server at ``port`` of loopback; gives its own port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    sockets: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                return
            sockets.extend((client, server))
            _Way(client, server, weather, to_client=False)
            _Way(server, client, weather, to_client=True)
            if weather.reset_after_s is not None:
                # A socket that another thread reads is closed only when that read is over.
                timer = threading.Timer(weather.reset_after_s, _reset_now, (client, server))
                timer.daemon = True
                timer.start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        thread.join(5)


def _reset_now(client: socket.socket, server: socket.socket) -> None:
    """End the client's side with a reset: what it has sent and nobody read makes the kernel send one."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RD)
    _reset(client)
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def silent_listener(host: str, port: int) -> Iterator[None]:
    """An address that never answers: its queue is full, so that Linux drops what asks for a connection."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    try:
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield
    finally:
        for filler in fillers:
            filler.close()
        listener.close()
