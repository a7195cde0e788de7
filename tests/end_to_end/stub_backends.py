"""Backends made after public descriptions, one a path: most of them answer every call with an error.

/json-rpc /json-id /untouched  JSON-RPC 2.0: {"id":...,"error":{...}}
/realtime      events of one response; `response.done` with `response.status` "failed" (OpenAI Realtime)
/graphql       `next` with `payload.errors`, then `complete` (graphql-transport-ws)
/success       {"success":false} (Home Assistant)
/phoenix       [join_ref, ref, topic, "phx_reply", {"status":"error"}] (Phoenix channels, version 2)
/mixed         JSON-RPC: notifications and requests of the server's own beside results
/interleaved   streams of events without an id, two connections' turns answered at the same time
/ping          text; a ping "2" before each answer, which comes after 50 ms (Engine.IO)
/feed          events of nobody between the answers
/room          everybody gets a copy of what anybody says
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve

COUNTS: dict[str, int] = {}
ROOM: set[ServerConnection] = set()
LATER: set[asyncio.Task[None]] = set()


def count(name: str) -> None:
    COUNTS[name] = COUNTS.get(name, 0) + 1


async def rpc_error(socket: ServerConnection, call: Any) -> None:
    await send(socket, {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "no"}})


async def realtime(socket: ServerConnection, call: Any) -> None:
    await send(socket, {"type": "response.created", "id": call["id"], "response": {"status": "in_progress"}})
    await send(socket, {"type": "response.done", "id": call["id"], "response": {"status": "failed"}})


async def graphql(socket: ServerConnection, call: Any) -> None:
    await send(
        socket, {"type": "next", "id": call["id"], "payload": {"data": None, "errors": [{"message": "no"}]}}
    )
    await send(socket, {"type": "complete", "id": call["id"]})


async def success(socket: ServerConnection, call: Any) -> None:
    await send(socket, {"type": "result", "id": call["id"], "success": False, "error": {"code": "unknown"}})


async def phoenix(socket: ServerConnection, call: Any) -> None:
    join, ref, topic, _, _ = call
    await send(socket, [join, ref, topic, "phx_reply", {"status": "error", "response": {"reason": "no"}}])


async def mixed(socket: ServerConnection, call: Any) -> None:
    if "method" not in call:
        assert call["error"]["code"] == -32601, call
        count("requests answered")
        return
    await send(socket, {"jsonrpc": "2.0", "method": "progress", "params": {"of": call["id"]}})
    await send(socket, {"jsonrpc": "2.0", "id": COUNTS.get("requests", 0), "method": "roots/list"})
    count("requests")
    await send(socket, {"jsonrpc": "2.0", "id": call["id"], "result": None})


async def interleaved(socket: ServerConnection, call: Any) -> None:
    """Each second answer of a connection begins before the one before has ended."""
    for kind, after_s in (("started", 0.0), ("part", 0.02), ("completed", 0.02)):
        await asyncio.sleep(after_s)
        await send(socket, {"type": kind})


async def ping(socket: ServerConnection, text: str) -> None:
    if text == "3":
        count("pongs")
        return
    await socket.send("2")
    await asyncio.sleep(0.05)
    await socket.send("43[1]")


async def feed(socket: ServerConnection, call: Any) -> None:
    await send(socket, {"news": "for all"})
    await send(socket, {"id": call["id"], "result": 1})


async def room(socket: ServerConnection, call: Any) -> None:
    count("deliveries")
    broadcast(ROOM, json.dumps(call))


STYLES = {
    "/json-rpc": rpc_error,
    "/json-id": rpc_error,
    "/untouched": rpc_error,
    "/realtime": realtime,
    "/graphql": graphql,
    "/success": success,
    "/phoenix": phoenix,
    "/mixed": mixed,
    "/interleaved": interleaved,
    "/ping": ping,
    "/feed": feed,
    "/room": room,
}


async def send(socket: ServerConnection, found: Any) -> None:
    await socket.send(json.dumps(found))


async def talk(socket: ServerConnection) -> None:
    assert socket.request is not None
    path = socket.request.path
    style = STYLES[path]
    if path == "/room":
        ROOM.add(socket)
    async for message in socket:
        count(f"messages {path}")
        task = asyncio.create_task(style(socket, message if path == "/ping" else json.loads(message)))
        LATER.add(task)
        task.add_done_callback(LATER.discard)
    ROOM.discard(socket)


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The counts, to whoever asks: one line of JSON."""
    writer.write(json.dumps(COUNTS).encode())
    await writer.drain()
    writer.close()


async def main() -> None:
    async with serve(talk, "127.0.0.1", 0) as server:
        counts = await asyncio.start_server(tell, "127.0.0.1", 0)
        ports = [one.sockets[0].getsockname()[1] for one in (server, counts)]
        sys.stdout.write(json.dumps({"port": ports[0], "counts": ports[1]}) + "\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
