"""Small servers on loopback, in greenlets of the test's own process: each does one thing, right or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import gevent.socket
from gevent import ssl
from gevent.server import StreamServer
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from loadtest.drive.transport import Address
from tests.drive.standing_in import agreed
from tests.end_to_end.certificates import Pair

Script = Callable[[gevent.socket.socket], object]


@contextmanager
def serving(script: Script, pair: Pair | None = None) -> Iterator[Address]:
    """Run ``script`` with each connection (under TLS, with a certificate); it is closed afterwards."""
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)

    def served(sock: gevent.socket.socket, _address: object) -> None:
        with suppress(OSError):
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True)
            script(sock)
        with suppress(OSError):
            sock.close()

    server = StreamServer(("127.0.0.1", 0), served)
    server.start()
    try:
        yield Address(2, ("127.0.0.1", server.server_port))
    finally:
        server.stop(timeout=1)


def request_of(sock: gevent.socket.socket) -> bytes:
    """The upgrade request, whole."""
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        data = sock.recv(65_536)
        assert data, "the client left"
        found += data
    return found


def until_left(sock: gevent.socket.socket) -> bytes:
    """All that comes until the client leaves."""
    found = b""
    while data := sock.recv(65_536):
        found += data
    return found


def echoes(sock: gevent.socket.socket) -> None:
    """Agree to the upgrade, and send every message back as it came."""
    sock.sendall(agreed(request_of(sock)))
    protocol = ServerProtocol(state=OPEN)
    while data := sock.recv(65_536):
        protocol.receive_data(data)
        back = b"".join(
            Frame(read.opcode, read.data).serialize(mask=False)
            for read in protocol.events_received()
            if isinstance(read, Frame) and read.opcode in {Opcode.TEXT, Opcode.BINARY}
        )
        sock.sendall(back + b"".join(protocol.data_to_send()))


def says_no(sock: gevent.socket.socket) -> None:
    """Refuse the upgrade."""
    request_of(sock)
    sock.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    until_left(sock)
