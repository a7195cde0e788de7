"""A WebSocket server over TLS that accepts so many connections a second and no more, answers, and counts.

    python slow_start_server.py CERT KEY ACCEPTS_PER_S

It writes ``{"port": N}``, and what it has counted when its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import sys
from collections import Counter

from typing_extensions import override
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

counts: Counter[str] = Counter()
BACKLOG = 4_096


class Served(asyncio.Protocol):
    """One connection: upgraded, its pings answered, its close answered."""

    def __init__(self) -> None:
        self._protocol = ServerProtocol()
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        counts["tls"] += 1

    @override
    def data_received(self, data: bytes) -> None:
        protocol, transport = self._protocol, self._transport
        assert transport is not None
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
                counts["upgraded"] += 1
                counts["open"] += 1
                counts["peak"] = max(counts["peak"], counts["open"])
            elif isinstance(event, Frame) and event.opcode is Opcode.PING:
                counts["pings"] += 1
        for out in protocol.data_to_send():
            transport.write(out) if out else transport.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        counts["open"] -= self._protocol.state is not State.CONNECTING
        closed = self._protocol.close_rcvd
        counts[f"closed {closed.code if closed else 'without a frame'}"] += 1


async def accept(listener: socket.socket, context: ssl.SSLContext, per_s: float) -> None:
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    handshakes = set()
    while True:
        sock, _ = await loop.sock_accept(listener)
        counts["accepted"] += 1
        made = loop.connect_accepted_socket(Served, sock, ssl=context, ssl_handshake_timeout=120)
        handshake = asyncio.ensure_future(made)
        handshakes.add(handshake)
        handshake.add_done_callback(handshakes.discard)
        due_s = max(due_s + 1 / per_s, loop.time())
        await asyncio.sleep(due_s - loop.time())


async def main() -> None:
    cert, key, per_s = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    accepting = asyncio.create_task(accept(listener, context, float(per_s)))
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    accepting.cancel()
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
