"""A backend that is asked by HTTP and answers on the socket; `GET /counts` tells what it counted."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect

app = FastAPI()
counts: Counter[str] = Counter()
talks: dict[str, WebSocket] = {}
streams: set[asyncio.Task[None]] = set()


async def stream(talk: WebSocket, turn: str) -> None:
    for n in range(3):
        await talk.send_json({"type": "delta", "id": turn, "n": n})
    await talk.send_json({"type": "done", "id": turn})
    counts["streamed"] += 1


@app.post("/ask", status_code=202)
async def ask(request: Request) -> dict[str, Any]:
    found = await request.json()
    counts["asked"] += 1
    if request.headers.get("x-user") != found["user"]:
        raise HTTPException(401, "whose question is it?")
    if found["text"] == "refuse":
        counts["refused"] += 1
        raise HTTPException(503, "too busy")
    if found["text"] == "slow":
        await asyncio.sleep(0.5)
        counts["slow"] += 1
    task = asyncio.get_running_loop().create_task(stream(talks[found["user"]], found["id"]))
    streams.add(task)
    task.add_done_callback(streams.discard)
    return {"ok": True}


@app.websocket("/ws")
async def listen(talk: WebSocket, user: str) -> None:
    await talk.accept()
    counts["connections"] += 1
    talks[user] = talk
    try:
        while True:
            await talk.receive_text()
            counts["by the socket"] += 1
    except WebSocketDisconnect:
        counts["closed"] += 1


@app.websocket("/described")
async def answer(talk: WebSocket) -> None:
    await talk.accept()
    try:
        while True:
            asked = await talk.receive_json()
            counts[f"described {asked['type']}"] += 1
            await talk.send_json({"type": "partial", "request_id": asked["request_id"], "text": "so"})
            await talk.send_json({"type": "answer", "request_id": asked["request_id"]})
    except WebSocketDisconnect:
        counts["closed"] += 1


@app.get("/counts")
async def told() -> dict[str, Any]:
    return {"": counts}


def main() -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    sys.stdout.write(json.dumps({"port": listening.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])


if __name__ == "__main__":
    main()
