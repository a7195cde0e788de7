"""Backends of FastAPI under uvicorn, with a log of when they did what.

/chat   streams its answers, word by word
/echo   sends each message back after 5 ms
/rpc    JSON-RPC 2.0: a notification, and a request of its own that must be answered, before each result

Prints {"port": ...} when it listens. ``/log`` tells, by the id of each turn and in nanoseconds of Unix time,
when its message was received, when the first event of it was sent, and when its end was. It knows nothing of
loadtest, and imports nothing of it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from contextlib import suppress

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

WORDS = ("Your", "train", "is", "late.")

app = FastAPI()
log: dict[str, list[int]] = {}


@app.get("/log")
async def told() -> dict[str, list[int]]:
    return log


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"type": "hello"})
    with suppress(WebSocketDisconnect):
        while True:
            asked = await websocket.receive_json()
            received_ns = time.time_ns()
            words_ns = []
            for number, word in enumerate(WORDS):
                await asyncio.sleep(0.002)
                words_ns.append(time.time_ns())
                await websocket.send_json({"type": "word", "id": asked["id"], "n": number, "word": word})
            # Before it is sent: whoever has the end has all of it.
            log[asked["id"]] = [received_ns, words_ns[0], time.time_ns()]
            await websocket.send_json({"type": "end", "id": asked["id"], "n": len(WORDS)})


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            text = await websocket.receive_text()
            received_ns = time.time_ns()
            await asyncio.sleep(0.005)
            sent_ns = time.time_ns()
            log[json.loads(text)["id"]] = [received_ns, sent_ns, sent_ns]
            await websocket.send_text(text)


@app.websocket("/rpc")
async def rpc(websocket: WebSocket) -> None:
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while True:
            call = await websocket.receive_json()
            received_ns = time.time_ns()
            await websocket.send_json({"jsonrpc": "2.0", "method": "progress", "params": {"done": 0.5}})
            asked = len(log) + 1_000_000
            await websocket.send_json({"jsonrpc": "2.0", "id": asked, "method": "confirm"})
            said = await websocket.receive_json()
            if (said["id"], said["error"]["code"]) != (asked, -32601):
                await websocket.close(4000, "an answer to something else")
                return
            log[call["id"]] = [received_ns, received_ns, time.time_ns()]
            await websocket.send_json({"jsonrpc": "2.0", "id": call["id"], "result": "because"})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
