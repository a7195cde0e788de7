"""A backend that repeats to everybody all that it was told: headers, path, messages, under innocent names.

Prints {"port": ...} when it listens. Its first argument is what it gives each client as its session token.
"""

from __future__ import annotations

import asyncio
import json
import sys

from websockets.asyncio.server import ServerConnection, serve

TOLD_BEFORE_CLOSING = 3


async def repeat(socket: ServerConnection) -> None:
    request = socket.request
    assert request is not None
    head = " | ".join(f"{name} is {value}" for name, value in request.headers.raw_items())
    await socket.send(json.dumps({"kind": "hello", "session_token": sys.argv[1]}))
    n = 0
    async for text in socket:
        heard = json.loads(text)
        words = " ".join(str(value) for value in heard.values())
        told = {"kind": "told", "id": heard["id"], "words": words, "head": head, "path": request.path}
        await socket.send(json.dumps(told))
        n += 1
        if n == TOLD_BEFORE_CLOSING:
            await socket.close(1011, words[:110])
            return


async def main() -> None:
    async with serve(repeat, "127.0.0.1", 0, subprotocols=["chat"]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(json.dumps({"port": port}), flush=True)  # noqa: T201 - what the test reads
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
