"""A server that knows the truth: when each message reached it, and when each of its answers left.

    python -m benchmarks.truth_server DELAY --truth FILE [--port N]

DELAY is one of ``truth_delays.DELAYS``.

It prints its URL, answers until it is interrupted (SIGTERM, SIGINT), then writes FILE: an array of
``truth.ANSWER``, one row per event sent. Arrival is the kernel's stamp of the message (``SO_TIMESTAMPING``),
departure the same clock just before the write. What was intended appears nowhere: the truth is what
happened. It shares no code with the generator that is held against it.

A read takes exactly one message, so that no message shares the stamp of another.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import heapq
import os
import select
import signal
import socket
import struct
import sys
import time
import zlib
from array import array
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask

from benchmarks.truth import ANSWER
from benchmarks.truth_delays import DELAYS, MS, NS, plan_of
from benchmarks.truth_frames import LARGE, framing_of

SO_TIMESTAMPING = 37
STAMPS = 1 << 3 | 1 << 4
"""SOF_TIMESTAMPING_RX_SOFTWARE and SOF_TIMESTAMPING_SOFTWARE of linux/net_tstamp.h."""

ANCILLARY = socket.CMSG_SPACE(48)
TIMESPEC = struct.Struct("=qq")

ID_BYTES = 36
PAYLOAD = len('{"id":""}') + ID_BYTES
PLAIN = bytes((0x81, 0x80 | PAYLOAD))
"""How the only data frame that clients send begins: whole, text, masked, ``{"id":"UUID"}``."""

FRAME = 6 + PAYLOAD

EVENTS = 5
"""Events of a streamed answer."""

GIVES_UP_S = 5.0
"""How long the rest of an answer may wait for a client that does not read."""

AT_ONCE = 16
"""Events sent between two looks at what has arrived: messages that lie unread may lose their own stamp."""


class Timer:
    """``timerfd_create(2)`` on the real-time clock: epoll's own timeouts are whole milliseconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._armed_ns = 0

    def arm(self, due_ns: int) -> None:
        """Become readable at ``due_ns``."""
        if due_ns != self._armed_ns:
            self._armed_ns = due_ns
            spec = (ctypes.c_long * 4)(0, 0, *divmod(due_ns, NS))
            absolute = 1
            self._libc.timerfd_settime(self.fd, absolute, spec, None)

    def clear(self) -> None:
        """Be readable no more."""
        self._armed_ns = 0
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 8)


class Peer:
    """One connection: ``rest`` are the bytes of a frame that is not whole yet."""

    __slots__ = ("protocol", "rest", "sock")

    def __init__(self, sock: socket.socket, *, compressed: bool) -> None:
        extensions = [ServerPerMessageDeflateFactory(server_no_context_takeover=True)] if compressed else None
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMPS)
        self.sock = sock
        self.protocol = ServerProtocol(extensions=extensions)
        self.rest = b""


class Turn(NamedTuple):
    """One message, and when the kernel had it."""

    peer: Peer
    payload: bytes
    number: int
    crc: int
    arrived_ns: int


class TruthServer:
    """One epoll loop over a listening socket, a timer and the connections."""

    def __init__(self, delay: str, port: int = 0) -> None:
        self._plan = plan_of(delay)
        self._framed = framing_of(delay)
        self._compressed = delay == "compressed"
        self._events = EVENTS if delay == "streamed" else 1
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._epoll.register(self._timer.fd, select.EPOLLIN)
        self._peers: dict[int, Peer] = {}
        self._due: list[tuple[int, int, Turn, int]] = []
        self._planned = 0
        self._rows = array("q")
        self.running = True

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Answer until ``running`` is False."""
        # A pause of the collector would be in the truth, but teach nothing.
        gc.collect()
        gc.disable()
        listening, timing, peers = self._listener.fileno(), self._timer.fd, self._peers
        wait_s = 0.5
        while self.running:
            for fd, _ in self._epoll.poll(wait_s, 1024):
                peer = peers.get(fd)
                if peer is not None:
                    self._read(peer)
                elif fd == timing:
                    self._timer.clear()
                elif fd == listening:
                    self._accept()
            wait_s = 0.0 if self._answer_due() else 0.5

    def truth(self) -> np.ndarray[Any, Any]:
        """What happened: an array of ``ANSWER``."""
        return np.frombuffer(self._rows, np.int64).view(ANSWER)

    # ------------------------------------------------------------------ connections

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            # Room for answers of 64 KiB, so that one write takes each whole.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * LARGE)
            self._peers[sock.fileno()] = Peer(sock, compressed=self._compressed)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _drop(self, peer: Peer) -> None:
        if self._peers.pop(peer.sock.fileno(), None) is not None:
            peer.sock.close()

    def _speak(self, peer: Peer, data: bytes) -> None:
        """Have the library answer what is no plain message: the upgrade, a ping, a close."""
        protocol = peer.protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
        for out in protocol.data_to_send():
            if not out:
                self._drop(peer)
                return
            with contextlib.suppress(OSError):
                peer.sock.send(out)

    # ------------------------------------------------------------------ messages

    def _read(self, peer: Peer) -> None:
        """Take one frame, or what there is of it."""
        rest = peer.rest
        size = FRAME if len(rest) < 2 else 6 + (rest[1] & 0x7F)
        try:
            data, ancillary, _, _ = peer.sock.recvmsg(max(size - len(rest), 1), ANCILLARY)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._drop(peer)
        elif not rest and len(data) == FRAME and data.startswith(PLAIN):
            self._take(peer, data, ancillary)
        else:
            self._align(peer, rest + data, ancillary)

    def _align(self, peer: Peer, data: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        """The rarer frames, and whatever a read cut in two."""
        if not data.startswith((b"\x81", b"\x88", b"\x89", b"\x8a")):
            self._speak(peer, data)
            return
        while len(data) >= 2 and len(data) >= (size := 6 + (data[1] & 0x7F)):
            frame, data = data[:size], data[size:]
            if frame.startswith(PLAIN):
                self._take(peer, frame, ancillary)
            else:
                self._speak(peer, frame)
        peer.rest = data

    def _take(self, peer: Peer, frame: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        """One message: answer it now, or plan when."""
        if ancillary:
            seconds, nanoseconds = TIMESPEC.unpack_from(ancillary[0][2])
            arrived_ns = seconds * NS + nanoseconds
        else:
            # The kernel switches stamps on a moment after the first socket asked: none for the first bytes.
            arrived_ns = time.time_ns()
        payload = apply_mask(frame[6:], frame[2:6])
        # The last twelve digits of the id are the turn's number, as protocols/truth.toml has it.
        number = int(payload[-14:-2], 16)
        turn = Turn(peer, payload, number, zlib.crc32(payload), arrived_ns)
        due_ns = self._plan(number, arrived_ns)
        if due_ns is None:
            self._send(turn, 0)
        else:
            self._plan_event(due_ns, turn, 0)

    def _plan_event(self, due_ns: int, turn: Turn, nth: int) -> None:
        self._planned += 1
        heapq.heappush(self._due, (due_ns, self._planned, turn, nth))

    def _answer_due(self) -> bool:
        """Send what is due, but not so much that arrivals wait; True if more of it is due."""
        due = self._due
        for _ in range(AT_ONCE):
            if not due:
                return False
            if due[0][0] > time.time_ns():
                self._timer.arm(due[0][0])
                return False
            due_ns, _, turn, nth = heapq.heappop(due)
            self._send(turn, nth)
            if nth + 1 < self._events:
                self._plan_event(due_ns + 2 * MS, turn, nth + 1)
        return True

    def _send(self, turn: Turn, nth: int) -> None:
        """Write one event, and down when.

        Who reads large answers late holds all others up: theirs leave late then, and that is written down.
        """
        payload = turn.payload
        if self._events > 1:
            kind = b"end" if nth == EVENTS - 1 else b"part"
            payload = b'%b,"seq":%d,"type":"%b"}' % (payload[:-1], nth, kind)
        frame = self._framed(payload)
        departed_ns = time.time_ns()
        try:
            sent = turn.peer.sock.send(frame)
            if sent < len(frame):
                _send_rest(turn.peer.sock, frame[sent:])
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self._drop(turn.peer)
            return
        self._rows.extend((turn.number, turn.crc, nth, turn.arrived_ns, departed_ns))


def _send_rest(sock: socket.socket, rest: bytes) -> None:
    """Wait until the kernel has taken all.

    Raises:
        TimeoutError: nobody reads it.
    """
    sock.settimeout(GIVES_UP_S)
    sock.sendall(rest)
    sock.setblocking(False)


def main() -> int:
    """Serve, then write the truth down."""
    parser = argparse.ArgumentParser(description="Answer WebSocket messages and write down when.")
    parser.add_argument("delay", choices=DELAYS)
    parser.add_argument("--truth", type=Path, required=True, help="where to write what happened (.npy)")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = TruthServer(options.delay, options.port)

    def stop(_number: int, _frame: object) -> None:
        server.running = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    sys.stdout.write(f"ws://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve()
    np.save(options.truth, server.truth())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
