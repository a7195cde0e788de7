"""A voice backend that knows the truth: when each chunk reached it, and when its answer began to sound.

    python voice_server.py TRUTH.json

It prints {"port": ...}, answers until SIGTERM, then writes the truth: a list of calls, each with the
kernel's stamps of its chunks, that of the message that ended them, the checksum of what was heard, and the
instant just before the first binary frame of the answer was written. It shares no code with what is tested.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import select
import signal
import socket
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

SO_TIMESTAMPING, STAMPS = 37, 1 << 3 | 1 << 4
TIMESPEC = struct.Struct("=qq")

THINKS_MS = 60
"""And up to 39 more, by the number of the call."""

FRAMES, EVERY_NS = 5, 20_000_000


class Peer:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMPS)
        self.sock = sock
        self.protocol = ServerProtocol()
        self.call: dict[str, Any] = {"chunks": [], "crc": 0}
        self.stopped = False


class Server:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listener.fileno(), select.EPOLLIN)
        self.peers: dict[int, Peer] = {}
        self.due: list[tuple[int, int, Peer, dict[str, Any], int]] = []
        self.calls: list[dict[str, Any]] = []
        self.planned = 0
        self.running = True

    def serve(self) -> None:
        while self.running:
            wait_s = max(self.due[0][0] - time.time_ns(), 0) / 1e9 if self.due else 0.2
            for fd, _ in self.epoll.poll(min(wait_s, 0.2), 256):
                if fd in self.peers:
                    self.read(self.peers[fd])
                else:
                    self.accept()
            self.answer_due()

    def accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = self.listener.accept()
                self.peers[sock.fileno()] = Peer(sock)
                self.epoll.register(sock.fileno(), select.EPOLLIN)

    def drop(self, peer: Peer) -> None:
        if self.peers.pop(peer.sock.fileno(), None) is not None:
            peer.sock.close()

    def read(self, peer: Peer) -> None:
        try:
            data, ancillary, _, _ = peer.sock.recvmsg(65_536, 128)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self.drop(peer)
            return
        at_ns = time.time_ns()
        if ancillary:
            seconds, nanoseconds = TIMESPEC.unpack_from(ancillary[0][2])
            at_ns = seconds * 1_000_000_000 + nanoseconds
        peer.protocol.receive_data(data)
        for event in peer.protocol.events_received():
            if isinstance(event, Request):
                peer.protocol.send_response(peer.protocol.accept(event))
            elif isinstance(event, Frame):
                self.take(peer, event, at_ns)
        self.write(peer)

    def take(self, peer: Peer, frame: Frame, at_ns: int) -> None:
        call = peer.call
        if frame.opcode is Opcode.BINARY:
            call["chunks"].append(at_ns)
            call["crc"] = zlib.crc32(frame.data, call["crc"])
        elif frame.opcode is Opcode.TEXT and b"commit" in frame.data:
            call["ended"] = at_ns
            self.calls.append(call)
            peer.call, peer.stopped = {"chunks": [], "crc": 0}, False
            thinks_ns = (THINKS_MS + len(self.calls) % 40) * 1_000_000
            self.plan(at_ns + thinks_ns, peer, call, 0)
        elif frame.opcode is Opcode.TEXT and b"stop" in frame.data:
            peer.stopped = True
            self.calls[-1]["stopped"] = at_ns

    def plan(self, due_ns: int, peer: Peer, call: dict[str, Any], nth: int) -> None:
        self.planned += 1
        heapq.heappush(self.due, (due_ns, self.planned, peer, call, nth))

    def answer_due(self) -> None:
        for _ in range(8):
            if not self.due or self.due[0][0] > time.time_ns():
                return
            due_ns, _, peer, call, nth = heapq.heappop(self.due)
            if nth < FRAMES and not peer.stopped:
                peer.protocol.send_binary(b"\xff" * 160)
                self.plan(due_ns + EVERY_NS, peer, call, nth + 1)
            else:
                peer.protocol.send_text(b'{"type":"done"}')
            if nth == 0:
                call["spoke"] = time.time_ns()
            self.write(peer)

    def write(self, peer: Peer) -> None:
        for out in peer.protocol.data_to_send():
            if not out:
                self.drop(peer)
                return
            with contextlib.suppress(OSError):
                peer.sock.send(out)


def main() -> None:
    server = Server()

    def stop(_number: int, _frame: object) -> None:
        server.running = False

    signal.signal(signal.SIGTERM, stop)
    sys.stdout.write(json.dumps({"port": server.listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    server.serve()
    Path(sys.argv[1]).write_text(json.dumps(server.calls), "utf-8")


if __name__ == "__main__":
    main()
