"""Backends whose every frame is looked at, one a path.

/chat      a welcome, then started, delta, delta, done for each message, by its id; a ping before the second
/silent    says nothing
/failing   answers with {"type":"failed"}
/flood     answers with more frames than anybody reads
/repeating says what it was told once more, under other names and in base64
/late      a delta after the end
/leaving   closes with 4321 in mid-turn
/expiring  answers, then closes with 4001
/refusing  HTTP 403 with headers and a body
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

BODY = "sorry, not you; Bearer abcdefghijklm1234567890\n" + "more of the body\n" * 5
SECRET = "a-secret-cookie-value"


async def say(socket: ServerConnection, **words: Any) -> None:
    await socket.send(json.dumps(words))


async def chat(socket: ServerConnection, call: Any) -> None:
    for number, kind in enumerate(("started", "delta", "delta", "done")):
        if number == 1:
            await say(socket, type="ping", n=7)
        await say(socket, type=kind, id=call["id"], n=number)


async def silent(socket: ServerConnection, call: Any) -> None:
    pass


async def failing(socket: ServerConnection, call: Any) -> None:
    await say(socket, type="failed", id=call["id"], api_key="sk-1234567890abcdef")


async def flood(socket: ServerConnection, call: Any) -> None:
    for number in range(2_000):
        await say(socket, type="delta", id=call["id"], n=number)


async def repeating(socket: ServerConnection, call: Any) -> None:
    said = json.dumps(call)
    coded = base64.b64encode(said.encode()).decode()
    await say(socket, type="done", id=call["id"], n=0, said=said, coded=coded)


async def late(socket: ServerConnection, call: Any) -> None:
    await say(socket, type="done", id=call["id"])
    await asyncio.sleep(0.02)
    await say(socket, type="delta", id=call["id"])


async def leaving(socket: ServerConnection, call: Any) -> None:
    await say(socket, type="started", id=call["id"])
    await socket.close(4321, "enough")


async def expiring(socket: ServerConnection, call: Any) -> None:
    await chat(socket, call)
    await socket.close(4001, "token expired")


STYLES = {
    "/chat": chat,
    "/silent": silent,
    "/failing": failing,
    "/flood": flood,
    "/repeating": repeating,
    "/late": late,
    "/leaving": leaving,
    "/expiring": expiring,
}


async def talk(socket: ServerConnection) -> None:
    assert socket.request is not None
    path = socket.request.path
    await say(socket, type="welcome", session="s-1234")
    async for message in socket:
        call = json.loads(message)
        if call.get("type") == "ask":
            await STYLES[path](socket, call)


def answer(socket: ServerConnection, request: Request) -> Response | None:
    if request.path != "/refusing":
        return None
    response = socket.respond(HTTPStatus.FORBIDDEN, BODY)
    response.headers["Set-Cookie"] = SECRET
    return response


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.write(b"come back")
    await writer.drain()
    writer.close()


async def main() -> None:
    slow = await asyncio.start_server(slow_body, "127.0.0.1", 0)
    async with serve(talk, "127.0.0.1", 0, process_request=answer) as server:
        ports = [one.sockets[0].getsockname()[1] for one in (server, slow)]
        sys.stdout.write(json.dumps({"port": ports[0], "slow": ports[1]}) + "\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
