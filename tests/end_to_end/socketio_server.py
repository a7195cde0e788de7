"""python-socketio under uvicorn: acknowledges ``ask``, tells all of the first; counts at /counts.

How long an answer took is measured where uvicorn hands over frames: from ``ask`` to the last of its answer.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections import deque
from typing import Any

import socketio
import uvicorn

NOTED = 50
COUNTS: dict[str, int] = {}
HELD: list[float] = []

server = socketio.AsyncServer(
    async_mode="asgi", ping_interval=float(sys.argv[2]), ping_timeout=5, transports=["websocket"]
)
connected: set[str] = set()


def count(name: str, n: int = 1) -> None:
    COUNTS[name] = COUNTS.get(name, 0) + n


@server.event
async def connect(sid: str, _environ: dict[str, Any]) -> None:
    connected.add(sid)
    count("socketio connections")


@server.event
async def disconnect(sid: str, _reason: str) -> None:
    connected.discard(sid)


@server.event
async def ask(_sid: str, data: dict[str, Any]) -> dict[str, Any]:
    count("socketio asked")
    if COUNTS["socketio asked"] <= NOTED:
        count("socketio noted", len(connected))
        await server.emit("note", {"id": data["id"], "image": bytes(300)})
    await asyncio.sleep(float(sys.argv[1]) / 1000)
    return {"id": data["id"], "sound": b"\x01\x02\x03"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/counts":
        held = sorted(HELD)
        found = {**COUNTS, "held_p50_us": round(1e6 * held[len(held) // 2]) if held else 0}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"": found}).encode()})
        return
    asked: deque[float] = deque()
    answering = False

    async def hear() -> Any:
        event = await receive()
        if '["ask",' in (event.get("text") or ""):
            asked.append(time.monotonic())
        return event

    async def say(event: Any) -> None:
        nonlocal answering
        if event.get("bytes") and answering:
            HELD.append(time.monotonic() - asked.popleft())
        # An acknowledgement with one attachment, which is the next frame.
        answering = (event.get("text") or "").startswith("461-")
        await send(event)

    await wrapped(scope, hear, say)


wrapped = socketio.ASGIApp(server)


def main() -> None:
    # With the protocol named, asyncio has each connection send at once, also the second of two frames.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="error", ws="websockets-sansio")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
