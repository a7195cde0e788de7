"""One socket: non-blocking, never waiting; plain or TLS; every read with the instant its bytes arrived.

Raw sockets under gevent's feet: a gevent socket costs 2 KiB and a greenlet switch for each wait.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from gevent.monkey import get_original

from loadtest.drive import linux

_RawSocket: type[socket.socket] = get_original("socket", "socket")

_NO_LINGER = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
"""A ``struct linger``: on, for no time."""

READ_BYTES = 65_536
"""Max bytes of one read: a burst of 400 events; more would cost a page fault a read in malloc."""

FULL_READ_BYTES = READ_BYTES // 2
"""A read of so many bytes may have left some: of TLS, it brings only the records that are whole."""


class Address(NamedTuple):
    """A resolved address of the target."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


Read = tuple[bytes, int]
"""Bytes and the instant the last of them arrived; no bytes: the peer has closed its side.

A plain tuple: a named one costs 0.2 us more, once a read.
"""


@dataclass(frozen=True, slots=True)
class Timestamping:
    """How reads are stamped: ``now`` is the run's clock, ``stamps`` whether the kernel stamps as well.

    ``floor`` makes a kernel stamp as coarse as the clock; None: it is not coarse.
    """

    now: Callable[[], int]
    floor: Callable[[int], int] | None
    stamps: bool


class Transport:
    """A plain TCP socket.

    ``partial_ns``: when bytes last arrived that are no whole TLS record yet; -1: never.
    """

    __slots__ = ("_sock", "_timestamping", "fd", "partial_ns", "unsent")

    def __init__(
        self,
        address: Address,
        timestamping: Timestamping,
        source: str | None = None,
        *,
        receive_buffer: int | None = None,
    ) -> None:
        """Begin to connect; ``connected`` tells how it went once the socket is writable.

        ``receive_buffer``: bytes that the kernel accepts while we do not read; None: the system's default.

        Raises:
            OSError: it failed at once.
        """
        self._timestamping = timestamping
        self._sock = sock = _RawSocket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if timestamping.stamps:
                linux.ask_for_stamps(sock)
            if receive_buffer is not None:
                # Before the connect: the window that is offered to the peer follows from it.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source is not None:
                if sys.platform == "linux":
                    linux.choose_port_late(sock)
                sock.bind((source, 0))
            self._begin(address)
        except OSError:
            sock.close()
            raise
        self.fd = sock.fileno()
        self.unsent: bytes | bytearray = b""
        self.partial_ns = -1

    def _begin(self, address: Address) -> None:
        error = self._sock.connect_ex(address.sockaddr)
        if error not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            raise OSError(error, errno.errorcode.get(error, "unknown error"))

    def connected(self) -> int:
        """0, or the error number of the connect."""
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def connect_ns(self, seen_ns: int) -> int:
        """How long TCP took to connect, asked as soon as that was seen; ``seen_ns``: by when we saw it."""
        if not self._timestamping.stamps:
            return seen_ns
        by_kernel_ns = linux.handshake_ns(self._sock)
        # A storm is seen late, and that would be told of the target.
        return seen_ns if by_kernel_ns is None else min(by_kernel_ns, seen_ns)

    def receive(self) -> Read | None:
        """What has arrived; None if nothing has.

        Raises:
            OSError: the connection is broken.
        """
        timestamping = self._timestamping
        try:
            if not timestamping.stamps:
                return self._sock.recv(READ_BYTES), timestamping.now()
            data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, linux.ANCILLARY)
        except (BlockingIOError, InterruptedError):
            return None
        stamp = linux.stamp_in(ancillary)
        if stamp is None:
            return data, timestamping.now()
        return data, stamp if timestamping.floor is None else timestamping.floor(stamp)

    def send(self, data: bytes) -> bool:
        """Write, after what is unsent; False if some of it has to wait until the socket is writable.

        Raises:
            OSError: the connection is broken.
        """
        if self.unsent:
            return self._send_after(data)
        try:
            n = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            n = 0
        if n == len(data):
            return True
        self.unsent = bytearray(memoryview(data)[n:])
        return False

    def _send_after(self, data: bytes) -> bool:
        """A bytearray gives up its front without a copy: a peer who does not read may let much wait."""
        unsent = self.unsent
        assert isinstance(unsent, bytearray)  # noqa: S101 - what has to wait is kept in one
        unsent += data
        with suppress(BlockingIOError, InterruptedError):
            del unsent[: self._sock.send(unsent)]
        if not unsent:
            self.unsent = b""
        return not unsent

    def reset_on_close(self) -> None:
        """From now on ``close`` sends a TCP reset, and nothing else."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    def close(self) -> None:
        """Give the descriptor back."""
        self._sock.close()


class TlsTransport(Transport):
    """TLS over the same socket, through memory, so that arrival stamps stay the kernel's."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(
        self,
        address: Address,
        timestamping: Timestamping,
        source: str | None = None,
        *,
        context: ssl.SSLContext,
        server_name: str,
        receive_buffer: int | None = None,
    ) -> None:
        super().__init__(address, timestamping, source, receive_buffer=receive_buffer)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def handshake(self) -> bool:
        """Go on with the TLS handshake; True when it is done.

        Raises:
            ssl.SSLError: it failed (``ssl.SSLCertVerificationError``: the certificate is not to be trusted).
            OSError: the connection is broken.
        """
        read = super().receive()
        if read is not None:
            self._feed(read[0])
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            # Also on failure: an alert tells the peer why.
            self._flush()
        return True

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> bool:
        pending = self._outgoing.read()
        return super().send(pending) if pending or self.unsent else True

    def receive(self) -> Read | None:
        """As ``Transport.receive``; a TLS record may need more bytes than one read brings."""
        read = super().receive()
        if read is None:
            return None
        self._feed(read[0])
        return self._decrypted(read)

    def _decrypted(self, read: Read) -> Read | None:
        chunks: list[bytes] = []
        ended = not read[0]
        while True:
            try:
                chunk = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                ended = True
                break
            if not chunk:
                ended = True
                break
            chunks.append(chunk)
        self._flush()
        if not chunks and not ended:
            self.partial_ns = read[1]
            return None
        if chunks and ended:
            # The peer may wait for our end before it closes the socket: have the next read find the end.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RD)
        return b"".join(chunks), read[1]

    def send(self, data: bytes) -> bool:
        """As ``Transport.send``; encrypted first. Without data: what is unsent."""
        if data:
            self._tls.write(data)
        return self._flush()


def os_reason(error: OSError) -> str:
    """Why a system call failed, in the system's words."""
    return error.strerror or str(error)
