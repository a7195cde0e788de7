"""An echo server of ``websockets`` that compresses, and counts bytes of messages and of the wire on its own.

An argument names what it agrees to: ``window=9``, ``no-context``. ``GET /counts`` tells the counts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.protocol import State

counts: Counter[str] = Counter()


class Counting(ServerConnection):
    """A connection that counts what it reads and writes once it is open."""

    def connection_made(self, transport: Any) -> None:
        write = transport.write

        def counted(data: bytes) -> None:
            if not data.startswith(b"HTTP/1.1 "):
                counts["wire_out"] += len(data)
            write(data)

        transport.write = counted
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.protocol.state is not State.CONNECTING:
            counts["wire_in"] += len(data)
        super().data_received(data)


async def echo(connection: ServerConnection) -> None:
    counts["connections"] += 1
    counts["negotiated"] += bool(connection.protocol.extensions)
    async for message in connection:
        size = len(message.encode() if isinstance(message, str) else message)
        counts["messages"] += 1
        counts["payload_in"] += size
        counts["payload_out"] += size
        await connection.send(message)


def told(connection: ServerConnection, request: Request) -> Response | None:
    if request.path != "/counts":
        return None
    return connection.respond(HTTPStatus.OK, json.dumps({"": counts}))


async def main() -> None:
    window = next((int(each.partition("=")[2]) for each in sys.argv if each.startswith("window=")), None)
    factory = ServerPerMessageDeflateFactory(
        client_max_window_bits=window, client_no_context_takeover="no-context" in sys.argv
    )
    options: dict[str, Any] = {"extensions": [factory], "compression": None, "create_connection": Counting}
    async with serve(echo, "127.0.0.1", 0, process_request=told, max_size=None, **options) as server:
        port = server.sockets[0].getsockname()[1]
        sys.stdout.write(json.dumps({"port": port}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
