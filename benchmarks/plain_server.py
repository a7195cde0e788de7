"""``server.c`` in Python, for machines without a compiler: same paths, same answers, a tenth of the speed.

python -m benchmarks.plain_server [--truth]
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import selectors
import socket
import sys
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.bare import EVENTS

SMALLEST_EVENT = 140
SIZES = 21
READ_BYTES = 262_144
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ID = re.compile(rb'"id"\s*:\s*"([^"]*)"')
KEY = re.compile(rb"\r\nSec-WebSocket-Key: *([^ \r\n]+)", re.IGNORECASE)


class Count:
    """What /stats tells."""

    def __init__(self) -> None:
        self.accepted = self.upgraded = self.closed = self.messages = self.events = self.pings = self.open = 0


def frame(head: int, payload: bytes) -> bytes:
    """One unmasked frame, as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65536:
        return bytes((head, 126)) + size.to_bytes(2, "big") + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload


def unmask(payload: bytes, mask: bytes) -> bytes:
    """RFC 6455 section 5.3, as one exclusive or of two large numbers."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def whole(event: bytes) -> bytes:
    """An event in one frame."""
    return frame(0x81, event)


def fragmented(event: bytes) -> bytes:
    """An event in three frames."""
    first = len(event) // 2
    second = first + (len(event) - first) // 2
    return frame(0x01, event[:first]) + frame(0x00, event[first:second]) + frame(0x80, event[second:])


def deflated(event: bytes) -> bytes:
    """An event that is compressed on its own (RFC 7692)."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return frame(0xC1, (packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4])


def inflated(payload: bytes) -> bytes:
    """What a client compressed, up to the size of a message that a burst answers."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + b"\x00\x00\xff\xff", 1024)


BURSTS = {"/burst": whole, "/fragments": fragmented, "/deflate": deflated}
AGREED = (
    b"Sec-WebSocket-Extensions: permessage-deflate"
    b"; server_no_context_takeover; client_no_context_takeover\r\n"
)


def burst(message: bytes, framed: Callable[[bytes], bytes] = whole) -> bytes:
    """The 100 events that answer a message, as frames."""
    found = ID.search(message)
    if found is None:
        return b""
    frames = []
    for seq in range(EVENTS):
        kind = b"done" if seq == EVENTS - 1 else b"token"
        event = b'{"turn":"%b","type":"%b","seq":%d,"text":"' % (found[1], kind, seq)
        size = SMALLEST_EVENT + seq * 7 % SIZES
        frames.append(framed(event + b"x" * (size - 2 - len(event)) + b'"}'))
    return b"".join(frames)


class Connection:
    """One client, from its request to its end."""

    def __init__(self, sock: socket.socket, server: PlainServer) -> None:
        self.sock = sock
        self.server = server
        self.path = ""
        self.data = b""
        self.unsent = b""
        self.ending = False
        self.take: Callable[[], bytes] = self.handshake

    def ready(self, events: int) -> None:
        """Read, answer, write."""
        if events & selectors.EVENT_READ:
            try:
                data = self.sock.recv(READ_BYTES)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data == b"":
                self.drop()
                return
            self.data += data or b""
            self.unsent += self.take()
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes."""
        try:
            sent = self.sock.send(self.unsent) if self.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop()
            return
        self.unsent = self.unsent[sent:]
        if self.ending and not self.unsent:
            self.drop()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)
        if self.server.selector.get_key(self.sock).events != wanted:
            self.server.selector.modify(self.sock, wanted, self.ready)

    def drop(self) -> None:
        """Forget this client."""
        self.server.selector.unregister(self.sock)
        self.sock.close()
        if self.path != "/stats":
            self.server.count.open -= 1
            self.server.count.closed += bool(self.path)

    def handshake(self) -> bytes:
        """The answer to the request, once it is whole."""
        request, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return b""
        self.data = rest
        path = request.split(b" ", 2)[1].decode("latin-1").split("?")[0]
        count = self.server.count
        key = KEY.search(request)
        if path == "/stats":
            self.path, self.ending = path, True
            count.accepted, count.open = count.accepted - 1, count.open - 1
            body = json.dumps({**vars(count), "service_us": None}).encode()
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        packs = b"permessage-deflate" in request
        if path not in {"/echo", "/hold", *BURSTS} or key is None or (path == "/deflate" and not packs):
            self.ending = True
            return b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        self.path, self.take = path, self.frames
        count.upgraded += 1
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += AGREED if path == "/deflate" else b""
        return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + self.frames()

    def frames(self) -> bytes:
        """The answers to all whole frames that have come."""
        answers = []
        data, at = self.data, 0
        while len(data) - at >= 6 and not self.ending:
            size, start = data[at + 1] & 0x7F, at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < start + 4 + size:
                break
            payload = unmask(data[start + 4 : start + 4 + size], data[start : start + 4])
            answers.append(self.answer(data[at], payload))
            at = start + 4 + size
        self.data = data[at:]
        return b"".join(answers)

    def answer(self, head: int, payload: bytes) -> bytes:
        """The answer to one frame."""
        count = self.server.count
        if head & 0x0F == 0x8:
            self.ending = True
            return frame(0x88, payload[:2])
        if head & 0x0F == 0x9:
            count.pings += 1
            return frame(0x8A, payload)
        count.messages += 1
        if self.path == "/echo":
            count.events += 1
            return frame(head, payload)
        if self.path in BURSTS:
            count.events += EVENTS
            return burst(inflated(payload) if head & 0x40 else payload, BURSTS[self.path])
        return b""


class PlainServer:
    """All clients on one selector."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.count = Count()
        self.running = True
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def accept(self, _events: int) -> None:
        """Take in one client."""
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.count.accepted += 1
        self.count.open += 1
        self.selector.register(sock, selectors.EVENT_READ, Connection(sock, self).ready)

    def hear(self, _events: int) -> None:
        """Standard input has something, or has ended."""
        self.running = bool(os.read(sys.stdin.fileno(), 4096))

    def serve(self) -> None:
        """Until standard input ends."""
        try:
            self.selector.register(sys.stdin, selectors.EVENT_READ, self.hear)
        except (PermissionError, ValueError, OSError):
            sys.stderr.write("standard input cannot be watched: end this server by a signal\n")
        print(json.dumps({"port": self.listener.getsockname()[1], "server": "python"}), flush=True)
        while self.running:
            ready: Any
            for key, events in self.selector.select():
                ready = key.data
                ready(events)


def main(_arguments: Sequence[str]) -> int:
    """Serve; ``--truth`` is accepted and not available here."""
    PlainServer().serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
