"""The other end of a transport, driven by the test itself: no thread, no greenlet, no boundless wait."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

from loadtest.drive.transport import Address
from tests.end_to_end.certificates import Pair

WITHIN_S = 60.0


def is_ready(fd: int, *, write: bool = False) -> bool:
    """Wait until a descriptor can be read (or written)."""
    read, written, _ = select.select([] if write else [fd], [fd] if write else [], [], WITHIN_S)
    return bool(read or written)


def reset(sock: socket.socket) -> None:
    """End a connection as if the host had crashed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Listener:
    """A listening socket on loopback; the kernel connects before anybody accepts."""

    def __init__(self) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._sock.settimeout(WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    @property
    def address(self) -> Address:
        return Address(socket.AF_INET, self._sock.getsockname())

    def accept(self) -> socket.socket:
        """The peer's end of the oldest connection."""
        peer, _ = self._sock.accept()
        peer.settimeout(WITHIN_S)
        return peer


class TlsPeer:
    """The server's side of TLS, over memory, so that a test can break records into pieces."""

    def __init__(self, sock: socket.socket, pair: Pair) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        self.sock = sock
        self.shaken = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake(self) -> None:
        """One step of the handshake, as far as what has arrived allows."""
        if self.shaken:
            return
        assert is_ready(self.sock.fileno())
        self._incoming.write(self.sock.recv(100_000))
        try:
            self._tls.do_handshake()
            self.shaken = True
        except ssl.SSLWantReadError:
            pass
        finally:
            self.sock.sendall(self._outgoing.read())

    def read(self, at_least: int = 0) -> bytes:
        """What has arrived, decrypted; waits for ``at_least`` bytes of it."""
        found = b""
        while True:
            try:
                found += self._tls.read(100_000)
            except ssl.SSLWantReadError:
                if len(found) >= at_least and not select.select([self.sock], [], [], 0)[0]:
                    return found
                self._incoming.write(self.sock.recv(100_000))

    def encrypted(self, data: bytes) -> bytes:
        """The records that carry ``data``."""
        self._tls.write(data)
        return self._outgoing.read()

    def write(self, data: bytes) -> None:
        self.sock.sendall(self.encrypted(data))

    def farewell(self) -> bytes:
        """The record that says that nothing follows."""
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        return self._outgoing.read()
